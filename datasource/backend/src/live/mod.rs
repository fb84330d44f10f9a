//! Panels kept current over Grafana Live: a channel per query ([`channel`]), one upstream stream per datasource (`crate::signal`), and a loop that
//! asks again when something changed.
//!
//! What comes over the upstream stream is only a signal that a question's answer may be another now. The answer itself is always asked for
//! whole, so a packet never depends on the one before it, and an outage leaves no gap. A channel carries one frame: kinds of query that
//! answer with several (state timelines) are not streamed.

pub mod channel;

use crate::frames::{Frame, json};
use crate::instance::Instance;
use crate::metrics::METRICS;
use crate::origin::Error;
use crate::query::Query;
use crate::signal::{self, Signal};
use channel::Topic;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, timeout};

/// Changes that come within this time are told together.
const TOGETHER: Duration = Duration::from_millis(250);
/// How often a window moves on though nothing changes: the panel's step, within these bounds.
const STEP: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));
/// How long to wait after a failure: doubled from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Sends the frame of a topic, now and whenever it is another, until nobody listens.
pub async fn run(instance: Arc<Instance>, topic: Topic, out: Sender<Vec<u8>>) {
    let gone = out.clone();
    let _open = Open::begun();
    tokio::select! {
        () = gone.closed() => {}
        () = follow(&instance, &topic, &out) => {}
    }
}

async fn follow(instance: &Arc<Instance>, topic: &Topic, out: &Sender<Vec<u8>>) {
    let mut signals = instance.listen();
    let mut told = None;
    let mut failing = Failing::default();
    let step = topic.interval().clamp(STEP.0, STEP.1);
    let mut since = Instant::now();
    loop {
        match answer(instance, topic, since).await {
            Ok((query, frame)) => {
                failing.over(topic);
                if told != frame {
                    let packet = frame.as_ref().map(json::packet).unwrap_or_default();
                    if out.send(packet.into()).await.is_err() {
                        return;
                    }
                    METRICS.stream_packets.inc();
                    told = frame;
                }
                let relevant = signal::relevance(&query);
                // The window moves on by itself; what has changed is told at once.
                if timeout(step, changed(signals.receiver(), &relevant)).await.is_ok() {
                    sleep(TOGETHER).await;
                    signals.renew();
                    since = Instant::now();
                }
            }
            Err(error) => sleep(failing.begun(topic, &error)).await,
        }
    }
}

/// The frame as it is now, from an answer not older than `since`.
async fn answer(instance: &Arc<Instance>, topic: &Topic, since: Instant) -> Result<(Query, Option<Frame>), Error> {
    let query = topic.query(Timestamp::now()).map_err(|refused| Error::Refused(refused.0.into()))?;
    let frames = instance.answer_since(&query, since).await?;
    Ok((query, frames.into_iter().next()))
}

/// Waits until something may have changed the answer.
async fn changed(signals: &mut Receiver<Signal>, relevant: &(dyn Fn(&Signal) -> bool + Send + Sync)) {
    loop {
        match signals.recv().await {
            Ok(signal) if relevant(&signal) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            // The upstream stream is gone for good: then time alone moves the panel.
            Err(RecvError::Closed) => std::future::pending::<()>().await,
        }
    }
}

/// An open stream, counted as long as it is there.
struct Open;

impl Open {
    fn begun() -> Self {
        METRICS.streams.inc();
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        METRICS.streams.dec();
    }
}

/// A failure is logged when it begins and when it ends.
#[derive(Default)]
struct Failing {
    times: u32,
}

impl Failing {
    fn begun(&mut self, topic: &Topic, error: &Error) -> Duration {
        if self.times == 0 {
            tracing::warn!(query = topic.kind(), %error, "A live panel is not current.");
        }
        let pause = PAUSE.0.saturating_mul(1 << self.times.min(8)).min(PAUSE.1);
        self.times += 1;
        pause
    }

    fn over(&mut self, topic: &Topic) {
        if std::mem::take(&mut self.times) > 0 {
            tracing::info!(query = topic.kind(), "A live panel is current again.");
        }
    }
}
