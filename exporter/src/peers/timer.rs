//! The daemon of this node, asked every few minutes by a clock of its own and never by a scrape: each of its pages costs it three processes
//! for each container of the node.

use super::find::Peer;
use super::told::Told;
use super::{PeerReading, read};
use crate::source::{Error, Source};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Where a daemon serves its page, on the host's own network (`helm/chaos-mesh`, `chaosDaemon.httpPort`).
pub const URL: &str = "http://127.0.0.1:31766/metrics";
/// How often it is asked.
pub const EVERY: Duration = Duration::from_mins(5);
/// How long it may take: a node of 800 containers takes ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The newest answer of a daemon. Asking ends when this is dropped.
pub struct Daemon {
    last: watch::Receiver<Arc<Vec<PeerReading>>>,
    _clock: JoinSet<()>,
}

impl Daemon {
    /// Asks `peer` now, and again whenever `every` has passed. To be called within a runtime.
    pub fn ask(peer: Peer, every: Duration) -> Self {
        let (sender, last) = watch::channel(Arc::default());
        let mut clock = JoinSet::new();
        clock.spawn(async move {
            let told = Told::default();
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let reading = vec![read(peer.clone(), Instant::now() + PATIENCE).await];
                told.answers(&reading);
                sender.send_replace(Arc::new(reading));
            }
        });
        Self { last, _clock: clock }
    }
}

impl Source for Daemon {
    type Reading = Vec<PeerReading>;

    /// The newest answer, whatever its age, which it tells itself; empty before the first one came.
    async fn read(&self, _: Duration, _: Instant) -> Result<Arc<Vec<PeerReading>>, Error> {
        Ok(Arc::clone(&self.last.borrow()))
    }
}
