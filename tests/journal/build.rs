//! Runs, events and journals for tests, with as little to say as possible.

use chaoscope::journal::{Batch, Config, Error, Journal};
use chaoscope_model::Tool;
use chaoscope_model::event::{Event, Severity};
use chaoscope_model::query::{EventQuery, Filter, RunQuery};
use chaoscope_model::run::{Outcome, Phase, Run, Target, TargetState};
use chaoscope_model::time::Precision;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;

/// Seconds after the beginning of the tests' world.
pub fn at(seconds: f64) -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap() + SignedDuration::from_secs_f64(seconds)
}

/// An open run that began then.
pub fn run(id: &str, started: f64) -> Run {
    Run {
        id: id.to_owned(),
        tool: Tool::ChaosMesh,
        cluster: String::new(),
        kind: "NetworkChaos".to_owned(),
        action: "delay".to_owned(),
        namespace: "shop".to_owned(),
        name: format!("experiment-{id}"),
        uid: format!("uid-{id}"),
        ordinal: 1,
        phase: Phase::Running,
        outcome: None,
        started_at: at(started),
        injected_at: None,
        stop_requested_at: None,
        recovered_at: None,
        expected_end_at: None,
        ended_at: None,
        ended_after: None,
        baseline: false,
        stuck_since: None,
        overdue_since: None,
        precision: [("started_at".to_owned(), Precision::S)].into(),
        parent: None,
        started_by: None,
        parameters: [("delay.latency".to_owned(), "100ms".to_owned())].into(),
        labels: [("team".to_owned(), "blue".to_owned())].into(),
        targets: Vec::new(),
    }
}

/// The same run, over.
pub fn ended(run: Run, ended: f64, outcome: Outcome) -> Run {
    Run { phase: Phase::Finished, outcome: Some(outcome), ended_at: Some(at(ended)), ..run }
}

pub fn target(namespace: &str, pod: &str, node: &str) -> Target {
    Target {
        id: format!("{namespace}/{pod}"),
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        node: node.to_owned(),
        state: TargetState::Injected,
        ..Target::default()
    }
}

/// An event of a run, as a record states it.
pub fn event(key: &str, run: &str, happened: f64) -> Event {
    Event {
        key: key.to_owned(),
        run: Some(run.to_owned()),
        tool: Tool::ChaosMesh,
        cluster: String::new(),
        kind: "NetworkChaos".to_owned(),
        namespace: "shop".to_owned(),
        name: format!("experiment-{run}"),
        uid: format!("uid-{run}"),
        at: at(happened),
        precision: Precision::S,
        severity: Severity::Normal,
        reason: "Applied".to_owned(),
        message: "Successfully apply chaos".to_owned(),
        target_namespace: String::new(),
        target_pod: String::new(),
        target_container: String::new(),
        attributes: std::collections::BTreeMap::new(),
        announced: false,
        replaces: None,
    }
}

/// Stores, and waits until it is stored.
pub fn record(journal: &Journal, runs: &[Run], events: &[Event]) -> Result<(), Error> {
    let batch = Batch { runs: runs.to_vec(), events: events.to_vec(), ..Batch::default() };
    wait(journal.record(batch))
}

pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A journal that forgets nothing.
pub fn config(folder: Option<&Path>) -> Config {
    Config { folder: folder.map(Path::to_owned), retention: None, max_bytes: None, settle: std::time::Duration::ZERO }
}

pub fn open(folder: Option<&Path>) -> Journal {
    Journal::open(&config(folder)).unwrap().0
}

/// Everything from the first to the second time.
pub fn runs(from: f64, to: f64) -> RunQuery {
    RunQuery { from: at(from), to: at(to), limit: 1000, after: None, filter: Filter::default() }
}

/// Everything from the first to the second time.
pub fn events(from: f64, to: f64) -> EventQuery {
    EventQuery { from: at(from), to: at(to), limit: 1000, after: None, filter: Filter::default() }
}

/// Ids of the runs of a page, all visible.
pub fn ids(journal: &Journal, query: &RunQuery) -> Vec<String> {
    journal.runs(query, &|run| Some(run.clone())).unwrap().rows.into_iter().map(|run| run.id).collect()
}

/// Keys of the events of a page, all visible.
pub fn keys(journal: &Journal, query: &EventQuery) -> Vec<String> {
    journal.events(query, &|_, _| true).unwrap().rows.into_iter().map(|event| event.key).collect()
}
