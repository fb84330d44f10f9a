//! `/readyz` and `/api/v1/doctor`, for every role that has facts.

use super::ready::readiness;
use super::{Facts, Report, report};
use crate::serve::access::{Access, Denied};
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;
use std::sync::Arc;

/// Gathers the facts, anew each time. May block.
pub type Gather = Arc<dyn Fn() -> Facts + Send + Sync>;

#[derive(Clone)]
struct Doctor {
    gather: Gather,
    access: Access,
}

/// `/readyz` for everybody, `/api/v1/doctor` for whoever `access` knows: whole, or in outline.
pub fn routes(gather: Gather, access: Access) -> Router {
    Router::new().route("/readyz", get(ready)).route("/api/v1/doctor", get(doctor)).with_state(Doctor { gather, access })
}

/// Logged where it happens.
fn failed() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "its state could not be gathered: see the log\n").into_response()
}

/// `ok`, or what is waited for; `?verbose` gives the whole page either way.
async fn ready(State(doctor): State<Doctor>, uri: Uri) -> Response {
    let facts = match tokio::task::spawn_blocking(move || (doctor.gather)()).await {
        Ok(facts) => facts,
        Err(error) => {
            tracing::error!(%error, "The state of this instance could not be gathered.");
            return failed();
        }
    };
    let (ready, page) = readiness(&facts);
    let verbose = uri.query().is_some_and(|query| query.split('&').any(|it| it == "verbose" || it.starts_with("verbose=")));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, "no-store")], if ready && !verbose { "ok\n".to_owned() } else { page }).into_response()
}

/// The report as far as the caller may see it; `Ok(None)`: it could not be made.
async fn told(Doctor { gather, access }: Doctor, headers: &HeaderMap) -> Result<Option<Report>, Denied> {
    let viewer = access.viewer(headers).await?;
    let made = tokio::task::spawn_blocking(move || {
        let whole = viewer.sees_instance();
        viewer.complete()?;
        let report = report(&gather());
        Ok(if whole { report } else { report.outline() })
    });
    made.await.map_or_else(
        |error| {
            tracing::error!(%error, "The state of this instance could not be gathered.");
            Ok(None)
        },
        |report: Result<_, Denied>| report.map(Some),
    )
}

async fn doctor(State(doctor): State<Doctor>, headers: HeaderMap) -> Response {
    match told(doctor, &headers).await {
        Ok(Some(report)) => {
            let headers = [(CACHE_CONTROL, "no-store"), (CONTENT_TYPE, "application/json")];
            (headers, format!("{}\n", json!(report))).into_response()
        }
        Ok(None) => failed(),
        Err(denied) => refused(&denied),
    }
}

fn refused(denied: &Denied) -> Response {
    let problem = json!({"type": "about:blank", "title": denied.title(), "status": denied.status().as_u16(), "detail": denied.detail()});
    let mut response = (denied.status(), [(CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response();
    if let Some(challenge) = denied.challenge() {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}
