//! The rules' own unit tests, by promtool; and that these tests notice when a part of a rule goes missing.

use crate::kit::process::{finish, succeed};
use crate::{FILES, file, rules_of, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;
use tempfile::TempDir;

const TESTS: [&str; 5] = ["coverage", "experiments", "faults", "kube-state-metrics", "suppression"];

#[test]
#[ignore = "needs promtool: run by make test"]
fn the_rules_do_what_their_tests_say() {
    for name in FILES {
        succeed(Command::new("promtool").args(["check", "rules", "--lint-fatal"]).arg(file(&format!("manifests/rules/{name}"))));
    }
    for name in TESTS {
        succeed(Command::new("promtool").args(["test", "rules"]).arg(file(&format!("tests/rules/{name}.test.yaml"))));
    }
}

/// Tests of all rules: each alert is seen firing with its words, each recorded series with a value.
#[test]
fn every_rule_has_a_test() {
    let rules: Vec<Value> = FILES.iter().flat_map(|name| rules_of(&text(&format!("manifests/rules/{name}")))).collect();
    let mut fired = BTreeSet::new();
    let mut all = String::new();
    for name in TESTS {
        let said = text(&format!("tests/rules/{name}.test.yaml"));
        let tests: Value = serde_saphyr::from_str(&said).unwrap();
        let cases = tests["tests"].as_array().unwrap().iter().flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten());
        fired.extend(cases.filter(|case| case["exp_alerts"].is_array()).map(|case| case["alertname"].as_str().unwrap().to_owned()));
        all += &said;
    }
    let alerts: BTreeSet<_> = rules.iter().filter_map(|rule| rule["alert"].as_str()).map(str::to_owned).collect();
    assert_eq!(fired, alerts);
    for name in rules.iter().filter_map(|rule| rule["record"].as_str()) {
        // The sums of a day are seen through what they end.
        assert!(all.contains(name) || name.ends_with(":1d") || name.ends_with(":max"), "{name} is in no test");
    }
}

/// What is taken away from a file of rules, and the tests that must fail then.
const TAKEN: [(&str, &str, &str, &str); 28] = [
    ("alerts.yaml", ", owner=\"ended_run\"", "", "faults"),
    ("alerts.yaml", "effect=\"effective\", owner=\"ended_run\"", "owner=\"ended_run\"", "faults"),
    (
        "alerts.yaml",
        "last_over_time(chaoscope_residue{effect=\"effective\", owner=\"ended_run\"}[3m])",
        "chaoscope_residue{effect=\"effective\", owner=\"ended_run\"}",
        "faults",
    ),
    (
        "alerts.yaml",
        "last_over_time(chaoscope_residue{effect=\"effective\", owner=\"unknown\"}[3m])",
        "chaoscope_residue{effect=\"effective\", owner=\"unknown\"}",
        "faults",
    ),
    (
        "alerts.yaml",
        "last_over_time(chaoscope_fault_verdict{verdict=\"missing\"}[3m])",
        "chaoscope_fault_verdict{verdict=\"missing\"}",
        "faults",
    ),
    (
        "alerts.yaml",
        "last_over_time(chaoscope_fault_verdict{verdict=\"drifted\"}[3m])",
        "chaoscope_fault_verdict{verdict=\"drifted\"}",
        "faults",
    ),
    ("alerts.yaml", "phase=~\"paused|recovering|finished\"", "phase=~\"recovering|finished\"", "faults"),
    ("alerts.yaml", "phase=~\"paused|recovering|finished\"", "phase=~\"paused|recovering\"", "faults"),
    ("alerts.yaml", "        keep_firing_for: 5m\n", "", "faults"),
    ("alerts.yaml", "for: 5m\n        keep", "for: 0s\n        keep", "experiments"),
    ("alerts.yaml", "for: 3m\n        keep", "for: 0s\n        keep", "experiments"),
    (
        "alerts.yaml",
        "(last_over_time(chaoscope_experiment_phase{phase=\"injecting\"}[3m]))",
        "(chaoscope_experiment_phase{phase=\"injecting\"})",
        "experiments",
    ),
    (
        "alerts.yaml",
        "(last_over_time(chaoscope_experiment_phase{phase=\"recovering\"}[3m]))",
        "(chaoscope_experiment_phase{phase=\"recovering\"})",
        "experiments",
    ),
    (
        "alerts.yaml",
        "(last_over_time(chaoscope_experiment_phase{phase=\"selecting\"}[3m]))",
        "(chaoscope_experiment_phase{phase=\"selecting\"})",
        "experiments",
    ),
    (
        "alerts.yaml",
        "last_over_time(chaoscope_experiment_expected_end_timestamp_seconds[3m])",
        "chaoscope_experiment_expected_end_timestamp_seconds",
        "experiments",
    ),
    ("alerts.yaml", "and on ()\n            max(max_over_time(up{job=\"chaoscope-cluster\"}[15m] offset 15m)) == 1", "", "experiments"),
    ("alerts.yaml", "last_over_time(chaoscope_schedule_active[3m])", "chaoscope_schedule_active", "experiments"),
    ("alerts.yaml", "last_over_time(chaoscope_schedule_paused[3m])", "chaoscope_schedule_paused", "experiments"),
    ("alerts.yaml", "reason=~\"missing|cluster_scoped\"", "reason=~\"missing\"", "coverage"),
    ("alerts.yaml", "{reason!=\"gone\"}", "", "coverage"),
    ("alerts.yaml", "last_over_time(chaoscope_declared_connected[3m])", "chaoscope_declared_connected", "coverage"),
    ("alerts.yaml", "last_over_time(chaoscope_journal_failing[3m])", "chaoscope_journal_failing", "coverage"),
    ("recording.yaml", "> time() - 3600)", "> 0)", "suppression"),
    ("recording.yaml", "unless on (namespace, pod) chaoscope:target_chaos_seconds:1d > 14400", "", "suppression"),
    (
        "recording.yaml",
        "last_over_time(chaoscope_target_chaos_start_timestamp_seconds{namespace!=\"\", pod!=\"\"}[3m])",
        "chaoscope_target_chaos_start_timestamp_seconds{namespace!=\"\", pod!=\"\"}",
        "suppression",
    ),
    (
        "recording.yaml",
        "max by (node, namespace, pod, container, netns, experiment_namespace, experiment_kind, experiment, verdict)",
        "max by (namespace, pod, container, netns, experiment_namespace, experiment_kind, experiment, verdict)",
        "faults",
    ),
    (
        "recording.yaml",
        "max by (node, namespace, pod, container, netns, experiment_namespace, experiment_kind, experiment, effect, owner, what)",
        "max by (namespace, pod, container, netns, experiment_namespace, experiment_kind, experiment, effect, owner, what)",
        "faults",
    ),
    ("kube-state-metrics.yaml", "floor(chaoscope:workload_under_chaos)", "chaoscope:workload_under_chaos", "kube-state-metrics"),
];

/// Among them what one would write first: a bare comparison, which a page without the sample resets.
#[test]
#[ignore = "needs promtool: run by make test"]
fn the_tests_notice_what_is_taken_from_a_rule() {
    for (name, part, instead, tests) in TAKEN {
        let folder = TempDir::new().unwrap();
        for below in ["manifests/rules", "tests/rules"] {
            std::fs::create_dir_all(folder.path().join(below)).unwrap();
        }
        for other in FILES {
            let path = format!("manifests/rules/{other}");
            let whole = text(&path);
            let shown = if other == name { whole.replace(part, instead) } else { whole.clone() };
            assert!(other != name || shown != whole, "{name} has no {part}");
            std::fs::write(folder.path().join(path), shown).unwrap();
        }
        let path = format!("tests/rules/{tests}.test.yaml");
        std::fs::write(folder.path().join(&path), text(&path)).unwrap();
        let output = finish(Command::new("promtool").args(["test", "rules"]).arg(folder.path().join(&path)));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(
            !output.status.success() && (said.contains("got:") || said.contains("exp:")),
            "{name} with {instead:?} for {part:?} passes: {said}"
        );
    }
}

/// The commands of the runbooks: each is one the program has, with the flags it has.
#[test]
fn runbooks_name_commands_that_exist() {
    let page = text("docs/alerts.md").replace("/chaoscope ", "chaoscope ");
    let told = page
        .split(['`', '\n', '$'])
        .filter_map(|it| it.split_once("chaoscope ").filter(|(before, _)| before.is_empty() || before.ends_with("-- ")));
    let mut seen = BTreeSet::new();
    for (_, words) in told {
        let command = words.split(' ').next().unwrap();
        let help = finish(Command::new(env!("CARGO_BIN_EXE_chaoscope")).args([command, "--help"]));
        assert!(help.status.success(), "chaoscope {words}");
        let help = String::from_utf8(help.stdout).unwrap();
        for flag in words.split(' ').filter(|it| it.starts_with("--")) {
            assert!(help.contains(flag), "chaoscope {words}: no {flag}");
        }
        seen.insert(command.to_owned());
    }
    assert_eq!(seen, ["check", "doctor", "gate", "journal", "runs", "snapshot"].map(str::to_owned).into());
}
