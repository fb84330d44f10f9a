//! `chaoscope gate` as a whole program, against a server with a real journal and API: each answer, and the wait for one.

use crate::kit::http::free_address;
use crate::server::{Server, ended, run, target};
use chaoscope_model::run::{Outcome, Phase, Run, Target, TargetState};
use serde_json::Value;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

/// The exit code, what is printed, and what is said meanwhile.
fn gate(server: &str, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaoscope"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CHAOSCOPE_")) {
        command.env_remove(name);
    }
    let which = ["gate", "--server", server, "-n", "shop", "-e", "cut"];
    let Output { status, stdout, stderr } = command.args(which).args(words).stdin(Stdio::null()).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn judged(verdict: &str, reason: &str) -> Target {
    Target { verdict: Some(verdict.into()), verdict_reason: reason.into(), ..target("web-0", TargetState::Injected) }
}

fn with(targets: Vec<Target>) -> Run {
    Run { targets, ..run("cut", 60) }
}

fn left(residue: Option<&str>) -> Run {
    let mut run = ended(run("cut", 60), 5, Outcome::Recovered);
    run.targets[0].residue = residue.map(ToOwned::to_owned);
    run
}

#[test]
fn each_answer_has_its_exit_code_and_its_reason() {
    let server = Server::plain("cluster");
    let ask = |run: &Run, until: &str| {
        server.change(run);
        let (code, out, _) = gate(&server.url(), &["--until", until, "--wait=0s"]);
        (code, out.trim_end().to_owned())
    };
    let no = "NetworkChaos shop/cut in force? no: 0 targets in force of 1: 1 missing (no_rule)";
    assert_eq!(ask(&with(vec![judged("missing", "no_rule")]), "in-force"), (1, no.to_owned()));
    assert_eq!(ask(&with(vec![judged("unknown", "no_node")]), "in-force").0, 3);
    let yes = "NetworkChaos shop/cut in force? yes: 1 target in force of 1: 1 in force";
    assert_eq!(ask(&with(vec![judged("in_force", "")]), "in-force"), (0, yes.to_owned()));
    assert_eq!(ask(&with(vec![judged("in_force", "")]), "recovered").0, 1);
    assert_eq!(ask(&left(None), "recovered").0, 0);
    let unseen = "NetworkChaos shop/cut clean? cannot tell: no node has looked at 1 target since it ended";
    assert_eq!(ask(&left(None), "clean"), (3, unseen.to_owned()));
    assert_eq!(ask(&left(Some("effective")), "clean").0, 1);
    assert_eq!(ask(&left(Some("benign")), "clean").0, 0);
}

#[test]
fn it_waits_says_what_for_and_goes_as_soon_as_it_is_so() {
    let server = Server::plain("cluster");
    server.change(&Run { phase: Phase::Injecting, injected_at: None, ..with(vec![target("web-0", TargetState::Injecting)]) });
    let url = server.url();
    let waiting = thread::spawn(move || gate(&url, &["--until=in-force", "--wait=10m"]));
    while server.asked("/api/v1/runs?").len() < 2 {
        thread::sleep(Duration::from_millis(20));
    }
    server.change(&with(vec![judged("in_force", "")]));
    let (code, out, err) = waiting.join().unwrap();
    assert!(code == 0 && out.contains("yes"), "{out}{err}");
    assert!(err.contains("it is injecting") && err.lines().count() == 1, "{err}");
}

#[test]
fn an_older_run_and_another_kind_do_not_answer() {
    let server = Server::plain("cluster");
    server.change(&left(Some("none")));
    assert_eq!(gate(&server.url(), &["--until=recovered", "--wait=0s"]).0, 0);
    let (code, out, _) = gate(&server.url(), &["--until=recovered", "--wait=0s", "--since=30s"]);
    assert!(code == 1 && out.contains("there is no such run"), "{out}");
    let other = Run { kind: "StressChaos".into(), id: "other".into(), uid: "other".into(), ..with(vec![judged("in_force", "")]) };
    server.change(&other);
    let (code, _, err) = gate(&server.url(), &["--until=recovered", "--wait=0s"]);
    assert!(code == 2 && err.contains("NetworkChaos, StressChaos") && err.contains("--kind"), "{err}");
    let (code, out, _) = gate(&server.url(), &["--kind=StressChaos", "--until=in-force", "--wait=0s", "--output=json"]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, document["answer"].as_str(), document["run"]["id"].as_str()), (0, Some("yes"), Some("other")));
}

#[test]
fn whoever_cannot_be_asked_is_no_answer_and_wrong_words_are_usage() {
    let nobody = format!("http://{}", free_address());
    let (code, out, err) = gate(&nobody, &["--until=clean", "--wait=0s"]);
    assert!(code == 3 && out.is_empty() && err.contains("nobody listens there"), "{code} {err}");
    let server = Server::plain("cluster");
    assert_eq!(gate(&server.url(), &["--wait=0s"]).0, 2, "--until is needed");
    assert_eq!(gate(&server.url(), &["--until=gone"]).0, 2);
    assert_eq!(gate(&server.url(), &["--until=clean", "--kind=~Net"]).0, 2, "a pattern is not one experiment");
}
