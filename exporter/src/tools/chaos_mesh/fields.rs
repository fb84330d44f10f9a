//! Reading loose JSON: what is absent or null is absent, what has the wrong type is an error that names the field.
//!
//! Apart from `decode`, which says which field means what.

use jiff::Timestamp;
use serde_json::Value;

/// Why an object cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// It lacks what every object has.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// There is more of something than is kept.
    #[error("too large: too many of {0}")]
    TooMany(&'static str),
    /// A field is not what its schema says.
    #[error("{field} is not {expected}")]
    Type {
        /// Which field.
        field: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// Longest text that is taken from an object as it is.
pub(super) const LONGEST: usize = 1024;
/// What counts as a time, in seconds: nothing else happened to an experiment, and sums with it stay times.
const EARLIEST: i64 = 0;
const LATEST: i64 = 7_258_118_400;
/// Greatest count of a record: one application a second for eleven days.
const MOST: u32 = 1_000_000;

fn wrong(field: &str, expected: &'static str) -> Undecodable {
    Undecodable::Type { field: field.to_owned(), expected }
}

/// A value below this one, by a path with dots; `None` where it is absent or null.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Result<Option<&'a Value>, Undecodable> {
    let mut here = value;
    for key in path.split('.') {
        match here {
            Value::Object(fields) => match fields.get(key) {
                None | Some(Value::Null) => return Ok(None),
                Some(value) => here = value,
            },
            _ => return Err(wrong(path, "an object")),
        }
    }
    Ok(Some(here))
}

/// A text, at most [`LONGEST`] characters of it.
pub(super) fn text(value: &Value, path: &str) -> Result<Option<String>, Undecodable> {
    match at(value, path)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(chaoscope_model::shortened(text, LONGEST))),
        Some(_) => Err(wrong(path, "a text")),
    }
}

/// A text; absent is empty.
pub(super) fn text_or_empty(value: &Value, path: &str) -> Result<String, Undecodable> {
    text(value, path).map(|text| text.unwrap_or_else(String::new))
}

/// A time of RFC 3339.
pub(super) fn time(value: &Value, path: &str) -> Result<Option<Timestamp>, Undecodable> {
    let Some(text) = text(value, path)? else { return Ok(None) };
    let time: Timestamp = text.parse().map_err(|_| wrong(path, "a time of RFC 3339"))?;
    if (EARLIEST..=LATEST).contains(&time.as_second()) { Ok(Some(time)) } else { Err(wrong(path, "a time between 1970 and 2200")) }
}

/// A whole number.
pub(super) fn integer(value: &Value, path: &str) -> Result<Option<i64>, Undecodable> {
    let Some(value) = at(value, path)? else { return Ok(None) };
    value.as_i64().map(Some).ok_or_else(|| wrong(path, "a whole number"))
}

/// A count; absent is zero.
pub(super) fn count(value: &Value, path: &str) -> Result<u32, Undecodable> {
    let number = integer(value, path)?.unwrap_or(0);
    u32::try_from(number).ok().filter(|count| *count <= MOST).ok_or_else(|| wrong(path, "a count up to a million"))
}

/// A list; absent is empty.
pub(super) fn list<'a>(value: &'a Value, path: &str) -> Result<&'a [Value], Undecodable> {
    match at(value, path)? {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(wrong(path, "a list")),
    }
}

/// The conditions that are `True`, by type.
pub(super) fn conditions(object: &Value) -> Result<Vec<String>, Undecodable> {
    let mut held = Vec::new();
    for condition in list(object, "status.conditions")? {
        if text(condition, "status")?.as_deref() == Some("True") {
            held.extend(text(condition, "type")?);
        }
    }
    Ok(held)
}

/// One of `metadata.annotations` or `metadata.labels`; what is no text is absent.
pub(super) fn tag<'a>(object: &'a Value, table: &str, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get(table)?.get(key)?.as_str()
}

/// Names in a list of texts, or of objects with a `name`.
pub(super) fn names(object: &Value, path: &str) -> Result<Vec<String>, Undecodable> {
    let name = |item: &Value| item.as_str().or_else(|| item.get("name")?.as_str()).map(str::to_owned);
    Ok(list(object, path)?.iter().filter_map(name).collect())
}
