//! From saved JSON to a [`Query`]: lenient about what is unknown, strict about what would give a wrong answer.
//!
//! What the plugin before this one saved is in `legacy`; variables that nobody replaced in `variables`. A new key of saved queries is read here, and is in the front's `types.ts`.

use super::{Ask, Form, List, Needs, Pairs, Query, Question, Rows, Window, legacy, variables};
use chaoscope_model::query::{FIELDS, Filter};
use serde_json::Value;
use std::time::Duration;

/// Most rows a query may ask for; what counts or lists takes as many as there are.
pub const MOST_ROWS: usize = 10_000;
/// Rows of a query that does not say how many.
const ROWS: usize = 1000;
/// Most points of a series, whatever the panel says.
const MOST_POINTS: i64 = 11_000;

/// Kinds of queries, as `queryType` has them.
const TYPES: [&str; 9] = ["runs", "events", "logs", "timeline", "active", "targets", "annotations", "upcoming", "values"];
/// What a variable may list, besides `field:<name>`.
const LISTS: [&str; 11] = [
    "tools",
    "clusters",
    "kinds",
    "namespaces",
    "experiments",
    "schedules",
    "workflows",
    "target_namespace",
    "target_pod",
    "target_node",
    "target_workload",
];
/// Labels that open runs may be counted by.
const LABELS: [&str; 11] =
    ["tool", "cluster", "kind", "action", "namespace", "name", "phase", "target_namespace", "target_pod", "target_node", "target_workload"];
/// Fields that are about events alone.
const OF_EVENTS: [&str; 2] = ["reason", "type"];

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
    /// Rows of a query that does not say how many, as the datasource's settings have it.
    pub limit: Option<usize>,
}

/// Why a query cannot be answered; the text says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// What was understood of the JSON.
pub(super) struct Understood {
    pub(super) ask: Ask,
    pub(super) filter: Pairs,
    pub(super) limit: Option<f64>,
    pub(super) notices: Vec<String>,
}

/// Understands one saved query. The datasource's own filters, which no query can widen, are the origin's matter.
pub fn query(asked: &Asked<'_>, json: &Value) -> Result<Query, Refused> {
    if flag(json, "matchDashboard") {
        let why = "\"Match this dashboard\" takes the dashboard's variables, which alert rules and public dashboards do not fill in";
        return Err(Refused(format!("{why}: switch it off here, and write the filters out")));
    }
    let named = text(json, "queryType").or_else(|| Some(asked.query_type.trim()).filter(|it| !it.is_empty()));
    let understood = match named {
        None if json.get("filters").is_none() => legacy::query(asked, json)?,
        named => saved(asked, named.unwrap_or("runs"), json)?,
    };
    let Understood { ask, filter, limit, mut notices } = understood;
    let filter = variables::without_all(filter);
    notices.extend(about(&ask, &filter, asked.from_alert)?);
    let filter = checked(filter)?;
    let limit = rows(&ask, limit, asked.limit.unwrap_or(ROWS), &mut notices);
    Ok(Query {
        ref_id: asked.ref_id.to_owned(),
        question: Question { window: asked.window, filter, limit },
        interval: asked.interval,
        max_points: usize::try_from(asked.max_points.clamp(1, MOST_POINTS)).unwrap_or(1),
        stream: flag(json, "stream") && !asked.from_alert,
        ask,
        notices,
    })
}

fn saved(asked: &Asked<'_>, named: &str, json: &Value) -> Result<Understood, Refused> {
    let ask = match named {
        "runs" => Ask::Runs,
        "events" => Ask::Events { logs: false },
        "logs" => Ask::Events { logs: true },
        "timeline" => Ask::Timeline(one_of(json, "rows", &[("run", Rows::Run), ("target", Rows::Target)])?),
        "active" => active(json)?,
        "targets" => Ask::Targets,
        "annotations" => Ask::Annotations { upcoming: flag(json, "upcoming"), topic: flag(json, "topic") },
        "upcoming" => Ask::Upcoming,
        "values" => Ask::Values(list(text(json, "list").unwrap_or(""))?),
        other => return Err(unknown("query type", other, &TYPES)),
    };
    let filter = filters(json.get("filters"), asked.from_alert)?;
    Ok(Understood { ask, filter, limit: json.get("limit").and_then(number), notices: Vec::new() })
}

fn active(json: &Value) -> Result<Ask, Refused> {
    let form = one_of(json, "form", &[("instant", Form::Instant), ("series", Form::Series)])?;
    let mut by = Vec::new();
    for label in words("by", json.get("by"))? {
        if !LABELS.contains(&label.as_str()) {
            return Err(unknown("label to count by", &label, &LABELS));
        }
        if label == "phase" && form == Form::Series {
            return Err(Refused("a series cannot be counted by phase: only the present phase of a run is known".to_owned()));
        }
        if !by.contains(&label) {
            by.push(label);
        }
    }
    Ok(Ask::Active { form, by })
}

pub(super) fn list(name: &str) -> Result<List, Refused> {
    if let Some(field) = name.strip_prefix("field:") {
        return if FIELDS.contains(&field) { Ok(List::Field(field.to_owned())) } else { Err(unknown("field", field, &FIELDS)) };
    }
    Ok(match name {
        "tools" => List::Tools,
        "clusters" => List::Clusters,
        "kinds" => List::Kinds,
        "namespaces" => List::Namespaces,
        "experiments" => List::Experiments,
        "schedules" => List::Schedules,
        "workflows" => List::Workflows,
        target if LISTS.contains(&target) => List::Targets(target.to_owned()),
        other => return Err(unknown("list", other, &LISTS)),
    })
}

/// The filters as they were saved: a list of values per field. Empty texts are what "All" and unset boxes leave.
fn filters(saved: Option<&Value>, from_alert: bool) -> Result<Pairs, Refused> {
    let fields = match saved {
        None | Some(Value::Null) => return Ok(Pairs::new()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(Refused("filters must be an object: a list of values for each field".to_owned())),
    };
    let mut pairs = Pairs::new();
    for (field, values) in fields {
        let values = words(field, Some(values))?;
        if !FIELDS.contains(&field.as_str()) && field != "text" {
            // What is empty filters nothing, whatever it is.
            if values.is_empty() {
                continue;
            }
            let allowed: Vec<_> = FIELDS.into_iter().chain(["text"]).collect();
            return Err(unknown("field to filter by", field, &allowed));
        }
        for value in values {
            pairs.extend(variables::values(field, &value, from_alert)?.into_iter().map(|value| (field.clone(), value)));
        }
    }
    Ok(pairs)
}

/// What filters events alone says nothing of runs, and that is said; an alert rule must not be wrong in silence.
fn about(ask: &Ask, filter: &Pairs, from_alert: bool) -> Result<Option<String>, Refused> {
    if !matches!(ask.needs(), Needs::Runs | Needs::RunsAndUpcoming) {
        return Ok(None);
    }
    let of_events = filter.iter().find(|(field, _)| OF_EVENTS.contains(&field.as_str()));
    match of_events.map(|(field, _)| format!("{field} is about events: runs are not filtered by it")) {
        Some(text) if from_alert => Err(Refused(text)),
        notice => Ok(notice),
    }
}

/// The filter, sorted and without doubles; what an origin would refuse is refused here, in its words.
fn checked(mut pairs: Pairs) -> Result<Pairs, Refused> {
    pairs.sort();
    pairs.dedup();
    let mut filter = Filter::default();
    for (field, value) in &pairs {
        filter.add(field, value).map_err(|error| {
            let text = error.to_string();
            let remedy = if text.contains("more than") { "; give the variable the custom all value *" } else { "" };
            Refused(format!("{text}{remedy}"))
        })?;
    }
    Ok(pairs)
}

/// How many rows: what counts or lists takes as many as it can get, for less would be a wrong number.
fn rows(ask: &Ask, wanted: Option<f64>, default: usize, notices: &mut Vec<String>) -> usize {
    let all = matches!(ask, Ask::Active { .. } | Ask::Values(_));
    // The plugin before this one had no limit of its own.
    let default = if *ask == Ask::Legacy { MOST_ROWS } else { default.clamp(1, MOST_ROWS) };
    match wanted.filter(|limit| *limit >= 1.0) {
        _ if all => MOST_ROWS,
        None => default,
        Some(limit) if limit > MOST_ROWS as f64 => {
            notices.push(format!("The limit is {MOST_ROWS} rows."));
            MOST_ROWS
        }
        #[allow(clippy::cast_sign_loss, reason = "between 1 and the most")]
        Some(limit) => limit as usize,
    }
}

/// A key's text, trimmed; none where it is empty or no text.
pub(super) fn text<'j>(json: &'j Value, key: &str) -> Option<&'j str> {
    json.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// A number, also as a text; what is none counts as not given.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
    number.filter(|number: &f64| !number.is_nan())
}

fn flag(json: &Value, key: &str) -> bool {
    match json.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}

fn one_of<T: Copy>(json: &Value, key: &str, allowed: &[(&str, T)]) -> Result<T, Refused> {
    let named = text(json, key).or_else(|| allowed.first().map(|(name, _)| *name)).unwrap_or("");
    let found = allowed.iter().find(|(name, _)| *name == named).map(|(_, value)| *value);
    found.ok_or_else(|| unknown(key, named, &allowed.iter().map(|(name, _)| *name).collect::<Vec<_>>()))
}

/// One or several words: texts, or what has but one way to be a text. Empty ones are left out.
fn words(field: &str, saved: Option<&Value>) -> Result<Vec<String>, Refused> {
    let refused = || Refused(format!("{}: a value must be a text or a list of texts", shortened(field)));
    let several = match saved {
        None => &[][..],
        Some(Value::Array(several)) => several.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let mut words = Vec::new();
    for value in several {
        let word = match value {
            Value::Null => continue,
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Array(_) | Value::Object(_) => return Err(refused()),
        };
        words.extend(Some(word).filter(|word| !word.is_empty()));
    }
    Ok(words)
}

/// A word from outside in an error.
pub(super) fn shortened(word: &str) -> String {
    let mut shown: String = word.chars().filter(|it| !it.is_control()).take(64).collect();
    if shown.len() < word.len() {
        shown.push('…');
    }
    shown
}

pub(super) fn unknown(what: &str, word: &str, allowed: &[&str]) -> Refused {
    Refused(format!("there is no {what} {:?}; allowed are {}", shortened(word), allowed.join(", ")))
}

#[cfg(test)]
mod tests;
