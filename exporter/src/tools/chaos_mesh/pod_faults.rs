//! The objects that hold what is declared for one pod: how far its daemon is with it, whose pod it is, and what it declares.
//!
//! A status of the wrong type is an error, and the object's last good version stays. A spec that is not understood, or is larger than is kept,
//! is told as such ([`PodFaults::incomplete`]): that it declares *something* counts, too. What a `PodNetworkChaos` says is read in `network`.

use super::decode::{reference, version};
use super::fields::{Undecodable, at, integer, list, text, text_or_empty};
use super::network::network;
use chaoscope_model::declared::{HttpFault, IoFault};
use chaoscope_model::plan::{Declares, PodFaults};
use serde_json::Value;
use std::collections::BTreeSet;

/// Most items of one list of a spec.
const MOST_ITEMS: usize = 1000;
/// Longest name, in characters.
const LONGEST: usize = 256;

/// One of the three.
pub(super) fn pod_faults(kind: &str, object: &Value) -> Result<PodFaults, Undecodable> {
    let mut sources = BTreeSet::new();
    for part in ["spec.ipsets", "spec.iptables", "spec.tcs", "spec.actions", "spec.rules"] {
        for item in list(object, part)?.iter().take(MOST_ITEMS) {
            sources.extend(text(item, "source")?);
        }
    }
    let (declares, incomplete) = match declares(kind, object) {
        Ok(declares) => (declares, String::new()),
        Err(error) => (Declares::Nothing, error.to_string()),
    };
    Ok(PodFaults {
        about: reference(kind, object)?,
        version: version(object)?,
        generation: integer(object, "metadata.generation")?.unwrap_or(0),
        observed: integer(object, "status.observedGeneration")?.unwrap_or(0),
        failure: text_or_empty(object, "status.failedMessage")?,
        sources: sources.into_iter().collect(),
        pod: owner(object),
        declares,
        incomplete,
    })
}

/// Uid of the pod that owns it; empty where it does not tell.
fn owner(object: &Value) -> String {
    let owners = object.get("metadata").and_then(|metadata| metadata.get("ownerReferences")).and_then(Value::as_array);
    let mut pods = owners.into_iter().flatten().filter(|owner| owner.get("kind").and_then(Value::as_str) == Some("Pod"));
    let uid = pods.next().and_then(|owner| owner.get("uid")?.as_str());
    uid.filter(|uid| uid.chars().count() <= LONGEST).map_or_else(String::new, str::to_owned)
}

fn declares(kind: &str, object: &Value) -> Result<Declares, Undecodable> {
    Ok(match kind {
        "PodNetworkChaos" => Declares::Network(network(object)?),
        "PodIOChaos" => {
            let (container, volume) = (name(object, "spec.container")?, name(object, "spec.volumeMountPath")?);
            let fault = |item| Ok(IoFault { source: source(item)?, container: container.clone(), volume: volume.clone() });
            Declares::Io(few(object, "spec.actions")?.iter().map(fault).collect::<Result<_, _>>()?)
        }
        _ => Declares::Http(few(object, "spec.rules")?.iter().map(rule).collect::<Result<_, _>>()?),
    })
}

fn rule(item: &Value) -> Result<HttpFault, Undecodable> {
    let port = integer(item, "port")?.map_or(Ok(0), u16::try_from);
    let port = port.map_err(|_| Undecodable::Type { field: "port".to_owned(), expected: "a port" })?;
    Ok(HttpFault { source: source(item)?, port })
}

/// A list of the spec, if it is not too long.
pub(super) fn few<'a>(object: &'a Value, path: &'static str) -> Result<&'a [Value], Undecodable> {
    let items = list(object, path)?;
    if items.len() > MOST_ITEMS { Err(Undecodable::TooMany(path)) } else { Ok(items) }
}

/// The experiment an item is from, as `namespace/name`.
pub(super) fn source(item: &Value) -> Result<String, Undecodable> {
    name(item, "source")
}

/// A short text, whole: part of a name is another name. Absent is empty.
pub(super) fn name(item: &Value, path: &'static str) -> Result<String, Undecodable> {
    at(item, path)?.map_or_else(|| Ok(String::new()), |value| short(value, path))
}

/// A list of short texts.
pub(super) fn names_of(item: &Value, path: &'static str) -> Result<Vec<String>, Undecodable> {
    list(item, path)?.iter().map(|value| short(value, path)).collect()
}

fn short(value: &Value, path: &str) -> Result<String, Undecodable> {
    let text = value.as_str().filter(|text| text.len() <= LONGEST);
    text.map(str::to_owned).ok_or_else(|| Undecodable::Type { field: path.to_owned(), expected: "a text of at most 256 bytes" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chaoscope_model::declared::Network;
    use serde_json::json;

    fn decoded(kind: &str, spec: &Value) -> PodFaults {
        let owner = json!([{"kind": "ReplicaSet", "uid": "r"}, {"apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": "p"}]);
        let metadata = json!({"name": "web-0", "namespace": "shop", "uid": "u", "generation": 3, "ownerReferences": owner});
        let status = json!({"observedGeneration": 2, "failedMessage": "no"});
        pod_faults(kind, &json!({"metadata": metadata, "spec": spec, "status": status})).unwrap()
    }

    #[test]
    fn the_object_says_whose_it_is_and_how_far_its_daemon_is() {
        let it = decoded("PodNetworkChaos", &json!({}));
        assert_eq!((it.pod.as_str(), it.generation, it.observed, it.failure.as_str()), ("p", 3, 2, "no"));
        assert_eq!((it.declares, it.incomplete.as_str()), (Declares::Network(Network::default()), ""));
    }

    #[test]
    fn files_and_requests_are_told_by_experiment() {
        let io = decoded(
            "PodIOChaos",
            &json!({"volumeMountPath": "/data", "container": "db", "actions": [{"type": "latency", "source": "shop/slow"}]}),
        );
        let wanted = IoFault { source: "shop/slow".into(), container: "db".into(), volume: "/data".into() };
        assert_eq!((io.declares, io.sources), (Declares::Io(vec![wanted]), vec!["shop/slow".to_owned()]));
        let http = decoded("PodHttpChaos", &json!({"rules": [{"port": 8080, "source": "shop/abort"}]}));
        assert_eq!(http.declares, Declares::Http(vec![HttpFault { source: "shop/abort".into(), port: 8080 }]));
    }

    #[test]
    fn what_does_not_fit_is_told_and_sources_are_told_all_the_same() {
        let tc = json!({"type": "netem", "source": "shop/a"});
        for (spec, told) in [
            (json!({"tcs": vec![tc.clone(); 1001]}), "too large: too many of spec.tcs"),
            (
                json!({"tcs": [tc], "ipsets": [{"name": "a", "ipsetType": "hash:net", "cidrs": vec!["10.0.0.0/8"; 10_001], "source": "shop/a"}]}),
                "too large: too many of set members",
            ),
            (
                json!({"tcs": [], "iptables": [{"name": "x".repeat(300), "direction": "input", "source": "shop/a"}]}),
                "name is not a text of at most 256 bytes",
            ),
            (json!({"iptables": [{"name": "x", "direction": "sideways", "source": "shop/a"}]}), "direction is not input or output"),
        ] {
            let it = decoded("PodNetworkChaos", &spec);
            assert_eq!((it.declares, it.incomplete.as_str(), it.sources), (Declares::Nothing, told, vec!["shop/a".to_owned()]));
        }
    }
}
