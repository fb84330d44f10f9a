//! `chaoscope_target_*`: which pods chaos has to do with, and since when: what alerts are joined with to be silenced.
//!
//! Present while a run holds the pod, and for five minutes after, so that kills, which take no time, are seen too. Alerting rules bound the
//! age themselves: a run that never ends must not silence for ever.

use super::{experiments, extended, identity, seconds};
use crate::cluster::now::Now;
use crate::exposition::{Exposition, Labels};
use crate::scrape::{Family, World};
use chaoscope_model::run::{Run, Target as Touched, TargetState};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::fmt;

/// How long a series outlives the fault.
const AFTERWARDS: SignedDuration = SignedDuration::from_mins(5);

pub(super) struct Target;

impl Family for Target {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(now) = world.now() else { return Ok(()) };
        out.gauge(
            "chaoscope_target_chaos_start_timestamp_seconds",
            "Since when an experiment has to do with a pod; until five minutes after it is over.",
            held(now),
        )
    }
}

/// Several containers of a pod, or both sides of a network fault, are one series, with the earliest time. Experiments come once each, so that
/// no series comes twice; they are made one experiment at a time, for ten thousand at once are megabytes.
fn held(now: &Now) -> impl Iterator<Item = (Labels<'_>, f64)> {
    // Targets in another cluster may have the names of pods here, which nobody hurts.
    experiments(now).filter(|it| !it.object.remote).flat_map(|it| {
        let mut pods: BTreeMap<(&str, &str), (&Touched, Timestamp)> = BTreeMap::new();
        let targets = it.run.iter().flat_map(|run| run.targets.iter().map(move |target| (run, target)));
        for (target, since) in targets.filter_map(|(run, target)| Some((target, since(run, target, now.at)?))) {
            let (_, first) = pods.entry((&target.namespace, &target.pod)).or_insert((target, since));
            *first = since.min(*first);
        }
        let experiment = identity(&it.object.about);
        pods.into_values().map(move |(target, since)| (extended(&pod(target), experiment.iter().cloned()), seconds(since)))
    })
}

/// Since when a run holds a target, if it does or did until a short while ago.
fn since(run: &Run, target: &Touched, now: Timestamp) -> Option<Timestamp> {
    let over = target.recovered_at.or(run.ended_at);
    if target.pod.is_empty() || over.is_some_and(|over| now.duration_since(over) > AFTERWARDS) {
        return None;
    }
    // Before the tool says that a fault is applied, it may be; where it never was, it is not.
    let begun = !matches!(target.state, TargetState::Pending | TargetState::Failed);
    target.injected_at.or_else(|| begun.then_some(run.started_at))
}

fn pod(target: &Touched) -> Labels<'_> {
    vec![
        ("namespace", target.namespace.as_str().into()),
        ("pod", target.pod.as_str().into()),
        ("workload", target.workload.as_str().into()),
        ("workload_kind", target.workload_kind.as_str().into()),
        ("node", target.node.as_str().into()),
    ]
}
