//! Faults read in a kernel, and the runs they are: a pure fold of what sweeps saw ([`KernelHistory`]).
//!
//! Apart from `history`, because nobody declared these faults: a run begins when something chaos-like is seen, and ends when a look at the same
//! place does not find it any more. **Absence is not an end:** a read that failed says nothing, so the run stays open.
//!
//! How a run ends: taken away, and that was seen: `recovered`. Its namespace is gone: `recovered` too, for nothing of it is left in force, with
//! the target `gone` and no `recovered_at`, for nobody took it away. It ended while nobody looked (between two processes of Chaoscope, or with
//! the machine): `lost`. Every end has `ended_after`: when the fault was last seen.
//!
//! What a run and its events say is in `record`. To fold one more kind of fault: a variant of [`Kind`], and of [`Source`] where it is read
//! from somewhere else.

mod record;

use crate::event::Event;
use crate::experiment::Tool;
use crate::run::{Run, Target};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most faults of one place that are runs at the same time: whoever owns a namespace may write any number of rules there.
pub const MOST_IN_A_PLACE: usize = 256;
/// Most faults of one host that are runs at the same time.
pub const MOST: usize = 10_000;

/// A network namespace, as the kernel tells it apart while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Netns {
    /// Device of its file.
    pub device: u64,
    /// Inode of its file.
    pub inode: u64,
}

/// Where something is: in a network namespace, or (`None`) on the host as a whole, as processes are.
pub type Place = Option<Netns>;

/// What was read; each can fail on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Traffic control of a namespace.
    Tc,
    /// Legacy packet filter tables of a namespace.
    Legacy,
    /// `nf_tables` of a namespace.
    Nft,
    /// The host's processes.
    Processes,
}

/// What kind of fault it is: the kind of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A netem qdisc.
    Netem,
    /// A tbf qdisc.
    Tbf,
    /// A rule that throws packets away or refuses them.
    Drop,
    /// A process of a chaos tool.
    Process,
}

impl Kind {
    /// The kind of its run.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Netem => "netem",
            Self::Tbf => "tbf",
            Self::Drop => "drop",
            Self::Process => "process",
        }
    }
}

/// One fault a sweep saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What told of it.
    pub source: Source,
    /// What makes it this fault and no other in its place: a device's index and handle, a chain and a rule, a process and its start.
    pub key: String,
    /// What it is.
    pub kind: Kind,
    /// What it does: `delay`, `loss`, `stress_ng`, …; empty where the kind says all.
    pub action: String,
    /// Its figures, short and with their unit: `delay` → `100ms`.
    pub parameters: BTreeMap<String, String>,
    /// Whose it looks like; `None` when it could be anybody's.
    pub looks_like: Option<Tool>,
    /// Uid of the pod that lives in its place; empty when unknown. The kernel gives a new namespace the inode of one that is gone.
    pub home: String,
    /// Whom it touches, as far as names go.
    pub target: Target,
}

/// What one sweep saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// When it began: what it saw was there then or later.
    pub began: Timestamp,
    /// When it was done: what it saw had happened by then.
    pub at: Timestamp,
    /// What was read in full. Only there does absence mean anything.
    pub read: BTreeSet<(Place, Source)>,
    /// Every namespace of the host; `None` where some may have been overlooked.
    pub present: Option<BTreeSet<Netns>>,
    /// What was found; also in places that were not read in full.
    pub faults: Vec<Fault>,
}

/// A fault that is in force, with its run: what is kept to go on after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    place: Place,
    source: Source,
    key: String,
    home: String,
    last_seen: Timestamp,
    /// Whether its place has not been read since: then the time of the last sweep is not when it was last seen.
    stale: bool,
    /// Its run, as it is now.
    pub run: Run,
}

/// What a sweep changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Runs as they are now.
    pub runs: Vec<Run>,
    /// What happened.
    pub events: Vec<Event>,
    /// What is to be kept for a restart, by the run's id; `None`: nothing any more.
    pub kept: Vec<(String, Option<Open>)>,
    /// New faults that are no runs, because there are too many.
    pub left_out: usize,
}

impl Changes {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.events.is_empty() && self.kept.is_empty()
    }
}

type Id = (Place, String);

/// The faults of one boot of one host, from sweep to sweep.
#[derive(Clone, Debug)]
pub struct KernelHistory {
    boot: String,
    cluster: String,
    open: BTreeMap<Id, Open>,
    /// Known from before a restart and not seen since: should one turn out to be gone, nobody knows since when.
    unconfirmed: BTreeSet<Id>,
    /// What this process has read at least once.
    looked: BTreeSet<(Place, Source)>,
    /// The last complete list of namespaces.
    present: Option<BTreeSet<Netns>>,
}

/// How a fault ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A successful look did not find it.
    Removed,
    /// The namespace is gone, and the fault with it.
    NamespaceGone,
    /// It was not there any more when Chaoscope came back.
    Lost,
}

impl KernelHistory {
    /// Nothing known yet: what the first look at a place finds there is `baseline`.
    pub fn new(boot: &str, cluster: &str) -> Self {
        let (boot, cluster) = (boot.to_owned(), cluster.to_owned());
        Self { boot, cluster, open: BTreeMap::new(), unconfirmed: BTreeSet::new(), looked: BTreeSet::new(), present: None }
    }

    /// Goes on after a restart with what was kept of the same boot. `until`: when the process before last looked, if that is known.
    #[must_use]
    pub fn resume(mut self, kept: impl IntoIterator<Item = Open>, until: Option<Timestamp>) -> Self {
        for mut open in kept {
            if !open.stale {
                open.last_seen = open.last_seen.max(until.unwrap_or(open.last_seen));
            }
            let id = (open.place, open.key.clone());
            self.unconfirmed.insert(id.clone());
            self.open.insert(id, open);
        }
        self
    }

    /// Ends everything: the machine has booted since (at `booted`, if that is known), and no kernel state outlives that.
    pub fn abandon(mut self, booted: Option<Timestamp>, at: Timestamp) -> Changes {
        let mut changes = Changes::default();
        for open in std::mem::take(&mut self.open).into_values() {
            let end = booted.filter(|booted| *booted > open.last_seen).unwrap_or(at).min(at);
            changes.end(open, End::Lost, end);
        }
        changes
    }

    /// Ends a run that is open though nothing was kept of it.
    pub fn orphan(run: Run, at: Timestamp) -> Changes {
        let mut changes = Changes::default();
        let (key, home, last_seen) = (String::new(), String::new(), run.started_at);
        changes.end(Open { place: None, source: Source::Processes, key, home, last_seen, stale: true, run }, End::Lost, at);
        changes
    }

    /// How many faults are in force.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Takes in one sweep. The same sweep again changes nothing.
    pub fn sweep(&mut self, sweep: &Sweep) -> Changes {
        let (mut changes, mut seen) = (Changes::default(), BTreeSet::new());
        for fault in &sweep.faults {
            let id = (fault.place, fault.key.clone());
            if seen.insert(id.clone()) {
                self.see(id, fault, sweep, &mut changes);
            }
        }
        let missing: Vec<Id> = self.open.keys().filter(|id| !seen.contains(*id)).cloned().collect();
        for id in missing {
            self.miss(&id, sweep, &mut changes);
        }
        if let Some(present) = &sweep.present {
            self.looked.retain(|(place, _)| place.is_none_or(|netns| present.contains(&netns)));
            self.present = Some(present.clone());
        }
        self.looked.extend(&sweep.read);
        changes
    }

    fn see(&mut self, id: Id, fault: &Fault, sweep: &Sweep, changes: &mut Changes) {
        let unconfirmed = self.unconfirmed.remove(&id);
        if let Some(open) = self.open.get_mut(&id) {
            if open.home.is_empty() || fault.home.is_empty() || open.home == fault.home {
                return open.see(fault, sweep, changes);
            }
            // Another pod lives here now: the namespace is a new one that was given the inode of the old.
            let end = if unconfirmed { End::Lost } else { End::NamespaceGone };
            if let Some(open) = self.open.remove(&id) {
                changes.end(open, end, sweep.at);
            }
        }
        self.begin(id, fault, sweep, changes);
    }

    fn begin(&mut self, id: Id, fault: &Fault, sweep: &Sweep, changes: &mut Changes) {
        let neighbours = self.open.range((fault.place, String::new())..).take_while(|((place, _), _)| *place == fault.place).count();
        if neighbours >= MOST_IN_A_PLACE || self.open.len() >= MOST {
            changes.left_out += 1;
            return;
        }
        let mut open = Open::begin(fault, &self.boot, &self.cluster, !self.was_without(fault), sweep.at);
        open.last_seen = sweep.began;
        changes.began(&open, sweep.at);
        self.open.insert(id, open);
    }

    /// Whether it is known that a new fault was not there before: its place was read, or did not exist.
    fn was_without(&self, fault: &Fault) -> bool {
        let is_new = |netns: Netns| self.present.as_ref().is_some_and(|present| !present.contains(&netns));
        self.looked.contains(&(fault.place, fault.source)) || fault.place.is_some_and(is_new)
    }

    fn miss(&mut self, id: &Id, sweep: &Sweep, changes: &mut Changes) {
        let Some(open) = self.open.get_mut(id) else { return };
        let gone = |netns: Netns| sweep.present.as_ref().is_some_and(|present| !present.contains(&netns));
        let end = if sweep.read.contains(&(open.place, open.source)) {
            End::Removed
        } else if open.place.is_some_and(gone) {
            End::NamespaceGone
        } else {
            if !std::mem::replace(&mut open.stale, true) {
                changes.kept.push((open.run.id.clone(), Some(open.clone())));
            }
            return;
        };
        let end = if self.unconfirmed.remove(id) { End::Lost } else { end };
        if let Some(open) = self.open.remove(id) {
            changes.end(open, end, sweep.at);
        }
    }
}

#[cfg(test)]
mod tests;
