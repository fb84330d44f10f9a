//! Who injects faults ([`Tool`]), on whom ([`Pod`]), and whether what is found changes traffic ([`Effect`]).
//!
//! Apart from the rest because both programs and every reader speak of these.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A chaos tool whose faults Chaoscope recognises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// Chaos Mesh: custom resources, chaos-daemon on each node.
    ChaosMesh,
    /// Krkn (Red Hat): scenarios run from outside the cluster.
    Krkn,
    /// chaosd: Chaos Mesh's daemon for physical machines.
    Chaosd,
    /// `LitmusChaos`: helper pods that enter the target's namespaces.
    Litmus,
    /// Seen in the kernel only; nobody known declared it.
    Kernel,
    /// A tool with a name, but none of the above.
    Other,
}

impl Tool {
    /// Every tool, in order.
    pub const ALL: [Self; 6] = [Self::ChaosMesh, Self::Krkn, Self::Chaosd, Self::Litmus, Self::Kernel, Self::Other];

    /// The name used in labels and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChaosMesh => "chaos-mesh",
            Self::Krkn => "krkn",
            Self::Chaosd => "chaosd",
            Self::Litmus => "litmus",
            Self::Kernel => "kernel",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A pod as Kubernetes names it. Namespace and name may be unknown (empty) where only the cgroup told the uid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Pod {
    /// Kubernetes namespace; empty when unknown.
    pub namespace: String,
    /// Pod name; empty when unknown.
    pub name: String,
    /// Pod uid; empty when unknown.
    pub uid: String,
}

impl Pod {
    /// Whether the pod has a name a person would recognise.
    pub fn is_named(&self) -> bool {
        !self.name.is_empty()
    }
}

/// Whether something chaos left in the kernel changes traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes traffic, files or load now.
    Effective,
    /// An unreferenced chain, an unused set, an empty hook chain, an idle helper.
    Benign,
}

impl Effect {
    /// The name used in labels and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Effective => "effective",
            Self::Benign => "benign",
        }
    }
}

/// An object, by name and by uid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Reference {
    /// Kind, as its API calls it.
    pub kind: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid; empty when unknown.
    pub uid: String,
}

/// What made an experiment: a schedule or a workflow.
pub type Parent = Reference;

/// Text without anything that could steer a terminal or turn what is read around it (Unicode's Cc, and the marks of UAX #9).
pub fn plain(text: &str) -> String {
    let steers = |it: char| {
        it.is_control()
            || matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    text.chars().map(|it| if steers(it) { '\u{fffd}' } else { it }).collect()
}

/// Takes a prefix of a text that is at most `limit` characters long.
pub fn shortened(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}
