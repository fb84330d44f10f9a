//! From containers, processes and named namespaces to the distinct network namespaces of this host and who lives in each.
//!
//! All containers of a pod share one namespace, so it is read once. Host-network pods live in the host's, which is recognised by its
//! inode. A process of a pod may make itself a further one (`unshare -n`): that one is the pod's too, but not the pod's own
//! ([`Namespace::primary`]). [`group`] is pure.

use super::containers::Container;
use super::names::Named;
use super::netns::NsId;
use super::processes::ProcessTable;
use super::visits::Place;
use chaoscope_model::Pod;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// One network namespace.
#[derive(Clone, Debug, Serialize)]
pub struct Namespace {
    /// Which it is and how to get in.
    #[serde(skip)]
    pub place: Place,
    /// Inode number, as `lsns` shows it.
    pub inode: u64,
    /// Its file name in `/run/netns`, where it has one.
    pub name: Option<String>,
    /// Whether it is the host's own.
    pub host: bool,
    /// The pod it belongs to.
    pub pod: Option<Pod>,
    /// Whether it is the network of that pod. One namespace of a pod is: where its containers live, else where its oldest process does.
    /// True without a pod.
    pub primary: bool,
    /// Containers living in it.
    pub containers: Vec<Resident>,
}

/// A container in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Resident {
    /// Its name; empty when only the cgroup told of it.
    pub name: String,
    /// The runtime's id.
    pub id: String,
    /// Its first process.
    pub pid: u32,
}

impl Namespace {
    /// The `netns` label: empty for the own network of a pod whose name is known, else what the namespace itself is called.
    pub fn label(&self) -> String {
        match &self.pod {
            Some(pod) if pod.is_named() && self.primary => String::new(),
            _ => self.called(),
        }
    }

    /// The name in `/run/netns`, else the inode. A name that reads like an inode is none, so that no two namespaces are called the same.
    pub fn called(&self) -> String {
        match &self.name {
            Some(name) if !name.bytes().all(|byte| byte.is_ascii_digit()) => name.clone(),
            _ => self.inode.to_string(),
        }
    }

    /// Whether this is the own network of `pod`.
    pub fn is_home_of(&self, pod: Option<&Pod>) -> bool {
        pod.is_some() && self.pod.as_ref() == pod && self.primary
    }

    /// What a person would call it: `namespace/pod`, a name, or an inode.
    pub fn title(&self) -> String {
        match &self.pod {
            Some(pod) if pod.is_named() && self.primary => format!("{}/{}", pod.namespace, pod.name),
            Some(pod) if pod.is_named() => format!("{}/{} netns {}", pod.namespace, pod.name, self.label()),
            _ if self.host => "host".to_owned(),
            _ => match (self.containers.first(), &self.name) {
                (Some(container), _) if !container.name.is_empty() => container.name.clone(),
                (_, Some(name)) => name.clone(),
                _ => format!("netns {}", self.inode),
            },
        }
    }
}

/// Everything [`group`] looks at.
pub struct Sources<'a> {
    /// Running containers with the namespace of each.
    pub containers: Vec<(Container, NsId)>,
    /// The process table, where it could be read.
    pub processes: Option<&'a ProcessTable>,
    /// Named namespaces.
    pub named: Vec<Named>,
    /// The host's namespace, where it could be told.
    pub host: Option<NsId>,
    /// The procfs that pids refer to.
    pub procfs: &'a Path,
    /// The pod of a uid, if it was ever named.
    pub pod: &'a dyn Fn(&str) -> Option<Pod>,
}

/// Puts every distinct namespace together once, ordered by pod and name.
pub fn group(sources: Sources<'_>) -> Vec<Namespace> {
    let file = |pid: u32| sources.procfs.join(format!("{pid}/ns/net"));
    let mut found: BTreeMap<NsId, Namespace> = BTreeMap::new();
    let homes = homes(&sources);
    for (container, id) in sources.containers {
        let place = enter(&mut found, id, file(container.pid));
        place.containers.push(Resident { name: container.name, id: container.id, pid: container.pid });
        if container.pod != Pod::default() {
            place.pod.get_or_insert(container.pod);
        }
    }
    if let Some(table) = sources.processes {
        by_process(&mut found, table, &file, sources.pod);
    }
    for named in sources.named {
        // Named files are the way in of last resort: a process' own file needs no mount to be shared with us.
        enter(&mut found, named.id, named.path).name = Some(named.name);
    }
    for (id, namespace) in &mut found {
        let home = namespace.pod.as_ref().and_then(|pod| homes.get(&pod.uid));
        namespace.primary = home.is_none_or(|home| home == id);
    }
    if let Some(host) = sources.host.and_then(|id| found.get_mut(&id)) {
        (host.host, host.pod, host.primary) = (true, None, true);
    }
    let mut out: Vec<Namespace> = found.into_values().collect();
    for namespace in &mut out {
        namespace.containers.sort();
    }
    out.sort_by_cached_key(|namespace| (namespace.pod.is_none(), namespace.title(), namespace.inode));
    out
}

/// The own network of each pod, by uid: of the namespaces it is in, the one where the runtime's containers live; of several or none, the
/// one with the pod's oldest process, which is the sandbox. A pod on the host's network has the host's.
fn homes(sources: &Sources<'_>) -> HashMap<String, NsId> {
    // Of each pod's namespaces: whether no listed container lives there, and when the pod's oldest process there started.
    let mut seen: HashMap<&str, BTreeMap<NsId, (bool, u64)>> = HashMap::new();
    for process in sources.processes.map_or(&[][..], |table| &table.processes) {
        let (Some(id), Some(uid)) = (process.netns, process.cgroup.pod_uid.as_deref()) else { continue };
        let (_, oldest) = seen.entry(uid).or_default().entry(id).or_insert((true, u64::MAX));
        *oldest = process.start_ticks.min(*oldest);
    }
    for (container, id) in sources.containers.iter().filter(|(container, _)| !container.pod.uid.is_empty()) {
        seen.entry(&container.pod.uid).or_default().entry(*id).or_insert((true, u64::MAX)).0 = false;
    }
    let first = |ids: BTreeMap<NsId, (bool, u64)>| ids.into_iter().min_by_key(|(id, rank)| (*rank, *id)).map(|(id, _)| id);
    seen.into_iter().filter_map(|(uid, ids)| Some((uid.to_owned(), first(ids)?))).collect()
}

/// The most ways into one namespace that are kept.
const WAYS: usize = 4;

fn enter(found: &mut BTreeMap<NsId, Namespace>, id: NsId, path: PathBuf) -> &mut Namespace {
    let namespace = found.entry(id).or_insert_with(|| Namespace {
        place: Place { id, paths: Vec::new() },
        inode: id.ino,
        name: None,
        host: false,
        pod: None,
        primary: true,
        containers: Vec::new(),
    });
    if namespace.place.paths.len() < WAYS {
        namespace.place.paths.push(path);
    }
    namespace
}

/// Namespaces that only processes tell of. Of several pods with a process in one namespace (a chaos daemon's helper keeps its own
/// cgroup) the one that was there first owns it.
fn by_process(
    found: &mut BTreeMap<NsId, Namespace>,
    table: &ProcessTable,
    file: &dyn Fn(u32) -> PathBuf,
    pod: &dyn Fn(&str) -> Option<Pod>,
) {
    let mut oldest: HashMap<NsId, (u64, &str)> = HashMap::new();
    let mut living: Vec<(NsId, Resident)> = Vec::new();
    for process in &table.processes {
        let Some(id) = process.netns else { continue };
        enter(found, id, file(process.pid));
        if let Some(uid) = process.cgroup.pod_uid.as_deref() {
            let first = oldest.entry(id).or_insert((process.start_ticks, uid));
            if process.start_ticks < first.0 {
                *first = (process.start_ticks, uid);
            }
        }
        if let Some(container) = &process.cgroup.container_id {
            living.push((id, Resident { name: String::new(), id: container.clone(), pid: process.pid }));
        }
    }
    for (id, (_, uid)) in &oldest {
        if let Some(namespace) = found.get_mut(id).filter(|namespace| namespace.pod.is_none()) {
            namespace.pod = Some(pod(uid).unwrap_or_else(|| Pod { uid: (*uid).to_owned(), ..Pod::default() }));
        }
    }
    // Containers that the runtime did not list: without a runtime, all of them. A runtime's list wins, as it leaves out sandboxes.
    for (id, resident) in living {
        let Some(namespace) = found.get_mut(&id) else { continue };
        let listed = namespace.containers.iter().any(|known| !known.name.is_empty());
        if !listed && !namespace.containers.iter().any(|known| known.id == resident.id) {
            namespace.containers.push(resident);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::processes::{Cgroup, Process};
    use super::*;

    const HOST: NsId = NsId { dev: 4, ino: 1 };
    const WEB: NsId = NsId { dev: 4, ino: 2 };
    /// Made by a process of a pod for itself.
    const MADE: NsId = NsId { dev: 4, ino: 3 };

    fn process(pid: u32, netns: NsId, pod: Option<&str>, container: Option<&str>) -> Process {
        Process {
            pid,
            start_ticks: u64::from(pid),
            ppid: 1,
            comm: "x".into(),
            netns: Some(netns),
            pidns: None,
            mntns: None,
            cgroup: Cgroup { pod_uid: pod.map(Into::into), container_id: container.map(Into::into) },
            argv: vec![],
        }
    }

    fn container(id: &str, name: &str, pid: u32) -> Container {
        let pod = Pod { namespace: "shop".into(), name: "web-0".into(), uid: "u1".into() };
        Container { id: id.into(), name: name.into(), pod, pid }
    }

    fn grouped(containers: Vec<(Container, NsId)>, processes: Vec<Process>, named: Vec<Named>) -> Vec<Namespace> {
        let table = ProcessTable { processes, ..ProcessTable::default() };
        let sources = Sources { containers, processes: Some(&table), named, host: Some(HOST), procfs: Path::new("/proc"), pod: &|_| None };
        group(sources)
    }

    #[test]
    fn containers_of_a_pod_are_one_namespace() {
        let containers = vec![(container("a", "web", 10), WEB), (container("b", "sidecar", 11), WEB)];
        let processes =
            vec![process(1, HOST, None, None), process(9, WEB, Some("u1"), Some("pause")), process(10, WEB, Some("u1"), Some("a"))];
        let found = grouped(containers, processes, vec![]);
        assert_eq!(found.iter().map(Namespace::title).collect::<Vec<_>>(), ["shop/web-0", "host"]);
        let names: Vec<_> = found[0].containers.iter().map(|container| container.name.as_str()).collect();
        assert_eq!(names, ["sidecar", "web"], "the sandbox is not a container");
        assert_eq!(found[0].label(), "", "a named pod needs no netns label");
    }

    /// Two series of one pod with the same labels would make a scraper refuse the page.
    #[test]
    fn a_further_namespace_of_a_pod_has_a_label_of_its_own() {
        let of = |containers: Vec<(Container, NsId)>, homes: [NsId; 2]| {
            let processes = vec![process(9, homes[0], Some("u1"), Some("pause")), process(12, homes[1], Some("u1"), Some("a"))];
            let table = ProcessTable { processes, ..ProcessTable::default() };
            let pod = |_: &str| Some(container("a", "web", 10).pod);
            let (procfs, named) = (Path::new("/proc"), vec![]);
            group(Sources { containers, processes: Some(&table), named, host: Some(HOST), procfs, pod: &pod })
        };
        let found = of(vec![(container("a", "web", 10), WEB)], [WEB, MADE]);
        let told: Vec<_> = found.iter().map(|namespace| (namespace.title(), namespace.label(), namespace.primary)).collect();
        assert_eq!(told, [("shop/web-0".into(), String::new(), true), ("shop/web-0 netns 3".into(), "3".into(), false)]);
        assert!(found[0].is_home_of(found[1].pod.as_ref()) && !found[1].is_home_of(found[1].pod.as_ref()));

        // The runtime is gone and the name is remembered: the oldest process tells, whichever inode is smaller.
        for homes in [[WEB, MADE], [MADE, WEB]] {
            let found = of(vec![], homes);
            let own: Vec<_> = found.iter().filter(|namespace| namespace.primary).map(|namespace| namespace.place.id).collect();
            assert_eq!((found.len(), own), (2, vec![homes[0]]));
        }
        // Where the runtime's containers live counts more than age.
        let found = of(vec![(container("a", "web", 12), MADE)], [WEB, MADE]);
        assert_eq!(found.iter().find(|namespace| namespace.primary).map(|namespace| namespace.inode), Some(MADE.ino));
    }

    #[test]
    fn what_a_pod_on_the_hosts_network_makes_is_not_its_own() {
        let processes = vec![process(10, HOST, Some("u1"), Some("a")), process(12, MADE, Some("u1"), Some("a"))];
        let found = grouped(vec![(container("a", "proxy", 10), HOST)], processes, vec![]);
        let made = found.iter().find(|namespace| namespace.place.id == MADE).unwrap();
        assert_eq!((made.primary, made.pod.is_some(), made.label()), (false, true, "3".into()));
    }

    #[test]
    fn a_name_like_an_inode_is_no_label() {
        let named = Named { name: "3".into(), id: WEB, path: "/run/netns/3".into() };
        let found = grouped(vec![], vec![process(12, MADE, None, None)], vec![named]);
        let labels: Vec<_> = found.iter().map(|namespace| (namespace.inode, namespace.label())).collect();
        assert!(labels.contains(&(2, "2".into())) && labels.contains(&(3, "3".into())), "{labels:?}");
    }

    #[test]
    fn host_network_pods_do_not_own_the_host() {
        let found = grouped(vec![(container("a", "proxy", 10), HOST)], vec![process(10, HOST, Some("u1"), Some("a"))], vec![]);
        assert_eq!((found.len(), found[0].host, found[0].pod.is_none()), (1, true, true));
    }

    #[test]
    fn without_a_runtime_the_oldest_process_tells_the_pod() {
        let processes = vec![process(5, WEB, Some("u1"), Some("pause")), process(50, WEB, Some("daemon"), Some("d"))];
        let found = grouped(vec![], processes, vec![]);
        assert_eq!(found[0].pod.as_ref().map(|pod| pod.uid.as_str()), Some("u1"));
        assert_eq!(found[0].label(), "2", "a pod without a name is told by its inode");
    }

    #[test]
    fn a_named_namespace_needs_no_process() {
        let named = Named { name: "lab".into(), id: WEB, path: "/run/netns/lab".into() };
        let found = grouped(vec![], vec![], vec![named]);
        assert_eq!((found[0].title(), found[0].label()), ("lab".into(), "lab".into()));
    }
}
