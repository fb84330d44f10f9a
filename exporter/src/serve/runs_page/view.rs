//! Runs as the page shows them: groups of rows, what asks for somebody first. Pure.

use super::super::words::{Standing, alarm_since, full_name, lasted, names, plain, span, standing, state, targets};
use super::timeline::{Axis, Bar};
use chaoscope_model::run::{Run, TargetState};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Longest message that is shown, in characters.
const LONGEST_MESSAGE: usize = 300;
/// Most parameters that are shown.
const MOST_PARAMETERS: usize = 6;

/// Rows of one standing.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
    /// So many more are not shown.
    pub(super) more: usize,
}

/// One run.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) standing: &'static str,
    pub(super) state: String,
    /// Since when something is wrong with it.
    pub(super) alarm: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) cluster: String,
    pub(super) started: String,
    pub(super) lasted: String,
    pub(super) targets: String,
    pub(super) whom: String,
    /// Parameters, who began it, and what came of it in the kernel.
    pub(super) about: String,
    pub(super) message: String,
    pub(super) bar: Bar,
}

/// How many there are of each standing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) alarm: usize,
    pub(super) failed: usize,
    pub(super) open: usize,
    pub(super) ended: usize,
}

/// Sorts runs (newest first, each with what depends on the present) into groups of at most `most` rows.
pub(super) fn groups(runs: &[Run], axis: Axis, now: Timestamp, most: usize) -> (Count, Vec<Group>) {
    let mut sorted: BTreeMap<Standing, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        sorted.entry(standing(run)).or_default().push(run);
    }
    let number = |standing: Standing| sorted.get(&standing).map_or(0, Vec::len);
    let count = Count {
        alarm: number(Standing::Alarm),
        failed: number(Standing::Failed),
        open: number(Standing::Open),
        ended: number(Standing::Ended),
    };
    let group = |(standing, runs): (Standing, Vec<&Run>)| Group {
        title: match standing {
            Standing::Alarm => "Needs a look",
            Standing::Failed => "Went wrong",
            Standing::Open => "Running",
            Standing::Ended => "Ended",
        },
        more: runs.len().saturating_sub(most),
        rows: runs.into_iter().take(most).map(|run| row(run, axis, now)).collect(),
    };
    (count, sorted.into_iter().map(group).collect())
}

fn row(run: &Run, axis: Axis, now: Timestamp) -> Row {
    let alarm = alarm_since(run).map(|since| format!("since {} ({})", clock(since, now), span(now.duration_since(since))));
    Row {
        id: plain(&run.id),
        standing: standing(run).as_str(),
        state: state(run),
        alarm: alarm.unwrap_or_default(),
        kind: if run.action.is_empty() { plain(&run.kind) } else { format!("{} · {}", plain(&run.kind), plain(&run.action)) },
        name: full_name(&run.namespace, &run.name),
        cluster: plain(&run.cluster),
        started: clock(run.started_at, now),
        lasted: lasted(run, now),
        targets: targets(run),
        whom: names(run),
        about: about(run).join(" · "),
        message: message(run),
        bar: axis.bar(run),
    }
}

/// To the second, with the day where it is not today's; UTC.
pub(super) fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |at: Timestamp| at.as_second().div_euclid(86_400);
    at.strftime(if day(at) == day(now) { "%H:%M:%SZ" } else { "%b %-d %H:%M:%SZ" }).to_string()
}

fn about(run: &Run) -> Vec<String> {
    let mut out: Vec<_> =
        run.parameters.iter().take(MOST_PARAMETERS).map(|(name, value)| format!("{} {}", plain(name), plain(value))).collect();
    if let Some(parent) = &run.parent {
        out.push(format!("by {} {}", plain(&parent.kind), plain(&parent.name)));
    }
    if let Some(who) = &run.started_by {
        out.push(format!("started by {}", plain(who)));
    }
    out.extend(in_the_kernel(run));
    if run.baseline {
        out.push("was there when Chaoscope first looked".to_owned());
    }
    out
}

/// What nodes found of it: each verdict with its reason, and what is left since it ended.
fn in_the_kernel(run: &Run) -> Vec<String> {
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut count = |what, words: String| *counts.entry((what, words)).or_default() += 1;
    for target in &run.targets {
        let reason = if target.verdict_reason.is_empty() { String::new() } else { format!(", {}", target.verdict_reason) };
        target.verdict.iter().for_each(|verdict| count("in the kernel", format!("{verdict}{reason}")));
        target.residue.iter().filter(|left| *left != "none").for_each(|left| count("left behind", left.clone()));
    }
    counts.into_iter().map(|((what, words), count)| format!("{what}: {} ({count})", plain(&words.replace('_', " ")))).collect()
}

/// The tool's word about the first target it has one for; those that failed come first.
fn message(run: &Run) -> String {
    let done = |state| matches!(state, TargetState::Injected | TargetState::Recovered);
    let mut told: Vec<_> = run.targets.iter().filter(|target| !target.message.is_empty()).collect();
    told.sort_by_key(|target| done(target.state));
    let text = told.first().filter(|target| standing(run) != Standing::Ended || !done(target.state));
    text.map_or_else(String::new, |target| chaoscope_model::shortened(&plain(&target.message), LONGEST_MESSAGE))
}

#[cfg(test)]
mod tests {
    use super::super::super::words::tests::run;
    use super::*;
    use chaoscope_model::run::{Outcome, Phase, Target};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_asks_for_somebody_comes_first() {
        let now = at(100_000);
        let ended = |name, outcome| Run { phase: Phase::Finished, outcome: Some(outcome), ended_at: Some(at(99_990)), ..run(name, 99_900) };
        let runs = [
            run("new", 99_995),
            ended("done", Outcome::Recovered),
            ended("torn", Outcome::Forced),
            Run { phase: Phase::Injecting, ..run("stuck", 90_000) }.at(now),
            run("old", 99_000),
        ];
        let (count, groups) = groups(&runs, Axis { from: at(80_000), to: now }, now, 1);
        assert_eq!(count, Count { alarm: 1, failed: 1, open: 2, ended: 1 });
        let told: Vec<_> = groups.iter().map(|group| (group.title, group.rows[0].name.as_str(), group.more)).collect();
        let wanted =
            [("Needs a look", "shop/stuck", 0), ("Went wrong", "shop/torn", 0), ("Running", "shop/new", 1), ("Ended", "shop/done", 0)];
        assert_eq!(told, wanted);
        assert_eq!(groups[0].rows[0].alarm, "since 01:00:00Z (2 h 46 min)");
    }

    #[test]
    fn a_row_says_what_and_why() {
        let now = at(200_000);
        let mut some = run("a", 100);
        some.parameters = [("delay".to_owned(), "100ms".to_owned())].into();
        some.started_by = Some("kubectl\u{202e}".into());
        some.baseline = true;
        let target = |pod: &str, state, message: &str| Target {
            pod: pod.into(),
            state,
            message: message.into(),
            verdict: Some("in_force".into()),
            ..Target::default()
        };
        some.targets = vec![target("x", TargetState::Injected, "fine"), target("y", TargetState::Injecting, "no qdisc")];
        let row = row(&some, Axis { from: at(0), to: now }, now);
        let wanted = "delay 100ms · started by kubectl\u{fffd} · in the kernel: in force (2) · was there when Chaoscope first looked";
        assert_eq!(row.about, wanted);
        assert_eq!((row.message.as_str(), row.started.as_str()), ("no qdisc", "Jan 1 00:01:40Z"));
    }
}
