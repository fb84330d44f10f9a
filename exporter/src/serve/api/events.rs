//! `/api/v1/events`: what happened in a time.

use super::answer::{json, takes_gzip};
use super::parameters::Asked;
use super::problem::Problem;
use super::{Api, openapi};
use crate::serve::access::Viewer;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chaoscope_model::event::Event;
use chaoscope_model::query::Filter;
use chaoscope_model::run::Run;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// One page of events.
#[derive(Serialize, ToSchema)]
pub(super) struct Events {
    /// Newest first.
    events: Vec<Event>,
    /// Where the next page begins: the value of `cursor`, with the same other parameters. Null: this was the last page.
    #[schema(required)]
    next: Option<String>,
}

/// Events of a time.
///
/// What happened from `from` to `to`, newest first. What is asked about targets, labels, phase and outcome is asked of an event's run where
/// the event itself does not tell.
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "listEvents", tag = "events",
    params(openapi::Paging, openapi::Filters),
    responses((status = 200, description = "A page of events.", body = Events, headers(("Cache-Control" = String))), openapi::Problems)
)]
pub(super) async fn events(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    let viewer = api.access.viewer(&headers).await?;
    let gzip = takes_gzip(&headers);
    let asked = Asked::parse(query.as_deref(), "events", &api.journal.position().0, api.clock())?;
    api.ask(move |api| {
        let query = asked.events();
        let page = api.journal.events(&query, &|event, run| passes(&viewer, &query.filter, event, run))?;
        viewer.complete()?;
        json(&Events { events: page.rows, next: asked.next(page.next) }, gzip)
    })
    .await
}

/// Whether a caller may see an event and asked for it. Of the event's run only what the caller may see answers. May block.
pub(super) fn passes(viewer: &Viewer, filter: &Filter, event: &Event, run: Option<&Run>) -> bool {
    filter.matches_event(event, run)
        && viewer.sees_event(event, run)
        && filter.matches_event(event, run.and_then(|run| viewer.see(run)).as_ref())
}
