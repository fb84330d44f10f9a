//! `/api/v1/runs` and `/api/v1/runs/{id}`: runs that overlap a time, and one run.

use super::answer::{json, takes_gzip};
use super::parameters::{self, Asked};
use super::problem::Problem;
use super::{Api, openapi};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chaoscope_model::run::Run;
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use utoipa::ToSchema;

/// One page of runs.
#[derive(Serialize, ToSchema)]
pub(super) struct Runs {
    /// Newest start first.
    #[schema(value_type = Vec<Run>)]
    runs: Vec<Box<RawValue>>,
    /// Where the next page begins: the value of `cursor`, with the same other parameters. Null: this was the last page.
    #[schema(required)]
    next: Option<String>,
}

/// Runs that overlap a time.
///
/// Runs that overlap the time from `from` to `to`, open ones included, newest start first. A caller sees the runs, and of those the
/// targets, that it may see.
#[utoipa::path(
    get, path = "/api/v1/runs", operation_id = "listRuns", tag = "runs",
    params(openapi::Paging, openapi::Filters),
    responses((status = 200, description = "A page of runs.", body = Runs, headers(("Cache-Control" = String))), openapi::Problems)
)]
pub(super) async fn runs(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    let viewer = api.access.viewer(&headers).await?;
    let (now, gzip) = (api.clock(), takes_gzip(&headers));
    let asked = Asked::parse(query.as_deref(), "runs", &api.journal.position().0, now)?;
    api.ask(move |api| {
        let query = asked.runs();
        let see = |run: &Run| viewer.see(run);
        let page = api.journal.runs_as_json(&query, (!viewer.sees_everything()).then_some(&see), now)?;
        viewer.complete()?;
        json(&Runs { runs: page.rows, next: asked.next(page.next) }, gzip)
    })
    .await
}

/// One run.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}", operation_id = "getRun", tag = "runs",
    params(("id" = String, Path, description = "Id of a run.")),
    responses((status = 200, description = "The run.", body = Run, headers(("Cache-Control" = String))), openapi::Problems)
)]
pub(super) async fn run(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let viewer = api.access.viewer(&headers).await?;
    let unknown = || Problem::not_found("there is no run with this id, or not for this caller");
    let Path(id) = id.map_err(|_| unknown())?;
    parameters::none(query.as_deref())?;
    let (now, gzip) = (api.clock(), takes_gzip(&headers));
    api.ask(move |api| {
        let seen = api.journal.run(&id)?.and_then(|run| viewer.see(&run));
        viewer.complete()?;
        json(&seen.ok_or_else(unknown)?.at(now), gzip)
    })
    .await
}
