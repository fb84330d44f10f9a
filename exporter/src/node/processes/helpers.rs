//! From the process table to the helper processes of chaos tools, each tied to the pod it acts on.
//!
//! Apart from the walk because it looks at the table as a whole: a parent says whose a process is, the neighbours in a
//! namespace say which pod it is. What the tools' processes look like is in `tools/helpers.rs`.

use super::{Cgroup, Process, ProcessTable};
use crate::node::netns::NsId;
use crate::tools::helpers::{self, HelperKind, Tie};
use chaoscope_model::Tool;
use std::collections::{HashMap, HashSet};

/// One injected instance of a chaos tool's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// What it is.
    pub kind: HelperKind,
    /// Whose it is.
    pub tool: Tool,
    /// Its process id.
    pub pid: u32,
    /// Process id of its parent: of a wrapper that is no instance, but is what Chaos Mesh tells of.
    pub parent: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// The network namespace it acts on, where that is what ties it to its pod.
    pub netns: Option<NsId>,
    /// The network namespace it is in.
    pub lives_in: Option<NsId>,
    /// The pod and container it acts on. A part is None when unknown, or when several share the namespace it acts on
    /// (then the pod may be known without the container).
    pub target: Cgroup,
    /// Whether it means that a fault is being applied: an idle tproxy waits for the next one.
    pub active: bool,
}

impl ProcessTable {
    /// Every helper process once per injected instance (the rule is in `tools/helpers.rs`), by ascending pid.
    pub fn helpers(&self) -> Vec<Helper> {
        let kinds: Vec<Option<HelperKind>> = self.processes.iter().map(kind).collect();
        if kinds.iter().all(Option::is_none) {
            return Vec::new();
        }
        let neighbours = Neighbours::of(self.processes.iter().zip(&kinds).filter(|(_, kind)| kind.is_none()).map(|(process, _)| process));
        let found = self.processes.iter().zip(&kinds).filter_map(|(process, kind)| kind.map(|kind| (process, kind)));
        found.filter_map(|(process, kind)| self.helper(process, kind, &neighbours)).collect()
    }

    /// The process of this pid.
    pub fn process(&self, pid: u32) -> Option<&Process> {
        let at = self.processes.binary_search_by_key(&pid, |process| process.pid).ok()?;
        self.processes.get(at)
    }

    fn helper(&self, process: &Process, kind: HelperKind, neighbours: &Neighbours<'_>) -> Option<Helper> {
        let parent = self.process(process.ppid);
        let parents_kind = parent.and_then(self::kind);
        if parents_kind == Some(kind) {
            return None; // a worker of the instance its parent is
        }
        let (netns, target) = match (kind.tie(), parent.filter(|_| parents_kind == Some(HelperKind::Tproxy))) {
            (Tie::Cgroup, _) => (None, process.cgroup.clone()),
            (Tie::NetworkNamespace, _) => (process.netns, neighbours.in_network(process)),
            (Tie::ParentsNetworkNamespace, Some(main)) => (main.netns, neighbours.in_network(main)),
            (Tie::ParentsNetworkNamespace, None) => (None, neighbours.in_pids(process)),
            (Tie::ContainerNamespaces, _) => (None, neighbours.in_mounts(process).unwrap_or_else(|| neighbours.in_pids(process))),
        };
        let argv: Vec<&str> = process.argv.iter().map(String::as_str).collect();
        let tool = helpers::tool(kind, &argv, parent.map(|parent| parent.comm.as_str()));
        let Process { pid, ppid: parent, start_ticks, netns: lives_in, .. } = *process;
        Some(Helper { kind, tool, pid, parent, start_ticks, netns, lives_in, target, active: kind.is_active() })
    }
}

/// Who is in each namespace, helpers and what starts them left out: one set per namespace, so that any number of helper
/// processes costs one pass over the table.
#[derive(Default)]
struct Neighbours<'a> {
    network: HashMap<NsId, HashSet<&'a Cgroup>>,
    pids: HashMap<NsId, HashSet<&'a Cgroup>>,
    mounts: HashMap<NsId, HashSet<&'a Cgroup>>,
}

impl<'a> Neighbours<'a> {
    fn of(processes: impl Iterator<Item = &'a Process>) -> Self {
        let mut all = Self::default();
        for process in processes.filter(|process| !helpers::is_starter(&process.comm)) {
            let sets = [(&mut all.network, process.netns), (&mut all.pids, process.pidns), (&mut all.mounts, process.mntns)];
            for (set, namespace) in sets {
                if let Some(namespace) = namespace {
                    set.entry(namespace).or_default().insert(&process.cgroup);
                }
            }
        }
        all
    }

    fn in_network(&self, helper: &Process) -> Cgroup {
        owner(&self.network, helper, helper.netns).unwrap_or_default()
    }

    fn in_pids(&self, helper: &Process) -> Cgroup {
        owner(&self.pids, helper, helper.pidns).unwrap_or_default()
    }

    fn in_mounts(&self, helper: &Process) -> Option<Cgroup> {
        owner(&self.mounts, helper, helper.mntns)
    }
}

/// The pod and container that all in a namespace agree on, but for what the daemon itself runs there: its processes keep
/// the daemon's control group. A host process among them means it is the host's own namespace, which is no pod's.
fn owner(all: &HashMap<NsId, HashSet<&Cgroup>>, helper: &Process, namespace: Option<NsId>) -> Option<Cgroup> {
    let others = all.get(&namespace?)?.iter().filter(|cgroup| ***cgroup != helper.cgroup);
    others.copied().cloned().reduce(|one, other| agreement(one, &other))
}

fn agreement(one: Cgroup, other: &Cgroup) -> Cgroup {
    Cgroup {
        pod_uid: one.pod_uid.filter(|uid| other.pod_uid.as_ref() == Some(uid)),
        container_id: one.container_id.filter(|id| other.container_id.as_ref() == Some(id)),
    }
}

fn kind(process: &Process) -> Option<HelperKind> {
    let argv: Vec<&str> = process.argv.iter().map(String::as_str).collect();
    helpers::helper(&process.comm, &argv)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAEMON: (&str, &str) = ("daemon", "daemon-container");
    const WEB: (&str, &str) = ("web", "web-container");
    const WEB_PAUSE: (&str, &str) = ("web", "web-pause");
    const WEB_SIDECAR: (&str, &str) = ("web", "web-sidecar");
    const HOST: u64 = 1;

    /// pid, parent, command line (comm is its program's name), network/pid/mount namespace, pod and container.
    fn process(pid: u32, ppid: u32, line: &str, namespaces: [u64; 3], cgroup: Option<(&str, &str)>) -> Process {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let comm: String = argv[0].rsplit('/').next().unwrap_or_default().chars().take(15).collect();
        let ns = |ino| Some(NsId { dev: 4, ino });
        let cgroup = cgroup.map_or_else(Cgroup::default, |(pod, container)| Cgroup {
            pod_uid: Some(pod.to_owned()),
            container_id: Some(container.to_owned()),
        });
        let argv = if helpers::is_candidate(&comm) { argv } else { Vec::new() };
        let [netns, pidns, mntns] = namespaces.map(ns);
        Process { pid, start_ticks: u64::from(pid), ppid, comm, netns, pidns, mntns, cgroup, argv }
    }

    /// A host with the daemon (host network, host pids) and a pod of pause, web and a sidecar.
    fn node(more: impl IntoIterator<Item = Process>) -> ProcessTable {
        let mut processes = vec![
            process(1, 0, "systemd", [HOST, HOST, HOST], None),
            process(50, 1, "chaos-daemon", [HOST, HOST, 90], Some(DAEMON)),
            process(100, 1, "pause", [10, 11, 12], Some(WEB_PAUSE)),
            process(200, 1, "httpd", [10, 21, 22], Some(WEB)),
            process(300, 1, "sh", [10, 31, 32], Some(WEB_SIDECAR)),
        ];
        processes.extend(more);
        processes.sort_by_key(|process| process.pid);
        ProcessTable { processes, ..ProcessTable::default() }
    }

    fn pod(uid: &str) -> Cgroup {
        Cgroup { pod_uid: Some(uid.to_owned()), container_id: None }
    }

    fn container((uid, id): (&str, &str)) -> Cgroup {
        Cgroup { pod_uid: Some(uid.to_owned()), container_id: Some(id.to_owned()) }
    }

    #[test]
    fn the_recorded_stressor_is_one_instance_in_its_containers_cgroup() {
        // shop/web-0's container, Chaos Mesh 2.8.3 recording (scenario stress-cpu, during): wrapper, tool, worker
        let arguments = "--cpu-load-slice 10 --cpu-method sqrt --cpu 1 --cpu-load 20";
        let table = node([
            process(
                25215,
                50,
                &format!("/usr/local/bin/nsexec -p /proc/24456/ns/pid -- stress-ng {arguments}"),
                [HOST, HOST, 90],
                Some(WEB),
            ),
            process(25216, 25215, &format!("stress-ng {arguments}"), [HOST, 21, 90], Some(WEB)),
            process(25217, 25216, "stress-ng-cpu [run]", [HOST, 21, 90], Some(WEB)),
        ]);
        let expected = Helper {
            kind: HelperKind::StressNg,
            tool: Tool::ChaosMesh,
            pid: 25216,
            parent: 25215,
            start_ticks: 25216,
            netns: None,
            lives_in: Some(NsId { dev: 4, ino: HOST }),
            target: container(WEB),
            active: true,
        };
        assert_eq!(table.helpers(), [expected]);
    }

    #[test]
    fn a_worker_that_outlived_its_tool_is_still_seen() {
        let table = node([process(25217, 1, "stress-ng-cpu [run]", [HOST, 21, 90], Some(WEB))]);
        let [orphan] = &table.helpers()[..] else { panic!("{:?}", table.helpers()) };
        assert_eq!((orphan.pid, orphan.tool, &orphan.target), (25217, Tool::Other, &container(WEB)));
    }

    #[test]
    fn a_memory_stressor_with_workers_is_one_instance() {
        let table = node([
            process(400, 50, "/usr/local/bin/nsexec -p /proc/200/ns/pid -- memStress --workers 2 --size 64MB", [HOST, HOST, 90], Some(WEB)),
            process(401, 400, "memStress --workers 2 --size 64MB", [HOST, 21, 90], Some(WEB)),
            process(402, 401, "memStress --size 64MB --workers 2 --time 0s --client 1", [HOST, 21, 90], Some(WEB)),
            process(403, 401, "memStress --size 64MB --workers 2 --time 0s --client 1", [HOST, 21, 90], Some(WEB)),
        ]);
        let found = table.helpers();
        assert_eq!(found.iter().map(|helper| (helper.pid, helper.kind)).collect::<Vec<_>>(), [(401, HelperKind::MemStress)]);
        assert_eq!(found[0].target, container(WEB));
    }

    const TPROXY: &str = "/usr/local/bin/tproxy -i -vv";
    const PROXY: &str = "/usr/local/bin/tproxy -vv --proxy --ipc-path=/tmp/1f0c.sock";

    #[test]
    fn tproxy_belongs_to_the_pod_of_its_network_namespace_and_its_proxy_too() {
        let table = node([
            process(
                500,
                50,
                "/usr/local/bin/nsexec -l -n /proc/200/ns/net -p /proc/200/ns/pid -- /usr/local/bin/tproxy -i -vv",
                [10, HOST, 90],
                Some(DAEMON),
            ),
            process(501, 500, TPROXY, [10, 21, 90], Some(DAEMON)),
            process(502, 501, PROXY, [77, 21, 91], Some(DAEMON)), // in the namespace it made for itself
        ]);
        let found = table.helpers();
        let ns = Some(NsId { dev: 4, ino: 10 });
        let seen: Vec<_> = found.iter().map(|helper| (helper.kind, helper.active, helper.netns, helper.target.clone())).collect();
        assert_eq!(seen, [(HelperKind::Tproxy, false, ns, pod("web")), (HelperKind::TproxyProxy, true, ns, pod("web"))]);
        assert!(found.iter().all(|helper| helper.tool == Tool::ChaosMesh));
    }

    #[test]
    fn a_proxy_without_its_parent_is_tied_by_its_pid_namespace() {
        let table = node([process(502, 1, PROXY, [77, 21, 91], Some(DAEMON))]);
        let found = table.helpers();
        assert_eq!((found[0].netns, &found[0].target), (None, &container(WEB)));
    }

    #[test]
    fn toda_belongs_to_the_container_whose_mounts_it_is_in() {
        let nsexec = "/usr/local/bin/nsexec -l -p /proc/200/ns/pid -m /proc/200/ns/mnt -- /usr/local/bin/toda --path /data --verbose info";
        let toda = "/usr/local/bin/toda --path /data --verbose info";
        let entered =
            node([process(600, 50, nsexec, [HOST, HOST, 90], Some(DAEMON)), process(601, 600, toda, [HOST, 21, 22], Some(DAEMON))]);
        assert_eq!(entered.helpers().iter().map(|helper| helper.target.clone()).collect::<Vec<_>>(), [container(WEB)]);
        // before it has entered the mount namespace, or where we may not see that: its pid namespace
        let entering = node([process(601, 600, toda, [HOST, 21, 90], Some(DAEMON))]);
        assert_eq!(entering.helpers()[0].target, container(WEB));
    }

    #[test]
    fn containers_that_share_a_pid_namespace_leave_the_pod_known() {
        let shared = [process(700, 1, "app", [10, 71, 72], Some(WEB)), process(701, 1, "side", [10, 71, 73], Some(WEB_SIDECAR))];
        let table = node(shared.into_iter().chain([process(702, 1, "toda --path /data", [HOST, 71, 90], Some(DAEMON))]));
        assert_eq!(table.helpers()[0].target, pod("web"));
    }

    #[test]
    fn in_the_hosts_network_no_pod_is_blamed() {
        let table = node([
            process(800, 1, "hostnet", [HOST, 81, 82], Some(("agent", "agent-container"))),
            process(801, 50, TPROXY, [HOST, 81, 90], Some(DAEMON)),
        ]);
        assert_eq!(table.helpers()[0].target, Cgroup::default());
        assert_eq!(table.helpers()[0].netns, Some(NsId { dev: 4, ino: HOST }));
    }

    #[test]
    fn what_could_not_be_read_ties_to_nothing() {
        let mut blind = process(501, 500, TPROXY, [10, 21, 90], Some(DAEMON));
        blind.netns = None;
        let table = node([blind]);
        assert_eq!((table.helpers()[0].netns, table.helpers()[0].target.clone()), (None, Cgroup::default()));
    }
}
