//! What every request passes before it reaches a route: rate limit, basic auth, and fixed headers on the way out.
//!
//! Apart from the routes, so that none of them can be reached around it, `/healthz` included.

use std::convert::Infallible;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use super::web_config::{Settings, WebConfig};

/// What a client without a good password is asked for (RFC 7617 section 2).
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"chaoscope\", charset=\"UTF-8\"");

/// The answer to a request: the router's, or a refusal.
pub(super) async fn answer(web: &WebConfig, app: Router, request: Request<Body>) -> Result<Response, Infallible> {
    let settings = web.current().await;
    let mut response = match refusal(&settings, request.headers()).await {
        Some(refusal) => refusal,
        None => app.oneshot(request).await?,
    };
    settings.dress(response.headers_mut());
    Ok(response)
}

/// Why a request does not reach the router, if so.
async fn refusal(settings: &Settings, headers: &HeaderMap) -> Option<Response> {
    if !settings.has_room(Instant::now()) {
        return Some((StatusCode::TOO_MANY_REQUESTS, "Too many requests: see rate_limit.\n").into_response());
    }
    if !settings.admits(headers.get(header::AUTHORIZATION)).await {
        let challenge = [(header::WWW_AUTHENTICATE, CHALLENGE)];
        return Some((StatusCode::UNAUTHORIZED, challenge, "A user name and a password are needed.\n").into_response());
    }
    None
}
