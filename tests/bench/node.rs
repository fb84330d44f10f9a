//! What the node role costs, as ratios within one run: against three tools per container, and against the floor.
//!
//! `make bench`, or `cargo bench -p chaoscope -- --quick` for a glance, `--full` for the yardstick at 1 000 namespaces too, `--verdicts` for
//! what verdicts add alone. Needs root and Debian's iproute2, iptables, ipset. Absolute figures are this machine's; only the ratios are held against bars.
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

#[path = "../kit/http.rs"]
mod http;
#[path = "../kit/runtime_messages.rs"]
mod messages;
#[path = "../kit/process.rs"]
mod process;
mod rest;
#[path = "../kit/runtime_scripted.rs"]
mod scripted;
mod verdicts;
mod world;

use chaoscope::node::modules::Modules;
use chaoscope::node::visit::Plan;
use chaoscope::node::visits::{Place, visit_all};
use std::time::{Duration, Instant};
use world::{Kind, Population, Program, floor};

/// Passes whose median is the hot figure, and how many of them lie between two runs of the yardstick.
const HOT: usize = 15;
const ROUNDS: usize = 3;
/// The size the bars are about.
const JUDGED: usize = 200;

struct Mode {
    sizes: &'static [usize],
    most: usize,
    cold: usize,
    full: bool,
}

/// One line of the table.
struct Row {
    kind: Kind,
    count: usize,
    tools: Option<[Duration; 2]>,
    hot: [Duration; 2],
    cold: Option<[Duration; 2]>,
    floor: Duration,
}

fn main() {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let mode = if has("--quick") {
        Mode { sizes: &[50, 200], most: 200, cold: 0, full: false }
    } else {
        Mode { sizes: &[50, 200, 1000], most: 1000, cold: 3, full: has("--full") }
    };
    let mut bars = Vec::new();
    if has("--verdicts") {
        verdicts::measure(JUDGED, &mut bars);
        return told(bars);
    }
    let idle = Population::start(Kind::Idle, 110).wait();
    rest::at_rest(&idle.pids, mode.cold > 0, &mut bars);
    drop(idle);

    let started = [Kind::Legacy, Kind::Nft].map(|kind| Population::start(kind, mode.most));
    let loaded = started.map(Population::wait);
    println!("\nread by: three tools per namespace, one and two at a time | us, one and two threads | the floor; ratios are to the tools");
    println!(
        "{:<7} {:>5} {:>10} {:>10} {:>9} {:>9} {:>7} {:>7} {:>7} {:>8} {:>8} {:>7} {:>16}",
        "kind", "count", "tools 1", "tools 2", "us 1 ms", "us 2 ms", "1:1", "1:2", "2:2", "us µs", "floor µs", "floors", "cold 1/2 ms"
    );
    let mut rows: Vec<Row> = loaded.iter().flat_map(|population| measure(population, &mode)).collect();
    memory(2 * mode.most);
    drop(loaded);
    rows.extend(measure(&Population::start(Kind::Idle, mode.most).wait(), &mode));
    for row in rows.iter().filter(|row| row.count == JUDGED) {
        judge(row, &mut bars);
    }
    verdicts::measure(JUDGED, &mut bars);
    told(bars);
}

fn told(bars: Vec<Bar>) {
    println!("\nbars of the design, at {JUDGED} namespaces, hot:");
    for (what, reached, bar, met) in bars {
        println!("  {:<11} {what}: {reached:.1} (bar {bar})", if met { "reached" } else { "NOT REACHED" });
    }
}

/// Every size of one kind.
fn measure(population: &Population, mode: &Mode) -> Vec<Row> {
    mode.sizes.iter().map(|count| row(population, *count, mode)).inspect(print).collect()
}

fn row(population: &Population, count: usize, mode: &Mode) -> Row {
    let (places, kind) = (population.places(count), population.kind);
    let with_tools = count < 1000 || mode.full;
    let (mut tools, mut hot, mut floors) = ([vec![], vec![]], [vec![], vec![]], vec![]);
    let rounds = if count >= 1000 { 1 } else { ROUNDS };
    for _ in 0..rounds {
        if with_tools {
            (1..=2).for_each(|jobs| tools[jobs - 1].push(population.upstream_way(count, jobs)));
        }
        sweep(&places, 2, kind); // warms up what the tools displaced
        for _ in 0..HOT / rounds {
            (1..=2).for_each(|threads| hot[threads - 1].push(sweep(&places, threads, kind)));
            floors.push(floor(&places));
        }
    }
    let cold = (count == JUDGED && mode.cold > 0).then(|| {
        [1, 2].map(|threads| {
            let passes = (0..mode.cold).map(|_| {
                std::thread::sleep(Duration::from_secs(5));
                sweep(&places, threads, kind)
            });
            median(passes.collect())
        })
    });
    Row { kind, count, tools: with_tools.then(|| tools.map(median)), hot: hot.map(median), cold, floor: median(floors) }
}

/// One pass over all places. What is not read correctly is not fast but wrong.
fn sweep(places: &[Place], threads: usize, kind: Kind) -> Duration {
    let plan = Plan { modules: Modules::find(), members: false };
    let start = Instant::now();
    let visits = visit_all(places, threads, plan, start + Duration::from_mins(1));
    let took = start.elapsed();
    for visit in visits {
        let reading = visit.expect("in time").reading.expect("entered");
        assert_eq!(reading.errors().count(), 0, "{:?}", reading.errors().collect::<Vec<_>>());
        let rules = |tables: &[chaoscope::node::iptables::Table]| -> usize {
            tables.iter().flat_map(|table| &table.chains).map(|chain| chain.rules.len()).sum()
        };
        let seen = (reading.sets.unwrap().len(), rules(&reading.legacy.unwrap()), rules(&reading.nft.unwrap()));
        assert_eq!(seen, [(2, 6, 0), (2, 0, 6), (0, 0, 0), (3, 6, 0)][kind as usize], "sets, legacy rules, nft rules");
    }
    took
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn ratio(slow: Duration, fast: Duration) -> f64 {
    slow.as_secs_f64() / fast.as_secs_f64()
}

fn print(row: &Row) {
    let dash = || "-".to_owned();
    let tools = |at: usize| row.tools.map_or_else(dash, |tools| format!("{:.1}", ms(tools[at])));
    let against = |slow: usize, fast: usize| row.tools.map_or_else(dash, |tools| format!("{:.0}", ratio(tools[slow], row.hot[fast])));
    let each = |duration: Duration| duration.as_secs_f64() * 1e6 / row.count as f64;
    println!(
        "{:<7} {:>5} {:>10} {:>10} {:>9.2} {:>9.2} {:>7} {:>7} {:>7} {:>8.1} {:>8.1} {:>7.2} {:>16}",
        row.kind.name(),
        row.count,
        tools(0),
        tools(1),
        ms(row.hot[0]),
        ms(row.hot[1]),
        against(0, 0),
        against(0, 1),
        against(1, 1),
        each(row.hot[0]),
        each(row.floor),
        ratio(row.hot[0], row.floor),
        row.cold.map_or_else(dash, |[one, two]| format!("{:.2} / {:.2}", ms(one), ms(two))),
    );
}

/// What is compared, what was measured, the bar in words, whether it is reached.
pub type Bar = (String, f64, &'static str, bool);

fn judge(row: &Row, bars: &mut Vec<Bar>) {
    let [one, two] = row.tools.expect("measured at this size");
    let name = row.kind.name();
    let mut at_least = |what: &str, value: f64, least: f64, bar| bars.push((format!("{name}: {what}"), value, bar, value >= least));
    if row.kind == Kind::Idle {
        at_least("one thread against the tools", ratio(one, row.hot[0]), 300.0, "≥ 300 times");
        let each = row.hot[0].as_secs_f64() * 1e6 / row.count as f64;
        bars.push((format!("{name}: one namespace in µs"), each, "≤ 30", each <= 30.0));
        return;
    }
    at_least("one thread against the tools", ratio(one, row.hot[0]), 150.0, "≥ 150 times");
    at_least("two threads against the tools", ratio(one, row.hot[1]), 300.0, "≥ 300 times");
    at_least("two threads against the tools two at a time", ratio(two, row.hot[1]), 150.0, "≥ 150 times");
    let floors = ratio(row.hot[0], row.floor);
    bars.push((format!("{name}: one namespace in floors"), floors, "≤ 4", floors <= 4.0));
}

/// The whole program over all loaded namespaces.
fn memory(count: usize) {
    let program = Program::start(&["--runtime=none"]);
    let series = program.scrape().lines().filter(|line| !line.starts_with('#')).count();
    program.scrape();
    let (now, most) = program.memory();
    println!("chaoscope node, {count} loaded namespaces, scraped twice: {series} series, RSS {now:.1} MiB, at most {most:.1} MiB");
}
