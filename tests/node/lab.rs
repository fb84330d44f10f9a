//! A node with pods: real processes in real network namespaces on a small host of their own, and a scripted CRI server that lists them.
//!
//! The test's thread moves into the host's network namespace, so that whatever it starts (a browser, a Prometheus) reaches the exporter
//! there, and nothing else on the machine is seen. Needs root.

use crate::kit::netns::move_into;
use crate::kit::process::{finish, succeed, until};
use crate::messages::{
    Container, ContainerMetadata, ContainerStatus, ContainerStatusRequest, ContainerStatusResponse, ListContainersResponse, VersionResponse,
};
use crate::program::{CHAOSCOPE, Program, stripped};
use crate::scripted::{Reply, Scripted};
use crate::small_host::World;
use prost::Message;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Condvar, Mutex};
use tokio::runtime::Runtime;

/// A runtime that lists what it is told, and can be made to wait before it does.
pub(crate) struct Cri {
    listed: Arc<Mutex<Vec<(Container, u32)>>>,
    gate: Arc<Gate>,
    server: Scripted,
    runtime: Option<Runtime>,
}

#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
}

impl Cri {
    pub(crate) fn start(socket: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (listed, gate) = (Arc::<Mutex<Vec<(Container, u32)>>>::default(), Arc::<Gate>::default());
        let (containers, waiting) = (Arc::clone(&listed), Arc::clone(&gate));
        let _inside = runtime.enter();
        let server = Scripted::start(socket, move |asked, message| match asked {
            "Version" => Reply::Message(
                VersionResponse { runtime_name: "scripted".into(), runtime_version: "7.1".into(), ..VersionResponse::default() }
                    .encode_to_vec(),
            ),
            "ListContainers" => {
                drop(waiting.opened.wait_while(waiting.closed.lock().unwrap(), |closed| *closed).unwrap());
                let containers = containers.lock().unwrap().iter().map(|(container, _)| container.clone()).collect();
                Reply::Message(ListContainersResponse { containers }.encode_to_vec())
            }
            "ContainerStatus" => status(&containers.lock().unwrap(), message),
            other => panic!("asked for {other}"),
        });
        Self { listed, gate, server, runtime: Some(runtime) }
    }

    /// Lists one more container.
    pub(crate) fn add(&self, namespace: &str, pod: &str, container: &str, id: &str, pid: u32) {
        let label = |key: &str, value: &str| (format!("io.kubernetes.{key}"), value.to_owned());
        let uid = format!("uid-of-{pod}");
        let labels = [("container.name", container), ("pod.name", pod), ("pod.namespace", namespace), ("pod.uid", uid.as_str())];
        let container = Container {
            id: id.to_owned(),
            pod_sandbox_id: format!("sandbox-of-{pod}"),
            metadata: Some(ContainerMetadata { name: container.to_owned(), attempt: 0 }),
            state: 1,
            labels: labels.map(|(key, value)| label(key, value)).into(),
            ..Container::default()
        };
        self.listed.lock().unwrap().push((container, pid));
    }

    /// Lists a container no more.
    pub(crate) fn remove(&self, id: &str) {
        self.listed.lock().unwrap().retain(|(container, _)| container.id != id);
    }

    /// From now on a list waits until [`Cri::open`].
    pub(crate) fn close(&self) {
        *self.gate.closed.lock().unwrap() = true;
    }

    pub(crate) fn open(&self) {
        *self.gate.closed.lock().unwrap() = false;
        self.gate.opened.notify_all();
    }

    /// How often containers were listed, and how often the status of one was asked for.
    pub(crate) fn calls(&self) -> (usize, usize) {
        (self.server.calls("ListContainers"), self.server.calls("ContainerStatus"))
    }

    /// The flags that make Chaoscope ask it.
    pub(crate) fn flags(&self) -> [String; 2] {
        ["--runtime=cri".into(), format!("--runtime.endpoint=unix://{}", self.server.socket().display())]
    }
}

impl Drop for Cri {
    fn drop(&mut self) {
        self.open();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn status(listed: &[(Container, u32)], message: &[u8]) -> Reply {
    let id = ContainerStatusRequest::decode(message).unwrap().container_id;
    let Some((_, pid)) = listed.iter().find(|(container, _)| container.id == id) else {
        return Reply::Status(5, "not found".into());
    };
    let info = [("info".to_owned(), format!(r#"{{"pid":{pid}}}"#))].into();
    let status = ContainerStatus { id, state: 1, ..ContainerStatus::default() };
    Reply::Message(ContainerStatusResponse { status: Some(status), info }.encode_to_vec())
}

/// The host.
pub(crate) struct Lab {
    pub(crate) cri: Cri,
    host: World,
}

impl Lab {
    pub(crate) fn start() -> Self {
        let host = World::start();
        move_into(&init(&host).join("ns/net"));
        let cri = Cri::start(&host.path("cri/cri.sock"));
        Self { cri, host }
    }

    /// Starts that many processes, each in a network namespace of its own.
    pub(crate) fn processes(&mut self, count: usize) -> Vec<u32> {
        self.started(&format!("for i in $(seq {count}); do unshare --net sleep infinity & echo $!; done"))
    }

    /// Starts a process in the host's network namespace.
    pub(crate) fn host_process(&mut self) -> u32 {
        self.started("sleep infinity & echo $!")[0]
    }

    fn started(&mut self, line: &str) -> Vec<u32> {
        let pids: Vec<u32> = self.host.run(line).lines().map(|pid| pid.parse().unwrap()).collect();
        for pid in &pids {
            let comm = self.host.proc(*pid).join("comm");
            // By then it has its namespace: it becomes a sleep afterwards.
            let sleeps = || fs::read_to_string(&comm).is_ok_and(|comm| comm == "sleep\n").then_some(());
            until(sleeps, || format!("process {pid} sleeps"));
        }
        pids
    }

    /// A pod of two containers, `app` and `sidecar`, in one namespace. Answers the process of `app`.
    pub(crate) fn pod(&mut self, namespace: &str, name: &str) -> u32 {
        let pid = self.processes(1)[0];
        let second = self.started(&format!("nsenter --net=/proc/{pid}/ns/net sleep infinity & echo $!"))[0];
        self.cri.add(namespace, name, "app", &format!("{name}-app"), pid);
        self.cri.add(namespace, name, "sidecar", &format!("{name}-sidecar"), second);
        self.inside(pid, DEVICE);
        pid
    }

    /// Runs lines of bash in the network namespace of a process; all must succeed.
    pub(crate) fn inside(&self, pid: u32, lines: &str) -> String {
        let namespace = self.host.proc(pid).join("ns/net");
        succeed(Command::new("nsenter").arg(format!("--net={}", namespace.display())).args(["bash", "-euc", lines]))
    }

    pub(crate) fn inode(&self, pid: u32) -> String {
        let link = fs::read_link(self.host.proc(pid).join("ns/net")).unwrap();
        link.display().to_string().trim_matches(|it: char| !it.is_ascii_digit()).to_owned()
    }

    /// Runs a line of shell as the host's process 1.
    pub(crate) fn shell(&mut self, line: &str) -> String {
        self.host.run(line)
    }

    /// A folder that is the same inside and outside.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.host.path(name)
    }

    /// `chaoscope WORDS` on the host, to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.run_as(&[], words)
    }

    /// The same, started by a command that takes something away from it.
    pub(crate) fn run_as(&self, by: &[&str], words: &[&str]) -> Output {
        let folder = tempfile::tempdir().unwrap();
        finish(self.chaoscope(by, words, folder.path()).args(self.cri.flags()))
    }

    /// `chaoscope node` on the host, with more flags.
    pub(crate) fn serve(&self, more: &[&str]) -> Program {
        self.serve_as(&[], more)
    }

    /// The same, started by a command that takes something away from it.
    pub(crate) fn serve_as(&self, by: &[&str], more: &[&str]) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let mut command = self.chaoscope(by, &["node"], folder.path());
        command.args(self.cri.flags()).args(more);
        Program::start(command, folder)
    }

    fn chaoscope(&self, by: &[&str], words: &[&str], folder: &Path) -> Command {
        let ns = init(&self.host).join("ns");
        let mut command = stripped(Command::new("nsenter"), folder);
        for kind in ["pid", "mnt"] {
            let flag = if kind == "mnt" { "mount" } else { kind };
            command.arg(format!("--{flag}={}", ns.join(kind).display()));
        }
        // In a control group of its own: one that shares its host's first process' would think itself in a pod that sees no host.
        let enter = format!(
            "for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do [ ! -e $tree/cgroup.procs ] || break; done
            group=$tree/{}/chaoscope; mkdir -p $group; echo $$ >$group/cgroup.procs; exec \"$@\"",
            self.host.cgroup()
        );
        command.arg(format!("--wd={}", folder.display())).args(["sh", "-ec", &enter, "sh"]).args(by).arg(CHAOSCOPE).args(words);
        command
    }
}

/// Process 1 of the host, as seen from here.
fn init(host: &World) -> PathBuf {
    host.root().parent().unwrap().to_owned()
}

/// A device as a pod has it: others are reached over it by addresses that need no answer.
const DEVICE: &str = "ip link set lo up
ip link add eth0 type veth peer name peer0; ip link set eth0 up; ip link set peer0 up
ip address add 10.9.0.1/24 dev eth0
for last in 7 8 9; do ip neigh add 10.9.0.$last lladdr 02:00:00:00:00:0$last dev eth0; done";

/// What chaos-daemon makes for a partition of both directions from 10.9.0.7 and 10.9.0.8, and for a bandwidth limit: the names of Chaos
/// Mesh 2.8.3 for an experiment `cut-web`. Then some packets: 5 meet the partition, 3 the limit.
pub(crate) const PARTITION: &str = "set=cut-w_c356d36a67f5a
ipset create ${set}_net_tgt hash:net; ipset add ${set}_net_tgt 10.9.0.7; ipset add ${set}_net_tgt 10.9.0.8
ipset create ${set}_set_tgt list:set; ipset add ${set}_set_tgt ${set}_net_tgt
ipt() { iptables-legacy -w \"$@\"; }
for hook in INPUT OUTPUT; do
  ipt -N CHAOS-$hook; ipt -A $hook -j CHAOS-$hook; ipt -N $hook/${set}_; ipt -A CHAOS-$hook -j $hook/${set}_
done
ipt -A INPUT/${set}_ -i eth0 -m set --match-set ${set}_set_tgt src,dst -j DROP
ipt -A OUTPUT/${set}_ -o eth0 -m set --match-set ${set}_set_tgt dst,dst -j DROP
tc qdisc add dev eth0 root handle 1: tbf rate 1mbit burst 10000 limit 20000
for i in 1 2 3 4 5; do { echo x >/dev/udp/10.9.0.7/9; } 2>/dev/null || true; done
for i in 1 2 3; do echo x >/dev/udp/10.9.0.9/9; done";

/// What Chaos Mesh does when it recovers: nothing jumps to the experiment's chains any more, the device gets its default qdisc.
pub(crate) const RECOVERY: &str = "iptables-legacy -w -F CHAOS-INPUT; iptables-legacy -w -F CHAOS-OUTPUT; tc qdisc del dev eth0 root";
