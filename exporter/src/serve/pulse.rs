//! How long a connection may be silent: a [`Pulse`] per connection, beaten by the stream it is wrapped in.
//!
//! Apart from HTTP (`connection`), because it knows bytes and time only.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::listener::Limits;

/// When a connection last showed life: the first request must come soon, and after that something must be written now and
/// then. Only writing counts, so neither a client that sends byte by byte nor one that never reads holds a place for long.
pub(super) struct Pulse {
    born: Instant,
    head: Duration,
    idle: Duration,
    asked: AtomicBool,
    /// Milliseconds from `born` to the last request or write.
    beat: AtomicU64,
}

impl Pulse {
    /// A connection that begins now.
    pub(super) fn new(limits: &Limits) -> Self {
        let (head, idle) = (limits.request_head, limits.idle);
        Self { born: Instant::now(), head, idle, asked: AtomicBool::new(false), beat: AtomicU64::new(0) }
    }

    fn beats(&self) {
        self.beat.store(self.born.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// A request's head is complete.
    pub(super) fn asked(&self) {
        self.beats();
        self.asked.store(true, Ordering::Relaxed);
    }

    fn end(&self) -> Instant {
        if self.asked.load(Ordering::Relaxed) {
            self.born + Duration::from_millis(self.beat.load(Ordering::Relaxed)) + self.idle
        } else {
            self.born + self.head
        }
    }

    /// Returns when the connection has been silent for too long.
    pub(super) async fn stops(&self) {
        loop {
            let (now, end) = (Instant::now(), self.end());
            if end <= now {
                return;
            }
            // The first request can bring the end nearer, so look again before it can have come.
            sleep_until(end.min(now + self.head.min(self.idle))).await;
        }
    }
}

/// A stream that tells its pulse what was written.
pub(super) struct Beating<S> {
    stream: S,
    pulse: Arc<Pulse>,
}

impl<S> Beating<S> {
    /// `stream`, watched by `pulse`.
    pub(super) fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse }
    }

    fn wrote(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(result, Poll::Ready(Ok(1..))) {
            self.pulse.beats();
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Beating<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Beating<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
