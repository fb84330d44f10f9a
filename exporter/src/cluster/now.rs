//! What is, now: [`Now`], the reading of the cluster that families and pages write from. Plain values, made for one scrape.

use crate::source::Error;
use chaoscope_model::Reference;
use chaoscope_model::observation::{Object, TargetName};
use chaoscope_model::plan::{PodFaults, Schedule, StatusCheck, Workflow, WorkflowNode};
use chaoscope_model::run::Run;
use chaoscope_model::verdict::{Judgement, Residue};
use jiff::Timestamp;
use std::sync::Arc;

/// Who can tell what is now, from memory: nothing is waited for.
pub trait Present: Send + Sync {
    /// What is now; an error while the first list is not in.
    fn now(&self) -> Result<Arc<Now>, Error>;
}

/// Everything known about the cluster at one moment.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// When this is; a replay's clock is the recording's.
    pub at: Timestamp,
    /// Experiments, those that are gone less than 15 minutes included.
    pub experiments: Vec<ExperimentNow>,
    /// Schedules.
    pub schedules: Vec<ScheduleNow>,
    /// Workflows.
    pub workflows: Vec<Arc<Workflow>>,
    /// Their nodes.
    pub workflow_nodes: Vec<Arc<WorkflowNode>>,
    /// Status checks.
    pub status_checks: Vec<Arc<StatusCheck>>,
    /// What is declared for pods.
    pub pod_faults: Vec<Arc<PodFaults>>,
    /// How each watch does.
    pub watches: Vec<WatchNow>,
    /// The nodes; `None` where none can connect.
    pub nodes: Option<NodesNow>,
}

/// Where an experiment is. `paused` is a phase of experiments only; a run ends when its experiment is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Looks for targets.
    Selecting,
    /// Not every target is injected.
    Injecting,
    /// Every target is injected.
    Running,
    /// Paused, and nothing is injected.
    Paused,
    /// Something is still injected, and should not be.
    Recovering,
    /// Over.
    Finished,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 6] = [Self::Selecting, Self::Injecting, Self::Running, Self::Paused, Self::Recovering, Self::Finished];

    /// The word used in labels and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Selecting => "selecting",
            Self::Injecting => "injecting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Recovering => "recovering",
            Self::Finished => "finished",
        }
    }
}

/// An experiment, with its newest run.
#[derive(Clone, Debug)]
pub struct ExperimentNow {
    /// Its extract.
    pub object: Arc<Object>,
    /// Its newest run; none while it was never asked to start.
    pub run: Option<Arc<Run>>,
    /// Where it is.
    pub phase: Phase,
    /// What Chaos Mesh's own controller calls that: injecting, running, finished, paused or deleting (`pkg/status/status.go`).
    pub upstream_phase: &'static str,
    /// When it went away; `None` while the object is there.
    pub gone_at: Option<Timestamp>,
}

/// A schedule, with what cron says.
#[derive(Clone, Debug)]
pub struct ScheduleNow {
    /// Its extract.
    pub schedule: Arc<Schedule>,
    /// When the next child is due, counted from the last one: in the past when it did not come. `None` while it is paused, and where the
    /// time zone or the line is not understood.
    pub next_at: Option<Timestamp>,
    /// Slots that passed without a child, since Chaoscope looks.
    pub missed: u64,
    /// Slots without a child because one was still active, and the schedule forbids a second one.
    pub forbidden: u64,
    /// Children that are there and not finished; `None` where their kind is not watched.
    pub active: Option<u64>,
}

/// How one watch does.
#[derive(Clone, Debug, Default)]
pub struct WatchNow {
    /// Plural of the kind.
    pub resource: &'static str,
    /// Namespace it is limited to; empty: the whole cluster.
    pub namespace: String,
    /// Whether a complete list was seen, and the watch is open.
    pub up: bool,
    /// Why not: `starting`, `missing` (no such kind), `forbidden`, `unauthorized`, `throttled`, `expired` (being listed anew), `failing`,
    /// `unreachable`, or `cluster_scoped` (limited to namespaces, and this kind belongs to none); empty while it is up.
    pub reason: String,
    /// What exactly went wrong last; empty while it is up.
    pub message: String,
    /// Objects it holds.
    pub objects: u64,
    /// Changes it saw.
    pub changes: u64,
    /// Objects that could not be decoded.
    pub undecodable: u64,
    /// How often it had to be listed anew.
    pub restarts: u64,
    /// When the last change came.
    pub last_change_at: Option<Timestamp>,
    /// When the last complete list was in.
    pub listed_at: Option<Timestamp>,
}

/// The nodes, as far as they connect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodesNow {
    /// Each node that is connected, was connected within the last hour, or has a target of an open run; by name.
    pub nodes: Vec<NodeNow>,
    /// What the cluster role judged itself, in an order of its own.
    pub judged: Vec<JudgedNow>,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeNow {
    /// Its name.
    pub name: Arc<str>,
    /// Since when it is connected; `None`: it is not.
    pub connected_since: Option<Timestamp>,
    /// When it last connected or sent a report.
    pub heard_at: Option<Timestamp>,
    /// Whether it has a target of an open run.
    pub awaited: bool,
    /// What release it says to be.
    pub release: String,
    /// Pods it is told of.
    pub pods: usize,
    /// What it found left over.
    pub residue: Vec<Residue>,
}

/// A target that the cluster role judged itself.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedNow {
    /// The experiment.
    pub experiment: Reference,
    /// Namespace, pod and container.
    pub target: TargetName,
    /// What was found.
    pub judgement: Judgement,
}
