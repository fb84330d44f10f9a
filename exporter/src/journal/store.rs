//! One transaction of the writer: runs, events and states go in, changes and counts come out.
//!
//! Apart from the recorder, which decides when; here is what a run or an event that is known already means. To extend: what is stored of a
//! batch, in [`Store::put`].

mod settled;
mod withdrawal;

pub(super) use settled::Settling;

use super::tally::{Draft, Tally};
use super::term::{self, Place, hash, nanos};
use super::{Batch, Change, Error, Item};
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A change that a transaction stores.
pub(super) struct Stored {
    pub(super) seq: i64,
    pub(super) what: What,
}

pub(super) enum What {
    Run(Arc<Run>),
    Event(Arc<Event>, Option<Arc<Run>>),
}

impl From<Stored> for Change {
    fn from(Stored { seq, what }: Stored) -> Self {
        let item = match what {
            What::Run(run) => Item::Run(run),
            What::Event(event, run) => Item::Event(event, run),
        };
        Self { seq: seq.unsigned_abs(), item }
    }
}

/// How many rows there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rows {
    pub(super) runs: i64,
    pub(super) events: i64,
    pub(super) open: i64,
}

/// What is done within one transaction.
pub(super) struct Store<'c> {
    connection: &'c Connection,
    /// The newest position.
    pub(super) seq: i64,
    /// What ended or happened at or before this and is not stored has been pruned, or would be at once.
    horizon: i64,
    /// Whether somebody wants to hear of changes.
    told: bool,
    pub(super) draft: Draft,
    pub(super) changes: Vec<Stored>,
    pub(super) rows: Rows,
    pub(super) settling: Settling,
    runs: HashMap<String, Arc<Run>>,
}

/// An event as it is stored.
struct Known {
    pk: i64,
    event: Event,
}

impl<'c> Store<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        tally: &Arc<Tally>,
        seq: i64,
        horizon: i64,
        rows: Rows,
        told: bool,
        settling: Settling,
    ) -> Self {
        let (draft, changes, runs) = (Draft::of(tally), Vec::new(), HashMap::new());
        Self { connection, seq, horizon, told, draft, changes, rows, settling, runs }
    }

    /// Stores a batch. What is withdrawn goes first, so that its events are free; then runs, so that events find theirs.
    pub(super) fn put(&mut self, batch: &Batch) -> Result<(), Error> {
        for id in &batch.withdrawn {
            self.withdraw(id)?;
        }
        for run in &batch.runs {
            self.run(run)?;
        }
        for event in &batch.events {
            match event.run.as_ref().filter(|id| batch.withdrawn.contains(id)) {
                Some(id) if self.run_of(id)?.is_none() => self.event(&Event { run: None, ..event.clone() })?,
                _ => self.event(event)?,
            }
        }
        for (key, state) in &batch.states {
            match state {
                Some(state) => self.connection.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2)")?.execute((key, state))?,
                None => self.connection.prepare_cached("DELETE FROM state WHERE key = ?1")?.execute([key])?,
            };
        }
        Ok(())
    }

    /// Counts what has settled and stores the counters; the last thing a transaction does.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.count_settled()?;
        let mut statement = self.connection.prepare_cached("INSERT OR REPLACE INTO counter VALUES (?1, ?2, ?3)")?;
        for row in self.draft.rows() {
            statement.execute(row)?;
        }
        let runs = &self.runs;
        for change in &mut self.changes {
            if let What::Event(event, run) = &mut change.what {
                *run = event.run.as_ref().and_then(|id| runs.get(id)).cloned();
            }
        }
        Ok(())
    }

    fn run(&mut self, run: &Run) -> Result<(), Error> {
        let body = serde_json::to_string(run).map_err(|cause| Error::body(&run.id, cause))?;
        let known = self
            .connection
            .prepare_cached("SELECT pk, body, settles_at, counted IS NOT NULL FROM run WHERE id = ?1")?
            .query_row([&run.id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, (row.get(2)?, row.get(3)?))))
            .optional()?;
        let closed = run.outcome.map(|_| nanos(run.ended_at.unwrap_or(run.started_at)));
        let (started, ended) = (nanos(run.started_at), run.ended_at.map(nanos));
        let before = match &known {
            Some((_, old, _)) if *old == body => return Ok(()),
            Some((_, old, _)) => Some(serde_json::from_str::<Run>(old).map_err(|cause| Error::body(&run.id, cause))?),
            None if closed.is_some_and(|closed| closed <= self.horizon) => return Ok(()),
            None => None,
        };
        self.seq += 1;
        let settles = self.settling.of(run, before.as_ref(), known.as_ref().map_or((None, false), |(.., counted)| *counted));
        let row = if let Some((pk, ..)) = known {
            let sql = "UPDATE run SET seq = ?2, started_at = ?3, ended_at = ?4, closed_at = ?5, body = ?6, settles_at = ?7 WHERE pk = ?1";
            self.connection.prepare_cached(sql)?.execute(params![pk, self.seq, started, ended, closed, body, settles])?;
            pk
        } else {
            let sql = "INSERT INTO run(id, seq, started_at, ended_at, closed_at, body, settles_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            self.connection.prepare_cached(sql)?.insert(params![run.id, self.seq, started, ended, closed, body, settles])?
        };
        self.places(row, &before.as_ref().map(term::of_run).unwrap_or_default(), &term::of_run(run))?;
        self.draft.run(run, before.as_ref());
        self.rows.runs += i64::from(before.is_none());
        self.rows.open += i64::from(closed.is_none()) - i64::from(before.as_ref().is_some_and(Run::is_open));
        let run = Arc::new(run.clone());
        self.runs.insert(run.id.clone(), Arc::clone(&run));
        if self.told {
            self.changes.push(Stored { seq: self.seq, what: What::Run(run) });
        }
        Ok(())
    }

    /// An event is one row under its key. A known one changes only if more is known now: the time more exactly, that it was announced, its
    /// run, or that a less exact row is the same event.
    fn event(&mut self, event: &Event) -> Result<(), Error> {
        let known = self.known(&event.key)?;
        let less = event.replaces.as_ref().filter(|key| **key != event.key).map(|key| self.known(key)).transpose()?.flatten();
        let Some(known) = known else {
            return match self.better(&event.key)? {
                Some(better) => {
                    let merged = merge(&better.event, event);
                    self.upgrade(&better, &merged, None)
                }
                None => self.insert(event, less),
            };
        };
        let mut merged = merge(&known.event, event);
        if let Some(less) = less {
            merged = merge(&merged, &less.event);
            self.remove(&less)?;
        }
        self.upgrade(&known, &merged, event.replaces.as_ref())
    }

    /// A row that did not exist, or takes the place of a less exact one.
    fn insert(&mut self, event: &Event, less: Option<Known>) -> Result<(), Error> {
        if let Some(less) = less {
            let merged = Event { key: event.key.clone(), ..merge(&less.event, event) };
            return self.upgrade(&less, &merged, event.replaces.as_ref());
        }
        let at = nanos(event.at);
        if at <= self.horizon && event.run.as_ref().is_none_or(|id| !matches!(self.run_of(id), Ok(Some(_)))) {
            return Ok(());
        }
        self.seq += 1;
        let (key, body) = (hash::<16>(&[&event.key]), body(event)?);
        let sql = "INSERT INTO event(seq, key, replaces, at, run, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let row = self.connection.prepare_cached(sql)?.insert(params![self.seq, key, event.replaces, at, event.run, body])?;
        self.places(row, &BTreeSet::new(), &term::of_event(event))?;
        self.rows.events += 1;
        if event.reason == "Failed" {
            let run = event.run.as_ref().map(|id| self.run_of(id)).transpose()?.flatten();
            self.draft.event(event, run.as_deref());
        }
        if event.announced {
            self.draft.announced(event);
        }
        self.tell(event)
    }

    /// Writes a row anew, if that changes it.
    fn upgrade(&mut self, known: &Known, merged: &Event, replaces: Option<&String>) -> Result<(), Error> {
        if *merged == known.event {
            return Ok(());
        }
        self.seq += 1;
        let (key, body) = (hash::<16>(&[&merged.key]), body(merged)?);
        let sql = "UPDATE event SET seq = ?2, key = ?3, replaces = coalesce(?4, replaces), at = ?5, run = ?6, body = ?7 WHERE pk = ?1";
        let row = params![known.pk, self.seq, key, replaces, nanos(merged.at), merged.run, body];
        self.connection.prepare_cached(sql)?.execute(row)?;
        self.places(known.pk, &term::of_event(&known.event), &term::of_event(merged))?;
        if merged.announced && !known.event.announced {
            self.draft.announced(merged);
        }
        self.tell(merged)
    }

    fn remove(&mut self, known: &Known) -> Result<(), Error> {
        self.connection.prepare_cached("DELETE FROM event WHERE pk = ?1")?.execute([known.pk])?;
        self.rows.events -= 1;
        self.places(known.pk, &term::of_event(&known.event), &BTreeSet::new())
    }

    fn tell(&mut self, event: &Event) -> Result<(), Error> {
        if self.told {
            if let Some(id) = &event.run {
                self.run_of(id)?; // so that `finish` finds it
            }
            let event = Event { replaces: None, ..event.clone() };
            self.changes.push(Stored { seq: self.seq, what: What::Event(Arc::new(event), None) });
        }
        Ok(())
    }

    /// The event with a key.
    fn known(&self, key: &str) -> Result<Option<Known>, Error> {
        self.stored("SELECT pk, body FROM event WHERE key = ?1", key, hash::<16>(&[key]))
    }

    /// The event that took the place of the one with a key.
    fn better(&self, key: &str) -> Result<Option<Known>, Error> {
        self.stored("SELECT pk, body FROM event WHERE replaces = ?1 LIMIT 1", key, key)
    }

    fn stored(&self, sql: &str, key: &str, by: impl ToSql) -> Result<Option<Known>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let row = statement.query_row([by], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).optional()?;
        row.map(|(pk, body)| Ok(Known { pk, event: serde_json::from_str(&body).map_err(|cause| Error::body(key, cause))? })).transpose()
    }

    fn run_of(&mut self, id: &str) -> Result<Option<Arc<Run>>, Error> {
        if let Some(run) = self.runs.get(id) {
            return Ok(Some(Arc::clone(run)));
        }
        let mut statement = self.connection.prepare_cached("SELECT body FROM run WHERE id = ?1")?;
        let Some(body) = statement.query_row([id], |row| row.get::<_, String>(0)).optional()? else { return Ok(None) };
        let run = Arc::new(serde_json::from_str::<Run>(&body).map_err(|cause| Error::body(id, cause))?);
        self.runs.insert(id.to_owned(), Arc::clone(&run));
        Ok(Some(run))
    }

    fn places(&self, row: i64, old: &BTreeSet<Place>, new: &BTreeSet<Place>) -> Result<(), Error> {
        let mut delete = self.connection.prepare_cached("DELETE FROM term WHERE term = ?1 AND span = ?2 AND at = ?3 AND row = ?4")?;
        for place in old.difference(new) {
            delete.execute((place.term, place.span, place.at, row))?;
        }
        let mut insert = self.connection.prepare_cached("INSERT INTO term VALUES (?1, ?2, ?3, ?4)")?;
        for place in new.difference(old) {
            insert.execute((place.term, place.span, place.at, row))?;
        }
        Ok(())
    }
}

fn body(event: &Event) -> Result<String, Error> {
    serde_json::to_string(event).map_err(|cause| Error::body(&event.key, cause))
}

/// Two statements of one event: the time and the text of the more exact one (of two equal ones, of the announced one, then of the one that
/// is stored), and all that either adds.
fn merge(stored: &Event, told: &Event) -> Event {
    let better = (told.precision, told.announced) > (stored.precision, stored.announced);
    let (base, other) = if better { (told, stored) } else { (stored, told) };
    let mut merged = Event { key: stored.key.clone(), replaces: None, announced: base.announced || other.announced, ..base.clone() };
    merged.run = base.run.clone().or_else(|| other.run.clone());
    if other.announced && !base.announced {
        let missing = other.attributes.iter().filter(|(name, _)| !base.attributes.contains_key(*name));
        merged.attributes.extend(missing.map(|(name, value)| (name.clone(), value.clone())));
    }
    merged
}
