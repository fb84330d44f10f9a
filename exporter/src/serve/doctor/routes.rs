//! `/readyz` and `/api/v1/doctor`, for every role that has facts.

use super::ready::readiness;
use super::{Facts, Report, report};
use crate::serve::access::Access;
use crate::serve::api::{Problem, Problems, dress};
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;
use std::sync::Arc;

/// Gathers the facts, anew each time. May block.
pub type Gather = Arc<dyn Fn() -> Facts + Send + Sync>;

/// What the handlers need.
#[derive(Clone)]
pub(in crate::serve) struct Doctor {
    gather: Gather,
    access: Access,
}

/// `/readyz` for everybody, `/api/v1/doctor` for whoever `access` knows: whole, or in outline.
pub fn routes(gather: Gather, access: Access) -> Router {
    let report = Router::new().route("/api/v1/doctor", get(doctor)).method_not_allowed_fallback(|| async { Problem::method() });
    let report = report.layer(axum::middleware::from_fn(dress));
    report.route("/readyz", get(ready)).with_state(Doctor { gather, access })
}

/// The facts of now; `None`: it is in the log why not.
async fn gathered(gather: Gather) -> Option<Facts> {
    let failed = |error: &_| tracing::error!(%error, "The state of this instance could not be gathered.");
    tokio::task::spawn_blocking(move || gather()).await.inspect_err(failed).ok()
}

/// `ok`, or what is waited for; `?verbose` gives the whole page either way.
async fn ready(State(doctor): State<Doctor>, uri: Uri) -> Response {
    let Some(facts) = gathered(doctor.gather).await else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "its state could not be gathered: see the log\n").into_response();
    };
    let (ready, page) = readiness(&facts);
    let verbose = uri.query().is_some_and(|query| query.split('&').any(|it| it == "verbose" || it.starts_with("verbose=")));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, "no-store")], if ready && !verbose { "ok\n".to_owned() } else { page }).into_response()
}

/// What of this instance works.
///
/// One line for each thing: the journal, watches, rights, who scrapes, …, with what would mend it. It names no experiment and no target; who
/// may not list pods everywhere gets the worst of each part, in outline.
#[utoipa::path(
    get, path = "/api/v1/doctor", operation_id = "getReport", tag = "doctor",
    responses((status = 200, description = "The report.", body = Report, headers(("Cache-Control" = String))), Problems)
)]
pub(in crate::serve) async fn doctor(State(doctor): State<Doctor>, headers: HeaderMap) -> Result<Response, Problem> {
    let viewer = doctor.access.viewer(&headers).await?;
    let whole = tokio::task::spawn_blocking(move || {
        let whole = viewer.sees_instance();
        viewer.complete().map(|()| whole)
    });
    let whole = whole.await.map_err(|_| Problem::broken())??;
    let facts = gathered(doctor.gather).await.ok_or_else(Problem::broken)?;
    let report = report(&facts);
    let report = if whole { report } else { report.outline() };
    Ok(([(CONTENT_TYPE, "application/json")], format!("{}\n", json!(report))).into_response())
}
