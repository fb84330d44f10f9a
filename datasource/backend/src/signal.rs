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
use tokio::time::{sleep, timeout};

/// Signals kept for a listener that is busy; one that misses some asks anew.
const KEPT: usize = 256;
/// Longest line of a stream, in bytes. A run with 10 000 targets has about 3 MiB.
const LONGEST: usize = 16 << 20;
/// A stream that says nothing for so long is dead: Chaoscope sends something every 12 s.
const SILENCE: Duration = Duration::from_secs(40);
/// How long to wait before connecting again: doubled from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
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
    sender: Sender<Signal>,
    task: AbortHandle,
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

    /// Forgets what has come: the next answer has it.
    pub fn renew(&mut self) {
        self.receiver = self.shared.sender.subscribe();
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
            let sender = broadcast::channel(KEPT).0;
            let task = tokio::spawn(follow(Arc::clone(&self.open), sender.clone())).abort_handle();
            let begun = Arc::new(Shared { sender, task });
            *shared = Arc::downgrade(&begun);
            begun
        });
        Listener { receiver: shared.sender.subscribe(), shared }
    }
}

/// Reads the upstream stream, again and again.
async fn follow(open: Open, sender: Sender<Signal>) {
    let mut pause = PAUSE.0;
    loop {
        let Some(opening) = open() else {
            sleep(POLL).await;
            let _ = sender.send(Signal::Any); // nobody listens just now
            continue;
        };
        match opening.await {
            Ok(bytes) => {
                // What happened in between nobody told.
                let _ = sender.send(Signal::Any); // nobody listens just now
                pause = PAUSE.0;
                read(bytes, &sender).await;
            }
            Err(error) => {
                tracing::debug!(%error, "The live stream is not to be had.");
                pause = (pause * 2).min(PAUSE.1);
            }
        }
        sleep(pause).await;
    }
}

/// Until the stream ends, is silent or is no stream.
async fn read(bytes: BoxStream<'static, Result<Bytes, Error>>, sender: &Sender<Signal>) {
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
        let _ = sender.send(signal); // nobody listens just now
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
