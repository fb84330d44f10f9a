//! That something changed at the origin: one upstream stream for all live panels of a datasource, open while somebody watches.

use crate::origin::{Error, Opening};
use crate::query::{Needs, Query};
use bytes::Bytes;
use chaoscope_model::query::Filter;
use chaoscope_model::run::Run;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use sse_stream::SseByteStream;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

/// Signals kept for a listener that is busy; one that misses some asks anew.
const KEPT: usize = 256;
/// Longest line of a stream, in bytes. A run with 10 000 targets has about 3 MiB.
const LONGEST: usize = 16 << 20;
/// A stream that says nothing for so long is dead: Chaoscope sends something every 12 s.
const SILENCE: Duration = Duration::from_secs(40);
/// How long to wait before connecting again: doubled from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A stream that lasted so long was a good one: it is opened again soon.
const STEADY: Duration = Duration::from_secs(10);
/// How often an origin without a stream is asked.
pub const POLL: Duration = Duration::from_secs(5);

/// What may have changed.
#[derive(Clone, Debug)]
pub enum Signal {
    /// This run.
    Run(Arc<Run>),
    /// Some event.
    Event,
    /// Anything.
    Any,
}

/// How the upstream stream is opened; `None`: this origin has none.
pub type Open = Arc<dyn Fn() -> Option<Opening> + Send + Sync>;

/// The upstream stream of a datasource.
pub struct Signals {
    open: Open,
    shared: Mutex<Weak<Shared>>,
}

struct Shared {
    sender: Told,
    task: AbortHandle,
}

/// Who listens, and when something was told last.
#[derive(Clone)]
struct Told {
    sender: Sender<Signal>,
    last: Arc<Mutex<Instant>>,
}

impl Told {
    fn send(&self, signal: Signal) {
        // First the time: an answer asked for later than this has what the signal is about.
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let _ = self.sender.send(signal); // nobody listens just now
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One listener; while there is one, the upstream stream is open.
pub struct Listener {
    receiver: Receiver<Signal>,
    shared: Arc<Shared>,
}

impl Listener {
    /// What has come.
    pub fn receiver(&mut self) -> &mut Receiver<Signal> {
        &mut self.receiver
    }

    /// Forgets what has come: an answer asked for at [`Self::last`] or later has it.
    pub fn renew(&mut self) {
        self.receiver = self.shared.sender.sender.subscribe();
    }

    /// When something was told last, or the stream was first wanted. The same for all listeners, so that they share an answer.
    pub fn last(&self) -> Instant {
        *self.shared.sender.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signals {
    /// Opens nothing yet.
    pub fn new(open: Open) -> Self {
        Self { open, shared: Mutex::new(Weak::new()) }
    }

    /// One more listener. Must be called within a runtime.
    pub fn listen(&self) -> Listener {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = shared.upgrade().unwrap_or_else(|| {
            let sender = Told { sender: broadcast::channel(KEPT).0, last: Arc::new(Mutex::new(Instant::now())) };
            let task = tokio::spawn(follow(Arc::clone(&self.open), sender.clone())).abort_handle();
            let begun = Arc::new(Shared { sender, task });
            *shared = Arc::downgrade(&begun);
            begun
        });
        Listener { receiver: shared.sender.sender.subscribe(), shared }
    }
}

/// Reads the upstream stream, again and again.
async fn follow(open: Open, sender: Told) {
    let mut pause = PAUSE.0;
    loop {
        let Some(opening) = open() else {
            sleep(POLL).await;
            sender.send(Signal::Any);
            continue;
        };
        let begun = match opening.await {
            Ok(bytes) => {
                let begun = Instant::now();
                // What happened in between nobody told.
                sender.send(Signal::Any);
                read(bytes, &sender).await;
                Some(begun)
            }
            Err(error) => {
                tracing::debug!(%error, "The live stream is not to be had.");
                None
            }
        };
        pause = pause_after(pause, begun.map_or(Duration::ZERO, |begun| begun.elapsed()));
        sleep(pause).await;
    }
}

/// How long to wait after a stream that lasted so long. One that ends at once, behind a proxy that takes none, is like one that is not to be
/// had: each time it is opened every panel asks.
fn pause_after(before: Duration, lasted: Duration) -> Duration {
    if lasted >= STEADY { PAUSE.0 } else { (before * 2).min(PAUSE.1) }
}

/// Until the stream ends, is silent or is no stream.
async fn read(bytes: BoxStream<'static, Result<Bytes, Error>>, sender: &Told) {
    let mut line = 0;
    let bounded = bytes.map_err(std::io::Error::other).and_then(move |piece| {
        line = piece.iter().rposition(|byte| *byte == b'\n').map_or(line + piece.len(), |end| piece.len() - end - 1);
        std::future::ready(if line > LONGEST { Err(std::io::Error::other("a line is too long")) } else { Ok(piece) })
    });
    let mut messages = std::pin::pin!(SseByteStream::new(bounded));
    while let Ok(Some(Ok(message))) = timeout(SILENCE, messages.next()).await {
        let run = || serde_json::from_str(message.data.as_deref()?).ok().map(|run| Signal::Run(Arc::new(run)));
        let signal = match message.event.as_deref() {
            Some("run") => run().unwrap_or(Signal::Any),
            Some("event") => Signal::Event,
            Some("left" | "reset") => Signal::Any,
            _ => continue,
        };
        sender.send(signal);
    }
}

/// Whether a signal may change the answer to a query. A run's phase, outcome and what is *not* in it change during its life, so these say
/// nothing; events tell too little of their run, so each counts where events are asked for.
pub fn relevance(query: &Query) -> Box<dyn Fn(&Signal) -> bool + Send + Sync> {
    let events = query.ask.needs() == Needs::Events;
    let mut filter = Filter::default();
    for (field, value) in &query.question.filter {
        let lasting = !matches!(field.as_str(), "phase" | "outcome" | "reason" | "type" | "text") && !value.starts_with('!');
        if lasting && filter.add(field, value).is_err() {
            return Box::new(|_| true);
        }
    }
    Box::new(move |signal| match signal {
        Signal::Run(run) => !events && filter.matches_run(run),
        Signal::Event => events,
        Signal::Any => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_that_end_at_once_are_opened_ever_more_seldom() {
        let waits = |lasted| std::iter::successors(Some(PAUSE.0), move |before| Some(pause_after(*before, lasted))).skip(1).take(7);
        let seconds = |lasted| waits(lasted).map(|it| it.as_secs()).collect::<Vec<_>>();
        assert_eq!(seconds(Duration::ZERO), [2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(seconds(STEADY), [1; 7]);
        assert_eq!(pause_after(PAUSE.1, STEADY), PAUSE.0, "a good one makes up for all before it");
    }
}
