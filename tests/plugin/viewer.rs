//! A viewer of a live panel: its query, its channel, and what comes on it.

use crate::grafana_host::{Host, question};
use crate::process::PATIENCE;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Instant;

/// A query of the hour until now, kept current.
pub fn streamed(json: &Value) -> Value {
    let mut json = json.clone();
    json["stream"] = true.into();
    question("A", &json, Timestamp::now().as_millisecond())
}

/// The answer of one query.
pub fn ask(host: &Host, context: &Value, query: &Value) -> Value {
    let answer = host.call("query", json!({ "context": context, "queries": [query] }))["A"].take();
    assert_eq!(answer["status"], 200, "{answer:.2000}");
    answer
}

/// The path of a query's channel, as Grafana hands it back.
pub fn path(host: &Host, context: &Value, json: &Value) -> String {
    let answer = ask(host, context, &streamed(json));
    let channel = answer["frames"][0]["schema"]["meta"]["channel"].as_str().unwrap_or_else(|| panic!("no channel: {answer:.2000}"));
    // What Grafana's `live.ParseChannel` takes.
    assert!(channel.len() <= 160 && channel.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-/=.".contains(&it)), "{channel}");
    let begin = format!("ds/{}/", context["uid"].as_str().unwrap());
    channel.strip_prefix(&begin).unwrap_or_else(|| panic!("{channel} is not of {begin}")).to_owned()
}

/// What the plugin says to somebody who wants in.
pub fn subscribe(host: &Host, context: &Value, path: &str) -> String {
    host.call("subscribe", json!({ "context": context, "path": path }))["status"].as_str().unwrap().to_owned()
}

/// Somebody who reads a channel; gone when dropped.
pub struct Viewer<'h> {
    host: &'h Host,
    stream: Value,
    seen: usize,
}

impl<'h> Viewer<'h> {
    pub fn of(host: &'h Host, context: &Value, path: &str) -> Self {
        let stream = host.call("watch", json!({ "context": context, "path": path }));
        Self { host, stream, seen: 0 }
    }

    /// Packets that have not been read, and how it ended; both empty where nothing comes for so many milliseconds.
    pub fn more(&mut self, patience: u128) -> (Vec<Value>, Option<String>) {
        let asked = json!({ "stream": self.stream, "after": self.seen, "patience": u64::try_from(patience).unwrap() });
        let answer = self.host.call("packets", asked);
        let packets = answer["packets"].as_array().unwrap().clone();
        self.seen += packets.len();
        (packets, answer["end"].as_str().map(str::to_owned))
    }

    /// The first packet that has not been read and is as it should be, with all before it.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let (end, mut read) = (Instant::now() + PATIENCE, Vec::new());
        loop {
            let (packets, ended) = self.more(end.saturating_duration_since(Instant::now()).as_millis().min(5000));
            read.extend(packets);
            if let Some(at) = read.iter().position(&wanted) {
                self.seen -= read.len() - at - 1;
                read.truncate(at + 1);
                return read;
            }
            assert!(ended.is_none() && Instant::now() < end, "no packet with {what} ({ended:?}): {read:?}");
        }
    }

    /// The next packet.
    pub fn next(&mut self) -> Value {
        self.until("anything", |_| true).remove(0)
    }
}

impl Drop for Viewer<'_> {
    fn drop(&mut self) {
        // A host that is gone has no viewers.
        let _ = self.host.try_call("leave", json!({ "stream": self.stream }));
    }
}
