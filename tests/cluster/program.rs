//! The program as a child process, with its log, its journal and its API.

#![allow(dead_code, reason = "a bench starts it, too, and asks less")]

use crate::kit::http::{free_address, get};
use crate::kit::process::{Running, until};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_chaoscope");
/// Everything that was ever recorded, and is now.
const EVER: &str = "from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&limit=1000";

/// A running role; killed when dropped, its folder gone with it.
pub struct Program {
    pub folder: TempDir,
    pub address: SocketAddr,
    words: Vec<String>,
    process: Option<Running>,
}

impl Program {
    /// Starts a role and waits until it is ready.
    pub fn start(words: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), words)
    }

    /// The same in a folder that was made ready for it; its journal is in `journal` there.
    pub fn start_in(folder: TempDir, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let mut it = Self { folder, address: free_address(), words, process: None };
        it.again();
        it
    }

    /// The cluster role, beside an API server.
    pub fn cluster(kubeconfig: &Path, more: &[&str]) -> Self {
        let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
        Self::start(&[&["cluster", &kubeconfig], more].concat())
    }

    /// Starts it once more, with the same journal.
    pub fn again(&mut self) {
        assert!(self.process.is_none(), "it still runs");
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = Command::new(BINARY);
        command.args(&self.words).arg(format!("--web.listen-address={}", self.address)).stdout(Stdio::null()).stderr(log);
        if self.words[0] == "cluster" {
            command.arg(format!("--journal.path={}", self.folder.path().join("journal").display()));
        }
        self.process = Some(Running::start(&mut command));
        until(|| get(self.address, "/readyz").ok().filter(|(status, _)| *status == 200), || self.log());
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap()
    }

    pub fn json(&self, path: &str) -> Value {
        let (status, body) = get(self.address, path).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// All runs, in an order of their own.
    pub fn runs(&self) -> Vec<Value> {
        let mut runs = self.json(&format!("/api/v1/runs?{EVER}"))["runs"].as_array().unwrap().clone();
        runs.sort_by_key(|run| (run["name"].as_str().unwrap().to_owned(), run["ordinal"].as_u64()));
        runs
    }

    /// Number of all events.
    pub fn events(&self) -> usize {
        self.event_keys().len()
    }

    /// Keys of all events, page by page.
    pub fn event_keys(&self) -> Vec<String> {
        let (mut keys, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.json(&format!("/api/v1/events?{EVER}{cursor}"));
            keys.extend(page["events"].as_array().unwrap().iter().map(|event| event["key"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return keys,
            }
        }
    }

    /// Its pid, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Running::pid)
    }

    /// What `journal verify` says of its journal: its exit code, and its words.
    pub fn verify(&self) -> (Option<i32>, String) {
        let folder = format!("--journal.path={}", self.folder.path().join("journal").display());
        let output = Command::new(BINARY).args(["journal", "verify", &folder]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    pub fn metrics(&self) -> String {
        get(self.address, "/metrics").unwrap().1
    }
}

/// What of a run does not depend on the API server it was told by.
pub fn essence(run: &Value) -> String {
    let targets: Vec<_> = run["targets"].as_array().unwrap().iter().map(|t| format!("{} {}", t["id"], t["state"])).collect();
    format!("{} {} {} {} {}", run["name"], run["ordinal"], run["phase"], run["outcome"], targets.join(", "))
}
