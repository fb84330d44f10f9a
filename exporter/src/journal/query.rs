//! What is read from the journal: answers to queries, the stream from a position, the open runs.
//!
//! Any number of callers, as many connections as there are cores (`pool`), each read in a transaction of its own, so that one answer is of
//! one moment. Callers block, as long as their [`Patience`] lasts. To extend: one function here and its line in [`super::Journal`].

mod listed;
mod numbered;
mod pool;

pub use listed::Sight;

use super::term::{self, Search, time};
use super::{Change, Error, Item, Page, Patience};
use chaoscope_model::event::Event;
use chaoscope_model::query::{EventQuery, Position, RunQuery};
use chaoscope_model::run::Run;
use lru::LruCache;
use pool::{Cost, Pool};
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction};
use serde::de::DeserializeOwned;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Runs kept as values: about 10 MB with a few targets each. Dashboards ask for the same hours again and again.
const KEPT: NonZeroUsize = NonZeroUsize::new(2048).expect("more than none");
/// Most runs whose events are looked up one run after the other; beyond, events are read in order and filtered.
const MOST_RUNS: i64 = 2000;

/// Everybody who reads.
pub(super) struct Readers {
    pool: Pool,
    /// By position: a run that changes gets another, so a value is never stale.
    kept: Mutex<LruCache<i64, Arc<Run>>>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { pool: Pool::open(path)?, kept: Mutex::new(LruCache::new(KEPT)) })
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        self.pool.close();
    }

    pub(super) fn runs(&self, patience: &Patience, query: &RunQuery, see: &dyn Fn(&Run) -> Option<Run>) -> Result<Page<Run>, Error> {
        self.pool.read(patience, Cost::Many, |transaction| {
            page(transaction, patience, &term::runs(query), query.limit, |row| {
                let run = self.kept_run(transaction, "SELECT seq, pk FROM run WHERE pk = ?1", row)?;
                // What may not be seen must answer no question either.
                let seen = run.filter(|run| query.may_match(run)).and_then(|run| see(&run));
                Ok(seen.filter(|seen| query.filter.matches_run(seen)))
            })
        })
    }

    pub(super) fn events(
        &self,
        patience: &Patience,
        query: &EventQuery,
        see: &dyn Fn(&Event, Option<&Run>) -> bool,
    ) -> Result<Page<Event>, Error> {
        self.pool.read(patience, Cost::Many, |transaction| {
            let search = term::events(query, |terms| runs_under(transaction, terms))?;
            let mut bodies = transaction.prepare_cached("SELECT body FROM event WHERE pk = ?1")?;
            page(transaction, patience, &search, query.limit, |row| {
                let event = bodies.query_row([row], |row| Ok(parse::<Event>(row.get_ref(0)?.as_bytes()?))).optional()?.flatten();
                let Some(event) = event else { return Ok(None) };
                let run = self.run_of(transaction, &event)?;
                let shown = query.matches(&event, run.as_deref()) && see(&event, run.as_deref());
                Ok(shown.then_some(event))
            })
        })
    }

    fn run_of(&self, connection: &Connection, event: &Event) -> Result<Option<Arc<Run>>, Error> {
        let id = event.run.as_ref();
        id.map_or(Ok(None), |id| self.kept_run(connection, "SELECT seq, pk FROM run WHERE id = ?1", id))
    }

    /// A run as a value that is shared; `sql` finds its position and row.
    fn kept_run(&self, connection: &Connection, sql: &str, by: impl ToSql) -> Result<Option<Arc<Run>>, Error> {
        let found = connection.prepare_cached(sql)?.query_row([by], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?))).optional()?;
        let Some((seq, pk)) = found else { return Ok(None) };
        if let Some(run) = self.kept().get(&seq) {
            return Ok(Some(Arc::clone(run)));
        }
        let mut statement = connection.prepare_cached("SELECT body FROM run WHERE pk = ?1")?;
        let run = statement.query_row([pk], |row| Ok(self.keep(seq, row.get_ref(0)?.as_bytes()?))).optional()?;
        Ok(run.flatten())
    }

    /// The run at a position as a value that is shared, from what is stored of it.
    fn keep(&self, seq: i64, body: &[u8]) -> Option<Arc<Run>> {
        if let Some(run) = self.kept().get(&seq) {
            return Some(Arc::clone(run));
        }
        let run = Arc::new(parse::<Run>(body)?);
        self.kept().put(seq, Arc::clone(&run));
        Some(run)
    }

    fn kept(&self) -> MutexGuard<'_, LruCache<i64, Arc<Run>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn run(&self, patience: &Patience, id: &str) -> Result<Option<Run>, Error> {
        self.pool.read(patience, Cost::Few, |transaction| {
            let run = self.kept_run(transaction, "SELECT seq, pk FROM run WHERE id = ?1", id)?;
            Ok(run.map(|run| run.as_ref().clone()))
        })
    }

    pub(super) fn open_runs(&self, patience: &Patience) -> Result<Vec<Run>, Error> {
        self.pool.read(patience, Cost::Few, |transaction| {
            let mut statement = transaction.prepare_cached("SELECT body FROM run WHERE closed_at IS NULL ORDER BY pk")?;
            let rows = statement.query_map([], |row| Ok(parse(row.get_ref(0)?.as_bytes()?)))?;
            Ok(rows.filter_map(Result::transpose).collect::<Result<_, _>>()?)
        })
    }

    pub(super) fn since(&self, patience: &Patience, seq: u64, limit: usize) -> Result<Option<Vec<Change>>, Error> {
        let mut seq = seq;
        loop {
            let Some((changes, last)) = self.page_since(patience, seq, limit)? else { return Ok(None) };
            let last = last.unsigned_abs();
            if !changes.is_empty() || last == seq {
                return Ok(Some(changes));
            }
            seq = last; // a page of which no row could be understood is not the end
        }
    }

    /// The changes of one page, and the position of its last row.
    fn page_since(&self, patience: &Patience, seq: u64, limit: usize) -> Result<Option<(Vec<Change>, i64)>, Error> {
        let (after, most) = (i64::try_from(seq).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
        self.pool.read(patience, Cost::Few, |transaction| {
            let (floor, newest) = positions(transaction)?;
            if after < floor || after > newest {
                return Ok(None);
            }
            let sql = "SELECT * FROM (SELECT seq, 0, body FROM run WHERE seq > ?1 ORDER BY seq LIMIT ?2)
                       UNION ALL SELECT * FROM (SELECT seq, 1, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2) ORDER BY 1 LIMIT ?2";
            let mut statement = transaction.prepare_cached(sql)?;
            let mut rows = statement.query([after, most])?;
            let mut changes = Vec::new();
            let mut last = after;
            while let Some(row) = rows.next()? {
                last = row.get(0)?;
                let (seq, is_event, body) = (row.get::<_, i64>(0)?, row.get(1)?, row.get_ref(2)?);
                let body = body.as_bytes().map_err(rusqlite::Error::from)?;
                let item = if is_event {
                    let Some(event) = parse::<Event>(body) else { continue };
                    let run = self.run_of(transaction, &event)?;
                    Item::Event(Arc::new(event), run)
                } else {
                    let Some(run) = parse::<Run>(body) else { continue };
                    Item::Run(Arc::new(run))
                };
                changes.push(Change { seq: seq.unsigned_abs(), item });
            }
            Ok(Some((changes, last)))
        })
    }
}

/// Ids of all runs under some terms; `None`: they are too many.
fn runs_under(connection: &Connection, terms: &[i64]) -> Result<Option<Vec<String>>, Error> {
    let sql = "SELECT run.id FROM json_each(?1) wanted CROSS JOIN term ON term.term = wanted.value AND term.span < ?2
               CROSS JOIN run ON run.pk = term.row LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((serde_json::json!(terms).to_string(), term::all_events().1, MOST_RUNS + 1), |row| row.get(0))?;
    let runs = rows.collect::<Result<Vec<String>, _>>()?;
    let few = i64::try_from(runs.len()).is_ok_and(|runs| runs <= MOST_RUNS);
    Ok(few.then_some(runs))
}

/// Earliest start of a run or time of an event.
pub(super) fn oldest(connection: &Connection) -> Result<Option<jiff::Timestamp>, Error> {
    let (all, last) = term::all_events();
    let mut statement = connection.prepare_cached("SELECT min(at) FROM term WHERE term = ?1 AND span = ?2")?;
    let mut oldest: Option<i64> = None;
    for span in 0..=last {
        let first: Option<i64> = statement.query_row((all, span), |row| row.get(0))?;
        oldest = oldest.into_iter().chain(first).min();
    }
    Ok(oldest.map(time))
}

/// Everything at or before the first position has been pruned in part; the second is the newest.
pub(super) fn positions(connection: &Connection) -> Result<(i64, i64), rusqlite::Error> {
    let sql = "SELECT value, max(value, (SELECT coalesce(max(seq), 0) FROM run), (SELECT coalesce(max(seq), 0) FROM event)) FROM meta WHERE key = 'floor'";
    connection.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Takes rows, newest first, until a page is full or its time is over; then the next one goes on behind the last row looked at. `look` answers `None` for what does not belong there.
fn page<T>(
    transaction: &Transaction<'_>,
    patience: &Patience,
    search: &Search,
    limit: usize,
    mut look: impl FnMut(i64) -> Result<Option<T>, Error>,
) -> Result<Page<T>, Error> {
    let mut statement = transaction.prepare_cached(&search.sql())?;
    let mut places = statement.query(rusqlite::params_from_iter(search.parameters()))?;
    let (mut rows, mut last, mut answered, mut before) = (Vec::new(), None, None, None);
    while let Some(place) = places.next()? {
        let place: (i64, i64) = (place.get(0)?, place.get(1)?);
        // One row may be there under several of the terms asked for.
        if last.replace(place) == Some(place) {
            continue;
        }
        patience.wanted()?;
        if patience.over() {
            let (at, row) = before.ok_or(Error::Late)?;
            return Ok(Page { rows, next: Some(Position { at: time(at), row }), cut: true });
        }
        before = Some(place);
        let Some(value) = look(place.1)? else { continue };
        if rows.len() >= limit {
            return Ok(Page { rows, next: answered.map(|(at, row)| Position { at: time(at), row }), cut: false });
        }
        answered = Some(place);
        rows.push(value);
    }
    Ok(Page { rows, next: None, cut: false })
}

/// A stored value. One that cannot be understood is left out; `chaoscope journal verify` names it.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).inspect_err(|cause| tracing::debug!(%cause, "a row of the journal cannot be understood")).ok()
}
