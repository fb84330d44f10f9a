//! What is not stored yet: the newest state of each run, every event, and which experiments' states are to be kept.
//!
//! Apart from the path because here is what a burst costs.

use crate::cluster::index::{Changes, Index};
use crate::journal::Batch;
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use std::collections::{BTreeMap, BTreeSet};

/// Changes handed to the journal at once: a full group commit of it.
const MOST_AT_ONCE: usize = 512;

/// Changes by what they change, so that only the newest state of each is stored.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) runs: BTreeMap<String, Run>,
    pub(super) events: Vec<Event>,
    states: BTreeMap<String, Option<Vec<u8>>>,
    touched: BTreeSet<String>,
    withdrawn: BTreeSet<String>,
    /// Handed to the journal, and not answered for yet.
    pub(super) busy: bool,
}

impl Waiting {
    pub(super) fn is_idle(&self) -> bool {
        !self.busy
            && self.withdrawn.is_empty()
            && self.runs.is_empty()
            && self.events.is_empty()
            && self.states.is_empty()
            && self.touched.is_empty()
    }

    pub(super) fn add(&mut self, changes: Changes) {
        self.withdrawn.extend(changes.withdrawn.iter().cloned());
        changes.withdrawn.iter().for_each(|id| drop(self.runs.remove(id)));
        self.runs.extend(changes.runs.into_iter().map(|run| (run.id.clone(), run)));
        self.events.extend(changes.events);
        self.states.extend(changes.states);
        self.touched.extend(changes.touched);
    }

    /// The next batch: the oldest events, every run, and the states of some experiments.
    pub(super) fn take(&mut self, index: &Index) -> Batch {
        let events = self.events.drain(..self.events.len().min(MOST_AT_ONCE)).collect();
        let runs = std::mem::take(&mut self.runs).into_values().collect();
        let mut states: Vec<_> = std::mem::take(&mut self.states).into_iter().collect();
        // A state says that its events are told: it is stored when they are.
        let now = if self.events.is_empty() { MOST_AT_ONCE } else { 0 };
        for _ in 0..now {
            let Some(uid) = self.touched.pop_first() else { break };
            states.push(index.state(&uid));
        }
        self.busy = true;
        let withdrawn = std::mem::take(&mut self.withdrawn).into_iter().collect();
        Batch { runs, events, states, withdrawn }
    }
}
