//! What the Grafana datasource's backend costs: how fast it starts, what it holds, how long an annotation query over 1 000 runs takes from
//! the host's call to the Arrow bytes, how often an origin is asked, and whether memory stays where it is.
//!
//! `make bench`, or `cargo bench -p chaoscope-datasource --bench plugin -- --quick` for a tenth of the queries. The process is the real one;
//! the origin (`plugin/origin.rs`) answers a page that was made before, so it costs next to nothing. Absolute figures are this machine's;
//! what parsing, frames and encoding take of an answer is measured here with the same functions on the same page.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a program for a person at a terminal: what is missing ends it, with the reason"
)]

#[path = "plugin/backend.rs"]
mod backend;
#[path = "plugin/origin.rs"]
mod origin;
#[path = "../kit/process.rs"]
mod process;

use backend::{Backend, Question, asked};
use chaoscope_datasource::frames::{self, Data, arrow};
use chaoscope_datasource::origin::Found;
use chaoscope_datasource::query::Window;
use chaoscope_datasource::query::parse::{self, Asked};
use chaoscope_model::run::Run;
use jiff::{SignedDuration, Timestamp};
use origin::Origin;
use serde::Deserialize;
use std::hint::black_box;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

const STARTS: usize = 50;
const QUESTIONS: usize = 300;
const AT_ONCE: usize = 50;
const RUNS: usize = 1000;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    println!("| | median | p99 | bar |\n|---|---|---|---|");
    starts();
    let idle = idle();
    // Whole seconds, because the range a host asks for is told in milliseconds.
    let now = Timestamp::from_second(Timestamp::now().as_second() - 1).unwrap();
    let page = origin::page(RUNS, now, SignedDuration::from_hours(2));
    annotations(&page, now);
    shares(&page, now);
    println!("\nidle, after a health check: {idle:.1} MiB RSS (bar: 8)");
    at_once(&page, now);
    memory(now, if quick { 1000 } else { 10_000 });
}

/// From before the process is started until its handshake is read.
fn starts() {
    let times = (0..STARTS).map(|_| {
        let begun = Instant::now();
        let backend = Backend::start();
        let took = begun.elapsed();
        drop(backend);
        took
    });
    report("start to handshake", times.collect(), "5 ms");
}

/// MiB of a backend that was asked how it is, as Grafana does, and then left alone.
fn idle() -> f64 {
    let mut backend = Backend::start();
    backend.connect();
    backend.check();
    sleep(Duration::from_secs(2));
    backend.memory().0
}

/// A panel's annotations: asked for the first time, each in a window of its own; and again, which the cache answers.
fn annotations(page: &str, now: Timestamp) {
    let origin = Origin::start(page, Duration::ZERO);
    let mut backend = Backend::start();
    backend.connect();
    let ask = |number: usize| {
        // Longer windows by more than the grid on which windows are shared.
        let from = now - SignedDuration::from_hours(6) - SignedDuration::from_secs(60) * i32::try_from(number).unwrap();
        let begun = Instant::now();
        let frame = backend.ask(&Question { url: &origin.url, from, to: now });
        let took = begun.elapsed();
        assert_eq!(backend::rows(&frame), RUNS);
        took
    };
    ask(QUESTIONS);
    let before = backend.processor();
    report("annotations of 1 000 runs, not cached", (0..QUESTIONS).map(ask).collect(), "20 ms");
    let each = (backend.processor() - before) * 1e3 / QUESTIONS as f64;
    assert_eq!(origin.asked(), QUESTIONS + 1);
    report("the same, cached", (0..QUESTIONS).map(|_| ask(QUESTIONS - 1)).collect(), "");
    assert_eq!(origin.asked(), QUESTIONS + 1);
    println!("| processor of one that is not cached | {each:.2} ms | | |");
}

/// A page as the backend reads it.
#[derive(Deserialize)]
struct Page {
    runs: Vec<Run>,
}

/// Where the time of an answer goes, by the same functions in this process.
fn shares(page: &str, now: Timestamp) {
    let origin = Origin::start(page, Duration::ZERO);
    report("  of that: the origin's answer fetched by a bare client", (0..QUESTIONS).map(|_| time(|| origin.fetch()).1).collect(), "");
    let read = || serde_json::from_str::<Page>(page).unwrap().runs.into_iter().map(Arc::new).collect::<Vec<_>>();
    report("  runs read from JSON", (0..QUESTIONS).map(|_| time(read).1).collect(), "");
    let data = Data::Runs(Found::whole(read()));
    let window = Window { from: now - SignedDuration::from_hours(6), to: now };
    let (interval, limit) = (Duration::from_secs(15), Some(RUNS));
    let asked = Asked { ref_id: "A", window, interval, max_points: 500, query_type: "annotations", from_alert: false, limit };
    let query = parse::query(&asked, &backend::query()).unwrap();
    let (made, encode) = (frames::answer(&query, &data, now, None), |frame| arrow::encode(frame).unwrap());
    report("  frames", (0..QUESTIONS).map(|_| time(|| frames::answer(&query, &data, now, None)).1).collect(), "");
    report("  Arrow", (0..QUESTIONS).map(|_| time(|| encode(&made[0])).1).collect(), "");
    println!("\nthe page: {} kB of JSON, {} kB as Arrow", page.len() / 1000, encode(&made[0]).len() / 1000);
}

/// As many panels at once, whose windows end a few milliseconds apart.
fn at_once(page: &str, now: Timestamp) {
    let origin = Origin::start(page, Duration::from_millis(100));
    let mut backend = Backend::start();
    backend.connect();
    // The grid's middle, so that no edge of it lies between the first and the last.
    let to = Timestamp::from_second(now.as_second() / 3600 * 3600 + 5).unwrap();
    let question = |panel: usize| (to - SignedDuration::from_hours(2), to + SignedDuration::from_millis(i64::try_from(panel).unwrap()));
    let asked: Vec<_> = (0..AT_ONCE).map(question).map(|(from, to)| asked(&Question { url: &origin.url, from, to })).collect();
    let (frames, took) = time(|| backend.ask_all(asked));
    assert_eq!(frames.len(), AT_ONCE);
    let took = took.as_secs_f64() * 1e3;
    println!("{AT_ONCE} panels at once, an origin that takes 100 ms: {} call (bar: 1), all answered after {took:.0} ms", origin.asked());
}

/// What it holds after more and more answers of 1 000 runs, each window another one, so that the cache fills and forgets.
fn memory(now: Timestamp, questions: usize) {
    // Runs of 40 hours, so that each window has all of them.
    let origin = Origin::start(&origin::long_page(RUNS, now), Duration::ZERO);
    let mut backend = Backend::start();
    backend.connect();
    println!("\n| questions asked | RSS | at most |\n|---|---|---|");
    for number in 1..=questions {
        let to = now - SignedDuration::from_secs(10) * i32::try_from(number).unwrap();
        let frame = backend.ask(&Question { url: &origin.url, from: to - SignedDuration::from_hours(1), to });
        assert_eq!(backend::rows(&frame), RUNS);
        if [1, 10, 100, 300, 1000, 3000, 10_000].contains(&number) {
            let (rss, most) = backend.memory();
            println!("| {number} | {rss:.1} MiB | {most:.1} MiB |");
        }
    }
    assert!(origin.asked() >= questions, "the cache answered {} of {questions} windows", questions - origin.asked());
    sleep(Duration::from_secs(2));
    println!("| {questions}, two seconds later | {:.1} MiB | |", backend.memory().0);
}

fn time<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let made = black_box(what());
    (made, begun.elapsed())
}

fn report(what: &str, mut times: Vec<Duration>, bar: &str) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("| {what} | {:.2} ms | {:.2} ms | {bar} |", at(50), at(99));
}
