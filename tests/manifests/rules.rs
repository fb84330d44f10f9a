//! One source of truth: rules, dashboards and versions are where they are written, and the same wherever they are given to a cluster.

use crate::kit::process::succeed;
use crate::render::{ROOT, kustomize, parse};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// The object for the operator, and the files of `manifests/rules` that are in it.
const OBJECTS: [(&str, &[&str]); 2] = [("chaoscope", &["alerts", "recording"]), ("chaoscope-kube-state-metrics", &["kube-state-metrics"])];

const HEADER: &str = "\
# Made of ../../rules by `UPDATE_GOLDEN=1 cargo test -p chaoscope --test manifests the_operators_rules`: do not change it here.
";

fn read(path: &str) -> String {
    fs::read_to_string(ROOT.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files' own lines, moved in to where the operator wants groups.
fn for_the_operator() -> String {
    let object = |(name, files): (&str, &[&str])| {
        let head = format!(
            "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {name}\n  namespace: chaoscope\n  labels:\n    \
             app.kubernetes.io/name: chaoscope\n    release: kube-prometheus-stack\nspec:\n  groups:\n"
        );
        files.iter().fold(head, |text, file| text + &moved_in(file))
    };
    HEADER.to_owned() + &OBJECTS.map(object).join("---\n")
}

/// The groups of a file, two further in.
fn moved_in(file: &str) -> String {
    let rules = read(&format!("manifests/rules/{file}.yaml"));
    let (_, groups) = rules.split_once("\ngroups:\n").expect("a file of rules has groups");
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
    groups.lines().map(line).collect()
}

#[test]
fn the_operators_rules_are_those_of_the_files() {
    let (path, wanted) = ("manifests/components/prometheus-operator/rules.yaml", for_the_operator());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(ROOT.join(path), &wanted).unwrap();
    }
    assert_eq!(read(path), wanted, "{path} is older than manifests/rules: run it with UPDATE_GOLDEN=1");
    let objects = parse(&wanted);
    for (object, (_, files)) in objects.iter().zip(OBJECTS) {
        let of = |file: &&str| parse(&read(&format!("manifests/rules/{file}.yaml"))).remove(0)["groups"].as_array().unwrap().clone();
        let groups: Vec<Value> = files.iter().flat_map(of).collect();
        assert!(!groups.is_empty());
        assert_eq!(object["spec"], json!({"groups": groups}), "moving lines changed what they mean");
    }
}

#[test]
fn every_file_of_rules_is_given_to_a_cluster() {
    let given: BTreeSet<_> = OBJECTS.iter().flat_map(|(_, files)| *files).map(|it| (*it).to_owned()).collect();
    let there = fs::read_dir(ROOT.join("manifests/rules")).unwrap().map(|entry| entry.unwrap().path());
    let there = there.filter(|path| path.extension().is_some_and(|it| it == "yaml"));
    let there = there.filter(|path| fs::read_to_string(path).unwrap().contains("\ngroups:\n"));
    let there: BTreeSet<_> = there.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(given, there);
}

#[test]
#[ignore = "needs kubectl, built by tests/deploy/build.sh: run by make test"]
fn every_dashboard_is_given_to_a_grafana() {
    let files = fs::read_dir(ROOT.join("dashboards")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let files: BTreeSet<_> = files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for folder in ["overlays/grafana", "overlays/demo"] {
        let objects = kustomize(folder);
        let maps = objects.iter().filter(|it| it["metadata"]["labels"]["grafana_dashboard"] == "1");
        let given: BTreeSet<_> = maps.flat_map(|it| it["data"].as_object().unwrap().keys().cloned()).collect();
        assert_eq!(given, files, "{folder}: dashboards/kustomization.yaml");
    }
    let grafana = |it: &Value| it["kind"] == "Deployment" && it["metadata"]["name"] == "chaoscope-demo-grafana";
    let grafana = kustomize("overlays/demo").into_iter().find(grafana).unwrap();
    let volumes = grafana["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let sources = volumes.iter().find(|it| it["name"] == "dashboards").unwrap()["projected"]["sources"].as_array().unwrap();
    let mounted = sources.iter().map(|it| it["configMap"]["name"].as_str().unwrap().strip_prefix("chaoscope-dashboard-").unwrap());
    let mounted: BTreeSet<_> = mounted.map(|name| format!("{name}.json")).collect();
    assert_eq!(mounted, files, "overlays/demo/grafana.yaml");
}

/// The cluster role's address changes when its pod moves; what its counters gained then is in one series only if `instance` stays. The monitor,
/// the demo and the words for a job of one's own say so alike (the chart's monitor equals ours: `chart.rs`).
#[test]
fn a_cluster_role_that_moves_stays_one_instance() {
    let wanted = |source: &str, target: &str| json!({source: ["__meta_kubernetes_pod_name"], target: "instance"});
    let monitors = parse(&read("manifests/components/prometheus-operator/monitors.yaml"));
    let monitor = monitors.iter().find(|it| it["kind"] == "ServiceMonitor").unwrap();
    let has = |list: &Value, rule: &Value| list.as_array().unwrap().contains(rule);
    assert!(has(&monitor["spec"]["endpoints"][0]["relabelings"], &wanted("sourceLabels", "targetLabel")), "{monitor}");
    let demo = parse(&read("manifests/overlays/demo/prometheus.yml")).remove(0);
    let job = demo["scrape_configs"].as_array().unwrap().iter().find(|it| it["job_name"] == "chaoscope-cluster").unwrap();
    assert!(has(&job["relabel_configs"], &wanted("source_labels", "target_label")), "{job}");
    let guide = read("docs/install.md");
    let snippet = guide.split("```yaml\n").find(|it| it.starts_with("honor_labels: true")).unwrap().split("```").next().unwrap();
    let rules = parse(snippet).remove(0)["relabel_configs"].clone();
    let last = rules.as_array().unwrap().iter().find(|it| it["target_label"] == "instance").unwrap();
    assert_eq!(last["source_labels"].as_array().unwrap().last().unwrap(), "__meta_kubernetes_pod_name", "{rules}");
}

/// Debian's Prometheus knows no Kubernetes: of the configuration, everything but where pods are found is checked by it.
#[test]
#[ignore = "needs promtool: run by make test"]
fn the_demos_prometheus_reads_its_configuration() {
    let mut config = parse(&read("manifests/overlays/demo/prometheus.yml")).remove(0);
    assert_eq!(config["rule_files"], json!(["/etc/prometheus/rules/*.yaml"]));
    config["rule_files"] = json!(["alerts", "recording"].map(|it| ROOT.join(format!("manifests/rules/{it}.yaml"))));
    let mut jobs = Vec::new();
    for job in config["scrape_configs"].as_array_mut().unwrap() {
        let job = job.as_object_mut().unwrap();
        let found = job.remove("kubernetes_sd_configs");
        assert_eq!(found, Some(json!([{"role": "pod", "namespaces": {"names": ["chaoscope"]}}])));
        assert_eq!(job["honor_labels"], true);
        job.insert("static_configs".to_owned(), json!([{"targets": ["10.0.0.1:10765"]}]));
        jobs.push(job["job_name"].clone());
    }
    assert_eq!(jobs, ["chaoscope-node", "chaoscope-cluster"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    fs::write(&file, config.to_string()).unwrap();
    let said = succeed(Command::new("promtool").args(["check", "config"]).arg(&file));
    assert!(said.contains("2 rule files found") && !said.contains("FAILED"), "{said}");
}
