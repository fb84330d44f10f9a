//! Schedules, workflows, status checks, declared pods and places: kept as they are now, by uid.
//!
//! Apart from the experiments because nothing is derived from them. To keep one more kind: a field and a line in each function.

use super::Listed;
use chaoscope_model::Reference;
use chaoscope_model::observation::Observation;
use chaoscope_model::plan::{Place, PodFaults, Schedule, StatusCheck, Workflow, WorkflowNode};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Plans {
    pub(super) schedules: Table<Schedule>,
    pub(super) workflows: Table<Workflow>,
    pub(super) nodes: Table<WorkflowNode>,
    pub(super) checks: Table<StatusCheck>,
    pub(super) faults: Table<PodFaults>,
    pub(super) places: Table<Place>,
    /// Kinds of pods' objects, and namespaces, that could be listed once or never, and cannot now.
    pub(super) lost: HashSet<(String, String)>,
}

/// Objects of one kind by uid.
type Table<T> = HashMap<String, Arc<T>>;

impl Plans {
    /// Keeps the newer one of two versions.
    pub(super) fn keep(&mut self, observation: Observation) {
        match observation {
            Observation::Schedule(new) => keep(&mut self.schedules, *new, |plan| (&plan.about, plan.version)),
            Observation::Workflow(new) => keep(&mut self.workflows, *new, |plan| (&plan.about, plan.version)),
            Observation::WorkflowNode(new) => keep(&mut self.nodes, *new, |plan| (&plan.about, plan.version)),
            Observation::StatusCheck(new) => keep(&mut self.checks, *new, |plan| (&plan.about, plan.version)),
            Observation::PodFaults(new) => keep(&mut self.faults, *new, |plan| (&plan.about, plan.version)),
            Observation::Place(new) => keep(&mut self.places, *new, |plan| (&plan.about, plan.version)),
            Observation::Experiment(_) | Observation::Notice(_) | Observation::Gone(_) | Observation::Pod(_) | Observation::Judged(_) => {}
        }
    }

    pub(super) fn remove(&mut self, uid: &str) {
        self.schedules.remove(uid);
        self.workflows.remove(uid);
        self.nodes.remove(uid);
        self.checks.remove(uid);
        self.faults.remove(uid);
        self.places.remove(uid);
    }

    /// Drops what a complete list lacks.
    pub(super) fn retain(&mut self, listed: &Listed) {
        let there = |about: &Reference| {
            about.kind != listed.kind
                || !(listed.namespace.is_empty() || about.namespace == listed.namespace)
                || listed.uids.contains(&about.uid)
        };
        self.schedules.retain(|_, plan| there(&plan.about));
        self.workflows.retain(|_, plan| there(&plan.about));
        self.nodes.retain(|_, plan| there(&plan.about));
        self.checks.retain(|_, plan| there(&plan.about));
        self.faults.retain(|_, plan| there(&plan.about));
        self.places.retain(|_, plan| there(&plan.about));
    }
}

fn keep<T>(table: &mut Table<T>, new: T, identity: fn(&T) -> (&Reference, u64)) {
    let (about, version) = identity(&new);
    if table.get(&about.uid).is_none_or(|known| identity(known).1 <= version) {
        table.insert(about.uid.clone(), Arc::new(new));
    }
}
