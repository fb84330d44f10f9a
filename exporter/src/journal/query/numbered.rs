//! Events with the numbers of their rows, and one event by that number: what the Chaos Dashboard's shapes call an event's `id`.
//!
//! Apart because nothing else shows row numbers. A row keeps its number when a more exact statement replaces what it says.

use super::{Cost, Page, Readers, page, parse, runs_under, term};
use crate::journal::{Error, Journal, Patience};
use chaoscope_model::event::Event;
use chaoscope_model::query::EventQuery;
use chaoscope_model::run::Run;
use rusqlite::{OptionalExtension as _, Transaction};
use std::sync::Arc;

/// An event with its run, as it is now.
type WithRun = (Event, Option<Arc<Run>>);

impl Journal {
    /// Events, newest first, with the numbers of their rows. Blocking.
    pub fn numbered_events(&self, query: &EventQuery, see: &dyn Fn(&Event, Option<&Run>) -> bool) -> Result<Page<(i64, Event)>, Error> {
        self.inner.readers.numbered(&self.patience, query, see)
    }

    /// The event of a row. Blocking.
    pub fn event(&self, row: i64) -> Result<Option<WithRun>, Error> {
        self.inner.readers.event(&self.patience, row)
    }
}

impl Readers {
    fn numbered(
        &self,
        patience: &Patience,
        query: &EventQuery,
        see: &dyn Fn(&Event, Option<&Run>) -> bool,
    ) -> Result<Page<(i64, Event)>, Error> {
        self.pool.read(patience, Cost::Many, |transaction| {
            let search = term::events(query, |terms| runs_under(transaction, terms))?;
            page(transaction, patience, &search, query.limit, |row| {
                let Some((event, run)) = self.numbered_event(transaction, row)? else { return Ok(None) };
                let shown = query.matches(&event, run.as_deref()) && see(&event, run.as_deref());
                Ok(shown.then_some((row, event)))
            })
        })
    }

    fn event(&self, patience: &Patience, row: i64) -> Result<Option<WithRun>, Error> {
        self.pool.read(patience, Cost::Few, |transaction| self.numbered_event(transaction, row))
    }

    fn numbered_event(&self, transaction: &Transaction<'_>, row: i64) -> Result<Option<WithRun>, Error> {
        let mut bodies = transaction.prepare_cached("SELECT body FROM event WHERE pk = ?1")?;
        let event = bodies.query_row([row], |row| Ok(parse::<Event>(row.get_ref(0)?.as_bytes()?))).optional()?.flatten();
        let Some(event) = event else { return Ok(None) };
        let run = self.run_of(transaction, &event)?;
        Ok(Some((event, run)))
    }
}
