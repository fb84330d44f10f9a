//! An answer as JSON: compressed where the caller takes that. Made on a thread that may block, because a page of runs takes milliseconds.

use super::problem::Problem;
use crate::exposition::accepts_gzip;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use std::io::Write as _;

/// Shorter answers are sent as they are.
const WORTH_IT: usize = 1024;

/// Whether an answer to a request with these headers may be gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    accepts_gzip(headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()))
}

/// 200 with a value.
pub(super) fn json(value: &impl Serialize, gzip: bool) -> Result<Response, Problem> {
    let broken = |error: &dyn std::error::Error| {
        tracing::error!(%error, "An answer could not be written.");
        Problem::broken()
    };
    let body = serde_json::to_vec(value).map_err(|error| broken(&error))?;
    let kind = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let vary = (VARY, HeaderValue::from_static("Accept-Encoding"));
    if !gzip || body.len() < WORTH_IT {
        return Ok(([kind, vary], body).into_response());
    }
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = out.write_all(&body).and_then(|()| out.finish()).map_err(|error| broken(&error))?;
    Ok(([kind, vary, (CONTENT_ENCODING, HeaderValue::from_static("gzip"))], packed).into_response())
}
