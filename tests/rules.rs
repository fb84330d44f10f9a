//! The rules of `manifests/rules/` as those who run them take them: promtool, a real Prometheus and a real Alertmanager.
//!
//! What their names and texts must be is in `tests/contracts/rules.rs`; what each fires at, and does not, in `tests/rules/*.test.yaml`.

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails")]

#[path = "rules/held_back.rs"]
mod held_back;
mod kit;
#[path = "cluster/program.rs"]
mod program;
#[path = "kit/recording.rs"]
mod recording;
#[path = "rules/scraped.rs"]
mod scraped;
#[path = "rules/unit.rs"]
mod unit;

use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Files of rules, all of them.
const FILES: [&str; 3] = ["alerts.yaml", "recording.yaml", "kube-state-metrics.yaml"];

/// A file below the repository's root.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|cause| panic!("{path}: {cause}"))
}

/// The rules' files with some text changed, for a Prometheus that does not wait.
fn changed(change: impl Fn(&str) -> String) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in FILES {
        std::fs::write(folder.path().join(name), change(&text(&format!("manifests/rules/{name}")))).unwrap();
    }
    folder
}

/// The same, with alerts that fire at once and end at once.
fn at_once(rules: &str) -> String {
    let lines = rules.lines().filter(|line| !line.trim().starts_with("keep_firing_for:"));
    let lines = lines.map(|line| {
        if line.trim().starts_with("for: ") { line.split("for: ").next().unwrap().to_owned() + "for: 0s" } else { line.to_owned() }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every rule of a file.
fn rules_of(text: &str) -> Vec<Value> {
    let rules: Value = serde_saphyr::from_str(text).unwrap();
    rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}
