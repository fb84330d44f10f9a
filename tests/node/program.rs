//! The built program: started as a server, run as a command, asked over HTTP.

use crate::kit::process::{PATIENCE, Running, until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The program itself.
pub(crate) const CHAOSCOPE: &str = env!("CARGO_BIN_EXE_chaoscope");

/// A command without any of our variables, in an empty folder, with nothing to read.
pub(crate) fn command(folder: &Path) -> Command {
    stripped(Command::new(CHAOSCOPE), folder)
}

/// The same for a command that runs the program in the end.
pub(crate) fn stripped(mut command: Command, folder: &Path) -> Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CHAOSCOPE_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs `chaoscope WORDS` to its end.
pub(crate) fn run(words: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    command(folder.path()).args(words).output().unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Flags for a view of nothing: an empty /proc, no named namespaces, no runtime. Needs no privilege, and no other test is seen.
pub(crate) fn blind(folder: &Path) -> Vec<String> {
    let empty = folder.join("empty");
    fs::create_dir_all(&empty).unwrap();
    vec![format!("--path.procfs={}", empty.display()), format!("--path.netns={}", empty.display()), "--runtime=none".into()]
}

/// `chaoscope node`, serving on a port of its own.
pub(crate) struct Program {
    pub(crate) address: SocketAddr,
    process: Running,
    log: PathBuf,
    _folder: TempDir,
}

impl Program {
    /// A server that sees nothing, with more flags.
    pub(crate) fn blind(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(folder.path());
        command.arg("node").args(blind(folder.path())).args(more);
        Self::start(command, folder)
    }

    /// Starts what is a `chaoscope node …` so far, and waits until it listens.
    pub(crate) fn start(mut command: Command, folder: TempDir) -> Self {
        let log = folder.path().join("log");
        command.arg("--web.listen-address=127.0.0.1:0").stderr(File::create(&log).unwrap());
        let mut process = Running::start(&mut command);
        let read = || fs::read_to_string(&log).unwrap();
        let address = until(
            || {
                assert!(!process.has_ended(), "the server ended:\n{}", read());
                let text = read();
                let start = text.find("//127.0.0.1:")? + 2;
                let length = text[start..].find(|it: char| !it.is_ascii_digit() && !".:".contains(it))?;
                text[start..start + length].parse().ok()
            },
            || format!("the server listens\n{}", read()),
        );
        Self { address, process, log, _folder: folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        ask(self.address, "GET", path, &[])
    }

    /// The page of metrics, in the classic format.
    pub(crate) fn metrics(&self) -> String {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    pub(crate) fn terminate(&self) {
        let pid = Pid::from_raw(self.process.pid().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.process.wait().code()
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// A header's value; None without it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// One request over HTTP/1.1; the answer ends with the connection.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    stream.write_all((request + "\r\n").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}
