//! Whether a journal is whole: SQLite's own checks, and that rows, what they are found by, positions and counters agree.
//!
//! Looks only; another process may own the journal. To extend: a check is one function and its line in [`verify`].

use super::tally::{Family, Tally};
use super::term::{self, Place, nanos};
use super::{Error, open, query, schema, transfer};
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use rusqlite::{Connection, Transaction};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// Most problems that are listed; of more, how many there are.
const LISTED: usize = 50;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs there are.
    pub runs: u64,
    /// Events there are.
    pub events: u64,
    /// The newest position.
    pub newest: i64,
    /// What is wrong, each a line.
    pub problems: Vec<String>,
    /// Problems beyond those that are listed.
    pub more: u64,
}

impl Report {
    fn say(&mut self, problem: String) {
        if self.problems.len() < LISTED {
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Whether nothing is wrong.
    pub const fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} runs, {} events, newest position {}", self.runs, self.events, self.newest)?;
        for problem in &self.problems {
            writeln!(f, "  {problem}")?;
        }
        if self.more > 0 {
            writeln!(f, "  and {} more", self.more)?;
        }
        f.write_str(if self.is_whole() { "whole" } else { "damaged: export what can be read, and import it into a new folder" })
    }
}

/// Looks at everything in the journal of a folder, as of one moment.
pub fn verify(folder: &Path) -> Result<Report, Error> {
    match look_through(folder) {
        Err(error) if error.is_damage() => Ok(Report { problems: vec![error.to_string()], ..Report::default() }),
        other => other,
    }
}

fn look_through(folder: &Path) -> Result<Report, Error> {
    let mut connection = transfer::look_at(folder)?;
    let transaction = connection.transaction()?;
    let mut report = Report::default();
    for sql in ["PRAGMA integrity_check(50)", "SELECT \"table\" || ' row ' || rowid || ' refers to nothing' FROM pragma_foreign_key_check"]
    {
        let lines = transaction.prepare(sql)?.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        lines.into_iter().filter(|line| line != "ok").for_each(|line| report.say(line));
    }
    if !report.is_whole() {
        return Ok(report); // Nothing more can be read with any meaning.
    }
    let counted = rows(&transaction, &mut report)?;
    counters(&transaction, &counted, &mut report)?;
    report.newest = query::positions(&transaction)?.1;
    let sql = "SELECT run.seq FROM run JOIN event ON event.seq = run.seq";
    let twice = transaction.prepare(sql)?.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
    for seq in twice {
        report.say(format!("position {seq} is there twice"));
    }
    Ok(report)
}

/// Every run and event: it can be understood, its columns say what it says, and it is found by all it should be. Answers how many runs of
/// each series were counted.
fn rows(transaction: &Transaction<'_>, report: &mut Report) -> Result<BTreeMap<Vec<String>, u64>, Error> {
    let (mut counted, mut places) = (BTreeMap::new(), 0_i64);
    let mut statement =
        transaction.prepare("SELECT pk, id, started_at, ended_at, closed_at, body, settles_at IS NULL, counted FROM run")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        report.runs += 1;
        let (pk, id): (i64, String) = (row.get(0)?, row.get(1)?);
        let run = match serde_json::from_slice::<Run>(schema::json(row, 5)?) {
            Ok(run) => run,
            Err(cause) => {
                report.say(format!("run {id}: {cause}"));
                continue;
            }
        };
        let columns: (i64, Option<i64>, bool) = (row.get(2)?, row.get(3)?, row.get::<_, Option<i64>>(4)?.is_none());
        if run.id != id || columns != (nanos(run.started_at), run.ended_at.map(nanos), run.is_open()) {
            report.say(format!("run {id}: its columns say something else"));
        }
        let (settled, outcome): (bool, Option<String>) = (row.get(6)?, row.get(7)?);
        if settled == (outcome.is_none() && !run.is_open()) {
            report.say(format!("run {id}: it is not told whether it was counted"));
        }
        if let Some(outcome) = outcome {
            let labels = vec![run.namespace.clone(), run.kind.clone(), run.action.clone(), outcome];
            *counted.entry(labels).or_default() += 1;
        }
        places += findable(transaction, &format!("run {id}"), pk, &term::of_run(&run), report)?;
    }
    let mut statement = transaction.prepare("SELECT pk, key, at, run, body FROM event")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        report.events += 1;
        let pk: i64 = row.get(0)?;
        let event = match serde_json::from_slice::<Event>(schema::json(row, 4)?) {
            Ok(event) => event,
            Err(cause) => {
                report.say(format!("event in row {pk}: {cause}"));
                continue;
            }
        };
        let columns: (Vec<u8>, i64, Option<String>) = (row.get(1)?, row.get(2)?, row.get(3)?);
        if columns != (term::hash::<16>(&[&event.key]).to_vec(), nanos(event.at), event.run.clone()) {
            report.say(format!("event {}: its columns say something else", event.key));
        }
        places += findable(transaction, &format!("event {}", event.key), pk, &term::of_event(&event), report)?;
    }
    let all: i64 = transaction.query_row("SELECT count(*) FROM term", [], |row| row.get(0))?;
    if all > places && report.is_whole() {
        report.say(format!("{} terms lead to nothing", all - places));
    }
    Ok(counted)
}

/// Answers how many of the places are there.
fn findable(connection: &Connection, what: &str, row: i64, places: &BTreeSet<Place>, report: &mut Report) -> Result<i64, Error> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM term WHERE term = ?1 AND span = ?2 AND at = ?3 AND row = ?4")?;
    let mut found = 0;
    for place in places {
        found += i64::from(statement.exists((place.term, place.span, place.at, row))?);
    }
    if found != i64::try_from(places.len()).unwrap_or(i64::MAX) {
        report.say(format!("{what}: it is not found by all it should be"));
    }
    Ok(found)
}

/// Every counter can be understood, and none is below what is stored.
fn counters(connection: &Connection, counted: &BTreeMap<Vec<String>, u64>, report: &mut Report) -> Result<(), Error> {
    let (tally, faulty) = open::stored_tally(connection)?;
    for labels in faulty {
        report.say(format!("counter {labels}: its value cannot be understood"));
    }
    let count = |tally: &Tally, labels: &[String]| tally.counts(Family::Runs).find(|(have, _)| *have == labels).map(|(_, count)| count);
    for (labels, stored) in counted {
        // Series beyond the limit are not counted at all.
        if let Some(count) = count(&tally, labels).filter(|count| count < stored) {
            report.say(format!("counter of runs {}: {count}, but {stored} such runs are stored", labels.join("/")));
        }
    }
    Ok(())
}
