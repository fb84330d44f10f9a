//! `/metrics`: negotiate, gather, encode, compress.

use super::Server;
use crate::exposition::{self, Format, Page, accepts_gzip};
use crate::scrape::{gather, page};
use axum::extract::State;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io;
use std::sync::Arc;

pub(super) async fn metrics(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    let Ok(_place) = server.places.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many scrapes at once: see --web.max-requests\n").into_response();
    };
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (format, gzip) = (Format::negotiate(header(ACCEPT)), accepts_gzip(header(ACCEPT_ENCODING)));
    let world = gather(&server.sources, server.until(&headers)).await;
    let page = page(Arc::new(world));
    // Encoding a page with every rule of a node takes milliseconds of CPU, which other connections should not wait for.
    match tokio::task::spawn_blocking(move || encode(format, gzip, page)).await {
        Ok(Ok(body)) => {
            let mut response = ([(CONTENT_TYPE, format.content_type()), (VARY, "Accept, Accept-Encoding")], body).into_response();
            if gzip {
                response.headers_mut().insert(CONTENT_ENCODING, axum::http::HeaderValue::from_static("gzip"));
            }
            response
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be encoded: see the log\n").into_response(),
    }
}

fn encode(format: Format, gzip: bool, page: Arc<Page>) -> io::Result<Vec<u8>> {
    if !gzip {
        let mut out = Vec::new();
        return exposition::encode(format, page, &mut out).map(|()| out);
    }
    let mut out = io::BufWriter::new(GzEncoder::new(Vec::new(), Compression::fast()));
    exposition::encode(format, page, &mut out)?;
    out.into_inner()?.finish()
}
