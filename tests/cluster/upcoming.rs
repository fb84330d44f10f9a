//! What is to come, by way of the whole program: recordings of real schedules that break off at a moment, replayed; what is told then, in
//! words, and what came of it in the rest of the recording.

use crate::program::Program;
use crate::recording;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A recording up to a moment of its day, as `14:01:33`.
fn until(name: &str, moment: &str) -> TempDir {
    let (folder, from) = (TempDir::new().unwrap(), recording::folder().join(name));
    let copy = |part: &str, shorten: &dyn Fn(String) -> String| {
        fs::create_dir(folder.path().join(part)).unwrap();
        for file in fs::read_dir(from.join(part)).unwrap().map(|file| file.unwrap().path()) {
            let text = shorten(fs::read_to_string(&file).unwrap());
            fs::write(folder.path().join(part).join(file.file_name().unwrap()), text).unwrap();
        }
    };
    copy("initial", &|text| text);
    copy("watch", &|text| {
        let seen = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["seen"].as_str().unwrap()[11..] < *moment;
        text.lines().filter(seen).flat_map(|line| [line, "\n"]).collect()
    });
    folder
}

/// What the replay of a recording says is to come, in words.
fn ahead(path: &Path, query: &str) -> Vec<String> {
    let program = Program::start(&["replay", &path.display().to_string()]);
    let answer = program.json(&format!("/api/v1/upcoming?{query}"));
    assert_eq!(answer["unknown"], serde_json::json!([]));
    let text = |due: &Value, field: &str| due[field].as_str().unwrap().to_owned();
    let time = |due: &Value, field: &str| text(due, field)[11..19].to_owned();
    let words = |due: &Value| {
        let end = if due["expected_end_at"].is_null() { String::new() } else { format!(" until {}", time(due, "expected_end_at")) };
        let what = format!("{} {}", text(due, "kind"), text(due, "action"));
        format!("{}{end} {} by {}/{}", time(due, "at"), what.trim_end(), text(due, "namespace"), text(due, "schedule"))
    };
    answer["upcoming"].as_array().unwrap().iter().map(words).collect()
}

/// Every ten seconds a partition of four; the last one was made at 14:01:29, the next one came at 14:01:48 because of a pause.
#[test]
fn a_schedule_that_runs_tells_its_next_children_and_a_paused_one_none() {
    let next = [
        "14:01:39 until 14:01:43 NetworkChaos partition by shop/every-ten",
        "14:01:49 until 14:01:53 NetworkChaos partition by shop/every-ten",
        "14:01:59 until 14:02:03 NetworkChaos partition by shop/every-ten",
    ];
    let running = until("schedule", "14:01:33");
    assert_eq!(ahead(running.path(), "limit=3"), next);
    assert_eq!(ahead(running.path(), "to=2026-11-21T14:01:50Z&namespace=shop&kind=NetworkChaos"), next[..2]);
    assert!(ahead(until("schedule", "14:01:45").path(), "").is_empty(), "it is paused");
    assert!(ahead(&recording::folder().join("schedule"), "").is_empty(), "it is deleted");
}

#[test]
fn what_was_to_come_came() {
    // The second child of this schedule began at 14:01:09.110, ten seconds after the first.
    let before = until("schedule", "14:01:05");
    assert_eq!(ahead(before.path(), "limit=1"), ["14:01:09 until 14:01:13 NetworkChaos partition by shop/every-ten"]);
    // The first child of a schedule is counted from when it was made, at 14:00:49, and began at 14:00:59.073.
    assert_eq!(ahead(until("schedule", "14:00:55").path(), "limit=1")[0][..8], *"14:00:59");
    // A workflow every twelve seconds: one at 14:15:36, the next at 14:15:48. How long it takes nobody knows.
    assert_eq!(ahead(until("schedule-workflow", "14:15:40").path(), "limit=1"), ["14:15:48 Workflow by shop/flow-schedule"]);
    // A schedule that a workflow made is one, too: its children began at 14:14:00.079 and 14:14:05.339.
    let nested = ahead(until("workflow-schedule", "14:14:03").path(), "limit=1");
    assert_eq!(nested, ["14:14:05 until 14:14:07 NetworkChaos partition by shop/repeat-w7gm2-xpd8r"]);
}

#[test]
fn without_a_cluster_nothing_is_to_come() {
    assert!(ahead(&recording::folder().join("delay"), "").is_empty());
}
