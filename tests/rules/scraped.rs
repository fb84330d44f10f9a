//! The rules in a real Prometheus that scrapes with the labels pod discovery attaches: those of Chaoscope's own pods, which clash with ours.
//!
//! Pages are those of the program where it can be brought into the state (a recording that ends in the middle, this host), else the golden pages,
//! which are what it writes byte by byte, and lines of its families. Alerts fire at once here; how long they wait is promtool's matter.

use crate::kit::process::until;
use crate::kit::prometheus::Prometheus;
use crate::kit::served::Served;
use crate::program::Program;
use crate::{at_once, changed, recording, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Everything that is scraped.
struct World {
    cluster: Vec<Program>,
    node: Program,
    pages: Vec<(&'static str, &'static str, Served)>,
    state_metrics: Served,
    nobody: SocketAddr,
    _recordings: TempDir,
}

/// A recording up to a moment, as if the controller had stopped then.
fn cut(name: &str, before: &str, into: &Path) -> Program {
    let (from, to) = (recording::folder().join(name), into.join(name));
    for folder in ["watch", "initial"] {
        fs::create_dir_all(to.join(folder)).unwrap();
        for entry in fs::read_dir(from.join(folder)).unwrap().map(Result::unwrap) {
            let whole = fs::read_to_string(entry.path()).unwrap();
            let told =
                |line: &&str| serde_json::from_str::<Value>(line).is_ok_and(|it| it["seen"].as_str().is_none_or(|seen| seen < before));
            let kept = if folder == "watch" { whole.lines().filter(told).map(|line| format!("{line}\n")).collect() } else { whole };
            fs::write(to.join(folder).join(entry.file_name()), kept).unwrap();
        }
    }
    Program::start(&["replay", &to.display().to_string()])
}

/// The node whose page is this host's own.
const THIS_HOST: &str = "here";
const EXPERIMENT: &str = r#"experiment_namespace="shop",experiment_kind="NetworkChaos",experiment"#;

/// A node in trouble.
fn bad_node() -> String {
    let mut page = String::new();
    for (pod, verdict) in [("web-0", "missing"), ("web-1", "drifted"), ("web-2", "in_force"), ("web-3", "unknown")] {
        for each in ["in_force", "drifted", "missing", "unknown"] {
            let value = u8::from(each == verdict);
            let target = format!(r#"namespace="shop",pod="{pod}",container="",netns="""#);
            writeln!(page, r#"chaoscope_fault_verdict{{{target},{EXPERIMENT}="bad",verdict="{each}"}} {value}"#).unwrap();
        }
    }
    for (target, effect, owner) in [
        (r#"namespace="shop",pod="web-4",container="",netns="""#, "effective", "ended_run"),
        (r#"namespace="",pod="",container="",netns="4026""#, "effective", "unknown"),
        (r#"namespace="shop",pod="web-5",container="",netns="""#, "benign", "ended_run"),
    ] {
        writeln!(page, r#"chaoscope_residue{{{target},{EXPERIMENT}="left",effect="{effect}",owner="{owner}",what="qdisc"}} 2"#).unwrap();
    }
    page + "chaoscope_declared_connected 0\n"
}

/// Experiments in trouble, and a pod that is under chaos now.
fn bad_cluster() -> String {
    let mut page = String::new();
    for (name, phase) in [
        ("slow", "injecting"),
        ("hangs", "recovering"),
        ("nobody", "selecting"),
        ("endless", "running"),
        ("bad", "running"),
        ("waits", "paused"),
    ] {
        for each in ["selecting", "injecting", "running", "paused", "recovering", "finished"] {
            writeln!(page, r#"chaoscope_experiment_phase{{{EXPERIMENT}="{name}",phase="{each}"}} {}"#, u8::from(each == phase)).unwrap();
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for (name, age) in [("endless", 40_000), ("slow", 400), ("waits", 40_000)] {
        writeln!(page, r#"chaoscope_experiment_start_timestamp_seconds{{{EXPERIMENT}="{name}"}} {}"#, now - age).unwrap();
    }
    for (pod, age) in [("web-7", 60), ("web-8", 4000)] {
        let target = format!(r#"namespace="shop",pod="{pod}",workload="web",workload_kind="Deployment",node="worker-9""#);
        writeln!(page, r#"chaoscope_target_chaos_start_timestamp_seconds{{{target},{EXPERIMENT}="slow"}} {}"#, now - age).unwrap();
    }
    let schedule = r#"{experiment_namespace="shop",experiment_kind="Schedule",experiment="nightly"}"#;
    writeln!(page, "chaoscope_schedule_next_timestamp_seconds{schedule} {}\nchaoscope_schedule_active{schedule} 0", now - 500).unwrap();
    page + "chaoscope_nodes{state=\"connected\"} 2\nchaoscope_nodes{state=\"silent\"} 1\nchaoscope_journal_failing 1\n"
}

/// A golden page without the families that the pages of trouble tell of.
fn golden(role: &str) -> String {
    const THEIRS: [&str; 4] = ["chaoscope_declared_", "chaoscope_fault_verdict", "chaoscope_nodes", "chaoscope_residue"];
    let whole = text(&format!("tests/golden/{role}.prom"));
    let theirs = |line: &str| THEIRS.iter().any(|it| line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").starts_with(it));
    whole.lines().filter(|line| !theirs(line)).map(|line| format!("{line}\n")).collect()
}

impl World {
    fn new() -> Self {
        let recordings = TempDir::new().unwrap();
        Self {
            cluster: vec![
                cut("partition-both", "2026-11-21T13:56:55", recordings.path()),
                cut("pause-resume", "2026-11-21T14:03:25", recordings.path()),
            ],
            node: Program::start(&["node"]),
            pages: vec![
                ("chaoscope-cluster", "worker-1", Served::new(&golden("cluster"))),
                ("chaoscope-cluster", "worker-1", Served::new(&bad_cluster())),
                ("chaoscope-node", "worker-2", Served::new(&golden("node"))),
                ("chaoscope-node", "worker-3", Served::new(&bad_node())),
            ],
            state_metrics: Served::new(
                &[THIS_HOST, "worker-2", "worker-3", "worker-4", "worker-5"]
                    .map(|it| format!("kube_node_info{{node=\"{it}\",os_image=\"Debian\"}} 1\n"))
                    .concat(),
            ),
            nobody: crate::kit::http::free_address(),
            _recordings: recordings,
        }
    }

    /// A Prometheus that scrapes all of it as pod discovery would, with the rules in `rules`.
    fn scraped(&self, honor: bool, rules: &Path) -> Prometheus {
        let mut targets: Vec<(&str, &str, SocketAddr)> =
            self.cluster.iter().map(|it| ("chaoscope-cluster", "worker-1", it.address)).collect();
        targets.push(("chaoscope-node", THIS_HOST, self.node.address));
        targets.extend(self.pages.iter().map(|(job, node, page)| (*job, *node, page.address())));
        targets.push(("chaoscope-node", "worker-4", self.nobody));
        let mut jobs = String::new();
        for job in ["chaoscope-cluster", "chaoscope-node"] {
            writeln!(jobs, "- job_name: {job}\n  honor_labels: {honor}").unwrap();
            // No node is connected to what replays a recording.
            let replays: Vec<_> = self.cluster.iter().map(|it| format!("chaoscope_nodes;{}", it.address)).collect();
            let dropped = format!("source_labels: [__name__, instance], regex: '{}', action: drop", replays.join("|"));
            writeln!(jobs, "  metric_relabel_configs: [{{{dropped}}}]\n  static_configs:").unwrap();
            for (at, (_, node, address)) in targets.iter().enumerate().filter(|(_, it)| it.0 == job) {
                let labels = format!("namespace: chaoscope, pod: {job}-{at}, container: chaoscope, endpoint: http, node: {node}");
                writeln!(jobs, "  - {{targets: ['{address}'], labels: {{{labels}}}}}").unwrap();
            }
        }
        let state = self.state_metrics.address();
        let labels = "namespace: monitoring, pod: ksm-0, container: ksm";
        writeln!(
            jobs,
            "- job_name: kube-state-metrics\n  honor_labels: true\n  static_configs: [{{targets: ['{state}'], labels: {{{labels}}}}}]"
        )
        .unwrap();
        writeln!(jobs, "rule_files: ['{}/*.yaml']", rules.display()).unwrap();
        Prometheus::with_jobs(|_| jobs.clone())
    }
}

/// Firing alerts, each with what tells it from others of its name. Those about this host are left out: who knows what is on it.
fn firing(prometheus: &Prometheus) -> BTreeSet<String> {
    let answer = prometheus.api("alerts");
    let alerts = answer["data"]["alerts"].as_array().unwrap().iter();
    let alerts = alerts.filter(|it| it["state"] == "firing" && it["labels"]["node"] != THIS_HOST);
    let told = |it: &Value| {
        let label = |name: &str| it["labels"][name].as_str();
        let about = ["experiment", "pod", "netns", "resource", "workload", "job"].iter().filter_map(|name| label(name));
        let about = if label("instance").is_some() && label("resource").is_none() { vec![label("node").unwrap()] } else { about.collect() };
        [&[label("alertname").unwrap()], &about[..]].concat().join(" ").replacen("Chaoscope", "", 1)
    };
    let node = |it: &Value| it["labels"]["alertname"] == "ChaoscopeNodeUncovered";
    alerts.map(|it| if node(it) { format!("NodeUncovered {}", it["labels"]["node"].as_str().unwrap()) } else { told(it) }).collect()
}

/// No rule failed to be evaluated; each was, at least once.
fn assert_healthy(prometheus: &Prometheus) {
    let rules = || -> Vec<Value> {
        let answer = prometheus.api("rules");
        answer["data"]["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
    };
    let unknown = |it: &&Value| it["health"] == "unknown";
    let all = until(|| Some(rules()).filter(|all| !all.iter().any(|it| unknown(&it))), || "every rule is evaluated".to_owned());
    assert!(all.len() > 30, "{} rules", all.len());
    let sick: Vec<_> = all.iter().filter(|it| it["health"] != "ok").collect();
    assert!(sick.is_empty(), "{sick:?}");
}

#[test]
#[ignore = "needs prometheus: run by make test"]
fn with_honored_labels_every_alert_is_about_its_target() {
    let (world, rules) = (World::new(), changed(at_once));
    let prometheus = world.scraped(true, rules.path());
    let expected: BTreeSet<String> = [
        "EffectiveResidue left web-4",
        "UnknownResidue left 4026",
        "FaultMissing bad web-0",
        "FaultDrifted bad web-1",
        "ExperimentOverdue cut-web-from-client", // the program's own page; born-paused, from the other, is paused
        "ExperimentOverdue cut",
        "ExperimentStuckInjecting slow",
        "ExperimentStuckRecovering hangs",
        "ExperimentWithoutTargets nobody",
        "ExperimentRunningForLong endless",
        "ScheduleMissed nightly",
        "NodeBlind worker-2",
        "NodeDisconnected worker-3",
        "NodeDown worker-4",
        "NodeUncovered worker-4",
        "NodeUncovered worker-5",
        "NodesSilent",
        "WatchBroken remoteclusters",
        "JournalNotWriting worker-1",
        "TargetUnderChaos web-7",
        "WorkloadUnderChaos web",
    ]
    .map(str::to_owned)
    .into();
    // Before every page is in, other alerts may fire.
    let found = || firing(&prometheus);
    until(|| (found() == expected).then_some(()), || format!("{:#?}\n instead of {expected:#?}", found()));
    assert_healthy(&prometheus);
    assert_eq!(found(), expected);

    let labels = prometheus.api("labels");
    let taken: Vec<_> = labels["data"].as_array().unwrap().iter().filter(|it| it.as_str().unwrap().starts_with("exported_")).collect();
    assert!(taken.is_empty(), "{taken:?}");
    // A namespace of no pod does not become Chaoscope's, and a page's own series are its pod's.
    let of = |expression: &str| prometheus.query_now(expression)[0]["metric"].clone();
    assert_eq!(of("chaoscope_netem_delay_seconds{netns='12',node='worker-2'}")["pod"], Value::Null);
    assert_eq!(of("chaoscope_ipset_members{pod='web-0',node='worker-2'}")["namespace"], "shop");
    assert_eq!(of("chaoscope_netns_visited{node='worker-2'}")["namespace"], "chaoscope");
    assert_eq!(of("chaoscope_target_chaos_start_timestamp_seconds{pod='web-7'}")["node"], "worker-9");
    assert_eq!(of("chaoscope:target_under_chaos").as_object().unwrap().len(), 3, "name, namespace and pod");
}

#[test]
#[ignore = "needs prometheus: run by make test"]
fn without_honored_labels_an_alert_says_so() {
    let (world, rules) = (World::new(), changed(at_once));
    let prometheus = world.scraped(false, rules.path());
    let said = ["LabelsNotHonored chaoscope-cluster", "LabelsNotHonored chaoscope-node"].map(str::to_owned);
    let found = || firing(&prometheus);
    until(|| said.iter().all(|it| found().contains(it)).then_some(()), || format!("{:#?}", found()));
    // Why it matters: what is under chaos seems to be Chaoscope's own pod.
    let about = prometheus.query("chaoscope_target_chaos_start_timestamp_seconds{exported_pod='web-7'}");
    assert_eq!(about[0]["metric"]["namespace"], "chaoscope");
    let held = prometheus.query("chaoscope:target_under_chaos");
    assert!(held.as_array().unwrap().iter().all(|it| it["metric"]["namespace"] == "chaoscope"), "{held}");
    // And it is noticed while nothing runs: the page of a recording has this series in any case.
    let replay = world.cluster[0].address;
    prometheus.query(&format!("chaoscope_watch_up{{instance='{replay}', resource='remoteclusters', namespace!=''}}"));
}
