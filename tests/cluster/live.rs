//! The live watch: a real API server tells what a real Chaos Mesh did, and is killed, and the program is killed, and nothing is lost.

use crate::kit::kube::Kube;
use crate::kit::process::until;
use crate::program::{Program, essence};
use crate::recording;
use crate::replayed::folded;
use serde_json::json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

pub fn told(program: &Program) -> Vec<String> {
    program.runs().iter().map(essence).collect()
}

pub fn wanted(names: &[&str]) -> Vec<String> {
    let mut runs: Vec<_> = names.iter().flat_map(|name| folded(name)).collect();
    runs.sort_by_key(|run| (run["name"].as_str().unwrap().to_owned(), run["ordinal"].as_u64()));
    runs.iter().map(essence).collect()
}

pub fn comes_to(program: &Program, wanted: &[String]) {
    until(|| (told(program) == wanted).then_some(()), || format!("{:#?}\nwanted {wanted:#?}\n{}", told(program), program.log()));
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn an_api_server_tells_what_was_recorded() {
    let kube = Kube::start();
    kube.define_all();
    let program = Program::cluster(&kube.kubeconfig(), &["--cluster-name="]);
    let names = ["workflow", "zero-match", "pod-kill", "delay", "born"];
    for name in &names[..4] {
        kube.feed(&recording::folder().join(name));
    }
    comes_to(&program, &wanted(&names[..4]));
    let run = program.runs().into_iter().find(|run| run["name"] == "slow-web").unwrap();
    assert_eq!((&run["targets"][0]["node"], &run["outcome"]), (&json!("ref-node"), &json!("injection_failed")));
    let metrics = program.metrics();
    for family in ["chaoscope_watch_up", "chaoscope_runs_total", "chaos_controller_manager_emitted_event_total", "chaoscope_journal_"] {
        assert!(metrics.contains(family), "{family} is missing");
    }
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn killed_and_started_again_it_tells_the_same_runs_and_no_event_twice() {
    let kube = Kube::start();
    kube.define_all();
    let mut program = Program::cluster(&kube.kubeconfig(), &[]);
    kube.feed(&recording::folder().join("pause-resume"));
    comes_to(&program, &wanted(&["pause-resume"]));
    let (runs, events) = (program.runs(), program.events());
    for _ in 0..2 {
        program.kill();
        program.again();
    }
    assert_eq!(program.runs(), runs);
    assert_eq!(program.events(), events);
    program.kill();
    kube.feed(&recording::folder().join("partition-external")); // while nobody looks: only its Events are left of it
    program.again();
    comes_to(&program, &wanted(&["pause-resume", "partition-external"]));
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn an_api_server_that_dies_and_comes_back_costs_nothing() {
    let kube = Kube::start();
    kube.define_all();
    let program = Program::cluster(&kube.kubeconfig(), &[]);
    kube.feed(&recording::folder().join("pod-kill"));
    comes_to(&program, &wanted(&["pod-kill"]));
    kube.kill();
    until(
        || program.metrics().lines().any(|line| line.starts_with("chaoscope_watch_up{") && line.ends_with(" 0")).then_some(()),
        || program.log(),
    );
    assert!(!told(&program).is_empty(), "what is known stays known");
    kube.restart();
    kube.feed(&recording::folder().join("bandwidth"));
    comes_to(&program, &wanted(&["pod-kill", "bandwidth"]));
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn a_change_in_the_api_server_comes_out_of_the_stream() {
    let kube = Kube::start();
    kube.define_all();
    let program = Program::cluster(&kube.kubeconfig(), &[]);
    let mut stream = TcpStream::connect(program.address).unwrap();
    stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: test\r\nAccept: text/event-stream\r\n\r\n").unwrap();
    kube.feed(&recording::folder().join("stress-cpu"));
    let mut phases = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        let Some(data) = line.strip_prefix("data:").and_then(|data| serde_json::from_str::<serde_json::Value>(data).ok()) else { continue };
        phases.extend(data["phase"].as_str().map(str::to_owned));
        if data["outcome"] == "recovered" {
            break;
        }
    }
    assert_eq!(phases.last().map(String::as_str), Some("finished"), "{phases:?}");
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn a_bad_object_is_told_once_and_stops_nothing() {
    let kube = Kube::start();
    kube.define_all();
    kube.namespace("shop");
    let program = Program::cluster(&kube.kubeconfig(), &[]);
    let mut bad = json!({"apiVersion": "chaos-mesh.org/v1alpha1", "kind": "NetworkChaos", "metadata": {"name": "bad", "namespace": "shop"},
        "spec": {"action": 7}, "status": {"experiment": {"containerRecords": "many"}}});
    for round in 0..3 {
        bad["metadata"]["labels"] = json!({"round": round.to_string()});
        kube.put(&bad);
    }
    kube.feed(&recording::folder().join("partition-external"));
    comes_to(&program, &wanted(&["partition-external"]));
    assert_eq!(program.log().matches("cannot be understood").count(), 1, "{}", program.log());
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn older_releases_are_told_as_they_are_meant() {
    let kube = Kube::start();
    kube.define_all();
    let program = Program::cluster(&kube.kubeconfig(), &[]);
    let scenes = std::fs::read_dir(recording::folder().join("../older")).unwrap().map(|entry| entry.unwrap());
    let scenes: Vec<_> = scenes.filter(|scene| scene.path().is_dir()).map(|scene| scene.file_name().into_string().unwrap()).collect();
    for scene in &scenes {
        kube.feed(&recording::folder().join("../older").join(scene));
    }
    let scenes: Vec<_> = scenes.iter().map(|scene| format!("../older/{scene}")).collect();
    comes_to(&program, &wanted(&scenes.iter().map(String::as_str).collect::<Vec<_>>()));
    assert!(!program.log().contains("cannot be understood"), "{}", program.log());
}
