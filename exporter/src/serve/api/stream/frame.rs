//! What a stream looks like on the wire, and the positions in it (HTML, "Server-sent events"). Pure.

use super::End;
use axum::body::Bytes;
use serde::Serialize;

/// Longest position that is looked at, in bytes.
const LONGEST: usize = 128;

/// A position as text: where in which journal.
pub(super) fn id(journal: &str, seq: u64) -> String {
    format!("{journal}.{seq}")
}

/// Journal and place of a position; `None` for anything else.
pub(in crate::serve::api) fn position(text: &str) -> Option<(&str, u64)> {
    let (journal, seq) = text.rsplit_once('.').filter(|_| text.len() <= LONGEST)?;
    let digits = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
    Some((journal, seq.parse().ok().filter(|_| digits)?))
}

/// One event. Without an id the client's position stays what it was.
pub(in crate::serve::api) fn event(out: &mut Vec<u8>, name: &str, id: Option<&str>, data: &impl Serialize) -> serde_json::Result<()> {
    out.extend_from_slice(format!("event: {name}\n").as_bytes());
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    out.extend_from_slice(b"data: ");
    serde_json::to_writer(&mut *out, data)?; // writes no line feed: in JSON's texts they are escaped
    out.extend_from_slice(b"\n\n");
    Ok(())
}

/// A position alone: no event for the client, but it will go on from there.
pub(super) fn mark(id: &str) -> Bytes {
    format!("id: {id}\n\n").into()
}

/// The last words.
pub(super) fn end(end: End) -> Bytes {
    format!("event: end\ndata: {{\"reason\":\"{}\"}}\n\n", end.as_str()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_as_it_was_and_anything_else_is_none() {
        assert_eq!(position(&id("0198-ab", 7)), Some(("0198-ab", 7)));
        assert_eq!(position("a.b.18446744073709551615"), Some(("a.b", u64::MAX)));
        for text in ["", "7", "a.", "a.-1", "a.+1", "a.18446744073709551616", "a.1 ", &id(&"x".repeat(LONGEST), 1)] {
            assert_eq!(position(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        let mut out = Vec::new();
        event(&mut out, "run", Some("j.1"), &serde_json::json!({"message": "a\nb"})).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "event: run\nid: j.1\ndata: {\"message\":\"a\\nb\"}\n\n");
    }
}
