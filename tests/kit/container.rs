//! Containers made by `unshare`, in control groups of a test's own, and programs under the names of the tools of chaos: what a node's processes
//! and files look like without a runtime.
//!
//! Needs root, Debian's util-linux, dash and busybox-static, `/dev/fuse`, and a writable control group hierarchy. All of it ends with the test.

#![allow(dead_code, unreachable_pub, reason = "each test program takes its share of the kit")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the kit runs real programs, and a missing part is a failed test"
)]

use chaoscope::node::mounts::{self, ContainerMounts};
use chaoscope::node::netns::NsId;
use chaoscope::node::processes::{self, Cgroup, Process, ProcessTable};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Only ever ends a test that has failed.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The answer of work that must not hang; it runs on a thread that is left behind if it does.
pub fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(PATIENCE).expect("it hung")
}

pub fn table() -> ProcessTable {
    processes::read(Path::new("/proc"), Instant::now() + PATIENCE).unwrap()
}

/// A child process, killed with its test.
pub struct Running(pub Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // both fail only when it ended before
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tells what several tests make apart.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A control group below one of the test's own, in the hierarchy that limits processors.
pub struct Group {
    top: PathBuf,
    path: PathBuf,
}

impl Group {
    pub fn new(pod: &str, container: &str) -> Self {
        let roots = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"];
        let root = roots.iter().map(Path::new).find(|root| root.join("cgroup.procs").exists()).expect("a control group hierarchy");
        let top = root.join(format!("chaoscope-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let path = top.join(format!("kubepods/pod{pod}/{container}"));
        fs::create_dir_all(&path).unwrap();
        Self { top, path }
    }

    /// A command that enters the group before it becomes `program`.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("sh");
        command.args(["-euc", "echo $$ > \"$1/cgroup.procs\"; shift; exec \"$@\"", "sh"]).arg(&self.path).arg(program.as_ref());
        command
    }
}

impl Drop for Group {
    /// Its processes were killed just now; it can be removed when the last one is gone.
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(10);
        let mut path = self.path.clone();
        while path.starts_with(&self.top) && Instant::now() < end {
            if fs::remove_dir(&path).is_ok() {
                path.pop();
            } else {
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// A container with namespaces and a root directory of its own: tmpfs with /etc/resolv.conf, /proc, busybox, and, where asked
/// for, a fuse file system called toda whose other end never answers.
pub struct Container {
    pub pid: u32,
    pub cgroup: Cgroup,
    _parent: Running, // before the group it is in
    pub group: Group,
    _mount_point: TempDir,
}

const MAKE_CONTAINER: &str = r#"
echo 0 >"$3/cgroup.procs"; cd "$1"; mount -t tmpfs tmpfs .; cd "$1"
mkdir etc data proc; mount -t proc proc proc; cp "$(command -v busybox)" busybox
echo nameserver 10.96.0.10 > etc/resolv.conf
exec 3<>/dev/fuse
if [ -n "$2" ]; then mount -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 toda "$1$2"; fi
exec chroot . /busybox sleep 600
"#;

impl Container {
    pub fn new(toda: Option<&str>) -> Self {
        let pod = format!("{:08x}-0000-4000-8000-{:012x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mount_point = tempfile::tempdir().unwrap();
        let id = format!("{:a<64}", format!("{:08x}{:08x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let group = Group::new(&pod, &id);
        // Only the container's own processes are in its group and its namespaces: the oldest of them speaks for it.
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "unshare", "--net", "--mount", "sh", "-euc", MAKE_CONTAINER, "sh"]);
        let parent = Running::start(command.arg(mount_point.path()).arg(toda.unwrap_or("")).arg(&group.path));
        let is_init = |process: &Process| process.ppid == parent.0.id() && process.comm == "busybox";
        let pid = until("a container (it needs root)", || table().processes.into_iter().find(is_init)).pid;
        let cgroup = Cgroup { pod_uid: Some(pod), container_id: Some(id) };
        Self { pid, cgroup, _parent: parent, group, _mount_point: mount_point }
    }

    pub fn namespace(&self, kind: &str) -> NsId {
        let link = fs::metadata(format!("/proc/{}/ns/{kind}", self.pid)).unwrap();
        NsId { dev: link.dev(), ino: link.ino() }
    }

    /// Runs a tool in its network namespace and panics, with all it said, unless it succeeds.
    pub fn run(&self, line: &str) {
        let output = Command::new("nsenter").arg(format!("--net=/proc/{}/ns/net", self.pid)).args(["sh", "-euc", line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A path in the container, from outside.
    pub fn path(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.pid).into()
    }

    pub fn mounts(&self) -> ContainerMounts {
        let pid = self.pid;
        in_time(move || mounts::read(Path::new("/proc"), pid, Instant::now() + PATIENCE)).unwrap()
    }
}

/// Programs under the names that the tools give them: shells that are told to wait.
pub struct Tools(TempDir);

impl Tools {
    pub fn new() -> Self {
        let tools = Self(tempfile::tempdir().unwrap());
        for (name, program) in [
            ("nsexec", "/usr/bin/nsenter"),
            ("tproxy", "/bin/dash"),
            ("toda", "/bin/dash"),
            ("stress-ng", "/bin/dash"),
            ("stress-ng-cpu", "/bin/sleep"),
            ("memStress", "/bin/dash"),
        ] {
            symlink(program, tools.path(name)).unwrap();
        }
        tools
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// As chaos-daemon starts a tool: nsexec enters some of the container's namespaces, and the tool is its child.
    pub fn start(&self, group: &Group, container: &Container, namespaces: &[&str], tool: &str, arguments: &[&str]) -> Running {
        let mut command = group.command(self.path("nsexec"));
        command.args(namespaces.iter().map(|kind| format!("--{kind}=/proc/{}/ns/{}", container.pid, &kind[..3].replace("mou", "mnt"))));
        Running::start(command.arg("--").arg(self.path(tool)).args(arguments))
    }
}
