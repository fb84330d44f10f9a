//! What `chaosmeshorg-datasource` (2.x and 3.0.0) saved in dashboards: panel queries, variables, annotations. Read as they are, so that
//! only the datasource has to be changed.
//!
//! Its range (`start`, `end`) was saved by mistake and is ignored; its limit may be null; it replaced variables as JSON, so a value may be a
//! list or the text of one.

use super::parse::{Asked, Refused, Understood, list, number, text, unknown};
use super::{Ask, Pairs, variables};
use serde_json::Value;

/// Saved keys, and the fields they filter. An object's uid is found by text.
const KEYS: [(&str, &str); 4] = [("object_id", "text"), ("namespace", "namespace"), ("name", "name"), ("kind", "kind")];
/// What a variable asked for, and the list it is.
const METRICS: [(&str, &str); 5] =
    [("namespace", "namespaces"), ("kind", "kinds"), ("experiment", "experiments"), ("schedule", "schedules"), ("workflow", "workflows")];
/// The letter Grafana gives queries of annotations.
const ANNOTATION: &str = "Anno";

/// Understands a query that says nothing of its type.
pub(super) fn query(asked: &Asked<'_>, json: &Value) -> Result<Understood, Refused> {
    // A whole annotation holds its query in `target`; before version 3 it was the query.
    let old = json.get("target").filter(|target| target.is_object());
    let saved = old.unwrap_or(json);
    if let Some(metric) = text(saved, "metric") {
        return variable(asked, metric, saved);
    }
    let annotation = asked.ref_id == ANNOTATION || old.is_some() || json.get("eventName").is_some();
    let mut filter = Pairs::new();
    for (key, field) in KEYS {
        // The annotation's own name is not its filter's.
        let key = if key == "name" && json.get("eventName").is_some() { "eventName" } else { key };
        for value in values(key, saved.get(key))? {
            filter.extend(variables::values(key, &value, asked.from_alert)?.into_iter().map(|value| (field.to_owned(), value)));
        }
    }
    let ask = if annotation { Ask::Annotations { upcoming: false, topic: false } } else { Ask::Legacy };
    Ok(Understood { ask, filter, limit: saved.get("limit").and_then(number), notices: Vec::new() })
}

fn variable(asked: &Asked<'_>, metric: &str, saved: &Value) -> Result<Understood, Refused> {
    let found = METRICS.iter().find(|(name, _)| *name == metric).map(|(_, list)| *list);
    let name = found.ok_or_else(|| unknown("metric", metric, &METRICS.map(|(name, _)| name)))?;
    let (mut filter, mut notices) = (Pairs::new(), Vec::new());
    let question = text(saved, "queryString").unwrap_or("");
    for part in question.trim_start_matches('?').split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value) = (decoded(key), decoded(value));
        match KEYS.iter().find(|(name, _)| *name == key) {
            Some((_, field)) => {
                let values = variables::values(&key, value.trim(), asked.from_alert)?;
                filter.extend(values.into_iter().map(|value| ((*field).to_owned(), value)));
            }
            None => notices.push(format!("{:?} of the query string is not used", super::parse::shortened(&key))),
        }
    }
    Ok(Understood { ask: Ask::Values(list(name)?), filter, limit: None, notices })
}

/// A saved value: a text, a list, or either as the JSON that replaced a variable.
fn values(key: &str, saved: Option<&Value>) -> Result<Vec<String>, Refused> {
    let refused = || Refused(format!("{key}: a value must be a text or a list of texts"));
    let of_list = |values: &[Value]| {
        let texts = values.iter().filter(|it| !it.is_null()).map(|it| it.as_str().map(|text| text.trim().to_owned()));
        texts.collect::<Option<Vec<_>>>().ok_or_else(refused)
    };
    match saved {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => match serde_json::from_str(text.trim()) {
            Ok(Value::Array(values)) => of_list(&values),
            Ok(Value::String(value)) => Ok(vec![value.trim().to_owned()]),
            _ => Ok(vec![text.trim().to_owned()]),
        },
        Some(Value::Array(values)) => of_list(values),
        Some(Value::Number(number)) => Ok(vec![number.to_string()]),
        Some(Value::Bool(_) | Value::Object(_)) => Err(refused()),
    }
}

/// A part of a URL's query without its escapes; what is no escape stays.
fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, after) {
            (b'%', [high, low, left @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                out.push(hex(high).unwrap_or(0) << 4 | hex(low).unwrap_or(0));
                rest = left;
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests;
