//! A real Alertmanager that talks to nobody but the test, and `amtool`.
//!
//! Both from Debian's package `prometheus-alertmanager`. Everything is below one temporary folder and gone afterwards.

use super::http::{self, free_address};
use super::process::{Running, finish, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A running Alertmanager, stopped when dropped.
#[derive(Debug)]
pub struct Alertmanager {
    address: SocketAddr,
    process: Running,
    folder: TempDir,
}

impl Alertmanager {
    /// With this configuration file's text.
    pub fn with(config: &str) -> Self {
        for _ in 0..5 {
            if let Some(started) = Self::start(free_address(), config) {
                return started;
            }
        }
        panic!("five free ports of 127.0.0.1 were each taken before Alertmanager came up");
    }

    /// None: somebody else took the port.
    fn start(address: SocketAddr, config: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("alertmanager.yml"), config).expect("writing alertmanager.yml");
        let log = File::create(folder.path().join("log")).expect("creating a log");
        let process = Running::start(
            Command::new("prometheus-alertmanager")
                .current_dir(folder.path())
                .args(["--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address="])
                .arg(format!("--web.listen-address={address}"))
                .stdout(Stdio::null())
                .stderr(log),
        );
        let mut started = Self { address, process, folder };
        started.is_ready().then_some(started)
    }

    fn is_ready(&mut self) -> bool {
        let (address, log) = (self.address, self.folder.path().join("log"));
        let log = || fs::read_to_string(&log).unwrap_or_default();
        until(
            || {
                if self.process.has_ended() {
                    assert!(log().contains("address already in use"), "Alertmanager ended:\n{}", log());
                    return Some(false);
                }
                matches!(http::get(address, "/-/ready"), Ok((200, _))).then_some(true)
            },
            || format!("Alertmanager is ready\n{}", log()),
        )
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Alerts that have not ended, as the API has them.
    pub fn alerts(&self) -> Vec<Value> {
        let (status, body) = http::get(self.address, "/api/v2/alerts").expect("asking Alertmanager");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("Alertmanager answers JSON")
    }

    /// Names of alerts, with their pod where they have one, that people are told of (`false`) or that are held back (`true`).
    pub fn named(&self, held_back: bool) -> BTreeSet<String> {
        let all = self.alerts();
        let wanted = all.iter().filter(|it| (it["status"]["state"] == "suppressed") == held_back);
        let text = |it: &Value, label: &str| it["labels"][label].as_str().unwrap_or("").to_owned();
        wanted.map(|it| format!("{} {}", text(it, "alertname"), text(it, "pod")).trim_end().to_owned()).collect()
    }

    /// Sends alerts as Prometheus does.
    pub fn post(&self, alerts: &Value) {
        let (status, body) = http::post(self.address, "/api/v2/alerts", &alerts.to_string()).expect("telling Alertmanager");
        assert_eq!(status, 200, "{body}");
    }
}

/// `amtool` with these words; what it says, or why not.
pub fn amtool(words: &[&str], config: &Path) -> Result<String, String> {
    let output = finish(Command::new("amtool").args(words).arg(config));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}
