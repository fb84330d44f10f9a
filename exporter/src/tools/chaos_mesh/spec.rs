//! What an experiment's spec says, in short: its action, its parameters, and what a record's id names.
//!
//! From `api/v1alpha1/*_types.go`. To add a chaos kind: a row in the kinds table, and an arm here where it has no `spec.action`.

use super::fields::{Undecodable, at, text};
use super::kinds::is_experiment;
use chaoscope_model::observation::TargetName;
use chaoscope_model::shortened;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Kinds whose records name no pod: a machine, or a JSON document of a cloud's selector.
const OUTSIDE: [&str; 4] = ["AWSChaos", "AzureChaos", "GCPChaos", "PhysicalMachineChaos"];

/// Most parameters shown of an experiment, and the longest of them.
const MOST_PARAMETERS: usize = 32;
const LONGEST_PARAMETER: usize = 64;
/// How deep a spec is looked into.
const DEEPEST: usize = 6;

/// Whether the action is done once and never recovered (`controllers/utils/controller`).
pub(super) fn is_one_shot(kind: &str, action: &str) -> bool {
    matches!(
        (kind, action),
        ("PodChaos", "pod-kill" | "container-kill")
            | ("AWSChaos", "ec2-restart")
            | ("AzureChaos", "vm-restart")
            | ("GCPChaos", "node-reset")
    )
}

/// `spec.action`, or the parts of the spec that stand for it.
pub(super) fn action(kind: &str, object: &Value) -> Result<String, Undecodable> {
    let parts: &[(&str, &str)] = match kind {
        "HTTPChaos" => &[("abort", "abort"), ("delay", "delay"), ("replace", "replace"), ("patch", "patch")],
        "StressChaos" => &[("stressors.cpu", "cpu"), ("stressors.memory", "memory"), ("stressngStressors", "stress-ng")],
        "TimeChaos" => &[("timeOffset", "time-offset")],
        "KernelChaos" => &[("failKernRequest", "fail-kernel-request")],
        _ => return Ok(text(object, "spec.action")?.unwrap_or_else(String::new)),
    };
    let given = |path: &str| {
        let value = path.split('.').try_fold(object.get("spec")?, |value, key| value.get(key))?;
        (!value.is_null() && value != false).then_some(())
    };
    let named: Vec<_> = parts.iter().filter(|(path, _)| given(path).is_some()).map(|(_, name)| *name).collect();
    Ok(named.join("+"))
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

/// Namespace, pod and container of a record's id: `namespace/pod[/container[/volume]]`.
pub(super) fn target(kind: &str, id: &str) -> TargetName {
    let mut parts = id.splitn(4, '/').map(str::to_owned);
    match (parts.next(), parts.next()) {
        (Some(namespace), Some(pod)) if is_experiment(kind) && !OUTSIDE.contains(&kind) => {
            TargetName { namespace, pod, container: parts.next().unwrap_or_else(String::new) }
        }
        _ => TargetName::default(),
    }
}

/// Every short value of the spec, by its path; what selects, and what may hold somebody's data, is left out.
pub(super) fn parameters(object: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if let Some(spec) = object.get("spec") {
        collect(spec, "", 0, &mut found);
    }
    found
}

fn is_private(key: &str) -> bool {
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
    PRIVATE.contains(&key)
}

fn collect(value: &Value, path: &str, depth: usize, found: &mut BTreeMap<String, String>) {
    let Value::Object(fields) = value else { return };
    for (key, value) in fields.iter().filter(|(key, _)| !is_private(key)) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let scalar = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        };
        let text = match value {
            Value::Object(_) if depth < DEEPEST => {
                collect(value, &path, depth + 1, found);
                None
            }
            Value::Array(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>().map(|items| items.join(",")),
            value => scalar(value),
        };
        if let Some(text) = text.filter(|text| !text.is_empty() && found.len() < MOST_PARAMETERS && path.len() <= 128) {
            found.insert(path, shortened(&text, LONGEST_PARAMETER));
        }
    }
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
    fn parameters_are_short_and_show_nobodys_data() {
        let object = json!({"spec": {
            "action": "delay", "delay": {"latency": "100ms", "jitter": ""}, "selector": {"namespaces": ["shop"]},
            "target": {"mode": "all", "selector": {}}, "externalTargets": ["10.0.0.1", "db"], "replace": {"body": "secret"}, "secretName": "s",
        }});
        let shown: Vec<_> = parameters(&object).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(shown, ["action=delay", "delay.latency=100ms", "externalTargets=10.0.0.1,db", "target.mode=all"]);
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
