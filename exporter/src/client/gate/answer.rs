//! What the newest run of an experiment says about a question: yes, not yet, or nothing that could ever be a yes. Pure.
//!
//! To ask something else of a run: a variant of `Until` and a function here.

use crate::config::Until;
use chaoscope_model::run::{Outcome, Phase, Run, Target, TargetState};
use chaoscope_model::verdict::Verdict;
use std::collections::BTreeMap;

/// Reasons of an unknown verdict that say there is nothing to find, wherever one looks.
const NOTHING_TO_FIND: [&str; 2] = ["unsupported", "other_end"];

/// What a run says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is so.
    Yes(String),
    /// It is not, or not yet.
    No(String),
    /// Nobody can tell, or not yet.
    Unknown(String),
}

impl Answer {
    /// Why.
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Yes(words) | Self::No(words) | Self::Unknown(words) => words,
        }
    }
}

/// What the newest run says; `None`: there is none.
pub(super) fn of(run: Option<&Run>, until: Until) -> Answer {
    let Some(run) = run else { return Answer::No("there is no such run".to_owned()) };
    match until {
        Until::InForce => in_force(run),
        Until::Recovered => recovered(run),
        Until::Clean => clean(run),
    }
}

fn in_force(run: &Run) -> Answer {
    match (run.outcome, run.phase) {
        (Some(Outcome::Completed), _) => {
            return Answer::Unknown(format!("{} is done once and leaves nothing in force", said(&run.action, &run.kind)));
        }
        (Some(outcome), _) => return Answer::No(format!("its newest run has ended: {}", outcome.as_str())),
        (None, Phase::Running | Phase::Injecting | Phase::Recovering) => {}
        (None, phase) => return Answer::No(format!("it is {}", phase.as_str())),
    }
    let wanted: Vec<&Target> = run.targets.iter().filter(|target| !nothing_to_find(target)).collect();
    if wanted.is_empty() {
        return match run.targets.len() {
            0 => Answer::No(format!("it is {}, and has no targets yet", run.phase.as_str())),
            _ => Answer::Unknown("a fault of this kind leaves nothing in the kernel that could be found".to_owned()),
        };
    }
    let of = |verdict: Verdict| wanted.iter().filter(|target| target.verdict.as_deref() == Some(verdict.as_str())).count();
    let words = format!("{} of {}: {}", plural(of(Verdict::InForce), "target in force", "targets in force"), wanted.len(), tally(&wanted));
    match (of(Verdict::InForce), of(Verdict::Drifted) + of(Verdict::Missing)) {
        (all, _) if all == wanted.len() && run.phase == Phase::Running => Answer::Yes(words),
        (all, _) if all == wanted.len() => Answer::No(format!("{words}; and it is {}", run.phase.as_str())),
        (_, 0) if run.phase == Phase::Running => Answer::Unknown(words),
        (_, 0) => Answer::No(format!("it is {}; {words}", run.phase.as_str())),
        _ => Answer::No(words),
    }
}

fn recovered(run: &Run) -> Answer {
    match run.outcome {
        Some(outcome @ (Outcome::Recovered | Outcome::Completed)) => Answer::Yes(format!("it ended: {}", outcome.as_str())),
        Some(Outcome::Lost) => Answer::Unknown("it ended unseen: nobody knows how".to_owned()),
        Some(outcome) => Answer::No(format!("it ended: {}", outcome.as_str())),
        None => Answer::No(format!("it is {}", run.phase.as_str())),
    }
}

/// What is left of it; the namespace of a pod that is gone went with it.
fn clean(run: &Run) -> Answer {
    if run.is_open() {
        return Answer::No(format!("it is {}", run.phase.as_str()));
    }
    let untouched = |target: &&Target| target.injected_at.is_none() && matches!(target.state, TargetState::Pending | TargetState::Failed);
    let wanted: Vec<&Target> = run.targets.iter().filter(|target| target.state != TargetState::Gone && !untouched(target)).collect();
    let left = |word: &str| wanted.iter().filter(|target| target.residue.as_deref() == Some(word)).count();
    let (effective, benign, none) = (left("effective"), left("benign"), left("none"));
    let unseen = wanted.len() - effective - benign - none;
    if effective > 0 {
        return Answer::No(format!("something is still in force on {}", plural(effective, "target", "targets")));
    }
    if unseen > 0 {
        return Answer::Unknown(format!("no node has looked at {} since it ended", plural(unseen, "target", "targets")));
    }
    let kept = if benign > 0 { format!(" ({} kept what changes nothing)", plural(benign, "target", "targets")) } else { String::new() };
    Answer::Yes(format!("nothing in force is left on {}{kept}", plural(wanted.len(), "target", "targets")))
}

fn nothing_to_find(target: &Target) -> bool {
    target.verdict.as_deref() == Some(Verdict::Unknown.as_str()) && NOTHING_TO_FIND.contains(&target.verdict_reason.as_str())
}

/// `2 missing (no_rule), 1 not looked at yet`.
fn tally(targets: &[&Target]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for target in targets {
        let words = match (&target.verdict, target.verdict_reason.as_str()) {
            (None, _) => "not looked at yet".to_owned(),
            (Some(verdict), "") => verdict.replace('_', " "),
            (Some(verdict), reason) => format!("{} ({reason})", verdict.replace('_', " ")),
        };
        *counts.entry(words).or_default() += 1;
    }
    let counts: Vec<String> = counts.into_iter().map(|(words, count)| format!("{count} {words}")).collect();
    counts.join(", ")
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn said<'a>(action: &'a str, kind: &'a str) -> &'a str {
    if action.is_empty() { kind } else { action }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target(verdict: &str, reason: &str, residue: &str) -> Target {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (verdict, residue) = (some(verdict), some(residue));
        Target { verdict, verdict_reason: reason.to_owned(), residue, state: TargetState::Injected, ..Target::default() }
    }

    fn run(phase: Phase, outcome: Option<Outcome>, targets: Vec<Target>) -> Run {
        let bare = json!({
            "id": "r", "tool": "chaos-mesh", "cluster": "", "kind": "NetworkChaos", "action": "partition", "namespace": "shop", "name": "cut",
            "uid": "u", "ordinal": 1, "phase": phase, "outcome": outcome, "started_at": "2026-01-01T00:00:00Z", "baseline": false,
            "precision": {}, "parameters": {}, "labels": {}, "targets": [],
        });
        Run { targets, ..serde_json::from_value(bare).unwrap() }
    }

    fn sign(answer: &Answer) -> char {
        match answer {
            Answer::Yes(_) => 'y',
            Answer::No(_) => 'n',
            Answer::Unknown(_) => '?',
        }
    }

    #[test]
    fn in_force_wants_every_target_that_can_be_judged() {
        let is = |phase, targets| sign(&in_force(&run(phase, None, targets)));
        let good = || target("in_force", "", "");
        assert_eq!(is(Phase::Running, vec![good(), good()]), 'y');
        assert_eq!(is(Phase::Running, vec![good(), target("unknown", "other_end", "")]), 'y');
        assert_eq!(is(Phase::Running, vec![good(), target("missing", "no_rule", "")]), 'n');
        assert_eq!(is(Phase::Running, vec![good(), target("drifted", "delay", "")]), 'n');
        assert_eq!(is(Phase::Running, vec![good(), target("unknown", "no_node", "")]), '?');
        assert_eq!(is(Phase::Running, vec![target("", "", "")]), '?');
        assert_eq!(is(Phase::Running, vec![target("unknown", "unsupported", "")]), '?');
        assert_eq!(is(Phase::Injecting, vec![good()]), 'n');
        assert_eq!(is(Phase::Selecting, vec![]), 'n');
        assert_eq!(sign(&in_force(&run(Phase::Finished, Some(Outcome::Recovered), vec![good()]))), 'n');
        assert_eq!(sign(&in_force(&run(Phase::Finished, Some(Outcome::Completed), vec![good()]))), '?');
        let words = in_force(&run(Phase::Running, None, vec![good(), target("missing", "no_rule", "")]));
        assert_eq!(words.words(), "1 target in force of 2: 1 in force, 1 missing (no_rule)");
    }

    #[test]
    fn recovered_is_a_good_end() {
        let is = |outcome| sign(&recovered(&run(Phase::Finished, outcome, vec![])));
        let answers = [Outcome::Recovered, Outcome::Completed, Outcome::Forced, Outcome::NoTargets, Outcome::Lost].map(|it| is(Some(it)));
        assert_eq!((answers, is(None)), (['y', 'y', 'n', 'n', '?'], 'n'));
    }

    #[test]
    fn clean_wants_a_look_at_every_target_after_the_end() {
        let is = |targets| sign(&clean(&run(Phase::Finished, Some(Outcome::Recovered), targets)));
        assert_eq!(is(vec![target("", "", "none"), target("", "", "benign")]), 'y');
        assert_eq!(is(vec![target("", "", "none"), target("", "", "effective"), target("", "", "")]), 'n');
        assert_eq!(is(vec![target("", "", "none"), target("", "", "")]), '?');
        assert_eq!(is(vec![Target { state: TargetState::Gone, ..target("", "", "") }]), 'y');
        assert_eq!(is(vec![Target { state: TargetState::Pending, ..target("", "", "") }]), 'y');
        assert_eq!(sign(&clean(&run(Phase::Recovering, None, vec![target("", "", "none")]))), 'n');
    }

    #[test]
    fn no_run_is_no() {
        assert!([Until::InForce, Until::Recovered, Until::Clean].iter().all(|until| sign(&of(None, *until)) == 'n'));
    }
}
