//! The names that dashboards ask for against those that there are: none that nobody has, and every one that people read is in a panel.

use crate::files::{all, root};
use chaoscope::exposition::Kind;
use chaoscope::peers::wanted::WANTED;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// What the README's tables tell: name → type.
fn told() -> BTreeMap<String, String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split_once("\n## Metrics\n").unwrap().1;
    let section = section.split_once("\n## ").unwrap().0;
    let mut out = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        out.extend(cells[1].split('`').skip(1).step_by(2).map(|name| (name.to_owned(), cells[2].to_owned())));
    }
    assert!(out.len() > 100, "{out:?}");
    out
}

/// The example application's own.
const EXAMPLE: [(&str, &str); 2] = [("http_requests_total", "counter"), ("http_request_duration_seconds", "histogram")];

/// Every family there can be: name → type.
fn known() -> BTreeMap<String, String> {
    let kind = |kind: Kind| match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let mut known = told();
    known.extend(WANTED.iter().map(|it| (it.name.to_owned(), kind(it.kind).to_owned())));
    known.extend(EXAMPLE.map(|(name, kind)| (name.to_owned(), kind.to_owned())));
    known
}

/// Words of an expression or a variable's query that are metrics' names, each with the file it is in.
fn asked() -> Vec<(String, String)> {
    let mut out = Vec::new();
    for dashboard in all() {
        let questions = dashboard.questions().into_iter().map(|it| it.expr.to_owned());
        let texts: Vec<_> = questions.chain(dashboard.choices().into_iter().map(|(_, query)| query.to_owned())).collect();
        for text in texts {
            let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
            let names = words.filter(|it| PREFIXES.iter().any(|prefix| it.starts_with(prefix)) && !LABELS.contains(it));
            out.extend(names.map(|name| (name.to_owned(), dashboard.name.clone())));
        }
    }
    out
}

/// How names of metrics begin, ours and those we pass through.
const PREFIXES: [&str; 12] = [
    "certwatcher_",
    "chaos_",
    "chaoscope_",
    "controller_runtime_",
    "coredns_",
    "grpc_",
    "http_",
    "leader_",
    "node_",
    "process_",
    "rest_client_",
    "workqueue_",
];
/// Labels that begin alike.
const LABELS: [&str; 2] = ["grpc_method", "grpc_code"];

/// The family a name is of.
fn family<'a>(known: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let mut parts = ["_bucket", "_sum", "_count"].into_iter().filter_map(|part| name.strip_suffix(part));
    let histogram = |it: &str| known.get_key_value(it).filter(|(_, kind)| *kind == "histogram");
    let whole = known.get_key_value(name).filter(|(_, kind)| *kind != "histogram");
    whole.or_else(|| parts.find_map(histogram)).map(|(name, _)| name.as_str())
}

#[test]
fn they_ask_for_nothing_that_is_not_there() {
    let known = known();
    let asked = asked();
    assert!(asked.len() > 300, "{}", asked.len());
    let wrong: BTreeSet<_> = asked.iter().filter(|(name, _)| family(&known, name).is_none()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_family_is_on_a_panel() {
    let known = known();
    let shown: BTreeSet<_> = asked().iter().filter_map(|(name, _)| family(&known, name)).map(str::to_owned).collect();
    // Those of the host are what the dashboards of node_exporter show.
    let hidden: Vec<_> = known.keys().filter(|name| !shown.contains(*name) && !name.starts_with("node_")).collect();
    assert!(hidden.is_empty(), "on no panel: {hidden:?}");
    let upstream = |name: &&String| name.starts_with("chaos_") || WANTED.iter().any(|it| it.name == **name);
    assert!(known.keys().filter(upstream).count() > 50);
}

/// Who cannot load the plugin copies the annotation from there.
#[test]
fn the_documents_tell_the_dashboards_own_query() {
    let told = fs::read_to_string(root().join("docs/dashboards.md")).unwrap();
    let told = told.split("```promql\n").nth(1).unwrap().split("```").next().unwrap();
    let words = |it: &str| it.split_whitespace().collect::<Vec<_>>().join(" ");
    let dashboards = all();
    let application = dashboards.iter().find(|it| it.name == "application").unwrap();
    let asked: Vec<_> = application.questions().into_iter().filter(|it| it.by.contains("annotation")).map(|it| words(it.expr)).collect();
    assert_eq!(asked, [words(told)]);
}
