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

/// An overlay that is copied, components that are added to it, and the values for the same.
type Combination = (&'static str, &'static [&'static str], &'static [&'static str]);

const TOGETHER: [Combination; 6] = [
    (
        "overlays/second-replica",
        &["prometheus-operator", "network-policy", "grafana", "microk8s", "node-critical", "openshift", "annotations"],
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
        "overlays/second-replica",
        &["prometheus-operator", "grafana", "without-socket", "selinux", "tls", "annotations"],
        &[
            "secondReplica.enabled=true",
            "prometheusOperator.enabled=true",
            "grafana.enabled=true",
            "node.runtimeSocket=false",
            "node.seLinuxType=spc_t",
            "tls.enabled=true",
            "prometheusAnnotations.enabled=true",
        ],
    ),
    ("overlays/second-replica", &["open"], &["secondReplica.enabled=true", "api.auth=none"]),
    ("overlays/second-replica", &["token-auth"], &["secondReplica.enabled=true", "api.auth=token"]),
    ("overlays/namespaced", &["second-replica"], &["secondReplica.enabled=true", "cluster.namespaces={shop,chaos-mesh}"]),
    (
        "overlays/namespaced",
        &["second-replica", "grafana", "token-auth", "tls"],
        &[
            "secondReplica.enabled=true",
            "cluster.namespaces={shop,chaos-mesh}",
            "grafana.enabled=true",
            "api.auth=token",
            "tls.enabled=true",
        ],
    ),
];

/// What a copy of an overlay makes in a folder elsewhere, with more components.
fn copy(overlay: &str, components: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    // A kustomization names others by paths from where it is.
    let up = "../".repeat(folder.path().canonicalize().unwrap().components().count() - 1);
    let manifests = format!("{up}{}", ROOT.join("manifests").display().to_string().trim_start_matches('/'));
    let mut text = parse(&std::fs::read_to_string(ROOT.join("manifests").join(overlay).join("kustomization.yaml")).unwrap()).remove(0);
    for list in ["resources", "components"] {
        for path in text[list].as_array_mut().unwrap() {
            *path = format!("{manifests}/{overlay}/{}", path.as_str().unwrap()).into();
        }
    }
    let more = components.iter().map(|it| Value::from(format!("{manifests}/components/{it}")));
    text["components"].as_array_mut().unwrap().extend(more);
    std::fs::write(folder.path().join("kustomization.yaml"), text.to_string()).unwrap();
    parse(&succeed(tool("kubectl").arg("kustomize").arg(folder.path())))
}

#[test]
#[ignore = "needs kubectl and helm, built by tests/deploy/build.sh: run by make test"]
fn components_combine() {
    for (overlay, components, values) in TOGETHER {
        let (wanted, found) = (comparable(copy(overlay, components)), comparable(helm(values)));
        assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{overlay} {components:?}");
        for (key, object) in &wanted {
            assert_eq!(&found[key], object, "{overlay} {components:?}: {key}, left the chart's, right kustomize's");
        }
    }
}

/// Two replicas' series would be there twice.
#[test]
#[ignore = "needs kubectl, built by tests/deploy/build.sh: run by make test"]
fn only_the_first_replica_is_scraped_by_annotations() {
    let pods = copy("overlays/second-replica", &["annotations"]).into_iter().filter(|it| it["spec"]["template"].is_object());
    let scraped = pods.filter(|it| it["spec"]["template"]["metadata"]["annotations"]["prometheus.io/scrape"] == "true");
    let scraped: Vec<_> = scraped.map(|it| it["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(scraped, ["chaoscope-cluster", "chaoscope-node"]);
}

/// By HTTPS the datasource believes the authority that nodes and commands believe; where Grafana's host does already, nothing is said.
#[test]
#[ignore = "needs helm, built by tests/deploy/build.sh: run by make test"]
fn with_tls_the_datasource_believes_the_authority() {
    let datasource = |values: &[&str]| -> Value {
        let map = helm(values).into_iter().find(|it| it["metadata"]["name"] == "chaoscope-grafana-datasource").unwrap();
        parse(map["data"]["chaoscope.yaml"].as_str().unwrap()).remove(0)["datasources"][0].clone()
    };
    let plain = datasource(&["grafana.enabled=true"]);
    assert_eq!((&plain["jsonData"]["tlsAuthWithCACert"], &plain["secureJsonData"]["tlsCACert"]), (&Value::Null, &Value::Null));
    let tls = datasource(&["grafana.enabled=true", "tls.enabled=true", "grafana.ca=AUTHORITY"]);
    assert_eq!(tls["url"], "https://chaoscope.chaoscope:10765");
    assert_eq!((&tls["jsonData"]["tlsAuthWithCACert"], &tls["secureJsonData"]["tlsCACert"]), (&true.into(), &"$AUTHORITY".into()));
    assert_eq!(tls["secureJsonData"]["token"], "$CHAOSCOPE_TOKEN");
    let believed = datasource(&["grafana.enabled=true", "tls.enabled=true", "grafana.ca=", "api.auth=none"]);
    assert!(believed["jsonData"]["tlsAuthWithCACert"].is_null() && believed["secureJsonData"].is_null(), "{believed}");
}

/// Wrong values: what is set, and what the refusal names.
const WRONG: [(&str, &[&str]); 17] = [
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
    ("grafana.ca=-----BEGIN", &["ca"]),
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
