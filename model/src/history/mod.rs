//! The fold: observations of one experiment in, runs out.
//!
//! A [`History`] keeps facts that only grow (sets, maxima, the earliest time something was seen), and derives runs from them. So it does not
//! matter in which order facts come, how often, or whether a restart lies between: the same facts give the same runs (a property test
//! replays every recording shuffled, doubled and split). Files: `track` (one target's facts), `found` (what others than the tool saw of it), `cycles` (facts → applications), `derive` (applications → runs), `rows` (facts →
//! events). To use one more fact: keep it here, and say in `derive` what it means.

mod cycles;
mod derive;
mod found;
mod rows;
mod sited;
#[cfg(test)]
mod tests;
mod track;

pub use rows::notice_row;
pub use sited::Site;

use crate::event::Event;
use crate::experiment::{Reference, Tool};
use crate::few::Few;
use crate::observation::{Departure, Desired, Gone, Mark, News, Notice, Object, Operation, PodSeen};
use found::Found;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use track::{Announced, Track};

/// Marks kept of one experiment; more means somebody pauses it in a loop.
const MOST_MARKS: usize = 512;
/// Announced failures kept of one experiment.
const MOST_FAILURES: usize = 256;
/// Pods of one name that are remembered, the newest ones.
const MOST_INCARNATIONS: usize = 8;
/// How far apart two statements of one fact may be: records have whole seconds, and are written a moment before or after the announcement.
const SAME: SignedDuration = SignedDuration::from_secs(1);

/// Everything known about one experiment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct History {
    about: Reference,
    tool: Tool,
    cluster: String,
    /// The newest version, without the steps of its records: they are in the tracks.
    latest: Option<Arc<Object>>,
    /// By selector and record id.
    tracks: Vec<Track>,
    /// What was announced, by record id.
    announced: BTreeMap<String, Announced>,
    marks: BTreeSet<(Timestamp, Mark)>,
    failures: BTreeSet<(Timestamp, Operation, String)>,
    /// By the number of applications done before: when it was first seen to want the next one.
    start_seen: BTreeMap<u32, Timestamp>,
    /// By application: when its end was first seen to be wanted.
    stop_seen: BTreeMap<u32, Timestamp>,
    born_paused: bool,
    first_seen: Timestamp,
    last_seen: Option<Timestamp>,
    gone: Option<(Departure, Timestamp)>,
    /// By `namespace/name`, then by uid.
    pods: BTreeMap<String, Few<Arc<str>, Incarnation>>,
    /// What others than the tool found, by run, selector and record id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    found: Vec<Found>,
}

/// One of the pods that had a target's name. Its texts are those of who told of it, not copies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Incarnation {
    node: Arc<str>,
    workload: Arc<str>,
    workload_kind: Arc<str>,
    created_at: Option<Timestamp>,
    gone_at: Option<Timestamp>,
}

impl History {
    /// Nothing known yet but which experiment.
    pub fn new(cluster: &str, tool: Tool, about: Reference, seen: Timestamp) -> Self {
        Self {
            about,
            tool,
            cluster: cluster.to_owned(),
            latest: None,
            tracks: Vec::new(),
            announced: BTreeMap::new(),
            marks: BTreeSet::new(),
            failures: BTreeSet::new(),
            start_seen: BTreeMap::new(),
            stop_seen: BTreeMap::new(),
            born_paused: false,
            first_seen: seen,
            last_seen: None,
            gone: None,
            pods: BTreeMap::new(),
            found: Vec::new(),
        }
    }

    /// Which experiment.
    pub const fn about(&self) -> &Reference {
        &self.about
    }

    /// Its newest version, without the steps of its records.
    pub const fn latest(&self) -> Option<&Arc<Object>> {
        self.latest.as_ref()
    }

    /// When anything of it was first seen.
    pub const fn first_seen(&self) -> Timestamp {
        self.first_seen
    }

    /// How and when it was seen to be gone. What a list lacked, and was seen later, is there.
    pub fn gone(&self) -> Option<(Departure, Timestamp)> {
        let back = |at: Timestamp| self.last_seen.is_some_and(|seen| seen >= at);
        self.gone.filter(|(how, at)| *how == Departure::Deleted || !back(*at))
    }

    /// When it was last there: as it was seen, else as the latest Event about it says.
    pub fn last_there(&self) -> Timestamp {
        let announced = self.announced.values().flat_map(|announced| announced.applied.iter().chain(&announced.recovered).copied());
        let told = self.marks.iter().map(|(at, _)| *at).chain(announced).max();
        self.last_seen.or(told).unwrap_or(self.first_seen)
    }

    /// Pods that are or were targets, as (namespace, name).
    pub fn target_pods(&self) -> impl Iterator<Item = (&str, &str)> {
        let here = !self.is_remote();
        let recorded = self.tracks.iter().map(|track| &track.target);
        let announced = self.announced.values().map(|announced| &announced.target);
        recorded
            .chain(announced)
            .filter(move |target| here && !target.pod.is_empty())
            .map(|target| (target.namespace.as_str(), target.pod.as_str()))
    }

    /// Takes in one version of the object; gives the events it tells of.
    pub fn object(&mut self, mut object: Object) -> Vec<Event> {
        let fresh = self.take_records(&object);
        let done = object.records.iter().map(|record| record.injected).max().unwrap_or(0);
        let stopping = object.desired == Some(Desired::Stop) || object.paused || object.deletion_at.is_some();
        let waiting = object.records.iter().any(|record| record.injected == done && record.recovered == done);
        if object.desired == Some(Desired::Run) && !stopping && (done == 0 || (waiting && !object.one_shot)) {
            earliest(&mut self.start_seen, done, object.seen);
        }
        if stopping {
            earliest(&mut self.stop_seen, done.max(1), object.seen);
        }
        self.born_paused |= object.paused && object.records.is_empty() && object.desired != Some(Desired::Run);
        self.first_seen = self.first_seen.min(object.seen);
        self.last_seen = self.last_seen.max(Some(object.seen));
        if self.latest.as_ref().is_none_or(|latest| object.version > latest.version) {
            object.records.iter_mut().for_each(|record| record.steps = Vec::new());
            self.latest = Some(Arc::new(object));
        }
        self.object_rows(&fresh)
    }

    /// Takes in a Kubernetes Event about it; gives its row.
    pub fn notice(&mut self, notice: &Notice) -> Event {
        self.first_seen = self.first_seen.min(notice.seen);
        match &notice.news {
            News::Applied { id } => self.announce(id, notice).applied(notice.at.at),
            News::Recovered { id } => self.announce(id, notice).recovered(notice.at.at),
            News::Mark(mark) => {
                self.marks.insert((notice.at.at, *mark));
                trim(&mut self.marks, MOST_MARKS);
            }
            News::Failed { operation: Some(operation), message } => {
                self.failures.insert((notice.at.at, *operation, message.clone()));
                trim(&mut self.failures, MOST_FAILURES);
            }
            News::Failed { operation: None, .. } | News::Other => {}
        }
        self.notice_event(notice)
    }

    /// Whether its targets are in another cluster.
    fn is_remote(&self) -> bool {
        self.latest.as_ref().is_some_and(|latest| latest.remote)
    }

    /// Whether its targets are in another cluster that never told of them: Chaos Mesh copies such a status here since 2.7 only.
    fn is_untold(&self) -> bool {
        self.latest.as_ref().is_some_and(|latest| latest.remote && latest.desired.is_none() && !latest.selected)
    }

    /// Takes in that it is gone. What a watch said outweighs what a list lacked; of two deletions the earlier one counts, of two lists the
    /// later one, since it may have been there in between.
    pub fn depart(&mut self, gone: &Gone) {
        let better = |(how, at): (Departure, Timestamp)| match (gone.how, how) {
            (Departure::Deleted, Departure::Deleted) => gone.seen < at,
            (Departure::Absent, Departure::Absent) => gone.seen > at,
            (new, old) => new > old,
        };
        if self.gone.is_none_or(better) {
            self.gone = Some((gone.how, gone.seen));
        }
    }

    /// Takes in a pod that has the name of a target.
    pub fn pod(&mut self, pod: &PodSeen) {
        let named = self.pods.entry(format!("{}/{}", pod.namespace, pod.name)).or_default();
        let known = named.get_or_insert_with(Arc::clone(&pod.uid), Incarnation::default);
        let text = |known: &mut Arc<str>, told: &Arc<str>| {
            if *known < *told {
                known.clone_from(told); // empty first: the order of arrival does not matter
            }
        };
        text(&mut known.node, &pod.node);
        text(&mut known.workload, &pod.workload);
        text(&mut known.workload_kind, &pod.workload_kind);
        known.created_at = known.created_at.max(pod.created_at);
        if pod.gone {
            known.gone_at = Some(known.gone_at.map_or(pod.seen, |at| at.min(pod.seen)));
        }
        while named.len() > MOST_INCARNATIONS {
            let oldest = named.iter().min_by_key(|(uid, pod)| (pod.created_at, (*uid).clone())).map(|(uid, _)| uid.clone());
            oldest.and_then(|uid| named.remove(&uid));
        }
    }

    fn announce(&mut self, id: &str, notice: &Notice) -> &mut Announced {
        self.announced.entry(id.to_owned()).or_insert_with(|| Announced::of(notice.target.clone()))
    }
}

fn earliest(map: &mut BTreeMap<u32, Timestamp>, key: u32, at: Timestamp) {
    map.entry(key).and_modify(|known| *known = at.min(*known)).or_insert(at);
}

/// Keeps the greatest ones, so that the order of arrival does not matter.
fn trim<T: Ord>(set: &mut BTreeSet<T>, most: usize) {
    while set.len() > most {
        set.pop_first();
    }
}
