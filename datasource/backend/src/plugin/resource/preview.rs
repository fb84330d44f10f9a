//! What an editor shows of frames: how many rows, the first of them, what was said beside them. Pure.

use crate::frames::{Frame, Values};
use serde_json::{Map, Value, json};

/// So many rows are shown.
const SAMPLE: usize = 10;

/// The first column of texts: of an answer to `values`, all that matters.
pub(super) fn values(frames: &[Frame]) -> Vec<String> {
    let mut columns = frames.iter().flat_map(|it| &it.fields).filter_map(|it| match &it.values {
        Values::Text(texts) => Some(texts),
        _ => None,
    });
    columns.next().into_iter().flatten().flatten().cloned().collect()
}

/// Rows of all frames.
pub(super) fn rows(frames: &[Frame]) -> usize {
    frames.iter().map(length).sum()
}

/// The first rows, one object each; unknown values are left out.
pub(super) fn sample(frames: &[Frame]) -> Vec<Value> {
    let rows = frames.iter().flat_map(|frame| (0..length(frame)).map(move |row| (frame, row)));
    let object = |(frame, row): (&Frame, usize)| {
        let values = frame.fields.iter().filter_map(|it| Some((it.name.clone(), at(&it.values, row)?)));
        Value::Object(values.collect::<Map<_, _>>())
    };
    rows.take(SAMPLE).map(object).collect()
}

/// What a reader should know.
pub(super) fn notices(frames: &[Frame]) -> Vec<Value> {
    let notices = frames.iter().filter_map(|it| it.meta.get("notices")?.as_array()).flatten();
    notices.filter_map(|it| it.get("text").cloned()).collect()
}

fn length(frame: &Frame) -> usize {
    frame.fields.first().map_or(0, |it| match &it.values {
        Values::Time(list) => list.len(),
        Values::Text(list) => list.len(),
        Values::Number(list) => list.len(),
        Values::Count(list) => list.len(),
        Values::Flag(list) => list.len(),
        Values::Json(list) => list.len(),
    })
}

fn at(values: &Values, row: usize) -> Option<Value> {
    match values {
        Values::Time(list) => list.get(row)?.map(|it| json!(it.to_string())),
        Values::Text(list) => list.get(row)?.clone().map(Value::String),
        Values::Number(list) => list.get(row)?.map(|it| json!(it)),
        Values::Count(list) => list.get(row)?.map(|it| json!(it)),
        Values::Flag(list) => list.get(row)?.map(Value::Bool),
        Values::Json(list) => list.get(row)?.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::Field;

    #[test]
    fn frames_are_told_in_short() {
        let field = |name: &str, values| Field { name: name.to_owned(), labels: [].into(), config: Map::new(), values };
        let name = field("name", Values::Text(vec![Some("a".into()), None, Some("b".into())]));
        let count = field("n", Values::Count(vec![None, Some(2), Some(3)]));
        let meta = json!({ "notices": [{ "severity": "warning", "text": "cut" }] });
        let Value::Object(meta) = meta else { panic!("an object") };
        let frames = [Frame { meta, fields: vec![name, count], ..Frame::default() }, Frame::default()];
        assert_eq!(values(&frames), ["a", "b"]);
        assert_eq!(rows(&frames), 3);
        assert_eq!(sample(&frames), [json!({ "name": "a" }), json!({ "n": 2 }), json!({ "name": "b", "n": 3 })]);
        assert_eq!(notices(&frames), ["cut"]);
    }
}
