//! How long a change in a real API server takes until it is a line of the stream, alone and while ten callers ask for runs.
//!
//! `cargo bench -p chaoscope --bench stream`. A change is a label of an experiment; the clock runs from the API server's answer to the
//! change until the line is read here, so a negative figure means that the line was there first.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a program for a person at a terminal: what is missing ends it, with the reason"
)]

#[path = "../cluster/program.rs"]
mod program;

#[path = "../kit/mod.rs"]
mod kit;

use kit::http::get;
use kit::kube::Kube;
use program::Program;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const CHANGES: usize = 300;
const CALLERS: usize = 10;

fn main() {
    let kube = Kube::start();
    kube.define_all();
    kube.namespace("shop");
    let program = Program::cluster(&kube.kubeconfig(), &[]);
    let heard = listen(program.address);
    println!("| callers | p50 | p99 | longest |\n|---|---|---|---|");
    report(0, &measure(&kube, &heard));
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS).map(|_| ask(program.address, Arc::clone(&stop))).collect();
    report(CALLERS, &measure(&kube, &heard));
    stop.store(true, Ordering::Relaxed);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
}

/// Milliseconds from answer to line, sorted.
fn measure(kube: &Kube, heard: &mpsc::Receiver<(String, Instant)>) -> Vec<f64> {
    let mut object = json!({"apiVersion": "chaos-mesh.org/v1alpha1", "kind": "NetworkChaos", "metadata": {"name": "cut", "namespace": "shop"},
        "spec": {"action": "partition"}});
    let mut answered = HashMap::new();
    let mut lines = HashMap::new();
    for change in 0..CHANGES {
        let mark = format!("{change}-{:?}", thread::current().id()).replace(['(', ')'], "");
        object["metadata"]["labels"] = json!({ "mark": mark });
        kube.put(&object);
        answered.insert(mark, Instant::now());
        lines.extend(heard.try_iter());
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_secs(1));
    lines.extend(heard.try_iter());
    let between = |(mark, at): (&String, &Instant)| {
        let line = lines.get(mark)?;
        let ahead = at.checked_duration_since(*line).map(|early| -early.as_secs_f64());
        Some(1000.0 * ahead.unwrap_or_else(|| line.duration_since(*at).as_secs_f64()))
    };
    let mut all: Vec<f64> = answered.iter().filter_map(between).collect();
    assert!(all.len() * 10 > CHANGES * 9, "only {} of {CHANGES} changes came out", all.len());
    all.sort_by(f64::total_cmp);
    all
}

fn report(callers: usize, all: &[f64]) {
    let at = |percent: usize| all[(all.len() - 1) * percent / 100];
    println!("| {callers} | {:.1} ms | {:.1} ms | {:.1} ms |", at(50), at(99), at(100));
}

/// The label of each run that comes out, and when.
fn listen(address: SocketAddr) -> mpsc::Receiver<(String, Instant)> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n").unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let (Ok(line), at) = (line, Instant::now()) else { return };
            let run: Option<Value> = line.strip_prefix("data:").and_then(|data| serde_json::from_str(data).ok());
            if let Some(mark) = run.as_ref().and_then(|run| run["labels"]["mark"].as_str()) {
                let _ = sender.send((mark.to_owned(), at));
            }
        }
    });
    receiver
}

fn ask(address: SocketAddr, stop: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let (status, _) = get(address, "/api/v1/runs?limit=100").unwrap();
            assert_eq!(status, 200);
        }
    })
}
