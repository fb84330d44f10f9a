//! What Grafana shows: [`Frame`]s, columns of one type each, made from runs and events by pure functions, one file per kind of query.
//!
//! Frames with no rows keep their fields. How a frame is written is in `arrow` (query answers) and `json` (live packets); what columns look
//! like, and how far texts from outside are trusted, in `look`. A new kind of query is a file here and its arm in [`answer`].

mod active;
mod affected;
mod annotations;
pub mod arrow;
mod events;
pub mod json;
mod legacy;
mod links;
mod look;
mod narrative;
mod preview;
mod runs;
mod targets;
mod timeline;
mod upcoming;
mod values;

pub use preview::preview;

use crate::origin::{Found, Upcoming};
use crate::query::parse::MOST_ROWS;
use crate::query::{Ask, Form, Query};
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A table of columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// Shown where a name is wanted.
    pub name: String,
    /// The query it answers.
    pub ref_id: String,
    /// Frame metadata as Grafana's data package spells it (`type`, `typeVersion`, `notices`, `dataTopic`, `channel`, …).
    pub meta: Map<String, Value>,
    /// The columns, all of one length.
    pub fields: Vec<Field>,
    /// Whether something was left out that a number should have counted: a notice says so, which alert rules do not read.
    pub partial: bool,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Of a series: what it counts.
    pub labels: BTreeMap<String, String>,
    /// Field configuration as Grafana's data package spells it (`displayName`, `unit`, `links`, `mappings`, …).
    pub config: Map<String, Value>,
    /// What is in it.
    pub values: Values,
    /// Whether a value may be missing: said of the column, so that it does not depend on what happens to be in it.
    pub nullable: bool,
}

/// The values of a column; null where unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Times, to the nanosecond.
    Time(Vec<Option<Timestamp>>),
    /// Texts.
    Text(Vec<Option<String>>),
    /// Numbers.
    Number(Vec<Option<f64>>),
    /// Whole numbers.
    Count(Vec<Option<i64>>),
    /// Yes or no.
    Flag(Vec<Option<bool>>),
    /// JSON (labels of log lines).
    Json(Vec<Option<Value>>),
}

/// What the origin found for a query: which of these is in [`crate::query::Ask::needs`].
#[derive(Clone, Debug)]
pub enum Data {
    /// Runs that overlap the window.
    Runs(Found<Arc<Run>>),
    /// Events in the window.
    Events(Found<Arc<Event>>),
    /// What schedules will start.
    Upcoming(Found<Upcoming>),
    /// Values of a variable.
    Values(Found<String>),
    /// Runs, and what schedules will start.
    RunsAndUpcoming(Found<Arc<Run>>, Found<Upcoming>),
}

impl Data {
    /// Whether a limit or the time left out some of the runs, events or values.
    pub const fn is_cut(&self) -> bool {
        match self {
            Self::Runs(found) | Self::RunsAndUpcoming(found, _) => found.cut,
            Self::Events(found) => found.cut,
            Self::Upcoming(found) => found.cut,
            Self::Values(found) => found.cut,
        }
    }
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Time(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Count(values) => values.len(),
            Self::Flag(values) => values.len(),
            Self::Json(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Field {
    /// A column whose values may be missing.
    pub fn new(name: &str, values: Values) -> Self {
        Self { name: name.to_owned(), labels: BTreeMap::new(), config: Map::new(), values, nullable: true }
    }

    /// A column of the rows: what `pick` finds in each.
    fn of<T, V>(name: &str, rows: &[T], kind: fn(Vec<Option<V>>) -> Values, pick: impl Fn(&T) -> Option<V>) -> Self {
        Self::new(name, kind(rows.iter().map(pick).collect()))
    }

    /// The same, with a value in every row.
    #[must_use]
    fn required(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The same, with one more entry of its configuration.
    #[must_use]
    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config.insert(key.to_owned(), value.into());
        self
    }

    /// The same, under a title for a person.
    #[must_use]
    fn titled(self, title: &str) -> Self {
        self.with("displayNameFromDS", title)
    }
}

impl Frame {
    fn new(name: &str, fields: Vec<Field>) -> Self {
        Self { name: look::clean(name), fields, ..Self::default() }
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.fields.first().map_or(0, |field| field.values.len())
    }

    /// The same, with one more entry of its metadata.
    #[must_use]
    fn with_meta(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.meta.insert(key.to_owned(), value.into());
        self
    }

    /// Says something beside the answer.
    pub fn notice(&mut self, text: &str) {
        let notice = json!({"severity": "warning", "text": look::clipped(text, look::LONGEST_NOTICE)});
        match self.meta.get_mut("notices") {
            Some(Value::Array(notices)) => notices.push(notice),
            _ => drop(self.meta.insert("notices".to_owned(), json!([notice]))),
        }
    }
}

/// The frames of an answer; `now` is the end of what is still open.
pub fn answer(query: &Query, data: &Data, now: Timestamp, page: Option<&str>) -> Vec<Frame> {
    let mut frames = frames(query, data, now, page);
    for frame in &mut frames {
        query.ref_id.clone_into(&mut frame.ref_id);
    }
    if let Some(first) = frames.first_mut() {
        let notices = match data {
            Data::Runs(found) => said(query, found),
            Data::Events(found) => said(query, found),
            Data::Upcoming(found) => said(query, found),
            Data::Values(found) => said(query, found),
            Data::RunsAndUpcoming(runs, upcoming) => [said(query, runs), upcoming.notices.clone()].concat(),
        };
        notices.iter().chain(&query.notices).for_each(|text| first.notice(text));
        if query.ask == Ask::Upcoming && query.question.window.to <= now {
            first.notice("Nothing is due in a range that ends now: choose one that ends in the future, as now to now+1d.");
        }
    }
    frames
}

fn frames(query: &Query, data: &Data, now: Timestamp, page: Option<&str>) -> Vec<Frame> {
    match (&query.ask, data) {
        (Ask::Runs, Data::Runs(found)) => vec![links::of_rows(page, runs::frame(&found.items, now))],
        (Ask::Events { logs: false }, Data::Events(found)) => vec![events::table(&found.items)],
        (Ask::Events { logs: true }, Data::Events(found)) => vec![events::logs(&found.items)],
        (Ask::Timeline(rows), Data::Runs(found)) => timeline::frames(query, *rows, &found.items, now),
        (Ask::Active { form: Form::Instant, by }, Data::Runs(found)) => vec![active::instant(query, by, &found.items, now)],
        (Ask::Active { form: Form::Series, by }, Data::Runs(found)) => vec![active::series(query, by, &found.items, now)],
        (Ask::Targets, Data::Runs(found)) => vec![links::of_rows(page, targets::frame(query, &found.items, now))],
        (Ask::Annotations { topic, .. }, Data::Runs(found)) => vec![annotations::frame(query, *topic, &found.items, &[], now, page)],
        (Ask::Annotations { topic, .. }, Data::RunsAndUpcoming(found, upcoming)) => {
            vec![annotations::frame(query, *topic, &found.items, &upcoming.items, now, page)]
        }
        (Ask::Upcoming, Data::Upcoming(found)) => vec![upcoming::frame(&found.items, now)],
        (Ask::Values(_), Data::Values(found)) => vec![values::frame(&found.items)],
        (Ask::Legacy, Data::Events(found)) => vec![legacy::frame(&found.items)],
        _ => {
            let mut frame = Frame::new("answer", Vec::new());
            frame.notice("what was found is not what was asked for; please report this");
            vec![frame]
        }
    }
}

/// What a reader must know about what was found.
fn said<T>(query: &Query, found: &Found<T>) -> Vec<String> {
    let limit = query.question.limit;
    let remedy =
        if limit < MOST_ROWS { "narrow the filter or the time range, or raise the limit" } else { "narrow the filter or the time range" };
    let cut = found.cut.then(|| format!("Only the newest {} are used, there are more: {remedy}.", found.items.len()));
    cut.into_iter().chain(found.notices.iter().cloned()).collect()
}

#[cfg(test)]
mod tests;
