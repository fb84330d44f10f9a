//! `chaoscope_workflow_*`: workflows, and where each of their nodes is.

use super::{extended, identity, times};
use crate::exposition::{Exposition, Labels};
use crate::scrape::{Family, World};
use chaoscope_model::plan::{self, WorkflowNode};
use chaoscope_model::{Parent, Reference};
use std::fmt;

/// What a workflow may be.
const STATES: [&str; 4] = ["pending", "running", "accomplished", "aborted"];
/// What a node may be: the first of its conditions that says it is over decides.
const NODE_STATES: [&str; 4] = ["running", "accomplished", "deadline_exceeded", "aborted"];

pub(super) struct Workflow;

impl Family for Workflow {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(now) = world.now() else { return Ok(()) };
        let all: Vec<_> = now.workflows.iter().map(|it| (identity(&it.about), &**it)).collect();
        let states = all.iter().flat_map(|(labels, it)| one_of(labels, &STATES, state(it)));
        out.gauge("chaoscope_workflow_state", "Where a workflow is: 1 for its state, 0 for the others.", states)?;
        out.gauge("chaoscope_workflow_start_timestamp_seconds", "When a workflow began.", times(&all, |it| it.started_at))?;
        out.gauge("chaoscope_workflow_end_timestamp_seconds", "When a workflow ended.", times(&all, |it| it.ended_at))?;
        let all: Vec<_> = now.workflow_nodes.iter().map(|it| (node_identity(it), &**it)).collect();
        nodes(&all, out)
    }
}

fn nodes(all: &[(Labels<'_>, &WorkflowNode)], out: &mut Exposition<'_>) -> fmt::Result {
    out.gauge(
        "chaoscope_workflow_node_info",
        "What a node of a workflow is, and what it made; always 1.",
        all.iter().map(|it| (info(it), 1_u64)),
    )?;
    let states = all.iter().flat_map(|(labels, it)| one_of(labels, &NODE_STATES, node_state(it)));
    out.gauge("chaoscope_workflow_node_state", "Where a node of a workflow is: 1 for its state, 0 for the others.", states)?;
    out.gauge("chaoscope_workflow_node_start_timestamp_seconds", "When a node of a workflow began.", times(all, |it| it.started_at))?;
    out.gauge(
        "chaoscope_workflow_node_deadline_timestamp_seconds",
        "When a node of a workflow must have ended.",
        times(all, |it| it.deadline_at),
    )
}

fn state(it: &plan::Workflow) -> &'static str {
    match () {
        () if it.accomplished => "accomplished",
        () if it.aborted => "aborted",
        () if it.scheduled => "running",
        () => "pending",
    }
}

fn node_state(it: &WorkflowNode) -> &'static str {
    let ends = [("Aborted", "aborted"), ("Accomplished", "accomplished"), ("DeadlineExceed", "deadline_exceeded")];
    let is = |condition: &str| it.conditions.iter().any(|it| it == condition);
    ends.into_iter().find(|(condition, _)| is(condition)).map_or("running", |(_, state)| state)
}

/// The workflow's identity, and the node's name: Kubernetes' own nodes have the label `node`.
fn node_identity(it: &WorkflowNode) -> Labels<'_> {
    vec![
        ("experiment_namespace", it.about.namespace.as_str().into()),
        ("experiment_kind", "Workflow".into()),
        ("experiment", it.workflow.as_str().into()),
        ("workflow_node", it.about.name.as_str().into()),
    ]
}

fn info<'a>((labels, it): &(Labels<'a>, &'a WorkflowNode)) -> Labels<'a> {
    let child = |text: fn(&Reference) -> &str| it.child.as_ref().map_or("", text).into();
    let more = [
        ("template", it.template.as_str().into()),
        ("kind", it.makes.as_str().into()),
        ("child_kind", child(|child: &Parent| &child.kind)),
        ("child", child(|child| &child.name)),
    ];
    extended(labels, more)
}

fn one_of<'a>(labels: &Labels<'a>, states: &'static [&'static str], is: &'static str) -> impl Iterator<Item = (Labels<'a>, bool)> {
    states.iter().map(move |state| (extended(labels, [("state", (*state).into())]), *state == is))
}
