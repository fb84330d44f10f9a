//! Frames as JSON, `{schema, data}`: packets of Grafana Live, and goldens. Times are milliseconds; what is finer is in `nanos`.

use super::{Field, Frame, Values};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Nanoseconds of a millisecond.
const FINER: i32 = 1_000_000;

/// `{schema, data}`, as Grafana Live's packets have it.
pub fn encode(frame: &Frame) -> Value {
    json!({"schema": schema(frame), "data": data(frame)})
}

/// The same as text, in the order in which it is understood while it comes: schema, values, nanoseconds.
pub fn packet(frame: &Frame) -> String {
    let data = data(frame);
    let values = data.get("values").unwrap_or(&Value::Null);
    let nanos = data.get("nanos").map(|nanos| format!(",\"nanos\":{nanos}")).unwrap_or_default();
    format!("{{\"schema\":{},\"data\":{{\"values\":{values}{nanos}}}}}", schema(frame))
}

fn schema(frame: &Frame) -> Value {
    let fields: Vec<_> = frame.fields.iter().map(field).collect();
    let mut schema = Map::from_iter([("name".to_owned(), json!(frame.name)), ("refId".to_owned(), json!(frame.ref_id))]);
    if !frame.meta.is_empty() {
        schema.insert("meta".to_owned(), meta(frame));
    }
    schema.insert("fields".to_owned(), Value::Array(fields));
    Value::Object(schema)
}

/// The metadata, with the version that is always there.
pub(super) fn meta(frame: &Frame) -> Value {
    let mut meta = frame.meta.clone();
    meta.entry("typeVersion").or_insert_with(|| json!([0, 0]));
    Value::Object(meta)
}

/// What a type is called: for the front, and for the back.
pub(super) const fn names(values: &Values) -> (&'static str, &'static str) {
    match values {
        Values::Time(_) => ("time", "time.Time"),
        Values::Text(_) => ("string", "string"),
        Values::Number(_) => ("number", "float64"),
        Values::Count(_) => ("number", "int64"),
        Values::Flag(_) => ("boolean", "bool"),
        Values::Json(_) => ("other", "json.RawMessage"),
    }
}

fn field(field: &Field) -> Value {
    let (front, back) = names(&field.values);
    let mut info = Map::from_iter([("frame".to_owned(), json!(back))]);
    if field.nullable {
        info.insert("nullable".to_owned(), json!(true));
    }
    let mut out = json!({"name": field.name, "type": front, "typeInfo": info});
    if !field.labels.is_empty() {
        out["labels"] = json!(field.labels);
    }
    if !field.config.is_empty() {
        out["config"] = json!(field.config);
    }
    out
}

fn data(frame: &Frame) -> Value {
    let values: Vec<_> = frame.fields.iter().map(|field| values(&field.values)).collect();
    let nanos: Vec<_> = frame.fields.iter().map(|field| nanos(&field.values)).collect();
    if nanos.iter().all(Option::is_none) { json!({"values": values}) } else { json!({"values": values, "nanos": nanos}) }
}

fn values(values: &Values) -> Value {
    match values {
        Values::Time(times) => json!(times.iter().map(|at| at.map(milliseconds)).collect::<Vec<_>>()),
        Values::Text(texts) => json!(texts),
        Values::Number(numbers) => json!(numbers),
        Values::Count(counts) => json!(counts),
        Values::Flag(flags) => json!(flags),
        Values::Json(all) => json!(all),
    }
}

/// Whole milliseconds, rounded down, so that what is left is positive before 1970 too.
fn milliseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond().div_euclid(i128::from(FINER))).unwrap_or(0)
}

fn nanos(values: &Values) -> Option<Vec<i64>> {
    let Values::Time(times) = values else { return None };
    let rest = |at: &Option<Timestamp>| at.map_or(0, |at| i64::try_from(at.as_nanosecond().rem_euclid(i128::from(FINER))).unwrap_or(0));
    let rests: Vec<_> = times.iter().map(rest).collect();
    rests.iter().any(|rest| *rest != 0).then_some(rests)
}
