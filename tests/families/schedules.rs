//! Schedules of a real Chaos Mesh, second by second: nothing they did is missed, and what they do next is known.

use crate::recording;
use chaoscope::cluster::index::Index;
use chaoscope::cluster::now::{ScheduleNow, WatchNow};
use chaoscope::cluster::slots::{Offspring, Slots};
use chaoscope::tools::chaos_mesh::decode::{Decoding, decode};
use chaoscope_model::observation::Observation;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

fn at(clock: &str) -> Timestamp {
    format!("2026-11-21T{clock}Z").parse().unwrap()
}

/// The one schedule of a recording as it was shown at a moment, with slots judged every second until then.
fn shown(name: &str, moment: &str) -> (ScheduleNow, Slots) {
    let file = recording::folder().join(name).join("watch/schedules.jsonl");
    let lines = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen = |line: &Value| -> Timestamp { line["seen"].as_str().unwrap().parse().unwrap() };
    let (mut index, _) = recording::indexed([]);
    let (mut told, mut slots) = (recording::observations(name).into_iter().peekable(), Slots::new(None, &BTreeMap::new()));
    let (mut lines, mut time) = (lines.iter().peekable(), seen(&lines[0]));
    while time <= at(moment) {
        while let Some(observation) = told.next_if(|it| crate::upstream::seen(it).is_none_or(|seen| seen <= time)) {
            index.observe(observation);
        }
        while let Some(line) = lines.next_if(|line| seen(line) <= time) {
            let told = decode("Schedule", &line["watch"]["object"], seen(line), &Decoding::default()).unwrap();
            if let Some(Observation::Schedule(schedule)) = told {
                slots.see(&Arc::new(*schedule), seen(line), &|schedule| children(&index, schedule, seen(line)));
            }
        }
        slots.tick(time, &|schedule| children(&index, schedule, time));
        time += SignedDuration::from_secs(1);
    }
    let now = index.now(at(moment));
    let mut all = slots.now(&now.experiments, &now.workflows, &watches());
    assert_eq!(all.len(), 1);
    (all.remove(0), slots)
}

fn children(index: &Index, of: &chaoscope_model::plan::Schedule, at: Timestamp) -> Option<Vec<chaoscope::cluster::slots::Child>> {
    let now = index.now(at);
    Offspring::new(&now.experiments, &now.workflows, &watches()).of(of)
}

fn watches() -> Vec<WatchNow> {
    let listed = |resource| WatchNow { resource, listed_at: Some(Timestamp::UNIX_EPOCH), ..WatchNow::default() };
    ["networkchaos", "podchaos", "stresschaos", "workflows"].map(listed).into()
}

/// `@every 10s`, paused from 14:01:34 to 14:01:48: the slot at 14:01:39 is not missed, its child is made on resuming.
#[test]
fn a_schedule_that_is_paused_and_resumed_misses_nothing() {
    let (running, slots) = shown("schedule", "14:01:31");
    assert_eq!((running.missed, running.forbidden, running.active), (0, 0, Some(1)));
    assert_eq!(running.next_at, Some(at("14:01:39")));
    let due = |slots: &Slots, now, until| slots.plans().upcoming(at(now), at(now), at(until)).map(|due| due.at).collect::<Vec<_>>();
    assert_eq!(due(&slots, "14:01:31", "14:02:00"), [at("14:01:39"), at("14:01:49"), at("14:01:59")]);
    let (paused, slots) = shown("schedule", "14:01:47");
    assert_eq!((paused.missed, paused.next_at, paused.schedule.paused), (0, None, true));
    assert_eq!(due(&slots, "14:01:47", "14:09:00"), []);
    let (resumed, _) = shown("schedule", "14:02:02");
    assert_eq!((resumed.missed, resumed.forbidden, resumed.next_at), (0, 0, Some(at("14:02:08"))));
}

/// Children that are workflows, and a schedule that a workflow made.
#[test]
fn schedules_of_workflows_and_in_workflows_miss_nothing() {
    let (of_workflows, _) = shown("schedule-workflow", "14:15:51");
    assert_eq!((of_workflows.missed, of_workflows.forbidden, of_workflows.active), (0, 0, Some(1)));
    assert_eq!(of_workflows.next_at, Some(at("14:16:00")));
    let (in_workflow, _) = shown("workflow-schedule", "14:14:12");
    assert_eq!((in_workflow.missed, in_workflow.forbidden), (0, 0));
}
