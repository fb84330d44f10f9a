//! What the components of Chaos Mesh tell about themselves on their own `/metrics`.
//!
//! Each peer is asked over HTTP ([`ask`]), its page is read ([`parse`]) for the families worth passing through ([`wanted`]) under today's
//! names (`rename`), and is kept apart from everybody else's: counters of two processes are never added up, for the sum falls whenever one
//! of them restarts. Controllers, dashboard and DNS server are asked when a scrape wants them ([`Peers`]); a node's daemon, whose page costs it
//! three processes per container, by a clock of its own ([`Daemon`]). Who is asked is in [`find`].

pub mod ask;
pub mod find;
pub mod lines;
pub mod parse;
mod rename;
pub mod timer;
mod told;
pub mod wanted;

pub use timer::Daemon;

use crate::source::{Error, Shared, Source, timed};
use ask::{Failure, ask};
use find::{Finder, Known, Peer};
use futures_util::future::join_all;
use parse::Page;
use std::sync::Arc;
use std::time::{Duration, Instant};
use told::Told;

/// How old an answer may be that a scrape is content with: what two scrapers ask within this time costs the peers one page.
pub const MAX_AGE: Duration = Duration::from_secs(10);
/// How long one peer may take, whatever time there is: a pod that is gone answers nothing at all.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Most peers that are asked; pods with the right labels are anybody's to make.
pub const MAX_PEERS: usize = 64;
/// Time kept back from the deadline, so that a peer that hangs does not take the others' answers with it; of little time, a quarter.
const HAND_OVER: Duration = Duration::from_millis(250);

/// Who is asked, and how long that may take.
#[derive(Clone, Debug)]
pub struct Config {
    /// Peers whose addresses were given.
    pub fixed: Vec<Peer>,
    /// How long one peer may take.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { fixed: Vec::new(), patience: PATIENCE }
    }
}

/// How the peers of a process are asked.
pub enum Asking {
    /// When a scrape wants them.
    Now(Peers),
    /// By a clock of its own.
    ByClock(Daemon),
}

impl Source for Asking {
    type Reading = Vec<PeerReading>;

    async fn read(&self, max_age: Duration, until: Instant) -> Result<Arc<Vec<PeerReading>>, Error> {
        match self {
            Self::Now(peers) => peers.read(max_age, until).await,
            Self::ByClock(daemon) => daemon.read(max_age, until).await,
        }
    }
}

/// What one peer answered.
#[derive(Clone, Debug)]
pub struct PeerReading {
    /// Who was asked.
    pub peer: Peer,
    /// When.
    pub at: jiff::Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What it told, or why that is nothing.
    pub page: Result<Page, Failure>,
}

/// Asks every peer when somebody wants to know; each fails alone.
pub struct Peers {
    config: Config,
    known: Option<Arc<Known>>,
    told: Arc<Told>,
    shared: Arc<Shared<Vec<PeerReading>>>,
}

impl Peers {
    /// Those of `config`, and those `finder` finds.
    pub fn new(config: Config, finder: Option<Arc<dyn Finder>>) -> Self {
        let known = finder.map(|finder| Arc::new(Known::new(finder)));
        Self { config, known, told: Arc::default(), shared: Arc::default() }
    }
}

impl Source for Peers {
    type Reading = Vec<PeerReading>;

    /// An error only where nobody could be found and no address was given; whoever does not answer is a reading that says why.
    async fn read(&self, max_age: Duration, until: Instant) -> Result<Arc<Vec<PeerReading>>, Error> {
        let (config, known, told) = (self.config.clone(), self.known.clone(), Arc::clone(&self.told));
        let left = until.saturating_duration_since(Instant::now());
        let stop = until.checked_sub(HAND_OVER.min(left / 4)).unwrap_or(until);
        self.shared.get(max_age, until, || run(config, known, told, stop)).await
    }
}

async fn run(config: Config, known: Option<Arc<Known>>, told: Arc<Told>, until: Instant) -> Result<Vec<PeerReading>, Error> {
    let mut peers = config.fixed;
    if let Some(known) = &known {
        // An API server that hangs must leave time for those whose addresses were given.
        let now = Instant::now();
        let found = known.find(now + until.saturating_duration_since(now) / 2).await;
        told.found(found.as_ref().err());
        match found {
            Ok(found) => peers.extend(found),
            Err(lost) if peers.is_empty() => return Err(Error::Failed(lost.to_string().into())),
            Err(_) => {}
        }
    }
    let mut peers = find::unique(peers);
    told.many(peers.len().saturating_sub(MAX_PEERS));
    peers.truncate(MAX_PEERS);
    let readings = join_all(peers.into_iter().map(|peer| read(peer, until.min(Instant::now() + config.patience)))).await;
    told.answers(&readings);
    if readings.iter().any(|reading| reading.page.is_err())
        && let Some(known) = &known
    {
        known.forget();
    }
    Ok(readings)
}

/// Asks one peer.
async fn read(peer: Peer, until: Instant) -> PeerReading {
    let at = jiff::Timestamp::now();
    let (page, took) = timed(page(&peer, until)).await;
    PeerReading { peer, at, took, page }
}

async fn page(peer: &Peer, until: Instant) -> Result<Page, Failure> {
    let answer = ask(&peer.url, until).await?;
    let component = peer.component;
    // A page of the largest size takes a fifth of a second to read.
    let parsed = tokio::task::spawn_blocking(move || parse::parse(component, &answer.page()?).map_err(Failure::from)).await;
    parsed.unwrap_or_else(|_| Err(Failure::Unreachable("the reading ended without an answer".into())))
}

#[cfg(test)]
mod tests;
