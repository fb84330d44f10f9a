//! `replay`: what a recording holds, by way of the whole program; and `record`, whose recordings it can tell.

use crate::kit::kube::Kube;
use crate::kit::process::{Running, until};
use crate::program::{BINARY, Program, essence};
use crate::recording;
use chaoscope_model::run::Run;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// The runs the fold makes of a recording, without any program around it.
pub fn folded(name: &str) -> Vec<Value> {
    let (_, changes) = recording::indexed(recording::observations(name));
    let mut runs: Vec<Run> = changes.runs;
    runs.sort_by(|one, other| (&one.name, one.ordinal).cmp(&(&other.name, other.ordinal)));
    runs.iter().map(|run| serde_json::to_value(run).unwrap()).collect()
}

fn replay(path: &Path) -> Program {
    Program::start(&["replay", &path.display().to_string()])
}

#[test]
fn a_replay_serves_the_runs_of_the_recording_to_the_nanosecond() {
    for name in ["pause-resume", "schedule", "workflow", "zero-match", "forced-finalizer"] {
        let program = replay(&recording::folder().join(name));
        let strip = |mut runs: Vec<Value>| {
            // They depend on what time it is.
            runs.iter_mut().for_each(|run| (run["stuck_since"], run["overdue_since"]) = (Value::Null, Value::Null));
            runs
        };
        assert_eq!(strip(program.runs()), strip(folded(name)), "{name}");
        let counted: usize = program
            .metrics()
            .lines()
            .filter(|line| line.starts_with("chaos_controller_manager_emitted_event_total{"))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
            .sum();
        assert_eq!(counted, announced(name), "{name}: each Event of the tool's own recorder counts once");
    }
}

/// Events of a recording that the tool's own recorder wrote.
fn announced(name: &str) -> usize {
    let told = recording::observations(name);
    let own = |observation: &&chaoscope_model::observation::Observation| matches!(observation, chaoscope_model::observation::Observation::Notice(notice) if notice.own);
    told.iter().filter(own).count()
}

#[test]
fn a_replays_clock_is_the_recordings() {
    let program = replay(&recording::folder().join("partition-both"));
    let runs = program.json("/api/v1/runs");
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "the last hour is the recording's");
    assert_eq!(program.runs()[0]["overdue_since"], Value::Null);
}

#[test]
fn what_is_no_recording_is_refused_in_one_line() {
    let folder = tempfile::TempDir::new().unwrap();
    let empty = folder.path().join("empty");
    std::fs::create_dir_all(empty.join("watch")).unwrap();
    for (path, why) in [
        (folder.path().to_owned(), "is no recording"),
        (folder.path().join("missing"), "name a folder that `chaoscope record` made"),
        (empty, "is empty"),
    ] {
        let output = Command::new(BINARY).arg("replay").arg(&path).arg("--web.listen-address=127.0.0.1:0").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count(), said.contains(why)), (Some(2), 1, true), "{said}");
    }
}

#[test]
fn without_a_way_to_the_cluster_it_says_how_to_name_one() {
    let output =
        Command::new(BINARY).args(["cluster", "--kubeconfig=/nowhere/config", "--web.listen-address=127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("/nowhere/config") && said.contains("name a kubeconfig with --kubeconfig"), "{said}");
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn what_record_writes_replay_tells() {
    let kube = Kube::start();
    kube.define_all();
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("recording");
    let log = folder.path().join("log");
    let mut command = Command::new(BINARY);
    command.arg("record").arg(&path).arg(format!("--kubeconfig={}", kube.kubeconfig().display()));
    let mut recorder = Running::start(command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()));
    until(|| std::fs::read_to_string(&log).unwrap().contains("recording; stop with").then_some(()), || "no start".to_owned());
    let live = Program::cluster(&kube.kubeconfig(), &[]);
    kube.feed(&recording::folder().join("pause-resume"));
    let wanted: Vec<_> = folded("pause-resume").iter().map(essence).collect();
    until(|| (live.runs().iter().map(essence).collect::<Vec<_>>() == wanted).then_some(()), || live.log());
    kill_process(Pid::from_raw(i32::try_from(recorder.pid()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert!(recorder.wait().success(), "{}", std::fs::read_to_string(&log).unwrap());
    let told = replay(&path);
    assert_eq!(told.runs().iter().map(essence).collect::<Vec<_>>(), wanted);
    let again =
        Command::new(BINARY).arg("record").arg(&path).arg(format!("--kubeconfig={}", kube.kubeconfig().display())).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "a recording is never written over");
}
