//! A table of targets: one row per run and target, the newest run first.

use super::affected::Wanted;
use super::look::{self, known};
use super::{Field, Frame, Values, runs};
use crate::query::Query;
use chaoscope_model::run::{Run, Target};
use jiff::Timestamp;
use std::sync::Arc;

/// Most rows: a run may touch thousands.
const MOST: usize = 20_000;

type Row<'r> = (&'r Run, &'r Target);

pub(super) fn frame(query: &Query, found: &[Arc<Run>], now: Timestamp) -> Frame {
    let wanted = Wanted::of(query);
    let sorted = runs::newest_first(found);
    let mut rows: Vec<Row<'_>> =
        sorted.into_iter().flat_map(|run| wanted.targets(run).map(move |target| (run, target))).take(MOST + 1).collect();
    let cut = rows.len() > MOST;
    rows.truncate(MOST);
    let mut frame = Frame::new("targets", [of_target(&rows, now), of_run(&rows)].concat());
    if cut {
        frame.notice(&format!("Only {MOST} targets are shown, there are more: narrow the filter or the time range."));
    }
    frame
}

fn of_target(rows: &[Row<'_>], now: Timestamp) -> Vec<Field> {
    let text = |name: &str, title: &str, pick: fn(&Target) -> &str| {
        Field::of(name, rows, Values::Text, |(_, target)| known(pick(target))).titled(title)
    };
    let duration = |(run, target): &Row<'_>| {
        let end = target.recovered_at.or(run.ended_at).unwrap_or(now);
        target.injected_at.map(|start| look::seconds(start, end))
    };
    vec![
        text("target_namespace", "Namespace", |it| &it.namespace),
        text("target_pod", "Pod", |it| &it.pod),
        text("target_container", "Container", |it| &it.container),
        text("target_workload", "Workload", |it| &it.workload),
        text("target_workload_kind", "Workload kind", |it| &it.workload_kind),
        text("target_node", "Node", |it| &it.node),
        look::as_target_state(text("state", "State", |it| it.state.as_str())),
        look::as_verdict(text("verdict", "Verdict", |it| it.verdict.as_deref().unwrap_or(""))),
        text("verdict_reason", "Why", |it| &it.verdict_reason),
        Field::of("verdict_since", rows, Values::Time, |(_, target)| target.verdict_since).titled("Verdict since"),
        look::as_residue(text("residue", "Left behind", |it| it.residue.as_deref().unwrap_or(""))),
        Field::of("injected_at", rows, Values::Time, |(_, target)| target.injected_at).titled("Injected"),
        Field::of("recovered_at", rows, Values::Time, |(_, target)| target.recovered_at).titled("Recovered"),
        look::as_seconds(Field::of("duration", rows, Values::Number, duration).titled("Duration")),
        text("role", "Role", |it| &it.role),
        text("message", "Message", |it| &it.message),
        text("target_netns", "Network namespace", |it| &it.netns),
        text("target_id", "Target id", |it| &it.id),
    ]
}

fn of_run(rows: &[Row<'_>]) -> Vec<Field> {
    let text =
        |name: &str, title: &str, pick: fn(&Run) -> &str| Field::of(name, rows, Values::Text, |(run, _)| known(pick(run))).titled(title);
    vec![
        text("kind", "Kind", |run| &run.kind),
        text("action", "Action", |run| &run.action),
        text("namespace", "Experiment namespace", |run| &run.namespace),
        text("name", "Experiment", |run| &run.name),
        look::as_run_state(text("phase", "Phase", |run| run.phase.as_str())),
        look::as_run_state(text("outcome", "Outcome", |run| run.outcome.map_or("", |it| it.as_str()))),
        Field::of("started_at", rows, Values::Time, |(run, _)| Some(run.started_at)).titled("Start"),
        text("tool", "Tool", |run| run.tool.as_str()),
        text("cluster", "Cluster", |run| &run.cluster),
        text("run", "Run id", |run| &run.id),
    ]
}
