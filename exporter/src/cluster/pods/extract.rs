//! A pod as the API server gives it → what we keep of it. Pure; any JSON gives an extract or nothing.

use chaoscope_model::observation::{FailedContainer, PodSeen};
use jiff::Timestamp;
use serde_json::Value;

/// Longest name in the API.
const MAX_NAME: usize = 253;
/// Containers of a pod that are looked at.
const MAX_CONTAINERS: usize = 64;
/// What the annotations of a pod-failure begin with.
const PREFIX: &str = "chaos-mesh-";

/// What we keep of a pod; `None`: it has no name.
pub fn pod(object: &Value, seen: Timestamp, gone: bool) -> Option<PodSeen> {
    let metadata = &object["metadata"];
    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
    if namespace.is_empty() || name.is_empty() {
        return None;
    }
    let (workload_kind, workload) = workload(metadata);
    Some(PodSeen {
        namespace,
        name,
        uid: text(&metadata["uid"]).into(),
        node: text(&object["spec"]["nodeName"]).into(),
        workload: workload.into(),
        workload_kind: workload_kind.into(),
        created_at: metadata["creationTimestamp"].as_str().and_then(|it| it.parse().ok()),
        ready: ready(&object["status"]["conditions"]),
        failed: failed(metadata, &object["spec"]),
        seen,
        gone,
    })
}

/// A pod that is not there and was never seen.
pub fn absent(namespace: &str, name: &str, seen: Timestamp) -> PodSeen {
    PodSeen {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: "".into(),
        node: "".into(),
        workload: "".into(),
        workload_kind: "".into(),
        created_at: None,
        ready: None,
        failed: Vec::new(),
        seen,
        gone: true,
    }
}

/// Kind and name of what owns it. A `ReplicaSet` is named after its owner and a hash, and the hash is a label of the pod: the owner is then a
/// Deployment or, by the label, an Argo Rollout. Both empty: nothing owns it.
fn workload(metadata: &Value) -> (String, String) {
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let Some(owner) = owners.into_iter().find(|owner| owner["controller"] == true) else {
        return (String::new(), String::new());
    };
    let (kind, name) = (text(&owner["kind"]), text(&owner["name"]));
    if kind == "ReplicaSet" {
        for (label, above) in [("pod-template-hash", "Deployment"), ("rollouts-pod-template-hash", "Rollout")] {
            let hash = text(&metadata["labels"][label]);
            let stem = name.strip_suffix(&hash).and_then(|stem| stem.strip_suffix('-'));
            if let Some(stem) = stem.filter(|stem| !hash.is_empty() && !stem.is_empty()) {
                return (above.to_owned(), stem.to_owned());
            }
        }
    }
    (kind, name)
}

fn ready(conditions: &Value) -> Option<bool> {
    let ready = conditions.as_array()?.iter().find(|condition| condition["type"] == "Ready")?;
    Some(ready["status"] == "True")
}

/// Containers whose own image an annotation keeps while a pod-failure has put another one in its place: `chaos-mesh-EXPERIMENT-ACTION-CONTAINER`
/// and `-normal-image`, or `-init-image` (Chaos Mesh, `pkg/annotation`); a key that would be too long names the container alone. Where there is
/// one, the other containers are told as well, with an annotation that is empty: each should have got another image.
fn failed(metadata: &Value, spec: &Value) -> Vec<FailedContainer> {
    let Some(annotations) = metadata["annotations"].as_object() else { return Vec::new() };
    let kinds = [("containers", "normal-image"), ("initContainers", "init-image")];
    let (mut failed, mut others) = (Vec::new(), Vec::new());
    for (list, suffix) in kinds {
        let containers = spec[list].as_array().into_iter().flatten().take(MAX_CONTAINERS);
        for (container, image) in containers.map(|it| (text(&it["name"]), &it["image"])) {
            let short = format!("{container}-{suffix}");
            let is_its =
                |key: &str| key == short || (key.starts_with(PREFIX) && key.strip_suffix(&short).is_some_and(|it| it.ends_with('-')));
            let mut kept = annotations.iter().filter(|(key, _)| !container.is_empty() && is_its(key)).take(MAX_CONTAINERS).peekable();
            if kept.peek().is_none() {
                others.push(FailedContainer { container, annotation: String::new(), replaced: false });
                continue;
            }
            failed.extend(kept.map(|(key, own)| FailedContainer {
                container: container.clone(),
                annotation: key.chars().take(MAX_NAME).collect(),
                replaced: own != image,
            }));
        }
    }
    if !failed.is_empty() {
        failed.append(&mut others);
    }
    failed
}

fn text(value: &Value) -> String {
    value.as_str().map_or(String::new(), |text| text.chars().take(MAX_NAME).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn owned(kind: &str, name: &str, labels: &Value) -> (String, String) {
        let owners = json!([{"kind": "Other", "name": "other"}, {"kind": kind, "name": name, "controller": true}]);
        let pod = pod(
            &json!({"metadata": {"namespace": "n", "name": "p", "labels": labels, "ownerReferences": owners}}),
            Timestamp::UNIX_EPOCH,
            false,
        );
        let pod = pod.unwrap();
        (pod.workload_kind.to_string(), pod.workload.to_string())
    }

    #[test]
    fn the_owner_is_the_workload_a_person_knows() {
        let is = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
        let hash = json!({"pod-template-hash": "5d4f9c"});
        assert_eq!(owned("ReplicaSet", "web-front-5d4f9c", &hash), is("Deployment", "web-front"));
        assert_eq!(owned("ReplicaSet", "web-5d4f9c", &json!({"rollouts-pod-template-hash": "5d4f9c"})), is("Rollout", "web"));
        assert_eq!(owned("ReplicaSet", "by-hand", &json!({})), is("ReplicaSet", "by-hand"));
        assert_eq!(owned("ReplicaSet", "by-hand", &hash), is("ReplicaSet", "by-hand"));
        assert_eq!(owned("ReplicaSet", "-5d4f9c", &hash), is("ReplicaSet", "-5d4f9c"));
        assert_eq!(owned("StatefulSet", "db", &json!({})), is("StatefulSet", "db"));
        assert_eq!(owned("DaemonSet", "agent", &hash), is("DaemonSet", "agent"));
        assert_eq!(owned("Job", "import-28391234", &json!({})), is("Job", "import-28391234"));
    }

    #[test]
    fn a_pod_failure_is_seen_by_the_image_an_annotation_keeps() {
        let of = |annotations: &Value, image: &str| {
            let spec =
                json!({"containers": [{"name": "web", "image": image}, {"name": "log", "image": "log:1"}], "initContainers": "none"});
            let metadata = json!({"namespace": "n", "name": "p", "annotations": annotations});
            let pod = pod(&json!({"metadata": metadata, "spec": spec}), Timestamp::UNIX_EPOCH, false).unwrap();
            pod.failed.iter().map(|it| (it.container.clone(), it.replaced)).collect::<Vec<_>>()
        };
        let key = "chaos-mesh-fail-pod-failure-web-normal-image";
        let with_log = |replaced| [("web".to_owned(), replaced), ("log".to_owned(), false)];
        assert_eq!(of(&json!({key: "web:1"}), "pause:latest"), with_log(true));
        assert_eq!(of(&json!({key: "web:1"}), "web:1"), with_log(false));
        assert_eq!(of(&json!({"web-normal-image": "web:1"}), "pause:latest"), with_log(true));
        for other in [json!({"other": "web:1"}), json!({"chaos-mesh-x-normal-image": "web:1"}), json!([]), json!(null)] {
            assert!(of(&other, "pause:latest").is_empty(), "{other}");
        }
    }

    #[test]
    fn what_is_kept_of_a_pod() {
        let object = json!({
            "metadata": {"namespace": "shop", "name": "web-0", "uid": "u", "creationTimestamp": "2026-11-21T13:45:02Z"},
            "spec": {"nodeName": "n1"},
            "status": {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]},
        });
        let seen = Timestamp::UNIX_EPOCH;
        let wanted = PodSeen {
            uid: "u".into(),
            node: "n1".into(),
            created_at: Some("2026-11-21T13:45:02Z".parse().unwrap()),
            ready: Some(true),
            failed: Vec::new(),
            gone: false,
            ..absent("shop", "web-0", seen)
        };
        assert_eq!(pod(&object, seen, false), Some(wanted));
    }

    #[test]
    fn any_json_is_read() {
        let seen = Timestamp::UNIX_EPOCH;
        for nothing in [json!(null), json!([]), json!({"metadata": 3}), json!({"metadata": {"name": "p", "namespace": 5}})] {
            assert_eq!(pod(&nothing, seen, false), None);
        }
        let odd = json!({
            "metadata": {"namespace": "n", "name": "p", "uid": 7, "labels": [], "creationTimestamp": "soon",
                         "ownerReferences": [3, {"controller": true}]},
            "spec": "", "status": {"conditions": [null, {"type": "Ready"}]},
        });
        assert_eq!(pod(&odd, seen, true), Some(PodSeen { ready: Some(false), ..absent("n", "p", seen) }));
        let long = json!({"metadata": {"namespace": "n", "name": "x".repeat(1_000_000)}});
        assert_eq!(pod(&long, seen, false).unwrap().name.len(), MAX_NAME);
    }
}
