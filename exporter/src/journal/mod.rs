//! The journal: the durable record of runs and events. It outlives the objects they tell of.
//!
//! One writer (`recorder`), many readers (`query`). An event is acknowledged, streamed and counted only when it is stored.

use chaoscope_model::event::Event;
use chaoscope_model::query::{EventQuery, Position, RunQuery};
use chaoscope_model::run::Run;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where a journal is, and how much it keeps.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder that holds it and its lock; `None`: a temporary one, gone with the process.
    pub folder: Option<PathBuf>,
    /// Ended runs and their events are dropped after so long; `None`: never.
    pub retention: Option<Duration>,
    /// Oldest ended runs are dropped beyond so many bytes; `None`: no limit.
    pub max_bytes: Option<u64>,
}

/// Changes that belong together: stored in one transaction, or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Runs as they are now.
    pub runs: Vec<Run>,
    /// Events; one that is known already changes nothing unless it is more exact.
    pub events: Vec<Event>,
    /// What a fold needs to go on after a restart, by the fold's own key; `None`: not needed any more.
    pub states: Vec<(String, Option<Vec<u8>>)>,
}

/// What changed, in the order it was stored.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its place in the stream: rises with every change.
    pub seq: u64,
    /// What it is.
    pub item: Item,
}

/// What changed.
#[derive(Clone, Debug)]
pub enum Item {
    /// A run, as it is now.
    Run(Arc<Run>),
    /// An event, with its run as it is now.
    Event(Arc<Event>, Option<Arc<Run>>),
}

/// One page of an answer, newest first.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<Position>,
}

/// What a journal knew when it was opened.
#[derive(Debug, Default)]
pub struct Restored {
    /// The states of [`Batch::states`], by key.
    pub states: BTreeMap<String, Vec<u8>>,
}

/// The handle everybody has: cheap to clone.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<()>,
}

#[allow(unused_variables, clippy::todo)]
impl Journal {
    /// Opens or makes a journal, and starts its one writer.
    pub fn open(config: &Config) -> Result<(Self, Restored), Error> {
        todo!()
    }
    /// Hands changes to the writer; done when they are stored. Waits while the queue is full. While the disk fails, the newest state of each run is
    /// kept and tried again; the answer is then an error, and nothing is lost but events beyond a limit.
    pub async fn record(&self, batch: Batch) -> Result<(), Error> {
        todo!()
    }
    /// Runs that overlap, newest start first. `see` gives what the caller may see of a run: nothing, all or some of its targets. Blocking.
    pub fn runs(&self, query: &RunQuery, see: &dyn Fn(&Run) -> Option<Run>) -> Result<Page<Run>, Error> {
        todo!()
    }
    /// One run. Blocking.
    pub fn run(&self, id: &str) -> Result<Option<Run>, Error> {
        todo!()
    }
    /// Events, newest first, with their runs. Blocking.
    pub fn events(&self, query: &EventQuery, see: &dyn Fn(&Event, Option<&Run>) -> bool) -> Result<Page<Event>, Error> {
        todo!()
    }
    /// Every run that has not ended. Blocking.
    pub fn open_runs(&self) -> Result<Vec<Run>, Error> {
        todo!()
    }
    /// What changed after a position, oldest first, runs in their latest state; `None`: that position is pruned or of the future. Blocking.
    pub fn since(&self, seq: u64, limit: usize) -> Result<Option<Vec<Change>>, Error> {
        todo!()
    }
    /// Changes from now on. A reader that lags is told so, and goes back to [`Self::since`].
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Arc<Change>> {
        todo!()
    }
    /// The journal's own id, and its newest position.
    pub fn position(&self) -> (String, u64) {
        todo!()
    }
}

/// Why a journal does not do what it is asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {}
