//! Looking at a few pods again, cheaply: what a whole sweep found of them is used as long as it holds, so that neither the runtime is asked
//! nor every process looked at.
//!
//! Apart from the whole sweep (`sweeper`), which finds out what there is. What is found here says nothing of other pods: such a sweep is never
//! complete. To look at one more part of those pods: a line in [`Work::look_closely`].

use super::containers::Container;
use super::dwellers::dwellers;
use super::limits;
use super::modules::Modules;
use super::namespaces::{self, Namespace, Sources};
use super::netns::NsId;
use super::processes::{Process, ProcessTable};
use super::sweep::Sweep;
use super::sweeper::Work;
use super::visit::Plan;
use super::visits::{Place, Visit, visit_all};
use crate::node::processes;
use chaoscope_model::Pod;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Which pods are looked at closely, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closely {
    /// Their uids. Members of sets are listed in their namespaces only.
    pub pods: BTreeSet<String>,
    /// Whether helper processes and what they did to files are looked for, which means a walk over every process.
    pub processes: bool,
}

/// What a whole sweep found, to be used again.
pub(super) struct Known {
    at: Instant,
    namespaces: Vec<Namespace>,
    containers: Vec<(Container, NsId)>,
    host: Option<NsId>,
    /// Pods that were looked for.
    asked: BTreeSet<String>,
}

/// How long it is used: a pod may get another container.
const LASTS: Duration = Duration::from_mins(1);
/// How long a pod that was not found is not looked for again.
const ABSENCE: Duration = Duration::from_secs(10);

impl Known {
    pub(super) fn new(asked: &Closely, namespaces: &[Namespace], containers: &[(Container, NsId)], host: Option<NsId>) -> Self {
        let wanted = |pod: &Pod| asked.pods.contains(&pod.uid);
        Self {
            at: Instant::now(),
            namespaces: namespaces.iter().filter(|it| it.pod.as_ref().is_some_and(wanted)).cloned().collect(),
            containers: containers.iter().filter(|(container, _)| wanted(&container.pod)).cloned().collect(),
            host,
            asked: asked.pods.clone(),
        }
    }

    /// Whether these pods can be looked at with what is known.
    fn will_do(&self, closely: &Closely, is_alive: impl Fn(&Container) -> bool) -> bool {
        let age = self.at.elapsed();
        let found: BTreeSet<&str> = self.namespaces.iter().filter_map(|it| Some(it.pod.as_ref()?.uid.as_str())).collect();
        let known = |uid: &String| self.asked.contains(uid) && (found.contains(uid.as_str()) || age < ABSENCE);
        age < LASTS && closely.pods.iter().all(known) && self.containers.iter().all(|(container, _)| is_alive(container))
    }

    fn of(&self, closely: &Closely) -> Vec<Namespace> {
        let wanted = |it: &&Namespace| it.pod.as_ref().is_some_and(|pod| closely.pods.contains(&pod.uid));
        self.namespaces.iter().filter(wanted).cloned().collect()
    }
}

impl Work {
    /// What is known of these pods, if that will do.
    pub(super) fn known(&self, closely: &Closely) -> Option<std::sync::Arc<Known>> {
        let known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()?;
        known.will_do(closely, |container| self.containers.is_alive(&container.id)).then_some(known)
    }

    /// Visits what is known of these pods. Everything that blocks.
    pub(super) fn look_closely(&self, known: &Known, closely: &Closely, until: Instant) -> Sweep {
        let start = Instant::now();
        let mut sweep = Sweep::begun(self.containers.describe(), &self.config.procfs);
        sweep.limitations = limits::capabilities();
        let table = closely.processes.then(|| {
            let begin = Instant::now();
            let table = processes::read(&self.config.procfs, until);
            sweep.table(table, begin.elapsed(), &self.config.procfs)
        });
        let table = table.flatten();
        let helpers = table.as_ref().map_or_else(Vec::new, ProcessTable::helpers);
        let narrowed = table.map(|table| narrowed(table, known, closely, &helpers.iter().map(|it| it.pid).collect()));
        let found = match &narrowed {
            Some(table) => self.regrouped(table, known, closely),
            None => known.of(closely),
        };
        self.visit(&mut sweep, found, until);
        if sweep.namespaces.iter().any(|it| matches!(it.fate, super::sweep::Fate::Skipped(super::sweep::Skip::Gone))) {
            self.forget();
        }
        let containers: Vec<_> = known.containers.iter().map(|(container, _)| container.clone()).collect();
        let named = |uid: &str| self.containers.pod(uid);
        let dwellers = dwellers(&sweep.namespaces, &containers, narrowed.as_ref(), &named);
        let dwellers = dwellers.into_iter().filter(|it| it.pod.as_ref().is_some_and(|pod| closely.pods.contains(&pod.uid)));
        self.mounts(&mut sweep, dwellers.collect(), until);
        // Of other pods, whose namespaces are not here, it cannot be told whose a helper is.
        let owned = helpers.into_iter().map(|helper| (self.owner(&sweep, &helper), helper));
        sweep.helpers = owned.filter(|(pod, _)| pod.as_ref().is_none_or(|pod| closely.pods.contains(&pod.uid))).collect();
        sweep.took = start.elapsed();
        sweep
    }

    /// Members of sets are listed where they were asked for: nobody needs those of a whole node twice a second.
    pub(super) fn visits(&self, found: &[Namespace], places: &[Place], until: Instant) -> Vec<Option<Visit>> {
        let closely = self.closely();
        let watched: BTreeSet<NsId> = found.iter().filter(|it| is_watched(it, &closely)).map(|it| it.place.id).collect();
        let plan = |members| Plan { modules: Modules::find(), members };
        if self.config.members || watched.is_empty() {
            return visit_all(places, self.config.threads, plan(self.config.members), until);
        }
        let (close, others): (Vec<_>, Vec<_>) = places.iter().cloned().partition(|place| watched.contains(&place.id));
        let mut close = visit_all(&close, self.config.threads, plan(true), until).into_iter();
        let mut others = visit_all(&others, self.config.threads, plan(false), until).into_iter();
        let next = |place: &Place| if watched.contains(&place.id) { close.next() } else { others.next() }.flatten();
        places.iter().map(next).collect()
    }

    /// What is known was wrong: the next look is a whole sweep.
    fn forget(&self) {
        *self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    /// The namespaces of these pods as their processes tell now: one of theirs may have made another.
    fn regrouped(&self, table: &ProcessTable, known: &Known, closely: &Closely) -> Vec<Namespace> {
        let names: BTreeMap<NsId, &Namespace> = known.namespaces.iter().map(|it| (it.place.id, it)).collect();
        let sources = Sources {
            containers: known.containers.clone(),
            processes: Some(table),
            named: Vec::new(),
            host: known.host,
            procfs: &self.config.procfs,
            pod: &|uid| self.containers.pod(uid),
        };
        let mut found = namespaces::group(sources);
        let helping: BTreeSet<NsId> = table.processes.iter().filter(|it| !it.argv.is_empty()).filter_map(|it| it.netns).collect();
        found.retain(|it| {
            !it.host && (it.pod.as_ref().is_some_and(|pod| closely.pods.contains(&pod.uid)) || helping.contains(&it.place.id))
        });
        for namespace in &mut found {
            if let Some(known) = names.get(&namespace.place.id) {
                namespace.name.clone_from(&known.name);
            }
        }
        // One that only a name still holds has no process to tell of it.
        let there: BTreeSet<NsId> = found.iter().map(|it| it.place.id).collect();
        found.extend(known.of(closely).into_iter().filter(|it| !there.contains(&it.place.id)));
        found
    }
}

fn is_watched(namespace: &Namespace, closely: &Closely) -> bool {
    namespace.pod.as_ref().is_some_and(|pod| closely.pods.contains(&pod.uid))
}

/// Of every process those of these pods, those in their namespaces, and helpers.
fn narrowed(mut table: ProcessTable, known: &Known, closely: &Closely, helpers: &BTreeSet<u32>) -> ProcessTable {
    let homes: BTreeSet<NsId> = known.of(closely).iter().map(|it| it.place.id).collect();
    let wanted = |process: &Process| {
        let of_pod = process.cgroup.pod_uid.as_ref().is_some_and(|uid| closely.pods.contains(uid));
        of_pod || process.netns.is_some_and(|id| homes.contains(&id)) || helpers.contains(&process.pid)
    };
    table.processes.retain(wanted);
    table
}
