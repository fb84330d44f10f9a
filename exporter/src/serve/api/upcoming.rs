//! `/api/v1/upcoming`: runs that schedules are due to make. What is found, and who sees it, is in `serve/outlook.rs`.

use super::answer::{json, takes_gzip};
use super::problem::Problem;
use super::{Api, openapi, parameters};
use crate::serve::outlook::Ahead;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use std::sync::Arc;

/// Runs that are due.
///
/// What schedules will make from `from` to `to`, the soonest first, as the schedules are now: a paused one makes nothing. Of a schedule whose
/// times cannot be told it is said why. A caller sees a run that is due if it may list its kind in the schedule's namespace.
#[utoipa::path(
    get, path = "/api/v1/upcoming", operation_id = "listUpcoming", tag = "runs",
    params(openapi::Looking),
    responses((status = 200, description = "What is to come.", body = Ahead, headers(("Cache-Control" = String))), openapi::Problems)
)]
pub(super) async fn upcoming(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    let viewer = api.access.viewer(&headers).await?;
    let gzip = takes_gzip(&headers);
    let (span, filter) = parameters::ahead(query.as_deref(), api.clock())?;
    api.ask(move |api| {
        let ahead = api.outlook.ahead(&viewer, &filter, span);
        viewer.complete()?;
        json(&ahead, gzip)
    })
    .await
}
