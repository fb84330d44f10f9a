//! `chaoscope cluster`: everything the API server knows, watched and made into runs.

use super::runs::{Clocked, Runs};
use super::{Door, Failure, later, usage};
use crate::cluster::api::{Api, connect};
use crate::cluster::components::Components;
use crate::cluster::discover;
use crate::cluster::now::{Now, Present, WatchNow};
use crate::cluster::pods::Pods;
use crate::cluster::slots::Plans;
use crate::cluster::watch::{self, Watches};
use crate::config::{Cluster, Find};
use crate::desk::{Around, Desk};
use crate::ingest::intake::Intake;
use crate::ingest::{Clock, Ingest};
use crate::peers::find::{Component, Finder};
use crate::peers::{self, Asking, Peers};
use crate::scrape::{Detail, Sources};
use crate::serve::doctor::Group;
use crate::serve::listener::Limits;
use crate::source::Error;
use crate::tools::chaos_mesh::kinds::{GROUP, RESOURCES};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often what follows from the time alone is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Connections of nodes at once, and of their reports.
const NODES: u32 = 10_000;
/// Open files that are enough for all of them.
const MOST_FILES: u64 = 65_536;
/// How often the API server is asked which kinds it has, for the doctor.
const DISCOVERY: Duration = Duration::from_mins(1);

/// What is in a cluster that is watched.
struct Watched {
    ingest: Ingest,
    desk: Arc<Desk>,
    watches: Arc<Watches>,
    pods: Arc<Pods>,
}

impl Present for Watched {
    fn now(&self) -> Result<Arc<Now>, Error> {
        if !self.watches.ready() {
            return Err(Error::Failed("the first list is not complete yet".into()));
        }
        Ok(Arc::new(self.so_far()))
    }
}

impl Clocked for Watched {
    fn clock(&self) -> Timestamp {
        self.ingest.clock()
    }

    fn watches(&self) -> Vec<WatchNow> {
        let mut all = self.watches.status();
        all.push(self.pods.status());
        all
    }

    fn so_far(&self) -> Now {
        let mut now = self.ingest.now();
        now.watches = self.watches();
        now.nodes = Some(self.desk.nodes());
        now
    }

    fn plans(&self) -> Plans {
        self.ingest.plans()
    }
}

/// Watches and serves until a signal.
pub async fn run(flags: Cluster) -> Result<ExitCode, Failure> {
    let door = Door::with(&flags.web, room())?;
    let client = connect(&flags.server.whereabouts()).await.map_err(usage)?;
    let name = flags.meaning.cluster_name.clone();
    let (mut runs, restored) = Runs::open(&flags.journal, &flags.api, &door, Some((client.clone(), name.clone())))?;
    let zone = flags.meaning.time_zone.clone();
    let ingest = Ingest::start(&name, runs.journal.clone(), &restored.states, Clock::System, zone);
    let intake = Arc::new(Intake::new(ingest.clone(), flags.meaning.decoding()));
    let config = watch::Config { namespaces: flags.server.namespaces.clone(), ..watch::Config::default() };
    let watches = Arc::new(Watches::start(client.clone(), &RESOURCES, &config, &intake));
    let pods = Arc::new(Pods::start(client.clone(), &flags.server.namespaces, &intake));
    let (listed, looked) = (Arc::downgrade(&watches), Arc::downgrade(&pods));
    let desk = Desk::new(Around {
        ingest: ingest.clone(),
        journal: runs.journal.clone(),
        cluster: name.clone(),
        whole: Arc::new(move || listed.upgrade().is_some_and(|it| it.ready()) && looked.upgrade().is_some_and(|it| it.settled())),
        pods: Some((Api::new(client.clone()), flags.server.namespaces.clone())),
    });
    runs.desk = Some(Arc::clone(&desk));
    let watched = Arc::new(Watched { watches, pods, desk: Arc::clone(&desk), ingest: ingest.clone() });
    let status = Arc::downgrade(&watched);
    ingest.watched_by(Arc::new(move || status.upgrade().map_or_else(Vec::new, |watched| watched.watches.status())));
    let pods = Arc::downgrade(&watched);
    ingest.followed_by(Arc::new(move |run| pods.upgrade().into_iter().for_each(|watched| watched.pods.follow(run))));
    let tended = tokio::spawn(tend(Arc::clone(&watched)));
    let kept = tokio::spawn(desk.tend());
    let groups = Arc::new(Mutex::new(None));
    let components = Components::new(client.clone(), &flags.server.namespaces);
    let zone = flags.meaning.time_zone.is_none().then(|| ingest.clone());
    let discovered = tokio::spawn(discover(client, Arc::clone(&groups), components.clone(), zone));
    let finder = (flags.peer_find == Find::Labels).then(|| Arc::new(components) as Arc<dyn Finder>);
    let asked = finder.is_some() || !flags.peers.fixed.is_empty();
    let peers = Peers::new(peers::Config { fixed: flags.peers.fixed.clone(), ..peers::Config::default() }, finder);
    runs.facts = Arc::new(move |facts| facts.groups.clone_from(&groups.lock().unwrap_or_else(PoisonError::into_inner)));
    runs.present = Some(Arc::clone(&watched) as Arc<dyn Clocked>);
    let sources = Sources {
        cluster: Some(watched as Arc<dyn Present>),
        peers: asked.then_some(Asking::Now(peers)),
        detail: Detail { upstream: flags.upstream_names, ..Detail::default() },
        ..Sources::default()
    };
    tokio::select! {
        done = runs.serve(door, sources, &flags.web, "cluster") => done,
        ended = tended => Err(later(anyhow::anyhow!("the index is not tended any more: {ended:?}"))),
        ended = kept => Err(later(anyhow::anyhow!("nodes are not told anything any more: {ended:?}"))),
        ended = discovered => Err(later(anyhow::anyhow!("the API server's kinds are not asked for any more: {ended:?}"))),
    }
}

/// Room for a connection of each node besides everybody else's; and for as many open files as the host grants, since each is one.
fn room() -> Limits {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum.map_or(Some(MOST_FILES), |most| Some(most.min(MOST_FILES))).max(files.current);
    if let Err(error) = setrlimit(Resource::Nofile, files) {
        tracing::debug!(%error, "The limit of open files stays as it is.");
    }
    let limits = Limits::default();
    Limits { connections: limits.connections + NODES, ..limits }
}

/// What follows from the time.
async fn tend(watched: Arc<Watched>) {
    let mut timer = tokio::time::interval(TICK);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if watched.watches.ready() {
            watched.ingest.events_listed();
        }
        watched.pods.tick(watched.ingest.clock());
        watched.ingest.tick().await;
    }
}

/// Asks now and then which versions of the tools' kinds the API server has, and in which time zone the controller lives where no flag says.
async fn discover(client: kube::Client, groups: Arc<Mutex<Option<Vec<Group>>>>, components: Components, zone: Option<Ingest>) {
    loop {
        let found = discover::group(&client, GROUP).await.ok();
        let found = found.map(|served| vec![Group { name: GROUP.to_owned(), served }]);
        *groups.lock().unwrap_or_else(PoisonError::into_inner) = found;
        if let Some(ingest) = &zone
            && let Some(zone) = controllers_zone(&components).await
        {
            ingest.set_zone(zone);
        }
        tokio::time::sleep(DISCOVERY).await;
    }
}

/// What the controller's pod says; unknown where there is none, or where two of them differ.
async fn controllers_zone(components: &Components) -> Option<TimeZone> {
    let found = components.list().await.ok()?;
    let mut zones: Vec<String> =
        found.into_iter().filter(|found| found.component == Component::ControllerManager).filter_map(|found| found.time_zone).collect();
    zones.dedup();
    let [zone] = zones.as_slice() else { return None };
    TimeZone::get(zone).ok()
}
