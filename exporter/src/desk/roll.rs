//! Which nodes there are, who of them is connected, and what each has to do with: the desk's memory ([`Roll`]). Plain values; time is given.
//!
//! Apart from the task that goes round (`round`) so that each rule is a test of its own.

use super::line::{Ended, Line};
use crate::cluster::index::{Index, Place, Standing};
use crate::cluster::now::{JudgedNow, NodeNow, NodesNow};
use crate::verdict::apart::{self, Contact, Doubts};
use chaoscope_model::declared::EndedRun;
use chaoscope_model::observation::JudgedAt;
use chaoscope_model::run::TargetState;
use chaoscope_model::verdict::{Judgement, Residue, Verdict};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// So long after its connection ended a node still counts as one that can be asked: it comes again.
pub(super) const GRACE: SignedDuration = SignedDuration::from_secs(30);
/// A node that is not connected is shown so long.
const SHOWN: SignedDuration = SignedDuration::from_hours(1);
/// Nodes that are remembered; more are let go, the longest silent first.
const MOST_NODES: usize = 20_000;

/// Everything the desk remembers.
#[derive(Default)]
pub(super) struct Roll {
    number: u64,
    /// Whether any node ever connected.
    used: bool,
    pub(super) nodes: BTreeMap<Arc<str>, Node>,
    /// By uid of the experiment.
    places: HashMap<String, BTreeSet<Place>>,
    /// What changes by time alone.
    due: BTreeSet<(Timestamp, Due)>,
    /// Nodes to which something may have to be told.
    pub(super) dirty: BTreeSet<Arc<str>>,
    /// What the cluster role judges itself, by uid of the experiment.
    pub(super) judged: BTreeMap<String, Vec<JudgedNow>>,
    pub(super) doubts: Doubts,
    pub(super) pace: Pace,
    /// When it was learned that a run ended, by uid of the experiment and the run.
    ends: BTreeMap<String, BTreeMap<String, Timestamp>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The experiment's pods are told no longer.
    Experiment(String),
    /// The node counts as silent.
    Node(Arc<str>),
}

/// One node.
#[derive(Default)]
pub(super) struct Node {
    /// Experiments that have to do with its pods.
    pub(super) experiments: BTreeSet<Arc<str>>,
    /// Those of them with an open run.
    open: BTreeSet<Arc<str>>,
    pub(super) line: Option<Arc<Line>>,
    since: Option<Timestamp>,
    heard: Option<Timestamp>,
    /// When its connection ended, or it was first needed.
    lost: Option<Timestamp>,
    release: String,
    pods: usize,
    pub(super) residue: Vec<Residue>,
    /// Whether it ever reported to this process.
    pub(super) reported: bool,
    /// Pods (by uid) whose last visit went well.
    pub(super) visited: HashSet<String>,
    /// Runs that ended on its pods, by namespace and name; `None`: not looked up yet.
    pub(super) ended: Option<BTreeMap<(String, String), Vec<EndedRun>>>,
}

impl Roll {
    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// A node has a new connection; the older one ends.
    pub(super) fn connect(&mut self, name: &str, line: &Arc<Line>, release: &str, now: Timestamp) -> Arc<str> {
        let (name, node) = self.node(name);
        if let Some(older) = node.line.replace(Arc::clone(line)) {
            older.end(Ended::Replaced);
        }
        (node.since, node.heard, node.lost) = (Some(now), Some(now), None);
        release.clone_into(&mut node.release);
        self.dirty.insert(Arc::clone(&name));
        self.due.insert((now, Due::Node(Arc::clone(&name)))); // others may have counted as silent until it came
        if !self.used {
            self.used = true;
            let all = self.nodes.keys().cloned();
            self.due.extend(all.filter_map(|node| Some((now.checked_add(GRACE).ok()?, Due::Node(node)))));
        }
        name
    }

    /// A connection is over.
    pub(super) fn hang_up(&mut self, name: &str, connection: &str, now: Timestamp) {
        let Some((name, node)) = self.nodes.get_key_value(name).map(|(name, _)| Arc::clone(name)).and_then(|name| {
            let node = self.nodes.get_mut(&name)?;
            Some((name, node))
        }) else {
            return;
        };
        if node.line.as_ref().is_some_and(|line| line.connection() == connection) {
            (node.line, node.since, node.lost, node.ended, node.pods) = (None, None, Some(now), None, 0);
            self.due.extend(now.checked_add(GRACE).map(|at| (at, Due::Node(name))));
        }
    }

    /// A node said something.
    pub(super) fn heard(&mut self, name: &str, now: Timestamp) {
        self.nodes.get_mut(name).into_iter().for_each(|node| node.heard = Some(now));
    }

    /// The node of that name, new where it is not known.
    fn node(&mut self, name: &str) -> (Arc<str>, &mut Node) {
        let name = self.nodes.get_key_value(name).map_or_else(|| name.into(), |(known, _)| Arc::clone(known));
        let node = self.nodes.entry(Arc::clone(&name)).or_default();
        (name, node)
    }

    /// Experiments about which something follows from the time.
    pub(super) fn due(&mut self, now: Timestamp) -> BTreeSet<String> {
        let mut experiments = BTreeSet::new();
        while let Some((at, due)) = self.due.pop_first() {
            if at > now {
                self.due.insert((at, due));
                break;
            }
            match due {
                Due::Experiment(uid) => drop(experiments.insert(uid)),
                Due::Node(name) => {
                    let node = self.nodes.get(&name);
                    experiments.extend(node.into_iter().flat_map(|node| &node.open).map(ToString::to_string));
                }
            }
        }
        experiments
    }

    /// Where an experiment's targets are now.
    pub(super) fn place(&mut self, uid: &str, places: BTreeSet<Place>, now: Timestamp) {
        let before = self.places.remove(uid).unwrap_or_default();
        let shared: Arc<str> = uid.into();
        for place in &before {
            if let Some(node) = self.nodes.get_mut(&place.node) {
                node.experiments.remove(&shared);
                node.open.remove(&shared);
                self.dirty.insert(Arc::clone(&place.node));
            }
        }
        for place in &places {
            let known = self.nodes.contains_key(&place.node);
            let (name, node) = self.node(&place.node);
            node.experiments.insert(Arc::clone(&shared));
            if place.open {
                node.open.insert(Arc::clone(&shared));
            }
            if !known {
                node.lost = Some(now);
            }
            self.dirty.insert(Arc::clone(&name));
            if !known {
                self.due.extend(now.checked_add(GRACE).map(|at| (at, Due::Node(name))));
            }
            self.due.extend(place.until.map(|at| (at, Due::Experiment(uid.to_owned()))));
        }
        if !places.is_empty() {
            self.places.insert(uid.to_owned(), places);
        }
    }

    /// Whether a node can be asked.
    pub(super) fn contact(&self, name: &str, now: Timestamp) -> Contact {
        let Some(node) = self.nodes.get(name).filter(|_| self.used) else { return Contact::Unused };
        let lately = |lost: Timestamp| lost.checked_add(GRACE).is_ok_and(|until| now < until);
        if node.line.is_some() || node.lost.is_some_and(lately) { Contact::Connected } else { Contact::Silent }
    }

    /// A verdict of before this process began, of a node that has not reported since: nobody looks.
    pub(super) fn unheard(&self, standing: &Standing<'_>, node: &str) -> Option<Judgement> {
        let known = standing.known.filter(|_| apart::is_nodes(standing.expects))?;
        let restored = known.verdict != Verdict::Unknown || known.reason == "no_node";
        let reported = self.nodes.get(node).is_some_and(|node| node.reported);
        (restored && !reported && !matches!(standing.target.state, TargetState::Recovered | TargetState::Failed | TargetState::Gone))
            .then(|| Judgement::new(Verdict::Unknown, "no_node"))
    }

    /// Notes which runs of an experiment are seen to have ended. This host's clock counts, which need not be that of who wrote the end.
    pub(super) fn learn(&mut self, index: &Index, uid: &str, now: Timestamp) {
        let before = self.ends.remove(uid).unwrap_or_default();
        let standings = index.standings(uid, now);
        let ended = standings.iter().map(|standing| standing.run).filter(|run| !run.is_open());
        let ends: BTreeMap<_, _> = ended.map(|run| (run.id.clone(), before.get(&run.id).copied().unwrap_or(now))).collect();
        if !ends.is_empty() {
            self.ends.insert(uid.to_owned(), ends);
        }
    }

    /// When it was learned that a run ended.
    pub(super) fn learned(&self, uid: &str, run: &str) -> Option<Timestamp> {
        self.ends.get(uid)?.get(run).copied()
    }

    /// Notes how many pods a node is told of.
    pub(super) fn told(&mut self, name: &str, pods: usize) {
        self.nodes.get_mut(name).into_iter().for_each(|node| node.pods = pods);
    }

    /// Lets go of nodes that nobody needs to know about.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let old = |node: &Node| node.lost.and_then(|lost| lost.checked_add(SHOWN).ok()).is_some_and(|until| now >= until);
        self.nodes.retain(|_, node| node.line.is_some() || !node.open.is_empty() || !old(node));
        while self.nodes.len() > MOST_NODES {
            let silent = self.nodes.iter().filter(|(_, node)| node.line.is_none()).min_by_key(|(_, node)| node.lost);
            let Some(name) = silent.map(|(name, _)| Arc::clone(name)) else { return };
            self.nodes.remove(&name);
        }
    }

    /// How the nodes are.
    pub(super) fn now(&self, now: Timestamp) -> NodesNow {
        let shown = |node: &&Node| {
            let lately = node.heard.is_some() && node.lost.and_then(|lost| lost.checked_add(SHOWN).ok()).is_some_and(|until| now < until);
            node.line.is_some() || !node.open.is_empty() || lately
        };
        let of = |(name, node): (&Arc<str>, &Node)| NodeNow {
            name: Arc::clone(name),
            connected_since: node.since,
            heard_at: node.heard,
            awaited: !node.open.is_empty(),
            release: node.release.clone(),
            pods: node.pods,
            residue: node.residue.clone(),
        };
        let nodes = self.nodes.iter().filter(|(_, node)| shown(node)).map(of).collect();
        NodesNow { nodes, judged: self.judged.values().flatten().cloned().collect() }
    }
}

/// Which target of which run.
pub(super) type Key = (String, String, String);

/// How often a target's verdict may change: a few times at once, then every [`Pace::EACH`]. Of what comes faster the newest is held back until
/// then, so a fault that flaps costs no more than that.
#[derive(Default)]
pub(super) struct Pace {
    /// Until when the changes so far count.
    until: HashMap<Key, Timestamp>,
    held: BTreeMap<Key, JudgedAt>,
}

impl Pace {
    const EACH: SignedDuration = SignedDuration::from_secs(10);
    const AT_ONCE: SignedDuration = SignedDuration::from_secs(40);

    /// What may go on now.
    pub(super) fn pass(&mut self, judged: JudgedAt, now: Timestamp) -> Option<JudgedAt> {
        let key = judged.judged.whose();
        let until = self.until.get(&key).map_or(now, |until| *until.max(&now)).saturating_add(Self::EACH).unwrap_or(now);
        if until.duration_since(now) > Self::AT_ONCE {
            self.held.insert(key, judged);
            return None;
        }
        self.held.remove(&key);
        self.until.insert(key, until);
        Some(judged)
    }

    /// What was held back and may go on by now.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<JudgedAt> {
        self.until.retain(|_, until| *until > now);
        let held = std::mem::take(&mut self.held).into_values();
        held.filter_map(|judged| self.pass(judged, now)).collect()
    }
}

#[cfg(test)]
mod tests;
