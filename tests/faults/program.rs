//! The program itself, started as a user would, with what tests ask of it.
//!
//! Apart because the tests of privileges and those of faults both need it. A further question to a page is one more function here.

#![allow(dead_code, unreachable_pub, reason = "each test program takes its share")]

use crate::kit::process::{Running, copy_program, finish, until};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_chaoscope");

/// Words that go before a command, such as `setpriv …`; each must end by executing what follows.
pub type Wrapper<'a> = &'a [&'a str];

/// A folder that every user may enter.
pub fn open_folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A copy of the binary where every user may run it, in `folder`.
pub fn copy(folder: &TempDir) -> PathBuf {
    let copy = folder.path().join("chaoscope");
    copy_program(BINARY, &copy);
    copy
}

fn command(wrapper: Wrapper<'_>, binary: &Path) -> Command {
    let Some((first, rest)) = wrapper.split_first() else { return Command::new(binary) };
    let mut command = Command::new(first);
    command.args(rest).arg(binary);
    command
}

/// Runs it to its end. It never panics.
pub fn run(wrapper: Wrapper<'_>, binary: &Path, words: &[&str]) -> Output {
    let output = finish(command(wrapper, binary).args(words));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{said}");
    output
}

/// `chaoscope node`, serving on a port of its own; it is killed when dropped, and must never have panicked.
pub struct Program {
    process: Running,
    pub address: SocketAddr,
    log: TempDir,
}

impl Program {
    pub fn start(wrapper: Wrapper<'_>, binary: &Path, words: &[&str]) -> Self {
        let log = TempDir::new().unwrap();
        let mut command = command(wrapper, binary);
        command.args(["node", "--web.listen-address=127.0.0.1:0"]).args(words);
        command.stdout(Stdio::null()).stderr(File::create(log.path().join("log")).unwrap());
        let mut process = Running::start(&mut command);
        let said = || fs::read_to_string(log.path().join("log")).unwrap();
        let address = until(
            || {
                assert!(!process.has_ended(), "it ended: {}", said());
                let log = said();
                let rest = log.split_once("listening on http://")?.1;
                rest.split_once('"')?.0.parse().ok()
            },
            || format!("it listens: {}", said()),
        );
        Self { process, address, log }
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log.path().join("log")).unwrap()
    }

    /// `/metrics` in the classic format.
    pub fn scrape(&self) -> Page {
        self.scrape_with("")
    }

    /// With further header lines, each ended by CRLF.
    pub fn scrape_with(&self, headers: &str) -> Page {
        let (status, body) = self.get("/metrics", headers);
        assert_eq!(status, 200, "{body}");
        Page(body)
    }

    pub fn get(&self, path: &str, headers: &str) -> (u16, String) {
        let answer = self.raw(format!("GET {path} HTTP/1.0\r\nHost: x\r\n{headers}\r\n").as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {answer:?}; {}", self.log()));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Sends bytes, whatever they are, and answers what comes until the end or for a minute.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let _ = stream.write_all(bytes); // it may have closed already
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// Waits until it has no more than `count` files open: connections end a moment after their answer.
    pub fn settles_at(&self, count: usize) {
        until(|| (self.open_files() <= count).then_some(()), || format!("{} files are open, at first {count}", self.open_files()));
    }

    /// Sets its soft limit of open files.
    pub fn limit_files(&self, count: u64) {
        let done = finish(Command::new("prlimit").args([&format!("--pid={}", self.pid()), &format!("--nofile={count}:")]));
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let log = self.log();
            assert!(!self.process.has_ended(), "it ended: {log}");
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

/// A page of metrics.
#[derive(Debug)]
pub struct Page(pub String);

impl Page {
    /// The values of every series of `name` that has all of these labels.
    pub fn values(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let wanted: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let of_family = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines = self.0.lines().filter(of_family).filter(|line| wanted.iter().all(|label| line.contains(label)));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
    }

    /// The value of the only such series.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let values = self.values(name, labels);
        assert_eq!(values.len(), 1, "{name} {labels:?} in\n{}", self.0);
        values[0]
    }

    pub fn success(&self, source: &str) -> bool {
        self.value("chaoscope_scrape_source_success", &[("source", source)]) == 1.0
    }

    pub fn visited(&self) -> u64 {
        self.count("chaoscope_netns_visited", &[])
    }

    pub fn skipped(&self, reason: &str) -> u64 {
        self.count("chaoscope_netns_skipped", &[("reason", reason)])
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of namespaces")]
    fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.value(name, labels) as u64
    }

    /// Read errors that are there, by source and reason.
    pub fn errors(&self) -> Vec<&str> {
        let family = "chaoscope_netns_read_errors{";
        self.0.lines().filter(|line| line.starts_with(family) && !line.ends_with(" 0")).collect()
    }
}
