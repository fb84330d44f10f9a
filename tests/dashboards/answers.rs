//! Every question of every dashboard, put to a real Prometheus; variables are filled as Grafana fills them.

use crate::files::{Dashboard, Question, all, filled, root};
use crate::kit::http::percent;
use crate::kit::process::until;
use crate::kit::prometheus::Prometheus;
use crate::world::World;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// A daemon is asked every five minutes, so within a test its counters stand still, and a quantile of nothing is no number.
const STILL: [&str; 1] = ["chaos_daemon_grpc_server_handling_seconds_bucket"];

/// Numbers among what a question is answered.
fn numbers(prometheus: &Prometheus, expr: &str, instant: bool) -> Vec<f64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expr = percent(expr);
    let path =
        if instant { format!("query?query={expr}") } else { format!("query_range?query={expr}&start={}&end={now}&step=5", now - 120) };
    let answer = prometheus.api(&path);
    let series = answer["data"]["result"].as_array().unwrap().iter();
    let samples = series.flat_map(|it| it["values"].as_array().cloned().unwrap_or_else(|| vec![it["value"].clone()]));
    samples.filter_map(|it| it[1].as_str()?.parse().ok()).collect()
}

/// Whether there is something to draw.
fn answered(prometheus: &Prometheus, question: &Question<'_>, values: &BTreeMap<&str, String>) -> bool {
    let found = numbers(prometheus, &filled(question.expr, values), question.instant);
    let still = STILL.iter().any(|it| question.expr.contains(it));
    found.iter().any(|it| it.is_finite() || still)
}

/// `label_values(SELECTOR, LABEL)` as Grafana asks it: the values of the label among the series.
fn options(prometheus: &Prometheus, query: &str, values: &BTreeMap<&str, String>) -> Vec<String> {
    let query = filled(query, values);
    let inner = query.strip_prefix("label_values(").and_then(|it| it.strip_suffix(')')).unwrap_or_else(|| panic!("{query}"));
    let (selector, label) = inner.rsplit_once(", ").unwrap();
    let answer = prometheus.api(&format!("label/{label}/values?match[]={}", percent(selector)));
    answer["data"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// All of everything: what a dashboard opens with.
fn everything(dashboard: &Dashboard) -> BTreeMap<&str, String> {
    dashboard.choices().into_iter().map(|(name, _)| (name, ".*".to_owned())).collect()
}

/// A value in a regular expression, as Grafana writes one.
fn quoted(value: &str) -> String {
    value.chars().flat_map(|it| if it.is_ascii_alphanumeric() || "-_".contains(it) { vec![it] } else { vec!['\\', '\\', it] }).collect()
}

#[test]
#[ignore = "needs root, kube-apiserver and prometheus: run by make test"]
fn every_question_of_every_dashboard_has_an_answer() {
    let world = World::start();
    let prometheus = &world.prometheus;
    until(
        || {
            let enough = prometheus.query_now("min(count_over_time(up[1m])) >= 25 and on () min(up) == 1");
            (!enough.as_array().unwrap().is_empty()).then_some(())
        },
        || format!("every target is scraped: {}", prometheus.api("targets")),
    );
    // What no run declares is left behind only after a time of grace.
    prometheus.query("count_over_time(chaoscope_residue_first_seen_timestamp_seconds[1m]) >= 10");
    let mut silent = Vec::new();
    for dashboard in all() {
        let all = everything(&dashboard);
        let questions = dashboard.questions();
        silent.extend(questions.iter().filter(|it| !answered(prometheus, it, &all)).map(|it| format!("{} {}", it.by, it.expr)));
        for (name, query) in dashboard.choices() {
            let options = options(prometheus, query, &all);
            if options.is_empty() {
                silent.push(format!("{}: variable {name}", dashboard.name));
            }
            // One value at a time; what it is in has an answer for at least one.
            for question in questions.iter().filter(|it| it.expr.contains(&format!("${name}\""))) {
                let mut values = all.clone();
                let one = options.iter().any(|option| {
                    values.insert(name, quoted(option));
                    answered(prometheus, question, &values)
                });
                if !one {
                    silent.push(format!("{} for no {name} of {options:?}: {}", question.by, question.expr));
                }
            }
        }
    }
    assert!(silent.is_empty(), "{} without an answer:\n{}", silent.len(), silent.join("\n"));
    what_is_wrong_is_counted(prometheus);
    nobody_is_no_answer(prometheus);
    elsewhere_is_nowhere_else(prometheus);
}

/// Numbers of the overview on what the recordings left open: not only there, but right.
fn what_is_wrong_is_counted(prometheus: &Prometheus) {
    let overview = all().into_iter().find(|it| it.name == "overview").unwrap();
    let values = everything(&overview);
    let number = |title: &str| {
        let questions = overview.questions();
        let question = questions.iter().find(|it| it.by == format!("overview: {title} A")).unwrap();
        numbers(prometheus, &filled(question.expr, &values), true)
    };
    for (title, wanted) in [("Stuck", 1.0), ("Without targets", 2.0), ("Not as declared", 1.0), ("Nodes silent", 0.0)] {
        assert_eq!(number(title), [wanted], "{title}");
    }
    // The pods' partition and limit are no run's; and a selector without targets that is past its end is not overdue.
    assert!(number("Left behind")[0] >= 2.0 && number("Active")[0] >= 2.0);
    assert!((2.0..=number("Active")[0]).contains(&number("Overdue")[0]), "{:?}", number("Overdue"));
}

/// How families begin that only a node role has, and those that only the cluster role has: verdicts are what kernels say.
const OF_NODES: &[&str] = &["chaoscope_declared_", "chaoscope_fault_", "chaoscope_limitations", "chaoscope_netns_", "chaoscope_residue"];
const OF_CLUSTER: &[&str] = &["chaoscope_experiment_", "chaoscope_journal_", "chaoscope_target_", "chaoscope_watch_"];

/// Where one role is not there, what only it would know is not 0; and nor is what a node would know that is not there.
fn nobody_is_no_answer(prometheus: &Prometheus) {
    let mut tried = [0; 3];
    for dashboard in all() {
        let values = everything(&dashboard);
        for question in dashboard.questions().into_iter().filter(|it| it.expr.contains(" or 0 * max(")) {
            let asked = question.expr.split(" or 0 * max(").next().unwrap();
            let silent = |expr: &str, why: &str| {
                assert_eq!(numbers(prometheus, expr, true), Vec::<f64>::new(), "{} without {why}: {expr}", question.by);
            };
            for (role, families) in [OF_NODES, OF_CLUSTER].into_iter().enumerate() {
                if families.iter().any(|it| asked.contains(it)) {
                    let without = |expr: String, family: &&str| expr.replace(*family, &family.replace("chaoscope_", "nobody_"));
                    silent(&families.iter().fold(filled(question.expr, &values), without), ["a node role", "the cluster role"][role]);
                    tried[role] += 1;
                }
            }
            if question.expr.contains("$node\"") {
                let mut nowhere = values.clone();
                nowhere.insert("node", "nowhere".to_owned());
                silent(&filled(question.expr, &nowhere), "this node");
                tried[2] += 1;
            }
        }
    }
    assert!(tried.iter().all(|it| *it >= 3), "{tried:?}");
}

/// `elsewhere.prom` holds only families that no real target has.
fn elsewhere_is_nowhere_else(prometheus: &Prometheus) {
    let page = fs::read_to_string(root().join("tests/dashboards/elsewhere.prom")).unwrap();
    let families: BTreeSet<_> = page.lines().filter_map(|it| it.strip_prefix("# TYPE ")).map(|it| it.split(' ').next().unwrap()).collect();
    assert!(!families.is_empty());
    for family in families {
        let real = prometheus.query_now(&format!("{{__name__=~\"{family}(_bucket)?\", job!=\"elsewhere\"}}"));
        assert_eq!(real, Value::Array(vec![]), "{family}: take it out of elsewhere.prom");
    }
}

#[test]
fn a_value_is_quoted_as_in_a_regular_expression() {
    assert_eq!(quoted("127.0.0.1:1"), r"127\\.0\\.0\\.1\\:1");
    let values = BTreeMap::from([("pod", "a".to_owned()), ("namespace", "b".to_owned())]);
    assert_eq!(filled("x{p=\"$pod\", n=\"${namespace}\"}[$__rate_interval]", &values), "x{p=\"a\", n=\"b\"}[20s]");
}
