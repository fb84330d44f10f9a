//! A journal as lines of JSON: [`export`] and [`import`]. For moving to another machine or release, and for looking at it with other tools.
//!
//! The first line says what follows: `{"chaoscope_journal": 1, "journal": "<id>"}`. Then one line for each run, `{"run": {…}}`, and one for
//! each event, `{"event": {…}, "replaces": "<key>"}`, as the API answers them. What a fold needs to go on and the counters stay behind:
//! counters are counted anew from what is imported. To extend: a higher [`FORMAT`], and an arm in [`Line`].

use super::{Batch, Error, Journal, open, schema};
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use jiff::Timestamp;
use rusqlite::Connection;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, Read as _, Write};
use std::path::Path;

/// The format this program writes, and the highest it reads.
pub const FORMAT: u32 = 1;
/// Longest line that is read, in bytes: about twenty thousand targets.
const LONGEST_LINE: u64 = 16 << 20;
/// Lines stored at once.
const BATCH: usize = 500;

/// How much was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Runs that were written, or read.
    pub runs: u64,
    /// Events that were written, or read.
    pub events: u64,
    /// Of those read, runs that were not there before.
    pub new_runs: u64,
    /// Of those read, events that were not there before.
    pub new_events: u64,
    /// Of the runs read, those of which the journal knows as much or more already: it keeps its own.
    pub kept: u64,
    /// Rows that cannot be understood, and are not written.
    pub left_out: u64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    chaoscope_journal: u32,
    #[serde(default)]
    journal: String,
}

/// One line after the first.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Run { run: Box<Run> },
    Event { event: Box<Event>, replaces: Option<String> },
}

/// Opens a journal for looking, as of now. Another process may own it and go on writing.
pub(super) fn look_at(folder: &Path) -> Result<Connection, Error> {
    let path = folder.join("journal.sqlite");
    open::look(&path)?;
    let connection = schema::reader(&path)?;
    match schema::version(&connection)? {
        schema::VERSION => Ok(connection),
        found if found > schema::VERSION => Err(Error::Newer { path, found, known: schema::VERSION }),
        found => Err(Error::Older { path, found }),
    }
}

/// Writes every run and event of the journal in a folder that can be understood, as of one moment.
pub fn export(folder: &Path, out: &mut impl Write) -> Result<Moved, Error> {
    let mut connection = look_at(folder)?;
    let transaction = connection.transaction()?;
    let journal = transaction.query_row("SELECT value FROM meta WHERE key = 'journal'", [], |row| row.get(0))?;
    let header = serde_json::to_string(&Header { chaoscope_journal: FORMAT, journal }).map_err(|cause| Error::body("header", cause))?;
    writeln!(out, "{header}").map_err(Error::output)?;
    let mut moved = Moved::default();
    let mut runs = transaction.prepare("SELECT body FROM run ORDER BY pk")?;
    let mut rows = runs.query([])?;
    while let Some(row) = rows.next()? {
        let Some(body) = understood::<Run>(schema::json(row, 0)?) else {
            moved.left_out += 1;
            continue;
        };
        // Bodies are JSON of one line already.
        writeln!(out, "{{\"run\":{body}}}").map_err(Error::output)?;
        moved.runs += 1;
    }
    let mut events = transaction.prepare("SELECT body, replaces FROM event ORDER BY pk")?;
    let mut rows = events.query([])?;
    while let Some(row) = rows.next()? {
        let Some(body) = understood::<Event>(schema::json(row, 0)?) else {
            moved.left_out += 1;
            continue;
        };
        let replaces = serde_json::json!(row.get::<_, Option<String>>(1)?);
        writeln!(out, "{{\"event\":{body},\"replaces\":{replaces}}}").map_err(Error::output)?;
        moved.events += 1;
    }
    out.flush().map_err(Error::output)?;
    Ok(moved)
}

/// A body that an import understands.
fn understood<T: DeserializeOwned>(body: &[u8]) -> Option<&str> {
    serde_json::from_slice::<T>(body).ok()?;
    std::str::from_utf8(body).ok()
}

/// Stores every run and event of an export; what is there already is not stored again, and a run only if more is known of it than the journal
/// knows: an older export takes nothing back. Lines before a faulty one are stored. Blocks while
/// it reads.
pub async fn import(journal: &Journal, input: &mut (impl BufRead + Send)) -> Result<Moved, Error> {
    let before = journal.status();
    let (mut number, mut line, mut moved, mut batch) = (0, Vec::new(), Moved::default(), Batch::default());
    while next(input, &mut line, &mut number)? {
        let refuse = |reason: String| Error::Import { line: number, reason };
        if number == 1 {
            let header: Header =
                serde_json::from_slice(&line).map_err(|cause| refuse(format!("this is no export of a journal: {cause}")))?;
            if header.chaoscope_journal > FORMAT {
                return Err(refuse(format!("its format is {}, this program knows up to {FORMAT}", header.chaoscope_journal)));
            }
            continue;
        }
        match serde_json::from_slice(&line).map_err(|cause| refuse(format!("neither a run nor an event: {cause}")))? {
            Line::Run { run } => batch.runs.push(*run),
            Line::Event { event, replaces } => batch.events.push(Event { replaces, ..*event }),
        }
        if batch.runs.len() + batch.events.len() >= BATCH {
            store(journal, &mut batch, &mut moved).await?;
        }
    }
    if number == 0 {
        return Err(Error::Import { line: 1, reason: "it is empty".to_owned() });
    }
    store(journal, &mut batch, &mut moved).await?;
    let after = journal.status();
    moved.new_runs = after.runs.saturating_sub(before.runs);
    moved.new_events = after.events.saturating_sub(before.events);
    Ok(moved)
}

async fn store(journal: &Journal, batch: &mut Batch, moved: &mut Moved) -> Result<(), Error> {
    moved.runs += batch.runs.len() as u64;
    moved.events += batch.events.len() as u64;
    let mut wanted: BTreeMap<String, Run> = BTreeMap::new();
    for run in std::mem::take(&mut batch.runs) {
        let known = wanted.get(&run.id).cloned().map_or_else(|| journal.run(&run.id), |run| Ok(Some(run)))?;
        if known.as_ref().is_none_or(|known| completeness(&run) > completeness(known)) {
            wanted.insert(run.id.clone(), run);
        } else {
            moved.kept += u64::from(known != Some(run));
        }
    }
    batch.runs = wanted.into_values().collect();
    journal.record(std::mem::take(batch)).await
}

/// How much is known of a run: whether it ended, up to when anything is known, and how many times are.
fn completeness(run: &Run) -> (bool, Option<Timestamp>, usize) {
    let of_run = [run.injected_at, run.stop_requested_at, run.recovered_at, run.ended_at];
    let of_targets = run.targets.iter().flat_map(|target| [target.injected_at, target.recovered_at]);
    let times: Vec<_> = of_run.into_iter().chain(of_targets).flatten().collect();
    (run.outcome.is_some(), times.iter().max().copied(), times.len() + run.targets.len())
}

/// The next line that is not empty, without its end. `false`: there is none.
fn next(input: &mut impl BufRead, line: &mut Vec<u8>, number: &mut u64) -> Result<bool, Error> {
    loop {
        line.clear();
        *number += 1;
        let failed = |reason: String| Error::Import { line: *number, reason };
        let read = input.take(LONGEST_LINE + 1).read_until(b'\n', line).map_err(|cause| failed(cause.to_string()))?;
        if line.len() as u64 > LONGEST_LINE {
            return Err(failed(format!("longer than {LONGEST_LINE} bytes")));
        }
        if read == 0 {
            *number -= 1;
            return Ok(false);
        }
        if !line.trim_ascii().is_empty() {
            return Ok(true);
        }
    }
}
