//! A small host of its own for a real container runtime: mount, network, process, ipc and uts namespaces, with a fresh
//! `/run`, `/var` and `/etc`, so that the machine that runs the tests keeps nothing.
//!
//! Its process 1 is a shell that reads commands from us. When we go, however that happens, its input ends, it ends, and the
//! kernel ends every process of its pid namespace; mounts and network go with them. Only cgroups are shared: those below
//! [`World::cgroup`] are removed at the end (killing the tests with SIGKILL leaves them behind, empty). Needs root.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// What both runtimes are started with; the reference of the image they run.
pub(crate) const IMAGE: &str = "localhost/busybox:1";

/// The host. Drop it and all of it is gone.
pub(crate) struct World {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Its process 1, as numbered here.
    init: u32,
    folder: TempDir,
    cgroup: String,
}

impl World {
    pub(crate) fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(rustix::process::geteuid().is_root(), "this test makes namespaces: run it as root");
        let folder = TempDir::new().unwrap();
        let mut process = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc", "sh"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("shell.log")).unwrap())
            .spawn()
            .expect("unshare, of package util-linux");
        let (input, output) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        let cgroup = format!("chaoscope-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut world = Self { process, input, output, init: 0, folder, cgroup };
        world.run("true");
        world.init = world.find_init();
        world.settle();
        world
    }

    /// Runs a line of shell as process 1 and returns what it printed; it must succeed.
    pub(crate) fn run(&mut self, line: &str) -> String {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}\necho \"=$?\"").unwrap();
        let mut printed = String::new();
        loop {
            let mut part = String::new();
            assert!(self.output.read_line(&mut part).unwrap() > 0, "the world ended at {line:?}: {}", self.log("shell"));
            match part.strip_prefix('=') {
                None => write!(printed, "{part}").unwrap(),
                Some(code) => {
                    assert_eq!(code.trim(), "0", "{line:?} printed {printed}{}", self.log("shell"));
                    return printed;
                }
            }
        }
    }

    /// Starts a daemon, which logs to `<name>.log` in the world's folder; a name may be started again after its end.
    pub(crate) fn spawn(&mut self, name: &str, command: &str) {
        let log = self.path(&format!("{name}.log"));
        self.run(&format!("{command} >>{} 2>&1 </dev/null & {name}=$!", log.display()));
    }

    /// Kills a daemon started by [`World::spawn`] and waits for its end; containers' shims are not its children.
    pub(crate) fn kill(&mut self, name: &str) {
        self.run(&format!("kill -KILL ${name}; wait ${name} || true"));
    }

    /// Stops a daemon and waits until each of its threads stands still: the signal alone may take a moment.
    pub(crate) fn pause(&mut self, name: &str) {
        let pid = self.run(&format!("kill -STOP ${name} && echo ${name}")).trim().parse().unwrap();
        let threads = self.proc(pid).join("task");
        let stands_still = |thread: PathBuf| {
            // The state is the first word after the name, which is in brackets (proc(5)).
            fs::read_to_string(thread.join("stat")).is_ok_and(|stat| stat.rsplit(')').next().unwrap().starts_with(" T"))
        };
        while !fs::read_dir(&threads).unwrap().all(|thread| stands_still(thread.unwrap().path())) {
            thread::yield_now();
        }
    }

    /// Lets a paused daemon go on.
    pub(crate) fn resume(&mut self, name: &str) {
        self.run(&format!("kill -CONT ${name}"));
    }

    /// What a daemon (or the `shell` itself) logged.
    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_else(|e| e.to_string())
    }

    /// A path in the world's own folder, which is the same inside and outside.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The world's `/`, as seen from here.
    pub(crate) fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init))
    }

    /// `/proc/<pid>` of a process of the world, by the number it has there.
    pub(crate) fn proc(&self, pid: u32) -> PathBuf {
        self.root().join(format!("proc/{pid}"))
    }

    /// The cgroup below which all containers must be put.
    pub(crate) fn cgroup(&self) -> &str {
        &self.cgroup
    }

    fn find_init(&self) -> u32 {
        let unshare = self.process.id();
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
        children.trim().parse().unwrap()
    }

    /// Folders that runtimes and CNI plugins write to without asking become the world's own.
    fn settle(&mut self) {
        let folder = self.folder.path().display().to_string();
        self.run(&format!("mkdir -p {folder}/var/lib {folder}/var/log {folder}/var/tmp && ln -s /run {folder}/var/run"));
        self.run(&format!("mkdir {folder}/etc && cd /etc && cp passwd group nsswitch.conf ld.so.cache {folder}/etc && cd /"));
        self.run(&format!("echo 127.0.0.1 localhost >{folder}/etc/hosts && touch {folder}/etc/resolv.conf"));
        self.run(&format!("mount --bind {folder}/etc /etc"));
        self.run(&format!("mount --bind {folder}/var /var && mount -t tmpfs tmpfs /run && mkdir /run/netns"));
        self.run("ip link set lo up");
    }

    fn remove_cgroups(&self) {
        let controllers = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
        let ours = std::iter::once(PathBuf::from("/sys/fs/cgroup")).chain(controllers).map(|dir| dir.join(&self.cgroup));
        for tree in ours.filter(|tree| tree.is_dir()) {
            // The kernel empties a cgroup a moment after its last process.
            if !(0..200).any(|_| remove_tree(&tree) || pause()) {
                eprintln!("left behind: {}", tree.display());
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.input.take());
        if !(0..200).any(|_| matches!(self.process.try_wait(), Ok(Some(_))) || pause()) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
        self.remove_cgroups();
    }
}

fn pause() -> bool {
    thread::sleep(Duration::from_millis(25));
    false
}

/// Removes a cgroup with those below it, leaves first.
fn remove_tree(tree: &Path) -> bool {
    for entry in fs::read_dir(tree).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    fs::remove_dir(tree).is_ok()
}
