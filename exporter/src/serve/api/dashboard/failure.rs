//! How the dashboard says that there is no answer: [`Failure`]. Its fields and types are the dashboard's; no stack trace is in it.

use super::super::problem::Problem;
use crate::journal;
use crate::serve::access::Denied;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// No answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    status: StatusCode,
    message: String,
    challenge: Option<&'static str>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: u16,
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
    full_text: &'a str,
}

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), challenge: None }
    }

    /// 400.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404: `what` is a kind, as the dashboard calls it.
    pub(super) fn unknown(what: &str, id: &str) -> Self {
        let id: String = id.chars().take(100).collect();
        Self::new(StatusCode::NOT_FOUND, format!("{what} {id} not found"))
    }

    /// 405.
    pub(super) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this address is for reading: GET and HEAD only")
    }

    /// The dashboard's word for a status (`pkg/dashboard/apiserver/utils/error.go`); those it never has get the nearest.
    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => "error.api.bad_request",
            StatusCode::UNAUTHORIZED => "error.api.no_cluster_privilege",
            StatusCode::NOT_FOUND => "error.api.resource_not_found",
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::INTERNAL_SERVER_ERROR => "error.api.internal_server_error",
            _ => "error.api.unknown",
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::new(problem.status(), problem.detail())
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        Self { challenge: denied.challenge(), ..Self::new(denied.status(), denied.detail()) }
    }
}

impl From<journal::Error> for Failure {
    fn from(error: journal::Error) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let message = format!("{}: {}", self.kind(), self.message);
        let body = Body { code: self.status.as_u16(), kind: self.kind(), message: &message, full_text: &message };
        let body = serde_json::to_vec(&body).unwrap_or_else(|_| b"{}".to_vec()); // texts and numbers alone cannot fail
        let mut response = (self.status, [(CONTENT_TYPE, "application/json")], body).into_response();
        let headers = response.headers_mut();
        headers.extend(self.challenge.map(|challenge| (WWW_AUTHENTICATE, HeaderValue::from_static(challenge))));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, 1.into());
        }
        response
    }
}
