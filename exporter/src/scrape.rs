//! What a scrape is: it asks each [`Source`](crate::source::Source) once, with a deadline, puts the answers into a [`World`], and lets every family write it.
//!
//! Few sources do I/O and many families only write, so a slow or broken source silences its own families and nothing else. The runner
//! ([`gather`], [`page`]) is the only place with timing, success and failure. To add a source: a field of [`World`] and a line in [`gather`].

use crate::exposition::{Exposition, Page};
use crate::families;
use crate::node::host::Host;
use crate::node::own::{self, Own};
use crate::node::sweep::Sweep;
use crate::node::sweeper::Sweeper;
use crate::node::told::Told;
use crate::peers::{self, Asking, PeerReading};
use crate::source::{Error, Source, timed};
use crate::verdict::Survey;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One metric family group: pure, each family once.
pub trait Family: Send + Sync {
    /// Writes what the world says. A source that failed means no samples, never 0.
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result;
}

/// What to show, as the flags say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Every namespace and every chain, not only what chaos has to do with.
    pub all_rules: bool,
    /// Upstream's metric names too.
    pub upstream: Upstream,
}

/// Whether `chaos_daemon_*` is exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Upstream {
    /// Today's names.
    On,
    /// None, for sites that scrape chaos-daemon itself.
    Off,
    /// Today's names and `chaos_daemon_tcs`, the name before 2.7.1.
    WithOld,
}

/// Everything one scrape saw; each source's answer on its own.
pub struct World {
    /// What the flags ask for.
    pub detail: Detail,
    /// The sweep, with what follows from it.
    pub sweep: Result<Seen, Error>,
    /// This host's own figures; `None` unless switched on.
    pub host: Option<Result<Arc<Host>, Error>>,
    /// What the components of Chaos Mesh tell of themselves; `None` where nobody is asked.
    pub peers: Option<Result<Arc<Vec<PeerReading>>, Error>>,
    /// What this process costs.
    pub own: Option<Own>,
    /// How each source did.
    pub sources: BTreeMap<&'static str, Outcome>,
}

/// A sweep and what it means.
#[derive(Clone)]
pub struct Seen {
    /// What was read.
    pub sweep: Arc<Sweep>,
    /// What of it is chaos.
    pub survey: Survey,
}

/// How a source did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Whether it gave a reading to rely on.
    pub success: bool,
    /// How long it took.
    pub took: Duration,
}

/// The sources of the node role.
pub struct Sources {
    /// Network namespaces, processes, mounts.
    pub sweeper: Sweeper,
    /// This host's own figures, where switched on.
    pub host: Option<crate::node::host::HostSource>,
    /// The components of Chaos Mesh.
    pub peers: Option<Asking>,
    /// What the flags ask for.
    pub detail: Detail,
    /// What of the sweeps' limitations is in the log.
    pub told: Told,
}

/// Asks every source at once and waits for all of them, or for `until`.
pub async fn gather(sources: &Sources, until: Instant) -> World {
    let host = async {
        match &sources.host {
            Some(host) => Some(timed(host.read(Duration::ZERO, until)).await),
            None => None,
        }
    };
    let peers = async {
        match &sources.peers {
            Some(peers) => Some(timed(peers.read(peers::MAX_AGE, until)).await),
            None => None,
        }
    };
    let ((sweep, took), host, peers) = tokio::join!(timed(sources.sweeper.read(Duration::ZERO, until)), host, peers);
    let mut outcomes = BTreeMap::new();
    outcomes.insert("sweep", Outcome { success: sweep.is_ok(), took });
    if let Ok(sweep) = &sweep {
        sources.told.tell(&sweep.limitations);
        outcomes.extend(sweep.parts.iter().map(|part| (part.source, Outcome { success: part.failure.is_none(), took: part.took })));
    }
    let host = host.map(|(reading, took)| {
        outcomes.insert("host", Outcome { success: reading.is_ok(), took });
        reading
    });
    let peers = peers.map(|(reading, took)| {
        outcomes.insert("peers", Outcome { success: reading.is_ok(), took });
        reading
    });
    let sweep = sweep.map(|sweep| Seen { survey: Survey::of(&sweep), sweep });
    World { detail: sources.detail, sweep, host, peers, own: own::read(), sources: outcomes }
}

/// The page every family writes, and the runner's own two families.
pub fn page(world: Arc<World>) -> Arc<Page> {
    Arc::new(move |out| {
        for family in families::ALL {
            family.encode(&world, out)?;
        }
        let label = |source: &'static str| vec![("source", source.into())];
        out.gauge(
            "chaoscope_scrape_source_success",
            "Whether a source gave a reading (1), or nothing or too little (0).",
            world.sources.iter().map(|(source, outcome)| (label(source), outcome.success)),
        )?;
        out.gauge(
            "chaoscope_scrape_source_duration_seconds",
            "How long this scrape waited for a source.",
            world.sources.iter().map(|(source, outcome)| (label(source), outcome.took.as_secs_f64())),
        )
    })
}
