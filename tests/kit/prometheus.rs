//! A real Prometheus that scrapes what it is told every second, and `promtool`.
//!
//! Both from Debian's package `prometheus`. Everything is below one temporary folder and gone afterwards.

use super::http::{self, free_address};
use super::process::{Running, until};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A running Prometheus, stopped when dropped.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    process: Running,
    folder: TempDir,
}

impl Prometheus {
    /// Scrapes `/metrics` of `target` as the job `chaoscope`.
    pub fn scraping(target: SocketAddr) -> Self {
        Self::with_jobs(|_| format!("- job_name: chaoscope\n  static_configs: [{{targets: ['{target}']}}]\n"))
    }

    /// The same with native histograms switched on: it then asks for protobuf first.
    pub fn scraping_native(target: SocketAddr) -> Self {
        let jobs = |_| format!("- job_name: chaoscope\n  static_configs: [{{targets: ['{target}']}}]\n");
        Self::started(&["--enable-feature=native-histograms"], jobs)
    }

    /// `jobs` answers the YAML list below `scrape_configs`, and after it what else belongs into a configuration; it is told where this
    /// Prometheus itself will listen.
    pub fn with_jobs(jobs: impl Fn(SocketAddr) -> String) -> Self {
        Self::started(&[], jobs)
    }

    fn started(flags: &[&str], jobs: impl Fn(SocketAddr) -> String) -> Self {
        for _ in 0..5 {
            if let Some(started) = Self::start(free_address(), flags, &jobs) {
                return started;
            }
        }
        panic!("five free ports of 127.0.0.1 were each taken before Prometheus came up");
    }

    /// None: somebody else took the port.
    fn start(address: SocketAddr, flags: &[&str], jobs: impl Fn(SocketAddr) -> String) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name| folder.path().join(name);
        let jobs = jobs(address);
        let config = format!("global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\nscrape_configs:\n{jobs}");
        fs::write(at("prometheus.yml"), config).expect("writing prometheus.yml");
        let log = File::create(at("log")).expect("creating a log");
        let process = Running::start(
            Command::new("prometheus")
                .current_dir(folder.path())
                .arg("--config.file=prometheus.yml")
                .arg("--storage.tsdb.path=data")
                .args(flags)
                .arg(format!("--web.listen-address={address}"))
                .stdout(Stdio::null())
                .stderr(log),
        );
        let mut started = Self { address, process, folder };
        started.is_ready().then_some(started)
    }

    fn is_ready(&mut self) -> bool {
        let address = self.address;
        let folder = self.folder.path().to_owned();
        let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        until(
            || {
                if self.process.has_ended() {
                    let log = log();
                    assert!(log.contains("address already in use"), "Prometheus ended:\n{log}");
                    return Some(false);
                }
                matches!(http::get(address, "/-/ready"), Ok((200, _))).then_some(true)
            },
            || format!("Prometheus is ready\n{}", log()),
        )
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `expression` gives now: the `result` array of an instant query, or of a range over nothing, empty.
    pub fn query_now(&self, expression: &str) -> Value {
        let mut answer = self.api(&format!("query?query={}", http::percent(expression)));
        answer["data"]["result"].take()
    }

    /// Asks until `expression` gives at least one sample; Prometheus takes a few seconds to the first scrape.
    pub fn query(&self, expression: &str) -> Value {
        self.query_until(expression, |result| result.as_array().is_some_and(|it| !it.is_empty()))
    }

    /// Asks until `accept` likes the answer.
    pub fn query_until(&self, expression: &str, accept: impl Fn(&Value) -> bool) -> Value {
        until(
            || Some(self.query_now(expression)).filter(&accept),
            || {
                let last = self.query_now(expression);
                format!("{expression}, last answer {last}\n{}", self.api("targets"))
            },
        )
    }

    /// The answer of `/api/v1/…`; a status other than `success` is a failed test.
    pub fn api(&self, path: &str) -> Value {
        let (status, body) = http::get(self.address, &format!("/api/v1/{path}")).expect("asking Prometheus");
        let answer: Value = serde_json::from_str(&body).expect("Prometheus answers JSON");
        assert_eq!((status, &answer["status"]), (200, &Value::from("success")), "{path}: {body}");
        answer
    }
}

/// `promtool check metrics` on a page of classic text. Exit code 0: nothing to say; 1: not parsed; 3: lint findings.
pub fn promtool_check_metrics(page: &str) -> (i32, String) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut input = child.stdin.take().expect("a pipe");
    // It answers only after the end of its input, so this cannot block for ever; it may give up before, on an error.
    let _ = input.write_all(page.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    let code = output.status.code().expect("promtool exits by itself");
    (code, String::from_utf8_lossy(&said).into_owned())
}
