//! From a fact to the journal: the one path of live watches, recordings and sweeps of a cluster.
//!
//! An observation goes into the index at once; what it changed waits, the newest state of each run only, until the journal has stored what
//! came before. So a burst costs one state a run, a slow disk slows whoever observes, and what is on a scrape is never older than the watch.

pub mod intake;
mod waiting;

use crate::cluster::index::{Changes, Index, Listed};
use crate::cluster::now::{Now, WatchNow};
use crate::cluster::slots::{Child, Offspring, Plans, Slots};
use crate::journal::Journal;
use chaoscope_model::observation::Observation;
use chaoscope_model::plan::Schedule;
use chaoscope_model::run::Run;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use waiting::Waiting;

/// Events that may wait for the journal before whoever observes has to wait too.
const MOST_WAITING: usize = 4096;

/// What "now" is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// This host's clock.
    System,
    /// The newest time anything was seen: of a recording that is replayed.
    Newest,
}

/// The index, and what of its changes is not stored yet.
#[derive(Clone)]
pub struct Ingest {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Something waits to be stored.
    work: Notify,
    /// Something was stored.
    room: Notify,
    journal: Journal,
    clock: Clock,
}

struct State {
    index: Index,
    slots: Slots,
    waiting: Waiting,
    newest: Timestamp,
    watches: Arc<WatchStatus>,
    /// Wants to know of each run that changed.
    follower: Arc<Follower>,
}

/// Is told of each run that changed, as it is now, before it is stored.
pub type Follower = dyn Fn(&Run) + Send + Sync;

/// Tells how each watch does.
pub type WatchStatus = dyn Fn() -> Vec<WatchNow> + Send + Sync;

impl Ingest {
    /// Begins with what the journal kept, and stores from now on. The task that stores ends with the last handle.
    /// `zone` is the time zone schedules are meant in, where known.
    pub fn start(cluster: &str, journal: Journal, states: &BTreeMap<String, Vec<u8>>, clock: Clock, zone: Option<TimeZone>) -> Self {
        let mut index = Index::new(cluster);
        let unreadable = index.restore(states);
        if unreadable > 0 {
            tracing::warn!(unreadable, "some experiments' states could not be read and are rebuilt from their objects");
        }
        match journal.open_runs() {
            Ok(open) => index.adopt(open),
            Err(error) => tracing::warn!(%error, "the journal's open runs cannot be read: those without an experiment stay open"),
        }
        let slots = Slots::new(zone, states);
        let state = State {
            index,
            slots,
            waiting: Waiting::default(),
            newest: Timestamp::UNIX_EPOCH,
            watches: Arc::new(Vec::new),
            follower: Arc::new(|_| {}),
        };
        let shared = Shared { state: Mutex::new(state), work: Notify::new(), room: Notify::new(), journal, clock };
        let ingest = Self { shared: Arc::new(shared) };
        tokio::spawn(store(Arc::downgrade(&ingest.shared)));
        ingest
    }

    /// The time zone schedules are meant in, as it became known.
    pub fn set_zone(&self, zone: TimeZone) {
        self.state().slots.set_zone(zone);
    }

    /// From now on, how watches do is known by this.
    pub fn watched_by(&self, watches: Arc<WatchStatus>) {
        self.state().watches = watches;
    }

    /// From now on, this is told of each run that changes; of those that are open, at once.
    pub fn followed_by(&self, follower: Arc<Follower>) {
        let mut state = self.state();
        state.index.open_runs().for_each(|run| follower(run));
        state.follower = follower;
    }

    /// Takes in one fact; waits while too much is not stored yet.
    pub async fn observe(&self, observation: Observation, seen: Timestamp) {
        self.change(seen, |state| state.observe(observation, seen)).await;
    }

    /// Takes in a complete list.
    pub async fn listed(&self, listed: Listed) {
        self.change(listed.seen, |state| state.listed(listed)).await;
    }

    /// What follows from the time alone.
    pub async fn tick(&self) {
        let now = self.clock();
        self.change(now, |state| state.tick(now)).await;
    }

    /// Looks at the index, or takes from it what it noted for the caller.
    pub fn look<T>(&self, look: impl FnOnce(&mut Index) -> T) -> T {
        look(&mut self.state().index)
    }

    /// Events were listed.
    pub fn events_listed(&self) {
        self.state().index.events_listed();
    }

    /// What time it is.
    pub fn clock(&self) -> Timestamp {
        match self.shared.clock {
            Clock::System => Timestamp::now(),
            Clock::Newest => self.state().newest,
        }
    }

    /// What is, now.
    pub fn now(&self) -> Now {
        let at = self.clock();
        let state = self.state();
        let mut now = state.index.now(at);
        now.watches = (state.watches)();
        now.schedules = state.slots.now(&now.experiments, &now.workflows, &now.watches);
        now
    }

    /// Every schedule with its line, to find the children that will come.
    pub fn plans(&self) -> Plans {
        self.state().slots.plans()
    }

    /// Done when everything observed so far is stored, or could not be.
    pub async fn settled(&self) {
        loop {
            let stored = self.shared.room.notified();
            if self.state().waiting.is_idle() {
                return;
            }
            stored.await;
        }
    }

    async fn change(&self, seen: Timestamp, change: impl FnOnce(&mut State) -> Changes) {
        loop {
            let stored = self.shared.room.notified();
            if self.state().waiting.events.len() < MOST_WAITING {
                break;
            }
            stored.await;
        }
        let mut state = self.state();
        state.newest = state.newest.max(seen);
        // Nothing an object says may end a watch; one that breaks the fold is passed over, and said.
        let changes = std::panic::catch_unwind(AssertUnwindSafe(|| change(&mut state)));
        let changes = changes.unwrap_or_else(|_| {
            tracing::error!("an observation broke the fold and is passed over; please report it with a recording");
            Changes::default()
        });
        if !changes.is_empty() {
            changes.runs.iter().for_each(|run| (state.follower)(run));
            state.waiting.add(changes);
            drop(state);
            self.shared.work.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn observe(&mut self, observation: Observation, seen: Timestamp) -> Changes {
        match &observation {
            Observation::Schedule(schedule) => {
                let schedule = Arc::new((**schedule).clone());
                self.judge(seen, |slots, children| slots.see(&schedule, seen, children));
            }
            Observation::Gone(gone) => self.slots.gone(&gone.about.uid),
            _ => {}
        }
        let mut changes = self.index.observe(observation);
        changes.states.extend(self.slots.states());
        changes
    }

    fn listed(&mut self, listed: Listed) -> Changes {
        if listed.kind == "Schedule" {
            self.slots.retain(&listed.namespace, |uid| listed.uids.contains(uid));
        }
        self.index.listed(listed);
        Changes { states: self.slots.states(), ..Changes::default() }
    }

    fn tick(&mut self, now: Timestamp) -> Changes {
        self.judge(now, |slots, children| slots.tick(now, children));
        let mut changes = self.index.tick(now);
        changes.states.extend(self.slots.states());
        changes
    }

    /// Judges slots; what children there are is looked up only when a slot asks.
    fn judge(&mut self, at: Timestamp, judge: impl FnOnce(&mut Slots, &dyn Fn(&Schedule) -> Option<Vec<Child>>)) {
        let (index, watches) = (&self.index, &self.watches);
        let known = std::cell::OnceCell::new();
        let children = |schedule: &Schedule| {
            let (now, watches) = known.get_or_init(|| (index.now(at), watches()));
            Offspring::new(&now.experiments, &now.workflows, watches).of(schedule)
        };
        judge(&mut self.slots, &children);
    }
}

/// Stores what waits, until nobody observes any more.
async fn store(shared: std::sync::Weak<Shared>) {
    loop {
        let Some(shared) = shared.upgrade() else { return };
        let batch = {
            let mut state = shared.state();
            let State { index, waiting, .. } = &mut *state;
            (!waiting.is_idle()).then(|| waiting.take(index))
        };
        match batch {
            Some(batch) => {
                let _ = shared.journal.record(batch).await; // it keeps what it could not store, says so, and tries again
                shared.state().waiting.busy = false;
                shared.room.notify_waiters();
            }
            // Wakes now and then, to see whether anybody is left.
            None => drop(tokio::time::timeout(std::time::Duration::from_secs(1), shared.work.notified()).await),
        }
    }
}
