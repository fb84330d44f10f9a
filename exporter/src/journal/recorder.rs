//! The one writer: takes batches from everybody, stores them in groups, tells what changed, and goes on while the disk fails.
//!
//! A thread of its own, because SQLite blocks. A group is what has come in while the last one was stored: no caller waits for a timer, and
//! a burst shares its commits. Between groups it prunes ([`super::retention`]). What a batch means for the rows is in [`super::store`].

use super::lock::Folder;
use super::open::{count, stored_tally};
use super::pending::{BackOff, Pending};
use super::presence::{EVERY, Presence};
use super::retention::{self, Limits};
use super::store::{Rows, Settling, Store, Stored};
use super::tally::Tally;
use super::{Batch, Change, Error, Status, Told, query, schema};
use crate::exposition::Distribution;
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, broadcast, oneshot};

/// Changes after which a group is stored without looking for more.
const GROUP: usize = 512;
/// Upper bounds of the buckets of a commit's duration, in seconds.
const COMMIT_SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// Pauses between looks at what can be pruned.
const PRUNE_EVERY: Duration = Duration::from_mins(1);
/// The pause where there is more to prune, so that callers come first.
const PRUNE_SOON: Duration = Duration::from_millis(20);

/// A batch on its way.
pub(super) struct Asked {
    pub(super) batch: Batch,
    pub(super) done: oneshot::Sender<Result<(), Error>>,
    /// Its place in the queue, free again when it is stored.
    pub(super) place: OwnedSemaphorePermit,
}

pub(super) struct Writer {
    connection: Connection,
    inbox: Receiver<Asked>,
    hub: broadcast::Sender<Arc<Change>>,
    told: Arc<Told>,
    tally: Arc<Tally>,
    status: Status,
    rows: Rows,
    seq: i64,
    limits: Limits,
    settling: Settling,
    pending: Pending,
    back_off: BackOff,
    prune_at: Instant,
    prune_fails: bool,
    /// Whether the last look may have left something to prune.
    prunable: bool,
    presence: Presence,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        inbox: Receiver<Asked>,
        hub: broadcast::Sender<Arc<Change>>,
        limits: Limits,
        settling: Settling,
        folder: Arc<Folder>,
    ) -> Result<Self, Error> {
        let (tally, faulty) = stored_tally(&connection)?;
        for counter in faulty {
            tracing::warn!(counter, "a counter of the journal cannot be understood and begins anew");
        }
        let (tally, rows) = (Arc::new(tally), count(&connection)?);
        let (_, seq) = query::positions(&connection)?;
        let commit_seconds = Distribution::with_bounds(&COMMIT_SECONDS);
        let oldest = query::oldest(&connection)?;
        let status = Status { commit_seconds, oldest, schema: schema::VERSION, ..Status::default() };
        let told = Arc::new(Told::new(Arc::clone(&tally), status.clone()));
        let mut writer = Self {
            connection,
            inbox,
            hub,
            told,
            tally,
            status,
            rows,
            seq,
            limits,
            settling,
            pending: Pending::default(),
            back_off: BackOff::default(),
            prune_at: Instant::now(),
            prune_fails: false,
            prunable: true,
            presence: Presence::of(folder),
        };
        writer.tell();
        Ok(writer)
    }

    pub(super) fn told(&self) -> Arc<Told> {
        Arc::clone(&self.told)
    }

    /// Works until nobody can ask any more.
    pub(super) fn serve(mut self) {
        loop {
            let next = self.back_off.wait().or_else(|| self.settling.wait()).unwrap_or(EVERY).min(EVERY);
            match self.inbox.recv_timeout(next.min(self.prune_at.saturating_duration_since(Instant::now()))) {
                Ok(first) => self.group(first),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.back_off.wait().or_else(|| self.settling.wait()).is_some_and(|wait| wait.is_zero()) {
                let _ = self.store(&[]); // its outcome is logged, and there is nobody else to tell
            }
            if self.prune_at <= Instant::now() {
                self.prune();
            }
            if self.presence.has_changed() {
                self.show_pending();
            }
        }
        if !self.pending.is_empty() && self.store(&[]).is_err() {
            tracing::error!(changes = self.pending.len(), "the journal could not be written until the end: these changes are lost");
        }
    }

    /// Stores a batch and what else is waiting.
    fn group(&mut self, first: Asked) {
        let size = |batch: &Batch| batch.runs.len() + batch.events.len() + batch.states.len() + batch.withdrawn.len();
        let mut changes = size(&first.batch);
        let (mut batches, mut callers) = (vec![first.batch], vec![(first.done, first.place)]);
        while changes < GROUP
            && let Ok(next) = self.inbox.try_recv()
        {
            changes += size(&next.batch);
            batches.push(next.batch);
            callers.push((next.done, next.place));
        }
        let outcome = if self.back_off.wait().is_some_and(|wait| !wait.is_zero()) {
            Err(Error::Failing { reason: self.back_off.reason() })
        } else {
            self.store(&batches)
        };
        if let Err(Error::Failing { .. }) = outcome {
            for batch in batches {
                self.pending.add(batch);
            }
            self.show_pending();
        } else if outcome.is_err() {
            return self.apart(batches, callers.into_iter().map(|(done, _)| done).collect());
        }
        for (done, _) in callers {
            let _ = done.send(outcome.clone()); // a caller that went away
        }
    }

    /// Something in a group cannot be stored whatever the disk does: each batch alone, so that the others are.
    fn apart(&mut self, batches: Vec<Batch>, callers: Vec<oneshot::Sender<Result<(), Error>>>) {
        for (batch, done) in batches.into_iter().zip(callers) {
            let outcome = self.store(std::slice::from_ref(&batch));
            match &outcome {
                Err(Error::Failing { .. }) => self.pending.add(batch),
                Err(error) => {
                    self.status.refused += 1;
                    tracing::error!(%error, "a batch cannot be stored and is left out");
                }
                Ok(()) => {}
            }
            let _ = done.send(outcome);
        }
        self.show_pending();
    }

    /// Stores what is pending and these batches, all or nothing. [`Error::Failing`]: the disk does not take it now.
    fn store(&mut self, batches: &[Batch]) -> Result<(), Error> {
        let pending = self.pending.take();
        let all: Vec<&Batch> = pending.iter().chain(batches).collect();
        let started = Instant::now();
        self.settling.due = None; // what cannot be counted is not tried at once again
        let stored = self.commit(&all);
        match stored {
            Ok(changes) => {
                self.status.commits += 1;
                self.status.commit_seconds.observe(started.elapsed().as_secs_f64());
                self.status.last_commit_at = Some(Timestamp::now());
                if self.back_off.end() {
                    tracing::info!("the journal can be written again, and what was kept is stored");
                }
                self.publish(changes);
                Ok(())
            }
            Err(error) => {
                if let Some(batch) = pending {
                    self.pending.add(batch);
                }
                self.status.failures += 1;
                let Some(reason) = error.of_the_disk() else { return self.drop_poison(error) };
                if self.back_off.begin(&reason) {
                    tracing::error!(%reason, "the journal cannot be written: the newest state of each run is kept and tried again");
                }
                self.show_pending();
                Err(Error::Failing { reason })
            }
        }
    }

    /// What is pending may hold what cannot be stored at all: that must not keep the rest from being stored for ever.
    fn drop_poison(&mut self, error: Error) -> Result<(), Error> {
        for piece in self.pending.pieces() {
            match self.commit(&[&piece]) {
                Ok(changes) => self.publish(changes),
                Err(error) if error.of_the_disk().is_some() => self.pending.add(piece),
                Err(error) => {
                    self.status.refused += 1;
                    tracing::error!(%error, "a change cannot be stored and is left out");
                }
            }
        }
        self.show_pending();
        Err(error)
    }

    fn commit(&mut self, batches: &[&Batch]) -> Result<Vec<Stored>, Error> {
        let horizon = self.limits.horizon(&self.connection)?;
        let told = self.hub.receiver_count() > 0;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut store = Store::new(&transaction, &self.tally, self.seq, horizon, self.rows, told, self.settling.now());
        for batch in batches {
            store.put(batch)?;
        }
        store.finish()?;
        let Store { seq, draft, changes, rows, settling, .. } = store;
        transaction.commit()?;
        if draft.is_full() && !std::mem::replace(&mut self.status.tally_full, true) {
            tracing::warn!("there are too many combinations of name space, kind and action: new ones are not counted");
        }
        self.tally.apply(draft.into_changes());
        (self.seq, self.rows, self.settling) = (seq, rows, settling);
        Ok(changes)
    }

    /// Tells what was stored: first where the journal is, so that nobody hears of a position it does not know.
    fn publish(&mut self, changes: Vec<Stored>) {
        self.tell();
        if self.prunable && self.limits.is_beyond(self.status.bytes) {
            self.prune_at = self.prune_at.min(Instant::now() + PRUNE_SOON);
        }
        for change in changes {
            let _ = self.hub.send(Arc::new(Change::from(change))); // nobody listens
        }
    }

    fn tell(&mut self) {
        match retention::bytes_in_use(&self.connection) {
            Ok(bytes) => self.status.bytes = bytes,
            Err(error) => tracing::debug!(%error, "cannot tell how large the journal is"),
        }
        self.status.newest = self.seq.unsigned_abs();
        (self.status.runs, self.status.events) = (self.rows.runs.unsigned_abs(), self.rows.events.unsigned_abs());
        self.status.open_runs = self.rows.open.unsigned_abs();
        self.told.now().0 = Arc::clone(&self.tally);
        self.show_pending();
    }

    fn show_pending(&mut self) {
        self.status.pending = self.pending.len() as u64;
        self.status.dropped = self.pending.dropped;
        self.status.fault.clone_from(&self.presence.fault);
        self.status.failing = self.back_off.wait().is_some() || !self.status.fault.is_empty();
        self.told.now().1 = self.status.clone();
    }

    /// Deletes a part of what is not kept any longer; soon again if there may be more. Not while the disk fails.
    fn prune(&mut self) {
        self.prune_at = Instant::now() + PRUNE_EVERY;
        if self.back_off.wait().is_some() {
            return;
        }
        self.prunable = true;
        let pruned = retention::prune(&mut self.connection, &self.limits, &mut self.rows);
        let failed = pruned.is_err();
        match pruned {
            // Nothing can be done about a size that open runs alone need: then it is not tried after every commit.
            Ok(more) if more => self.prune_at = Instant::now() + PRUNE_SOON,
            Ok(_) => self.prunable = !self.limits.is_beyond(self.status.bytes),
            Err(error) if !self.prune_fails => tracing::warn!(%error, "the journal cannot be pruned"),
            Err(_) => {}
        }
        if std::mem::replace(&mut self.prune_fails, failed) && !failed {
            tracing::info!("the journal can be pruned again");
        }
        match query::oldest(&self.connection) {
            Ok(oldest) => self.status.oldest = oldest,
            Err(error) => tracing::debug!(%error, "cannot tell how old the journal is"),
        }
        self.tell();
    }
}
