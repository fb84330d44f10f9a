//! What makes experiments, and what they use: [`Schedule`], [`Workflow`] and its nodes, status checks, machines, and the object that holds a
//! pod's declared faults. Current state only; they are not runs.

use crate::declared;
use crate::experiment::Reference;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A schedule, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Which object.
    pub about: Reference,
    /// `metadata.resourceVersion`.
    pub version: u64,
    /// Its cron line: five or six fields, or a descriptor such as `@every 10s`.
    pub cron: String,
    /// What it makes: a kind, or `Workflow`.
    pub makes: String,
    /// What a child does: `partition`, `pod-kill`, …; empty where its kind says all.
    pub action: String,
    /// How long a child acts; `None` where it goes on until somebody ends it, and where it is done once.
    pub duration: Option<SignedDuration>,
    /// Whether a new child waits for the last one: `Forbid` or `Allow`.
    pub concurrency: String,
    /// How late a child may begin, in seconds.
    pub starting_deadline: Option<i64>,
    /// Whether somebody paused it.
    pub paused: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it last made a child.
    pub last_at: Option<Timestamp>,
    /// Names of the children it counts as active.
    pub active: Vec<String>,
    /// Whether somebody asked for its deletion.
    pub deleting: bool,
}

/// A workflow, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    /// Which object.
    pub about: Reference,
    /// `metadata.resourceVersion`.
    pub version: u64,
    /// Template it begins with.
    pub entry: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its condition `Scheduled`.
    pub scheduled: bool,
    /// Its condition `Accomplished`.
    pub accomplished: bool,
    /// Whether somebody asked for its end.
    pub aborted: bool,
    /// When somebody asked for its deletion.
    pub deletion_at: Option<Timestamp>,
}

/// A node of a workflow, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowNode {
    /// Which object.
    pub about: Reference,
    /// `metadata.resourceVersion`.
    pub version: u64,
    /// Name of its workflow.
    pub workflow: String,
    /// Template it was made from.
    pub template: String,
    /// `Serial`, `Parallel`, `Suspend`, `Task`, `StatusCheck`, `Schedule`, or a chaos kind.
    pub makes: String,
    /// Names of its children that are under way.
    pub active_children: Vec<String>,
    /// Names of its children that are done.
    pub finished_children: Vec<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it must end.
    pub deadline_at: Option<Timestamp>,
    /// Its conditions that are true: `Accomplished`, `DeadlineExceed`, `ChaosInjected`, `Aborted`.
    pub conditions: Vec<String>,
    /// The object it made.
    pub child: Option<Reference>,
}

/// A status check, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCheck {
    /// Which object.
    pub about: Reference,
    /// `metadata.resourceVersion`.
    pub version: u64,
    /// How often it asked.
    pub count: u64,
    /// Its conditions that are true: `Completed`, `DurationExceed`, `FailureThresholdExceed`, `SuccessThresholdExceed`.
    pub conditions: Vec<String>,
}

/// The object that holds what is declared for one pod: `PodNetworkChaos`, `PodIOChaos`, `PodHttpChaos`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PodFaults {
    /// Which object; its namespace and name are the pod's.
    pub about: Reference,
    /// `metadata.resourceVersion`.
    pub version: u64,
    /// `metadata.generation`.
    pub generation: i64,
    /// The generation the node has applied.
    pub observed: i64,
    /// Why the last try failed; empty when it did not.
    pub failure: String,
    /// Experiments it has something from, as `namespace/name`.
    pub sources: Vec<String>,
    /// Uid of the pod that owns it; empty where it does not tell.
    #[serde(default)]
    pub pod: String,
    /// What it declares.
    #[serde(default)]
    pub declares: Declares,
    /// What of it is not told: more items than are kept, or one that is not understood; empty when all of it is in `declares`.
    #[serde(default)]
    pub incomplete: String,
}

/// What a pod's object declares, by its kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Declares {
    /// Nothing that is understood.
    #[default]
    Nothing,
    /// `PodNetworkChaos`.
    Network(declared::Network),
    /// `PodIOChaos`.
    Io(Vec<declared::IoFault>),
    /// `PodHttpChaos`.
    Http(Vec<declared::HttpFault>),
}

/// A machine outside the cluster, or another cluster: only that it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which object: a `PhysicalMachine` or a `RemoteCluster`.
    pub about: Reference,
    /// `metadata.resourceVersion`.
    pub version: u64,
}
