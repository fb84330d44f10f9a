//! What a real controller exported, against what we export of the same moment: the same series, the same values.
//!
//! Pages are those of the recordings, as far as these families go. The controller counts its events since it began, so two pages of one
//! recording are compared by what was added between them.

use crate::{encoded, recording};
use chaoscope::cluster::index::{Changes, Index};
use chaoscope::cluster::slots::Slots;
use chaoscope::journal::{Batch, Config, Journal, Status};
use chaoscope::scrape::{Counted, World};
use chaoscope_model::observation::Observation;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn seen(observation: &Observation) -> Option<Timestamp> {
    match observation {
        Observation::Experiment(object) => Some(object.seen),
        Observation::Notice(notice) => Some(notice.seen),
        Observation::Gone(gone) => Some(gone.seen),
        Observation::Pod(pod) => Some(pod.seen),
        _ => None,
    }
}

/// Our page of a moment, as it would be when everything until then was seen and stored.
fn ours(name: &str, moment: &str) -> String {
    let at: Timestamp = format!("2026-11-21T{moment}Z").parse().unwrap();
    let (journal, _) =
        Journal::open(&Config { folder: None, retention: None, max_bytes: None, settle: std::time::Duration::ZERO }).unwrap();
    let (mut index, mut slots, mut changes) = (Index::new(""), Slots::new(None, &BTreeMap::new()), Changes::default());
    for observation in recording::observations(name).into_iter().take_while(|it| seen(it).is_none_or(|seen| seen <= at)) {
        changes.merge(index.observe(observation));
    }
    index.schedules().iter().for_each(|schedule| slots.see(schedule, at, &|_| None));
    let batch = Batch { runs: changes.runs, events: changes.events, states: changes.states, ..Batch::default() };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(journal.record(batch)).unwrap();
    let mut now = index.now(at);
    now.schedules = slots.now(&now.experiments, &now.workflows, &now.watches);
    let journal = Some(Counted { tally: journal.tally(), status: Status::default() });
    encoded(World { cluster: Some(Ok(now.into())), journal, ..World::default() })
}

fn theirs(name: &str, page: &str) -> String {
    std::fs::read_to_string(recording::folder().join(name).join("metrics").join(page)).unwrap()
}

/// Series of some families (labels in alphabetical order) with their values.
fn samples(page: &str, family: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| line.starts_with(family));
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap();
        let labels: BTreeSet<_> = labels.split(',').collect();
        (format!("{name} {labels:?}"), value.parse().unwrap())
    };
    lines.map(sample).collect()
}

/// Every page there is, and when it was asked for.
const PAGES: [(&str, &str, &str); 15] = [
    ("partition-both", "1-during/controller.prom", "13:56:54.735"),
    ("partition-both", "5-deleted/controller.prom", "13:57:06"),
    ("pod-kill", "1-during/controller.prom", "13:59:59.300"),
    ("pod-kill", "5-deleted/controller.prom", "14:00:01.985"),
    ("schedule", "1-first-run/controller.prom", "14:01:02.532"),
    ("schedule", "5-deleted/controller.prom", "14:02:07.876"),
    ("stress-cpu", "1-during/controller.prom", "14:06:30.089"),
    ("stress-cpu", "5-deleted/controller.prom", "14:06:41.386"),
    ("two-replicas", "1-both/controller-10080.prom", "14:40:42"),
    ("two-replicas", "1-both/controller-10082.prom", "14:40:42"),
    ("workflow", "1-cut/controller.prom", "14:02:21.465"),
    ("workflow", "9-deleted/controller.prom", "14:02:41.078"),
    ("workflow", "9-leftovers-deleted/controller.prom", "14:02:43.866"),
    ("workflow-statuscheck", "1-running/controller.prom", "14:12:57.752"),
    ("workflow-statuscheck", "9-deleted/controller.prom", "14:13:41.936"),
];

#[test]
fn objects_are_counted_as_the_controller_counts_them() {
    for (name, page, moment) in PAGES {
        let family = "chaos_controller_manager_chaos_";
        assert_eq!(samples(&ours(name, moment), family), samples(&theirs(name, page), family), "{name} {page}");
    }
}

#[test]
fn events_are_counted_as_the_controller_counts_them() {
    let family = "chaos_controller_manager_emitted_event_total";
    let added = |first: BTreeMap<String, f64>, second: BTreeMap<String, f64>| -> BTreeMap<String, f64> {
        let more = second.into_iter().map(|(series, value)| (series.clone(), value - first.get(&series).unwrap_or(&0.0)));
        more.filter(|(_, more)| *more != 0.0).collect()
    };
    for pair in PAGES.windows(2).filter(|pair| pair[0].0 == pair[1].0 && pair[0].0 != "two-replicas") {
        let [(name, first, from), (_, second, to)] = pair else { unreachable!() };
        let ours = added(samples(&ours(name, from), family), samples(&ours(name, to), family));
        let theirs = added(samples(&theirs(name, first), family), samples(&theirs(name, second), family));
        assert!(!theirs.is_empty() || *name == "workflow", "{name}: nothing to compare");
        assert_eq!(ours, theirs, "{name}: from {first} to {second}");
    }
}
