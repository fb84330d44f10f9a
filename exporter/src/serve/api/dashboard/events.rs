//! `/api/events`, `/api/events/{id}` and `/api/events/workflow/{uid}`: events with the time they happened, newest first. An `id` is the row in
//! the journal.

use super::super::answer::{json, takes_gzip};
use super::super::events::passes;
use super::super::{Api, problem::Problem};
use super::failure::Failure;
use super::wanted::Wanted;
use super::{second, sees};
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chaoscope_model::event::Event;
use chaoscope_model::query::Filter;
use chaoscope_model::run::Run;
use chaoscope_model::{Reference, Tool};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// An event.
#[derive(Serialize)]
pub(super) struct Shown {
    id: i64,
    object_id: String,
    created_at: String,
    namespace: String,
    name: String,
    kind: String,
    #[serde(rename = "type")]
    severity: &'static str,
    reason: String,
    message: String,
}

impl Shown {
    fn of((id, event): (i64, Event)) -> Self {
        Self {
            id,
            object_id: event.uid,
            created_at: second(event.at),
            namespace: event.namespace,
            name: event.name,
            kind: event.kind,
            severity: event.severity.as_str(),
            reason: event.reason,
            message: event.message,
        }
    }
}

/// `/api/events`
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    let (mut wanted, gzip) = (Wanted::parse(query.as_deref())?, takes_gzip(&headers));
    api.ask(move |api| {
        if wanted.uid.is_some() {
            api.narrow(&mut wanted)?;
        }
        let Some(query) = wanted.events() else { return Ok(json(&[(); 0], gzip)?) };
        let mine = |event: &Event| wanted.uid.as_ref().is_none_or(|uid| *uid == event.uid);
        let page = api.journal.numbered_events(&query, &|event, run| mine(event) && passes(&viewer, &query.filter, event, run))?;
        viewer.complete()?;
        Ok(json(&page.whole()?.into_iter().map(Shown::of).collect::<Vec<_>>(), gzip)?)
    })
    .await
}

/// `/api/events/{id}`
pub(super) async fn one(State(api): State<Arc<Api>>, id: Option<Path<String>>, headers: HeaderMap) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    let number = id.and_then(|Path(id)| id.parse::<i64>().ok()).ok_or_else(|| Failure::bad("ID is not a number"))?;
    api.ask(move |api| {
        let shown = |event: &Event, run: Option<&Run>| event.tool == Tool::ChaosMesh && passes(&viewer, &Filter::default(), event, run);
        let event = api.journal.event(number)?.filter(|(event, run)| shown(event, run.as_deref()));
        viewer.complete()?;
        let (event, _) = event.ok_or_else(|| Failure::unknown("Event", &number.to_string()))?;
        Ok(json(&Shown::of((number, event)), false)?)
    })
    .await
}

/// `/api/events/workflow/{uid}`: those of a workflow that is there, and of its nodes (which are known by their names).
pub(super) async fn of_workflow(
    State(api): State<Arc<Api>>,
    uid: Option<Path<String>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    let uid = uid.map_or_else(String::new, |Path(uid)| uid);
    let (mut wanted, gzip) = (Wanted::parse(query.as_deref())?, takes_gzip(&headers));
    api.ask(move |api| {
        let now = (api.present.cluster)();
        let workflow = now.workflows.iter().find(|workflow| workflow.about.uid == uid && sees(&viewer, &workflow.about));
        viewer.complete()?;
        let about = &workflow.ok_or_else(|| Failure::unknown("Workflow", &uid))?.about;
        let nodes = now.workflow_nodes.iter().filter(|node| node.about.namespace == about.namespace && node.workflow == about.name);
        let nodes: BTreeSet<&str> = nodes.map(|node| node.about.name.as_str()).collect();
        (wanted.uid, wanted.name, wanted.kind) = (None, None, None);
        wanted.namespace = Some(about.namespace.clone());
        let Some(query) = wanted.events() else { return Ok(json(&[(); 0], gzip)?) };
        let mine = |event: &Event| event.uid == uid || nodes.contains(event.name.as_str());
        let page = api.journal.numbered_events(&query, &|event, run| mine(event) && passes(&viewer, &query.filter, event, run))?;
        viewer.complete()?;
        Ok(json(&page.whole()?.into_iter().map(Shown::of).collect::<Vec<_>>(), gzip)?)
    })
    .await
}

impl Api {
    /// Where a uid is known, asks for its namespace, name and kind besides: the journal can look those up. May block.
    fn narrow(&self, wanted: &mut Wanted) -> Result<(), Problem> {
        let Some(uid) = &wanted.uid else { return Ok(()) };
        let run = self.journal.run(&Run::id_of(&self.cluster, uid, 1))?;
        let Some(run) = run.filter(|run| run.uid == *uid) else { return Ok(()) };
        let about = Reference { kind: run.kind, namespace: run.namespace, name: run.name, uid: run.uid };
        if wanted.takes(&about) {
            (wanted.kind, wanted.namespace, wanted.name) = (Some(about.kind), Some(about.namespace), Some(about.name));
        }
        Ok(())
    }
}
