//! Bytes → the keys of the web configuration, and what is said when they do not fit.
//!
//! Apart from the keys themselves (`file`), because its care is another: no message may repeat a value, which can be a secret.

use std::path::Path;

use serde_saphyr::Error as YamlError;

use super::error::{WebError, shown};
use super::file::WebFile;

/// Bytes of the file at `file` → its keys. An empty file is an empty configuration.
pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<WebFile, WebError> {
    let form = |line: u64, problem: String| WebError::Form { file: file.to_path_buf(), line, problem };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.iter().take(error.valid_up_to());
        let line = 1 + before.filter(|byte| **byte == b'\n').count() as u64;
        form(line, "not UTF-8 text; save the file as UTF-8".to_owned())
    })?;
    // No snippet: it would carry lines of the file, secrets included, into the message.
    let options = serde_saphyr::options! { with_snippet: false };
    let parsed: Result<Option<WebFile>, _> = serde_saphyr::from_str_with_options(text, options);
    parsed.map(Option::unwrap_or_default).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        let key = key_on(text, line).map(|key| format!("{key}: ")).unwrap_or_default();
        form(line, format!("{key}{}", explain(error.without_snippet())))
    })
}

/// What is wrong, in words that repeat keys but never a value of the file.
fn explain(error: &YamlError) -> String {
    match error {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            let allowed = expected.join(", ");
            format!("unknown key {}; allowed here: {allowed}", shown(field))
        }
        YamlError::DuplicateMappingKey { key: Some(key), .. } => {
            format!("key {} is given twice; keep one of them", shown(key))
        }
        YamlError::SerdeInvalidType { expected, .. } | YamlError::SerdeInvalidValue { expected, .. } => needed(expected),
        YamlError::InvalidScalar { ty, .. } => needed(ty),
        YamlError::Unexpected { expected, .. } => needed(expected),
        YamlError::NullIntoString { .. } => "a value is missing here; write one or remove the key".to_owned(),
        YamlError::MultipleDocuments { .. } => "a second YAML document; keep only one".to_owned(),
        YamlError::Budget { .. } => "larger or deeper than such a file can be".to_owned(),
        YamlError::ExternalMessage { msg, .. } => format!("not valid YAML: {msg}"),
        _ => "not valid YAML for this file; see docs/web-config.md for its form".to_owned(),
    }
}

/// What the YAML library expected, without its jargon.
fn needed(expected: &str) -> String {
    let words = match expected {
        "mapping start" => "a mapping (key: value)",
        "sequence start" => "a list ([a, b])",
        "scalar" | "string scalar" => "a text",
        "boolean" => "true or false",
        "i64" => "a whole number",
        other => other,
    };
    format!("{words} is needed here")
}

/// The key a line begins with, if it is a plain word: a value never gets into a message this way.
fn key_on(text: &str, line: u64) -> Option<&str> {
    let line = text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
    let (key, _) = line.trim_start().split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!key.is_empty() && key.len() <= 64 && key.chars().all(plain)).then_some(key)
}
