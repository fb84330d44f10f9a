//! Rendering: a kustomization by kubectl, the chart by helm, both into plain objects; and one form of them that can be compared.

use crate::kit::process::{finish, succeed};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

pub(crate) static ROOT: LazyLock<PathBuf> = LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned());

/// The folder with kubectl and helm; built where it is missing.
static TOOLS: LazyLock<PathBuf> = LazyLock::new(|| succeed(&mut Command::new(ROOT.join("tests/deploy/build.sh"))).trim().into());

/// Each kustomization below `manifests/`, and the values with which the chart makes the same; the demo has no chart.
pub(crate) const VARIANTS: [(&str, Option<&[&str]>); 16] = [
    ("base", Some(&[])),
    ("overlays/annotations", Some(&["prometheusAnnotations.enabled=true"])),
    ("overlays/demo", None),
    ("overlays/grafana", Some(&["grafana.enabled=true"])),
    ("overlays/microk8s", Some(&["node.microk8s=true"])),
    ("overlays/namespaced", Some(&["cluster.namespaces={shop,chaos-mesh}"])),
    ("overlays/network-policy", Some(&["networkPolicy.enabled=true"])),
    ("overlays/node-critical", Some(&["node.priorityClassName=system-node-critical"])),
    ("overlays/open", Some(&["api.auth=none"])),
    ("overlays/openshift", Some(&["openshift.enabled=true"])),
    ("overlays/prometheus-operator", Some(&["prometheusOperator.enabled=true"])),
    ("overlays/second-replica", Some(&["secondReplica.enabled=true"])),
    ("overlays/selinux", Some(&["node.seLinuxType=spc_t"])),
    ("overlays/tls", Some(&["tls.enabled=true"])),
    ("overlays/token-auth", Some(&["api.auth=token"])),
    ("overlays/without-socket", Some(&["node.runtimeSocket=false"])),
];

/// A tool of `tests/deploy`.
pub(crate) fn tool(name: &str) -> Command {
    let mut command = Command::new(TOOLS.join(name));
    // Nobody's cluster, and nothing of a helm that is installed.
    command.env("KUBECONFIG", "/dev/null");
    for (variable, folder) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")] {
        command.env(variable, std::env::temp_dir().join("chaoscope-no-helm").join(folder));
    }
    command
}

/// `kubectl kustomize`, as text.
pub(crate) fn kustomize_text(folder: &str) -> String {
    succeed(tool("kubectl").arg("kustomize").arg(ROOT.join("manifests").join(folder)))
}

/// The same as objects.
pub(crate) fn kustomize(folder: &str) -> Vec<Value> {
    parse(&kustomize_text(folder))
}

/// The arguments of `helm template` for these values.
pub(crate) fn template(values: &[&str]) -> Command {
    let mut command = tool("helm");
    command.args(["template", "chaoscope", "--namespace=chaoscope", "--kube-version=1.34.4"]).arg(ROOT.join("manifests/helm/chaoscope"));
    command.args(values.iter().flat_map(|value| ["--set", value]));
    command
}

/// `helm template`, as text.
pub(crate) fn helm_text(values: &[&str]) -> String {
    succeed(&mut template(values))
}

/// The same as objects.
pub(crate) fn helm(values: &[&str]) -> Vec<Value> {
    parse(&helm_text(values))
}

/// What `helm template` says against these arguments.
pub(crate) fn refused(arguments: &[&str]) -> String {
    let output = finish(template(&[]).args(arguments));
    assert!(!output.status.success(), "helm takes {arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The documents of a text, less empty ones.
pub(crate) fn parse(text: &str) -> Vec<Value> {
    let all = serde_saphyr::from_multiple::<Value>(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    all.into_iter().filter(|object| !object.is_null()).collect()
}

/// Kind, namespace, name.
pub(crate) fn key(object: &Value) -> String {
    let of = |key: &str| object["metadata"][key].as_str().unwrap_or("-");
    format!("{} {}/{}", object["kind"].as_str().unwrap_or("-"), of("namespace"), of("name"))
}

/// Objects by [`key`], each in a form in which equal meaning is equal: without what only helm says, lists of named things sorted, a role's
/// rules as single rights.
pub(crate) fn comparable(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for mut object in objects {
        if object["kind"] == "Namespace" {
            continue; // helm makes none
        }
        if let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove("app.kubernetes.io/managed-by");
            labels.remove("helm.sh/chart");
        }
        if object["rules"].is_array() {
            object["rules"] = rights(&object["rules"]);
        }
        let key = key(&object);
        assert!(all.insert(key.clone(), sorted(object)).is_none(), "{key} is made twice");
    }
    all
}

/// `group/resource verb`, sorted.
fn rights(rules: &Value) -> Value {
    let words = |rule: &Value, key: &str| -> Vec<String> {
        rule[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = Vec::new();
    for rule in rules.as_array().unwrap() {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                rights.extend(words(rule, "verbs").iter().map(|verb| format!("{group}/{resource} {verb}")));
            }
        }
    }
    rights.sort();
    rights.dedup();
    json!(rights)
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>(),
        ),
        Value::Array(list) => {
            let mut list: Vec<_> = list.into_iter().map(sorted).collect();
            list.sort_by_key(|item| [&item["name"], &item["mountPath"]].map(|it| it.as_str().unwrap_or_default().to_owned()));
            Value::Array(list)
        }
        other => other,
    }
}

#[test]
fn every_component_has_its_overlay_and_every_overlay_is_tested() {
    let folders = |of: &str| -> Vec<String> {
        let entries = std::fs::read_dir(ROOT.join("manifests").join(of)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let tested: Vec<_> = VARIANTS.iter().filter_map(|(folder, _)| folder.strip_prefix("overlays/")).collect();
    assert_eq!(folders("overlays"), tested);
    // Part of two others.
    let parts = ["no-reviews"];
    let components: Vec<_> = folders("components").into_iter().filter(|name| !parts.contains(&&**name)).collect();
    assert_eq!(components, tested.into_iter().filter(|name| *name != "demo").collect::<Vec<_>>());
}
