//! `/api/workflows` and `/api/workflows/{uid}`: the workflows that are there, newest first; one comes with its nodes.

use super::super::Api;
use super::super::answer::{json, takes_gzip};
use super::extract::object;
use super::failure::Failure;
use super::wanted::Wanted;
use super::{second, sees};
use crate::cluster::now::Now;
use crate::serve::access::Viewer;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chaoscope_model::plan::{Workflow, WorkflowNode};
use serde::Serialize;
use serde_json::{Map, Value, json as value};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A workflow; nodes and object come with a single one.
#[derive(Serialize)]
struct Shown<'a> {
    /// The dashboard's row, 0 where it has none: never here.
    id: u64,
    uid: &'a str,
    namespace: &'a str,
    name: &'a str,
    entry: &'a str,
    created_at: String,
    finish_time: Option<String>,
    /// Empty while it runs.
    end_time: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topology: Option<Topology<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kube_object: Option<Value>,
}

#[derive(Serialize)]
struct Topology<'a> {
    nodes: Vec<Node<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<Vec<Child<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel: Option<Vec<Child<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conditional_branches: Option<Vec<Child<'a>>>,
    template: &'a str,
    uid: &'a str,
}

#[derive(Serialize)]
struct Child<'a> {
    name: &'a str,
    template: &'a str,
}

impl<'a> Shown<'a> {
    fn of(workflow: &'a Workflow) -> Self {
        let status = match (workflow.accomplished, workflow.scheduled) {
            (true, _) => "finished",
            (false, true) => "running",
            (false, false) => "unknown",
        };
        Self {
            id: 0,
            uid: &workflow.about.uid,
            namespace: &workflow.about.namespace,
            name: &workflow.about.name,
            entry: &workflow.entry,
            created_at: workflow.started_at.or(workflow.created_at).map_or_else(String::new, second),
            finish_time: workflow.deletion_at.map(second),
            end_time: workflow.ended_at.map_or_else(String::new, second),
            status,
            topology: None,
            kube_object: None,
        }
    }

    fn whole(workflow: &'a Workflow, now: &'a Now) -> Self {
        let about = &workflow.about;
        let mut nodes: Vec<&WorkflowNode> = now.workflow_nodes.iter().map(|node| &**node).collect();
        nodes.retain(|node| node.about.namespace == about.namespace && node.workflow == about.name);
        nodes.sort_by(|a, b| a.about.name.cmp(&b.about.name));
        let spec = Map::from_iter([("entry".to_owned(), value!(workflow.entry))]);
        Self {
            topology: Some(Topology { nodes: nodes.iter().map(|node| Node::of(node, &nodes)).collect() }),
            kube_object: Some(object(about, &BTreeMap::new(), spec)),
            ..Self::of(workflow)
        }
    }
}

impl<'a> Node<'a> {
    fn of(node: &'a WorkflowNode, all: &[&'a WorkflowNode]) -> Self {
        let kind = match node.makes.as_str() {
            "Serial" => "SerialNode",
            "Parallel" => "ParallelNode",
            "Suspend" => "SuspendNode",
            "Task" => "TaskNode",
            "StatusCheck" => "StatusCheckNode",
            "Schedule" => "ScheduleNode",
            _ => "ChaosNode",
        };
        // The dashboard never says "Failed"; a node that was ended has succeeded to it.
        let over = ["Accomplished", "DeadlineExceed", "Aborted"];
        let over = node.conditions.iter().any(|condition| over.contains(&condition.as_str()));
        let template = |name: &str| all.iter().find(|it| it.about.name == name).map_or("", |it| it.template.as_str());
        let names = node.finished_children.iter().chain(&node.active_children);
        let children = |wanted| (kind == wanted).then(|| names.clone().map(|name| Child { name, template: template(name) }).collect());
        Self {
            name: &node.about.name,
            kind,
            state: if over { "Succeed" } else { "Running" },
            serial: children("SerialNode"),
            parallel: children("ParallelNode"),
            conditional_branches: children("TaskNode"),
            template: &node.template,
            uid: &node.about.uid,
        }
    }
}

/// Workflows a caller may see. May block.
fn live<'a>(now: &'a Now, viewer: &Viewer) -> Vec<&'a Workflow> {
    let mut live: Vec<&Workflow> = now.workflows.iter().map(|it| &**it).filter(|it| sees(viewer, &it.about)).collect();
    live.sort_by(|a, b| (Reverse(a.started_at), &a.about.uid).cmp(&(Reverse(b.started_at), &b.about.uid)));
    live
}

/// `/api/workflows`
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    let (mut wanted, gzip) = (Wanted::parse(query.as_deref())?, takes_gzip(&headers));
    (wanted.name, wanted.kind) = (None, None);
    api.ask(move |api| {
        let now = (api.present.cluster)();
        let live = live(&now, &viewer);
        viewer.complete()?;
        let shown = live.into_iter().filter(|it| wanted.takes(&it.about)).map(Shown::of);
        Ok(json(&shown.collect::<Vec<_>>(), gzip)?)
    })
    .await
}

/// `/api/workflows/{uid}`; one that is not there is 404, which the dashboard answers with 500.
pub(super) async fn one(State(api): State<Arc<Api>>, uid: Option<Path<String>>, headers: HeaderMap) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    let uid = uid.map_or_else(String::new, |Path(uid)| uid);
    api.ask(move |api| {
        let now = (api.present.cluster)();
        let workflow = live(&now, &viewer).into_iter().find(|it| it.about.uid == uid);
        viewer.complete()?;
        let workflow = workflow.ok_or_else(|| Failure::unknown("Workflow", &uid))?;
        Ok(json(&Shown::whole(workflow, &now), false)?)
    })
    .await
}
