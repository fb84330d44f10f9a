//! What a scrape is: it asks each [`Source`](crate::source::Source) once, with a deadline, puts the answers into a [`World`], and lets every family write it.
//!
//! Few sources do I/O and many families only write, so a slow or broken source silences its own families and nothing else. The runner
//! ([`gather`], [`page`]) is the only place with timing, success and failure. A role is which [`Sources`] there are. To add a source: a field of
//! [`Sources`] and of [`World`], and a line in [`gather`].

use crate::cluster::now::{Now, Present};
use crate::declared::Declared;
use crate::exposition::{Exposition, Page};
use crate::families;
use crate::journal::{Journal, Status, Tally};
use crate::node::host::Host;
use crate::node::own::{self, Own};
use crate::node::sweep::Sweep;
use crate::node::sweeper::Sweeper;
use crate::node::told::Told;
use crate::peers::{self, Asking, PeerReading};
use crate::rounds::Rounds;
use crate::source::{Error, Source, timed};
use crate::verdict::{Stated, Survey};
use chaoscope_model::verdict::Residue;
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Every namespace and every chain, not only what chaos has to do with.
    pub all_rules: bool,
    /// Upstream's metric names too.
    pub upstream: Upstream,
}

/// Whether Chaos Mesh's own names are exposed: `chaos_daemon_*`, `chaos_controller_manager_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Upstream {
    /// Today's names.
    #[default]
    On,
    /// None, for sites that scrape Chaos Mesh itself.
    Off,
    /// Today's names and `chaos_daemon_tcs`, the name before 2.7.1.
    WithOld,
}

/// Everything one scrape saw; each source's answer on its own, `None` where this process does not have it.
#[derive(Default)]
pub struct World {
    /// What the flags ask for.
    pub detail: Detail,
    /// The sweep, with what follows from it.
    pub sweep: Option<Result<Seen, Error>>,
    /// What is declared for this node, as far as the cluster role has told.
    pub declared: Option<Result<Arc<Declared>, Error>>,
    /// What holds of everything declared.
    pub judged: Option<Result<Arc<Vec<Stated>>, Error>>,
    /// What nobody declares and is there all the same.
    pub residue: Option<Result<Arc<Vec<Residue>>, Error>>,
    /// This host's own figures.
    pub host: Option<Result<Arc<Host>, Error>>,
    /// What is in the cluster.
    pub cluster: Option<Result<Arc<Now>, Error>>,
    /// What the journal counted, and how it is.
    pub journal: Option<Counted>,
    /// How the API's streams do.
    pub streams: Option<Streams>,
    /// What the components of Chaos Mesh tell of themselves; `None` where nobody is asked.
    pub peers: Option<Result<Arc<Vec<PeerReading>>, Error>>,
    /// What this process costs.
    pub own: Option<Own>,
    /// How each source did.
    pub sources: BTreeMap<&'static str, Outcome>,
}

/// What a journal counted, and how it is; both as of its last commit.
#[derive(Clone, Default)]
pub struct Counted {
    /// Its counters.
    pub tally: Arc<Tally>,
    /// How it is.
    pub status: Status,
}

/// How the API's streams do: totals since the start of the process.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    /// Streams that are open.
    pub open: u64,
    /// Streams that ended, by reason.
    pub ended: Vec<(&'static str, u64)>,
    /// Streams there was no room for.
    pub refused: u64,
    /// How often one lagged so far behind that it went on from the journal.
    pub caught_up: u64,
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

impl World {
    /// The sweep, where there is one and it went well.
    pub fn seen(&self) -> Option<&Seen> {
        self.sweep.as_ref()?.as_ref().ok()
    }

    /// What is in the cluster, where that is known.
    pub fn now(&self) -> Option<&Now> {
        self.cluster.as_ref()?.as_ref().ok().map(|now| &**now)
    }
}

/// The sources of this process: a role is what is there.
#[derive(Default)]
pub struct Sources {
    /// Network namespaces, processes, mounts.
    pub sweeper: Option<Arc<Sweeper>>,
    /// How old a sweep may be; nothing where nobody sweeps but who asks.
    pub sweep_max_age: Duration,
    /// What is declared for this node, and what holds of it; sweeps are fed into it.
    pub rounds: Option<Arc<Rounds>>,
    /// This host's own figures.
    pub host: Option<crate::node::host::HostSource>,
    /// What is in the cluster.
    pub cluster: Option<Arc<dyn Present>>,
    /// What happened.
    pub journal: Option<Journal>,
    /// Who is told of it as it happens.
    pub streams: Option<Arc<dyn Fn() -> Streams + Send + Sync>>,
    /// The components of Chaos Mesh.
    pub peers: Option<Asking>,
    /// What the flags ask for.
    pub detail: Detail,
    /// What of the sweeps' limitations is in the log.
    pub told: Arc<Told>,
}

/// Asks every source at once and waits for all of them, or for `until`.
pub async fn gather(sources: &Sources, until: Instant) -> World {
    let mut outcomes = BTreeMap::new();
    let sweep = ask(sources.sweeper.as_deref(), sources.sweep_max_age, until);
    let host = ask(sources.host.as_ref(), Duration::ZERO, until);
    let peers = ask(sources.peers.as_ref(), peers::MAX_AGE, until);
    let (sweep, host, peers) = tokio::join!(sweep, host, peers);
    let sweep = sweep.map(|answer| noted(&mut outcomes, "sweep", answer));
    if let Some(Ok(sweep)) = &sweep {
        sources.told.tell(&sweep.limitations);
        outcomes.extend(sweep.parts.iter().map(|part| (part.source, Outcome { success: part.failure.is_none(), took: part.took })));
    }
    let sweep = sweep.map(|sweep| sweep.map(|sweep| Seen { survey: Survey::of(&sweep), sweep }));
    let sweep = sweep.map(|sweep| sweep.inspect(|seen| sources.rounds.iter().for_each(|rounds| rounds.saw(&seen.sweep, &seen.survey))));
    let host = host.map(|answer| noted(&mut outcomes, "host", answer));
    let peers = peers.map(|answer| noted(&mut outcomes, "peers", answer));
    // From memory, last: what waits for nothing is the youngest.
    let cluster = sources.cluster.as_ref().map(|present| {
        let start = Instant::now();
        let now = present.now();
        noted(&mut outcomes, "cluster", (now, start.elapsed()))
    });
    let journal = sources.journal.as_ref().map(|journal| Counted { tally: journal.tally(), status: journal.status() });
    let streams = sources.streams.as_ref().map(|streams| streams());
    let rounds = sources.rounds.as_ref();
    World {
        detail: sources.detail,
        sweep,
        declared: rounds.and_then(|rounds| rounds.declared()).map(|declared| Ok(Arc::new(declared))),
        judged: rounds.and_then(|rounds| rounds.stated()).map(|stated| Ok(Arc::new(stated))),
        residue: rounds.map(|rounds| rounds.residue()),
        host,
        cluster,
        journal,
        streams,
        peers,
        own: own::read(),
        sources: outcomes,
    }
}

type Answer<T> = (Result<Arc<T>, Error>, Duration);

async fn ask<S: Source>(source: Option<&S>, max_age: Duration, until: Instant) -> Option<Answer<S::Reading>> {
    match source {
        Some(source) => Some(timed(source.read(max_age, until)).await),
        None => None,
    }
}

/// Notes how a source did, and gives its reading.
fn noted<T>(outcomes: &mut BTreeMap<&'static str, Outcome>, source: &'static str, (reading, took): Answer<T>) -> Result<Arc<T>, Error> {
    outcomes.insert(source, Outcome { success: reading.is_ok(), took });
    reading
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
