//! What a row is found by: a [`Place`] in the table `term` for each thing an index can be asked for, and the places a query looks at.
//!
//! A row of `term` says: under this term (a hash of a field and a value; [`ALL`] is every row's) there is a row that began then. Runs are
//! kept apart by how long they took, in classes of 4ⁿ seconds: a run of class n that overlaps a window began less than 4ⁿ seconds before
//! it, so a query looks at one short range per class and at no run that ended long ago. Terms only narrow: [`RunQuery::matches`] and
//! [`EventQuery::matches`] decide. To extend: a field in [`of_run`] or [`of_event`] and in the list below it, and a migration.

use chaoscope_model::event::{Event, Severity};
use chaoscope_model::query::{EventQuery, Filter, Position, RunQuery, Words};
use chaoscope_model::run::{Phase, Run};
use jiff::Timestamp;
use rusqlite::types::Value;
use std::collections::BTreeSet;

/// The term of every row.
const ALL: i64 = 0;
/// Class of the runs that are open, and of those that took 4¹⁵ seconds (34 years) or more.
const OPEN: u8 = 15;
/// Class of events.
const EVENT: u8 = 16;
/// Values an index is asked for at once; more are filtered.
const MOST_VALUES: usize = 16;

/// Fields of runs that are terms, the most telling first.
const RUN_FIELDS: [&str; 10] =
    ["name", "target_pod", "target_workload", "target_node", "label", "target_namespace", "namespace", "phase", "outcome", "kind"];
/// Fields of events that are terms, the most telling first.
const EVENT_FIELDS: [&str; 4] = ["name", "reason", "namespace", "type"];
/// Fields that are asked of an event's run, the most telling first.
const FIELDS_OF_ITS_RUN: [&str; 7] = ["target_pod", "target_workload", "target_node", "label", "target_namespace", "phase", "outcome"];

/// The question about scattered ranges.
const GATHER: &str = "SELECT at, row FROM json_each(?3) range CROSS JOIN term ON term = range.value ->> 0 AND span = range.value ->> 1
  AND at BETWEEN range.value ->> 2 AND ?1 WHERE at < ?1 OR row < ?2 ORDER BY 1 DESC, 2 DESC";

/// One row of the table `term`, but for the number of the row it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) term: i64,
    pub(super) span: u8,
    pub(super) at: i64,
}

/// Where a query looks, newest first: a range of times for each term and class.
pub(super) struct Search {
    /// (term, class, earliest).
    pub(super) ranges: Vec<(i64, u8, i64)>,
    /// Latest of all ranges.
    pub(super) latest: i64,
    /// Of what began at `latest` only rows with a smaller number.
    pub(super) before: i64,
    /// Many ranges, each with few rows: these are gathered and sorted, where others are merged.
    scattered: bool,
}

/// Nanoseconds since 1970, cut to what 64 bits hold. Order is kept.
pub(super) fn nanos(at: Timestamp) -> i64 {
    let nanos = at.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// The time of [`nanos`].
pub(super) fn time(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The first bytes of a text's SHA-256.
pub(super) fn hash<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in parts {
        context.update(part.as_bytes());
        context.update(b"\0");
    }
    let mut out = [0; N];
    out.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    out
}

fn term(field: &str, value: &str) -> i64 {
    i64::from_be_bytes(hash(&[field, value]))
}

fn span(run: &Run) -> u8 {
    let Some(ended) = run.ended_at else { return OPEN };
    let seconds = nanos(ended).saturating_sub(nanos(run.started_at)).max(0) / 1_000_000_000;
    let bits = i64::BITS - seconds.leading_zeros();
    u8::try_from(bits.div_ceil(2)).unwrap_or(OPEN).min(OPEN)
}

/// Earliest start of a run of a class that may reach `from`.
fn earliest(from: i64, span: u8) -> i64 {
    if span == OPEN {
        return i64::MIN;
    }
    let reach = 1_000_000_000_i64.saturating_mul(1 << (2 * span));
    from.saturating_sub(reach)
}

/// Every place of a run.
pub(super) fn of_run(run: &Run) -> BTreeSet<Place> {
    let mut terms = vec![ALL, term("name", &run.name), term("namespace", &run.namespace), term("kind", &run.kind)];
    if run.phase != Phase::Finished {
        terms.push(term("phase", run.phase.as_str()));
    }
    terms.extend(run.outcome.map(|outcome| term("outcome", outcome.as_str())));
    terms.extend(run.labels.iter().map(|(key, value)| term("label", &format!("{key}={value}"))));
    for target in &run.targets {
        terms.push(term("target_namespace", &target.namespace));
        terms.push(term("target_pod", &target.pod));
        terms.push(term("target_node", &target.node));
        terms.push(term("target_workload", &target.workload));
    }
    let (span, at) = (span(run), nanos(run.started_at));
    terms.into_iter().map(|term| Place { term, span, at }).collect()
}

/// Every place of an event.
pub(super) fn of_event(event: &Event) -> BTreeSet<Place> {
    let mut terms = vec![ALL, term("name", &event.name), term("reason", &event.reason), term("namespace", &event.namespace)];
    if event.severity == Severity::Warning {
        terms.push(term("type", event.severity.as_str()));
    }
    terms.extend(event.run.as_deref().map(of_its_run));
    if !event.target_pod.is_empty() {
        terms.extend([term("target_pod", &event.target_pod), term("target_namespace", &event.target_namespace)]);
    }
    let at = nanos(event.at);
    terms.into_iter().map(|term| Place { term, span: EVENT, at }).collect()
}

/// The term of the events of a run.
pub(super) fn of_its_run(id: &str) -> i64 {
    term("run", id)
}

/// The terms of one field that a filter asks for; `None`: an index cannot tell.
fn wanted(filter: &Filter, field: &str) -> Option<Vec<i64>> {
    let values = filter.words(field)?.exact()?;
    // These values are not terms: most rows would have them.
    let everywhere = |value: &&str| matches!((field, *value), ("phase", "finished") | ("outcome", "") | ("type", "Normal"));
    let few = values.len() <= MOST_VALUES && !values.iter().any(everywhere);
    let mut terms: Vec<_> = few.then(|| values.iter().map(|value| term(field, value)).collect())?;
    terms.sort_unstable();
    terms.dedup();
    Some(terms)
}

fn search(filter: &Filter, fields: &[&str], spans: &[u8], from: i64, to: i64, after: Option<Position>) -> Search {
    let terms = fields.iter().find_map(|field| wanted(filter, field)).unwrap_or_else(|| vec![ALL]);
    let reaching = |span: u8| if span == EVENT { from } else { earliest(from, span) };
    let ranges = terms.iter().flat_map(|term| spans.iter().map(|span| (*term, *span, reaching(*span)))).collect();
    match after.map(|after| (nanos(after.at), after.row)).filter(|(at, _)| *at <= to) {
        Some((latest, before)) => Search { ranges, latest, before, scattered: false },
        None => Search { ranges, latest: to, before: i64::MAX, scattered: false },
    }
}

/// Where the answer to a query about runs is.
pub(super) fn runs(query: &RunQuery) -> Search {
    let spans: Vec<u8> = (0..=OPEN).collect();
    search(&query.filter, &RUN_FIELDS, &spans, nanos(query.from), nanos(query.to), query.after)
}

/// Where the answer to a query about events is. `runs_under` gives the ids of all runs under some terms; `None`: there are too many.
///
/// What is asked of an event's run is looked up in two steps: the runs, then the events of these, and the events that name such a target
/// themselves.
pub(super) fn events<E>(query: &EventQuery, runs_under: impl FnOnce(&[i64]) -> Result<Option<Vec<String>>, E>) -> Result<Search, E> {
    let mut search = search(&query.filter, &EVENT_FIELDS, &[EVENT], nanos(query.from), nanos(query.to), query.after);
    if search.ranges.iter().any(|(term, ..)| *term != ALL) {
        return Ok(search);
    }
    // An event without a run, and one whose target its run does not know, has the empty value; that is no term of a run.
    let said = |field: &&&str| query.filter.words(field).and_then(Words::exact).is_some_and(|values| !values.contains(&""));
    let found = FIELDS_OF_ITS_RUN.iter().filter(said).find_map(|field| wanted(&query.filter, field));
    if let Some(terms) = found
        && let Some(runs) = runs_under(&terms)?
    {
        let from = nanos(query.from);
        let all = runs.iter().map(|id| of_its_run(id)).chain(terms);
        search.ranges = all.map(|term| (term, EVENT, from)).collect();
        search.scattered = true;
    }
    Ok(search)
}

/// Where every event is that happened at or before a time, and where runs and events begin.
pub(super) const fn all_events() -> (i64, u8) {
    (ALL, EVENT)
}

impl Search {
    /// The question to SQLite, the same text for as many ranges: each range is read backwards, and SQLite merges them as far as rows are
    /// taken.
    pub(super) fn sql(&self) -> String {
        if self.scattered {
            return GATHER.to_owned();
        }
        let part = |index: usize| {
            let first = 3 * index + 3;
            format!(
                "SELECT at, row FROM term WHERE term = ?{first} AND span = ?{} AND at BETWEEN ?{} AND ?1 AND (at < ?1 OR row < ?2)",
                first + 1,
                first + 2
            )
        };
        let parts: Vec<_> = (0..self.ranges.len()).map(part).collect();
        format!("{} ORDER BY 1 DESC, 2 DESC", parts.join(" UNION ALL "))
    }

    /// Its parameters: latest, before, then (term, class, earliest) of each; of scattered ones all in one.
    pub(super) fn parameters(&self) -> Vec<Value> {
        let ends = [self.latest, self.before].into_iter().map(Value::Integer);
        if self.scattered {
            return ends.chain([Value::Text(serde_json::json!(self.ranges).to_string())]).collect();
        }
        let ranges = self.ranges.iter().flat_map(|(term, span, earliest)| [*term, i64::from(*span), *earliest]);
        ends.chain(ranges.map(Value::Integer)).collect()
    }
}
