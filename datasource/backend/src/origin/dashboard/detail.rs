//! What an object's specification tells of its runs: action, parameters, labels, duration, and who made it. Pure.
//!
//! From `kube_object` of `/api/experiments/{uid}` and `/api/archives/{uid}`. What selects, and what may hold somebody's data, is left out.

use chaoscope_model::run::Run;
use chaoscope_model::time::Precision;
use chaoscope_model::{Parent, shortened};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most parameters of one experiment, and the longest of them, in characters.
const MOST: usize = 32;
const LONGEST: usize = 64;
/// How deep a specification is looked into.
const DEEPEST: usize = 6;
/// Keys that are never shown.
const PRIVATE: [&str; 13] = [
    "selector",
    "body",
    "headers",
    "request_headers",
    "response_headers",
    "queries",
    "ruleData",
    "patch",
    "replace",
    "user",
    "password",
    "secretName",
    "expInfo",
];
/// Actions that are done once and never taken back, by kind.
const ONCE: [(&str, &str); 5] = [
    ("PodChaos", "pod-kill"),
    ("PodChaos", "container-kill"),
    ("AWSChaos", "ec2-restart"),
    ("AzureChaos", "vm-restart"),
    ("GCPChaos", "node-reset"),
];
/// Labels by which Chaos Mesh says who made an object.
const MADE_BY: [(&str, &str); 2] = [("managed-by", "Schedule"), ("chaos-mesh.org/workflow", "Workflow")];

/// What a specification tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Detail {
    action: String,
    parameters: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    duration: Option<SignedDuration>,
    parent: Option<Parent>,
    /// Whether its action is done once; `None` where there is no action.
    pub(super) one_shot: Option<bool>,
}

impl Detail {
    pub(super) fn of(answer: &Value) -> Option<Self> {
        let object = answer.get("kube_object")?;
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or("");
        let kind = answer.get("kind").and_then(Value::as_str).unwrap_or_else(|| text("/kind"));
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
        let labels: BTreeMap<String, String> =
            labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).take(MOST).collect();
        let made = MADE_BY.iter().find_map(|(label, kind)| Some((labels.get(*label)?, *kind)));
        let parent = made.map(|(name, kind)| Parent {
            kind: kind.to_owned(),
            namespace: text("/metadata/namespace").to_owned(),
            name: name.clone(),
            uid: String::new(),
        });
        let mut parameters = BTreeMap::new();
        if let Some(spec) = object.get("spec") {
            collect(spec, "", 0, &mut parameters);
        }
        let action = text("/spec/action");
        let duration = text("/spec/duration").parse::<SignedDuration>().ok();
        let one_shot = (!action.is_empty()).then(|| ONCE.contains(&(kind, action)));
        Some(Self { action: shortened(action, LONGEST), parameters, labels, duration, parent, one_shot })
    }

    /// Adds to a run what it does not say yet.
    pub(super) fn tell(&self, run: &mut Run, created_at: Option<Timestamp>) {
        run.action = self.action.clone();
        run.parameters = self.parameters.clone();
        run.labels = self.labels.clone();
        run.parent = self.parent.clone();
        let due = created_at.zip(self.duration).and_then(|(at, duration)| at.checked_add(duration).ok());
        if let Some(due) = due.filter(|_| self.one_shot != Some(true)) {
            run.expected_end_at = Some(due);
            run.precision.insert("expected_end_at".to_owned(), Precision::S);
        }
    }
}

fn collect(value: &Value, path: &str, depth: usize, found: &mut BTreeMap<String, String>) {
    let Value::Object(fields) = value else { return };
    for (key, value) in fields.iter().filter(|(key, _)| !PRIVATE.contains(&key.as_str())) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let text = match value {
            Value::Object(_) if depth < DEEPEST => {
                collect(value, &path, depth + 1, found);
                None
            }
            Value::Array(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>().map(|items| items.join(",")),
            value => scalar(value),
        };
        if let Some(text) = text.filter(|text| !text.is_empty() && found.len() < MOST && path.len() <= 128) {
            found.insert(path, shortened(&text, LONGEST));
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
