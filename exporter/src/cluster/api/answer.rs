//! What answers hold, without looking into the objects: pages of lists, lines of watches, and who an object is.
//!
//! Objects stay the text they came as until somebody wants one of them, so that a bad one costs only itself.

use super::error::Error;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A page of a list.
#[derive(Debug)]
pub struct Page<'a> {
    /// The version of the list; a watch goes on from it.
    pub version: String,
    /// Where the next page begins; `None`: this is the last.
    pub token: Option<String>,
    /// Its objects.
    pub items: Vec<&'a RawValue>,
}

/// One line of a watch.
#[derive(Debug)]
pub enum Change<'a> {
    /// The object is new.
    Added(&'a RawValue),
    /// The object changed.
    Modified(&'a RawValue),
    /// The object is gone; this is what it was last.
    Deleted(&'a RawValue),
    /// Nothing, but the watch is this far.
    Bookmark(String),
    /// The watch is over.
    Failed(Error),
}

/// As much of an object as is needed to know which one it is. Anything else in it may be as it likes.
#[derive(Default, Deserialize)]
struct Identity {
    #[serde(default)]
    metadata: Names,
}

/// Which object it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Names {
    /// Its uid.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub resource_version: String,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(default)]
    metadata: ListMetadata,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListMetadata {
    resource_version: String,
    r#continue: String,
}

#[derive(Deserialize)]
struct WatchLine<'a> {
    r#type: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
    message: String,
}

impl<'a> Page<'a> {
    /// Reads a page; its objects are not looked into.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let list: List<'_> = serde_json::from_slice(bytes).map_err(malformed)?;
        let token = Some(list.metadata.r#continue).filter(|token| !token.is_empty());
        if list.metadata.resource_version.is_empty() && token.is_none() {
            return Err(Error::Malformed("a list without a version".to_owned()));
        }
        // Without items it is not a list; without one of them it may be.
        Ok(Self { version: list.metadata.resource_version, token, items: list.items.unwrap_or_default() })
    }
}

impl<'a> Change<'a> {
    /// Reads a line; its object is not looked into.
    pub fn parse(line: &'a [u8]) -> Result<Self, Error> {
        let line: WatchLine<'_> = serde_json::from_slice(line).map_err(malformed)?;
        match line.r#type.as_str() {
            "ADDED" => Ok(Self::Added(line.object)),
            "MODIFIED" => Ok(Self::Modified(line.object)),
            "DELETED" => Ok(Self::Deleted(line.object)),
            "BOOKMARK" => Ok(Self::Bookmark(identity(line.object).resource_version)),
            "ERROR" => {
                let status: Status = serde_json::from_str(line.object.get()).map_err(malformed)?;
                Ok(Self::Failed(Error::with_code(status.code, &status.message, None)))
            }
            other => Err(Error::Malformed(format!("a change of type {other:?}"))),
        }
    }
}

/// Which object this is; empty where it does not say so in the right type.
pub fn identity(object: &RawValue) -> Names {
    serde_json::from_str(object.get()).map_or(Names::default(), |identity: Identity| identity.metadata)
}

/// The object as JSON; kind and version are added where it stood in a list that said them once for all. `None`: nested deeper than we follow.
pub fn object(raw: &RawValue, kind: &str, api_version: &str) -> Option<Value> {
    let mut object: Value = serde_json::from_str(raw.get()).ok()?;
    if let Some(fields) = object.as_object_mut() {
        fields.entry("apiVersion").or_insert_with(|| api_version.into());
        fields.entry("kind").or_insert_with(|| kind.into());
    }
    Some(object)
}

#[allow(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn malformed(cause: serde_json::Error) -> Error {
    Error::Malformed(cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_its_objects_whatever_they_are() {
        let bytes = br#"{"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [{"metadata": {"uid": "u"}}, 5, "x", null]}"#;
        let page = Page::parse(bytes).unwrap();
        assert_eq!((page.version.as_str(), page.token.as_deref(), page.items.len()), ("7", Some("more"), 4));
        assert_eq!(identity(page.items[0]).uid, "u");
        assert_eq!(identity(page.items[1]).uid, "");
        assert_eq!(
            object(page.items[0], "K", "v1").unwrap(),
            serde_json::json!({"metadata": {"uid": "u"}, "kind": "K", "apiVersion": "v1"})
        );
        assert_eq!(object(page.items[1], "K", "v1").unwrap(), 5);
        let empty = Page::parse(br#"{"metadata": {"resourceVersion": "7"}, "items": null}"#).unwrap();
        assert_eq!((empty.items.len(), empty.token), (0, None));
    }

    #[test]
    fn what_is_no_page_is_an_error() {
        for bytes in [&b"[]"[..], b"", b"<html>", br#"{"items": []}"#, br#"{"metadata": {"resourceVersion": 7}}"#, b"\xff"] {
            assert!(Page::parse(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn lines_of_a_watch() {
        let parse = |text: &'static str| Change::parse(text.as_bytes());
        assert!(matches!(parse(r#"{"type": "ADDED", "object": {}}"#), Ok(Change::Added(_))));
        assert!(matches!(parse(r#"{"type": "MODIFIED", "object": 3}"#), Ok(Change::Modified(_))));
        assert!(matches!(parse(r#"{"type": "DELETED", "object": {}}"#), Ok(Change::Deleted(_))));
        let bookmark = parse(r#"{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}"#);
        assert!(matches!(bookmark, Ok(Change::Bookmark(version)) if version == "9"));
        assert!(matches!(parse(r#"{"type": "ERROR", "object": {"code": 410}}"#), Ok(Change::Failed(Error::Expired(_)))));
        for text in ["", "{}", r#"{"type": "ODD", "object": {}}"#, r#"{"type": "ADDED"}"#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_object_nested_without_end_is_known_by_its_uid_and_no_more() {
        let deep = format!(r#"{{"metadata": {{"uid": "u"}}, "spec": {}{}}}"#, "[".repeat(500), "]".repeat(500));
        let raw: Box<RawValue> = RawValue::from_string(deep).unwrap();
        assert_eq!(identity(&raw).uid, "u");
        assert_eq!(object(&raw, "K", "v1"), None);
    }
}
