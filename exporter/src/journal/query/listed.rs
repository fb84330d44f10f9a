//! Runs as the JSON they are answered with.
//!
//! Apart because most of it need not be made: what is stored of a run is the JSON of the same value ([`Run`]'s `Serialize` makes both), and a
//! run that ended has nothing that depends on the present, so it is answered as it is stored. Where nothing is filtered and the caller may see
//! everything, it is not even understood: its columns tell whether it belongs there. A change to what a [`Run`] is as JSON therefore needs a
//! migration that writes stored ones anew: a test here notices.

use super::{Cost, Page, Readers, page, term};
use crate::journal::{Error, Journal, Patience, schema};
use chaoscope_model::query::RunQuery;
use chaoscope_model::run::Run;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row};
use serde_json::value::RawValue;
use std::fmt::Display;

/// What a caller may see of a run; `None`: everything of all of them.
pub type Sight<'s> = Option<&'s dyn Fn(&Run) -> Option<Run>>;

/// A run as its row has it.
struct Stored {
    seq: i64,
    open: bool,
    ended: Option<i64>,
    body: Vec<u8>,
}

const STORED: &str = "SELECT seq, closed_at IS NULL, ended_at, body FROM run WHERE pk = ?1";

impl Journal {
    /// Runs that overlap, newest start first, each as JSON of what it is `now`. Blocking.
    pub fn runs_as_json(&self, query: &RunQuery, see: Sight<'_>, now: Timestamp) -> Result<Page<Box<RawValue>>, Error> {
        self.inner.readers.listed(&self.patience, query, see, now)
    }
}

impl Readers {
    fn listed(&self, patience: &Patience, query: &RunQuery, see: Sight<'_>, now: Timestamp) -> Result<Page<Box<RawValue>>, Error> {
        let from = term::nanos(query.from);
        // A time at the end of what a column holds may stand for one beyond it.
        let told_by_columns = see.is_none() && query.filter.is_empty() && from > i64::MIN && term::nanos(query.to) < i64::MAX;
        self.pool.read(patience, Cost::Many, |transaction| {
            let mut rows = transaction.prepare_cached(STORED)?;
            page(transaction, patience, &term::runs(query), query.limit, |row| {
                let Some(stored) = rows.query_row([row], Stored::of).optional()? else { return Ok(None) };
                if told_by_columns && !stored.open {
                    let reaches = stored.ended.is_none_or(|ended| ended >= from);
                    return Ok(reaches.then(|| stored.text()).flatten());
                }
                Ok(self.shown(stored, query, see, now))
            })
        })
    }

    fn shown(&self, stored: Stored, query: &RunQuery, see: Sight<'_>, now: Timestamp) -> Option<Box<RawValue>> {
        // What may not be seen must answer no question either.
        let run = self.keep(stored.seq, &stored.body).filter(|run| query.may_match(run))?;
        let part = match see {
            Some(see) => Some(see(&run)?).filter(|part| part != run.as_ref()),
            None => None,
        };
        let seen = part.as_ref().unwrap_or(&run);
        if !query.filter.matches_run(seen) {
            return None;
        }
        if part.is_none() && !stored.open {
            return stored.text();
        }
        let json = serde_json::value::to_raw_value(&seen.clone().at(now));
        json.inspect_err(|cause| tracing::error!(%cause, run = seen.id, "a run cannot be written")).ok()
    }
}

impl Stored {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { seq: row.get(0)?, open: row.get(1)?, ended: row.get(2)?, body: schema::json(row, 3)?.to_vec() })
    }

    /// What is stored, as it is. What is no JSON is left out, like every value that cannot be understood.
    fn text(self) -> Option<Box<RawValue>> {
        let not_understood = |cause: &dyn Display| tracing::debug!(%cause, "a row of the journal cannot be understood");
        let text = String::from_utf8(self.body).inspect_err(|cause| not_understood(cause)).ok()?;
        RawValue::from_string(text).inspect_err(|cause| not_understood(cause)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name in a JSON value, in order of appearance, those of the first of each list only.
    fn names(value: &serde_json::Value, out: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    out.push(name.clone());
                    names(value, out);
                }
            }
            serde_json::Value::Array(values) => values.iter().take(1).for_each(|value| names(value, out)),
            _ => {}
        }
    }

    #[test]
    fn what_is_stored_has_the_shape_of_an_answer() {
        let run = serde_json::json!({
            "id": "a", "tool": "chaos-mesh", "cluster": "", "kind": "NetworkChaos", "action": "delay", "namespace": "shop", "name": "a",
            "uid": "u", "ordinal": 1, "phase": "finished", "outcome": "recovered", "started_at": "2026-11-21T13:00:00Z", "baseline": false,
            "precision": {}, "parameters": {}, "labels": {}, "parent": {"kind": "", "namespace": "", "name": "", "uid": ""},
            "targets": [{"id": "", "namespace": "", "pod": "", "container": "", "netns": "", "node": "", "workload": "", "workload_kind": "",
                "role": "", "precision": {}, "message": ""}],
        });
        let run: Run = serde_json::from_value(run).unwrap();
        let mut found = Vec::new();
        names(&serde_json::to_value(&run).unwrap(), &mut found);
        found.sort_unstable();
        let known = "action baseline cluster container ended_after ended_at expected_end_at id id injected_at injected_at kind kind labels message \
            name name namespace namespace namespace netns node ordinal outcome overdue_since parameters parent phase pod precision precision \
            recovered_at recovered_at residue role started_at started_by state stop_requested_at stuck_since targets tool uid uid verdict \
            verdict_reason verdict_since workload workload_kind";
        assert_eq!(found.join(" "), known, "runs that are stored already are answered as they are: write them anew in a migration");
    }
}
