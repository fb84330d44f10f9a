//! From saved JSON to a [`Query`]: lenient about what is unknown, strict about what would give a wrong answer. STUB

use super::{Query, Window};
use serde_json::Value;
use std::time::Duration;

/// What Grafana says about one query besides its JSON.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The panel's letter.
    pub ref_id: &'a str,
    /// The panel's range.
    pub window: Window,
    /// The panel's step.
    pub interval: Duration,
    /// The panel's width in points.
    pub max_points: i64,
    /// `queryType` as Grafana's own field has it; empty for most.
    pub query_type: &'a str,
    /// Whether an alert rule asks (header `FromAlert`).
    pub from_alert: bool,
}

/// Why a query cannot be answered; the text says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Understands one saved query. `fixed` are the datasource's own filters, which no query can widen.
pub fn query(_asked: &Asked<'_>, _json: &Value, _fixed: &[(String, String)]) -> Result<Query, Refused> {
    todo!()
}
