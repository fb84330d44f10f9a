//! What is declared for the pods of a node, as the cluster role tells the node role by its one connection: plain values with serde.
//!
//! Apart from `plan`, which holds objects as they are in the cluster: here is only what a node needs to compare. All figures are in base units
//! (seconds, bytes per second, bytes, ratios from 0 to 1). To declare one more kind of fault: a variant of [`Expectation`].

use crate::experiment::{Pod, Reference};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Stands in [`Applied::incomplete`] where objects of its kind cannot be read now: whether there is one, and what it has, is not known.
pub const NOT_WATCHED: &str = "not watched";

/// Everything declared for one pod; an event `pod` of the connection replaces what was told of the same uid before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeclaredPod {
    /// Which pod; its uid is known.
    pub pod: Pod,
    /// Its `PodNetworkChaos`; `None`: there is none.
    #[serde(default)]
    pub network: Option<Applied<Network>>,
    /// Its `PodIOChaos`.
    #[serde(default)]
    pub io: Option<Applied<Vec<IoFault>>>,
    /// Its `PodHttpChaos`.
    #[serde(default)]
    pub http: Option<Applied<Vec<HttpFault>>>,
    /// Targets of open runs on it.
    #[serde(default)]
    pub targets: Vec<DeclaredTarget>,
    /// Runs that ended and had it as a target, newest first; at most 64.
    #[serde(default)]
    pub ended: Vec<EndedRun>,
}

/// An object of which the node's daemon says how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied<T> {
    /// `metadata.generation`.
    pub generation: i64,
    /// The generation the daemon has applied.
    pub observed: i64,
    /// Why the last try failed; empty when it did not.
    pub failure: String,
    /// What does not fit: more items than are told, or one that is not understood; empty when all of it is here.
    pub incomplete: String,
    /// What it declares.
    pub spec: T,
}

/// `PodNetworkChaos.spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Traffic control, in the order of the object.
    #[serde(default)]
    pub tcs: Vec<Shaping>,
    /// Chains that throw packets away.
    #[serde(default)]
    pub chains: Vec<Chain>,
    /// Sets they match; the same set may stand there twice.
    #[serde(default)]
    pub sets: Vec<Set>,
}

/// One qdisc to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shaping {
    /// The experiment, as `namespace/name`.
    pub source: String,
    /// Device; empty: `eth0`.
    pub device: String,
    /// Name of the set that picks the packets; empty: all of them.
    pub set: String,
    /// What it does.
    pub does: Shape,
    /// A parameter that is not understood, with its text; empty: none.
    pub unreadable: String,
}

/// What a qdisc does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Shape {
    /// Network emulator.
    Netem(Netem),
    /// Token bucket.
    Tbf(Tbf),
    /// Something this release does not know.
    Other {
        /// Its word.
        word: String,
    },
}

impl Default for Shape {
    fn default() -> Self {
        Self::Netem(Netem::default())
    }
}

/// Declared parameters of a netem; `None`: not declared, so it must be zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Netem {
    /// Seconds.
    pub delay: Option<f64>,
    /// Seconds.
    pub jitter: Option<f64>,
    /// Ratio.
    pub delay_correlation: Option<f64>,
    /// Ratio.
    pub loss: Option<f64>,
    /// Ratio.
    pub loss_correlation: Option<f64>,
    /// Ratio.
    pub duplicate: Option<f64>,
    /// Ratio.
    pub duplicate_correlation: Option<f64>,
    /// Ratio.
    pub corrupt: Option<f64>,
    /// Ratio.
    pub corrupt_correlation: Option<f64>,
    /// Ratio.
    pub reorder: Option<f64>,
    /// Ratio.
    pub reorder_correlation: Option<f64>,
    /// Packets.
    pub gap: Option<u32>,
    /// Bytes per second.
    pub rate: Option<f64>,
}

/// Declared parameters of a tbf.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tbf {
    /// Bytes per second.
    pub rate: Option<f64>,
    /// Bytes.
    pub burst: Option<f64>,
    /// Bytes.
    pub limit: Option<f64>,
    /// Bytes per second.
    pub peakrate: Option<f64>,
}

/// A chain that throws packets away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The experiment, as `namespace/name`.
    pub source: String,
    /// Its name.
    pub name: String,
    /// Whether it is about packets that leave; else those that come.
    pub output: bool,
    /// Sets it matches, one rule each; none: everything.
    pub sets: Vec<String>,
    /// Device; empty: `eth0`.
    pub device: String,
}

/// An IP set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// The experiment, as `namespace/name`.
    pub source: String,
    /// Its name.
    pub name: String,
    /// `hash:net`, `hash:net,port` or `list:set`.
    pub kind: String,
    /// Its members as declared: networks, networks with a port, names of sets.
    pub members: Vec<String>,
}

/// One action of a `PodIOChaos`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoFault {
    /// The experiment, as `namespace/name`.
    pub source: String,
    /// Container.
    pub container: String,
    /// Where the volume is mounted.
    pub volume: String,
}

/// One rule of a `PodHttpChaos`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpFault {
    /// The experiment, as `namespace/name`.
    pub source: String,
    /// Port.
    pub port: u16,
}

/// One target of an open run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeclaredTarget {
    /// Id of the run.
    pub run: String,
    /// Id of the target's record.
    pub target: String,
    /// Which selector found it: `.` or `.Target`.
    pub selector: String,
    /// The experiment.
    pub experiment: Reference,
    /// Container, where it is about one.
    pub container: String,
    /// How far the tool says it is.
    pub stage: Stage,
    /// When it was injected, as the tool says.
    pub injected_at: Option<Timestamp>,
    /// What must be found.
    pub expects: Expectation,
}

/// How far the tool says a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Not injected yet.
    Injecting,
    /// Injected.
    Injected,
    /// Being taken away.
    Recovering,
}

/// What must be found where a target is injected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Expectation {
    /// What the pod's `PodNetworkChaos` has from this experiment; that it has something is expected, too.
    Network,
    /// What its `PodIOChaos` has.
    Io,
    /// What its `PodHttpChaos` has.
    Http,
    /// Stressors of the container.
    Stress {
        /// Those the object tells of: stress-ng and memStress.
        processes: Vec<Stressor>,
    },
    /// A replaced resolv.conf.
    Dns,
    /// Nothing: the other end of a one-way fault, of which the tool says "injected" as well.
    OtherEnd,
    /// The image of the pod's containers, which only the API server tells.
    PodFailure,
    /// The kind leaves nothing to see, or this release does not know where to look.
    #[default]
    Unsupported,
}

/// A process a `StressChaos` began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stressor {
    /// `stress_ng` or `mem_stress`: the helper's word.
    pub helper: String,
    /// Pid on the node; `None` where the object does not tell.
    pub pid: Option<u32>,
    /// When it began; `None` where the object does not tell.
    pub started_at: Option<Timestamp>,
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRun {
    /// Its id.
    pub run: String,
    /// Its experiment.
    pub experiment: Reference,
    /// When the pod's part of it was taken away, or the run ended.
    pub ended_at: Timestamp,
}
