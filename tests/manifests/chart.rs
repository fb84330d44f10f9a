//! The chart: that it makes what kustomize makes, refuses wrong values with words that help, and tells of all its values.

use crate::kit::process::succeed;
use crate::render::{ROOT, VARIANTS, comparable, helm, kustomize, parse, refused, tool};
use serde_json::Value;

#[test]
#[ignore = "needs kubectl and helm, built by tests/deploy/build.sh: run by make test"]
fn the_chart_makes_what_kustomize_makes() {
    for (folder, values) in VARIANTS {
        let Some(values) = values else { continue };
        let (wanted, found) = (comparable(kustomize(folder)), comparable(helm(values)));
        let (names, made): (Vec<_>, Vec<_>) = (wanted.keys().collect(), found.keys().collect());
        assert_eq!(made, names, "{folder} and the chart with {values:?}");
        for (key, object) in &wanted {
            assert_eq!(&found[key], object, "{folder}: {key}, left the chart's with {values:?}, right kustomize's");
        }
    }
}

/// Components that are used together, and the values for the same.
const TOGETHER: [(&[&str], &[&str]); 2] = [
    (
        &["second-replica", "prometheus-operator", "network-policy", "grafana", "microk8s", "node-critical", "openshift", "annotations"],
        &[
            "secondReplica.enabled=true",
            "prometheusOperator.enabled=true",
            "networkPolicy.enabled=true",
            "grafana.enabled=true",
            "node.microk8s=true",
            "node.priorityClassName=system-node-critical",
            "openshift.enabled=true",
            "prometheusAnnotations.enabled=true",
        ],
    ),
    (
        &["second-replica", "prometheus-operator", "without-socket", "selinux", "tls", "annotations"],
        &[
            "secondReplica.enabled=true",
            "prometheusOperator.enabled=true",
            "node.runtimeSocket=false",
            "node.seLinuxType=spc_t",
            "tls.enabled=true",
            "prometheusAnnotations.enabled=true",
        ],
    ),
];

#[test]
#[ignore = "needs kubectl and helm, built by tests/deploy/build.sh: run by make test"]
fn components_combine() {
    for (components, values) in TOGETHER {
        let folder = tempfile::tempdir().unwrap();
        // A kustomization names others by paths from where it is.
        let up = "../".repeat(folder.path().canonicalize().unwrap().components().count() - 1);
        let manifests = format!("{up}{}", ROOT.join("manifests").display().to_string().trim_start_matches('/'));
        let list = components.iter().map(|it| format!("  - {manifests}/components/{it}\n")).collect::<String>();
        let head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
        let text = format!("{head}resources:\n  - {manifests}/base\ncomponents:\n{list}");
        std::fs::write(folder.path().join("kustomization.yaml"), text).unwrap();
        let made = parse(&succeed(tool("kubectl").arg("kustomize").arg(folder.path())));
        let (wanted, found) = (comparable(made), comparable(helm(values)));
        assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{components:?}");
        for (key, object) in &wanted {
            assert_eq!(&found[key], object, "{components:?}: {key}, left the chart's, right kustomize's");
        }
    }
}

/// Wrong values: what is set, and what the refusal names.
const WRONG: [(&str, &[&str]); 16] = [
    ("nodes.env=x", &["nodes"]),
    ("node.runtimeSockets=true", &["runtimeSockets"]),
    ("node.runtimeSocket=maybe", &["runtimeSocket", "boolean"]),
    ("node.env.RUST_LOG=debug", &["RUST_LOG", "CHAOSCOPE_"]),
    ("node.maxUnavailable=110%", &["maxUnavailable"]),
    ("node.maxUnavailable=0", &["maxUnavailable", "1"]),
    ("name=Chaos", &["name", "Chaos"]),
    ("image.tag=a b", &["tag", "a b"]),
    ("image.pullPolicy=Sometimes", &["pullPolicy", "IfNotPresent"]),
    ("api.auth=basic", &["auth", "kubernetes", "token", "none"]),
    ("cluster.namespaces=shop", &["namespaces", "array"]),
    ("cluster.storage.size=2", &["size"]),
    ("cluster.resources.limits.memory=lots", &["memory", "lots"]),
    ("cluster.podSecurityContext.runAsUser=0", &["runAsUser", "1"]),
    ("prometheusOperator.interval=30", &["interval"]),
    ("grafana.token=${SECRET}", &["token"]),
];

#[test]
#[ignore = "needs helm, built by tests/deploy/build.sh: run by make test"]
fn wrong_values_are_refused_and_named() {
    for (value, named) in WRONG {
        let said = refused(&["--set", value]);
        for word in named {
            assert!(said.contains(word), "{value}: no {word:?} in {said}");
        }
    }
}

#[test]
#[ignore = "needs helm, built by tests/deploy/build.sh: run by make test"]
fn helm_has_nothing_to_say_against_it() {
    let chart = ROOT.join("manifests/helm/chaoscope");
    let said = succeed(tool("helm").args(["lint", "--strict"]).arg(&chart));
    assert!(said.contains("0 chart(s) failed") && !said.contains("WARNING"), "{said}");
    // Packed, it holds what it takes from elsewhere in the repository, and nothing it does not need.
    let folder = tempfile::tempdir().unwrap();
    succeed(tool("helm").arg("package").arg(&chart).arg("--destination").arg(folder.path()));
    let archive = folder.path().join(format!("chaoscope-{}.tgz", env!("CARGO_PKG_VERSION")));
    let files = succeed(std::process::Command::new("tar").arg("-tzf").arg(&archive));
    for file in ["files/rules/alerts.yaml", "files/rules/recording.yaml", "files/dashboards/overview.json", "values.schema.json"] {
        assert!(files.contains(file), "{file} in {files}");
    }
    assert!(!files.contains("example") && !files.contains("kustomization"), "{files}");
}

/// Before 1.30 `AppArmor` had no field, and an API server drops what it does not know.
#[test]
#[ignore = "needs helm, built by tests/deploy/build.sh: run by make test"]
fn older_clusters_get_apparmor_by_annotation() {
    let node = |version: &str| -> Value {
        let text = succeed(crate::render::template(&[]).arg(format!("--kube-version={version}")));
        crate::render::parse(&text).into_iter().find(|it| it["kind"] == "DaemonSet").unwrap()["spec"]["template"].clone()
    };
    let annotation = "container.apparmor.security.beta.kubernetes.io/node";
    let (old, new) = (node("1.29.4"), node("1.30.0"));
    assert_eq!(old["metadata"]["annotations"][annotation], "unconfined");
    assert!(old["spec"]["securityContext"]["appArmorProfile"].is_null());
    assert!(new["metadata"]["annotations"].is_null());
    assert_eq!(new["spec"]["securityContext"]["appArmorProfile"]["type"], "Unconfined");
}

/// The chart's README has a row for each value, with its default.
#[test]
fn every_value_is_told_of() {
    let read = |file: &str| std::fs::read_to_string(ROOT.join("manifests/helm/chaoscope").join(file)).unwrap();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let mut wanted = Vec::new();
    rows(&values, &schema, "", &mut wanted);
    let readme = read("README.md");
    let told: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|line| line.split_once('`')).collect();
    let told: Vec<_> = told.into_iter().map(|(name, rest)| (name.to_owned(), rest.split('|').nth(1).unwrap().trim().to_owned())).collect();
    assert_eq!(told, wanted);
}

/// A row for each value down to where the schema names no more keys.
fn rows(values: &Value, schema: &Value, path: &str, rows: &mut Vec<(String, String)>) {
    for (key, value) in values.as_object().unwrap() {
        let inner = &schema["properties"][key];
        assert!(inner.is_object(), "values.schema.json knows no {path}{key}");
        if inner["properties"].is_object() && inner["type"] == "object" {
            rows_below(value, inner, &format!("{path}{key}."), rows);
        } else {
            rows.push((format!("{path}{key}"), format!("`{value}`")));
        }
    }
}

fn rows_below(values: &Value, schema: &Value, path: &str, to: &mut Vec<(String, String)>) {
    let known: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    for key in known {
        assert!(!values[key].is_null(), "values.yaml says nothing of {path}{key}");
    }
    rows(values, schema, path, to);
}
