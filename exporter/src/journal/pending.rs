//! What could not be stored yet ([`Pending`]), and when to try again ([`BackOff`]).
//!
//! Apart from the recorder, because it is all there is to say about a disk that fails: the newest state of each run is enough, an event is
//! worth keeping while there is room, and a disk that is full is asked seldom.

use super::Batch;
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Most events kept; more are dropped and counted.
const MOST_EVENTS: usize = 100_000;
/// Most runs, and most states, kept; more are dropped and counted.
const MOST_RUNS: usize = 100_000;
/// First and longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Changes that wait for the disk.
#[derive(Default)]
pub(super) struct Pending {
    runs: BTreeMap<String, Run>,
    events: BTreeMap<String, Event>,
    states: BTreeMap<String, Option<Vec<u8>>>,
    withdrawn: BTreeSet<String>,
    /// How many were dropped so far.
    pub(super) dropped: u64,
}

/// The pause after a failure, twice as long after each.
#[derive(Default)]
pub(super) struct BackOff {
    failing: Option<(Instant, Duration, String)>,
}

impl Pending {
    /// Takes a batch in. Of what is there already the newer run and state are kept, and of two statements of an event the better one.
    pub(super) fn add(&mut self, batch: Batch) {
        for id in batch.withdrawn {
            self.runs.remove(&id);
            let room = self.withdrawn.len() < MOST_RUNS;
            self.dropped += u64::from(!room && !self.withdrawn.contains(&id));
            if room {
                self.withdrawn.insert(id);
            }
        }
        for run in batch.runs {
            self.withdrawn.remove(&run.id);
            self.dropped += u64::from(!keep(&mut self.runs, run.id.clone(), run, MOST_RUNS));
        }
        for event in batch.events {
            let worse = |known: &Event| (known.precision, known.announced) >= (event.precision, event.announced);
            if !self.events.get(&event.key).is_some_and(worse) {
                self.dropped += u64::from(!keep(&mut self.events, event.key.clone(), event, MOST_EVENTS));
            }
        }
        for (key, state) in batch.states {
            self.dropped += u64::from(!keep(&mut self.states, key, state, MOST_RUNS));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len() + self.events.len() + self.states.len() + self.withdrawn.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it as one batch; `None`: there is nothing.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let some = !self.is_empty();
        some.then(|| Batch {
            runs: std::mem::take(&mut self.runs).into_values().collect(),
            events: std::mem::take(&mut self.events).into_values().collect(),
            states: std::mem::take(&mut self.states).into_iter().collect(),
            withdrawn: std::mem::take(&mut self.withdrawn).into_iter().collect(),
        })
    }

    /// All of it, each change as a batch of its own.
    pub(super) fn pieces(&mut self) -> Vec<Batch> {
        let Some(Batch { runs, events, states, withdrawn }) = self.take() else { return Vec::new() };
        let withdrawn = withdrawn.into_iter().map(|id| Batch { withdrawn: vec![id], ..Batch::default() });
        let runs = runs.into_iter().map(|run| Batch { runs: vec![run], ..Batch::default() });
        let events = events.into_iter().map(|event| Batch { events: vec![event], ..Batch::default() });
        withdrawn
            .chain(runs)
            .chain(events)
            .chain(states.into_iter().map(|state| Batch { states: vec![state], ..Batch::default() }))
            .collect()
    }
}

/// Puts a value in, unless it is a new one and there is no room.
fn keep<T>(into: &mut BTreeMap<String, T>, key: String, value: T, most: usize) -> bool {
    let room = into.len() < most || into.contains_key(&key);
    if room {
        into.insert(key, value);
    }
    room
}

impl BackOff {
    /// A try failed. Answers whether the one before had not.
    pub(super) fn begin(&mut self, reason: &str) -> bool {
        let first = self.failing.is_none();
        let pause = self.failing.as_ref().map_or(PAUSES.0, |(_, pause, _)| (*pause * 2).min(PAUSES.1));
        self.failing = Some((Instant::now() + pause, pause, reason.to_owned()));
        first
    }

    /// A try succeeded. Answers whether the one before had not.
    pub(super) fn end(&mut self) -> bool {
        self.failing.take().is_some()
    }

    /// How long until the next try; `None`: the last one succeeded.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.failing.as_ref().map(|(at, ..)| at.saturating_duration_since(Instant::now()))
    }

    /// Why the last try failed.
    pub(super) fn reason(&self) -> String {
        self.failing.as_ref().map_or_else(String::new, |(.., reason)| reason.clone())
    }
}
