//! A run that turned out never to have been: its row goes, and its events belong to no run.
//!
//! Apart, because it is the one place besides retention that deletes. Nothing in the stream says that a run is gone: the stream's floor
//! rises to the withdrawal's position, so whoever comes back from before it begins anew.

use super::{Store, What, body};
use crate::journal::{Error, term};
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use rusqlite::OptionalExtension as _;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Store<'_> {
    /// Deletes a run that is stored and open. One that ended is history, and stays.
    pub(super) fn withdraw(&mut self, id: &str) -> Result<(), Error> {
        let sql = "SELECT pk, body FROM run WHERE id = ?1 AND closed_at IS NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).optional()?;
        let Some((pk, text)) = found else { return Ok(()) };
        let run: Run = serde_json::from_str(&text).map_err(|cause| Error::body(id, cause))?;
        self.seq += 1;
        self.connection.prepare_cached("DELETE FROM run WHERE pk = ?1")?.execute([pk])?;
        self.places(pk, &term::of_run(&run), &BTreeSet::new())?;
        self.free_events(id)?;
        self.connection.prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'floor'")?.execute([self.seq])?;
        (self.rows.runs, self.rows.open) = (self.rows.runs - 1, self.rows.open - 1);
        self.runs.remove(id);
        self.unsay(id);
        Ok(())
    }

    /// The events of a run belong to none. They keep their positions.
    fn free_events(&self, id: &str) -> Result<(), Error> {
        let sql = "SELECT event.pk, event.body FROM term CROSS JOIN event ON event.pk = term.row
                   WHERE term.term = ?1 AND term.span = ?2 AND event.run = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement
            .query_map((term::of_its_run(id), term::all_events().1, id), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        for (pk, text) in rows {
            let event: Event = serde_json::from_str(&text).map_err(|cause| Error::body(id, cause))?;
            let free = Event { run: None, ..event.clone() };
            let mut update = self.connection.prepare_cached("UPDATE event SET run = NULL, body = ?2 WHERE pk = ?1")?;
            update.execute((pk, body(&free)?))?;
            self.places(pk, &term::of_event(&event), &term::of_event(&free))?;
        }
        Ok(())
    }

    /// What the same transaction was about to tell of it.
    fn unsay(&mut self, id: &str) {
        self.changes.retain(|change| !matches!(&change.what, What::Run(run) if run.id == id));
        for change in &mut self.changes {
            if let What::Event(event, _) = &mut change.what
                && event.run.as_deref() == Some(id)
            {
                Arc::make_mut(event).run = None;
            }
        }
    }
}
