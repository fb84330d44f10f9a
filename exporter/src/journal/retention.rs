//! How much is kept: ended runs, with their events, up to an age and up to a size. Never an open run, nor one that is still to be
//! counted; and no counter is lowered.
//!
//! Apart from the recorder, which calls it when nothing else is to be done: one step deletes [`STEP`] rows at most and says whether there
//! may be more. What is pruned is not taken in again when a list tells of it anew: [`Limits::horizon`].

use super::store::Rows;
use super::term::{self, all_events, nanos};
use super::{Error, schema};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use std::time::Duration;

/// Most runs, and most events without one, deleted in one transaction.
const STEP: i64 = 1000;
/// To bring the size down, this part of all runs at a time: not much more than need be.
const PART: i64 = 20;

/// What is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Up to this age.
    pub(super) age: Option<Duration>,
    /// Up to so many bytes.
    pub(super) bytes: Option<u64>,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Run,
    Event,
}

/// A run that is over: its row and its id.
type Ended = (i64, String);

impl Limits {
    /// What ended or happened at or before this is pruned, or will be: unix nanoseconds.
    pub(super) fn horizon(&self, connection: &Connection) -> Result<i64, Error> {
        Ok(self.oldest().max(pruned(connection)?))
    }

    /// Whether so many bytes are too many.
    pub(super) fn is_beyond(&self, bytes: u64) -> bool {
        self.bytes.is_some_and(|most| bytes > most)
    }

    /// What ended or happened at or before this is too old.
    fn oldest(&self) -> i64 {
        let age = self.age.and_then(|age| SignedDuration::try_from(age).ok());
        age.and_then(|age| Timestamp::now().checked_sub(age).ok()).map_or(i64::MIN, nanos)
    }
}

fn pruned(connection: &Connection) -> Result<i64, Error> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = 'horizon'")?;
    Ok(statement.query_row([], |row| row.get::<_, Option<i64>>(0)).optional()?.flatten().unwrap_or(i64::MIN))
}

/// Bytes of the file that hold something.
pub(super) fn bytes_in_use(connection: &Connection) -> Result<u64, Error> {
    let number = |pragma: &str| connection.prepare_cached(pragma)?.query_row([], |row| row.get::<_, i64>(0));
    let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
    Ok((pages * number("PRAGMA page_size")?).unsigned_abs())
}

/// One step. Answers whether there may be more to delete.
pub(super) fn prune(connection: &mut Connection, limits: &Limits, rows: &mut Rows) -> Result<bool, Error> {
    let oldest = limits.oldest();
    let too_large = limits.is_beyond(bytes_in_use(connection)?);
    if oldest == i64::MIN && !too_large {
        return Ok(false);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let until = if too_large { i64::MAX } else { oldest };
    let step = if too_large { STEP.min(rows.runs / PART + 1) } else { STEP };
    let (runs, newest) = ended(&transaction, until, step)?;
    // A size is brought down by the oldest of all: events without a run as far as the runs have come.
    let until = if too_large { newest.unwrap_or(i64::MAX) } else { oldest };
    let events = lone(&transaction, until)?;
    if runs.is_empty() && events.is_empty() {
        return Ok(false);
    }
    let mut of_runs = Vec::new();
    let sql = "SELECT event.pk FROM term CROSS JOIN event ON event.pk = term.row WHERE term = ?1 AND span = ?2 AND event.run = ?3";
    let mut statement = transaction.prepare_cached(sql)?;
    for (_, id) in &runs {
        let rows = statement.query_map((term::of_its_run(id), all_events().1, id), |row| row.get::<_, i64>(0))?;
        of_runs.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    drop(statement);
    let runs: Vec<_> = runs.into_iter().map(|(pk, _)| pk).collect();
    let last = events.iter().map(|(_, at)| *at).chain(newest).max();
    let events: Vec<_> = events.into_iter().map(|(pk, _)| pk).chain(of_runs).collect();
    let (gone_events, seq_events) = forget(&transaction, Kind::Event, &events)?;
    let (gone_runs, seq_runs) = forget(&transaction, Kind::Run, &runs)?;
    let mark = "UPDATE meta SET value = max(coalesce(value, ?2), ?2) WHERE key = ?1";
    transaction.execute(mark, ("floor", seq_events.max(seq_runs)))?;
    if let Some(last) = last {
        transaction.execute(mark, ("horizon", last))?;
    }
    transaction.commit()?;
    rows.events -= gone_events;
    rows.runs -= gone_runs;
    shrink(connection)?;
    Ok(true)
}

/// The oldest ended runs, and when the last of them ended.
fn ended(transaction: &Transaction<'_>, until: i64, step: i64) -> Result<(Vec<Ended>, Option<i64>), Error> {
    let sql = "SELECT pk, id, closed_at FROM run WHERE closed_at IS NOT NULL AND closed_at <= ?1 AND settles_at IS NULL ORDER BY closed_at LIMIT ?2";
    let mut statement = transaction.prepare_cached(sql)?;
    let rows = statement.query_map((until, step), |row| Ok(((row.get(0)?, row.get(1)?), row.get::<_, i64>(2)?)))?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let newest = rows.last().map(|(_, closed)| *closed);
    Ok((rows.into_iter().map(|(run, _)| run).collect(), newest))
}

/// The oldest events that belong to no run, or to one that is not there.
fn lone(transaction: &Transaction<'_>, until: i64) -> Result<Vec<(i64, i64)>, Error> {
    let sql = "SELECT event.pk, event.at FROM term CROSS JOIN event ON event.pk = term.row
               WHERE term.term = ?1 AND term.span = ?2 AND term.at <= ?3
               AND (event.run IS NULL OR NOT EXISTS (SELECT 1 FROM run WHERE run.id = event.run)) ORDER BY term.at LIMIT ?4";
    let (all, span) = all_events();
    let mut statement = transaction.prepare_cached(sql)?;
    let rows = statement.query_map((all, span, until, STEP), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Gives free pages back to the file system.
fn shrink(connection: &Connection) -> Result<(), Error> {
    let mut statement = connection.prepare_cached("PRAGMA incremental_vacuum")?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Deletes runs, or events, with all that leads to them. Answers how many there were, how many of them open, and their newest position.
fn forget(connection: &Connection, kind: Kind, pks: &[i64]) -> Result<(i64, i64), Error> {
    let mut delete = connection.prepare_cached(match kind {
        Kind::Run => "DELETE FROM run WHERE pk = ?1 RETURNING seq, body",
        Kind::Event => "DELETE FROM event WHERE pk = ?1 RETURNING seq, body",
    })?;
    let mut remove = connection.prepare_cached("DELETE FROM term WHERE term = ?1 AND span = ?2 AND at = ?3 AND row = ?4")?;
    let (mut count, mut newest) = (0, 0);
    for pk in pks {
        let row = delete.query_row([pk], |row| Ok((row.get::<_, i64>(0)?, schema::json(row, 1)?.to_vec()))).optional()?;
        let Some((seq, body)) = row else { continue };
        let places = match kind {
            Kind::Run => serde_json::from_slice(&body).map(|run| term::of_run(&run)),
            Kind::Event => serde_json::from_slice(&body).map(|event| term::of_event(&event)),
        };
        if let Ok(places) = places {
            for place in places {
                remove.execute((place.term, place.span, place.at, pk))?;
            }
        } else {
            // Nobody can tell any more what it was found by: look everywhere.
            let sql = "DELETE FROM term WHERE row = ?1 AND (span = ?2) = ?3";
            connection.execute(sql, (pk, all_events().1, kind == Kind::Event))?;
        }
        (count, newest) = (count + 1, newest.max(seq));
    }
    Ok((count, newest))
}
