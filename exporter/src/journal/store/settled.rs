//! When a run's outcome is counted: once, when it has stood for a while.
//!
//! A counter never goes down, and an outcome may change: what a list tells of an object is corrected by the Events listed a moment later, a
//! run that failed to inject is resumed. So a run that ends gets the time at which its outcome may be counted, anew with each outcome; it is
//! counted by the first commit after that, whoever's that is, and never again. Both are columns of its row: a restart forgets neither.

use super::Store;
use crate::journal::Error;
use crate::journal::term::nanos;
use chaoscope_model::run::{Outcome, Run};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use std::time::Duration;

/// Most runs counted in one transaction.
const MOST: i64 = 10_000;

/// The delay, and what waits for it: unix nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Settling {
    delay: i64,
    now: i64,
    /// When the next outcome may be counted; `None`: none waits.
    pub(in crate::journal) due: Option<i64>,
}

impl Settling {
    /// Outcomes are counted after so long.
    pub(in crate::journal) fn after(delay: Duration, connection: &Connection) -> Result<Self, Error> {
        let delay = i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX);
        Ok(Self { delay, now: nanos(Timestamp::now()), due: next(connection)? })
    }

    /// The same at this moment.
    pub(in crate::journal) fn now(self) -> Self {
        Self { now: nanos(Timestamp::now()), ..self }
    }

    /// How long until something may be counted; `None`: nothing waits.
    pub(in crate::journal) fn wait(&self) -> Option<Duration> {
        let ahead = self.due?.saturating_sub(nanos(Timestamp::now())).min(self.delay);
        Some(Duration::from_nanos(u64::try_from(ahead).unwrap_or(0)))
    }

    /// When the outcome of a run may be counted; `None`: it has none, or was counted. `stored`: what its row said, and whether it was.
    pub(super) fn of(&self, run: &Run, before: Option<&Run>, stored: (Option<i64>, bool)) -> Option<i64> {
        let (settles, counted) = stored;
        let outcome = run.outcome.filter(|_| !counted)?;
        let same = before.and_then(|before| before.outcome) == Some(outcome);
        if same { settles } else { Some(self.now.saturating_add(self.delay)) }
    }
}

impl Store<'_> {
    /// Counts the outcomes that have stood for long enough. What would be due later than the delay from now was stored before the clock was
    /// set back.
    pub(super) fn count_settled(&mut self) -> Result<(), Error> {
        let sql = "SELECT pk, body FROM run WHERE settles_at <= ?1 UNION ALL SELECT pk, body FROM run WHERE settles_at > ?2 LIMIT ?3";
        let Settling { now, delay, .. } = self.settling;
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map((now, now.saturating_add(delay), MOST), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows = rows.collect::<Result<Vec<(i64, String)>, _>>()?;
        let mut counted = self.connection.prepare_cached("UPDATE run SET settles_at = NULL, counted = ?2 WHERE pk = ?1")?;
        for (pk, body) in rows {
            // A row that cannot be understood is named by `verify`, and must not be met again with each commit.
            let run: Option<Run> = serde_json::from_str(&body).ok();
            let outcome = run.as_ref().and_then(|run| run.outcome);
            if let (Some(run), Some(outcome)) = (&run, outcome) {
                self.draft.settled(run, outcome);
            }
            counted.execute((pk, outcome.map(Outcome::as_str)))?;
        }
        self.settling.due = next(self.connection)?;
        Ok(())
    }
}

fn next(connection: &Connection) -> Result<Option<i64>, Error> {
    let sql = "SELECT settles_at FROM run WHERE settles_at IS NOT NULL ORDER BY settles_at LIMIT 1";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::store::Rows;
    use crate::journal::tally::{Family, Tally};
    use crate::journal::{Batch, schema};
    use std::sync::Arc;

    const SECOND: i64 = 1_000_000_000;

    fn run(outcome: Option<Outcome>) -> Run {
        let run = serde_json::json!({
            "id": "a", "tool": "chaos-mesh", "cluster": "", "kind": "NetworkChaos", "action": "delay", "namespace": "shop", "name": "a", "uid": "u",
            "ordinal": 1, "phase": if outcome.is_some() { "finished" } else { "running" }, "outcome": outcome.map(chaoscope_model::run::Outcome::as_str),
            "started_at": "2026-11-21T13:00:00Z", "ended_at": outcome.map(|_| "2026-11-21T13:00:01Z"), "baseline": false,
            "precision": {}, "parameters": {}, "labels": {}, "targets": [],
        });
        serde_json::from_value(run).unwrap()
    }

    /// A journal's file and counters, and a clock that is set.
    struct World {
        connection: Connection,
        tally: Arc<Tally>,
        seq: i64,
    }

    impl World {
        fn new() -> Self {
            let mut connection = Connection::open_in_memory().unwrap();
            schema::migrate(&mut connection).unwrap();
            Self { connection, tally: Arc::default(), seq: 0 }
        }

        /// One commit at this second, with a delay of five.
        fn commit(&mut self, second: i64, runs: Vec<Run>) -> Option<i64> {
            let settling = Settling { delay: 5 * SECOND, now: second * SECOND, due: None };
            let mut store = Store::new(&self.connection, &self.tally, self.seq, i64::MIN, Rows::default(), false, settling);
            store.put(&Batch { runs, ..Batch::default() }).unwrap();
            store.finish().unwrap();
            let Store { seq, draft, settling, .. } = store;
            self.seq = seq;
            self.tally.apply(draft.into_changes());
            settling.due.map(|due| due / SECOND)
        }

        /// What was counted, by outcome.
        fn counted(&self) -> Vec<(String, u64)> {
            let counts = self.tally.counts(Family::Runs).filter(|(_, count)| *count > 0);
            counts.map(|(labels, count)| (labels[3].clone(), count)).collect()
        }
    }

    fn once(outcome: Outcome) -> Vec<(String, u64)> {
        vec![(outcome.as_str().to_owned(), 1)]
    }

    #[test]
    fn an_outcome_is_counted_when_it_has_stood_for_the_delay() {
        let mut world = World::new();
        assert_eq!(world.commit(0, vec![run(None)]), None);
        assert_eq!(world.commit(1, vec![run(Some(Outcome::Forced))]), Some(6));
        assert_eq!(world.commit(4, vec![]), Some(6));
        assert_eq!(world.commit(5, vec![run(Some(Outcome::Recovered))]), Some(10), "another outcome waits anew");
        let same = Run { ended_after: Some("2026-11-21T13:00:00Z".parse().unwrap()), ..run(Some(Outcome::Recovered)) };
        assert_eq!(world.commit(9, vec![same]), Some(10), "the same one does not");
        assert_eq!(world.counted(), []);
        assert_eq!(world.commit(10, vec![]), None);
        assert_eq!(world.counted(), once(Outcome::Recovered));
    }

    #[test]
    fn a_run_is_counted_once_whatever_becomes_of_it() {
        let mut world = World::new();
        world.commit(0, vec![run(Some(Outcome::InjectionFailed))]);
        world.commit(5, vec![]);
        for (second, outcome) in [(6, None), (20, Some(Outcome::Recovered)), (40, Some(Outcome::Forced)), (60, None)] {
            assert_eq!(world.commit(second, vec![run(outcome)]), None);
        }
        assert_eq!(world.counted(), once(Outcome::InjectionFailed));
    }

    #[test]
    fn a_run_that_goes_on_before_it_is_counted_waits_for_its_next_end() {
        let mut world = World::new();
        world.commit(0, vec![run(Some(Outcome::InjectionFailed))]);
        assert_eq!(world.commit(2, vec![run(None)]), None);
        assert_eq!(world.commit(100, vec![run(Some(Outcome::Recovered))]), Some(105));
        world.commit(105, vec![]);
        assert_eq!(world.counted(), once(Outcome::Recovered));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nothing_waiting() {
        let mut world = World::new();
        assert_eq!(world.commit(1000, vec![run(Some(Outcome::Recovered))]), Some(1005));
        assert_eq!(world.commit(10, vec![]), None);
        assert_eq!(world.counted(), once(Outcome::Recovered));
    }

    #[test]
    fn what_an_older_version_counted_is_not_counted_again() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        connection
            .execute_batch("DROP INDEX run_unsettled; ALTER TABLE run DROP COLUMN settles_at; ALTER TABLE run DROP COLUMN counted")
            .unwrap();
        let insert = "INSERT INTO run(id, seq, started_at, closed_at, body) VALUES (?1, ?2, 0, ?3, ?4)";
        let body = serde_json::to_string(&run(Some(Outcome::Recovered))).unwrap();
        for (seq, (id, closed, body)) in (1..).zip([("a", Some(1), body.as_str()), ("damaged", Some(1), "{"), ("open", None, "{}")]) {
            connection.execute(insert, (id, seq, closed, body)).unwrap();
        }
        connection.pragma_update(None, "user_version", 1).unwrap();
        schema::migrate(&mut connection).unwrap();
        let counted: String = connection.query_row("SELECT group_concat(id || ' ' || counted) FROM run", [], |row| row.get(0)).unwrap();
        assert_eq!(counted, "a recovered");
        let mut world = World { connection, tally: Arc::default(), seq: 3 };
        world.commit(0, vec![run(Some(Outcome::Forced))]);
        world.commit(100, vec![]);
        assert_eq!(world.counted(), []);
    }
}
