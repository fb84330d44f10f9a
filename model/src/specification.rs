//! What the specification of a Chaos Mesh object says, in short: what it does, with which parameters, and whether that is taken back.
//!
//! From `api/v1alpha1/*_types.go`. Here, because the exporter reads specifications from an API server and the datasource from a Dashboard, and
//! both must leave out the same: what selects, and what may hold somebody's data. To add a chaos kind: an arm in [`stands_for_action`] where it
//! has no `spec.action`.

use crate::observation::TargetName;
use crate::shortened;
use serde_json::Value;
use std::collections::BTreeMap;

/// Most parameters shown of an experiment, and the longest of them and of their paths, in characters.
const MOST_PARAMETERS: usize = 32;
const LONGEST_PARAMETER: usize = 64;
const LONGEST_PATH: usize = 128;
/// How deep a spec is looked into.
const DEEPEST: usize = 6;
/// Keys that are never shown, nor anything below them.
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

/// Kinds whose records name no pod: a machine, or a JSON document of a cloud's selector.
const OUTSIDE: [&str; 4] = ["AWSChaos", "AzureChaos", "GCPChaos", "PhysicalMachineChaos"];

/// Whether the action is done once and never recovered (`controllers/utils/controller`).
pub fn is_one_shot(kind: &str, action: &str) -> bool {
    matches!(
        (kind, action),
        ("PodChaos", "pod-kill" | "container-kill")
            | ("AWSChaos", "ec2-restart")
            | ("AzureChaos", "vm-restart")
            | ("GCPChaos", "node-reset")
    )
}

/// Namespace, pod and container of a record's id: `namespace/pod[/container[/volume]]`. Empty for kinds whose records name no pod.
pub fn target(kind: &str, id: &str) -> TargetName {
    let mut parts = id.splitn(4, '/').map(str::to_owned);
    match (parts.next(), parts.next()) {
        (Some(namespace), Some(pod)) if !OUTSIDE.contains(&kind) => {
            TargetName { namespace, pod, container: parts.next().unwrap_or_else(String::new) }
        }
        _ => TargetName::default(),
    }
}

/// Of a kind without `spec.action`: the parts of the spec that stand for it, `cpu+memory`. `None`: the kind has one.
pub fn stands_for_action(kind: &str, object: &Value) -> Option<String> {
    let parts: &[(&str, &str)] = match kind {
        "HTTPChaos" => &[("abort", "abort"), ("delay", "delay"), ("replace", "replace"), ("patch", "patch")],
        "StressChaos" => &[("stressors.cpu", "cpu"), ("stressors.memory", "memory"), ("stressngStressors", "stress-ng")],
        "TimeChaos" => &[("timeOffset", "time-offset")],
        "KernelChaos" => &[("failKernRequest", "fail-kernel-request")],
        _ => return None,
    };
    let is_given = |path: &str| {
        let value = path.split('.').try_fold(object.get("spec")?, |value, key| value.get(key))?;
        (!value.is_null() && value != false).then_some(())
    };
    let named: Vec<_> = parts.iter().filter(|(path, _)| is_given(path).is_some()).map(|(_, name)| *name).collect();
    Some(named.join("+"))
}

/// Every short value of an object's spec, by its path (`delay.latency`); what is private is left out.
pub fn parameters(object: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if let Some(spec) = object.get("spec") {
        collect(spec, "", 0, &mut found);
    }
    found
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
        if let Some(text) = text.filter(|text| !text.is_empty() && found.len() < MOST_PARAMETERS && path.len() <= LONGEST_PATH) {
            found.insert(path, shortened(&text, LONGEST_PARAMETER));
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
    fn kinds_without_an_action_say_what_they_do() {
        let named = |kind, spec| stands_for_action(kind, &json!({ "spec": spec }));
        assert_eq!(named("HTTPChaos", json!({"target": "Request", "abort": true})).unwrap(), "abort");
        assert_eq!(named("StressChaos", json!({"stressors": {"cpu": {"workers": 1}, "memory": {}}})).unwrap(), "cpu+memory");
        assert_eq!(named("TimeChaos", json!({})).unwrap(), "");
        assert_eq!(named("PodChaos", json!({"action": "pod-kill"})), None);
    }
}
