//! An origin that answers one page, made before, to whatever it is asked, and counts how often. HTTP/1.1 by hand, connections kept alive.

use chaoscope_model::run::{Outcome, Phase, Run, Target, TargetState};
use chaoscope_model::time::Precision;
use chaoscope_model::{Few, Tool};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const TARGETS: usize = 3;

pub struct Origin {
    pub url: String,
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Origin {
    /// Answers `page` to everything, so long after it was asked.
    pub fn start(page: &str, after: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", page.len());
        let (answer, asked) = (Arc::new(head + page), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, count, stream) = (Arc::clone(&answer), Arc::clone(&count), stream.unwrap());
                thread::spawn(move || while serve(&stream, &answer, &count, after).is_some() {});
            }
        });
        Self { url: format!("http://{address}"), address, asked }
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// The answer, by somebody who does nothing with it.
    pub fn fetch(&self) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }
}

/// One request; `None` where the client went away.
fn serve(stream: &TcpStream, answer: &str, count: &AtomicUsize, after: Duration) -> Option<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    count.fetch_add(1, Ordering::Relaxed);
    thread::sleep(after);
    writer.write_all(answer.as_bytes()).ok()
}

/// A page as the API gives it: runs of two minutes each, of three targets, begun evenly over the time before `now`, the newest first.
pub fn page(runs: usize, now: Timestamp, back: SignedDuration) -> String {
    let step = back / i32::try_from(runs).unwrap();
    let of = |number: usize| run(number, now - step * i32::try_from(number).unwrap(), SignedDuration::from_mins(2), now);
    json!({ "runs": (0..runs).map(of).collect::<Vec<_>>(), "next": null }).to_string()
}

/// The same, each run 40 hours long.
pub fn long_page(runs: usize, now: Timestamp) -> String {
    let start = now - SignedDuration::from_hours(40);
    let of =
        |number: usize| run(number, start - SignedDuration::from_secs(i64::try_from(number).unwrap()), SignedDuration::from_hours(40), now);
    json!({ "runs": (0..runs).map(of).collect::<Vec<_>>(), "next": null }).to_string()
}

fn run(number: usize, start: Timestamp, length: SignedDuration, now: Timestamp) -> Run {
    let (injected, asked, end) = (start + SignedDuration::from_millis(1500), start + length, start + length + SignedDuration::from_secs(1));
    let over = end <= now;
    let uid = format!("1f0c7c1e-0000-4000-8000-{number:012x}");
    let texts = |all: &[(&str, &str)]| all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let exact = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Precision::Ns)).collect();
    Run {
        id: Run::id_of("production", &uid, 1),
        tool: Tool::ChaosMesh,
        cluster: "production".to_owned(),
        kind: "NetworkChaos".to_owned(),
        action: "delay".to_owned(),
        namespace: format!("team-{}", number % 20),
        name: format!("checkout-latency-{}", number % 100),
        uid,
        ordinal: 1,
        phase: if over { Phase::Finished } else { Phase::Running },
        outcome: over.then_some(Outcome::Recovered),
        started_at: start,
        injected_at: Some(injected),
        stop_requested_at: over.then_some(asked),
        recovered_at: over.then_some(end),
        expected_end_at: Some(asked),
        ended_at: over.then_some(end),
        ended_after: None,
        baseline: false,
        stuck_since: None,
        overdue_since: None,
        precision: exact(&["started_at", "injected_at", "stop_requested_at", "recovered_at"]),
        parent: None,
        started_by: Some("system:serviceaccount:chaos:gitops".to_owned()),
        parameters: texts(&[("delay.latency", "100ms"), ("delay.jitter", "20ms"), ("direction", "to"), ("mode", "fixed")]),
        labels: texts(&[("app.kubernetes.io/part-of", "game-day"), ("team", "payments")]),
        targets: (0..TARGETS).map(|index| target(number * TARGETS + index, injected, over.then_some(end), &exact)).collect(),
    }
}

fn target(number: usize, injected: Timestamp, recovered: Option<Timestamp>, exact: &impl Fn(&[&str]) -> Few<String, Precision>) -> Target {
    let (workload, namespace) = (format!("checkout-{}", number % 40), format!("team-{}", number % 20));
    let pod = format!("{workload}-7d9c5b6f4-{number:05x}");
    Target {
        id: format!("{namespace}/{pod}/server"),
        namespace,
        pod,
        container: "server".to_owned(),
        node: format!("node-{}.eu-central-1.compute.internal", number % 50),
        workload,
        workload_kind: "Deployment".to_owned(),
        role: "selected".to_owned(),
        state: if recovered.is_some() { TargetState::Recovered } else { TargetState::Injected },
        injected_at: Some(injected),
        recovered_at: recovered,
        precision: exact(&["injected_at", "recovered_at"]),
        ..Target::default()
    }
}
