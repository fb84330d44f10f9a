//! `kube_object`: the object of an experiment, a schedule or a workflow, as far as it is known. Chaoscope keeps extracts, so this is one: its
//! `spec` has what a run's parameters have, in their places. Pure.

use super::API_VERSION;
use chaoscope_model::Reference;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The object of `about` with this `spec`.
pub(super) fn object(about: &Reference, labels: &BTreeMap<String, String>, spec: Map<String, Value>) -> Value {
    let mut metadata = json!({ "namespace": about.namespace, "name": about.name });
    if !labels.is_empty() {
        metadata["labels"] = json!(labels);
    }
    json!({ "kind": about.kind, "apiVersion": API_VERSION, "metadata": metadata, "spec": Value::Object(spec) })
}

/// `delay.latency` → `100ms` is `{"delay": {"latency": "100ms"}}`.
pub(super) fn spec(parameters: &BTreeMap<String, String>, action: &str) -> Map<String, Value> {
    let mut spec = Map::new();
    for (path, value) in parameters {
        let (folders, name) = path.rsplit_once('.').map_or((None, path.as_str()), |(folders, name)| (Some(folders), name));
        let place = folders
            .into_iter()
            .flat_map(|it| it.split('.'))
            .try_fold(&mut spec, |place, folder| place.entry(folder).or_insert_with(|| Value::Object(Map::new())).as_object_mut());
        // What stands where a folder would have to be keeps its place.
        if let Some(place) = place {
            place.entry(name).or_insert_with(|| Value::String(value.clone()));
        }
    }
    if !action.is_empty() {
        spec.insert("action".to_owned(), Value::String(action.to_owned()));
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_go_back_to_their_places() {
        let parameters = [("delay.latency", "100ms"), ("delay.jitter", "1ms"), ("direction", "to"), ("direction.x", "y")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let spec = spec(&parameters, "delay");
        // The action is a text of the same name as the group: as in Chaos Mesh, both cannot be there; there the group is `delay` too.
        assert_eq!(spec["delay"]["latency"], "100ms");
        assert_eq!(spec["direction"], "to");
        assert_eq!(spec["action"], "delay");
    }

    #[test]
    fn an_object_has_the_dashboards_fields() {
        let about = Reference { kind: "PodChaos".into(), namespace: "shop".into(), name: "a".into(), uid: "u".into() };
        let object = object(&about, &BTreeMap::new(), Map::new());
        assert_eq!(
            object.to_string(),
            r#"{"apiVersion":"chaos-mesh.org/v1alpha1","kind":"PodChaos","metadata":{"name":"a","namespace":"shop"},"spec":{}}"#
        );
    }
}
