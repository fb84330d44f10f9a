//! Faults while the program serves: processes and namespaces that vanish, pids given to somebody else, a runtime that dies, too many
//! namespaces, too little time, too few files, clients and names that mean harm.
//!
//! Needs root, to make namespaces; everything ends with the test, by its pid. A further fault is one more test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests: a failure is a panic, real tools are run, metrics of counts are exact"
)]

mod kit;

#[path = "faults/cri.rs"]
mod cri;
#[path = "kit/runtime_messages.rs"]
#[allow(dead_code, reason = "shared with the tests of the runtime client")]
mod messages;
#[path = "faults/program.rs"]
mod program;
#[path = "kit/runtime_scripted.rs"]
#[allow(dead_code, reason = "shared with the tests of the runtime client")]
mod scripted;

use cri::{Declared, answer};
use kit::netns::Netns;
use kit::process::{Running, finish, succeed, until};
use kit::prometheus::promtool_check_metrics;
use program::{BINARY, Page, Program, run};
use scripted::{Reply, Scripted};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

fn start(words: &[&str]) -> Program {
    Program::start(&[], Path::new(BINARY), words)
}

/// Nobody's names and no runtime: what is seen, processes tell.
const ALONE: [&str; 2] = ["--runtime=none", "--path.netns=/nonexistent"];

// ---- a /proc of a test's own ----

/// A folder that looks like /proc and shows processes as a test wants them; their namespaces are real.
struct Procfs(TempDir);

impl Procfs {
    fn new() -> Self {
        let new = Self(TempDir::new().unwrap());
        new.put(1, 1, "/", Path::new("/proc/self/ns/net"));
        new
    }

    /// A process that started at `ticks`, in the control group `group` and the network namespace `netns`.
    fn put(&self, pid: u32, ticks: u64, group: &str, netns: &Path) {
        let entry = self.0.path().join(pid.to_string());
        let _ = fs::remove_dir_all(&entry);
        fs::create_dir_all(entry.join("ns")).unwrap();
        symlink(netns, entry.join("ns/net")).unwrap();
        fs::write(entry.join("cgroup"), format!("0::{group}\n")).unwrap();
        let zeros = "0 ".repeat(30);
        fs::write(entry.join("stat"), format!("{pid} (app) S 1 0 0 0 0 4194560 0 0 0 0 0 0 0 0 20 0 1 0 {ticks} {zeros}\n")).unwrap();
    }

    /// A volume of the process with toda mounted over it.
    fn toda(&self, pid: u32) {
        let lines = "1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / /data rw - fuse toda rw\n";
        fs::write(self.0.path().join(pid.to_string()).join("mountinfo"), lines).unwrap();
    }

    fn path(&self) -> String {
        format!("--path.procfs={}", self.0.path().display())
    }
}

fn group_of(container: &Declared) -> String {
    format!("/kubepods/burstable/pod{}/{}", container.uid(), container.id())
}

/// What the runtime declares now, to change while it runs.
type Roster = Arc<Mutex<Vec<Declared>>>;

fn runtime(socket: &Path, roster: &Roster) -> Scripted {
    let roster = Arc::clone(roster);
    Scripted::start(socket, move |asked, message| answer(&roster.lock().unwrap(), asked, message))
}

/// Who is known to live in the namespace.
fn info(page: &Page, netns: &Netns) -> Vec<String> {
    let inode = format!("inode=\"{}\"", netns.inode());
    page.0.lines().filter(|line| line.starts_with("chaoscope_netns_info{") && line.contains(&inode)).map(str::to_owned).collect()
}

/// Held by tests that make very many namespaces: side by side, each would look through the other's.
static CROWD: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    CROWD.lock().unwrap_or_else(PoisonError::into_inner)
}

// ---- processes and namespaces that vanish ----

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and namespaces: run by make test"]
async fn a_process_that_is_gone_or_dead_is_no_error() {
    let folder = TempDir::new().unwrap();
    // It ended and nobody has waited for it; the other one is gone altogether.
    let mut zombie = Command::new("unshare").args(["--net", "true"]).spawn().unwrap();
    let stat = format!("/proc/{}/stat", zombie.id());
    until(|| fs::read_to_string(&stat).unwrap().contains(") Z ").then_some(()), || "it is a zombie".into());
    let mut gone = Command::new("true").spawn().unwrap();
    let gone_pid = gone.id();
    gone.wait().unwrap();
    let pods = [("zombie", zombie.id()), ("gone", gone_pid)];
    let declared = pods.iter().zip(1..).map(|((pod, pid), number)| Declared { number, pod: (*pod).into(), pid: *pid });
    let roster: Roster = Arc::new(Mutex::new(declared.collect()));
    let socket = folder.path().join("cri.sock");
    let _runtime = runtime(&socket, &roster);
    let node = start(&["--runtime=cri", &format!("--runtime.endpoint=unix://{}", socket.display()), ALONE[1], "--rules=all"]);
    let page = node.scrape();
    assert!(page.success("runtime") && page.success("processes"), "{page:?}");
    assert_eq!(page.errors(), Vec::<&str>::new());
    assert!(!page.0.contains("pod=\"zombie\"") && !page.0.contains("pod=\"gone\""), "{page:?}");
    zombie.wait().unwrap();
}

#[test]
#[ignore = "needs root and namespaces: run by make test"]
fn namespaces_that_come_and_go_are_no_error_and_leak_nothing() {
    let _alone = alone();
    let node = start(&ALONE);
    node.scrape();
    let before = node.open_files();
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        let churn = || {
            let mut made = 0;
            while !end.load(Ordering::Relaxed) {
                drop(Running::start(Command::new("unshare").args([
                    "--net",
                    "sh",
                    "-c",
                    "tc qdisc add dev lo root tbf rate 1mbit burst 9kb limit 9kb; exec sleep 60",
                ])));
                made += 1;
                let mut short = Command::new("unshare").args(["--net", "true"]).spawn().unwrap();
                short.wait().unwrap();
            }
            made
        };
        let churning = scope.spawn(churn);
        for _ in 0..100 {
            let page = node.scrape();
            let unexpected: Vec<_> = page.errors().into_iter().filter(|error| !error.contains("reason=\"gone\"")).collect();
            assert_eq!(unexpected, Vec::<&str>::new());
            assert!(page.success("processes") && page.success("namespaces"), "{page:?}");
        }
        end.store(true, Ordering::Relaxed);
        assert!(churning.join().unwrap() > 0);
    });
    node.settles_at(before);
}

/// The kernel gave a container's pid to somebody else: the runtime is asked again, and the stranger's namespace is not the pod's.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and namespaces: run by make test"]
async fn a_reused_pid_is_asked_for_again() {
    let (pods, strangers) = (Netns::new(), Netns::new());
    let procfs = Procfs::new();
    let container = Declared { number: 9, pod: "web-0".into(), pid: 4711 };
    procfs.put(4711, 100, &group_of(&container), &pods.path());
    let roster: Roster = Arc::new(Mutex::new(vec![container.clone()]));
    let socket = procfs.0.path().join("cri.sock");
    let runtime = runtime(&socket, &roster);
    let endpoint = format!("--runtime.endpoint=unix://{}", socket.display());
    let node = start(&["--runtime=cri", &endpoint, ALONE[1], &procfs.path(), "--rules=all"]);
    for _ in 0..3 {
        let page = node.scrape();
        assert!(info(&page, &pods)[0].contains("pod=\"web-0\""), "{page:?}");
    }
    assert_eq!(runtime.calls("ContainerStatus"), 1, "the pid is remembered");

    procfs.put(4711, 200, "/", &strangers.path());
    procfs.put(4712, 150, &group_of(&container), &pods.path());
    roster.lock().unwrap()[0].pid = 4712;
    let page = node.scrape();
    assert_eq!(runtime.calls("ContainerStatus"), 2, "the start time differs, so it is asked for again");
    assert!(info(&page, &pods)[0].contains("pod=\"web-0\""), "{page:?}");
    assert!(info(&page, &strangers)[0].contains("pod=\"\""), "{page:?}");
}

/// A process of a pod did `unshare -n`: both namespaces are the pod's, and what is in them is told apart.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, namespaces and promtool: run by make test"]
async fn a_pod_with_two_namespaces_is_told_apart() {
    let (own, further) = (Netns::new(), Netns::new());
    for (netns, rate) in [(&own, "1mbit"), (&further, "2mbit")] {
        netns.run(&["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", rate, "burst", "10kb", "limit", "10kb"]);
    }
    let procfs = Procfs::new();
    let container = Declared { number: 3, pod: "web-0".into(), pid: 4711 };
    procfs.put(4711, 100, &group_of(&container), &own.path());
    procfs.put(4712, 200, &group_of(&container), &further.path());
    let roster: Roster = Arc::new(Mutex::new(vec![container]));
    let socket = procfs.0.path().join("cri.sock");
    let _runtime = runtime(&socket, &roster);
    let node = start(&["--runtime=cri", &format!("--runtime.endpoint=unix://{}", socket.display()), ALONE[1], &procfs.path()]);
    let page = node.scrape();
    assert_eq!(promtool_check_metrics(&page.0), (0, String::new()), "{page:?}");
    let rate = |netns: &str| page.value("chaoscope_tbf_rate_bytes_per_second", &[("pod", "web-0"), ("netns", netns)]);
    assert_eq!((rate(""), rate(&further.inode().to_string())), (125_000.0, 250_000.0), "{page:?}");
    assert_eq!(page.values("chaos_daemon_tcs_rules", &[("pod", "web-0")]).len(), 1, "{page:?}");
}

// ---- the runtime ----

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and namespaces: run by make test"]
async fn a_runtime_may_be_absent_die_hang_and_come_back() {
    let netns = Netns::new();
    netns.run(&["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1mbit", "burst", "10kb", "limit", "10kb"]);
    let procfs = Procfs::new();
    let container = Declared { number: 5, pod: "web-0".into(), pid: 4711 };
    procfs.put(4711, 100, &group_of(&container), &netns.path());
    let roster: Roster = Arc::new(Mutex::new(vec![container.clone()]));
    let socket = procfs.0.path().join("cri.sock");
    let endpoint = format!("--runtime.endpoint=unix://{}", socket.display());
    let node = start(&["--runtime=cri", &endpoint, ALONE[1], &procfs.path()]);
    let rate = "chaoscope_tbf_rate_bytes_per_second";

    // Absent from the start: the pod is known by its uid, and what is in force is seen.
    let page = node.scrape();
    assert!(!page.success("runtime"), "{page:?}");
    assert_eq!(page.value(rate, &[("pod", "")]), 125_000.0);
    assert!(info(&page, &netns)[0].contains(&container.uid()), "{page:?}");

    // It starts later: names are there.
    let up = runtime(&socket, &roster);
    let page = node.scrape();
    assert!(page.success("runtime"), "{page:?}");
    assert_eq!(page.value(rate, &[("namespace", "shop"), ("pod", "web-0")]), 125_000.0);

    // It dies: names are remembered, and a new namespace is found all the same.
    up.die().await;
    let page = node.scrape();
    assert!(!page.success("runtime"), "{page:?}");
    assert_eq!(page.value(rate, &[("namespace", "shop"), ("pod", "web-0")]), 125_000.0);

    // Its socket goes too.
    fs::remove_file(&socket).unwrap();
    let page = node.scrape();
    assert!(!page.success("runtime") && page.success("namespaces"), "{page:?}");
    assert_eq!(page.value(rate, &[("namespace", "shop"), ("pod", "web-0")]), 125_000.0);

    // It hangs: that eats half of the time at most, and the visits are made in the other half.
    let hanging = Scripted::start(&socket, |_, _| Reply::Never);
    let page = node.scrape_with("X-Prometheus-Scrape-Timeout-Seconds: 2\r\n");
    assert!(!page.success("runtime") && page.success("namespaces"), "{page:?}");
    assert_eq!(page.skipped("deadline"), 0);
    assert_eq!(page.value(rate, &[("namespace", "shop"), ("pod", "web-0")]), 125_000.0);
    let status = node.get("/", "X-Prometheus-Scrape-Timeout-Seconds: 2\r\n").1;
    assert!(status.contains("names of pods may be missing"), "{status}");
    hanging.die().await;

    // And it comes back, with a pod more.
    let second = Netns::new();
    let other = Declared { number: 6, pod: "db-0".into(), pid: 4800 };
    procfs.put(4800, 300, &group_of(&other), &second.path());
    second.run(&["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "2mbit", "burst", "10kb", "limit", "10kb"]);
    roster.lock().unwrap().push(other);
    let _up = runtime(&socket, &roster);
    let page = node.scrape();
    assert!(page.success("runtime"), "{page:?}");
    assert_eq!(page.value(rate, &[("pod", "web-0")]), 125_000.0);
    assert_eq!(page.value(rate, &[("pod", "db-0")]), 250_000.0);
}

/// A container that the runtime tells no process of, or does not list at all, has files all the same, also on the host's network.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and namespaces: run by make test"]
async fn files_are_looked_at_whatever_the_runtime_leaves_out() {
    let procfs = Procfs::new();
    let container = |number, pod: &str| Declared { number, pod: pod.into(), pid: 4710 + number };
    let [whole, broken, unlisted] = [container(1, "whole-0"), container(2, "broken-0"), container(3, "unlisted-0")];
    for container in [&whole, &broken, &unlisted] {
        procfs.put(container.pid, 100, &group_of(container), Path::new("/proc/self/ns/net"));
        procfs.toda(container.pid);
        // What joined the container later, and has no such mount.
        procfs.put(container.pid - 1000, 200, &group_of(container), Path::new("/proc/self/ns/net"));
    }
    let lost = container(4, "lost-0");
    let roster: Roster = Arc::new(Mutex::new(vec![whole, broken.clone()]));
    let (socket, listed) = (procfs.0.path().join("cri.sock"), Arc::clone(&roster));
    let silent = [broken.id(), lost.id()];
    let _runtime = Scripted::start(&socket, move |asked, message| {
        let about = |id: &String| message.windows(id.len()).any(|part| part == id.as_bytes());
        match asked {
            "ContainerStatus" if silent.iter().any(about) => Reply::Status(13, "no status today".into()),
            _ => answer(&listed.lock().unwrap(), asked, message),
        }
    });
    let endpoint = format!("--runtime.endpoint=unix://{}", socket.display());
    let names = procfs.0.path().join("names"); // there, and empty: a missing folder would be a limitation
    std::fs::create_dir(&names).unwrap();
    let names = format!("--path.netns={}", names.display());
    let words = ["--runtime=cri", &endpoint, &names, &procfs.path()];
    let node = start(&words);
    let page = node.scrape();
    let toda = |labels: &[(&str, &str)]| page.values("chaoscope_fault_mounts", &[&[("kind", "toda")], labels].concat());
    assert_eq!(toda(&[("namespace", "shop"), ("pod", "whole-0")]), [1.0]);
    assert_eq!(toda(&[("namespace", "shop"), ("pod", "broken-0")]), [1.0]);
    assert_eq!(toda(&[("netns", &unlisted.uid())]), [1.0], "known by uid: {page:?}");
    assert_eq!(toda(&[]).len(), 3, "each once");
    assert_eq!(page.value("chaoscope_limitations", &[("blinds", "true")]), 0.0, "only names are missing");
    assert!(page.success("runtime"), "{page:?}");
    let status = node.get("/", "").1;
    assert!(status.contains("names of pods may be missing") && status.contains("no status today"), "{status}");

    // A container that nobody shows a process of.
    roster.lock().unwrap().push(lost);
    let page = node.scrape();
    assert_eq!(page.value("chaoscope_limitations", &[("blinds", "true")]), 1.0, "{page:?}");
    assert!(page.success("processes") && !page.success("runtime"), "{page:?}");
    let status = node.get("/", "").1;
    assert!(status.contains("no process known of 1 container: ") && status.contains("no status today"), "{status}");
}

// ---- too much, too little ----

/// Many namespaces, each held by a process; all end with the one that made them.
struct Many {
    parent: Child,
    _folder: TempDir,
}

impl Many {
    fn start(count: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let program = folder.path().join("many");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/faults/many.c");
        succeed(Command::new("cc").args(["-O1", "-Wall", "-Werror", "-o"]).arg(&program).arg(source));
        let mut parent = Command::new(&program).arg(count.to_string()).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(parent.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let new = Self { parent, _folder: folder };
        assert_eq!(said, "ready\n", "making {count} namespaces");
        new
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}

const COUNT: u64 = 2000;

fn sweeps(page: &Page) -> f64 {
    page.value("chaoscope_netns_read_duration_seconds_count", &[])
}

/// One test for all that takes so many, because making them takes longest.
#[test]
#[ignore = "needs root and namespaces: run by make test"]
fn two_thousand_namespaces() {
    let _alone = alone();
    // One thread for the visits, so that they take longer than the look at the processes: then some deadline cuts them in two.
    let node = start(&[&ALONE[..], &["--sweep.threads=1"]].concat());
    let idle = node.scrape().0.lines().count();
    let files = node.open_files();
    let many = Many::start(COUNT as usize);

    // All in one sweep.
    let page = node.scrape_with("X-Prometheus-Scrape-Timeout-Seconds: 60\r\n");
    assert!(page.visited() >= COUNT, "{page:?}");
    assert_eq!((page.skipped("deadline"), page.errors()), (0, vec![]));
    let more = page.0.lines().count().saturating_sub(idle);
    assert!(more < 100, "namespaces without chaos cost nothing on the page, but there are {more} lines more");
    let open = page.value("process_open_fds", &[]);
    assert!(open < 64.0, "{open} files open after a sweep");
    let resident = page.value("process_resident_memory_bytes", &[]) / f64::from(1 << 20);
    eprintln!("{COUNT} namespaces: {resident:.1} MiB resident, {open} files open");
    node.settles_at(files);

    too_little_time(&node);
    two_at_once(&node);

    drop(many);
    until(|| (node.scrape().visited() < COUNT).then_some(()), || "they are gone".into());
    node.settles_at(files);
}

/// What was read is served and the rest counted, whatever the deadline; at some deadline both are there.
fn too_little_time(node: &Program) {
    let (mut seconds, mut rounds) = (0.06, 0);
    let mut partial = false;
    while !partial {
        let page = node.scrape_with(&format!("X-Prometheus-Scrape-Timeout-Seconds: {seconds:.3}\r\n"));
        let swept = page.values("chaoscope_scrape_source_success", &[("source", "sweep")]) == [1.0];
        if swept {
            let (read, late) = (page.visited(), page.skipped("deadline"));
            // Where all processes were looked at, all namespaces are known, and each is accounted for. Otherwise that is said.
            if page.success("processes") {
                assert!(read + late >= COUNT, "{read} read, {late} late");
                partial = read > 0 && late > 0;
            }
        } else {
            assert_eq!(page.values("chaoscope_netns_visited", &[]), Vec::<f64>::new(), "missing beats wrong");
        }
        seconds *= 1.1;
        if swept && page.visited() >= COUNT {
            (seconds, rounds) = (0.06, rounds + 1);
        }
        assert!(rounds < 10, "no deadline cut a sweep in two");
    }
    let page = node.scrape_with("X-Prometheus-Scrape-Timeout-Seconds: 60\r\n");
    assert!(page.visited() >= COUNT && page.skipped("deadline") == 0, "a longer time shows all again");
}

/// Two scrapers that come at once share a sweep; whether they do come at once is up to the machine, so they may try again.
fn two_at_once(node: &Program) {
    let shared = (0..20).any(|_| {
        let before = sweeps(&node.scrape());
        let barrier = Barrier::new(2);
        let scrape = || {
            barrier.wait();
            node.scrape_with("X-Prometheus-Scrape-Timeout-Seconds: 60\r\n")
        };
        let pages = thread::scope(|scope| [scope.spawn(scrape), scope.spawn(scrape)].map(|thread| thread.join().unwrap()));
        let counts = pages.each_ref().map(sweeps);
        let visited = pages.each_ref().map(Page::visited);
        assert!(visited.iter().all(|count| *count >= COUNT));
        counts[0] == counts[1] && counts[0] == before + visited[0] as f64
    });
    assert!(shared, "two scrapers never shared a sweep");
}

/// No file may be opened: the page still comes, over a connection that was there, and says what failed. Then all is well again.
#[test]
#[ignore = "needs root and namespaces: run by make test"]
fn too_few_files_are_said_and_recovered_from() {
    let netns = Netns::new();
    netns.run(&["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1mbit", "burst", "10kb", "limit", "10kb"]);
    let node = start(&ALONE);
    let label = netns.inode().to_string();
    let rate = |page: &Page| page.values("chaoscope_tbf_rate_bytes_per_second", &[("netns", &label)]);
    assert_eq!(rate(&node.scrape()), [125_000.0]);
    let before = node.open_files();
    let mut kept = TcpStream::connect(node.address).unwrap();
    kept.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    assert_eq!(rate(&keep_alive(&mut kept)), [125_000.0]);
    for limit in [0, 16, 18, 20, 22, 24] {
        node.limit_files(limit);
        let page = keep_alive(&mut kept);
        let silent = [rate(&page), page.values("chaoscope_qdisc_sent_bytes_total", &[("netns", &label)])].concat().is_empty();
        let why = !page.errors().is_empty() || !page.success("processes") || !page.success("namespaces");
        assert!(!silent || why, "at {limit} files nothing is seen and nothing said: {page:?}");
        if limit == 0 {
            assert!(silent && !page.success("processes"), "{page:?}");
            assert_eq!(page.values("process_open_fds", &[]), Vec::<f64>::new(), "it cannot look: {page:?}");
        }
    }
    node.limit_files(1024);
    assert_eq!(rate(&node.scrape()), [125_000.0]);
    drop(kept);
    node.settles_at(before);
    // Started with few, it serves or says why, too.
    let few = Program::start(&["sh", "-c", "ulimit -n 24; exec \"$0\" \"$@\""], Path::new(BINARY), &ALONE);
    let page = few.scrape();
    assert!(rate(&page) == [125_000.0] || !page.errors().is_empty() || !page.success("processes"), "{page:?}");
}

/// A scrape over a connection that stays open.
fn keep_alive(stream: &mut TcpStream) -> Page {
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the connection ended");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Page(String::from_utf8(body).unwrap())
}

// ---- clients and names that mean harm ----

#[test]
#[ignore = "needs root and namespaces: run by make test"]
fn clients_that_dawdle_or_talk_nonsense_harm_nobody() {
    let node = start(&ALONE);
    node.scrape();
    let slow: Vec<_> = (0..100)
        .map(|at| {
            let mut stream = TcpStream::connect(node.address).unwrap();
            stream.write_all(&b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: "[..20 + at % 20]).unwrap();
            stream
        })
        .collect();
    assert!(node.scrape().success("processes"), "beside a hundred slow ones");
    let long = "a".repeat(1 << 20);
    let requests: Vec<Vec<u8>> = vec![
        b"\r\n\r\n\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET /metrics\r\n\r\n".to_vec(),
        b"GET /metrics HTTP/9.9\r\n\r\n".to_vec(),
        b"GET /%ff%00%zz HTTP/1.0\r\n\r\n".to_vec(),
        b"GET /metrics?\xff\xfe HTTP/1.0\r\n\r\n".to_vec(),
        b"GET ../../etc/passwd HTTP/1.0\r\n\r\n".to_vec(),
        b"BREW /metrics HTTP/1.0\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x04\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00".to_vec(),
        vec![0; 4096],
        (0..=255).cycle().take(10_000).collect(),
        format!("GET /{long} HTTP/1.0\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.0\r\nX: {long}\r\n\r\n").into_bytes(),
    ];
    for request in requests {
        let mut stream = TcpStream::connect(node.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let _ = stream.write_all(&request); // it may have closed already
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let start = String::from_utf8_lossy(&request[..request.len().min(40)]).into_owned();
        assert!(!answer.contains("500 Internal"), "{start:?}: {answer}");
    }
    let odd = [
        "X-Prometheus-Scrape-Timeout-Seconds: NaN\r\n",
        "X-Prometheus-Scrape-Timeout-Seconds: -1\r\n",
        "X-Prometheus-Scrape-Timeout-Seconds: 1e300\r\n",
        "X-Prometheus-Scrape-Timeout-Seconds: inf\r\n",
        "X-Prometheus-Scrape-Timeout-Seconds: \u{fe}\r\n",
        "Accept: */*;q=NaN, text/plain;;;=\r\n",
    ];
    for headers in odd {
        assert!(node.scrape_with(headers).success("processes"), "{headers:?}");
    }
    // No time at all is an answer too.
    node.scrape_with("X-Prometheus-Scrape-Timeout-Seconds: 1e-9\r\n");
    drop(slow);
    assert!(node.scrape().success("processes"));
}

/// A name that a file may have and a label must not break.
const ODD: [&[u8]; 6] =
    [b"line\nbreak", b"quo\"te", b"back\\slash\\", b"not\xff\xfeutf8", b"\x1b[2Jscreen", "caf\u{e9} \u{202e}txt".as_bytes()];

#[test]
#[ignore = "needs root, namespaces, ipset and promtool: run by make test"]
fn odd_names_are_escaped_everywhere() {
    let folder = TempDir::new().unwrap();
    let namespaces: Vec<_> = ODD.iter().map(|_| Netns::new()).collect();
    let procfs = Procfs::new(); // without processes, so that names are all there is
    for (name, netns) in ODD.iter().zip(&namespaces) {
        symlink(netns.path(), folder.path().join(OsStr::from_bytes(name))).unwrap();
        netns.run(&["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1mbit", "burst", "10kb", "limit", "10kb"]);
        netns.run(&["ipset", "create", "s\"e\\t{}=,#", "hash:net"]);
        let made = finish(netns.command(&["ipset", "create", "new\nline", "hash:net"]).stdin(Stdio::null()));
        assert!(made.status.success(), "{made:?}");
        netns.run(&["iptables-legacy", "-N", "CHAOS-\"\\"]);
        netns.run(&["iptables-legacy", "-A", "INPUT", "-m", "comment", "--comment", "a \"b\" \\ c\nd", "-j", "CHAOS-\"\\"]);
    }
    let named = format!("--path.netns={}", folder.path().display());
    let look = ["--runtime=none", &named, &procfs.path()];
    let node = start(&[&look[..], &["--rules=all"]].concat());
    let page = node.scrape();
    assert_eq!(promtool_check_metrics(&page.0), (0, String::new()), "{page:?}");
    assert_eq!(page.values("chaoscope_tbf_rate_bytes_per_second", &[]).len(), ODD.len(), "{page:?}");
    assert_eq!(page.visited(), ODD.len() as u64, "{page:?}");
    // promtool reads the classic format only; of the other one, every line must be one.
    let open = node.scrape_with("Accept: application/openmetrics-text;version=1.0.0\r\n");
    assert!(open.0.ends_with("# EOF\n"), "{open:?}");
    assert!(open.0.lines().all(|line| line.starts_with("# ") || line.starts_with("chaos") || line.starts_with("process_")), "{open:?}");
    let (_, status) = node.get("/", "");
    let table = output(&["snapshot", look[0], look[1], look[2]]);
    let check = output(&["check", look[0], look[1], look[2]]);
    for text in [&page.0, &status, &table, &check] {
        let control = text.chars().find(|letter| letter.is_control() && *letter != '\n');
        assert_eq!(control, None, "{text:?}");
    }
    for name in ["line\\nbreak", "quo\"te", "not\\xff\\xfeutf8"] {
        assert!(table.contains(name) && check.contains(name), "{name}: {table}\n{check}");
    }
    let document: serde_json::Value = serde_json::from_str(&output(&["snapshot", "--output=json", look[0], look[1], look[2]])).unwrap();
    assert_eq!(document["namespaces"].as_array().unwrap().len(), ODD.len() + 1, "and the host's own: {document:#}");
}

fn output(words: &[&str]) -> String {
    String::from_utf8(run(&[], &PathBuf::from(BINARY), words).stdout).unwrap()
}
