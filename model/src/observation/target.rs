//! What was seen of targets beside what a tool says of them: verdicts of nodes ([`JudgedAt`]), what is left ([`Left`]), and pods.
//!
//! Apart from the tool's own objects, whose extracts are in `observation`.

use crate::verdict::Judged;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What was found about a target of an experiment, and when that was heard here: a node's own clock may be off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedAt {
    /// Uid of the experiment.
    pub uid: String,
    /// Node that found it; empty where the cluster role judged itself.
    pub node: String,
    /// Which target of which run, and the verdict.
    pub judged: Judged,
    /// What it found of it after the end; `None`: nothing is said about that.
    pub residue: Option<Left>,
    /// When.
    pub at: Timestamp,
}

/// What is left of a fault after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// Nothing.
    None,
    /// What changes nothing.
    Benign,
    /// What changes traffic, files or load.
    Effective,
}

impl Left {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Benign => "benign",
            Self::Effective => "effective",
        }
    }
}

/// A container of a pod in which a pod-failure replaced an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedContainer {
    /// Its name.
    pub container: String,
    /// Key of the annotation that keeps the image it had; empty: its own was not replaced.
    pub annotation: String,
    /// Whether its image is another one now than the annotation keeps.
    pub replaced: bool,
}

/// The extract of a pod. What several keep of it is shared, not copied.
#[derive(Clone, Debug, PartialEq)]
pub struct PodSeen {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid: a replaced pod has the name of the one before, and another uid.
    pub uid: Arc<str>,
    /// Node it is on.
    pub node: Arc<str>,
    /// Name of the workload that owns it.
    pub workload: Arc<str>,
    /// Kind of the workload that owns it.
    pub workload_kind: Arc<str>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Its condition `Ready`; `None` where it has none.
    pub ready: Option<bool>,
    /// Containers a pod-failure put another image in, by the annotations and images it has now.
    pub failed: Vec<FailedContainer>,
    /// When this was seen.
    pub seen: Timestamp,
    /// Whether it is gone.
    pub gone: bool,
}
