//! The index: what is known now, and the one place where observations become changes of runs and events.
//!
//! Pure: whoever reads (watches, a recording) calls [`Index::observe`], and hands the [`Changes`] to whoever keeps them. Schedules, workflows
//! and the like are kept as they are now; experiments as histories, from which runs are derived.

mod absent;
mod changes;
mod declared;
mod plans;
mod stirred;
mod view;

pub use changes::Changes;
pub use declared::{Faults, MOST_ENDED, Place, Standing};

use crate::tools::chaos_mesh;
use chaoscope_model::event::Event;
use chaoscope_model::history::{self, History};
use chaoscope_model::observation::{Gone, JudgedAt, Notice, Object, Observation, PodSeen};
use chaoscope_model::run::Run;
use chaoscope_model::{Few, Reference, Tool};
use jiff::{SignedDuration, Timestamp};
use lru::LruCache;
use plans::Plans;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// An experiment that is gone is remembered so long, for Events that come late (an API server keeps them an hour).
const REMEMBERED: SignedDuration = SignedDuration::from_hours(2);
/// Names of pods remembered.
const MOST_PODS: usize = 100_000;
/// Experiments of which it is remembered that they were forgotten.
const MOST_FORGOTTEN: NonZeroUsize = NonZeroUsize::new(20_000).unwrap();
/// Pods of one name remembered: a replaced pod has the name of the one before.
const MOST_NAMESAKES: usize = 8;
/// What the keys of its states begin with.
const STATE: &str = "experiment/";

/// Everything known.
pub struct Index {
    cluster: String,
    experiments: HashMap<String, Entry>,
    /// What is known of a pod's name, by `namespace/name`.
    named: HashMap<String, Named>,
    plans: Plans,
    /// Kinds and namespaces of which a complete list was seen.
    listed: HashSet<(String, String)>,
    /// Complete lists that wait for Events.
    waiting: Vec<Listed>,
    /// Whether Events come: they were listed once.
    events: bool,
    /// Uids of experiments that were forgotten.
    forgotten: LruCache<String, ()>,
    /// Open runs of a journal whose experiments it knows nothing of any more.
    orphans: Vec<Run>,
    /// What changed of what is declared; `None`: nobody wants to know.
    stirred: Option<BTreeSet<String>>,
}

/// A complete list of one kind in one namespace (empty: in all).
#[derive(Clone, Debug)]
pub struct Listed {
    /// Kind.
    pub kind: String,
    /// Namespace; empty: all.
    pub namespace: String,
    /// Everything that is there.
    pub uids: HashSet<String>,
    /// When.
    pub seen: Timestamp,
}

/// What is known of a pod's name.
#[derive(Default)]
struct Named {
    /// Uids of the experiments that have or had a pod of this name as a target.
    interested: Few<Arc<str>, ()>,
    /// By uid.
    pods: Few<Arc<str>, PodSeen>,
}

struct Entry {
    history: History,
    /// As derived last.
    runs: Vec<Arc<Run>>,
}

impl Index {
    /// An empty index of the cluster of that name.
    pub fn new(cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            experiments: HashMap::new(),
            named: HashMap::new(),
            plans: Plans::default(),
            listed: HashSet::new(),
            waiting: Vec::new(),
            events: false,
            forgotten: LruCache::new(MOST_FORGOTTEN),
            orphans: Vec::new(),
            stirred: None,
        }
    }

    /// Takes up what a journal kept; a state that cannot be read is left out, and rebuilt from the next list. Gives how many were.
    pub fn restore<'a>(&mut self, states: impl IntoIterator<Item = (&'a String, &'a Vec<u8>)>) -> usize {
        let mut unreadable = 0;
        for (key, bytes) in states {
            let Some(uid) = key.strip_prefix(STATE) else { continue };
            match serde_json::from_slice::<History>(bytes) {
                Ok(history) => {
                    let runs = history.runs().into_iter().map(Arc::new).collect();
                    self.experiments.insert(uid.to_owned(), Entry { history, runs });
                    self.interest(uid);
                }
                Err(_) => unreadable += 1,
            }
        }
        unreadable
    }

    /// Open runs of the journal: those of experiments no state was kept of end as lost when their kind's list does not show them.
    pub fn adopt(&mut self, open: Vec<Run>) {
        let unknown = |run: &Run| run.tool == Tool::ChaosMesh && run.cluster == self.cluster && !self.experiments.contains_key(&run.uid);
        self.orphans = open.into_iter().filter(unknown).collect();
    }

    /// Takes in one fact.
    pub fn observe(&mut self, observation: Observation) -> Changes {
        match observation {
            Observation::Experiment(object) => self.experiment(*object),
            Observation::Notice(notice) => self.notice(&notice),
            Observation::Gone(gone) => self.depart(&gone),
            Observation::Pod(pod) => self.pod(pod),
            Observation::Judged(judged) => self.judged(&judged),
            plan => {
                self.stir_plan(&plan);
                self.plans.keep(plan);
                Changes::default()
            }
        }
    }

    /// Takes in a complete list: what is not in it is gone. Experiments wait a moment for Events, which may tell how they ended.
    pub fn listed(&mut self, listed: Listed) {
        let first = self.listed.insert((listed.kind.clone(), listed.namespace.clone()));
        self.stir_list(&listed, first);
        self.plans.retain(&listed);
        self.waiting.push(listed);
    }

    /// Events were listed: from now on they tell how things end.
    pub fn events_listed(&mut self) {
        self.events = true;
    }

    /// What follows from the time alone. To be called every few seconds.
    pub fn tick(&mut self, now: Timestamp) -> Changes {
        let mut changes = self.settle(now);
        let lost: Vec<Gone> = self.experiments.values().filter_map(|entry| self.unseen(&entry.history, now)).collect();
        for gone in lost {
            changes.merge(self.depart(&gone));
        }
        changes.runs.extend(self.bury(now));
        let old = |entry: &Entry| entry.history.gone().is_some_and(|(_, at)| now.duration_since(at) > REMEMBERED);
        let forgotten: Vec<String> = self.experiments.iter().filter(|(_, entry)| old(entry)).map(|(uid, _)| uid.clone()).collect();
        for uid in forgotten {
            self.forget(&uid);
            changes.touched.insert(uid);
        }
        changes
    }

    /// What is to be kept of an experiment, with its key; `None`: nothing any more.
    pub fn state(&self, uid: &str) -> (String, Option<Vec<u8>>) {
        let history = self.experiments.get(uid).map(|entry| &entry.history);
        (format!("{STATE}{uid}"), history.and_then(|history| serde_json::to_vec(history).ok()))
    }

    /// Runs that have not ended.
    pub fn open_runs(&self) -> impl Iterator<Item = &Run> {
        self.experiments.values().flat_map(|entry| &entry.runs).map(|run| &**run).filter(|run| run.is_open())
    }

    fn experiment(&mut self, object: Object) -> Changes {
        let (uid, seen) = (object.about.uid.clone(), object.seen);
        let about = object.about.clone();
        let tool = object.tool;
        let events = self.entry(&uid, || (tool, about, seen)).history.object(object);
        self.interest(&uid);
        self.refresh(&uid, events)
    }

    fn notice(&mut self, notice: &Notice) -> Changes {
        if !chaos_mesh::is_experiment(&notice.about.kind) {
            return Changes { events: vec![history::notice_row(notice, &self.cluster)], ..Changes::default() };
        }
        let uid = notice.about.uid.clone();
        // Of an experiment that was forgotten a late Event would make half a run.
        if self.forgotten.contains(&uid) {
            return Changes { events: vec![history::notice_row(notice, &self.cluster)], ..Changes::default() };
        }
        let event = self.entry(&uid, || (notice.tool, notice.about.clone(), notice.seen)).history.notice(notice);
        if !notice.target.pod.is_empty() {
            self.interest(&uid);
        }
        self.refresh(&uid, vec![event])
    }

    fn depart(&mut self, gone: &Gone) -> Changes {
        self.stir_gone(&gone.about);
        self.plans.remove(&gone.about.uid);
        let Some(entry) = self.experiments.get_mut(&gone.about.uid) else { return Changes::default() };
        entry.history.depart(gone);
        self.refresh(&gone.about.uid, Vec::new())
    }

    fn pod(&mut self, pod: Box<PodSeen>) -> Changes {
        let name = format!("{}/{}", pod.namespace, pod.name);
        let mut changes = Changes::default();
        let interested: Vec<_> = self.named.get(&name).into_iter().flat_map(|named| named.interested.keys()).cloned().collect();
        for uid in interested {
            // What becomes of pods when all runs are over changes none of them.
            let ended = |entry: &Entry| entry.runs.iter().map(|run| run.ended_at).collect::<Option<Vec<_>>>()?.into_iter().max();
            let late = |end: Timestamp| pod.created_at.is_some_and(|at| at > end) || (pod.gone && pod.seen > end);
            if let Some(entry) = self.experiments.get_mut(&*uid).filter(|entry| !ended(entry).is_some_and(late)) {
                entry.history.pod(&pod);
                changes.merge(self.refresh(&uid, Vec::new()));
            }
        }
        if self.named.len() < MOST_PODS || self.named.contains_key(&name) {
            self.stir(&name);
            let named = &mut self.named.entry(name).or_default().pods;
            named.insert(Arc::clone(&pod.uid), *pod);
            while named.len() > MOST_NAMESAKES {
                let oldest = named.values().min_by_key(|pod| pod.created_at).map(|pod| Arc::clone(&pod.uid));
                oldest.and_then(|uid| named.remove(&uid));
            }
        }
        changes
    }

    /// What somebody else than the tool found about a target; of experiments that were forgotten nothing is kept.
    fn judged(&mut self, judged: &JudgedAt) -> Changes {
        let events = self.experiments.get_mut(&judged.uid).and_then(|entry| entry.history.judged(judged));
        events.map_or_else(Changes::default, |events| self.refresh(&judged.uid, events))
    }

    fn entry(&mut self, uid: &str, first: impl FnOnce() -> (Tool, Reference, Timestamp)) -> &mut Entry {
        self.experiments.entry(uid.to_owned()).or_insert_with(|| {
            let (tool, about, seen) = first();
            Entry { history: History::new(&self.cluster, tool, about, seen), runs: Vec::new() }
        })
    }

    /// Tells a history about the pods its targets name, once for each name.
    fn interest(&mut self, uid: &str) {
        let Some(entry) = self.experiments.get_mut(uid) else { return };
        let names: Vec<_> = entry.history.target_pods().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
        let uid: Arc<str> = uid.into();
        for name in names {
            let named = self.named.entry(name).or_default();
            if named.interested.insert(Arc::clone(&uid), ()).is_none() {
                named.pods.values().for_each(|pod| entry.history.pod(pod));
            }
        }
    }

    /// Derives the runs of an experiment anew; gives what is different.
    fn refresh(&mut self, uid: &str, mut events: Vec<Event>) -> Changes {
        self.note(uid);
        let Some(entry) = self.experiments.get_mut(uid) else { return Changes { events, ..Changes::default() } };
        let derived = entry.history.runs();
        let changed = |run: &&Run| entry.runs.iter().all(|known| **known != **run);
        let runs: Vec<Run> = derived.iter().filter(changed).cloned().collect();
        let oldest = derived.first().map_or(0, |run| run.ordinal);
        let vanished = |run: &&Arc<Run>| run.ordinal >= oldest && derived.iter().all(|left| left.id != run.id);
        let withdrawn = entry.runs.iter().filter(vanished).map(|run| run.id.clone()).collect();
        entry.runs = derived.into_iter().map(Arc::new).collect();
        events.iter_mut().filter(|event| event.run.is_none()).for_each(|event| event.run = entry.runs.first().map(|run| run.id.clone()));
        Changes { runs, events, withdrawn, touched: [uid.to_owned()].into(), ..Changes::default() }
    }

    fn forget(&mut self, uid: &str) {
        let Some(entry) = self.experiments.remove(uid) else { return };
        self.note(uid);
        self.forgotten.put(uid.to_owned(), ());
        for (namespace, name) in entry.history.target_pods() {
            let name = format!("{namespace}/{name}");
            if let Some(named) = self.named.get_mut(&name)
                && named.interested.remove(uid).is_some()
                && named.interested.is_empty()
            {
                self.named.remove(&name);
            }
        }
    }
}
