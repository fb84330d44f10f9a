//! What an experiment's spec says: its action, what a schedule makes, and what a record's id names.
//!
//! From `api/v1alpha1/*_types.go`. What does not depend on how an object is decoded is in `chaoscope_model::specification`. To add a chaos kind:
//! a row in the kinds table, and an arm there where it has no `spec.action`.

use super::fields::{Undecodable, at, text};
use super::kinds::is_experiment;
use chaoscope_model::observation::TargetName;
use chaoscope_model::specification::{self, stands_for_action};
use serde_json::{Value, json};

/// `spec.action`, or the parts of the spec that stand for it.
pub(super) fn action(kind: &str, object: &Value) -> Result<String, Undecodable> {
    match stands_for_action(kind, object) {
        Some(parts) => Ok(parts),
        None => Ok(text(object, "spec.action")?.unwrap_or_else(String::new)),
    }
}

/// What a schedule makes, as an object with that spec and nothing else; the spec is empty where it has none, as for a workflow.
/// It is in a field named after the kind: `networkChaos`, `physicalmachineChaos`.
pub(super) fn child(makes: &str, schedule: &Value) -> Result<Value, Undecodable> {
    let spec = match makes.strip_suffix("Chaos") {
        Some(kind) if is_experiment(makes) => at(schedule, &format!("spec.{}Chaos", kind.to_lowercase()))?,
        _ => None,
    };
    Ok(json!({ "spec": spec.unwrap_or(&json!({})) }))
}

/// What a record's id names; nothing for what is no experiment.
pub(super) fn target(kind: &str, id: &str) -> TargetName {
    if is_experiment(kind) { specification::target(kind, id) } else { TargetName::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_id_of_a_record_names_its_target() {
        let named = |kind, id| {
            let target = target(kind, id);
            [target.namespace, target.pod, target.container]
        };
        assert_eq!(named("NetworkChaos", "shop/web-0"), ["shop", "web-0", ""]);
        assert_eq!(named("StressChaos", "shop/web-0/app"), ["shop", "web-0", "app"]);
        assert_eq!(named("BlockChaos", "shop/db-0/db//var/lib/db"), ["shop", "db-0", "db"]);
        assert_eq!(named("PhysicalMachineChaos", "http://10.0.0.1:31767"), ["", "", ""]);
        assert_eq!(named("AWSChaos", r#"{"ec2Instance":"i/0"}"#), ["", "", ""]);
    }

    #[test]
    fn a_schedule_holds_what_it_makes_under_the_kinds_name() {
        let schedule = |key: &str, spec: Value| json!({ "spec": { "type": "?", key: spec } });
        let partition = schedule("networkChaos", json!({"action": "partition"}));
        assert_eq!(action("NetworkChaos", &child("NetworkChaos", &partition).unwrap()).unwrap(), "partition");
        let machine = schedule("physicalmachineChaos", json!({"action": "disk-fill"}));
        assert_eq!(child("PhysicalMachineChaos", &machine).unwrap()["spec"]["action"], "disk-fill");
        for (makes, schedule) in [("Workflow", schedule("workflow", json!({"entry": "all"}))), ("PodChaos", partition)] {
            assert_eq!(child(makes, &schedule).unwrap(), json!({"spec": {}}), "{makes}");
        }
    }

    #[test]
    fn kinds_without_an_action_say_what_they_do() {
        let named = |kind, spec| action(kind, &json!({ "spec": spec })).unwrap();
        assert_eq!(named("HTTPChaos", json!({"target": "Request", "abort": true})), "abort");
        assert_eq!(named("StressChaos", json!({"stressors": {"cpu": {"workers": 1}, "memory": {}}})), "cpu+memory");
        assert_eq!(named("PodChaos", json!({"action": "pod-kill"})), "pod-kill");
        assert!(action("PodChaos", &json!({"spec": {"action": 1}})).is_err());
    }
}
