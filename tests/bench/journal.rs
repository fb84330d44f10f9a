//! What the journal costs: how many events a second are stored durably, and how long an overlap query takes in a large journal with ten
//! callers at once.
//!
//! `make bench`, or `cargo bench -p chaoscope --bench journal -- --quick` for a glance at a tenth of the size; `--keep FOLDER` fills a journal
//! there once and asks it again the next time. Needs 2 GB in the folder for temporary files. Absolute figures are this machine's.
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

#[path = "../journal/build.rs"]
mod build;

use build::{at, config, ended, event, run, target, wait};
use chaoscope::journal::{Batch, Journal};
use chaoscope_model::query::{EventQuery, Filter, RunQuery};
use chaoscope_model::run::{Outcome, Run};
use chaoscope_model::time::Precision;
use std::path::Path;
use std::time::{Duration, Instant};

/// The size the bars are about: runs, each with [`EVENTS`] events and [`TARGETS`] targets.
const RUNS: u32 = 200_000;
const EVENTS: u32 = 5;
const TARGETS: u32 = 5;
/// The journal goes back so many seconds.
const SPAN: f64 = 90.0 * 86400.0;
/// Callers at once, and what each asks.
const CALLERS: u32 = 10;
const QUESTIONS: u32 = 100;

/// Numbers that look random and are the same in every run (Knuth's multiplier, MMIX).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(sides)).unwrap()
    }

    fn part(&mut self) -> f64 {
        f64::from(self.roll(1 << 30)) / f64::from(1 << 30)
    }
}

/// The `number`th run: most take minutes, some hours, one in a thousand a week; the last ones are open.
fn some_run(number: u32, runs: u32, dice: &mut Dice) -> Run {
    let start = SPAN * f64::from(number) / f64::from(runs);
    let mut it = run(&format!("00000000-0000-5000-8000-{number:012x}"), start);
    it.namespace = format!("team-{}", dice.roll(50));
    it.name = format!("delay-{}", dice.roll(5000));
    it.uid = format!("aaaaaaaa-0000-4000-8000-{number:012x}");
    it.kind = ["NetworkChaos", "PodChaos", "StressChaos", "IOChaos"][dice.roll(4) as usize].to_owned();
    it.injected_at = Some(at(start + 1.5));
    let first = dice.roll(10_000);
    for index in 0..TARGETS {
        let (number, workload) = (first + index, (first + index) / 10);
        let mut target = target(&it.namespace, &format!("web-{workload}-{number}"), &format!("node-{}", number % 100));
        (target.workload, target.workload_kind) = (format!("web-{workload}"), "Deployment".to_owned());
        target.injected_at = Some(at(start + 1.5));
        target.precision = [("injected_at".to_owned(), Precision::Ns)].into();
        it.targets.push(target);
    }
    let length = match dice.roll(1000) {
        0 => 7.0 * 86400.0 * dice.part(),
        1..50 => 6.0 * 3600.0 * dice.part(),
        _ => 900.0 * dice.part(),
    };
    if start + length < SPAN { ended(it, start + length, Outcome::Recovered) } else { it }
}

/// Fills a journal; answers events per second.
fn fill(journal: &Journal, runs: u32) -> f64 {
    let mut dice = Dice(1);
    let begun = Instant::now();
    let mut batch = Batch::default();
    for number in 0..runs {
        let run = some_run(number, runs, &mut dice);
        for index in 0..EVENTS {
            let started = SPAN * f64::from(number) / f64::from(runs);
            let mut event = event(&format!("{}/{index}", run.uid), &run.id, started + f64::from(index));
            (event.namespace, event.name, event.uid) = (run.namespace.clone(), run.name.clone(), run.uid.clone());
            batch.events.push(event);
        }
        batch.runs.push(run);
        if batch.runs.len() >= 80 || number + 1 == runs {
            wait(journal.record(std::mem::take(&mut batch))).unwrap();
        }
    }
    f64::from(runs * EVENTS) / begun.elapsed().as_secs_f64()
}

/// Events per second, each recorded alone by one of many callers who wait until it is stored.
fn ingest(callers: u32, each: u32) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let journal = build::open(Some(folder.path()));
    wait(journal.record(Batch { runs: vec![run("a", 0.0)], ..Batch::default() })).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let begun = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                let journal = journal.clone();
                tokio::spawn(async move {
                    for number in 0..each {
                        let event = event(&format!("{caller}/{number}"), "a", f64::from(number));
                        journal.record(Batch { events: vec![event], ..Batch::default() }).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    f64::from(callers * each) / begun.elapsed().as_secs_f64()
}

/// Processor time this process has used, in seconds; a figure other load does not change. proc(5): fields 14 and 15, in ticks of 10 ms.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// What is asked: a name for the table, how long the window is, the filter's parameters by dice.
type Shape = (&'static str, f64, fn(&mut Dice) -> Vec<(&'static str, String)>);

const SHAPES: [Shape; 7] = [
    ("the last 2 h, no filter", -7200.0, |_| vec![]),
    ("no filter, 6 h", 6.0 * 3600.0, |_| vec![]),
    ("no filter, 30 d", 30.0 * 86400.0, |_| vec![]),
    ("one name space, 30 d", 30.0 * 86400.0, |dice| vec![("namespace", format!("team-{}", dice.roll(50)))]),
    ("one target, 90 d", SPAN, |dice| {
        let number = dice.roll(10_000);
        vec![("target_pod", format!("web-{}-{number}", number / 10))]
    }),
    ("no hit at all, 90 d", SPAN, |dice| vec![("name", format!("nobody-{}", dice.roll(1000)))]),
    ("one pattern of names, 1 h", 3600.0, |dice| vec![("name", format!("delay-{}*", dice.roll(100)))]),
];

fn question(shape: &Shape, dice: &mut Dice) -> (f64, f64, Filter) {
    // A dashboard asks for the end; the others for anywhere.
    let (from, length) = if shape.1 < 0.0 { (SPAN + shape.1, -shape.1) } else { ((SPAN - shape.1) * dice.part(), shape.1) };
    let mut filter = Filter::default();
    for (field, value) in shape.2(dice) {
        assert!(filter.add(field, &value).unwrap());
    }
    (from, from + length, filter)
}

/// Times of all answers of all callers, sorted; each a page of 100 as the bytes of JSON.
fn ask(journal: &Journal, shape: &Shape, answer: impl Fn(&Journal, f64, f64, Filter) -> usize + Sync) -> (Vec<Duration>, usize) {
    let one = |caller: u32| {
        let mut dice = Dice(u64::from(caller) + 7);
        let answers = (0..QUESTIONS).map(|_| {
            let (from, to, filter) = question(shape, &mut dice);
            let begun = Instant::now();
            let bytes = answer(journal, from, to, filter);
            (begun.elapsed(), bytes)
        });
        answers.collect::<Vec<_>>()
    };
    let mut all: Vec<(Duration, usize)> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|caller| scope.spawn(move || one(caller))).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    all.sort();
    let bytes = all.iter().map(|(_, bytes)| bytes).sum::<usize>() / all.len();
    (all.into_iter().map(|(took, _)| took).collect(), bytes)
}

/// As the API asks for who may see everything.
fn runs(journal: &Journal, from: f64, to: f64, filter: Filter) -> usize {
    let query = RunQuery { from: at(from), to: at(to), limit: 100, after: None, filter };
    let page = journal.runs_as_json(&query, None, at(SPAN)).unwrap();
    serde_json::to_vec(&page.rows).unwrap().len()
}

/// As the API asks for whose every right is looked at.
fn runs_seen(journal: &Journal, from: f64, to: f64, filter: Filter) -> usize {
    let query = RunQuery { from: at(from), to: at(to), limit: 100, after: None, filter };
    let page = journal.runs_as_json(&query, Some(&|run| Some(run.clone())), at(SPAN)).unwrap();
    serde_json::to_vec(&page.rows).unwrap().len()
}

/// The same answer by way of values, to compare.
fn run_values(journal: &Journal, from: f64, to: f64, filter: Filter) -> usize {
    let query = RunQuery { from: at(from), to: at(to), limit: 100, after: None, filter };
    let page = journal.runs(&query, &|run| Some(run.clone())).unwrap();
    let runs: Vec<_> = page.rows.into_iter().map(|run| run.at(at(SPAN))).collect();
    serde_json::to_vec(&runs).unwrap().len()
}

fn events(journal: &Journal, from: f64, to: f64, filter: Filter) -> usize {
    let query = EventQuery { from: at(from), to: at(to), limit: 100, after: None, filter };
    let page = journal.events(&query, &|_, _| true).unwrap();
    serde_json::to_vec(&page.rows).unwrap().len()
}

fn table(journal: &Journal, what: &str, answer: impl Fn(&Journal, f64, f64, Filter) -> usize + Sync) {
    println!("\n{what}, page of 100 with JSON, {CALLERS} callers at once (bar: p99 of 10 ms)");
    for shape in &SHAPES {
        let before = processor();
        let (times, bytes) = ask(journal, shape, &answer);
        let each = (processor() - before) * 1e3 / times.len() as f64;
        let part = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
        let (half, most) = (part(50), part(99));
        println!(
            "  {:<28} median {half:>7.2} ms   p99 {most:>7.2} ms   processor {each:>6.2} ms each   {:>7.1} kB",
            shape.0,
            bytes as f64 / 1e3
        );
    }
}

/// What writing costs: alone, by many callers, and in bulk; the last fills the journal.
fn write(journal: &Journal, size: u32, each: u32) {
    println!("ingest, each event stored and flushed before its caller goes on (bar: 5000/s)");
    for callers in [1, 16, 256] {
        println!("  {callers:>4} callers {:>9.0} events/s", ingest(callers, if callers == 1 { each } else { each / 2 }));
    }
    let (before, rate) = (processor(), fill(journal, size));
    let each = (processor() - before) * 1e6 / f64::from(size * EVENTS);
    println!(
        "  one caller, batches of 80 runs with {TARGETS} targets and {EVENTS} events each: {rate:.0} events/s, processor {each:.0} µs each"
    );
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let keep = std::env::args().skip_while(|argument| argument != "--keep").nth(1);
    let (size, each) = if quick { (RUNS / 10, 50) } else { (RUNS, 500) };
    let folder = tempfile::tempdir().unwrap();
    let folder = keep.as_deref().map_or(folder.path(), Path::new);
    let journal = build::open(Some(folder));
    if journal.status().runs == 0 {
        write(&journal, size, each);
    }
    let status = journal.status();
    println!("{} runs ({} open), {} events, {:.0} MB", status.runs, status.open_runs, status.events, status.bytes as f64 / 1e6);
    table(&journal, "runs that overlap", runs);
    table(&journal, "runs that overlap, every right looked at", runs_seen);
    table(&journal, "runs that overlap, by way of values", run_values);
    table(&journal, "events", events);
    drop(journal);
    let begun = Instant::now();
    drop(Journal::open(&config(Some(folder))).unwrap());
    println!("\nopening it, checked from end to end: {:.2} s", begun.elapsed().as_secs_f64());
}
