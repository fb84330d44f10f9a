//! A real Kubernetes of one node, ready in about twelve seconds: `tests/kube/cluster.sh` starts it, in namespaces of its own.
//!
//! kubelet, scheduler, kube-proxy, containerd: pods run, services answer, rights are checked. It has no DNS, no volume provisioner and no
//! way out, and images are made here ([`Cluster::image`]). Its node ends with its standard input, which is ours, so a killed test leaves no
//! process (empty cgroups it does). Needs root. 0.8 GiB: a test program starts one, for all its tests.

use super::kube::{Kube, binary};
use super::netns::move_into;
use super::process::{PATIENCE, finish, succeed, until};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/kube/cluster.sh");
const IMAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/kube/image.sh");

/// A running cluster; ended when dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    program: PathBuf,
    /// The node, until it is stopped.
    process: Child,
    kube: Kube,
}

impl Cluster {
    /// A new one, its node ready.
    pub fn start() -> Self {
        assert!(rustix::process::geteuid().is_root(), "a cluster is made of namespaces: run this test as root");
        let program = binary();
        // Short, because of the sockets in it; and its name is none that hides in /run or /var.
        let folder = tempfile::Builder::new().prefix("node").tempdir_in("/tmp").expect("a temporary folder");
        let mut process = Command::new(SCRIPT)
            .arg("run")
            .arg(folder.path())
            .env("KUBE_BIN", &program)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("cluster.sh starts");
        wait_until_ready(folder.path(), &mut process);
        let api: SocketAddr = "127.0.0.1:443".parse().expect("an address");
        let kube = inside(&network(&process), || Kube::at(folder.path(), api));
        Self { folder, program, process, kube }
    }

    /// Its API server, asked from its node.
    pub fn kube(&self) -> &Kube {
        &self.kube
    }

    /// A folder that is the same here and on the node.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `kubectl` as who may do everything; it must succeed. Answers what it printed.
    pub fn kubectl(&self, words: &[&str]) -> String {
        succeed(&mut self.kubectl_command(words))
    }

    /// The same, whatever its exit code.
    pub fn try_kubectl(&self, words: &[&str]) -> Output {
        finish(&mut self.kubectl_command(words))
    }

    fn kubectl_command(&self, words: &[&str]) -> Command {
        let mut command = self.beside_node(&self.program);
        command.arg("kubectl").args(words);
        command
    }

    /// A command, to add to, with this host's files and processes; only its network is the node's.
    pub fn beside_node(&self, program: &Path) -> Command {
        let mut command = self.script("net");
        command.arg(program);
        command
    }

    /// Runs a command on the node: its processes, its mounts, its network. It must succeed. Answers what it printed.
    pub fn on_node(&self, words: &[&str]) -> String {
        succeed(self.script("enter").args(words))
    }

    /// Runs `work` on a new thread in the node's network, from where pods and services are reached.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        inside(&network(&self.process), work)
    }

    /// Makes these files an image of this name, which must have a tag other than `latest`.
    pub fn image(&self, name: &str, files: &Path, entrypoint: &[&str]) {
        let archive = self.folder.path().join("image.tar");
        let output = fs::File::create(&archive).expect("creating an archive");
        let made = Command::new(IMAGE).args(["oci", name]).arg(files).args(entrypoint).stdout(output).status();
        assert!(made.expect("image.sh starts").success(), "making {name}");
        succeed(self.script("image").arg(&archive));
        fs::remove_file(&archive).expect("removing an archive of ours");
    }

    /// Runs lines of shell in a pod's network with this host's tools, as a daemon that is trusted by the node does.
    pub fn in_network_of(&self, namespace: &str, pod: &str, lines: &str) -> String {
        let namespace = self.netns(namespace, pod);
        succeed(self.script("enter").arg("nsenter").arg(format!("--net={}", namespace.display())).args(["sh", "-euc", lines]))
    }

    /// The file of a pod's network namespace, as the node knows it: the one that has the pod's address.
    pub fn netns(&self, namespace: &str, pod: &str) -> PathBuf {
        let address = self.address(namespace, pod);
        let lines = format!(
            "for it in /run/netns/*; do \
             nsenter --net=$it ip -o -4 address show dev eth0 2>/dev/null | grep -qF ' {address}/' && echo $it && exit; done; exit 1"
        );
        self.on_node(&["sh", "-c", &lines]).trim().into()
    }

    /// The address of a pod, once it has one.
    pub fn address(&self, namespace: &str, pod: &str) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}");
        let pod = || self.kube.call(reqwest::Method::GET, &path, None).1;
        until(|| pod()["status"]["podIP"].as_str().map(str::to_owned), || format!("{path} has an address: {}", pod()))
    }

    /// What there is of a kind (`pods`, `clusterroles`), everywhere.
    pub fn list(&self, what: &str) -> Vec<Value> {
        let text = self.kubectl(&["get", what, "--all-namespaces", "--output=json"]);
        let mut all: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
        serde_json::from_value(all["items"].take()).expect("a list")
    }

    fn script(&self, command: &str) -> Command {
        let mut script = Command::new(SCRIPT);
        script.arg(command).arg(self.folder.path()).env("KUBE_BIN", &self.program);
        script
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        stop(self.folder.path(), &mut self.process);
    }
}

/// It ends by itself with its input; the script knows what else to remove.
fn stop(folder: &Path, process: &mut Child) {
    drop(process.stdin.take());
    let stopped = Command::new(SCRIPT).arg("stop").arg(folder).stdin(Stdio::null()).status();
    let _ = process.kill();
    let _ = process.wait();
    assert!(thread::panicking() || stopped.is_ok_and(|it| it.success()), "cluster.sh stop {} failed", folder.display());
}

/// Longer than for anything else: the first of the tests may have to share the machine with a build.
fn wait_until_ready(folder: &Path, process: &mut Child) {
    let end = Instant::now() + 4 * PATIENCE;
    while !folder.join("ready").exists() {
        if Instant::now() > end || process.try_wait().expect("asking for a child of ours").is_some() {
            let log = fs::read_to_string(folder.join("node.log")).unwrap_or_default();
            stop(folder, process);
            panic!("the node did not get ready:\n{log}");
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The network of the node: that of the one child of the process we started.
fn network(process: &Child) -> PathBuf {
    let pid = process.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("the node runs");
    format!("/proc/{}/ns/net", children.trim()).into()
}

fn inside<T: Send>(network: &Path, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let inside = scope.spawn(move || {
            move_into(network);
            work()
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
