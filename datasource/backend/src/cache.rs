//! What was answered lately: kept for a moment, within bounds, and asked once however many want it at the same time ([`Cache`]).
//!
//! Windows are widened to a small grid first, so that the panels of a dashboard, whose ends differ by milliseconds, share one question; what
//! comes is narrowed to each panel's own window again ([`narrowed`]). A question under way lives as long as somebody waits for its answer:
//! when the last one goes, so does the request. Failures are not kept.

use crate::frames::Data;
use crate::metrics;
use crate::origin::{Error, Found, Identity};
use crate::query::{List, Needs, Question, Window};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use jiff::{SignedDuration, Timestamp};
use lru::LruCache;
use std::future::Future;
use std::mem::size_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Most answers kept.
const MOST_ANSWERS: usize = 512;
/// Most bytes kept, as estimated.
const MOST_BYTES: usize = 64 << 20;
/// A short text on the heap, with what the allocator adds.
const TEXT: usize = 40;
/// Windows are widened to multiples of this …
const GRID: SignedDuration = SignedDuration::from_secs(10);
/// … or of a thousandth of their length.
const FINENESS: i64 = 1000;
/// A window that ended so long ago hardly changes any more …
const PAST: SignedDuration = SignedDuration::from_mins(10);
/// … and its answer is kept so many times longer.
const LONGER: u32 = 6;

/// What an answer belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// What was asked for.
    pub needs: Needs,
    /// Of a variable: which list.
    pub list: Option<List>,
    /// Which rows.
    pub question: Question,
    /// For whom; empty unless identity is forwarded.
    who: Caller,
}

/// An identity as part of a key: it holds secrets, so it is not printed.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Caller(Identity);

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Key {
    /// The key of a question, its window widened.
    pub fn new(needs: Needs, list: Option<List>, question: &Question, who: &Identity) -> Self {
        let question = Question { window: widened(question.window), ..question.clone() };
        Self { needs, list, question, who: Caller(who.clone()) }
    }

    /// The same for this window and no other.
    #[must_use]
    pub fn exactly(self, window: Window) -> Self {
        Self { question: Question { window, ..self.question }, ..self }
    }
}

type Answer = Result<Arc<Data>, Error>;
type Asking = Shared<BoxFuture<'static, Answer>>;

enum Slot {
    /// Somebody asks.
    Asking { since: Instant, asking: WeakShared<BoxFuture<'static, Answer>> },
    /// Answered.
    Kept { since: Instant, until: Instant, bytes: usize, data: Arc<Data> },
}

impl Slot {
    /// When it was asked for.
    const fn since(&self) -> Instant {
        match self {
            Self::Asking { since, .. } | Self::Kept { since, .. } => *since,
        }
    }
}

struct Store {
    slots: LruCache<Key, Slot>,
    bytes: usize,
}

/// Answers of one origin.
pub struct Cache {
    store: Arc<Mutex<Store>>,
    keep: Duration,
}

impl Cache {
    /// Keeps answers so long; zero: only shares what is under way.
    pub fn new(keep: Duration) -> Self {
        Self { store: Arc::new(Mutex::new(Store { slots: LruCache::unbounded(), bytes: 0 })), keep }
    }

    /// The answer of a key: kept, under way, or asked now. One that was asked for before `since` is not good enough.
    pub async fn get<F>(&self, key: Key, since: Option<Instant>, ask: impl FnOnce() -> F) -> Answer
    where
        F: Future<Output = Result<Data, Error>> + Send + 'static,
    {
        let asking = match self.look(key, since, ask) {
            Ok(kept) => return Ok(kept),
            Err(asking) => asking,
        };
        asking.await
    }

    fn look<F>(&self, key: Key, since: Option<Instant>, ask: impl FnOnce() -> F) -> Result<Arc<Data>, Asking>
    where
        F: Future<Output = Result<Data, Error>> + Send + 'static,
    {
        let mut store = lock(&self.store);
        let now = Instant::now();
        let fresh = |asked: &Instant| since.is_none_or(|since| *asked >= since);
        match store.slots.get(&key) {
            Some(Slot::Kept { since, until, data, .. }) if *until > now && fresh(since) => {
                metrics::looked_up("hit");
                return Ok(Arc::clone(data));
            }
            Some(Slot::Asking { since, asking }) if fresh(since) => {
                if let Some(asking) = asking.upgrade() {
                    metrics::looked_up("shared");
                    return Err(asking);
                }
            }
            _ => {}
        }
        metrics::looked_up("miss");
        let keep = if key.question.window.to < Timestamp::now() - PAST { self.keep * LONGER } else { self.keep };
        let (asked, place, weak) = (ask(), key.clone(), Arc::downgrade(&self.store));
        let work = async move {
            let answer = asked.await.map(Arc::new);
            if let Some(store) = weak.upgrade() {
                lock(&store).finish(place, answer.as_ref().ok(), now, keep);
            }
            answer
        };
        let asking = work.boxed().shared();
        if let Some(weak) = asking.downgrade() {
            store.put(key, Slot::Asking { since: now, asking: weak });
        }
        Err(asking)
    }

    /// How much is kept: answers and bytes.
    pub fn size(&self) -> (usize, usize) {
        let store = lock(&self.store);
        (store.slots.len(), store.bytes)
    }
}

/// A panic of one who holds it leaves nothing half done that matters: at worst an answer is asked again.
fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    fn put(&mut self, key: Key, slot: Slot) {
        self.tidy();
        self.bytes += bytes_of(&slot);
        if let Some(old) = self.slots.put(key, slot) {
            self.bytes -= bytes_of(&old);
        }
        while self.slots.len() > MOST_ANSWERS || self.bytes > MOST_BYTES {
            match self.slots.pop_lru() {
                Some((_, old)) => self.bytes -= bytes_of(&old),
                None => break,
            }
        }
    }

    /// Forgets what is too old, and questions nobody waits for.
    fn tidy(&mut self) {
        let (now, mut freed) = (Instant::now(), 0);
        self.slots.retain(|_, slot| {
            let stays = match slot {
                Slot::Asking { asking, .. } => asking.upgrade().is_some(),
                Slot::Kept { until, .. } => *until > now,
            };
            freed += if stays { 0 } else { bytes_of(slot) };
            stays
        });
        self.bytes -= freed;
    }

    fn finish(&mut self, key: Key, answer: Option<&Arc<Data>>, since: Instant, keep: Duration) {
        // Somebody asked again meanwhile, for a fresher answer: that one counts.
        if self.slots.peek(&key).is_some_and(|slot| slot.since() > since) {
            return;
        }
        match answer.filter(|_| !keep.is_zero()) {
            Some(data) => {
                let slot = Slot::Kept { since, until: Instant::now() + keep, bytes: weight(data), data: Arc::clone(data) };
                self.put(key, slot);
            }
            None => {
                if let Some(old) = self.slots.pop(&key) {
                    self.bytes -= bytes_of(&old);
                }
            }
        }
    }
}

const fn bytes_of(slot: &Slot) -> usize {
    match slot {
        Slot::Asking { .. } => 0,
        Slot::Kept { bytes, .. } => *bytes,
    }
}

/// About how much memory an answer takes.
fn weight(data: &Data) -> usize {
    use chaoscope_model::event::Event;
    use chaoscope_model::run::{Run, Target};
    let target = |it: &Target| size_of::<Target>() + 9 * TEXT + tree(it.precision.len(), 1);
    let run = |run: &Arc<Run>| {
        let trees = tree(run.parameters.len(), 2) + tree(run.labels.len(), 2) + tree(run.precision.len(), 1);
        size_of::<Run>() + 12 * TEXT + trees + run.targets.iter().map(target).sum::<usize>()
    };
    let event = |event: &Arc<Event>| size_of::<Event>() + 10 * TEXT + event.message.len() + tree(event.attributes.len(), 2);
    256 + match data {
        Data::Runs(found) => found.items.iter().map(run).sum(),
        Data::Events(found) => found.items.iter().map(event).sum(),
        Data::Upcoming(found) => found.items.len() * 192,
        Data::Values(found) => found.items.iter().map(|value| value.len() + 24).sum(),
        Data::RunsAndUpcoming(runs, due) => runs.items.iter().map(run).sum::<usize>() + due.items.len() * 192,
    }
}

/// A tree map of so many entries of one or two texts: it has room for eleven from the first one on.
const fn tree(entries: usize, texts: usize) -> usize {
    let nodes = entries.div_ceil(8);
    nodes * (11 * texts * size_of::<String>() + 32) + entries * texts * TEXT
}

/// A window widened to the grid, so that almost equal ones are equal.
fn widened(window: Window) -> Window {
    let length = window.to.duration_since(window.from).as_secs();
    let step = GRID.as_secs().max(length / FINENESS).max(1);
    let (from, to) = (window.from.as_second().div_euclid(step) * step, window.to.as_second().div_euclid(step) * step + step);
    let at = |second: i64, or: Timestamp| Timestamp::from_second(second).unwrap_or(or);
    Window { from: at(from, window.from), to: at(to, window.to) }
}

/// What of an answer belongs into a window.
pub fn narrowed(data: &Data, window: Window) -> Data {
    let within = |at: Timestamp| at >= window.from && at <= window.to;
    match data {
        Data::Runs(found) => Data::Runs(keep(found, |run| run.overlaps(window.from, window.to))),
        Data::Events(found) => Data::Events(keep(found, |event| within(event.at))),
        Data::Upcoming(found) => Data::Upcoming(keep(found, |due| within(due.at))),
        Data::Values(found) => Data::Values(found.clone()),
        Data::RunsAndUpcoming(runs, due) => {
            Data::RunsAndUpcoming(keep(runs, |run| run.overlaps(window.from, window.to)), keep(due, |due| within(due.at)))
        }
    }
}

/// Whether widening and a limit together may have left out what belongs into the window: something was cut, and something taken away here.
pub fn lacks(found: &Data, narrowed: &Data) -> bool {
    let fewer = |cut: bool, before: usize, after: usize| cut && after < before;
    match (found, narrowed) {
        (Data::Runs(before), Data::Runs(after)) => fewer(before.cut, before.items.len(), after.items.len()),
        (Data::Events(before), Data::Events(after)) => fewer(before.cut, before.items.len(), after.items.len()),
        (Data::Upcoming(before), Data::Upcoming(after)) => fewer(before.cut, before.items.len(), after.items.len()),
        (Data::RunsAndUpcoming(runs, due), Data::RunsAndUpcoming(runs_left, due_left)) => {
            fewer(runs.cut, runs.items.len(), runs_left.items.len()) || fewer(due.cut, due.items.len(), due_left.items.len())
        }
        _ => false,
    }
}

fn keep<T: Clone>(found: &Found<T>, pass: impl Fn(&T) -> bool) -> Found<T> {
    Found { items: found.items.iter().filter(|item| pass(item)).cloned().collect(), cut: found.cut, notices: found.notices.clone() }
}

#[cfg(test)]
mod tests;
