//! The index as it is now, for a scrape or a page: plain values ([`Now`]).
//!
//! Apart from the index because it only reads; what a phase means is said here.

use super::{Entry, Index};
use crate::cluster::now::{ExperimentNow, Now, Phase};
use chaoscope_model::observation::{Desired, Object, RecordPhase};
use chaoscope_model::run;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// An experiment that is gone is shown so long.
const SHOWN: SignedDuration = SignedDuration::from_mins(15);

impl Index {
    /// What is, now. How the watches do, and what cron says, is added by those who know.
    pub fn now(&self, at: Timestamp) -> Now {
        let mut experiments: Vec<ExperimentNow> = self.experiments.values().filter_map(|entry| now(entry, at)).collect();
        experiments.sort_by(|one, other| key(one).cmp(&key(other)));
        Now {
            at,
            experiments,
            workflows: sorted(self.plans.workflows.values(), |plan| &plan.about),
            workflow_nodes: sorted(self.plans.nodes.values(), |plan| &plan.about),
            status_checks: sorted(self.plans.checks.values(), |plan| &plan.about),
            pod_faults: sorted(self.plans.faults.values(), |plan| &plan.about),
            ..Now::default()
        }
    }

    /// Schedules, by namespace and name.
    pub fn schedules(&self) -> Vec<Arc<chaoscope_model::plan::Schedule>> {
        sorted(self.plans.schedules.values(), |plan| &plan.about)
    }
}

fn key(experiment: &ExperimentNow) -> (&str, &str, &str, &str) {
    let about = &experiment.object.about;
    (&about.namespace, &about.kind, &about.name, &about.uid)
}

fn sorted<'a, T: 'a>(all: impl Iterator<Item = &'a Arc<T>>, about: fn(&T) -> &chaoscope_model::Reference) -> Vec<Arc<T>> {
    let mut all: Vec<Arc<T>> = all.cloned().collect();
    all.sort_by(|one, other| about(one).cmp(about(other)));
    all
}

fn now(entry: &Entry, at: Timestamp) -> Option<ExperimentNow> {
    let object = entry.history.latest()?;
    let gone_at = entry.history.gone().map(|(_, at)| at);
    if gone_at.is_some_and(|gone| at.duration_since(gone) > SHOWN) {
        return None;
    }
    let run = entry.runs.last().cloned();
    let over = run.as_ref().is_none_or(|run| !run.is_open());
    let phase = match run.as_ref().map(|run| run.phase) {
        _ if over && object.paused && gone_at.is_none() => Phase::Paused,
        None | Some(run::Phase::Selecting) => Phase::Selecting,
        Some(run::Phase::Injecting) => Phase::Injecting,
        Some(run::Phase::Running) => Phase::Running,
        Some(run::Phase::Recovering) => Phase::Recovering,
        Some(run::Phase::Finished) => Phase::Finished,
    };
    Some(ExperimentNow { object: Arc::clone(object), run, phase, upstream_phase: upstream_phase(object, at), gone_at })
}

/// Chaos Mesh's own word, by its own rules in its own order (`pkg/status/status.go`, `controllers/utils/controller`).
fn upstream_phase(object: &Object, at: Timestamp) -> &'static str {
    let all = |phase: RecordPhase| object.records.iter().all(|record| record.phase == phase);
    let expired = object.created_at.zip(object.duration).is_some_and(|(created, duration)| at >= created + duration);
    let finished = if object.one_shot {
        !object.records.is_empty() && all(RecordPhase::Injected)
    } else {
        object.desired != Some(Desired::Run) && all(RecordPhase::NotInjected) && expired
    };
    match object {
        object if object.deletion_at.is_some() => "deleting",
        object if object.paused => "paused",
        _ if finished => "finished",
        object if object.selected && object.all_injected => "running",
        _ => "injecting",
    }
}
