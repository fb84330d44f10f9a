//! Recordings of `tests/fixtures/recordings`, as observations in the order they were seen.

#![allow(dead_code, unreachable_pub, reason = "each test program takes its share of the kit")]
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a recording of ours that cannot be read is a failed test"
)]

use chaoscope::cluster::index::{Changes, Index};
use chaoscope::tools::chaos_mesh::decode::{Decoding, decode, reference};
use chaoscope_model::observation::{Departure, Gone, Observation, PodSeen};
use jiff::Timestamp;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Names of all of them.
pub fn names() -> Vec<String> {
    let folders = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<_> = folders.filter(|f| f.path().is_dir()).map(|f| f.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Where they are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/recordings")
}

/// Everything one of them tells, in the order it was seen.
pub fn observations(name: &str) -> Vec<Observation> {
    let mut told: Vec<(Timestamp, Observation)> = Vec::new();
    let files = std::fs::read_dir(folder().join(name).join("watch")).unwrap().map(|file| file.unwrap().path());
    for file in files.filter(|file| !file.ends_with("events.events.k8s.io.jsonl")) {
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let seen: Timestamp = line["seen"].as_str().unwrap().parse().unwrap();
            let (change, object) = (line["watch"]["type"].as_str().unwrap(), &line["watch"]["object"]);
            told.extend(
                observation(object["kind"].as_str().unwrap(), change, object, seen).into_iter().map(|observation| (seen, observation)),
            );
        }
    }
    told.sort_by_key(|(seen, _)| *seen);
    let first = told.first().map_or(Timestamp::UNIX_EPOCH, |(seen, _)| *seen);
    let mut all = initial(name, first);
    all.extend(told.into_iter().map(|(_, observation)| observation));
    all
}

fn initial(name: &str, seen: Timestamp) -> Vec<Observation> {
    let Ok(files) = std::fs::read_dir(folder().join(name).join("initial")) else { return Vec::new() };
    let lists = files.map(|file| serde_json::from_slice::<Value>(&std::fs::read(file.unwrap().path()).unwrap()).unwrap());
    let items = |list: Value| {
        let kind = list["kind"].as_str().unwrap().trim_end_matches("List").to_owned();
        list["items"].as_array().unwrap().iter().map(|item| (kind.clone(), item.clone())).collect::<Vec<_>>()
    };
    lists.flat_map(items).flat_map(|(kind, object)| observation(&kind, "ADDED", &object, seen)).collect()
}

fn observation(kind: &str, change: &str, object: &Value, seen: Timestamp) -> Vec<Observation> {
    if kind == "Pod" {
        return vec![Observation::Pod(Box::new(pod(object, seen, change == "DELETED")))];
    }
    let decoded = decode(kind, object, seen, &Decoding::default()).unwrap();
    let gone = (change == "DELETED" && kind != "Event")
        .then(|| Observation::Gone(Gone { about: reference(kind, object).unwrap(), seen, how: Departure::Deleted }));
    decoded.into_iter().chain(gone).collect()
}

fn pod(object: &Value, seen: Timestamp, gone: bool) -> PodSeen {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or("").to_owned();
    PodSeen {
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
        uid: text("/metadata/uid").into(),
        node: text("/spec/nodeName").into(),
        workload: text("/metadata/ownerReferences/0/name").into(),
        workload_kind: text("/metadata/ownerReferences/0/kind").into(),
        created_at: text("/metadata/creationTimestamp").parse().ok(),
        ready: None,
        failed: Vec::new(),
        seen,
        gone,
    }
}

/// An index that took them in.
pub fn indexed(observations: impl IntoIterator<Item = Observation>) -> (Index, Changes) {
    let (mut index, mut changes) = (Index::new(""), Changes::default());
    for observation in observations {
        changes.merge(index.observe(observation));
    }
    (index, changes)
}
