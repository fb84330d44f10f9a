//! Whose child is whose, and whether it is still active as the controller sees it.
//!
//! Apart because it needs what is now in the cluster, while slots need times only.

use crate::cluster::now::{ExperimentNow, Phase, WatchNow};
use chaoscope_model::plan::{Schedule, Workflow};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// When a schedule's child was active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// From then on.
    pub created_at: Timestamp,
    /// Until then; `None` while it is.
    pub ended_at: Option<Timestamp>,
}

/// Children by schedule, found at the first question.
pub struct Offspring<'a> {
    experiments: &'a [ExperimentNow],
    workflows: &'a [Arc<Workflow>],
    watches: &'a [WatchNow],
    by_parent: Option<BTreeMap<&'a str, Vec<Child>>>,
}

impl<'a> Offspring<'a> {
    /// Children among these; a kind counts as known once one of the watches has listed it.
    pub fn new(experiments: &'a [ExperimentNow], workflows: &'a [Arc<Workflow>], watches: &'a [WatchNow]) -> Self {
        Self { experiments, workflows, watches, by_parent: None }
    }

    /// A schedule's children, finished ones included; `None` where their kind is not watched.
    pub fn of(&mut self, schedule: &Schedule) -> Option<Vec<Child>> {
        let resource = if schedule.makes == "Workflow" { "workflows".to_owned() } else { schedule.makes.to_lowercase() };
        let scope = |watch: &&WatchNow| watch.namespace.is_empty() || watch.namespace == schedule.about.namespace;
        self.watches.iter().filter(scope).find(|watch| watch.resource == resource && watch.listed_at.is_some())?;
        if schedule.makes == "Workflow" {
            let named = |it: &&Arc<Workflow>| it.about.namespace == schedule.about.namespace && schedule.active.contains(&it.about.name);
            return Some(self.workflows.iter().filter(named).filter_map(|it| workflow(it)).collect());
        }
        let experiments = self.experiments;
        let by_parent = self.by_parent.get_or_insert_with(|| {
            let mut out: BTreeMap<&str, Vec<Child>> = BTreeMap::new();
            for it in experiments {
                let parent = it.object.parent.as_ref().filter(|parent| parent.kind == "Schedule");
                if let (Some(parent), Some(child)) = (parent, experiment(it)) {
                    out.entry(&parent.uid).or_default().push(child);
                }
            }
            out
        });
        Some(by_parent.get(schedule.about.uid.as_str()).cloned().unwrap_or_default())
    }
}

/// A paused child has not ended for the controller, though its run has.
fn experiment(it: &ExperimentNow) -> Option<Child> {
    let created_at = it.object.created_at?;
    let finished = it.run.as_ref().and_then(|run| run.ended_at).or(it.gone_at).unwrap_or(created_at);
    Some(Child { created_at, ended_at: if it.phase == Phase::Finished { Some(finished) } else { it.gone_at } })
}

fn workflow(it: &Workflow) -> Option<Child> {
    let created_at = it.created_at?;
    Some(Child { created_at, ended_at: it.accomplished.then_some(it.ended_at.unwrap_or(created_at)) })
}
