//! One sweep of this host: containers and processes first, then every namespace once, then mounts. Who sweeps when is decided by the
//! callers of [`Sweeper::read`] and [`Sweeper::look`]: there is no timer here.
//!
//! Blocking work is done on threads of its own, never on the runtime's. To add a part: a field of [`Sweep`] and a line in [`Work::run`].

use super::closely::{Closely, Known};
use super::containers::{Container, Containers, Find, Roster};
use super::dwellers::{Dweller, dwellers};
use super::error::ReadError;
use super::limits;
use super::mounts::{self, ResolvConf};
use super::names;
use super::namespaces::{self, Namespace, Sources};
use super::netns::{self, NsId};
use super::processes::{self, Helper, ProcessError, ProcessTable};
use super::runtime::RuntimeError;
use super::sweep::{Fate, Files, Looked, Observed, Part, Skip, Sweep};
use super::visits::Visit;
use crate::exposition::Distribution;
use crate::source::{Error, Shared, Source, blocking, timed};
use chaoscope_model::Pod;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Upper bounds of `chaoscope_netns_read_duration_seconds`: an idle namespace takes 30 µs, 10 000 rules some 20 ms.
const BOUNDS: [f64; 9] = [0.000_03, 0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0];

/// How sweeps are made.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where processes are.
    pub procfs: PathBuf,
    /// Where named namespaces are.
    pub named: PathBuf,
    /// Threads that visit namespaces.
    pub threads: usize,
    /// Whether the host's own namespace is read too.
    pub host_network: bool,
    /// Whether set members are listed.
    pub members: bool,
}

/// Sweeps this host when asked.
pub struct Sweeper {
    work: Arc<Work>,
    shared: Arc<Shared<Sweep>>,
}

impl Sweeper {
    /// Without a runtime, namespaces are found in /proc alone.
    pub fn new(config: Config, runtime: Find) -> Self {
        let containers = Containers::new(runtime, &config.procfs);
        let durations = Mutex::new(Distribution::exact(&BOUNDS));
        let work = Work { config, containers, durations, closely: Mutex::default(), known: Mutex::default() };
        Self { work: Arc::new(work), shared: Arc::default() }
    }

    /// From now on these pods are looked at closely, by whole sweeps too.
    pub fn watch(&self, closely: Closely) {
        let mut held = self.work.closely.lock().unwrap_or_else(PoisonError::into_inner);
        if **held != closely {
            *held = Arc::new(closely);
        }
    }

    /// Looks at the pods that are watched, and at nothing else where what the last whole sweep found still holds. Else it is one, which
    /// concurrent readers share.
    pub async fn look(&self, until: Instant) -> Result<Arc<Sweep>, Error> {
        let closely = self.work.closely();
        match self.work.known(&closely) {
            Some(known) => {
                let work = Arc::clone(&self.work);
                blocking("look", move || work.look_closely(&known, &closely, until)).await.map(Arc::new)
            }
            None => self.read(Duration::ZERO, until).await,
        }
    }

    /// Whether there is a container runtime to ask for names.
    pub fn has_runtime(&self) -> bool {
        self.work.containers.has_runtime()
    }

    /// Pods have these names, whoever told of it.
    pub fn named(&self, pods: &[Pod]) {
        self.work.containers.remember(pods.iter());
    }
}

impl Source for Sweeper {
    type Reading = Sweep;

    async fn read(&self, max_age: Duration, until: Instant) -> Result<Arc<Sweep>, Error> {
        let work = Arc::clone(&self.work);
        // A little is kept back, so that what was read by then can still be handed over.
        let left = until.saturating_duration_since(Instant::now());
        let stop = until.checked_sub(HAND_OVER.min(left / 4)).unwrap_or(until);
        self.shared.get(max_age, until, || work.run(stop)).await
    }
}

/// Time kept back from the deadline to put a sweep together and encode it; of very little time, a quarter.
const HAND_OVER: Duration = Duration::from_millis(50);

pub(super) struct Work {
    pub(super) config: Config,
    pub(super) containers: Containers,
    durations: Mutex<Distribution>,
    closely: Mutex<Arc<Closely>>,
    /// What the last whole sweep found of the pods that are looked at closely.
    pub(super) known: Mutex<Option<Arc<Known>>>,
}

impl Work {
    pub(super) fn closely(&self) -> Arc<Closely> {
        Arc::clone(&self.closely.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn run(self: Arc<Self>, until: Instant) -> Result<Sweep, Error> {
        let start = Instant::now();
        // A runtime that hangs, or very many processes, must leave time for the visits.
        let patience = until.min(start + until.saturating_duration_since(start) / 2);
        let mut sweep = Sweep { limitations: limits::capabilities(), ..Sweep::begun(String::new(), &self.config.procfs) };
        let procfs = self.config.procfs.clone();
        let table = blocking("processes", move || processes::read(&procfs, patience));
        let (roster, table) = tokio::join!(timed(self.containers.read(patience.into())), timed(table));
        sweep.runtime = self.containers.describe();
        let (table, took) = table;
        let table = table?;
        let roster = sweep.roster(roster, table.as_ref().ok());
        let table = sweep.table(table, took, &self.config.procfs);
        let this = Arc::clone(&self);
        blocking("sweep", move || this.look(sweep, roster, table, start, until)).await
    }

    /// Everything that blocks.
    fn look(&self, mut sweep: Sweep, roster: Option<Roster>, table: Option<ProcessTable>, start: Instant, until: Instant) -> Sweep {
        let containers = roster.map_or_else(Vec::new, |roster| roster.containers);
        let identify = |pid: u32| netns::identify(&self.config.procfs.join(format!("{pid}/ns/net"))).ok();
        let host = identify(1).or_else(|| netns::identify(Path::new("/proc/self/ns/net")).ok());
        let names = names::read(&self.config.named);
        sweep.limitations.extend(limits::names(&self.config.named, &names));
        sweep.complete.namespaces = sweep.complete.processes && names.as_ref().is_ok_and(|names| names.refused.is_empty());
        let housed: Vec<_> = containers.iter().filter_map(|container| Some((container.clone(), identify(container.pid)?))).collect();
        let sources = Sources {
            containers: housed.clone(),
            processes: table.as_ref(),
            named: names.map_or_else(|_| Vec::new(), |names| names.found),
            host,
            procfs: &self.config.procfs,
            pod: &|uid| self.containers.pod(uid),
        };
        let found = namespaces::group(sources);
        self.keep(&found, &housed, host);
        self.visit(&mut sweep, found, until);
        let begin = Instant::now();
        let dwellers = dwellers(&sweep.namespaces, &containers, table.as_ref(), &|uid| self.containers.pod(uid));
        self.mounts(&mut sweep, dwellers, until);
        sweep.parts.push(Part { source: "mounts", took: begin.elapsed(), failure: None });
        let helpers = table.map_or_else(Vec::new, |table| table.helpers());
        sweep.helpers = helpers.into_iter().map(|helper| (self.owner(&sweep, &helper), helper)).collect();
        sweep.took = start.elapsed();
        sweep
    }

    fn keep(&self, found: &[Namespace], housed: &[(Container, NsId)], host: Option<NsId>) {
        let closely = self.closely();
        let known = (!closely.pods.is_empty()).then(|| Arc::new(Known::new(&closely, found, housed, host)));
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    pub(super) fn visit(&self, sweep: &mut Sweep, found: Vec<Namespace>, until: Instant) {
        let begin = Instant::now();
        let wanted = |namespace: &Namespace| self.config.host_network || !namespace.host;
        let places: Vec<_> = found.iter().filter(|namespace| wanted(namespace)).map(|namespace| namespace.place.clone()).collect();
        let mut visits = self.visits(&found, &places, until).into_iter();
        let fate = |namespace: &Namespace| match wanted(namespace).then(|| visits.next().flatten()) {
            None => Fate::Skipped(Skip::HostNetwork),
            Some(None) => Fate::Skipped(Skip::Deadline),
            Some(Some(Visit { reading: Ok(reading), took })) => Fate::Read(Box::new(reading), took),
            Some(Some(Visit { reading: Err(ReadError::Gone { .. }), .. })) => Fate::Skipped(Skip::Gone),
            Some(Some(Visit { reading: Err(error), .. })) => Fate::Failed(error),
        };
        let fates: Vec<_> = found.iter().map(fate).collect();
        sweep.namespaces = found.into_iter().zip(fates).map(|(namespace, fate)| Observed { namespace, fate }).collect();
        sweep.parts.push(Part { source: "namespaces", took: begin.elapsed(), failure: None });
        sweep.limitations.extend(limits::visits(&sweep.namespaces));
        let mut durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        for observed in &sweep.namespaces {
            if let Fate::Read(_, took) = &observed.fate {
                durations.observe(took.as_secs_f64());
            }
        }
        sweep.durations = durations.clone();
    }

    pub(super) fn mounts(&self, sweep: &mut Sweep, dwellers: Vec<Dweller>, until: Instant) {
        let mut unseen = limits::Unseen::default();
        for Dweller { pod, container, nameless, pid } in dwellers {
            let mounts = unseen.note(mounts::read(&self.config.procfs, pid, until));
            let (read, toda, resolv_conf) =
                mounts.map_or((false, Vec::new(), None), |mounts| (true, mounts.toda, unseen.note(mounts.resolv_conf)));
            let uid = pod.as_ref().map_or_else(String::new, |pod| pod.uid.clone());
            let resolv_conf_read = resolv_conf.is_some();
            sweep.looked.push(Looked { pod: uid, container: container.clone(), nameless, mounts: read, resolv_conf: resolv_conf_read });
            if !toda.is_empty() || resolv_conf.is_some_and(|state| state != ResolvConf::Untouched) {
                sweep.mounts.push(Files { pod, container, toda: toda.into_iter().map(|toda| toda.point).collect(), resolv_conf });
            }
        }
        sweep.limitations.extend(unseen.limitation());
    }

    /// The pod a helper acts on: by its network namespace, else by the pod's uid.
    pub(super) fn owner(&self, sweep: &Sweep, helper: &Helper) -> Option<Pod> {
        let by_netns = |id| sweep.namespaces.iter().find(|observed| observed.namespace.place.id == id)?.namespace.pod.clone();
        let by_uid = |uid: &String| {
            let known = sweep.namespaces.iter().filter_map(|observed| observed.namespace.pod.as_ref()).find(|pod| &pod.uid == uid);
            known.cloned().or_else(|| self.containers.pod(uid)).or_else(|| Some(Pod { uid: uid.clone(), ..Pod::default() }))
        };
        helper.netns.and_then(by_netns).or_else(|| helper.target.pod_uid.as_ref().and_then(by_uid))
    }
}

impl Sweep {
    fn roster(&mut self, (answer, took): (Option<Result<Roster, RuntimeError>>, Duration), table: Option<&ProcessTable>) -> Option<Roster> {
        let (roster, error) = match answer? {
            Ok(roster) => {
                let failure = roster.failure.as_ref().map(|error| limits::containers(error, &roster.unanswered, table));
                (Some(roster), failure)
            }
            Err(error) => (None, Some(limits::runtime(&error))),
        };
        let failure = error.as_ref().filter(|limitation| roster.is_none() || limitation.blinds).map(|limitation| limitation.what.clone());
        self.parts.push(Part { source: "runtime", took, failure });
        self.limitations.extend(error);
        roster
    }

    pub(super) fn table(&mut self, answer: Result<ProcessTable, ProcessError>, took: Duration, procfs: &Path) -> Option<ProcessTable> {
        // Part of a walk is of use, but helpers counted in it may be too few: whoever counts must know.
        let failure = limits::narrowed(&answer, procfs);
        self.parts.push(Part { source: "processes", took, failure });
        self.limitations.extend(limits::processes(&answer));
        self.limitations.extend(answer.as_ref().ok().and_then(|table| limits::horizon(table, procfs)));
        self.complete.processes = answer.as_ref().is_ok_and(ProcessTable::is_complete);
        self.unreadable = answer.as_ref().map_or(0, |table| table.unreadable);
        answer.ok()
    }
}
