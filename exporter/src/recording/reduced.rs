//! What of an object may be written into a recording. Pure.
//!
//! A recording is made to be given away, so it holds what the runs need and nothing that could be a secret: objects of chaos tools without
//! what is sent to or started on targets, Events about them, and pods as names, places and conditions. Everything else is left out whole.

use super::EVENTS;
use serde_json::{Map, Value, json};

/// API groups of chaos tools; `*.` before one counts too.
const GROUPS: [&str; 1] = ["chaos-mesh.org"];
/// What may hold a secret, wherever it stands in an experiment, a workflow's task or a status check; lower case, without `-` and `_`.
const UNWRITTEN: [&str; 20] = [
    "args",
    "attackcmd",
    "body",
    "command",
    "data",
    "env",
    "envfrom",
    "header",
    "headers",
    "passwd",
    "password",
    "queries",
    "requestheaders",
    "responseheaders",
    "ruledata",
    "secret",
    "secretname",
    "stringdata",
    "token",
    "user",
];
/// The copy of the whole object that kubectl keeps.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Longer annotations are left out: they are documents, not marks.
const LONGEST_ANNOTATION: usize = 256;
/// Of metadata that is written.
const METADATA: [&str; 12] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "finalizers",
    "generateName",
    "labels",
    "ownerReferences",
];
/// Of an Event that is written, besides its metadata.
const EVENT: [&str; 14] = [
    "apiVersion",
    "kind",
    "action",
    "count",
    "eventTime",
    "firstTimestamp",
    "involvedObject",
    "lastTimestamp",
    "message",
    "reason",
    "reportingComponent",
    "reportingInstance",
    "source",
    "type",
];

/// The object as it may be written; nothing where nothing of it may.
pub fn reduced(resource: &str, object: &Value) -> Option<Value> {
    let whole = object.as_object()?;
    let group = |version: &str| is_chaos(version.split_once('/').map_or("", |(group, _)| group));
    match resource {
        EVENTS => {
            let about = whole.get("involvedObject")?.get("apiVersion")?.as_str()?;
            group(about).then(|| with_metadata(picked(whole, &EVENT), whole, true))
        }
        "pods" => Some(pod(whole)),
        _ => group(whole.get("apiVersion")?.as_str()?).then(|| experiment(whole)),
    }
}

fn is_chaos(group: &str) -> bool {
    GROUPS.iter().any(|known| group.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

fn picked(of: &Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    keys.iter().filter_map(|key| Some(((*key).to_owned(), of.get(*key)?.clone()))).collect()
}

fn with_metadata(mut out: Map<String, Value>, whole: &Map<String, Value>, annotations: bool) -> Value {
    let Some(metadata) = whole.get("metadata").and_then(Value::as_object) else { return Value::Object(out) };
    let mut kept = picked(metadata, &METADATA);
    if let Some(Value::Object(marks)) = metadata.get("annotations").filter(|_| annotations) {
        let short = |text: &Value| text.as_str().is_some_and(|text| text.len() <= LONGEST_ANNOTATION);
        let own = |name: &str| name.split_once('/').is_some_and(|(group, _)| is_chaos(group)); // what a tool says in a structured form
        let marks = marks.iter().filter(|(name, text)| *name != LAST_APPLIED && (own(name) || short(text)));
        kept.insert("annotations".to_owned(), marks.map(|(name, text)| (name.clone(), text.clone())).collect());
    }
    // Who wrote, not what: that is as long as the object.
    if let Some(Value::Array(writers)) = metadata.get("managedFields") {
        let writers = writers.iter().filter_map(Value::as_object).map(|writer| {
            let mut out = picked(writer, &["manager", "operation", "time", "subresource"]);
            if writer.get("fieldsV1").and_then(|fields| fields.get("f:spec")).is_some() {
                out.insert("fieldsV1".to_owned(), json!({"f:spec": {}})); // who wrote the spec began the experiment
            }
            Value::Object(out)
        });
        kept.insert("managedFields".to_owned(), writers.collect());
    }
    out.insert("metadata".to_owned(), Value::Object(kept));
    Value::Object(out)
}

fn experiment(whole: &Map<String, Value>) -> Value {
    let mut out = picked(whole, &["apiVersion", "kind", "spec", "status"]);
    out.values_mut().for_each(silence);
    with_metadata(out, whole, true)
}

/// Takes away what may hold a secret. The parser's own limit on depth holds the recursion.
fn silence(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !UNWRITTEN.contains(&key.replace(['-', '_'], "").to_lowercase().as_str()));
            map.values_mut().for_each(silence);
        }
        Value::Array(values) => values.iter_mut().for_each(silence),
        _ => {}
    }
}

fn pod(whole: &Map<String, Value>) -> Value {
    let part = |name: &str| whole.get(name).and_then(Value::as_object);
    let mut spec = part("spec").map_or_else(Map::new, |spec| picked(spec, &["nodeName", "hostNetwork"]));
    for group in ["initContainers", "containers"] {
        if let Some(containers) = part("spec").and_then(|spec| spec.get(group)?.as_array()) {
            let named = containers.iter().filter_map(Value::as_object).map(|container| picked(container, &["name", "image"]));
            spec.insert(group.to_owned(), named.map(Value::Object).collect());
        }
    }
    let mut status = part("status").map_or_else(Map::new, |status| picked(status, &["phase", "startTime"]));
    if let Some(conditions) = part("status").and_then(|status| status.get("conditions")?.as_array()) {
        let told = ["type", "status", "lastTransitionTime", "reason"];
        let told = conditions.iter().filter_map(Value::as_object).map(|condition| picked(condition, &told));
        status.insert("conditions".to_owned(), told.map(Value::Object).collect());
    }
    let out = json!({"apiVersion": "v1", "kind": "Pod", "spec": spec, "status": status});
    with_metadata(out.as_object().cloned().unwrap_or_else(Map::new), whole, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A secret in every place where one can be.
    const SECRET: &str = "hunter2";

    #[test]
    fn a_pod_is_names_places_and_conditions() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "web-0", "namespace": "shop", "uid": "u", "labels": {"app": "web"},
                "ownerReferences": [{"kind": "StatefulSet", "name": "web", "uid": "w", "apiVersion": "apps/v1"}],
                "annotations": {"vault": SECRET}, "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:x": SECRET}}],
            },
            "spec": {
                "nodeName": "n1", "volumes": [{"secret": {"secretName": SECRET}}],
                "containers": [{"name": "app", "image": "web:1", "env": [{"name": "P", "value": SECRET}], "args": [SECRET], "command": [SECRET]}],
            },
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "message": SECRET}]},
        });
        let out = reduced("pods", &pod).unwrap();
        assert!(!out.to_string().contains(SECRET), "{out}");
        assert_eq!(out["spec"], json!({"nodeName": "n1", "containers": [{"name": "app", "image": "web:1"}]}));
        assert_eq!(out["status"], json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}));
        assert_eq!(out["metadata"]["ownerReferences"][0]["name"], "web");
        assert_eq!(out["metadata"]["managedFields"], json!([{"manager": "kubelet"}]));
    }

    #[test]
    fn an_experiment_keeps_what_it_does_and_loses_what_it_sends() {
        let experiment = json!({
            "apiVersion": "chaos-mesh.org/v1alpha1", "kind": "HTTPChaos",
            "metadata": {
                "name": "x", "namespace": "shop", "uid": "u",
                "annotations": {LAST_APPLIED: SECRET, "experiment.chaos-mesh.org/pause": "true", "long": SECRET.repeat(100)},
                "managedFields": [{"manager": "kubectl", "operation": "Update", "time": "t", "fieldsV1": {}, "subresource": "status"}],
            },
            "spec": {
                "abort": true, "duration": "10s", "request_headers": {"Authorization": SECRET}, "replace": {"body": SECRET, "path": "/a"},
                "redis-expiration": {"password": SECRET, "addr": "redis:6379"},
                "templates": [{"task": {"container": {"name": "t", "image": "i", "env": [{"value": SECRET}], "args": [SECRET]}}}],
            },
            "status": {"experiment": {"desiredPhase": "Run"}},
        });
        let out = reduced("httpchaos", &experiment).unwrap();
        assert!(!out.to_string().contains(SECRET), "{out}");
        assert_eq!(out["spec"]["replace"], json!({"path": "/a"}));
        assert_eq!(out["spec"]["duration"], "10s");
        assert_eq!(out["metadata"]["annotations"], json!({"experiment.chaos-mesh.org/pause": "true"}));
        assert_eq!(
            out["metadata"]["managedFields"][0],
            json!({"manager": "kubectl", "operation": "Update", "time": "t", "subresource": "status"})
        );
        assert_eq!(out["status"], experiment["status"]);
    }

    #[test]
    fn only_chaos_is_written() {
        let object = |version: &str| json!({"apiVersion": version, "kind": "X", "metadata": {"name": "x"}, "data": {"k": SECRET}});
        for (resource, version) in [("secrets", "v1"), ("configmaps", "v1"), ("deployments", "apps/v1"), ("xs", "evilchaos-mesh.org/v1")] {
            assert_eq!(reduced(resource, &object(version)), None, "{resource} {version}");
        }
        assert!(reduced("networkchaos", &object("chaos-mesh.org/v1alpha1")).is_some());
        let event =
            |version: &str| json!({"involvedObject": {"apiVersion": version}, "message": "m", "other": SECRET, "metadata": {"name": "e"}});
        assert_eq!(reduced(EVENTS, &event("v1")), None);
        let kept = reduced(EVENTS, &event("chaos-mesh.org/v1alpha1")).unwrap();
        assert!(kept["message"] == "m" && !kept.to_string().contains(SECRET));
        assert_eq!(reduced("pods", &json!("text")), None);
    }

    /// Whatever is left out, a recording tells the same runs.
    #[test]
    fn an_extract_says_to_us_what_the_object_said() {
        use crate::recording::{Step, read::Recording};
        use crate::tools::chaos_mesh::decode::{Decoding, decode};
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/recordings");
        let mut compared = 0;
        for scenario in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            for step in Recording::open(&scenario).unwrap() {
                let Ok(Step::Changed { resource, object, seen, .. }) = step else { continue };
                let (Some(extract), Some(kind)) = (reduced(&resource, &object), object["kind"].as_str()) else { continue };
                let told = |object| decode(kind, object, seen, &Decoding::default()).map_err(|error| error.to_string());
                assert_eq!(told(&extract), told(&object), "{}: {object}", scenario.display());
                compared += 1;
            }
        }
        assert!(compared > 500, "{compared}");
    }
}
