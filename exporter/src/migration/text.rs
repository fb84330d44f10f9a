//! Changing single strings in the text of a JSON document, so that order and layout of everything else stay byte for byte. Pure.

use serde_json::Value;
use std::collections::BTreeMap;

/// Where in a document: keys, and places in lists.
pub(super) type Keys = Vec<String>;

/// The text with the strings at these places changed. The text is JSON.
pub(super) fn swapped(text: &str, swaps: &BTreeMap<Keys, &str>) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    // Where we are, and of lists at which item.
    let (mut path, mut lists): (Keys, Vec<Option<usize>>) = (Vec::new(), Vec::new());
    while let Some(at) = rest.find(['"', '{', '[', ',', '}', ']']) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let Some(inside) = found.strip_prefix('"') else {
            step(&found[..1], &mut path, &mut lists);
            out.push_str(&found[..1]);
            rest = &found[1..];
            continue;
        };
        rest = found;
        let Some(length) = string_end(inside) else { break };
        let (string, after) = found.split_at(length + 2);
        let is_key = after.trim_start().starts_with(':');
        match swaps.get(&path).filter(|_| !is_key) {
            Some(new) => out.push_str(&Value::from(*new).to_string()),
            None => out.push_str(string),
        }
        if let Some(last) = path.last_mut().filter(|_| is_key) {
            *last = serde_json::from_str(string).unwrap_or_else(|_| string.to_owned());
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// One step in or out of an object or a list, or on to the next item.
fn step(sign: &str, path: &mut Keys, lists: &mut Vec<Option<usize>>) {
    match sign {
        "{" | "[" => {
            path.push("0".to_owned());
            lists.push((sign == "[").then_some(0));
        }
        "," => {
            if let (Some(last), Some(Some(at))) = (path.last_mut(), lists.last_mut()) {
                *at += 1;
                *last = at.to_string();
            }
        }
        _ => {
            path.pop();
            lists.pop();
        }
    }
}

/// Where a JSON string ends that began just before.
fn string_end(inside: &str) -> Option<usize> {
    let mut escaped = false;
    inside.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}
