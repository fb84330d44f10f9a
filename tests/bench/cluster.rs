//! What a scrape of the cluster role costs: 2 000 live experiments of five targets, whole and with gzip, over loopback.
//!
//! `cargo bench -p chaoscope --bench cluster`, with `-- --full` for 10 000 too. The index is filled as watches fill it; no API server is needed.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a program for a person at a terminal: what is missing ends it, with the reason"
)]

use chaoscope::cluster::index::{Changes, Index};
use chaoscope::cluster::now::{Now, Present};
use chaoscope::config::{Arguments, Command};
use chaoscope::exposition::{self, Format};
use chaoscope::journal::{Batch, Config, Journal};
use chaoscope::scrape::{Sources, World, page};
use chaoscope::serve;
use chaoscope::serve::listener::{self, Limits, Listeners};
use chaoscope::serve::web_config::WebConfig;
use chaoscope::source::Error;
use chaoscope_model::observation::{Desired, Object, Observation, Operation, PodSeen, Record, RecordPhase, Step, TargetName};
use chaoscope_model::{Reference, Tool};
use clap::Parser as _;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Scrapes that are measured; the first ones are not.
const SCRAPES: usize = 300;
const TARGETS: usize = 5;

struct Held(Mutex<Index>);

impl Present for Held {
    fn now(&self) -> Result<Arc<Now>, Error> {
        Ok(Arc::new(self.0.lock().unwrap().now(Timestamp::now())))
    }
}

fn main() {
    println!(
        "| live experiments | series | page | gzip | index | encode | CPU each | scrape p50 | p99 | RSS |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    measure(2_000);
    if std::env::args().any(|argument| argument == "--full") {
        measure(10_000);
    }
}

fn measure(experiments: usize) {
    let (index, changes) = filled(experiments);
    let (held, at) = (Arc::new(Held(Mutex::new(index))), Instant::now());
    let now = held.now().unwrap();
    let gathered = at.elapsed();
    let (text, encoded) = encode(now);
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    let page = text.len();
    drop(text);
    let address = serve(held, changes);
    let (mut sizes, before) = (0, cpu());
    let mut times: Vec<Duration> = (0..SCRAPES + 20)
        .map(|_| {
            let start = Instant::now();
            sizes = scrape(address);
            start.elapsed()
        })
        .skip(20)
        .collect();
    let cpu = (cpu() - before) / (SCRAPES + 20) as f64;
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let [p50, p99] = [50, 99].map(|share| ms(times[times.len() * share / 100]));
    println!(
        "| {experiments} × {TARGETS} targets | {series} | {:.1} MiB | {:.2} MiB | {:.1} ms | {:.1} ms | {:.1} ms | {p50:.1} ms | {p99:.1} ms | {:.1} MiB |",
        page as f64 / 1_048_576.0,
        sizes as f64 / 1_048_576.0,
        ms(gathered),
        ms(encoded),
        cpu * 1e3,
        memory(),
    );
}

/// An index that was told of so many experiments, each injected, and of the pods they hold.
fn filled(experiments: usize) -> (Index, Changes) {
    let (mut index, mut changes) = (Index::new(""), Changes::default());
    for number in 0..experiments {
        for target in 0..TARGETS {
            index.observe(Observation::Pod(Box::new(pod(number, target))));
        }
        let told = index.observe(Observation::Experiment(Box::new(object(number))));
        changes.runs.extend(told.runs);
        changes.events.extend(told.events);
    }
    (index, changes)
}

fn encode(now: Arc<Now>) -> (String, Duration) {
    let world = World { cluster: Some(Ok(now)), ..World::default() };
    let (mut out, start) = (Vec::new(), Instant::now());
    exposition::encode(Format::Classic, page(Arc::new(world)), &mut out).expect("a page");
    (String::from_utf8(out).expect("text"), start.elapsed())
}

/// Serves until the program ends.
fn serve(held: Arc<Held>, changes: Changes) -> SocketAddr {
    let arguments = Arguments::try_parse_from(["chaoscope", "node", "--web.listen-address=127.0.0.1:0"]).expect("flags");
    let Command::Node(flags) = arguments.command else { unreachable!() };
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async move {
            let (journal, _) =
                Journal::open(&Config { folder: None, retention: None, max_bytes: None, settle: Duration::ZERO }).expect("a journal");
            for runs in changes.runs.chunks(500) {
                journal.record(Batch { runs: runs.to_vec(), ..Batch::default() }).await.expect("stored");
            }
            drop(changes);
            let listeners = Listeners::bind(&flags.web.listen_address, Limits::default()).expect("a port");
            tell.send(listeners.local_addrs()[0].to_string().parse().expect("host and port")).unwrap();
            let app = serve::router(Sources { cluster: Some(held), journal: Some(journal), ..Sources::default() }, &flags.web);
            let config = WebConfig::load(None).expect("no file");
            listener::serve(listeners, app, config, std::future::pending()).await.expect("served");
        });
    });
    told.recv().expect("an address")
}

/// Bytes of the answer.
fn scrape(address: SocketAddr) -> usize {
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {address}\r\nAccept-Encoding: gzip\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.0 200") && answer.len() > 1000, "{}", String::from_utf8_lossy(&answer[..answer.len().min(200)]));
    answer.len()
}

/// Seconds of processor time, client and all.
fn cpu() -> f64 {
    chaoscope::node::own::read().expect("/proc").cpu_seconds
}

/// MiB this process holds, client and all.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn named(kind: &str, number: usize) -> Reference {
    let namespace = format!("team-{}", number % 40);
    Reference {
        kind: kind.to_owned(),
        namespace,
        name: format!("experiment-{number}"),
        uid: format!("8a6e0804-2bd0-4672-b79d-{number:012}"),
    }
}

fn object(number: usize) -> Object {
    let now = Timestamp::now();
    let step = Step { at: now, operation: Operation::Apply, succeeded: true, message: String::new() };
    let record = |target: usize| {
        let pod = pod(number, target);
        Record {
            selector: ".".to_owned(),
            id: format!("{}/{}", pod.namespace, pod.name),
            target: TargetName { namespace: pod.namespace, pod: pod.name, container: String::new() },
            phase: RecordPhase::Injected,
            injected: 1,
            recovered: 0,
            steps: vec![step.clone()],
            expects: chaoscope_model::declared::Expectation::default(),
        }
    };
    Object {
        about: named("NetworkChaos", number),
        tool: Tool::ChaosMesh,
        version: number as u64 + 1,
        seen: now,
        created_at: Some(now - SignedDuration::from_secs(30)),
        deletion_at: None,
        paused: false,
        forced: false,
        desired: Some(Desired::Run),
        one_shot: false,
        remote: false,
        action: "delay".to_owned(),
        duration: Some(SignedDuration::from_hours(1)),
        selected: true,
        all_injected: true,
        records: (0..TARGETS).map(record).collect(),
        parent: None,
        started_by: Some("kubectl-client-side-apply".to_owned()),
        parameters: BTreeMap::from([("delay.latency".to_owned(), "100ms".to_owned())]),
        labels: BTreeMap::new(),
    }
}

fn pod(number: usize, target: usize) -> PodSeen {
    PodSeen {
        namespace: format!("team-{}", number % 40),
        name: format!("service-{number}-5d8c7b9f4-{target:05}"),
        uid: format!("{number}-{target}").into(),
        node: format!("node-{}", (number + target) % 200).into(),
        workload: format!("service-{number}").into(),
        workload_kind: "Deployment".into(),
        created_at: None,
        ready: Some(true),
        failed: Vec::new(),
        seen: Timestamp::now(),
        gone: false,
    }
}
