//! `/api/v1/stream`: changes of runs and events as Server-Sent Events. Here a stream begins; what is sent in it, and when, is in `feed`, what
//! of it a caller is told in `page`, how that looks in `frame`, and what time alone changes in `turns`.
//!
//! A client that does not read costs only itself: its feed waits for room in a short queue, lags, and goes on from the journal.

mod feed;
mod frame;
mod page;
mod turns;

pub(super) use frame::event;
#[cfg(fuzzing)]
pub(super) use frame::position;
pub(super) use turns::Turns;

use super::problem::Problem;
use super::{Api, openapi, parameters};
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use feed::Feed;
use futures_util::stream::{self, StreamExt as _};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;
use utoipa::ToSchema;

/// Chunks that wait for a client; each is at most a few times [`page::CHUNK`] long.
const QUEUE: usize = 4;
/// Says where a stream goes on (HTML, "Server-sent events").
const LAST_EVENT_ID: &str = "last-event-id";

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client left.
    Left,
    /// Nothing was read of it for too long.
    Slow,
    /// The caller may not go on, or that could not be found out.
    Denied,
    /// It lasted as long as a stream may.
    Aged,
    /// The server stops.
    Stopping,
    /// The journal could not be read.
    Broken,
}

/// How streams do: totals since the start. Read by the metrics.
#[derive(Debug, Default)]
pub struct Counts {
    open: AtomicU64,
    ends: [AtomicU64; End::ALL.len()],
    refused: AtomicU64,
    caught_up: AtomicU64,
}

/// One event of the stream, by its fields.
#[derive(ToSchema)]
#[allow(dead_code, reason = "for the contract: it is written field by field")]
pub(super) struct Frame {
    /// What it is: `run`, `left`, `event`, `reset` or `end`.
    event: String,
    /// The position behind it; none where nothing was stored.
    id: Option<String>,
    /// JSON: a run, the id of a run that left, an event, or why.
    data: String,
}

impl End {
    /// Every reason.
    pub const ALL: [Self; 6] = [Self::Left, Self::Slow, Self::Denied, Self::Aged, Self::Stopping, Self::Broken];

    /// The word used in labels and in the stream's last event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Slow => "slow",
            Self::Denied => "denied",
            Self::Aged => "aged",
            Self::Stopping => "stopping",
            Self::Broken => "broken",
        }
    }
}

impl Counts {
    /// Streams that are open now.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Streams that ended, by reason.
    pub fn ended(&self) -> impl Iterator<Item = (End, u64)> {
        End::ALL.iter().zip(&self.ends).map(|(end, count)| (*end, count.load(Ordering::Relaxed)))
    }

    /// Streams there was no room for.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How often a stream lagged so far behind that it went on from the journal.
    pub fn caught_up(&self) -> u64 {
        self.caught_up.load(Ordering::Relaxed)
    }

    fn count(&self, end: End) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        for (_, count) in End::ALL.iter().zip(&self.ends).filter(|(known, _)| **known == end) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Changes as they are stored.
///
/// Server-Sent Events. `run`: a run as it is now; without an `id` where it became stuck or overdue, which only time does. `left`: the run
/// `{"id": …}` does not pass the filter, or not any more; drop it if it is held. `event`: an event. `reset`: what is known about runs may
/// have gaps; forget it, the open runs follow. `end`: the server ends the stream, and why; come again. Every `id` is a position to go on
/// from, by the header `Last-Event-ID` or the parameter `last_event_id`; ids also come alone, every few seconds. Who goes on is told again
/// which open runs are stuck or overdue. Without a position a stream begins with what happens next; its first line is the position to ask
/// lists from.
#[utoipa::path(
    get, path = "/api/v1/stream", operation_id = "streamChanges", tag = "stream",
    params(openapi::LastEventId, openapi::Filters),
    responses(
        (status = 200, description = "The stream.", content_type = "text/event-stream", body = Frame, headers(("Cache-Control" = String))),
        openapi::Problems
    )
)]
pub(super) async fn stream(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    let viewer = api.access.viewer(&headers).await?;
    let (filter, asked) = parameters::stream(query.as_deref())?;
    // A browser that comes again has the parameter it began with, and in the header where it really was.
    let header = headers.get(LAST_EVENT_ID).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let last = header.or(asked).filter(|last| !last.is_empty());
    let Ok(place) = Arc::clone(&api.places).try_acquire_owned() else {
        api.counts.refused.fetch_add(1, Ordering::Relaxed);
        return Err(Problem::full(format!("more than {} streams at once", api.limits.streams)));
    };
    let (out, chunks) = mpsc::channel(QUEUE);
    let farewell = Arc::new(OnceLock::new());
    let (last_words, counts) = (Arc::clone(&farewell), api.counts());
    counts.open.fetch_add(1, Ordering::Relaxed);
    let still_open = out.clone();
    let feed = Feed::new(api, viewer, filter, out);
    tokio::spawn(async move {
        let end = feed.run(last.as_deref()).await;
        counts.count(end);
        match end {
            End::Left | End::Aged | End::Stopping => tracing::debug!(reason = end.as_str(), "A stream ended."),
            End::Slow | End::Denied | End::Broken => tracing::warn!(reason = end.as_str(), "A stream was dropped."),
        }
        let _ = last_words.set(frame::end(end));
        drop((still_open, place)); // last words are read when the queue is empty and closed: they had to be there before
    });
    Ok(([(CONTENT_TYPE, "text/event-stream"), ("x-accel-buffering".parse().unwrap_or(CONTENT_TYPE), "no")], body(chunks, farewell))
        .into_response())
}

/// What waits for the client, then the last words.
fn body(chunks: mpsc::Receiver<Bytes>, farewell: Arc<OnceLock<Bytes>>) -> Body {
    let chunks = stream::unfold(chunks, |mut chunks| async move { Some((chunks.recv().await?, chunks)) });
    let farewell = stream::once(async move { farewell.get().cloned() }).filter_map(std::future::ready);
    Body::from_stream(chunks.chain(farewell).map(Ok::<_, Infallible>))
}
