//! What an API says when it cannot answer: [`Problem`], as `application/problem+json` (RFC 9457).
//!
//! A handler returns one; [`dress`] writes it, because only there is the address known that was asked for. To add a case: a constructor here
//! and, for a new status, a line in `openapi.rs`.

use crate::journal;
use crate::serve::access::Denied;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chaoscope_model::query::Refused;
use serde::Serialize;
use utoipa::ToSchema;

/// Media type of a problem.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";
/// How much of the address that was asked for a problem repeats, in characters.
const LONGEST_INSTANCE: usize = 200;
/// When to try again where there was no room, in seconds.
const SOON: u32 = 1;

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Problem {
    status: StatusCode,
    detail: String,
    parameter: Option<String>,
    /// Whether it makes sense to come again.
    passing: bool,
    challenge: Option<&'static str>,
}

/// A problem as it is written (RFC 9457 section 3.1).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Told<'a> {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'a str,
    /// The status in words.
    title: &'a str,
    /// The status.
    status: u16,
    /// What is wrong, and what is allowed.
    detail: &'a str,
    /// The path that was asked for.
    instance: String,
    /// The parameter that is wrong, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), parameter: None, passing: false, challenge: None }
    }

    /// 400: a parameter cannot be understood.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self { parameter: Some(name.to_owned()), ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    /// 400: a body cannot be understood.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 409: it is about something that is over.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 413: a body is longer than is read.
    pub(super) fn too_long(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 404.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 405; who routes adds `Allow`.
    pub(in crate::serve) fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this method is not for this address: all are for GET and HEAD alone, but for the reports of nodes, which are for POST",
        )
    }

    /// 503: more callers at once than there is room for.
    pub(super) fn full(detail: impl Into<String>) -> Self {
        Self { passing: true, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// 500: our own fault; the log has the rest.
    pub(in crate::serve) fn broken() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be made: see the log")
    }

    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The parameter that is wrong, where it is one.
    #[cfg(test)]
    pub(super) fn about(&self) -> Option<&str> {
        self.parameter.as_deref()
    }

    /// The answer, about the path that was asked for.
    fn write(&self, path: &str) -> Response {
        let told = Told {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            detail: &self.detail,
            instance: path.chars().take(LONGEST_INSTANCE).collect(),
            parameter: self.parameter.as_deref(),
        };
        let body = serde_json::to_vec(&told).unwrap_or_else(|_| b"{}".to_vec()); // texts and numbers alone cannot fail
        let mut response = (self.status, [(CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        if self.passing {
            response.headers_mut().insert(RETRY_AFTER, SOON.into());
        }
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match &refused {
            Refused::Unknown(parameter, _) | Refused::Value { parameter, .. } => Self::parameter(parameter, refused.to_string()),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let passing = denied.status() == StatusCode::SERVICE_UNAVAILABLE;
        Self { challenge: denied.challenge(), passing, ..Self::new(denied.status(), denied.detail()) }
    }
}

impl From<journal::Error> for Problem {
    fn from(error: journal::Error) -> Self {
        match error {
            journal::Error::Late => return Self::full("the answer took too long: ask for less time, or add a filter"),
            journal::Error::Busy | journal::Error::Gone => return Self::full("too many questions at once"),
            _ => {}
        }
        tracing::warn!(%error, "A question to the journal failed.");
        Self { passing: true, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "the journal cannot be read now: see the log") }
    }
}

impl IntoResponse for Problem {
    /// Without a body: [`dress`] writes it.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes what a handler left to be written, and what every answer of the API has: it is never to be stored.
pub(in crate::serve) async fn dress(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let allow = response.headers_mut().remove(axum::http::header::ALLOW);
        response = problem.write(&path);
        response.headers_mut().extend(allow.map(|methods| (axum::http::header::ALLOW, methods)));
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
