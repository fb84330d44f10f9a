//! What was found when the declared fault was held against the kernel: [`Judgement`] of one target, [`Residue`] of what is left over, and the
//! [`Report`] a node sends of both.
//!
//! Apart from the comparison itself (`exporter/src/verdict`), because both programs, the journal and every reader speak of these.

use crate::experiment::{Effect, Pod, Reference, Tool};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Declared compared with read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Configured in the kernel as declared. No claim about effect.
    InForce,
    /// There, with another parameter than declared.
    Drifted,
    /// Declared, and not there.
    Missing,
    /// Cannot be told; the reason says why.
    Unknown,
}

impl Verdict {
    /// Every verdict, in order.
    pub const ALL: [Self; 4] = [Self::InForce, Self::Drifted, Self::Missing, Self::Unknown];

    /// The word used in labels, in queries and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Drifted => "drifted",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// One parameter that is not as declared, in words with units: `delay`, `100ms`, `100µs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Difference {
    /// Which parameter.
    pub parameter: String,
    /// What the objects say; empty: nothing.
    pub declared: String,
    /// What the kernel says; empty: nothing.
    pub read: String,
}

/// What was found about one target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one of few words (`docs/verdicts.md`); empty where the verdict says all.
    pub reason: String,
    /// What exactly; at most 16.
    #[serde(default)]
    pub differences: Vec<Difference>,
}

impl Judgement {
    /// A verdict for a reason.
    pub fn new(verdict: Verdict, reason: &str) -> Self {
        Self { verdict, reason: reason.to_owned(), differences: Vec::new() }
    }

    /// As declared.
    pub fn in_force() -> Self {
        Self::new(Verdict::InForce, "")
    }
}

/// Whose something left over is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// A run that ended: there is evidence.
    EndedRun,
    /// Some other tool, or a person.
    Unknown,
}

impl Owner {
    /// The word used in labels and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndedRun => "ended_run",
            Self::Unknown => "unknown",
        }
    }
}

/// Something chaos-like in a pod that no open run declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Residue {
    /// The pod; empty names where it is unknown.
    pub pod: Pod,
    /// Container, where it is about one.
    pub container: String,
    /// Name or inode of its network namespace, where no pod is known.
    pub netns: String,
    /// Whether it changes anything.
    pub effect: Effect,
    /// Whose it is.
    pub owner: Owner,
    /// `qdisc`, `filter`, `rule`, `chain`, `set`, `helper` or `mount`.
    pub what: String,
    /// Which one, as a person would look for it; at most 256 characters.
    pub object: String,
    /// Whose it looks like.
    pub tool: Tool,
    /// The experiment it was made by, where a name or a spec tells.
    pub experiment: Option<Reference>,
    /// The run that ended, where it is known.
    pub run: Option<String>,
    /// When it was first seen.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub first_seen: Timestamp,
}

/// What a node found about one target of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Judged {
    /// Id of the run.
    pub run: String,
    /// Id of the target's record.
    pub target: String,
    /// `.` or `.Target`: which selector found it.
    pub selector: String,
    /// What was found.
    #[serde(flatten)]
    pub judgement: Judgement,
}

impl Judged {
    /// Which target of which run it is about: run, target and selector.
    pub fn whose(&self) -> (String, String, String) {
        (self.run.clone(), self.target.clone(), self.selector.clone())
    }
}

/// What a node sends by its connection: everything it found, or only what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Report {
    /// Number of the connection (the event `hello` says it): a report of an older one is not taken.
    pub connection: String,
    /// Whether this is everything: what is not in it does not hold any more.
    pub complete: bool,
    /// Targets whose verdict changed, or all.
    #[serde(default)]
    pub verdicts: Vec<Judged>,
    /// Everything left over on the node; `None`: nothing changed.
    #[serde(default)]
    pub residue: Option<Vec<Residue>>,
    /// Pods (by uid) whose last visit went well; a run that ended on one of these and has no residue left nothing.
    #[serde(default)]
    pub visited: Vec<String>,
}
