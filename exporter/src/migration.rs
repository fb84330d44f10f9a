//! `chaoscope migrate-dashboard`: a saved Grafana dashboard is told to ask Chaoscope's datasource instead of Chaos Mesh's old plugin.
//!
//! Chaoscope's datasource understands what the old plugin saved, so nothing but names of plugins (and, if wanted, a datasource's uid) is
//! changed: in the text itself, so that order and layout of everything else stay byte for byte. Pure, but for [`run`].

use crate::config;
use crate::serve::snapshot::print;
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

/// Plugin id of Chaoscope's datasource.
pub const PLUGIN: &str = "chaoscope-events-datasource";
/// Ids the old plugin had: since v2.2, and before (chaos-mesh/datasource, `src/plugin.json`).
const OLD: [&str; 2] = ["chaosmeshorg-datasource", "yeya24-chaosmesh-datasource"];
/// Largest dashboard that is read, in bytes. Grafana's own are a few hundred kilobytes.
const LARGEST: u64 = 64 << 20;

/// What became of a dashboard.
#[derive(Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The dashboard, changed.
    pub text: String,
    /// What was changed, a line each.
    pub changes: Vec<String>,
    /// What a person has to look at, a line each.
    pub remarks: Vec<String>,
}

/// Why a file was left alone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not JSON.
    #[error("not a dashboard's JSON")]
    Json(#[from] serde_json::Error),
    /// JSON, but no object.
    #[error("a dashboard is a JSON object; this is something else")]
    Shape,
}

/// Reads, migrates, writes and tells. Text goes to standard output unless `--output` or `--in-place` say otherwise, what changed to standard
/// error.
pub fn run(flags: &config::MigrateDashboard) -> anyhow::Result<()> {
    let named = flags.file.display();
    if flags.in_place && flags.file.as_os_str() == "-" {
        bail!("standard input cannot be written over: leave --in-place out, or name a file");
    }
    let text = read(&flags.file).with_context(|| format!("cannot read {named}"))?;
    let migrated = migrate(&text, flags.uid.as_deref()).with_context(|| named.to_string())?;
    let target = if flags.in_place { Some(&flags.file) } else { flags.output.as_ref() };
    match target {
        Some(path) if migrated.text != text || !flags.in_place => {
            write(path, &migrated.text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Some(_) => {}
        None => print(&migrated.text)?,
    }
    tell(&named.to_string(), &migrated);
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let file: Box<dyn Read> = if path.as_os_str() == "-" { Box::new(std::io::stdin()) } else { Box::new(File::open(path)?) };
    file.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        bail!("larger than {} MiB", LARGEST >> 20);
    }
    Ok(text)
}

/// Beside the file first, so that one that cannot be written whole is not lost.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let path = if path.exists() { path.canonicalize()? } else { path.to_owned() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    match path.metadata() {
        Ok(old) => file.as_file().set_permissions(old.permissions())?,
        Err(_) => file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?,
    }
    file.persist(&path)?;
    Ok(())
}

#[allow(clippy::print_stderr)] // the answer of a command whose standard output is the dashboard
fn tell(name: &str, migrated: &Migrated) {
    let count = migrated.changes.len();
    eprintln!(
        "{name}: {}",
        if count == 0 { "nothing of the old plugin in it; left as it is".to_owned() } else { format!("{count} changed") }
    );
    migrated.changes.iter().for_each(|line| eprintln!("  {line}"));
    migrated.remarks.iter().for_each(|line| eprintln!("  note: {line}"));
}

/// Swaps the plugin; with `uid`, lets everything that asked an old datasource ask that one.
pub fn migrate(text: &str, uid: Option<&str>) -> Result<Migrated, Error> {
    let dashboard: Value = serde_json::from_str(text)?;
    if !dashboard.is_object() {
        return Err(Error::Shape);
    }
    let mut found = Found::default();
    found.walk(&dashboard, "dashboard");
    let uids = if uid.is_some() { std::mem::take(&mut found.uids) } else { BTreeSet::new() };
    let changed = swapped(text, |key, value| {
        if OLD.contains(&value) {
            return Some(PLUGIN);
        }
        uid.filter(|_| UID_KEYS.contains(&key) && uids.contains(value))
    });
    if uid.is_none() && !found.uids.is_empty() {
        let list: Vec<_> = found.uids.iter().map(String::as_str).collect();
        found.remarks.push(format!(
            "Grafana finds a datasource by its uid first: give Chaoscope's datasource the uid {}, or say --uid",
            list.join(" and ")
        ));
    }
    Ok(Migrated { text: changed, changes: found.changes, remarks: found.remarks })
}

/// Where a dashboard writes a datasource's uid: `datasource.uid`, and `datasource.name` in Grafana's second schema.
const UID_KEYS: [&str; 2] = ["uid", "name"];

/// What of the old plugin is in a dashboard.
#[derive(Default)]
struct Found {
    changes: Vec<String>,
    remarks: Vec<String>,
    uids: BTreeSet<String>,
}

impl Found {
    fn walk(&mut self, value: &Value, place: &str) {
        match value {
            Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| self.walk(item, &named(item, place, at))),
            Value::Object(object) => {
                let old = object.iter().find(|(_, value)| value.as_str().is_some_and(|text| OLD.contains(&text)));
                if let Some((key, value)) = old {
                    self.changes.push(format!("{place}: {key} {} → {PLUGIN}", value.as_str().unwrap_or_default()));
                    let uid = object.get("uid").or_else(|| object.get("datasource").and_then(|it| it.get("name")));
                    // `$DS` and `${DS}` are asked when the dashboard is opened.
                    self.uids.extend(uid.and_then(Value::as_str).filter(|uid| !uid.is_empty() && !uid.starts_with('$')).map(str::to_owned));
                }
                self.remark(object, place);
                for (key, value) in object {
                    let inside = if value.is_object() && key != "datasource" { format!("{place}, {key}") } else { place.to_owned() };
                    self.walk(value, &inside);
                }
            }
            _ => {}
        }
    }

    /// Before Grafana 8.3 a datasource was a name, which says nothing of its plugin.
    fn remark(&mut self, object: &serde_json::Map<String, Value>, place: &str) {
        let ours = ["object_id", "eventName"].iter().any(|key| object.contains_key(*key));
        if let Some(name) = object.get("datasource").and_then(Value::as_str).filter(|name| ours && !name.starts_with('$')) {
            self.remarks
                .push(format!("{place} names its datasource {name:?} only: if that was Chaos Mesh's, choose Chaoscope's in Grafana"));
        }
    }
}

/// What a person calls an item of a list.
fn named(item: &Value, place: &str, at: usize) -> String {
    let text = |key| item.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text("title").or_else(|| text("name")).map(|name| format!("{:?}", name.chars().take(60).collect::<String>()));
    let name = name.or_else(|| text("refId").map(|letter| format!("query {letter}")));
    format!("{place}, {}", name.unwrap_or_else(|| format!("#{}", at + 1)))
}

/// The text with string values changed as `change(key, value)` says; `key` is empty in lists. The text is JSON.
fn swapped<'c>(text: &str, change: impl Fn(&str, &str) -> Option<&'c str>) -> String {
    let (mut out, mut rest, mut key) = (String::with_capacity(text.len()), text, "");
    while let Some(begin) = rest.find('"') {
        let inside = &rest[begin + 1..];
        let Some(length) = string_end(inside) else { break };
        let (value, after) = (&inside[..length], &inside[length + 1..]);
        let is_key = after.trim_start().starts_with(':');
        let changed = if is_key { None } else { change(key, value) };
        out.push_str(&rest[..=begin]);
        out.push_str(changed.unwrap_or(value));
        out.push('"');
        key = if is_key { value } else { "" };
        rest = after;
    }
    out.push_str(rest);
    out
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DASHBOARD: &str = r#"{
  "__inputs": [{"name": "DS_CHAOS", "type": "datasource", "pluginId": "chaosmeshorg-datasource", "pluginName": "Chaos Mesh"}],
  "annotations": {"list": [
    {"name": "chaos", "datasource": {"type": "chaosmeshorg-datasource", "uid": "chaos-1"}, "target": {"kind": "NetworkChaos", "limit": null}},
    {"name": "old", "datasource": "Chaos Mesh", "eventName": "delay"}]},
  "panels": [
    {"id": 3, "title": "Events \"all\"", "datasource": {"uid": "chaos-1", "type": "chaosmeshorg-datasource"}, "targets": [
      {"refId": "A", "namespace": "$ns", "datasource": {"type": "chaosmeshorg-datasource", "uid": "chaos-1"}}]},
    {"title": "Row", "panels": [{"title": "CPU", "datasource": {"type": "prometheus", "uid": "prom"}}]}],
  "templating": {"list": [{"name": "ds", "type": "datasource", "query": "chaosmeshorg-datasource"}]},
  "title": "about chaosmeshorg-datasource",   "uid": "my-board"
}
"#;

    #[test]
    fn a_dashboard_asks_the_new_plugin_and_all_else_stays_as_it_was() {
        let migrated = migrate(DASHBOARD, None).unwrap();
        let by_hand = DASHBOARD.replace("\"chaosmeshorg-datasource\"", "\"chaoscope-events-datasource\"");
        assert_eq!(migrated.text, by_hand);
        assert_eq!(migrated.changes.len(), 5, "{:#?}", migrated.changes);
        assert!(
            migrated.changes.iter().any(|line| line.starts_with("dashboard, \"Events \\\"all\\\"\", query A: type ")),
            "{:#?}",
            migrated.changes
        );
        let said = migrated.remarks.join("\n");
        assert!(said.contains("the uid chaos-1") && said.contains("\"old\" names its datasource \"Chaos Mesh\""), "{said}");
    }

    #[test]
    fn a_uid_is_swapped_where_the_old_plugin_was_meant() {
        let migrated = migrate(DASHBOARD, Some("chaoscope")).unwrap();
        let count = |text| migrated.text.matches(text).count();
        assert_eq!((count("\"uid\": \"chaoscope\""), count("chaos-1"), count("\"uid\": \"prom\""), count("\"my-board\"")), (3, 0, 1, 1));
        assert!(!migrated.remarks.iter().any(|line| line.contains("--uid")));
        let second = r#"{"spec":{"query":{"kind":"DataQuery","group":"chaosmeshorg-datasource","datasource":{"name":"abc"},"spec":{}}}}"#;
        let wanted =
            r#"{"spec":{"query":{"kind":"DataQuery","group":"chaoscope-events-datasource","datasource":{"name":"new"},"spec":{}}}}"#;
        assert_eq!(migrate(second, Some("new")).unwrap().text, wanted);
    }

    #[test]
    fn what_has_nothing_of_the_old_plugin_is_left_alone() {
        let text = r#"{"panels":[{"title":"a","description":"\\\"chaosmeshorg-datasource\\"}]}"#;
        assert_eq!(migrate(text, None).unwrap(), Migrated { text: text.into(), changes: vec![], remarks: vec![] });
        assert!(matches!(migrate("[]", None), Err(Error::Shape)));
        assert!(matches!(migrate("<html>", None), Err(Error::Json(_))));
    }

    proptest! {
        #[test]
        fn any_json_comes_back_as_it_was(texts in proptest::collection::vec("\\PC*", 0..8)) {
            let text = serde_json::json!({ "panels": texts, "x": { "uid": texts } }).to_string();
            prop_assert_eq!(migrate(&text, Some("u")).unwrap().text, text);
        }
    }
}
