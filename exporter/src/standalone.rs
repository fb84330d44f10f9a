//! The standalone role: this host is swept every few seconds, and what appears and vanishes in it becomes runs.
//!
//! Apart from `node`, which reads when it is asked and knows no journal, and from the fold (`model::kernel`), which knows no time: here is the
//! timer between them, and what is kept so that a restart goes on ([`History`]). Where changes go to is the caller's: a journal.
//!
//! What is kept is a state for each open run, `kernel/<boot id>/<run id>`, written when the run changes, and `kernel/<boot id>` with the time of
//! the last sweep, written once a minute and at the end: a sweep that sees nothing new writes nothing. After another boot, and where a state cannot be
//! read any more, the open runs end as lost.

use crate::journal::{Batch, Restored};
use crate::node::boot::Boot;
use crate::node::limits::Limitation;
use crate::node::sweep::Sweep;
use crate::node::sweeper::Sweeper;
use crate::node::told::Told;
use crate::source::{Error, Source};
use crate::verdict::faults;
use chaoscope_model::event::Event;
use chaoscope_model::kernel::{Changes, KernelHistory, Open};
use chaoscope_model::run::Run;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// All keys of states begin with it.
const PREFIX: &str = "kernel/";
/// How often the time of the last sweep is written while runs are open.
const BEAT: SignedDuration = SignedDuration::from_secs(60);
/// How long one sweep may take. A runtime that hangs is left behind after half of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most changes of one sweep that are logged.
const MOST_TOLD: usize = 20;

/// When a process last looked.
#[derive(Debug, Serialize, Deserialize)]
struct Beat {
    at: Timestamp,
}

/// The history of this host's faults, and its states in the journal.
#[derive(Debug)]
pub struct History {
    boot: Boot,
    node: String,
    fold: KernelHistory,
    beaten: Option<Timestamp>,
    /// When the last sweep began.
    looked: Option<Timestamp>,
    /// Whether some faults are no runs because there are too many, so that it is logged once.
    overflows: bool,
}

/// How the last sweep went, for whoever asks. Shared; cheap to read.
#[derive(Debug, Default)]
pub struct Last(Mutex<Looked>);

/// How the last sweep went.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// When the last one that succeeded began.
    pub at: Option<Timestamp>,
    /// What it could not see.
    pub limitations: Vec<Limitation>,
    /// Why there was none since; empty: there was.
    pub failure: String,
}

impl Last {
    /// How it went.
    pub fn looked(&self) -> Looked {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn saw(&self, sweep: &Sweep) {
        let looked = Looked { at: Some(sweep.at), limitations: sweep.limitations.clone(), failure: String::new() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = looked;
    }

    fn failed(&self, error: &Error) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failure = error.to_string();
    }
}

/// What of a journal belongs to one boot.
#[derive(Default)]
struct Kept {
    until: Option<Timestamp>,
    open: Vec<Open>,
    keys: Vec<String>,
    /// Of these, the ones that this release does not understand.
    unreadable: Vec<String>,
}

impl History {
    /// Goes on where the journal ends. The batch holds what has ended with an earlier boot, and must be stored before the first sweep is folded.
    /// `open`: every run of the journal that has not ended; `node`: what this host is called.
    pub fn resume(boot: Boot, cluster: &str, node: &str, restored: &Restored, open: Vec<Run>, now: Timestamp) -> (Self, Batch) {
        let mut boots = read_states(restored);
        let known: Vec<String> = boots.values().flat_map(|kept| kept.open.iter().map(|open| open.run.id.clone())).collect();
        let here = boots.remove(&boot.id).unwrap_or_default();
        let mut batch = Batch::default();
        for (id, kept) in boots {
            let ended = KernelHistory::new(&id, cluster).resume(kept.open, kept.until).abandon(boot.at, now);
            tracing::info!(runs = ended.runs.len(), "This host has booted since: what was open then has ended with it.");
            add(&mut batch, &id, ended);
            batch.states.extend(kept.keys.into_iter().map(|key| (key, None)));
        }
        let is_ours = |run: &Run| run.tool == chaoscope_model::Tool::Kernel && !known.contains(&run.id);
        for run in open.into_iter().filter(is_ours) {
            tracing::warn!(run = run.id, "An open run of the journal has no state that can be read: it ends as lost.");
            add(&mut batch, &boot.id, KernelHistory::orphan(run, now));
        }
        batch.states.extend(here.unreadable.into_iter().map(|key| (key, None)));
        let fold = KernelHistory::new(&boot.id, cluster).resume(here.open, here.until);
        if fold.open() > 0 {
            tracing::info!(runs = fold.open(), "Going on with the open runs of the journal.");
        }
        (Self { boot, node: node.to_owned(), fold, beaten: None, looked: None, overflows: false }, batch)
    }

    /// What a sweep changed; `None` where there is nothing to store.
    pub fn sweep(&mut self, sweep: &Sweep) -> Option<Batch> {
        let seen = faults::seen(sweep, &self.node);
        let changes = self.fold.sweep(&seen);
        let overflows = changes.left_out > 0;
        if overflows != std::mem::replace(&mut self.overflows, overflows) {
            match changes.left_out {
                0 => tracing::info!("All faults are runs again."),
                count => tracing::warn!(count, "More faults than are kept as runs; those that came last are left out."),
            }
        }
        let mut batch = Batch::default();
        add(&mut batch, &self.boot.id, changes);
        self.looked = Some(seen.began);
        self.beat(seen.began, &mut batch);
        let is_empty = batch.runs.is_empty() && batch.events.is_empty() && batch.states.is_empty();
        (!is_empty).then_some(batch)
    }

    /// Notes when it last looked, before it ends.
    pub fn rest(&self) -> Option<Batch> {
        let at = self.looked.filter(|_| self.fold.open() > 0)?;
        let state = (format!("{PREFIX}{}", self.boot.id), encoded(&Beat { at })?);
        Some(Batch { states: vec![(state.0, Some(state.1))], ..Batch::default() })
    }

    /// Notes when it last looked: now and then, and with the last run that ends, never again until the next begins.
    fn beat(&mut self, at: Timestamp, batch: &mut Batch) {
        let key = format!("{PREFIX}{}", self.boot.id);
        match (self.fold.open(), self.beaten) {
            (0, None) => {}
            (0, Some(_)) => {
                batch.states.push((key, None));
                self.beaten = None;
            }
            (_, Some(last)) if last <= at && at.duration_since(last) < BEAT => {}
            _ => {
                batch.states.extend(encoded(&Beat { at }).map(|bytes| (key, Some(bytes))));
                self.beaten = Some(at);
            }
        }
    }
}

/// The states of each boot.
fn read_states(restored: &Restored) -> BTreeMap<String, Kept> {
    let mut boots: BTreeMap<String, Kept> = BTreeMap::new();
    for (key, bytes) in &restored.states {
        let Some(rest) = key.strip_prefix(PREFIX) else { continue };
        let (boot, run) = rest.split_once('/').map_or((rest, None), |(boot, run)| (boot, Some(run)));
        let kept = boots.entry(boot.to_owned()).or_default();
        kept.keys.push(key.clone());
        let failure = if run.is_some() {
            serde_json::from_slice(bytes).map(|open| kept.open.push(open)).err()
        } else {
            serde_json::from_slice(bytes).map(|beat: Beat| kept.until = Some(beat.at)).err()
        };
        if let Some(error) = failure {
            tracing::warn!(key, %error, "A state in the journal cannot be read.");
            kept.unreadable.push(key.clone());
        }
    }
    boots
}

fn encoded(value: &impl Serialize) -> Option<Vec<u8>> {
    // No value here has a key that is no string, the one thing that cannot be written as JSON.
    serde_json::to_vec(value).inspect_err(|error| tracing::error!(%error, "A state cannot be written.")).ok()
}

fn add(batch: &mut Batch, boot: &str, changes: Changes) {
    batch.runs.extend(changes.runs);
    batch.events.extend(changes.events);
    for (run, open) in changes.kept {
        let state = open.map(|open| encoded(&open));
        let Some(state) = state.map_or(Some(None), |bytes| bytes.map(Some)) else { continue };
        batch.states.push((format!("{PREFIX}{boot}/{run}"), state));
    }
}

/// Sweeps until it is stopped; `record` stores, and the next sweep waits for it. What fails again and again is logged when it starts and when
/// it ends.
pub async fn watch<F, E>(watched: Watched, mut history: History, stop: CancellationToken, record: impl Fn(Batch) -> F + Send)
where
    F: Future<Output = Result<(), E>> + Send,
    E: Display,
{
    let mut timer = tokio::time::interval(watched.interval);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut blind, mut full) = (false, false);
    while let Some(sweep) = stop.run_until_cancelled(watched.next(&mut timer)).await {
        let sweep = match sweep {
            Ok(sweep) => sweep,
            Err(error) => {
                watched.last.failed(&error);
                if !std::mem::replace(&mut blind, true) {
                    tracing::error!(%error, "Cannot sweep this host; trying on.");
                }
                continue;
            }
        };
        if std::mem::replace(&mut blind, false) {
            tracing::info!("Sweeping this host again.");
        }
        watched.told.tell(&sweep.limitations);
        watched.last.saw(&sweep);
        let Some(batch) = history.sweep(&sweep) else { continue };
        let news = batch.events.clone();
        match record(batch).await {
            Ok(()) => {
                tell(&news);
                if std::mem::replace(&mut full, false) {
                    tracing::info!("The journal stores again.");
                }
            }
            Err(error) if !std::mem::replace(&mut full, true) => tracing::error!(%error, "The journal does not store; trying on."),
            Err(_) => {}
        }
    }
    if let Some(batch) = history.rest()
        && let Err(error) = record(batch).await
    {
        tracing::warn!(%error, "The journal did not take the time of the last sweep.");
    }
}

/// What is swept, and how often.
pub struct Watched {
    /// Sweeps. A scrape may take for its own what it gave at most three intervals ago.
    pub sweeper: Arc<Sweeper>,
    /// What of its limitations is in the log.
    pub told: Arc<Told>,
    /// How the last sweep went.
    pub last: Arc<Last>,
    /// Time between two sweeps.
    pub interval: Duration,
}

impl Watched {
    async fn next(&self, timer: &mut Interval) -> Result<Arc<Sweep>, Error> {
        timer.tick().await;
        self.sweeper.read(Duration::ZERO, Instant::now() + PATIENCE).await
    }
}

/// Says what is stored, for whoever sits at the terminal.
fn tell(news: &[Event]) {
    for event in news.iter().take(MOST_TOLD) {
        let pod = format!("{}/{}", event.target_namespace, event.target_pod);
        let pod = if event.target_pod.is_empty() { "" } else { &pod };
        tracing::info!(run = event.uid, netns = event.name, pod, "{}: {}", event.reason, event.message);
    }
    if let Some(more) = news.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        tracing::info!(more, "Further changes of this sweep are in the journal.");
    }
}

#[cfg(test)]
mod tests;
