//! The path from facts to the journal under a load no cluster should have: nothing is lost, and what waits is bounded.

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use chaoscope::ingest::{Clock, Ingest};
use chaoscope::journal::{Config, Journal, verify};
use chaoscope_model::event::Severity;
use chaoscope_model::observation::{Desired, News, Notice, Object, Observation, TargetName};
use chaoscope_model::time::Moment;
use chaoscope_model::{Reference, Tool};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

const EXPERIMENTS: u32 = 10_000;
const EVENTS: u32 = 100_000;
/// What may wait for the journal: 4 096 events in `ingest`, and what one more fact adds.
const MOST_WAITING: u64 = 5_000;

fn about(number: u32) -> Reference {
    Reference { kind: "NetworkChaos".into(), namespace: "shop".into(), name: format!("cut-{number}"), uid: format!("uid-{number}") }
}

fn object(number: u32, seen: Timestamp) -> Object {
    Object {
        about: about(number),
        tool: Tool::ChaosMesh,
        version: u64::from(number) + 1,
        seen,
        created_at: Some(seen),
        deletion_at: None,
        paused: false,
        forced: false,
        desired: Some(Desired::Run),
        one_shot: false,
        remote: false,
        action: "delay".into(),
        duration: None,
        selected: true,
        all_injected: false,
        records: Vec::new(),
        parent: None,
        started_by: None,
        parameters: BTreeMap::new(),
        labels: BTreeMap::new(),
    }
}

fn notice(number: u32, seen: Timestamp) -> Notice {
    let at = seen + SignedDuration::from_nanos(i64::from(number) + 1);
    Notice {
        about: about(number % EXPERIMENTS),
        tool: Tool::ChaosMesh,
        name: format!("cut-{}.{number:x}", number % EXPERIMENTS),
        at: Moment::exact(at),
        seen,
        news: News::Other,
        target: TargetName::default(),
        severity: Severity::Normal,
        reason: "Updated".into(),
        message: "Successfully update records of resource".into(),
        attributes: [("type".to_owned(), "updated".to_owned())].into(),
        own: true,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_experiments_and_a_burst_of_events_are_all_stored_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { folder: Some(folder.path().to_owned()), retention: None, max_bytes: None, settle: Duration::ZERO };
    let (journal, restored) = Journal::open(&config).unwrap();
    let ingest = Ingest::start("", journal.clone(), &restored.states, Clock::System, None);
    let seen = Timestamp::now() - SignedDuration::from_mins(1);
    for number in 0..EXPERIMENTS {
        ingest.observe(Observation::Experiment(Box::new(object(number, seen))), seen).await;
    }
    for number in 0..EVENTS {
        ingest.observe(Observation::Notice(Box::new(notice(number, seen))), seen).await;
        let waiting = u64::from(number + 1).saturating_sub(journal.status().events);
        assert!(waiting <= MOST_WAITING, "whoever observes waits: {waiting} events do after {number}");
    }
    ingest.settled().await;
    let status = journal.status();
    assert_eq!((status.runs, status.dropped, status.refused, status.pending), (u64::from(EXPERIMENTS), 0, 0, 0));
    assert!(status.events >= u64::from(EVENTS), "{}", status.events);
    let emitted: u64 = journal.tally().counts(chaoscope::journal::Family::Emitted).map(|(_, count)| count).sum();
    assert_eq!(emitted, u64::from(EVENTS));
    drop((ingest, journal));
    assert_eq!(verify(folder.path()).unwrap().problems, [""; 0]);
}
