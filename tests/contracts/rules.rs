//! The rules of Prometheus in `manifests/rules/`: what every alert has, and that what it asks for exists.
//!
//! Apart because it reads `PromQL`, as far as names and labels go. A new alert needs nothing here; a family that another program exposes goes into
//! [`FOREIGN`].

use crate::ROOT;
use crate::metrics;
use crate::source::report;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const FILES: [&str; 3] = ["alerts.yaml", "recording.yaml", "kube-state-metrics.yaml"];
const RUNBOOK: &str = "https://github.com/chaoscope/chaoscope/blob/main/docs/alerts.md#";
/// Begin at once and are not kept: other alerts are held back by them.
const SOURCES: [&str; 2] = ["ChaoscopeTargetUnderChaos", "ChaoscopeWorkloadUnderChaos"];

/// What Prometheus and kube-state-metrics expose.
const FOREIGN: [(&str, &[&str]); 4] = [
    ("up", &[]),
    ("kube_node_info", &["node", "os_image"]),
    ("kube_pod_owner", &["namespace", "pod", "owner_kind", "owner_name"]),
    ("kube_pod_created", &["namespace", "pod"]),
];

/// What Prometheus adds to every series, and to one whose labels it took away.
const SCRAPED: [&str; 9] = ["job", "instance", "node", "namespace", "pod", "container", "exported_namespace", "exported_pod", "__name__"];

/// Every rule, with its file.
fn rules() -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for file in FILES {
        let text = fs::read_to_string(ROOT.join("manifests/rules").join(file)).unwrap();
        let rules: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let groups = rules["groups"].as_array().unwrap();
        all.extend(groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).map(|rule| (file, rule)));
    }
    all
}

fn alerts() -> impl Iterator<Item = (String, Value)> {
    rules().into_iter().filter_map(|(_, rule)| Some((rule["alert"].as_str()?.to_owned(), rule)))
}

/// Minutes of `5m`.
fn minutes(text: &Value) -> Option<u32> {
    text.as_str()?.strip_suffix('m')?.parse().ok()
}

#[test]
fn every_alert_has_what_a_person_needs() {
    let page = fs::read_to_string(ROOT.join("docs/alerts.md")).unwrap();
    let told: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let names: BTreeSet<String> = alerts().map(|(name, _)| name).collect();
    assert!(names.len() > 20, "only {} alerts found: the rules moved", names.len());
    let mut faults: Vec<String> =
        names.iter().filter(|it| !told.contains(it.as_str())).map(|it| format!("{it}: not in docs/alerts.md")).collect();
    faults.extend(told.iter().filter(|it| !names.contains(**it)).map(|it| format!("docs/alerts.md tells of {it}, which is no alert")));
    for (name, rule) in alerts() {
        let mut fault = |what: &str| faults.push(format!("{name}: {what}"));
        let severity = rule["labels"]["severity"].as_str().unwrap_or("");
        if !["critical", "warning", "info"].contains(&severity) {
            fault("a severity is critical, warning or info");
        }
        for text in ["summary", "description"] {
            if rule["annotations"][text].as_str().is_none_or(str::is_empty) {
                fault(&format!("no {text}"));
            }
        }
        if rule["annotations"]["runbook_url"] != format!("{RUNBOOK}{}", name.to_lowercase()) {
            fault("its runbook is its own heading of docs/alerts.md");
        }
        let source = SOURCES.contains(&name.as_str());
        if source != (rule["for"] == "0s" && rule["keep_firing_for"].is_null()) {
            fault("what others are held back by begins and ends at once, and nothing else does");
        }
        if !source && (minutes(&rule["for"]).is_none() || minutes(&rule["keep_firing_for"]).is_none_or(|it| it < 3)) {
            fault("`for`, and `keep_firing_for` of three scrapes at least");
        }
    }
    report("alerts that are not whole", &faults);
}

#[test]
fn alerts_look_over_gaps_and_do_not_claim_what_was_not_seen() {
    let mut faults = Vec::new();
    for (name, rule) in alerts() {
        let expression = rule["expr"].as_str().unwrap();
        let selectors = selectors(expression);
        let raw = |it: &Selector| !it.name.contains(':');
        for bare in selectors.iter().filter(|it| raw(it) && !it.ranged) {
            faults.push(format!("{name}: {} is compared without looking back", bare.name));
        }
        let counted = expression.contains("increase(");
        if selectors.iter().any(raw) && !counted && minutes(&rule["for"]).is_none_or(|it| it < 3) {
            faults.push(format!("{name}: `for` is shorter than what is looked back"));
        }
        let severity = rule["labels"]["severity"].as_str();
        if expression.contains("owner=\"unknown\"") && severity != Some("info")
            || expression.contains("chaoscope_residue") && !expression.contains("owner=\"")
        {
            faults.push(format!("{name}: residue of an unknown owner is nobody's page"));
        }
        if expression.contains("verdict=\"unknown\"")
            || expression.contains("chaoscope_fault_verdict") && !expression.contains("verdict=\"")
        {
            faults.push(format!("{name}: what was not seen is no alert"));
        }
    }
    report("alerts that would lie", &faults);
}

#[test]
fn every_metric_of_a_rule_exists() {
    let readme = fs::read_to_string(ROOT.join("README.md")).unwrap();
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, labels) in &FOREIGN {
        known.insert((*name).to_owned(), labels.iter().map(|it| (*it).to_owned()).collect());
    }
    known.extend(metrics::table(&readme).into_iter().map(|(name, (_, labels))| (name, labels)));
    for (_, rule) in rules() {
        // A recorded series has the labels that are left by its rule; which those are, its unit tests hold.
        known.extend(
            rule["record"]
                .as_str()
                .map(|name| (name.to_owned(), ["namespace", "pod", "workload", "workload_kind"].map(str::to_owned).into())),
        );
    }
    let (mut faults, mut seen) = (Vec::new(), 0);
    for (file, rule) in rules() {
        let rule_name = rule["alert"].as_str().or(rule["record"].as_str()).unwrap();
        for selector in selectors(rule["expr"].as_str().unwrap()) {
            seen += 1;
            let Some(labels) = known.get(&selector.name) else {
                if !selector.name.is_empty() {
                    faults.push(format!("{file}: {rule_name}: no metric {}", selector.name));
                }
                continue;
            };
            let strange = selector.labels.iter().filter(|it| !labels.contains(*it) && !SCRAPED.contains(&it.as_str()));
            faults.extend(strange.map(|it| format!("{file}: {rule_name}: {} has no label {it}", selector.name)));
        }
    }
    assert!(seen > 60, "only {seen} selectors found");
    report("rules ask for what is not there", &faults);
}

/// A series selector: its name (empty for a bare `{…}`), the labels it names, and whether a range follows.
#[derive(Debug, PartialEq)]
struct Selector {
    name: String,
    labels: Vec<String>,
    ranged: bool,
}

/// The selectors of an expression. Ours are told from functions, labels and keywords by their names.
fn selectors(expression: &str) -> Vec<Selector> {
    let word = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == ':';
    let ours = |name: &str| name == "up" || ["chaoscope_", "chaoscope:", "chaos_", "kube_"].iter().any(|it| name.starts_with(it));
    let (mut out, mut rest) = (Vec::new(), expression);
    while let Some(start) = rest.find(|it: char| word(it) || it == '{' || it == '"') {
        rest = &rest[start..];
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = &quoted[quoted.find('"').unwrap() + 1..];
            continue;
        }
        let name = &rest[..rest.find(|it| !word(it)).unwrap_or(rest.len())];
        rest = &rest[name.len()..];
        let mut labels = Vec::new();
        if let Some(matchers) = rest.strip_prefix('{') {
            let inside = &matchers[..matchers.find('}').unwrap()];
            labels = inside.split("\",").map(|it| it.trim().split(['=', '!']).next().unwrap().to_owned()).collect();
            rest = &matchers[inside.len() + 1..];
        } else if !ours(name) {
            continue;
        }
        out.push(Selector { name: name.to_owned(), labels, ranged: rest.starts_with('[') });
    }
    out
}

#[test]
fn selectors_are_found() {
    let found = selectors(
        "max by (pod) (last_over_time(up{job=\"a,b\", pod!~\"x\"}[3m])) > 8 * 3600 and {__name__=~\"chaoscope_.+\"} or chaoscope_nodes",
    );
    let selector = |name: &str, labels: &[&str], ranged| Selector {
        name: name.to_owned(),
        labels: labels.iter().map(|it| (*it).to_owned()).collect(),
        ranged,
    };
    assert_eq!(found, [selector("up", &["job", "pod"], true), selector("", &["__name__"], false), selector("chaoscope_nodes", &[], false)]);
}
