//! The journal: the durable record of runs and events. It outlives the objects they tell of.
//!
//! One writer (`recorder`), many readers (`query`). An event is acknowledged, streamed and counted only when it is stored.

//! `schema` is the file, `term` what rows are found by, `store` one transaction, `pending` what waits for the disk, `retention` how much is
//! kept, `tally` the counters, `patience` how long a question may take, `lock` the folder, `presence` whether the file is still in it, `open`
//! how all of it comes up, `transfer` export and import, `verify` whether it is whole.

mod error;
mod lock;
mod open;
mod patience;
mod pending;
mod presence;
mod query;
mod recorder;
mod retention;
mod schema;
mod store;
mod tally;
mod term;
mod transfer;
mod verify;

pub use error::Error;
pub use patience::{Asker, Patience};
pub use query::Sight;
pub use tally::{BOUNDS, Family, Tally};
pub use transfer::{FORMAT, Moved, export, import};
pub use verify::{Report, verify};

use crate::exposition::Distribution;
use chaoscope_model::event::Event;
use chaoscope_model::query::{EventQuery, Position, RunQuery};
use chaoscope_model::run::Run;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, oneshot};

/// Where a journal is, and how much it keeps.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder that holds it and its lock; `None`: a temporary one, gone with the process.
    pub folder: Option<PathBuf>,
    /// Ended runs and their events are dropped after so long; `None`: never.
    pub retention: Option<Duration>,
    /// Oldest ended runs are dropped beyond so many bytes; `None`: no limit.
    pub max_bytes: Option<u64>,
    /// An outcome is counted once it has stood for so long; [`SETTLE`] where the cluster is watched, none where what is stored is history.
    pub settle: Duration,
}

/// How long an outcome stands before it is counted: the record of an object and the Events about it come by watches of their own, seconds apart.
pub const SETTLE: Duration = Duration::from_secs(5);

/// Changes that belong together: stored in one transaction, or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Runs as they are now.
    pub runs: Vec<Run>,
    /// Events; one that is known already changes nothing unless it is more exact.
    pub events: Vec<Event>,
    /// What a fold needs to go on after a restart, by the fold's own key; `None`: not needed any more.
    pub states: Vec<(String, Option<Vec<u8>>)>,
    /// Ids of runs that turned out never to have been: one that is open is deleted, and its events belong to no run; one that ended stays. They
    /// go before the rest of the batch is stored, so a run that is in `runs` as well is there again.
    pub withdrawn: Vec<String>,
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
    /// Whether it ends here only because its time was over: the next page has the rest.
    pub cut: bool,
}

impl<T> Page<T> {
    /// The rows, for who cannot go on with a next page: [`Error::Late`] where time was over before all were found.
    pub fn whole(self) -> Result<Vec<T>, Error> {
        if self.cut { Err(Error::Late) } else { Ok(self.rows) }
    }
}

/// How a journal is.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Bytes of the file that hold something.
    pub bytes: u64,
    /// Runs there are.
    pub runs: u64,
    /// Of them, runs that have not ended.
    pub open_runs: u64,
    /// Events there are.
    pub events: u64,
    /// The newest position.
    pub newest: u64,
    /// Start of the oldest run, or time of the oldest event; `None`: it is empty.
    pub oldest: Option<Timestamp>,
    /// Transactions stored since the start of the process.
    pub commits: u64,
    /// How long they took, in seconds.
    pub commit_seconds: Distribution,
    /// When the last one was stored.
    pub last_commit_at: Option<Timestamp>,
    /// Transactions that failed.
    pub failures: u64,
    /// Whether the last one failed, or there is a [`Self::fault`].
    pub failing: bool,
    /// What no further try can mend: the file was deleted or replaced under us. Empty: nothing.
    pub fault: String,
    /// Changes that wait for the disk.
    pub pending: u64,
    /// Changes there was no room for while the disk failed.
    pub dropped: u64,
    /// Batches that cannot be stored whatever the disk does.
    pub refused: u64,
    /// Whether there are too many series to count by.
    pub tally_full: bool,
    /// Version of the file's schema.
    pub schema: i32,
}

/// What a journal knew when it was opened.
#[derive(Debug, Default)]
pub struct Restored {
    /// The states of [`Batch::states`], by key.
    pub states: BTreeMap<String, Vec<u8>>,
}

/// The handle everybody has: cheap to clone. The writer goes on until the last one is dropped, which waits for what was handed over.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
    patience: Patience,
}

struct Inner {
    id: String,
    readers: query::Readers,
    told: Arc<Told>,
    hub: broadcast::Sender<Arc<Change>>,
    places: Arc<Semaphore>,
    /// Both are `Some` until this is dropped.
    inbox: Option<mpsc::Sender<recorder::Asked>>,
    writer: Option<std::thread::JoinHandle<()>>,
    _folder: Arc<lock::Folder>,
}

/// What the writer tells everybody after each commit.
struct Told(Mutex<(Arc<Tally>, Status)>);

impl Told {
    fn new(tally: Arc<Tally>, status: Status) -> Self {
        Self(Mutex::new((tally, status)))
    }

    fn now(&self) -> MutexGuard<'_, (Arc<Tally>, Status)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// Opens or makes a journal, and starts its one writer. Blocking.
    pub fn open(config: &Config) -> Result<(Self, Restored), Error> {
        open::open(config)
    }

    /// Hands changes to the writer; done when they are stored. Waits while the queue is full. While the disk fails, the newest state of each run is
    /// kept and tried again; the answer is then [`Error::Failing`], and nothing is lost but events beyond a limit. Runs and events older than
    /// what is kept, and not stored, are taken and left out.
    pub async fn record(&self, mut batch: Batch) -> Result<(), Error> {
        // What depends on the present is never stored.
        batch.runs.iter_mut().for_each(|run| (run.stuck_since, run.overdue_since) = (None, None));
        let place = Arc::clone(&self.inner.places).acquire_owned().await.map_err(|_| Error::Closed)?;
        let (done, stored) = oneshot::channel();
        let inbox = self.inner.inbox.as_ref().ok_or(Error::Closed)?;
        inbox.send(recorder::Asked { batch, done, place }).map_err(|_| Error::Closed)?;
        stored.await.map_err(|_| Error::Closed)?
    }

    /// The same journal, for a question that may take only so long: then a list ends early and says where it goes on, or the answer is
    /// [`Error::Late`]; [`Error::Gone`] as soon as nobody waits any more.
    #[must_use]
    pub fn within(&self, patience: Patience) -> Self {
        Self { inner: Arc::clone(&self.inner), patience }
    }

    /// Runs that overlap, newest start first. `see` gives what the caller may see of a run: nothing, all or some of its targets. Blocking.
    pub fn runs(&self, query: &RunQuery, see: &dyn Fn(&Run) -> Option<Run>) -> Result<Page<Run>, Error> {
        self.inner.readers.runs(&self.patience, query, see)
    }

    /// One run. Blocking.
    pub fn run(&self, id: &str) -> Result<Option<Run>, Error> {
        self.inner.readers.run(&self.patience, id)
    }

    /// Events, newest first, with their runs. Blocking.
    pub fn events(&self, query: &EventQuery, see: &dyn Fn(&Event, Option<&Run>) -> bool) -> Result<Page<Event>, Error> {
        self.inner.readers.events(&self.patience, query, see)
    }

    /// Every run that has not ended. Blocking.
    pub fn open_runs(&self) -> Result<Vec<Run>, Error> {
        self.inner.readers.open_runs(&self.patience)
    }

    /// What changed after a position, oldest first, runs in their latest state; `None`: that position is pruned or of the future. Blocking.
    pub fn since(&self, seq: u64, limit: usize) -> Result<Option<Vec<Change>>, Error> {
        self.inner.readers.since(&self.patience, seq, limit)
    }

    /// Changes from now on. A reader that lags is told so, and goes back to [`Self::since`].
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Change>> {
        self.inner.hub.subscribe()
    }

    /// The journal's own id, and its newest position.
    pub fn position(&self) -> (String, u64) {
        (self.inner.id.clone(), self.inner.told.now().1.newest)
    }

    /// The counters as of the last commit. Does not wait for the writer or the disk.
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.inner.told.now().0)
    }

    /// How the journal is, as of the last commit. Does not wait for the writer or the disk.
    pub fn status(&self) -> Status {
        self.inner.told.now().1.clone()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The writer's connection is the last to be closed: it moves everything into the one file.
        self.readers.close();
        drop(self.inbox.take());
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the journal's writer panicked");
        }
    }
}
