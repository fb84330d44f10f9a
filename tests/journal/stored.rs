//! What a batch means: one row for each run and event whatever is told again, positions, the stream, the counters.

use crate::build::{at, config, ended, event, events, ids, keys, open, record, run, runs, target, wait};
use chaoscope::journal::{Batch, Config, Family, Item, Journal, verify};
use chaoscope_model::event::{Event, Severity};
use chaoscope_model::run::{Outcome, Run};
use chaoscope_model::time::Precision;
use jiff::Timestamp;
use std::time::Duration;

fn position(journal: &Journal) -> u64 {
    journal.position().1
}

#[test]
fn what_is_recorded_is_found_by_time_by_id_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(Some(folder.path()));
    let states = vec![("s".to_owned(), Some(b"state".to_vec()))];
    let batch = Batch { runs: vec![run("a", 0.0)], events: vec![event("e", "a", 1.0)], states, ..Batch::default() };
    wait(journal.record(batch)).unwrap();
    record(&journal, &[ended(run("b", 10.0), 20.0, Outcome::Recovered)], &[]).unwrap();
    for _ in 0..2 {
        let (journal, restored) = Journal::open(&crate::build::config(None)).unwrap();
        assert!(restored.states.is_empty() && ids(&journal, &runs(0.0, 100.0)).is_empty(), "another journal");
    }
    let id = journal.position().0;
    drop(journal);
    let (journal, restored) = Journal::open(&crate::build::config(Some(folder.path()))).unwrap();
    assert_eq!(restored.states["s"], b"state");
    assert_eq!(journal.position(), (id, 3));
    assert_eq!(ids(&journal, &runs(-5.0, 100.0)), ["b", "a"], "newest start first");
    assert_eq!(ids(&journal, &runs(21.0, 100.0)), ["a"], "open runs overlap everything after their start");
    assert_eq!(ids(&journal, &runs(20.0, 20.0)), ["b", "a"], "both ends belong to a run");
    assert_eq!(keys(&journal, &events(0.0, 1.0)), ["e"]);
    assert_eq!(journal.run("a").unwrap(), Some(run("a", 0.0)));
    assert_eq!(journal.run("x").unwrap(), None);
    assert_eq!(journal.open_runs().unwrap(), [run("a", 0.0)]);
}

#[test]
fn a_replay_writes_nothing_and_tells_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let all = ([run("a", 0.0), ended(run("b", 10.0), 20.0, Outcome::Recovered)], [event("e", "a", 1.0), event("f", "b", 11.0)]);
    let journal = open(Some(folder.path()));
    record(&journal, &all.0, &all.1).unwrap();
    let tally = journal.tally();
    drop(journal);
    let journal = open(Some(folder.path()));
    let mut changes = journal.subscribe();
    let before = journal.position();
    for _ in 0..3 {
        record(&journal, &all.0, &all.1).unwrap();
        // What depends on the present is no change.
        let stuck = Run { stuck_since: Some(at(3.0)), ..run("a", 0.0) };
        record(&journal, &[stuck], &[]).unwrap();
    }
    assert_eq!(journal.position(), before);
    assert!(changes.try_recv().is_err());
    assert_eq!(journal.tally(), tally);
    assert_eq!((journal.status().runs, journal.status().events, journal.status().open_runs), (2, 2, 1));
}

#[test]
fn an_event_is_upgraded_by_what_is_more_exact_or_announced_and_by_nothing_else() {
    let journal = open(None);
    record(&journal, &[run("a", 0.0)], &[event("e", "a", 1.0)]).unwrap();
    let only = || journal.events(&events(0.0, 10.0), &|_, _| true).unwrap().rows;
    let first = position(&journal);

    record(&journal, &[], &[Event { message: "other".into(), ..event("e", "a", 2.0) }]).unwrap();
    record(&journal, &[], &[Event { precision: Precision::Seen, ..event("e", "a", 2.0) }]).unwrap();
    assert_eq!((only(), position(&journal)), (vec![event("e", "a", 1.0)], first));

    let exact = Event { precision: Precision::Ns, ..event("e", "a", 1.5) };
    record(&journal, &[], std::slice::from_ref(&exact)).unwrap();
    assert_eq!((only(), position(&journal)), (vec![exact.clone()], first + 1));

    let kind = [("type".to_owned(), "applied".to_owned())];
    let announced = Event { announced: true, attributes: kind.clone().into(), ..event("e", "a", 1.0) };
    record(&journal, &[], &[announced]).unwrap();
    assert_eq!(only(), [Event { announced: true, attributes: kind.into(), ..exact }], "the exact time stays");
    assert_eq!(position(&journal), first + 2);
}

#[test]
fn an_event_takes_the_place_of_a_less_exact_one_in_whatever_order_they_come() {
    let less = Event { announced: true, attributes: [("type".to_owned(), "applied".to_owned())].into(), ..event("second", "a", 1.0) };
    let more = Event { precision: Precision::Ns, replaces: Some("second".into()), ..event("exact", "a", 1.5) };
    let mut answers = vec![];
    for order in [[&less, &more, &less, &more], [&more, &less, &more, &less]] {
        let journal = open(None);
        order.iter().for_each(|event| record(&journal, &[], std::slice::from_ref(*event)).unwrap());
        let rows = journal.events(&events(0.0, 10.0), &|_, _| true).unwrap().rows;
        assert_eq!(rows.len(), 1);
        assert!(
            rows[0].announced && rows[0].key == "exact" && rows[0].at == at(1.5) && rows[0].attributes.contains_key("type"),
            "{rows:?}"
        );
        assert_eq!(journal.status().events, 1);
        answers.push((rows, journal.tally().counts(Family::Emitted).map(|(labels, count)| (labels.to_vec(), count)).collect::<Vec<_>>()));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].1, [(vec!["Normal".to_owned(), "Applied".to_owned(), "shop".to_owned()], 1)]);
}

#[test]
fn the_stream_goes_on_from_any_position_with_runs_in_their_latest_state() {
    let journal = open(None);
    let mut live = journal.subscribe();
    record(&journal, &[run("a", 0.0)], &[event("e", "a", 1.0)]).unwrap();
    record(&journal, &[run("b", 5.0)], &[]).unwrap();
    record(&journal, &[ended(run("a", 0.0), 9.0, Outcome::Forced)], &[event("f", "a", 9.0)]).unwrap();
    let words = |seq, item: &Item| match item {
        Item::Run(run) => format!("{seq} {} {}", run.id, run.phase.as_str()),
        Item::Event(event, run) => format!("{seq} {} of {}", event.key, run.as_ref().map_or("", |run| run.phase.as_str())),
    };
    let since = |seq, limit| journal.since(seq, limit).unwrap().map(|all| all.iter().map(|it| words(it.seq, &it.item)).collect::<Vec<_>>());
    assert_eq!(since(0, 10).unwrap(), ["2 e of finished", "3 b running", "4 a finished", "5 f of finished"]);
    assert_eq!(since(3, 1).unwrap(), ["4 a finished"]);
    assert_eq!(since(5, 10).unwrap(), Vec::<String>::new());
    assert_eq!(since(6, 10), None, "of the future");
    let heard: Vec<_> = std::iter::from_fn(|| live.try_recv().ok()).map(|it| words(it.seq, &it.item)).collect();
    assert_eq!(heard, ["1 a running", "2 e of running", "3 b running", "4 a finished", "5 f of finished"]);
}

fn count(journal: &Journal, family: Family, labels: &[&str]) -> Option<u64> {
    journal.tally().counts(family).find(|(have, _)| have == &labels).map(|(_, count)| count)
}

#[test]
fn an_outcome_is_counted_once_and_all_outcomes_are_there_from_the_first_sight() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = |journal: &Journal, outcome| count(journal, Family::Runs, &["shop", "NetworkChaos", "delay", outcome]);
    for restart in 0..3 {
        let journal = open(Some(folder.path()));
        if restart == 0 {
            record(&journal, &[run("a", 0.0)], &[]).unwrap();
            assert!(Outcome::ALL.iter().all(|it| outcome(&journal, it.as_str()) == Some(0)));
        }
        record(&journal, &[ended(run("a", 0.0), 9.0, Outcome::Recovered)], &[]).unwrap();
        record(&journal, &[ended(run("a", 0.0), 8.0, Outcome::Recovered)], &[]).unwrap();
        assert_eq!((outcome(&journal, "recovered"), outcome(&journal, "forced")), (Some(1), Some(0)));
    }
    let journal = open(Some(folder.path()));
    record(&journal, &[ended(run("a", 0.0), 9.0, Outcome::Forced)], &[]).unwrap();
    assert_eq!((outcome(&journal, "recovered"), outcome(&journal, "forced")), (Some(1), Some(0)), "one run, counted once");
}

#[test]
fn an_outcome_that_had_not_settled_is_counted_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let recovered = ["shop", "NetworkChaos", "delay", "recovered"];
    let slow = Config { settle: Duration::from_hours(1), retention: Some(Duration::from_secs(1)), ..config(Some(folder.path())) };
    for _ in 0..2 {
        let journal = Journal::open(&slow).unwrap().0;
        let now = Timestamp::now();
        let over = Run { started_at: now, ended_at: Some(now), ..ended(run("a", 0.0), 0.0, Outcome::Recovered) };
        record(&journal, &[over], &[]).unwrap();
        assert_eq!(count(&journal, Family::Runs, &recovered), Some(0));
    }
    assert_eq!(verify(folder.path()).unwrap().problems, [""; 0]);
    let journal = open(Some(folder.path()));
    record(&journal, &[], &[event("e", "a", 0.0)]).unwrap();
    assert_eq!(count(&journal, Family::Runs, &recovered), Some(1));
}

#[test]
fn failures_are_counted_by_what_failed() {
    let journal = open(None);
    let failed = |key: &str, operation: &str| Event {
        reason: "Failed".into(),
        severity: Severity::Warning,
        attributes: [("operation".to_owned(), operation.to_owned())].into(),
        ..event(key, "a", 1.0)
    };
    let all = [failed("e", "apply"), failed("f", "apply"), failed("g", "recover"), event("h", "a", 1.0)];
    record(&journal, &[run("a", 0.0)], &all).unwrap();
    record(&journal, &[], &[Event { announced: true, ..failed("e", "apply") }]).unwrap();
    assert_eq!(count(&journal, Family::InjectionFailures, &["NetworkChaos", "delay"]), Some(2));
    assert_eq!(count(&journal, Family::RecoveryFailures, &["NetworkChaos", "delay"]), Some(1));
    assert_eq!(journal.tally().counts(Family::Emitted).count(), 0, "upstream's recorder did not send them");
}

/// How often a duration was observed for a run that was recorded in these states.
fn observed(states: &[Run], family: Family) -> Vec<(f64, u64)> {
    let journal = open(None);
    states.iter().for_each(|run| record(&journal, std::slice::from_ref(run), &[]).unwrap());
    let tally = journal.tally();
    let mut all = tally.seconds(family).flat_map(|(_, seconds)| seconds.buckets().collect::<Vec<_>>());
    let some: Vec<_> = all.by_ref().filter(|(_, count)| *count > 0).collect();
    some
}

#[test]
fn durations_are_observed_once_and_only_where_the_bucket_is_certain() {
    let injected = |seconds: f64, precision: Precision, started: Precision| {
        let mut run = run("a", 0.0);
        run.precision.insert("started_at".into(), started);
        run.targets = vec![target("shop", "web-0", "n1"), target("shop", "web-1", "n1")];
        run.targets[0].injected_at = Some(at(seconds));
        run.targets[0].precision.insert("injected_at".into(), precision);
        run
    };
    let one = |run: Run| observed(&[run], Family::InjectionSeconds);
    let (ns, s, seen) = (Precision::Ns, Precision::S, Precision::Seen);
    assert_eq!(one(injected(0.02, ns, ns)), [(0.025, 1)]);
    assert_eq!(one(injected(47.0, s, s)), [(60.0, 1)]);
    assert_eq!(one(injected(47.0, ns, s)), [(60.0, 1)]);
    assert_eq!(one(injected(20.0, s, s)), [], "19 or 21 seconds: two native buckets");
    assert_eq!(one(injected(30.0, s, s)), [], "30 or 31 seconds: two buckets");
    assert_eq!(one(injected(1.0, s, s)), []);
    assert_eq!(one(injected(20.0, seen, ns)), []);
    assert_eq!(one(injected(-1.0, ns, ns)), [], "a clock that was stepped back");
    // Known better later, told again, and a second target.
    let mut more = injected(0.5, ns, ns);
    more.targets[1].injected_at = Some(at(2.0));
    more.targets[1].precision.insert("injected_at".into(), ns);
    more.targets.swap(0, 1);
    let states = [injected(0.0, s, s), injected(0.5, ns, ns), injected(0.6, ns, ns), more.clone(), more];
    assert_eq!(observed(&states, Family::InjectionSeconds), [(0.5, 1), (2.5, 1)]);
    let mut over = injected(0.5, ns, ns);
    over.stop_requested_at = Some(at(10.0));
    over.precision.insert("stop_requested_at".into(), ns);
    over.targets[0].recovered_at = Some(at(10.2));
    over.targets[0].precision.insert("recovered_at".into(), ns);
    assert_eq!(observed(&[over], Family::RecoverySeconds), [(0.25, 1)]);
}

#[test]
fn a_withdrawn_run_is_gone_and_its_events_belong_to_none() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(Some(folder.path()));
    let over = ended(run("b", 1.0), 2.0, Outcome::Recovered);
    record(&journal, &[run("a", 0.0), over.clone()], &[event("e", "a", 1.0), event("f", "b", 1.0)]).unwrap();
    let (before, tally, mut changes) = (position(&journal), journal.tally(), journal.subscribe());

    let withdrawn = vec!["a".to_owned(), "b".to_owned(), "never".to_owned()];
    let late = vec![event("g", "a", 3.0)];
    wait(journal.record(Batch { withdrawn: withdrawn.clone(), events: late, ..Batch::default() })).unwrap();
    wait(journal.record(Batch { withdrawn, ..Batch::default() })).unwrap();

    assert_eq!((journal.run("a").unwrap(), journal.run("b").unwrap()), (None, Some(over)), "what ended stays");
    let of = |key: &str| journal.events(&events(0.0, 9.0), &|event, _| event.key == key).unwrap().rows[0].run.clone();
    assert_eq!((of("e"), of("f"), of("g")), (None, Some("b".to_owned()), None));
    assert_eq!((journal.status().runs, journal.status().open_runs, journal.status().events), (1, 0, 3));
    assert!(matches!(&changes.try_recv().unwrap().item, Item::Event(event, None) if event.key == "g" && event.run.is_none()));
    assert!(changes.try_recv().is_err(), "nothing is told of the run");
    assert!(journal.since(before, 10).unwrap().is_none(), "who knew it begins anew");
    assert_eq!((position(&journal), journal.tally()), (before + 2, tally));
    drop(journal);
    assert_eq!(verify(folder.path()).unwrap().problems, [""; 0]);
    assert_eq!(position(&open(Some(folder.path()))), before + 2);
}

#[test]
fn a_run_may_be_withdrawn_and_told_again_at_once() {
    let journal = open(None);
    record(&journal, &[run("a", 0.0)], &[event("e", "a", 1.0)]).unwrap();
    let again = Batch { withdrawn: vec!["a".into()], runs: vec![run("b", 0.0)], events: vec![event("e", "b", 1.0)], ..Batch::default() };
    wait(journal.record(again)).unwrap();
    assert_eq!(journal.events(&events(0.0, 9.0), &|_, run| run.is_some_and(|run| run.id == "b")).unwrap().rows.len(), 1);
    let both = Batch { withdrawn: vec!["b".into()], runs: vec![run("b", 2.0)], ..Batch::default() };
    wait(journal.record(both)).unwrap();
    assert_eq!(journal.open_runs().unwrap(), [run("b", 2.0)]);
}
