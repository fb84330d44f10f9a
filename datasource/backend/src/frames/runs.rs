//! A table of runs, the newest first.

use super::look::{self, clean, known};
use super::{Field, Frame, Values};
use chaoscope_model::run::Run;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs, the newest start first.
pub(super) fn newest_first(runs: &[Arc<Run>]) -> Vec<&Run> {
    let mut sorted: Vec<_> = runs.iter().map(Arc::as_ref).collect();
    sorted.sort_by(|one, other| other.started_at.cmp(&one.started_at).then_with(|| one.id.cmp(&other.id)));
    sorted
}

/// Seconds from start to end, or to the present.
pub(super) fn duration(run: &Run, now: Timestamp) -> f64 {
    look::seconds(run.started_at, run.ended_at.unwrap_or(now))
}

/// What about it should not be so now.
pub(super) fn attention(run: &Run, now: Timestamp) -> Option<&'static str> {
    let stuck = run.stuck_since.or_else(|| run.stuck_at(now)).map(|_| "stuck");
    stuck.or_else(|| run.overdue_since.or_else(|| run.overdue_at(now)).map(|_| "overdue"))
}

/// `key=value`, in one line.
pub(super) fn pairs(pairs: &BTreeMap<String, String>) -> Option<String> {
    let texts: Vec<_> = pairs.iter().map(|(key, value)| format!("{}={}", look::clipped(key, 128), look::clipped(value, 256))).collect();
    known(&texts.join(", "))
}

pub(super) fn frame(runs: &[Arc<Run>], now: Timestamp) -> Frame {
    let rows = newest_first(runs);
    let fields = [times(&rows, now), identity(&rows), details(&rows)].concat();
    Frame::new("runs", fields)
}

fn times(rows: &[&Run], now: Timestamp) -> Vec<Field> {
    let phase = Field::of("phase", rows, Values::Text, |run| Some(run.phase.as_str().to_owned())).titled("Phase");
    let outcome = Field::of("outcome", rows, Values::Text, |run| run.outcome.map(|outcome| outcome.as_str().to_owned())).titled("Outcome");
    vec![
        Field::of("started_at", rows, Values::Time, |run| Some(run.started_at)).titled("Start").required(),
        Field::of("ended_at", rows, Values::Time, |run| run.ended_at).titled("End"),
        look::as_seconds(Field::of("duration", rows, Values::Number, |run| Some(duration(run, now))).titled("Duration")),
        look::as_run_state(phase),
        look::as_run_state(outcome),
        Field::of("attention", rows, Values::Text, |run| attention(run, now).map(str::to_owned)).titled("Attention"),
    ]
}

fn identity(rows: &[&Run]) -> Vec<Field> {
    vec![
        Field::of("kind", rows, Values::Text, |run| known(&run.kind)).titled("Kind"),
        Field::of("action", rows, Values::Text, |run| known(&run.action)).titled("Action"),
        Field::of("namespace", rows, Values::Text, |run| known(&run.namespace)).titled("Namespace"),
        Field::of("name", rows, Values::Text, |run| known(&run.name)).titled("Experiment"),
        Field::of("targets", rows, Values::Count, |run| i64::try_from(run.targets.len()).ok()).titled("Targets"),
        Field::of("parameters", rows, Values::Text, |run| pairs(&run.parameters)).titled("Parameters"),
        Field::of("tool", rows, Values::Text, |run| Some(run.tool.as_str().to_owned())).titled("Tool"),
        Field::of("cluster", rows, Values::Text, |run| known(&run.cluster)).titled("Cluster"),
    ]
}

fn details(rows: &[&Run]) -> Vec<Field> {
    let parent = |run: &&Run| run.parent.as_ref().map(|it| format!("{} {}", clean(&it.kind), look::place(&it.namespace, &it.name)));
    vec![
        Field::of("injected_at", rows, Values::Time, |run| run.injected_at).titled("Injected"),
        Field::of("stop_requested_at", rows, Values::Time, |run| run.stop_requested_at).titled("Stop asked for"),
        Field::of("recovered_at", rows, Values::Time, |run| run.recovered_at).titled("Recovered"),
        Field::of("expected_end_at", rows, Values::Time, |run| run.expected_end_at).titled("Expected end"),
        Field::of("parent", rows, Values::Text, parent).titled("Made by"),
        Field::of("started_by", rows, Values::Text, |run| run.started_by.as_deref().and_then(known)).titled("Started by"),
        Field::of("ordinal", rows, Values::Count, |run| Some(i64::from(run.ordinal))).titled("Run no."),
        Field::of("uid", rows, Values::Text, |run| known(&run.uid)).titled("Experiment uid"),
        Field::of("id", rows, Values::Text, |run| known(&run.id)).titled("Run id"),
    ]
}
