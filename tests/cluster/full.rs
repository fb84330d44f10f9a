//! A disk that fills up under the running cluster role, and has room again: what is now is told on, and of the runs of that time none is missing.

use crate::kit::disk::SmallDisk;
use crate::kit::http::get;
use crate::kit::kube::Kube;
use crate::kit::kube::objects::chaos;
use crate::kit::process::until;
use crate::live::{comes_to, told, wanted};
use crate::program::Program;
use crate::recording;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tempfile::TempDir;

/// The value of a sample without labels, or the sum of a family's; all of these are counts.
fn sum(metrics: &str, family: &str) -> usize {
    let of_it = |line: &&str| line.strip_prefix(family).is_some_and(|rest| rest.starts_with([' ', '{']));
    metrics.lines().filter(of_it).map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
}

/// An experiment in force on a target of its own.
fn in_force(number: usize) -> Value {
    let mut object = chaos("NetworkChaos", "crowd", &format!("crowd-{number}"));
    let applied = json!({ "type": "Succeeded", "operation": "Apply", "timestamp": "2026-11-21T12:00:01Z" });
    let record = json!({ "id": format!("crowd/pod-{number}"), "selectorKey": ".", "phase": "Injected", "injectedCount": 1,
        "recoveredCount": 0, "events": [applied] });
    object["spec"] = json!({ "action": "partition", "mode": "all", "selector": {}, "externalTargets": ["x".repeat(4096)] });
    object["status"] = json!({ "conditions": [{ "type": "Selected", "status": "True" }, { "type": "AllInjected", "status": "True" }],
        "experiment": { "desiredPhase": "Run", "containerRecords": [record] } });
    object
}

/// The same, recovered.
fn recovered(number: usize) -> Value {
    let mut object = in_force(number);
    let record = &mut object["status"]["experiment"]["containerRecords"][0];
    record["phase"] = "Not Injected".into();
    record["recoveredCount"] = 1.into();
    let recovered = json!({ "type": "Succeeded", "operation": "Recover", "timestamp": "2026-11-21T12:00:09Z" });
    record["events"].as_array_mut().unwrap().push(recovered);
    object["status"]["experiment"]["desiredPhase"] = "Stop".into();
    object
}

fn is_failing(program: &Program) -> bool {
    sum(&program.metrics(), "chaoscope_journal_failing") > 0
}

#[test]
#[ignore = "needs root and a kube-apiserver: run by make test"]
fn a_disk_that_is_full_for_a_while_costs_no_run() {
    let kube = Kube::start();
    kube.define_all();
    kube.namespace("crowd");
    let folder = TempDir::new().unwrap();
    let disk = SmallDisk::mount(folder.path().join("journal"), 8);
    let kubeconfig = format!("--kubeconfig={}", kube.kubeconfig().display());
    let program = Program::start_in(folder, &["cluster", &kubeconfig]);
    let pid = program.pid();
    kube.feed(&recording::folder().join("pod-kill"));
    comes_to(&program, &wanted(&["pod-kill"]));

    disk.fill();
    // Until what the journal has still free in its own files is used up.
    let full = (0..5000).find(|number| {
        kube.create(&in_force(*number));
        number % 10 == 0 && is_failing(&program)
    });
    let full = full.expect("a full disk") + 1;
    kube.feed(&recording::folder().join("partition-external"));
    kube.feed(&recording::folder().join("pause-resume"));
    for number in full..full + 40 {
        kube.create(&in_force(number));
    }
    for number in 0..5 {
        kube.put(&recovered(number));
    }
    let experiments = || program.json("/api/experiments?namespace=crowd").as_array().unwrap().len();
    until(|| (experiments() == full + 40).then_some(()), || format!("what is now is known: {}", program.log()));
    let metrics = program.metrics();
    let shown = metrics.matches("chaoscope_experiment_info{experiment_namespace=\"crowd\"").count();
    assert_eq!(shown, full + 40, "metrics go on");
    assert!(
        is_failing(&program) && sum(&metrics, "chaoscope_journal_pending") > 0 && sum(&metrics, "chaoscope_journal_dropped_total") == 0
    );
    let doctor = program.json("/api/v1/doctor");
    let line = doctor["lines"].as_array().unwrap().iter().find(|line| line["about"] == "journal").unwrap();
    assert!(line["mark"] == "bad" && line["found"].as_str().unwrap().starts_with("the journal cannot be written"), "{line}");
    let (status, page) = get(program.address, "/readyz?verbose").unwrap();
    assert!(status == 200 && page.contains("[!]journal not waited for: it cannot be written"), "{page}");
    assert!(!told(&program).is_empty(), "what is stored is found");

    disk.free();
    until(|| (!is_failing(&program)).then_some(()), || program.log());
    // Their pods were never there.
    let crowd = |number: usize| {
        let (phase, outcome, state) = if number < 5 { ("finished", "\"recovered\"", "recovered") } else { ("running", "null", "gone") };
        format!("\"crowd-{number}\" 1 \"{phase}\" {outcome} \"crowd/pod-{number}\" \"{state}\"")
    };
    let mut all = wanted(&["pod-kill", "partition-external", "pause-resume"]);
    all.extend((0..full + 40).map(crowd));
    all.sort();
    let sorted = || {
        let mut told = told(&program);
        told.sort();
        told
    };
    until(|| (sorted() == all).then_some(()), || format!("{:#?}\nwanted {all:#?}\n{}", sorted(), program.log()));
    let keys = program.event_keys();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "no event twice");
    let ended = all.iter().filter(|run| run.contains("\"finished\"")).count();
    let counted = || sum(&program.metrics(), "chaoscope_runs_total");
    until(|| (counted() == ended).then_some(()), || format!("{} of {ended} are counted", counted()));
    let metrics = program.metrics();
    for (family, wanted) in [("runs_total", ended), ("journal_pending", 0), ("journal_dropped_total", 0), ("journal_refused_total", 0)] {
        assert_eq!(sum(&metrics, &format!("chaoscope_{family}")), wanted, "{family}: {metrics}");
    }
    assert_eq!(
        (program.pid(), program.log().matches("the journal cannot be written").count()),
        (pid, 1),
        "the same process, and said once"
    );
    assert_eq!(program.verify().0, Some(0), "{}", program.verify().1);
}
