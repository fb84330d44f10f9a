//! Alerts that are held back during chaos: a real Prometheus with the rules, and a real Alertmanager with `inhibition.example.yaml`.

use crate::kit::alertmanager::{Alertmanager, amtool};
use crate::kit::process::until;
use crate::kit::prometheus::Prometheus;
use crate::kit::served::Served;
use crate::{at_once, changed, file, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

const EXAMPLE: &str = "manifests/rules/inhibition.example.yaml";

/// Alerts of an application, as people write them: about a pod, a workload, or neither; one holds itself back.
const APPLICATION: &str = r#"
groups:
  - name: application
    rules:
      - {alert: Errors, expr: 'app_errors{pod!=""} > 5'}
      - {alert: QuietErrors, expr: 'app_errors{pod!=""} > 5 unless on (namespace, pod) chaoscope:target_under_chaos'}
      - {alert: Budget, expr: 'app_errors{pod="", deployment=""} > 5'}
      - {alert: Replicas, expr: 'app_errors{deployment!=""} > 5'}
      - {alert: ChaoscopeFaultMissing, expr: 'app_errors{pod!=""} > 5'}
"#;

fn errors() -> String {
    let of = |labels: &str| format!("app_errors{{{labels}}} 9\n");
    [r#"namespace="shop",pod="web-0""#, r#"namespace="shop",pod="web-1""#, r#"namespace="lab",pod="web-0""#, r#"namespace="shop""#]
        .map(of)
        .concat()
        + &[r#"namespace="shop",deployment="web""#, r#"namespace="shop",deployment="api""#].map(of).concat()
}

/// A target since so many seconds ago.
fn target(age: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let workload = r#"workload="web",workload_kind="Deployment",node="n1""#;
    let experiment = r#"experiment_namespace="chaos",experiment_kind="NetworkChaos",experiment="cut""#;
    let labels = format!(r#"namespace="shop",pod="web-0",{workload},{experiment}"#);
    format!("chaoscope_target_chaos_start_timestamp_seconds{{{labels}}} {}\n", now - age)
}

/// Names with namespace and pod or deployment, of those that people are told of or that are held back.
fn named(alertmanager: &Alertmanager, held_back: bool) -> BTreeSet<String> {
    let alerts = alertmanager.alerts();
    let wanted = alerts.iter().filter(|it| (it["status"]["state"] == "suppressed") == held_back);
    let labels = ["alertname", "namespace", "pod", "deployment"];
    wanted.map(|it| labels.iter().filter_map(|label| it["labels"][label].as_str()).collect::<Vec<_>>().join(" ")).collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
#[ignore = "needs prometheus and prometheus-alertmanager: run by make test"]
fn only_alerts_about_targets_are_held_back_and_only_while_chaos_lasts() {
    let alertmanager = Alertmanager::with(&text(EXAMPLE));
    let (application, page) = (Served::new(&errors()), Served::new(&target(30)));
    // Three seconds instead of three minutes are looked back, so that the end need not be waited for. The bounds in hours stay.
    let rules = changed(|rules| at_once(rules).replace("[3m]", "[3s]"));
    std::fs::write(rules.path().join("application.yaml"), APPLICATION).unwrap();
    let prometheus = Prometheus::with_jobs(|_| {
        let job = |name, page: &Served| {
            format!("- {{job_name: {name}, honor_labels: true, static_configs: [{{targets: ['{}']}}]}}\n", page.address())
        };
        let scraped = job("chaoscope-cluster", &page) + &job("application", &application);
        let told = format!("alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}\n", alertmanager.address());
        format!("{scraped}rule_files: ['{}/*.yaml']\n{told}", rules.path().display())
    });
    let sees = |held: &BTreeSet<String>, told: &[&str]| {
        let right = || named(&alertmanager, true) == *held && told.iter().all(|it| named(&alertmanager, false).contains(*it));
        until(
            || right().then_some(()),
            || {
                format!(
                    "held back {:#?}\ntold {:#?}\n{}",
                    named(&alertmanager, true),
                    named(&alertmanager, false),
                    prometheus.api("targets")
                )
            },
        );
    };
    // Told in any case: another pod, a pod of that name elsewhere, no pod at all, another workload, and what Chaoscope has to say.
    let others = [
        "Errors shop web-1",
        "Errors lab web-0",
        "QuietErrors shop web-1",
        "QuietErrors lab web-0",
        "Budget shop",
        "Replicas shop api",
        "ChaoscopeFaultMissing shop web-0",
        "ChaoscopeTargetUnderChaos shop web-0",
    ];
    let held = names(["Errors shop web-0", "Replicas shop web"]);
    sees(&held, &others);
    let quiet = |it: &BTreeSet<String>| it.contains("QuietErrors shop web-0");
    assert!(!quiet(&named(&alertmanager, false)) && !quiet(&held), "the rule that holds itself back fired");

    // The run ended, and Chaoscope has stopped telling of it.
    page.say("");
    sees(&names([]), &["Errors shop web-0", "QuietErrors shop web-0", "Replicas shop web", "Budget shop"]);

    // It begins again; then it has lasted for more than an hour, and goes on.
    page.say(&target(30));
    sees(&held, &others);
    page.say(&target(3_700));
    sees(&names([]), &["Errors shop web-0", "QuietErrors shop web-0", "Replicas shop web", "Budget shop"]);

    // Once more, and Chaoscope goes down: pages flow.
    page.say(&target(30));
    sees(&held, &others);
    drop(page);
    sees(&names([]), &["Errors shop web-0", "QuietErrors shop web-0", "Replicas shop web", "Budget shop"]);
    assert_eq!(prometheus.query_now("chaoscope:target_under_chaos"), json!([]));
}

/// An alert as Prometheus sends it.
fn alert(labels: &Value) -> Value {
    json!({"labels": labels, "annotations": {}, "generatorURL": "http://localhost/"})
}

/// `equal` holds where a label is missing on both sides; the example's matchers keep that from muting all that have no pod.
#[test]
#[ignore = "needs prometheus-alertmanager: run by make test"]
fn a_source_without_a_pod_mutes_nothing() {
    let sent = json!([
        alert(&json!({"alertname": "ChaoscopeTargetUnderChaos", "severity": "info"})),
        alert(&json!({"alertname": "ChaoscopeTargetUnderChaos", "severity": "info", "namespace": "shop"})),
        alert(
            &json!({"alertname": "ChaoscopeWorkloadUnderChaos", "severity": "info", "namespace": "shop", "workload": "w", "workload_kind": "Rollout"})
        ),
        alert(&json!({"alertname": "Cluster"})),
        alert(&json!({"alertname": "Budget", "namespace": "shop"})),
        alert(&json!({"alertname": "Errors", "namespace": "shop", "pod": "web-0"})),
    ]);
    let example = text(EXAMPLE);
    let careful = Alertmanager::with(&example);
    careful.post(&sent);
    until(|| (careful.alerts().len() == 6).then_some(()), || format!("{:?}", careful.alerts()));
    assert_eq!(careful.named(true), names([]));

    // Without them it does: the matchers are what holds it.
    let careless = example.replace("namespace=~\".+\", pod=~\".+\", ", "");
    assert_ne!(careless, example);
    let careless = Alertmanager::with(&careless);
    careless.post(&sent);
    until(|| (careless.named(true) == names(["Budget", "Cluster"])).then_some(()), || format!("{:?}", careless.alerts()));
}

/// One Alertmanager for several clusters: what runs in one mutes nothing in another, nor what has no cluster.
#[test]
#[ignore = "needs prometheus-alertmanager: run by make test"]
fn another_clusters_pod_of_that_name_is_another_pod() {
    let of = |name: &str, cluster: &str, key: &str| {
        alert(&json!({"alertname": name, "severity": "info", "cluster": cluster, "namespace": "shop", key: "web"}))
    };
    let sources = ["ChaoscopeTargetUnderChaos", "ChaoscopeWorkloadUnderChaos"];
    let mut sent = vec![of(sources[0], "east", "pod"), of(sources[1], "east", "deployment")];
    for (cluster, name) in [("east", "Here"), ("west", "There"), ("", "Nowhere")] {
        sent.extend([("pod", "Pod"), ("deployment", "Workload")].map(|(key, what)| of(&format!("{name}{what}"), cluster, key)));
    }
    let sees = |example: &str, held: &[&str]| {
        let alertmanager = Alertmanager::with(example);
        alertmanager.post(&Value::Array(sent.clone()));
        let held: BTreeSet<_> = held.iter().map(|it| format!("{it} shop web")).collect();
        until(|| (named(&alertmanager, true) == held).then_some(()), || format!("{:?}", alertmanager.alerts()));
        assert_eq!(alertmanager.alerts().len(), sent.len());
    };
    let example = text(EXAMPLE);
    sees(&example, &["HerePod", "HereWorkload"]);
    let careless = example.replace("equal: [cluster, ", "equal: [");
    assert_ne!(careless, example);
    sees(&careless, &["HerePod", "HereWorkload", "NowherePod", "NowhereWorkload", "TherePod", "ThereWorkload"]);
}

#[test]
#[ignore = "needs amtool: run by make test"]
fn sources_go_to_nobody_and_information_wakes_nobody() {
    let example = file(EXAMPLE);
    let checked = amtool(&["check-config"], &example).unwrap();
    assert!(checked.contains("5 inhibit rules"), "{checked}");
    for (labels, receiver) in [
        (["alertname=ChaoscopeTargetUnderChaos", "severity=info"], "nobody"),
        (["alertname=ChaoscopeWorkloadUnderChaos", "severity=info"], "nobody"),
        (["alertname=ChaoscopeUnknownResidue", "severity=info"], "chat"),
        (["alertname=ChaoscopeEffectiveResidue", "severity=critical"], "on-call"),
    ] {
        let path = format!("--config.file={}", example.display());
        let said = amtool(&["config", "routes", "test", &path, labels[0]], std::path::Path::new(labels[1])).unwrap();
        assert_eq!(said.lines().next(), Some(receiver), "{labels:?}");
    }
}
