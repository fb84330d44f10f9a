//! Runs in words: where one stands, how long it took, whom it touches. Pure; the status page and the command `runs` say the same.

pub(crate) use chaoscope_model::plain;
use chaoscope_model::run::{Outcome, Phase, Run, TargetState};
use jiff::{SignedDuration, Timestamp};

/// How much a run asks for somebody; the order is that of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Open, and something is wrong with it: stuck, overdue, or not in force.
    Alarm,
    /// It ended otherwise than it should have.
    Failed,
    /// Open.
    Open,
    /// It ended well, or without having done anything.
    Ended,
}

impl Standing {
    /// The name of its colour.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Failed => "failed",
            Self::Open => "open",
            Self::Ended => "ended",
        }
    }
}

/// Where a run stands. What depends on the present must be in it already ([`Run::at`]).
pub(crate) fn standing(run: &Run) -> Standing {
    match run.outcome {
        Some(Outcome::InjectionFailed | Outcome::RecoveryFailed | Outcome::Forced) => Standing::Failed,
        Some(_) if left_behind(run) > 0 => Standing::Failed,
        Some(_) => Standing::Ended,
        None if run.stuck_since.is_some() || run.overdue_since.is_some() || not_in_force(run) > 0 => Standing::Alarm,
        None => Standing::Open,
    }
}

/// Its phase, or how it ended; what is wrong comes first.
pub(crate) fn state(run: &Run) -> String {
    let mut out = match (run.stuck_since, run.overdue_since) {
        (Some(_), _) => format!("stuck {}", run.phase.as_str()),
        (None, Some(_)) => format!("overdue {}", run.phase.as_str()),
        (None, None) => run.phase.as_str().to_owned(),
    };
    if let Some(outcome) = run.outcome {
        out = match outcome {
            Outcome::NoTargets => "no targets".to_owned(),
            Outcome::InjectionFailed => "injection failed".to_owned(),
            Outcome::RecoveryFailed => "recovery failed".to_owned(),
            Outcome::Forced => "forced away".to_owned(),
            other => other.as_str().to_owned(),
        };
    }
    out
}

/// Since when something is wrong with it.
pub(crate) fn alarm_since(run: &Run) -> Option<Timestamp> {
    run.stuck_since.or(run.overdue_since)
}

/// Targets of an open run whose kernel does not have the fault as declared.
fn not_in_force(run: &Run) -> usize {
    let astray = |target: &&chaoscope_model::run::Target| matches!(target.verdict.as_deref(), Some("missing" | "drifted"));
    if run.is_open() { run.targets.iter().filter(astray).count() } else { 0 }
}

/// Targets of an ended run on which something of it is still in force.
fn left_behind(run: &Run) -> usize {
    if run.is_open() { 0 } else { run.targets.iter().filter(|target| target.residue.as_deref() == Some("effective")).count() }
}

/// What an experiment is called: `shop/cut-web`, or the name alone where it has no namespace.
pub(crate) fn full_name(namespace: &str, name: &str) -> String {
    let (namespace, name) = (plain(namespace), plain(name));
    if namespace.is_empty() { name } else { format!("{namespace}/{name}") }
}

/// How many of its targets are where they should be, and of how many the kernel says otherwise: `2 injected, 1 not in force`.
pub(crate) fn targets(run: &Run) -> String {
    let said = |count: usize, words: &str| if count > 0 { format!(", {count} {words}") } else { String::new() };
    format!("{}{}{}", told(run), said(not_in_force(run), "not in force"), said(left_behind(run), "still in force"))
}

/// How many are where they should be, as the tool says: `2 of 3 injected`. Only what was injected can recover, and what is gone cannot:
/// `1 of 2 recovered, 1 gone`.
fn told(run: &Run) -> String {
    let count = |states: &[TargetState]| run.targets.iter().filter(|target| states.contains(&target.state)).count();
    let share = |done: usize, all: usize, word: &str| if done == all { format!("{all} {word}") } else { format!("{done} of {all} {word}") };
    let all = run.targets.len();
    match (run.phase, run.outcome) {
        _ if all == 0 => "none".to_owned(),
        (_, Some(Outcome::Completed)) => all.to_string(),
        (_, Some(Outcome::InjectionFailed)) if count(&[TargetState::Recovered]) == 0 => "none injected".to_owned(),
        (Phase::Recovering | Phase::Finished, _) => {
            let (gone, never) = (count(&[TargetState::Gone]), count(&[TargetState::Pending, TargetState::Failed]));
            let injected = all - gone - never;
            let mut parts = Vec::new();
            parts.extend((injected > 0).then(|| share(count(&[TargetState::Recovered]), injected, "recovered")));
            parts.extend((gone > 0).then(|| format!("{gone} gone")));
            parts.extend((never > 0).then(|| format!("{never} never injected")));
            parts.join(", ")
        }
        _ => share(count(&[TargetState::Injected, TargetState::Recovering, TargetState::Recovered, TargetState::Gone]), all, "injected"),
    }
}

/// Whom it touches, by name, at most three and how many more.
pub(crate) fn names(run: &Run) -> String {
    let name = |target: &chaoscope_model::run::Target| match (target.pod.is_empty(), target.netns.is_empty()) {
        (false, _) => full_name(&target.namespace, &target.pod),
        (true, false) => format!("netns {}", plain(&target.netns)),
        (true, true) => plain(&target.id),
    };
    let mut names: Vec<_> = run.targets.iter().map(name).collect();
    names.dedup(); // containers of one pod
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", names.join(", "))
}

/// How long it was open, or is so far.
pub(crate) fn lasted(run: &Run, now: Timestamp) -> String {
    let text = span(run.ended_at.unwrap_or(now).duration_since(run.started_at));
    if run.baseline { format!("over {text}") } else { text }
}

/// `1.2 s`, `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`: two units at most.
pub(crate) fn span(time: SignedDuration) -> String {
    let time = time.max(SignedDuration::ZERO);
    let pair = |big: i64, big_unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        small => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match time.as_secs() {
        0..10 => format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds @ 60..3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        seconds @ 3600..86_400 => pair(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        seconds => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use chaoscope_model::run::Target;

    /// A run that began at a second of 1970; everything else as little as can be.
    pub(crate) fn run(name: &str, started: i64) -> Run {
        let bare = serde_json::json!({
            "id": Run::id_of("", name, 1), "tool": "chaos-mesh", "cluster": "", "kind": "NetworkChaos", "action": "partition",
            "namespace": "shop", "name": name, "uid": name, "ordinal": 1, "phase": "running", "outcome": null,
            "started_at": Timestamp::from_second(started).unwrap(), "baseline": false, "precision": {}, "parameters": {}, "labels": {},
            "targets": [],
        });
        serde_json::from_value(bare).unwrap()
    }

    fn target(pod: &str, state: TargetState) -> Target {
        Target { namespace: "shop".into(), pod: pod.into(), state, ..Target::default() }
    }

    #[test]
    fn what_is_wrong_comes_first() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let open = run("a", 0);
        assert_eq!((standing(&open), state(&open)), (Standing::Open, "running".into()));
        let overdue = Run { expected_end_at: Some(at(10)), ..run("a", 0) }.at(at(1000));
        assert_eq!((standing(&overdue), state(&overdue), alarm_since(&overdue)), (Standing::Alarm, "overdue running".into(), Some(at(10))));
        let stuck = Run { phase: Phase::Injecting, ..run("a", 0) }.at(at(1000));
        assert_eq!((standing(&stuck), state(&stuck), alarm_since(&stuck)), (Standing::Alarm, "stuck injecting".into(), Some(at(0))));
        for (outcome, wanted, text) in [
            (Outcome::Recovered, Standing::Ended, "recovered"),
            (Outcome::NoTargets, Standing::Ended, "no targets"),
            (Outcome::Forced, Standing::Failed, "forced away"),
            (Outcome::RecoveryFailed, Standing::Failed, "recovery failed"),
        ] {
            let ended = Run { phase: Phase::Finished, outcome: Some(outcome), ..run("a", 0) };
            assert_eq!((standing(&ended), state(&ended)), (wanted, text.into()));
        }
    }

    #[test]
    fn targets_are_counted_and_named() {
        let mut some = run("a", 0);
        assert_eq!((targets(&some), names(&some)), ("none".into(), String::new()));
        some.targets = ["a", "b", "c", "d"].map(|pod| target(pod, TargetState::Injected)).to_vec();
        assert_eq!((targets(&some), names(&some)), ("4 injected".into(), "shop/a, shop/b, shop/c and 1 more".into()));
        some.targets[0].state = TargetState::Pending;
        assert_eq!(targets(&some), "3 of 4 injected");
        some.targets[1].verdict = Some("missing".into());
        assert_eq!((targets(&some), standing(&some)), ("3 of 4 injected, 1 not in force".into(), Standing::Alarm));
        some.phase = Phase::Recovering;
        some.targets[1].verdict = Some("unknown".into());
        assert_eq!(targets(&some), "0 of 3 recovered, 1 never injected");
        (some.targets[2].residue, some.outcome) = (Some("effective".into()), Some(Outcome::Recovered));
        assert_eq!((targets(&some), standing(&some)), ("0 of 3 recovered, 1 never injected, 1 still in force".into(), Standing::Failed));
    }

    #[test]
    fn only_what_was_injected_and_is_there_can_recover() {
        use TargetState::{Failed, Gone, Injected, Recovered};
        let ended = |outcome, states: &[TargetState]| {
            let targets = states.iter().map(|state| target("a", *state)).collect();
            super::targets(&Run { phase: Phase::Finished, outcome: Some(outcome), targets, ..run("a", 0) })
        };
        assert_eq!(ended(Outcome::Recovered, &[Gone]), "1 gone");
        assert_eq!(ended(Outcome::Recovered, &[Recovered, Gone]), "1 recovered, 1 gone");
        assert_eq!(ended(Outcome::RecoveryFailed, &[Recovered, Injected, Failed]), "1 of 2 recovered, 1 never injected");
        assert_eq!(ended(Outcome::InjectionFailed, &[Failed, Gone]), "none injected");
    }

    #[test]
    fn times_have_two_units_at_most() {
        for (seconds, text) in [
            (0.04, "0 s"),
            (1.25, "1.3 s"),
            (45.9, "45 s"),
            (200.0, "3 min 20 s"),
            (7500.0, "2 h 5 min"),
            (273_600.0, "3 d 4 h"),
            (-5.0, "0 s"),
        ] {
            assert_eq!(span(SignedDuration::from_secs_f64(seconds)), text);
        }
        let now = Timestamp::from_second(60).unwrap();
        assert_eq!(lasted(&run("a", 0), now), "1 min");
        assert_eq!(lasted(&Run { baseline: true, ..run("a", 0) }, now), "over 1 min");
    }

    #[test]
    fn a_name_steers_no_terminal() {
        assert_eq!(plain("a\u{1b}[2J\u{202e}b\nä"), "a\u{fffd}[2J\u{fffd}b\u{fffd}ä");
    }
}
