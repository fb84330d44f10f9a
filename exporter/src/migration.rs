//! `chaoscope migrate-dashboard`: a saved Grafana dashboard is told to ask Chaoscope's datasource instead of Chaos Mesh's old plugin.
//!
//! Chaoscope's datasource understands what the old plugin saved, so nothing but names of plugins (and, if wanted, a datasource's uid) is
//! changed: in the text itself, so that order and layout of everything else stay byte for byte. Pure, but for [`run`].

mod text;

use crate::config;
use crate::serve::snapshot::print;
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;
use text::{Keys, swapped};

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
    // Some programs begin a file with a byte order mark.
    let json = text.trim_start_matches('\u{feff}');
    let dashboard: Value = serde_json::from_str(json)?;
    if !dashboard.is_object() {
        return Err(Error::Shape);
    }
    let mut found = Found { uid, ..Found::default() };
    found.collect(&dashboard);
    found.walk(&dashboard, "dashboard", &mut Vec::new());
    if uid.is_none() && !found.uids.is_empty() {
        let list: Vec<_> = found.uids.iter().map(String::as_str).collect();
        found.remarks.push(format!(
            "Grafana finds a datasource by its uid first: give Chaoscope's datasource the uid {}, or say --uid",
            list.join(" and ")
        ));
    }
    let text = if found.swaps.is_empty() { text.to_owned() } else { swapped(json, &found.swaps) };
    Ok(Migrated { text, changes: found.changes, remarks: found.remarks })
}

/// Keys by which dashboards name a plugin: a datasource's `type`, `group` and `kind` in Grafana's second schema, a datasource variable's
/// `query` and `pluginId`, and `id` of what an export requires.
const PLUGIN_KEYS: [&str; 6] = ["type", "group", "kind", "query", "pluginId", "id"];
/// Where a reference (`datasource`) writes a datasource's uid: `name` in Grafana's second schema.
const UID_KEYS: [&str; 2] = ["uid", "name"];

type Object = serde_json::Map<String, Value>;

fn is_old(value: &Value) -> bool {
    value.as_str().is_some_and(|text| OLD.contains(&text))
}

/// The uids by which an object that names the old plugin says which datasource is meant.
fn uids_of(object: &Object) -> Vec<&str> {
    let reference = object.get("datasource").and_then(|it| it.get("name"));
    let chosen = match object.get("current").and_then(|it| it.get("value")) {
        Some(Value::Array(several)) => several.iter().collect(),
        one => one.into_iter().collect::<Vec<_>>(),
    };
    let own = object.get("type").filter(|it| is_old(it)).and_then(|_| object.get("uid"));
    let all = own.into_iter().chain(reference).chain(chosen).filter_map(Value::as_str);
    // `$DS` and `${DS}` are asked when the dashboard is opened, and so is the default.
    all.filter(|uid| !uid.is_empty() && !uid.starts_with('$') && *uid != "default").collect()
}

/// What of the old plugin is in a dashboard.
#[derive(Default)]
struct Found<'u> {
    uid: Option<&'u str>,
    changes: Vec<String>,
    remarks: Vec<String>,
    uids: BTreeSet<String>,
    swaps: BTreeMap<Keys, &'u str>,
}

impl<'u> Found<'u> {
    fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(object) => {
                if object.iter().any(|(key, value)| PLUGIN_KEYS.contains(&key.as_str()) && is_old(value)) {
                    self.uids.extend(uids_of(object).into_iter().map(str::to_owned));
                }
                object.values().for_each(|value| self.collect(value));
            }
            _ => {}
        }
    }

    fn walk(&mut self, value: &Value, place: &str, path: &mut Keys) {
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    path.push(at.to_string());
                    self.walk(item, &named(item, place, at), path);
                    path.pop();
                }
            }
            Value::Object(object) => self.object(object, place, path),
            _ => {}
        }
    }

    fn object(&mut self, object: &Object, place: &str, path: &mut Keys) {
        let plugin = object.iter().find(|(key, value)| PLUGIN_KEYS.contains(&key.as_str()) && is_old(value)).map(|(key, _)| key);
        self.remark(object, place);
        for (key, value) in object {
            path.push(key.clone());
            if is_old(value) && PLUGIN_KEYS.contains(&key.as_str()) {
                self.swap(path, place, value, PLUGIN);
            } else if key == "datasource" {
                self.reference(value, place, path);
            } else if key == "current" && plugin.is_some() {
                self.chosen(value.get("value"), place, path);
            }
            let inside = if value.is_object() && key != "datasource" { format!("{place}, {key}") } else { place.to_owned() };
            self.walk(value, &inside, path);
            path.pop();
        }
    }

    /// A reference to a datasource: an object, or its uid alone. One that says another plugin is not ours.
    fn reference(&mut self, value: &Value, place: &str, path: &mut Keys) {
        let Some(uid) = self.uid else { return };
        let ours = value.get("type").is_none_or(is_old);
        if self.is_known(value) {
            self.swap(path, place, value, uid);
        }
        for key in UID_KEYS {
            if let Some(value) = value.get(key).filter(|value| ours && self.is_known(value)) {
                path.push(key.to_owned());
                self.swap(path, place, value, uid);
                path.pop();
            }
        }
    }

    /// What a datasource variable has chosen: a uid, or several.
    fn chosen(&mut self, value: Option<&Value>, place: &str, path: &mut Keys) {
        let (Some(uid), Some(value)) = (self.uid, value) else { return };
        path.push("value".to_owned());
        for (at, item) in
            value.as_array().into_iter().flatten().enumerate().filter(|(_, item)| self.uids.contains(item.as_str().unwrap_or("")))
        {
            path.push(at.to_string());
            self.swaps.insert(path.clone(), uid);
            self.changes.push(format!("{place}: current {item} → {uid}"));
            path.pop();
        }
        if self.is_known(value) {
            self.swap(path, place, value, uid);
        }
        path.pop();
    }

    fn is_known(&self, value: &Value) -> bool {
        value.as_str().is_some_and(|uid| self.uids.contains(uid))
    }

    fn swap(&mut self, path: &Keys, place: &str, old: &Value, new: &'u str) {
        if old.as_str() == Some(new) {
            return;
        }
        let key = path.last().map_or("", String::as_str);
        self.changes.push(format!("{place}: {key} {} → {new}", old.as_str().unwrap_or_default()));
        self.swaps.insert(path.clone(), new);
    }

    /// Before Grafana 8.3 a datasource was a name, which says nothing of its plugin; what is asked of it may.
    fn remark(&mut self, object: &Object, place: &str) {
        let kind = |query: &Object| query.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("Chaos"));
        let asks = |query: &Object| ["object_id", "eventName"].iter().any(|key| query.contains_key(*key)) || kind(query);
        let targets = object.get("targets").and_then(Value::as_array).into_iter().flatten();
        let variable = object.get("query").and_then(Value::as_object).is_some_and(|query| query.contains_key("metric"));
        let ours = asks(object) || variable || targets.filter_map(Value::as_object).any(asks);
        let name =
            object.get("datasource").and_then(Value::as_str).filter(|name| ours && !name.starts_with('$') && !self.uids.contains(*name));
        if let Some(name) = name {
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

    #[test]
    fn a_name_that_is_also_a_uid_stays_what_it_is() {
        let old = r#"{"uid":"chaos","title":"chaos","templating":{"list":[{"name":"chaos"},
            {"name":"DS","type":"datasource","query":"chaosmeshorg-datasource","current":{"text":"Chaos","value":"chaos"}}]},
            "panels":[{"datasource":{"type":"prometheus","uid":"chaos"}},{"datasource":{"uid":"chaos"}},{"datasource":"chaos"},
            {"datasource":{"type":"chaosmeshorg-datasource","uid":"chaos"},"targets":[{"refId":"A","name":"chaos","namespace":"chaos"}]}]}"#;
        let migrated = migrate(old, Some("new")).unwrap();
        let wanted = old
            .replace("chaosmeshorg-datasource", PLUGIN)
            .replace("\"value\":\"chaos\"", "\"value\":\"new\"")
            .replace("{\"uid\":\"chaos\"}", "{\"uid\":\"new\"}")
            .replace("\"datasource\":\"chaos\"", "\"datasource\":\"new\"")
            .replace("datasource\",\"uid\":\"chaos\"}", "datasource\",\"uid\":\"new\"}");
        assert_eq!(migrated.text, wanted);
        assert_eq!(migrated.changes.len(), 6, "{:#?}", migrated.changes);
    }

    #[test]
    fn what_is_said_to_be_changed_is_changed() {
        let escaped = "\u{feff}{\"panels\":[{\"datasource\":{\"type\":\"chaosmeshorg\\u002ddatasource\",\"uid\":\"a\\u0062c\"}}]}";
        let migrated = migrate(escaped, Some("new")).unwrap();
        assert_eq!(migrated.text, r#"{"panels":[{"datasource":{"type":"chaoscope-events-datasource","uid":"new"}}]}"#);
        assert_eq!(migrated.changes.len(), 2, "{:#?}", migrated.changes);
    }

    #[test]
    fn datasources_that_are_names_are_pointed_out() {
        let old = r#"{"panels":[{"title":"a","datasource":"Chaos Mesh","targets":[{"refId":"A","kind":"NetworkChaos"}]},
            {"title":"b","datasource":"Prometheus","targets":[{"refId":"A","expr":"up"}]},{"title":"c","datasource":"$DS","targets":[{"object_id":""}]}],
            "templating":{"list":[{"name":"ns","datasource":"Chaos Mesh","query":{"metric":"namespace"}}]}}"#;
        let remarks = migrate(old, None).unwrap().remarks;
        assert!(remarks.len() == 2 && remarks[0].contains("\"a\"") && remarks[1].contains("\"ns\""), "{remarks:#?}");
    }

    proptest! {
        #[test]
        fn any_json_comes_back_as_it_was(texts in proptest::collection::vec("\\PC*", 0..8)) {
            let text = serde_json::json!({ "panels": texts, "x": { "uid": texts } }).to_string();
            prop_assert_eq!(migrate(&text, Some("u")).unwrap().text, text);
        }
    }
}
