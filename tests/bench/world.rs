//! Namespaces to measure on, and the two yardsticks: three tools per namespace, and the floor no reader can go below.

use super::process::{Running, succeed, until};
use chaoscope::node::netlink::{Buffer, Family, Request, Socket};
use chaoscope::node::netns::{self, Traveller};
use chaoscope::node::visits::Place;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// What is in the namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Legacy,
    Nft,
    Idle,
    Declared,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Nft => "nft",
            Self::Idle => "idle",
            Self::Declared => "declared",
        }
    }
}

/// Namespaces and their holders, which end with this value, or with this process, whatever way it ends: they read from `input`.
pub struct Population {
    pub kind: Kind,
    pub pids: Vec<u32>,
    input: Option<ChildStdin>,
    script: Child,
}

impl Population {
    /// Starts making them; [`Self::wait`] gives them.
    pub fn start(kind: Kind, count: usize) -> Self {
        let mut command = Command::new(script("populate.sh"));
        command.args([kind.name(), &count.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().expect("populate.sh starts");
        Self { kind, pids: Vec::with_capacity(count), input: script.stdin.take(), script }
    }

    /// Waits until all are made.
    pub fn wait(mut self) -> Self {
        let output = self.script.stdout.take().expect("piped");
        for line in BufReader::new(output).lines().take(self.pids.capacity()) {
            self.pids.push(line.expect("a line").parse().expect("a pid"));
        }
        assert_eq!(self.pids.len(), self.pids.capacity(), "populate.sh stopped early");
        self
    }

    pub fn places(&self, count: usize) -> Vec<Place> {
        let place = |pid: &u32| {
            let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
            Place { id: netns::identify(&path).expect("a holder"), paths: vec![path] }
        };
        self.pids[..count].iter().map(place).collect()
    }

    /// How long the tools take for the first `count`, `jobs` namespaces at a time.
    pub fn upstream_way(&self, count: usize, jobs: usize) -> Duration {
        let pids = self.pids[..count].iter().fold(String::new(), |text, pid| text + &pid.to_string() + "\n");
        let list = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(list.path(), pids).expect("pids");
        let line = format!("exec {} {} {jobs} <{}", script("upstream-way.sh").display(), self.kind.name(), list.path().display());
        let milliseconds: f64 = succeed(Command::new("bash").args(["-c", &line])).trim().parse().expect("milliseconds");
        Duration::from_secs_f64(milliseconds / 1000.0)
    }
}

impl Drop for Population {
    fn drop(&mut self) {
        drop(self.input.take()); // the end of every holder
        let _ = self.script.kill();
        let _ = self.script.wait();
        if !std::thread::panicking() {
            let alive = |pid: &u32| Path::new("/proc").join(pid.to_string()).join("ns/net").exists();
            until(|| (!self.pids.iter().any(alive)).then_some(()), || "the holders end".to_owned());
        }
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bench").join(name)
}

/// Enters each place, opens both netlink sockets, dumps the qdiscs and closes: nothing that reads a namespace can do less.
pub fn floor(places: &[Place]) -> Duration {
    let work = || {
        let (traveller, mut buffer) = (Traveller::new().expect("own namespace"), Buffer::default());
        let start = Instant::now();
        for place in places {
            traveller.enter(netns::open(&place.paths[0], place.id).expect("a holder")).expect("CAP_SYS_ADMIN");
            let mut route = Socket::open(Family::Route).expect("netlink");
            let _netfilter = Socket::open(Family::Netfilter).expect("netlink");
            let dump = route.dump("floor", &Request::new(38, &[0; 20]), &mut buffer).expect("RTM_GETQDISC");
            assert!(!dump.is_empty(), "lo has a qdisc");
        }
        start.elapsed()
    };
    std::thread::scope(|scope| scope.spawn(work).join().expect("the floor"))
}

/// The whole program, as it is deployed.
pub struct Program {
    process: Running,
    address: std::net::SocketAddr,
}

impl Program {
    pub fn start(flags: &[&str]) -> Self {
        let address = super::http::free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaoscope"));
        command.args(["node", "--log.level=error", "--web.listen-address", &address.to_string()]).args(flags);
        let this = Self { process: Running::start(&mut command), address };
        until(|| super::http::get(address, "/healthz").ok(), || "chaoscope node listens".to_owned());
        this
    }

    pub fn scrape(&self) -> String {
        let (status, page) = super::http::get(self.address, "/metrics").expect("a page");
        assert_eq!(status, 200, "{page}");
        page
    }

    /// User and system time so far; the kernel counts it in ticks of 10 ms.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.pid())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("after the name").split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime");
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }

    /// `VmRSS` and `VmHWM` in MiB.
    pub fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid())).expect("it runs");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
            line.trim().trim_end_matches(" kB").parse::<f64>().expect("kB") / 1024.0
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}
