//! How much is kept: ended runs, with their events, up to an age and up to a size. Never an open run; and no counter is lowered.
//!
//! Apart from the recorder, which calls it when nothing else is to be done: one step deletes [`STEP`] rows at most and says whether there
//! may be more. What is pruned is not taken in again when a list tells of it anew: [`Limits::horizon`].

use super::Error;
use super::store::{Kind, Rows, forget};
use super::term::{all_events, nanos};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use std::time::Duration;

/// Most rows deleted in one transaction.
const STEP: i64 = 1000;

/// What is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Up to this age.
    pub(super) age: Option<Duration>,
    /// Up to so many bytes.
    pub(super) bytes: Option<u64>,
}

impl Limits {
    /// What ended or happened at or before this is pruned, or will be: unix nanoseconds.
    pub(super) fn horizon(&self, connection: &Connection) -> Result<i64, Error> {
        Ok(self.oldest().max(pruned(connection)?))
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
    let too_large = match limits.bytes {
        Some(most) => bytes_in_use(connection)? > most,
        None => false,
    };
    if oldest == i64::MIN && !too_large {
        return Ok(false);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let until = if too_large { i64::MAX } else { oldest };
    let (runs, newest) = ended(&transaction, until)?;
    // A size is brought down by the oldest of all: events without a run as far as the runs have come.
    let until = if too_large { newest.unwrap_or(i64::MAX) } else { oldest };
    let events = lone(&transaction, until)?;
    if runs.is_empty() && events.is_empty() {
        return Ok(false);
    }
    let mut of_runs = Vec::new();
    let mut statement = transaction.prepare_cached("SELECT event.pk FROM run JOIN event ON event.run = run.id WHERE run.pk = ?1")?;
    for pk in &runs {
        of_runs.extend(statement.query_map([pk], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?);
    }
    drop(statement);
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
fn ended(transaction: &Transaction<'_>, until: i64) -> Result<(Vec<i64>, Option<i64>), Error> {
    let sql = "SELECT pk, closed_at FROM run WHERE closed_at IS NOT NULL AND closed_at <= ?1 ORDER BY closed_at LIMIT ?2";
    let mut statement = transaction.prepare_cached(sql)?;
    let rows = statement.query_map((until, STEP), |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let newest = rows.last().map(|(_, closed)| *closed);
    Ok((rows.into_iter().map(|(pk, _)| pk).collect(), newest))
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
