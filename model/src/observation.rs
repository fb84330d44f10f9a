//! What was seen: an [`Observation`] is one fact from the outside, already in our words. Tools decode their objects into these; the fold
//! (`history`) makes runs of them.
//!
//! Extracts only: an observation holds what a run or a metric needs, never the whole object. To take in one more fact of an object: a field
//! here, a line in `exporter/src/tools/<tool>`.

mod target;

pub use target::{FailedContainer, JudgedAt, Left, PodSeen};

use crate::declared::Expectation;
use crate::event::Severity;
use crate::experiment::{Parent, Reference, Tool};
use crate::plan::{Place, PodFaults, Schedule, StatusCheck, Workflow, WorkflowNode};
use crate::time::Moment;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One fact from the outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// An experiment as it was at one version.
    Experiment(Box<Object>),
    /// A Kubernetes Event about an object of a chaos tool.
    Notice(Box<Notice>),
    /// An object is gone.
    Gone(Gone),
    /// A pod that may be a target.
    Pod(Box<PodSeen>),
    /// A schedule.
    Schedule(Box<Schedule>),
    /// A workflow.
    Workflow(Box<Workflow>),
    /// A node of a workflow.
    WorkflowNode(Box<WorkflowNode>),
    /// A status check.
    StatusCheck(Box<StatusCheck>),
    /// What is declared for one pod.
    PodFaults(Box<PodFaults>),
    /// A machine or another cluster.
    Place(Box<Place>),
    /// What was found about a target.
    Judged(Box<JudgedAt>),
}

/// What an experiment should be doing, as its controller understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// Injected.
    Run,
    /// Recovered.
    Stop,
}

/// The extract of an experiment's object, at one version.
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own in the object
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Which object.
    pub about: Reference,
    /// Whose.
    pub tool: Tool,
    /// `metadata.resourceVersion`: of two extracts the one with the higher number is the later one.
    pub version: u64,
    /// When this version was seen.
    pub seen: Timestamp,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
    /// `metadata.deletionTimestamp`.
    pub deletion_at: Option<Timestamp>,
    /// Whether somebody paused it.
    pub paused: bool,
    /// Whether somebody asked for its finalizer to be torn away.
    pub forced: bool,
    /// What it should be doing.
    pub desired: Option<Desired>,
    /// Whether its action is done once and not recovered: a kill, a restart.
    pub one_shot: bool,
    /// Whether its targets are in another cluster, by names this one may have too.
    #[serde(default)]
    pub remote: bool,
    /// `spec.action`, or what stands for it.
    pub action: String,
    /// `spec.duration`.
    pub duration: Option<SignedDuration>,
    /// The tool's condition "targets are selected".
    pub selected: bool,
    /// The tool's condition "every target is injected".
    pub all_injected: bool,
    /// Its targets; empty until there are some.
    pub records: Vec<Record>,
    /// The schedule or workflow that made it.
    pub parent: Option<Parent>,
    /// Who made it.
    pub started_by: Option<String>,
    /// What the fault is, in short.
    pub parameters: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// What a tool remembers of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which selector found it: `.` or `.Target`.
    pub selector: String,
    /// What the tool calls it.
    pub id: String,
    /// Namespace, pod and container of a target in the cluster; empty otherwise.
    pub target: TargetName,
    /// Where it is.
    pub phase: RecordPhase,
    /// How often it was injected so far.
    pub injected: u32,
    /// How often it recovered so far.
    pub recovered: u32,
    /// What happened to it, oldest first; the tool keeps the newest ones only.
    pub steps: Vec<Step>,
    /// What must be found on the node while it is injected.
    #[serde(default)]
    pub expects: Expectation,
}

/// A target, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TargetName {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Pod.
    pub pod: String,
    /// Container.
    pub container: String,
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordPhase {
    /// Not injected, and nothing is under way.
    NotInjected,
    /// Not injected; the tool waits for a node to apply it. It goes on doing so past the deadline.
    Applying,
    /// Injected.
    Injected,
    /// Injected; the tool waits for a node to take it away.
    Recovering,
    /// A word this release does not know.
    Unknown,
}

/// Injecting or recovering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Injecting.
    Apply,
    /// Taking away.
    Recover,
}

/// One try to inject or recover a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    /// When, in whole seconds.
    pub at: Timestamp,
    /// What was tried.
    pub operation: Operation,
    /// Whether it went well.
    pub succeeded: bool,
    /// What went wrong.
    pub message: String,
}

/// A Kubernetes Event about an object of a chaos tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The object it is about.
    pub about: Reference,
    /// Whose.
    pub tool: Tool,
    /// Its own name: what makes it this event and no other.
    pub name: String,
    /// When: exact where the name tells.
    pub at: Moment,
    /// When it was seen.
    pub seen: Timestamp,
    /// What it says.
    pub news: News,
    /// The target it is about, where it is about one.
    pub target: TargetName,
    /// Normal or warning.
    pub severity: Severity,
    /// `reason`.
    pub reason: String,
    /// `message`, at most 1024 characters.
    pub message: String,
    /// What it says in a structured form.
    pub attributes: BTreeMap<String, String>,
    /// Whether the tool's own recorder wrote it (and its own metric counts it).
    pub own: bool,
}

/// What a notice says, as far as the fold must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A target was injected.
    Applied {
        /// The record's id.
        id: String,
    },
    /// A target recovered.
    Recovered {
        /// The record's id.
        id: String,
    },
    /// Injecting or recovering failed.
    Failed {
        /// Which of both; `None` for anything else that failed.
        operation: Option<Operation>,
        /// What went wrong.
        message: String,
    },
    /// Something about the experiment as a whole.
    Mark(Mark),
    /// Anything else.
    Other,
}

/// What happened to an experiment as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The controller took it up.
    Taken,
    /// It should inject now.
    Started,
    /// Its duration is over.
    TimeUp,
    /// Somebody paused it.
    Paused,
    /// Somebody deleted it.
    Deleted,
}

/// An object is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Gone {
    /// Which; the uid is known.
    pub about: Reference,
    /// When that was seen.
    pub seen: Timestamp,
    /// How it was seen.
    pub how: Departure,
}

/// How it was seen that an object is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Departure {
    /// A complete list of its kind and scope does not have it any more.
    Absent,
    /// The watch said so.
    Deleted,
}
