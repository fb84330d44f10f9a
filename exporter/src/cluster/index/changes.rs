//! What observations change: [`Changes`], and how those of several become one.
//!
//! Apart from the index because everybody behind it speaks of these.

use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use std::collections::BTreeSet;

/// What an observation changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Runs as they are now.
    pub runs: Vec<Run>,
    /// Events it told of.
    pub events: Vec<Event>,
    /// Ids of runs that were told of and turned out not to be.
    pub withdrawn: Vec<String>,
    /// What else is needed to go on after a restart, by key; `None`: not needed any more.
    pub states: Vec<(String, Option<Vec<u8>>)>,
    /// Uids of the experiments that are known better now; [`Index::state`] is what is to be kept of them. Made when it is stored, since a
    /// burst of changes stores only the last.
    pub touched: BTreeSet<String>,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.events.is_empty() && self.withdrawn.is_empty() && self.states.is_empty() && self.touched.is_empty()
    }

    /// Adds what another observation changed; of one run the later state stays.
    pub fn merge(&mut self, later: Self) {
        self.runs.retain(|run| later.runs.iter().all(|newer| newer.id != run.id));
        self.runs.extend(later.runs);
        self.withdrawn.extend(later.withdrawn);
        self.events.extend(later.events);
        self.states.retain(|(key, _)| later.states.iter().all(|(newer, _)| newer != key));
        self.states.extend(later.states);
        self.touched.extend(later.touched);
    }
}
