//! Applications that no recording shows: built by hand, one line a fact.

use super::*;
use crate::observation::{Record, RecordPhase, Step, TargetName};
use crate::run::Run;
use crate::run::{Outcome, Phase, TargetState};
use crate::time::{Moment, Precision};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn about() -> Reference {
    Reference { kind: "NetworkChaos".into(), namespace: "shop".into(), name: "cut".into(), uid: "u".into() }
}

/// A record of `web-<n>`: its phase, and its successful steps.
fn record(n: u32, phase: RecordPhase, steps: &[(Operation, i64)]) -> Record {
    let count = |operation| u32::try_from(steps.iter().filter(|(done, _)| *done == operation).count()).unwrap();
    let step =
        |(operation, second): &(Operation, i64)| Step { at: at(*second), operation: *operation, succeeded: true, message: String::new() };
    Record {
        selector: ".".into(),
        id: format!("shop/web-{n}"),
        target: TargetName { namespace: "shop".into(), pod: format!("web-{n}"), container: String::new() },
        phase,
        injected: count(Operation::Apply),
        recovered: count(Operation::Recover),
        steps: steps.iter().map(step).collect(),
        expects: crate::declared::Expectation::default(),
    }
}

fn object(version: u64, desired: Desired, records: Vec<Record>) -> Object {
    Object {
        about: about(),
        tool: Tool::ChaosMesh,
        version,
        seen: at(1000 + i64::try_from(version).unwrap()),
        created_at: Some(at(0)),
        deletion_at: None,
        paused: false,
        forced: false,
        desired: Some(desired),
        one_shot: false,
        remote: false,
        action: "partition".into(),
        duration: None,
        selected: true,
        all_injected: false,
        records,
        parent: None,
        started_by: None,
        parameters: BTreeMap::new(),
        labels: BTreeMap::new(),
    }
}

fn history(objects: Vec<Object>) -> History {
    let mut history = History::new("", Tool::ChaosMesh, about(), at(2000));
    for object in objects {
        history.object(object);
    }
    history
}

use Operation::{Apply, Recover};
use RecordPhase::{Applying, Injected, NotInjected};

#[test]
fn a_target_that_missed_an_application_is_counted_in_the_one_it_took_part_in() {
    let first = vec![(Apply, 10), (Recover, 20), (Apply, 30)];
    let history = history(vec![object(1, Desired::Run, vec![record(0, Injected, &first), record(1, Injected, &[(Apply, 31)])])]);
    let runs = history.runs();
    assert_eq!(runs.iter().map(|run| (run.ordinal, run.phase)).collect::<Vec<_>>(), [(1, Phase::Finished), (2, Phase::Running)]);
    assert_eq!(runs[0].targets[1].state, TargetState::Failed);
    assert_eq!(runs[1].targets[1].injected_at, Some(at(31)));
}

#[test]
fn a_target_that_never_recovered_before_the_next_application_is_a_failed_recovery() {
    let steps = vec![(Apply, 10), (Recover, 20), (Apply, 30)];
    let history = history(vec![object(1, Desired::Run, vec![record(0, Injected, &steps), record(1, Injected, &[(Apply, 10)])])]);
    let runs = history.runs();
    assert_eq!(runs[0].outcome, Some(Outcome::RecoveryFailed));
    assert_eq!((runs[1].ordinal, runs[1].outcome), (2, None));
}

#[test]
fn a_resumed_experiment_has_a_run_before_its_first_target_is_injected() {
    let done = record(0, NotInjected, &[(Apply, 10), (Recover, 20)]);
    let runs = history(vec![object(1, Desired::Run, vec![done.clone()])]).runs();
    assert_eq!(runs.iter().map(|run| (run.ordinal, run.phase)).collect::<Vec<_>>(), [(1, Phase::Finished), (2, Phase::Injecting)]);
    assert_eq!(runs[1].precision.get("started_at"), Some(&Precision::Seen));
    let again = history(vec![object(1, Desired::Run, vec![done.clone()]), object(2, Desired::Stop, vec![done])]).runs();
    assert_eq!(again.len(), 2, "a run that was told of does not vanish");
    assert_eq!(again[1].outcome, Some(Outcome::InjectionFailed));
    assert_eq!(again[1].id, runs[1].id);
}

#[test]
fn one_target_fails_and_the_end_waits_for_nobody_who_was_never_injected() {
    let records = vec![record(0, NotInjected, &[(Apply, 10), (Recover, 20)]), record(1, NotInjected, &[])];
    let run = history(vec![object(1, Desired::Stop, records)]).runs().remove(0);
    assert_eq!((run.outcome, run.recovered_at, run.injected_at), (Some(Outcome::Recovered), Some(at(20)), None));
    let records = vec![record(0, NotInjected, &[(Apply, 10), (Recover, 20)]), record(1, Applying, &[])];
    let run = history(vec![object(1, Desired::Stop, records)]).runs().remove(0);
    assert!(run.is_open(), "the controller goes on applying");
}

#[test]
fn without_events_an_end_was_asked_for_no_later_than_the_first_recovery() {
    let run = history(vec![object(1, Desired::Stop, vec![record(0, NotInjected, &[(Apply, 10), (Recover, 20)])])]).runs().remove(0);
    assert_eq!((run.stop_requested_at, run.precision.get("stop_requested_at")), (Some(at(20)), Some(&Precision::S)));
}

#[test]
fn a_kill_that_hit_some_is_open_and_one_that_hit_all_is_complete() {
    let kill = |second| Object { one_shot: true, ..object(1, Desired::Run, vec![record(0, Injected, &[(Apply, 10)]), second]) };
    assert_eq!(history(vec![kill(record(1, NotInjected, &[]))]).runs()[0].phase, Phase::Injecting);
    let run = history(vec![kill(record(1, Injected, &[(Apply, 12)]))]).runs().remove(0);
    assert_eq!((run.outcome, run.ended_at, run.stop_requested_at), (Some(Outcome::Completed), Some(at(12)), None));
}

#[test]
fn steps_beyond_the_tools_memory_keep_their_numbers() {
    let mut long = record(0, Injected, &[(Apply, 70), (Recover, 80), (Apply, 90)]);
    (long.injected, long.recovered) = (40, 39);
    let runs = history(vec![object(1, Desired::Run, vec![long])]).runs();
    let last = runs.last().unwrap();
    assert_eq!((last.ordinal, last.injected_at), (40, Some(at(90))));
    assert_eq!(runs.iter().find(|run| run.ordinal == 39).unwrap().ended_at, Some(at(80)));
    assert_eq!(last.id, Run::id_of("", "u", 40));
}

#[test]
fn a_clock_that_is_behind_ends_nothing_early_and_loses_nothing() {
    // The API server's clock is ten seconds ahead of the controller's: the object was "made" after it was started.
    let mut object = object(1, Desired::Stop, vec![record(0, NotInjected, &[(Apply, 10), (Recover, 20)])]);
    (object.created_at, object.duration) = (Some(at(15)), Some(SignedDuration::from_secs(10)));
    let mut history = history(vec![object]);
    for (second, mark) in [(9, Mark::Started), (19, Mark::TimeUp)] {
        history.notice(&notice(second, News::Mark(mark)));
    }
    let run = history.runs().remove(0);
    assert_eq!((run.started_at, run.stop_requested_at, run.ended_at), (at(9), Some(at(19)), Some(at(20))));
}

fn notice(second: i64, news: News) -> Notice {
    Notice {
        about: about(),
        tool: Tool::ChaosMesh,
        name: format!("cut.{second}"),
        at: Moment::exact(at(second)),
        seen: at(second),
        news,
        target: TargetName::default(),
        severity: crate::event::Severity::Normal,
        reason: String::new(),
        message: String::new(),
        attributes: BTreeMap::new(),
        own: true,
    }
}

#[test]
fn a_record_and_an_event_of_one_fact_are_one_row() {
    let record = || object(1, Desired::Run, vec![record(0, Injected, &[(Apply, 10)])]);
    let mut announced = notice(10, News::Applied { id: "shop/web-0".into() });
    announced.at = Moment::exact(at(10) + SignedDuration::from_millis(300));
    let mut first = History::new("", Tool::ChaosMesh, about(), at(0));
    let rows = [first.object(record()), vec![first.notice(&announced)]].concat();
    assert_eq!(
        rows.iter().map(|row| (row.key.as_str(), row.precision)).collect::<Vec<_>>(),
        [("u|.|shop/web-0|apply|1", Precision::S), ("u|.|shop/web-0|apply|1", Precision::Ns),]
    );
    let mut second = History::new("", Tool::ChaosMesh, about(), at(0));
    let rows = [vec![second.notice(&announced)], second.object(record())].concat();
    assert!(rows.iter().all(|row| row.precision == Precision::Ns));
    assert_eq!(rows[1].key, "u|.|shop/web-0|apply|1");
    assert_eq!(rows[1].replaces.as_ref(), Some(&rows[0].key), "which selector it was is known only now");
}

#[test]
fn many_failures_take_little_memory_and_are_told_once() {
    let failed = |second| Step { at: at(second), operation: Apply, succeeded: false, message: "no netem".into() };
    let mut history = History::new("", Tool::ChaosMesh, about(), at(0));
    let mut told = 0;
    for version in 1..500 {
        let mut trying = record(0, Applying, &[]);
        trying.steps = (version.max(100) - 100..version).map(|second| failed(i64::try_from(second).unwrap())).collect();
        told += history.object(object(version, Desired::Run, vec![trying])).len();
    }
    assert_eq!(told, 499, "each try once");
    assert!(history.tracks[0].failures.len() <= 128);
}

#[test]
fn one_pod_on_both_sides_is_two_targets_of_one_run() {
    let both = |phase, steps: &[(Operation, i64)]| {
        let peer = Record { selector: ".Target".into(), ..record(0, phase, steps) };
        vec![record(0, phase, steps), peer]
    };
    let mut history = history(vec![object(1, Desired::Stop, both(NotInjected, &[(Apply, 10), (Recover, 20)]))]);
    for (second, news) in [(10, true), (11, true), (20, false), (21, false)] {
        let id = "shop/web-0".to_owned();
        history.notice(&notice(second, if news { News::Applied { id } } else { News::Recovered { id } }));
    }
    let runs = history.runs();
    assert_eq!(runs.iter().map(|run| (run.ordinal, run.outcome)).collect::<Vec<_>>(), [(1, Some(Outcome::Recovered))]);
    assert_eq!(runs[0].targets.len(), 2);
}

#[test]
fn an_announcement_of_a_try_that_was_never_recorded_is_no_run() {
    let mut history = history(vec![object(1, Desired::Run, vec![record(0, Applying, &[])])]);
    history.notice(&notice(1, News::Applied { id: "shop/web-0".into() }));
    history.notice(&notice(6, News::Applied { id: "shop/web-0".into() }));
    history.object(object(2, Desired::Run, vec![record(0, Injected, &[(Apply, 6)])]));
    assert_eq!(history.runs().iter().map(|run| (run.ordinal, run.phase)).collect::<Vec<_>>(), [(1, Phase::Running)]);
}

#[test]
fn of_an_experiment_that_was_taken_up_and_never_started_there_is_no_run() {
    let mut history = History::new("", Tool::ChaosMesh, about(), at(0));
    history.notice(&notice(1, News::Mark(Mark::Taken)));
    assert!(history.runs().is_empty(), "it may have been born paused");
}

#[test]
fn of_another_cluster_that_never_told_of_its_targets_it_is_not_said_that_there_were_none() {
    let run_of = |remote| {
        let untold = Object { remote, selected: false, desired: None, ..object(1, Desired::Run, Vec::new()) };
        let mut history = history(vec![untold]);
        history.depart(&Gone { about: about(), seen: at(1000), how: Departure::Deleted });
        history.runs().remove(0)
    };
    let run = run_of(true);
    assert_eq!((run.outcome, run.ended_at, run.ended_after.is_some()), (Some(Outcome::Lost), Some(at(1000)), true));
    assert_eq!(run_of(false).outcome, Some(Outcome::NoTargets));
}

#[test]
fn what_went_unseen_has_recovered_if_each_target_was_told_to_have() {
    let steps = [(Apply, 10), (Recover, 20)];
    let outcome = |records| {
        let mut history = history(vec![object(1, Desired::Run, records)]);
        history.depart(&Gone { about: about(), seen: at(1002), how: Departure::Absent });
        let run = history.runs().remove(0);
        (run.outcome, run.ended_at)
    };
    assert_eq!(outcome(vec![record(0, NotInjected, &steps)]), (Some(Outcome::Recovered), Some(at(20))));
}

#[test]
fn what_a_list_lacked_and_was_seen_later_is_there() {
    let mut history = history(vec![object(1, Desired::Run, vec![record(0, Injected, &[(Apply, 10)])])]);
    history.depart(&Gone { about: about(), seen: at(1000), how: Departure::Absent });
    assert_eq!(history.runs()[0].phase, Phase::Running);
    history.depart(&Gone { about: about(), seen: at(1002), how: Departure::Absent });
    assert_eq!(history.runs()[0].outcome, Some(Outcome::Lost));
    history.object(object(5, Desired::Run, vec![record(0, Injected, &[(Apply, 10)])]));
    assert_eq!(history.runs()[0].phase, Phase::Running, "it came back");
}

#[test]
fn of_applications_before_we_looked_only_those_with_a_time_are_told() {
    let mut old = record(0, Injected, &[(Apply, 70), (Recover, 80), (Apply, 90)]);
    (old.injected, old.recovered) = (8, 7);
    let runs = history(vec![object(1, Desired::Run, vec![old.clone()])]).runs();
    assert_eq!(runs.iter().map(|run| run.ordinal).collect::<Vec<_>>(), [7, 8]);
    old.steps.clear();
    let runs = history(vec![object(1, Desired::Run, vec![old])]).runs();
    assert_eq!(runs.iter().map(|run| (run.ordinal, run.baseline)).collect::<Vec<_>>(), [(8, true)], "its steps were dropped");
}

#[test]
fn no_end_is_before_its_start_whatever_the_clocks_say() {
    // The controller's clock is far behind the API server's.
    let mut behind = object(1, Desired::Stop, vec![record(0, NotInjected, &[(Apply, 10), (Recover, 20)])]);
    behind.created_at = Some(at(100));
    let run = history(vec![behind]).runs().remove(0);
    assert!(run.started_at <= run.injected_at.unwrap() && run.ended_at.unwrap() >= run.started_at);
    // Ours is behind both.
    let mut history = history(vec![Object { seen: at(-500), ..object(1, Desired::Run, vec![record(0, Injected, &[(Apply, 10)])]) }]);
    history.depart(&Gone { about: about(), seen: at(-400), how: Departure::Deleted });
    let run = history.runs().remove(0);
    assert_eq!((run.outcome, run.ended_at), (Some(Outcome::Forced), Some(at(10))));
}

#[test]
fn a_kill_that_was_paused_or_cut_short_is_complete() {
    let kill =
        |version, desired, second| Object { one_shot: true, ..object(version, desired, vec![record(0, Injected, &[(Apply, 10)]), second]) };
    let mut resumed = history(vec![kill(1, Desired::Run, record(1, Injected, &[(Apply, 11)]))]);
    resumed.notice(&notice(20, News::Mark(Mark::Started)));
    assert_eq!(
        resumed.runs().iter().map(|run| (run.outcome, run.ended_at)).collect::<Vec<_>>(),
        [(Some(Outcome::Completed), Some(at(11)))]
    );
    let mut cut = history(vec![kill(1, Desired::Run, record(1, NotInjected, &[]))]);
    cut.depart(&Gone { about: about(), seen: at(1500), how: Departure::Deleted });
    assert_eq!(cut.runs()[0].outcome, Some(Outcome::Completed));
}

#[test]
fn failures_that_read_the_same_are_as_many_as_there_were() {
    let failing = |n| Record {
        steps: vec![Step { at: at(10), operation: Apply, succeeded: false, message: "no server".into() }],
        expects: crate::declared::Expectation::default(),
        ..record(n, NotInjected, &[])
    };
    let object = || object(1, Desired::Run, (0..5).map(failing).collect());
    let said = |nanosecond: i64| {
        let mut told = notice(10, News::Failed { operation: Some(Apply), message: "no server".into() });
        told.at = Moment::exact(at(10) + SignedDuration::from_nanos(nanosecond));
        told.name = format!("cut.{nanosecond}");
        told
    };
    let kept = |records_first: bool| {
        let mut history = History::new("", Tool::ChaosMesh, about(), at(0));
        let mut rows = BTreeMap::new();
        let mut keep = |events: Vec<Event>| {
            for event in events {
                event.replaces.as_ref().map(|key| rows.remove(key));
                rows.insert(event.key.clone(), event);
            }
        };
        if records_first {
            keep(history.object(object()));
        }
        (1..=5).for_each(|nanosecond| keep(vec![history.notice(&said(nanosecond))]));
        if !records_first {
            keep(history.object(object()));
        }
        rows.len()
    };
    assert_eq!((kept(true), kept(false)), (5, 5));
}
