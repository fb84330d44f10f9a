//! What is said in the middle of a scenario: everything that was told up to a moment, and nothing later.

use crate::recording;
use chaoscope::cluster::index::Index;
use chaoscope::cluster::now::Phase;
use chaoscope_model::observation::Observation;
use chaoscope_model::run::{self, Run, TargetState};
use jiff::{SignedDuration, Timestamp};

fn seen(observation: &Observation) -> Option<Timestamp> {
    match observation {
        Observation::Experiment(object) => Some(object.seen),
        Observation::Notice(notice) => Some(notice.seen),
        Observation::Gone(gone) => Some(gone.seen),
        Observation::Pod(pod) => Some(pod.seen),
        _ => None,
    }
}

fn at(text: &str) -> Timestamp {
    format!("2026-11-21T{text}Z").parse().unwrap()
}

/// The index as it was then.
fn until(name: &str, moment: &str) -> (Index, Timestamp) {
    let mut told = recording::observations(name);
    told.retain(|observation| seen(observation).is_none_or(|seen| seen <= at(moment)));
    (recording::indexed(told).0, at(moment))
}

fn newest(index: &Index, now: Timestamp) -> (Run, Phase, &'static str) {
    let known = index.now(now);
    let experiment = known.experiments.last().unwrap();
    let run = experiment.run.as_deref().unwrap().clone();
    (run.at(now), experiment.phase, experiment.upstream_phase)
}

/// The controller is dead and the duration is over: the fault is in force, and after two minutes the run is overdue.
#[test]
fn a_dead_controller_leaves_the_run_running_and_overdue() {
    let (index, now) = until("controller-down", "14:40:08");
    let (run, phase, upstream) = newest(&index, now);
    assert_eq!((run.phase, phase, upstream, run.overdue_since), (run::Phase::Running, Phase::Running, "running", None));
    let later = run.at(now + SignedDuration::from_secs(120));
    assert_eq!(later.overdue_since, Some(at("14:39:58")));
    assert_eq!(later.stuck_since, None);
}

/// The record says Injected, the pod it speaks of is gone.
#[test]
fn a_replaced_pod_is_gone_while_the_tool_says_it_is_injected() {
    let (index, now) = until("pod-replaced", "14:17:06");
    let (run, _, upstream) = newest(&index, now);
    let states: Vec<_> = run.targets.iter().map(|target| (target.pod.as_str(), target.state)).collect();
    assert_eq!(states, [("web-0", TargetState::Gone), ("web-1", TargetState::Injected), ("client-0", TargetState::Injected)]);
    assert_eq!((run.phase, upstream), (run::Phase::Running, "running"));
}

/// Past its deadline a failed injection is tried on and on: the run is open, stuck since it began.
#[test]
fn a_failed_injection_is_stuck_until_the_object_goes() {
    let (index, now) = until("delay", "13:59:17");
    let (run, phase, upstream) = newest(&index, now);
    assert_eq!((run.phase, phase, upstream), (run::Phase::Injecting, Phase::Injecting, "deleting"));
    assert!(run.stop_requested_at.is_some());
    let later = run.at(now + SignedDuration::from_secs(300));
    assert_eq!(later.stuck_since, Some(later.started_at));
    assert!(later.targets.iter().all(|target| target.state == TargetState::Injecting && target.message.contains("unable to set tcs")));
}

/// A recovery that hangs is stuck since its end was asked for, and is not called finished.
#[test]
fn a_hanging_recovery_is_stuck_since_its_end_was_asked_for() {
    let (index, now) = until("forced-finalizer", "14:05:27");
    let (run, phase, upstream) = newest(&index, now);
    assert_eq!((run.phase, phase, upstream), (run::Phase::Recovering, Phase::Recovering, "deleting"));
    let later = run.at(now + SignedDuration::from_secs(300));
    assert_eq!((later.stuck_since, later.overdue_since), (later.stop_requested_at, None));
}

/// Paused is a phase of the experiment; its run has ended.
#[test]
fn a_paused_experiment_has_no_open_run() {
    let (index, now) = until("pause-resume", "14:03:16");
    let (run, phase, upstream) = newest(&index, now);
    assert_eq!((run.ordinal, run.outcome, phase, upstream), (1, Some(run::Outcome::Recovered), Phase::Paused, "paused"));
    assert_eq!(index.open_runs().count(), 0);
}

/// Born paused: there is an experiment, and no run.
#[test]
fn an_experiment_that_was_born_paused_has_no_run() {
    let (index, now) = until("pause-resume", "14:03:28");
    let known = index.now(now);
    let born = known.experiments.iter().find(|experiment| experiment.object.about.name == "born-paused").unwrap();
    assert_eq!((born.run.as_deref(), born.phase, born.upstream_phase), (None, Phase::Paused, "paused"));
}

/// Nobody matches: it looks for targets until its time is up.
#[test]
fn a_selector_that_matches_nobody_is_selecting() {
    let (index, now) = until("zero-match", "14:03:46");
    for experiment in index.now(now).experiments {
        assert_eq!((experiment.phase, experiment.upstream_phase), (Phase::Selecting, "injecting"), "{}", experiment.object.about.name);
    }
    let (index, now) = until("zero-match", "14:03:57");
    assert!(index.now(now).experiments.iter().all(|experiment| experiment.upstream_phase == "finished"), "as upstream says, too");
}

/// The object was never seen, only Events of it: it was gone before anybody looked.
#[test]
fn events_older_than_the_process_tell_a_whole_run() {
    let told = recording::observations("partition-both").into_iter().filter(|observation| matches!(observation, Observation::Notice(_)));
    let (_, changes) = recording::indexed(told);
    let run = changes.runs.iter().find(|run| run.kind == "NetworkChaos").unwrap();
    assert_eq!((run.outcome, run.targets.len()), (None, 3), "that it is gone is not known yet");
    let (mut index, _) =
        recording::indexed(recording::observations("partition-both").into_iter().filter(|o| matches!(o, Observation::Notice(_))));
    let listed =
        |kind: &str, seen| chaoscope::cluster::index::Listed { kind: kind.into(), namespace: String::new(), uids: [].into(), seen };
    index.events_listed();
    index.listed(listed("NetworkChaos", at("14:00:00")));
    let changes = index.tick(at("14:00:03"));
    let run = changes.runs.first().unwrap();
    assert_eq!(run.outcome, Some(run::Outcome::Recovered));
    assert_eq!(run.id, Run::id_of("", &run.uid, 1));
    assert_eq!(run.ended_at.map(|end| end.to_string()), Some("2026-11-21T13:57:02.236318246Z".to_owned()));
}

/// Chaoscope was down when the object went: the end lies between the last sight and the list that lacks it.
#[test]
fn an_end_that_nobody_saw_is_lost_and_says_between_what() {
    let (mut index, _) = until("partition-both", "13:56:50");
    let uids = |kind: &str| chaoscope::cluster::index::Listed {
        kind: kind.into(),
        namespace: String::new(),
        uids: [].into(),
        seen: at("15:00:00"),
    };
    index.events_listed();
    index.listed(uids("NetworkChaos"));
    assert!(index.tick(at("15:00:01")).runs.is_empty(), "Events may still tell how it ended");
    let changes = index.tick(at("15:00:03"));
    let run = changes.runs.first().unwrap();
    assert_eq!((run.outcome, run.ended_at), (Some(run::Outcome::Lost), Some(at("15:00:00"))));
    assert!(run.ended_after.unwrap() < at("13:56:51"));
}
