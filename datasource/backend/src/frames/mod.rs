//! What Grafana shows: [`Frame`]s, columns of one type each, made from runs and events by pure functions, one file per kind of query.
//!
//! Frames with no rows keep their fields. How a frame is written is in `arrow` (query answers) and `json` (live packets).

pub mod arrow;
pub mod json;

use crate::origin::{Found, Upcoming};
use crate::query::Query;
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use jiff::Timestamp;
use serde_json::{Map, Value};
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

/// The frames of an answer; `now` is the end of what is still open.
#[allow(clippy::todo)]
pub fn answer(_query: &Query, _data: &Data, _now: Timestamp) -> Vec<Frame> {
    todo!()
}

/// How many there are, and the first few, for the editor.
#[allow(clippy::todo)]
pub fn preview(_data: &Data) -> Value {
    todo!()
}
