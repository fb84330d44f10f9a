//! An [`Event`]: one thing that happened to an experiment, a target, a schedule or a workflow.
//!
//! Objects' records and Kubernetes Events state the same facts, so an event has a key that both compute; the more exact statement is kept.

use crate::experiment::Tool;
use crate::time::Precision;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether an event is worth a second look. Kubernetes' own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Something failed or was skipped.
    Warning,
}

impl Severity {
    /// The word used in labels, in queries and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// One thing that happened. Texts are empty where they do not apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// What makes it this event and no other; records and Kubernetes Events of the same fact share it.
    pub key: String,
    /// The run it belongs to, where it belongs to one.
    pub run: Option<String>,
    /// Whose experiment.
    pub tool: Tool,
    /// Name of the cluster, as Chaoscope was told.
    pub cluster: String,
    /// Kind of the object it is about.
    pub kind: String,
    /// Namespace of that object.
    pub namespace: String,
    /// Name of that object.
    pub name: String,
    /// Uid of that object.
    pub uid: String,
    /// When.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// How exactly that is known.
    pub precision: Precision,
    /// Normal or warning.
    #[serde(rename = "type")]
    pub severity: Severity,
    /// `Applied`, `Recovered`, `TimeUp`, `Failed`, …: upstream's reasons where it has one.
    pub reason: String,
    /// For a person.
    pub message: String,
    /// Namespace of the target it is about.
    pub target_namespace: String,
    /// Pod of the target it is about.
    pub target_pod: String,
    /// Container of the target it is about.
    pub target_container: String,
    /// What the source said in a structured form.
    pub attributes: BTreeMap<String, String>,
    /// Whether a Kubernetes Event stated it (and not a record alone).
    pub announced: bool,
    /// Key of an event that this one replaces: the same fact, known less exactly. Not shown.
    #[serde(skip)]
    pub replaces: Option<String>,
}
