//! What is kept between two processes, without a kernel: sweeps that saw a namespace with or without a tbf.

use super::*;
use crate::exposition::Distribution;
use crate::node::namespaces::Namespace;
use crate::node::netns::NsId;
use crate::node::sweep::{Complete, Fate, Observed};
use crate::node::tc::options::{Options, Tbf};
use crate::node::tc::{Handle, Qdisc, Statistics, Tc};
use crate::node::visit::Reading;
use crate::node::visits::Place;
use chaoscope_model::run::Outcome;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn sweep(second: i64, tbf: bool) -> Sweep {
    let options = Options::Tbf(Tbf { rate_bytes_per_second: 1, peakrate_bytes_per_second: None, burst_bytes: 1, limit_bytes: 1 });
    let (handle, parent, statistics) = (Handle(0x8001_0000), Handle::ROOT, Statistics::default());
    let qdisc = Qdisc { device: "lo".into(), ifindex: 1, kind: "tbf".into(), handle, parent, options, statistics };
    let tc = Ok(Tc { qdiscs: tbf.then_some(qdisc).into_iter().collect(), ..Tc::default() });
    let reading = Reading { tc, sets: Ok(vec![]), legacy: Ok(vec![]), nft: Ok(vec![]) };
    let place = Place { id: NsId { dev: 4, ino: 7 }, paths: vec![] };
    let namespace = Namespace { place, inode: 7, name: Some("lab".into()), host: false, pod: None, primary: true, containers: vec![] };
    Sweep {
        at: at(second),
        took: Duration::ZERO,
        runtime: String::new(),
        parts: vec![],
        namespaces: vec![Observed { namespace, fate: Fate::Read(Box::new(reading), Duration::ZERO) }],
        complete: Complete { processes: true, namespaces: true },
        unreadable: 0,
        helpers: vec![],
        mounts: vec![],
        looked: vec![],
        booted: None,
        limitations: vec![],
        durations: Distribution::default(),
    }
}

fn boot(id: &str) -> Boot {
    Boot { id: id.to_owned(), at: Some(at(500)) }
}

/// The journal's states after a batch.
fn store(restored: &mut Restored, batch: Option<Batch>) -> Vec<Run> {
    let Some(batch) = batch else { return Vec::new() };
    for (key, state) in batch.states {
        match state {
            Some(bytes) => restored.states.insert(key, bytes),
            None => restored.states.remove(&key),
        };
    }
    batch.runs
}

fn resume(restored: &Restored, id: &str, open: Vec<Run>) -> (History, Batch) {
    History::resume(boot(id), "", "one", restored, open, at(1000))
}

/// A journal in which a run has been open since second 2, last looked at in second 63.
fn journal() -> (Restored, Run) {
    let mut restored = Restored::default();
    let mut history = resume(&restored, "one", vec![]).0;
    store(&mut restored, history.sweep(&sweep(0, false)));
    let run = store(&mut restored, history.sweep(&sweep(2, true))).remove(0);
    assert!(history.sweep(&sweep(4, true)).is_none(), "nothing new is nothing to store");
    store(&mut restored, history.sweep(&sweep(63, true)));
    (restored, run)
}

#[test]
fn after_a_restart_the_open_run_goes_on() {
    let (mut restored, run) = journal();
    assert_eq!(restored.states.keys().collect::<Vec<_>>(), ["kernel/one", &format!("kernel/one/{}", run.id)]);
    let (mut history, ended) = resume(&restored, "one", vec![run.clone()]);
    assert!(ended.runs.is_empty() && ended.states.is_empty());
    assert!(store(&mut restored, history.sweep(&sweep(1001, true))).is_empty(), "the run is as it was");
    let ended = store(&mut restored, history.sweep(&sweep(1003, false)));
    assert_eq!((ended[0].id.as_str(), ended[0].outcome), (run.id.as_str(), Some(Outcome::Recovered)));
    assert!(restored.states.is_empty(), "{:?}", restored.states.keys());
}

#[test]
fn what_ended_meanwhile_is_lost_after_the_last_look() {
    let (mut restored, run) = journal();
    let mut history = resume(&restored, "one", vec![run]).0;
    let ended = store(&mut restored, history.sweep(&sweep(1001, false)));
    assert_eq!((ended[0].outcome, ended[0].ended_after, ended[0].ended_at), (Some(Outcome::Lost), Some(at(63)), Some(at(1001))));
}

#[test]
fn whoever_stops_notes_when_it_last_looked() {
    let (mut restored, run) = journal();
    let mut history = resume(&restored, "one", vec![run.clone()]).0;
    assert!(history.rest().is_none(), "it has not looked yet");
    history.sweep(&sweep(1001, true));
    store(&mut restored, history.rest());
    let mut history = resume(&restored, "one", vec![run]).0;
    assert_eq!(store(&mut restored, history.sweep(&sweep(2000, false)))[0].ended_after, Some(at(1001)));
}

#[test]
fn another_boot_ends_the_runs_of_the_one_before() {
    let (mut restored, run) = journal();
    let (mut history, ended) = resume(&restored, "two", vec![run.clone()]);
    let ended = store(&mut restored, Some(ended));
    assert_eq!((ended[0].id.as_str(), ended[0].outcome, ended[0].ended_at), (run.id.as_str(), Some(Outcome::Lost), Some(at(500))));
    assert!(restored.states.is_empty());
    assert_ne!(store(&mut restored, history.sweep(&sweep(1001, true)))[0].id, run.id);
}

#[test]
fn an_open_run_whose_state_cannot_be_read_is_lost_and_no_others() {
    let (mut restored, run) = journal();
    let key = format!("kernel/one/{}", run.id);
    restored.states.insert(key.clone(), b"{\"of\": \"a newer release\"}".to_vec());
    let foreign = Run { tool: chaoscope_model::Tool::ChaosMesh, id: "other".into(), ..run.clone() };
    let ended = resume(&restored, "one", vec![run.clone(), foreign]).1;
    assert!(ended.states.contains(&(key, None)), "it is not met again");
    assert_eq!(ended.runs.iter().map(|run| (run.id.as_str(), run.outcome)).collect::<Vec<_>>(), [(run.id.as_str(), Some(Outcome::Lost))]);
}
