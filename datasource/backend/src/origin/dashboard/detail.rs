//! What an object's specification tells of its runs: action, parameters, labels, duration, and who made it. Pure.
//!
//! From `kube_object` of `/api/experiments/{uid}` and `/api/archives/{uid}`; what may be shown of it is the model's to say.

use chaoscope_model::run::Run;
use chaoscope_model::specification::{is_one_shot, parameters, stands_for_action};
use chaoscope_model::time::Precision;
use chaoscope_model::{Parent, shortened};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most labels of one experiment, and the longest action, in characters.
const MOST: usize = 32;
const LONGEST: usize = 64;
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
        let action = stands_for_action(kind, object).unwrap_or_else(|| text("/spec/action").to_owned());
        let duration = text("/spec/duration").parse::<SignedDuration>().ok();
        let one_shot = (!action.is_empty()).then(|| is_one_shot(kind, &action));
        Some(Self { action: shortened(&action, LONGEST), parameters: parameters(object), labels, duration, parent, one_shot })
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
