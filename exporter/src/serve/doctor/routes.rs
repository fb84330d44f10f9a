//! `/readyz` and `/api/v1/doctor`, for every role that has facts.

use super::ready::readiness;
use super::{Facts, report};
use crate::serve::access::Access;
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode, Uri};
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

/// `/readyz` for everybody, `/api/v1/doctor` for whoever `access` knows: it names no experiment and no target.
pub fn routes(gather: Gather, access: Access) -> Router {
    Router::new().route("/readyz", get(ready)).route("/api/v1/doctor", get(doctor)).with_state(Doctor { gather, access })
}

async fn gathered(gather: Gather) -> Result<Facts, Response> {
    let failed = |error| {
        tracing::error!(%error, "The state of this instance could not be gathered.");
        (StatusCode::INTERNAL_SERVER_ERROR, "its state could not be gathered: see the log\n").into_response()
    };
    tokio::task::spawn_blocking(move || gather()).await.map_err(failed)
}

/// `ok`, or what is waited for; `?verbose` gives the whole page either way.
async fn ready(State(doctor): State<Doctor>, uri: Uri) -> Response {
    let facts = match gathered(doctor.gather).await {
        Ok(facts) => facts,
        Err(response) => return response,
    };
    let (ready, page) = readiness(&facts);
    let verbose = uri.query().is_some_and(|query| query.split('&').any(|it| it == "verbose" || it.starts_with("verbose=")));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, "no-store")], if ready && !verbose { "ok\n".to_owned() } else { page }).into_response()
}

async fn doctor(State(doctor): State<Doctor>, headers: HeaderMap) -> Response {
    if let Err(denied) = doctor.access.viewer(&headers).await {
        let problem =
            json!({"type": "about:blank", "title": denied.title(), "status": denied.status().as_u16(), "detail": denied.detail()});
        let mut response = (denied.status(), [(CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response();
        if let Some(challenge) = denied.challenge() {
            response.headers_mut().insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static(challenge));
        }
        return response;
    }
    match gathered(doctor.gather).await {
        Ok(facts) => {
            let headers = [(CACHE_CONTROL, "no-store"), (CONTENT_TYPE, "application/json")];
            (headers, format!("{}\n", json!(report(&facts)))).into_response()
        }
        Err(response) => response,
    }
}
