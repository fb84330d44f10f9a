//! One HTTP/1.1 GET over a unix socket: Docker's API, and CRI-O's own pages beside CRI.
//!
//! Each call opens its own connection: a local connect costs less than keeping a pool honest, nothing waits behind a slow
//! answer, and a runtime that was restarted needs no second try.

use super::error::{MAX_MESSAGE, Malformed, RuntimeError, one_line};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, SERVER, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::path::Path;
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// A whole answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// The `Server` header, where there is one.
    pub(super) server: Option<String>,
    /// At most [`super::MAX_ANSWER`] bytes.
    pub(super) body: Bytes,
}

/// Asks for `path` (already percent-safe) and reads the answer; nothing is left behind when the deadline cuts in.
pub(super) async fn get(endpoint: &Path, host: &str, path: &str, deadline: Instant) -> Result<Reply, RuntimeError> {
    match timeout_at(deadline, exchange(endpoint, host, path)).await {
        Ok(reply) => reply,
        Err(_) => Err(RuntimeError::Hung { endpoint: endpoint.to_path_buf() }),
    }
}

async fn exchange(endpoint: &Path, host: &str, path: &str) -> Result<Reply, RuntimeError> {
    let garbage = |source: Box<dyn Error + Send + Sync>| RuntimeError::Garbage { endpoint: endpoint.to_path_buf(), source };
    let request = Request::get(path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("chaoscope/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|e| garbage(e.into()))?;
    let stream = UnixStream::connect(endpoint).await.map_err(|e| RuntimeError::connecting(endpoint, e))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| garbage(e.into()))?;
    // Dropped, and with it the connection aborted, at the end of this call or at the deadline.
    let mut pump = JoinSet::new();
    pump.spawn(connection);
    let answer = sender.send_request(request).await.map_err(|e| garbage(e.into()))?;
    let (head, body) = answer.into_parts();
    let server = head.headers.get(SERVER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = Limited::new(body, super::MAX_ANSWER).collect().await.map_err(|e| {
        if e.is::<LengthLimitError>() {
            RuntimeError::TooLarge { endpoint: endpoint.to_path_buf(), limit: super::MAX_ANSWER }
        } else {
            garbage(e)
        }
    })?;
    Ok(Reply { status: head.status, server, body: body.to_bytes() })
}

/// An answer whose status is not the one hoped for, with the server's own words: both runtimes put them into the body.
pub(super) fn failed(endpoint: &Path, status: StatusCode, body: &[u8]) -> RuntimeError {
    let words = String::from_utf8_lossy(&body[..body.len().min(4 * MAX_MESSAGE)]);
    RuntimeError::Failed { endpoint: endpoint.to_path_buf(), message: one_line(&format!("HTTP {}: {words}", status.as_u16())) }
}

/// Reads a JSON answer.
pub(super) fn json<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).map_err(Malformed::Json)
}
