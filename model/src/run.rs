//! A [`Run`]: one application of an experiment, from start to recovery, with its targets. Also its identity, and what about it depends on
//! the present ([`Run::at`]).
//!
//! These are the values the API answers and the journal keeps. How observations become runs is in `history` (declared experiments) and
//! `kernel` (faults seen in a kernel only).

use crate::experiment::{Parent, Tool};
use crate::few::Few;
use crate::time::{Moment, Precision};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How long injecting or recovering may take before a run is called stuck.
pub const STUCK_AFTER: SignedDuration = SignedDuration::from_secs(300);
/// How long past its expected end a run may be in force before it is called overdue.
pub const OVERDUE_AFTER: SignedDuration = SignedDuration::from_secs(120);

/// The name space of run ids (RFC 9562, version 5), made once for this purpose.
const NAME_SPACE: Uuid = Uuid::from_u128(0x6b1c_52a7_9d0e_4f63_8e21_c5d4_70a9_3b18);

macro_rules! words {
    ($(#[$meta:meta])* $name:ident {
        $(#[$first:meta])* $initial:ident = $beginning:literal, $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $(#[$first])* #[default] $initial, $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[Self::$initial, $(Self::$variant),+];

            /// The word used in labels, in queries and in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { Self::$initial => $beginning, $(Self::$variant => $word),+ }
            }

            /// The value of a word.
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// Where a run is in its life.
    Phase {
        /// Targets are looked for.
        Selecting = "selecting",
        /// Targets are known and not all of them are injected.
        Injecting = "injecting",
        /// Every target is injected.
        Running = "running",
        /// An end was asked for and something is still injected.
        Recovering = "recovering",
        /// Over: there is an outcome.
        Finished = "finished",
    }
}

words! {
    /// How a run ended.
    Outcome {
        /// Every injected target recovered.
        Recovered = "recovered",
        /// A one-shot action (a kill, a restart) was done; there is nothing to recover.
        Completed = "completed",
        /// Its selector matched nothing until the end.
        NoTargets = "no_targets",
        /// There were targets, and none was ever injected.
        InjectionFailed = "injection_failed",
        /// The next run began, and some target of this one had never recovered.
        RecoveryFailed = "recovery_failed",
        /// The object went away while targets were injected: somebody tore its finalizer away.
        Forced = "forced",
        /// The object went away unseen; the end lies between `ended_after` and `ended_at`.
        Lost = "lost",
    }
}

words! {
    /// Where a target is in a run.
    TargetState {
        /// Selected, nothing applied yet.
        Pending = "pending",
        /// The tool waits for the fault to be applied.
        Injecting = "injecting",
        /// The tool says the fault is applied.
        Injected = "injected",
        /// The tool waits for the fault to be taken away.
        Recovering = "recovering",
        /// The tool says the fault is taken away.
        Recovered = "recovered",
        /// Never injected, and the run is over.
        Failed = "failed",
        /// The pod that was injected is gone; the tool still says it is injected.
        Gone = "gone",
    }
}

/// One pod, container, machine or network namespace a run touches. Texts are empty where they do not apply or are unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Target {
    /// What the tool calls it (a record's id), at most 256 characters.
    pub id: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Pod.
    pub pod: String,
    /// Container, where the fault is about one.
    pub container: String,
    /// Network namespace, of a kernel run: its name in /run/netns, else its inode.
    pub netns: String,
    /// Node the pod is on.
    pub node: String,
    /// Name of what owns the pod.
    pub workload: String,
    /// Kind of what owns the pod (`Deployment`, `StatefulSet`, …).
    pub workload_kind: String,
    /// `selected` by the experiment's selector, or `peer`: the other end of a network fault.
    pub role: String,
    /// Where the target is.
    #[serde(default)]
    pub state: TargetState,
    /// When the fault was applied.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub injected_at: Option<Timestamp>,
    /// When the fault was taken away.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub recovered_at: Option<Timestamp>,
    /// How exactly each time is known.
    #[cfg_attr(feature = "schema", schema(value_type = BTreeMap<String, Precision>))]
    pub precision: Few<String, Precision>,
    /// The tool's last word about a failure.
    pub message: String,
    /// Declared compared with read: `in_force`, `drifted`, `missing` or `unknown`; null until somebody has looked, and after the end.
    pub verdict: Option<String>,
    /// Why, in a few words that are always the same (`docs/verdicts.md`); empty where the verdict says all.
    #[serde(default)]
    pub verdict_reason: String,
    /// Since when the verdict is this one.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub verdict_since: Option<Timestamp>,
    /// What a node found of it after the end: `none`, `benign` or `effective`; null until one has looked.
    #[serde(default)]
    pub residue: Option<String>,
}

/// One application of an experiment. Times are null where unknown; texts are empty where they do not apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Run {
    /// Stable: the same for every restart, replay and replica.
    pub id: String,
    /// Who injects.
    pub tool: Tool,
    /// Name of the cluster, as Chaoscope was told.
    pub cluster: String,
    /// Kind of the experiment; of a kernel run: `netem`, `tbf`, `drop` or `process`.
    pub kind: String,
    /// What it does: `partition`, `pod-kill`, …; empty where the kind says all.
    pub action: String,
    /// Namespace of the experiment.
    pub namespace: String,
    /// Name of the experiment; of a kernel run: its network namespace.
    pub name: String,
    /// Uid of the experiment.
    pub uid: String,
    /// Which application of the experiment, from 1.
    pub ordinal: u32,
    /// Where it is in its life.
    pub phase: Phase,
    /// How it ended; null while open.
    pub outcome: Option<Outcome>,
    /// When it was asked for; of a baseline run: when it was first seen.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub started_at: Timestamp,
    /// When the last target was injected; null while one is not.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub injected_at: Option<Timestamp>,
    /// When its end was asked for: time up, pause or deletion.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub stop_requested_at: Option<Timestamp>,
    /// When the last target recovered.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub recovered_at: Option<Timestamp>,
    /// When its duration says it ends.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub expected_end_at: Option<Timestamp>,
    /// When it ended, whatever the outcome; null while open.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub ended_at: Option<Timestamp>,
    /// Of a lost run: it was still there then.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub ended_after: Option<Timestamp>,
    /// It was there when Chaoscope first looked, so its start is unknown.
    pub baseline: bool,
    /// Injecting or recovering since then, for longer than 300 s.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub stuck_since: Option<Timestamp>,
    /// Should have ended then, more than 120 s ago.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub overdue_since: Option<Timestamp>,
    /// How exactly each time is known.
    #[cfg_attr(feature = "schema", schema(value_type = BTreeMap<String, Precision>))]
    pub precision: Few<String, Precision>,
    /// The schedule or workflow that made the experiment.
    pub parent: Option<Parent>,
    /// Who made it, as far as the object tells.
    pub started_by: Option<String>,
    /// What the fault is, in short: `delay.latency` → `100ms`.
    pub parameters: BTreeMap<String, String>,
    /// Labels of the experiment.
    pub labels: BTreeMap<String, String>,
    /// Whom it touches.
    pub targets: Vec<Target>,
}

impl Run {
    /// The id of the `ordinal`th application of an object: the same whoever computes it, and whenever.
    pub fn id_of(cluster: &str, uid: &str, ordinal: u32) -> String {
        Uuid::new_v5(&NAME_SPACE, format!("{cluster}\n{uid}\n{ordinal}").as_bytes()).to_string()
    }

    /// The id of a fault first seen then in a kernel: the same after a restart, for what is kept tells when that was. `place` is the device
    /// and inode of its network namespace, empty for what is in none.
    pub fn id_of_fault(boot: &str, place: &str, key: &str, first_seen: Timestamp) -> String {
        Uuid::new_v5(&NAME_SPACE, format!("kernel\n{boot}\n{place}\n{key}\n{first_seen}").as_bytes()).to_string()
    }

    /// Whether it has not ended.
    pub const fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether it touches the time from `from` to `to`, both included.
    pub fn overlaps(&self, from: Timestamp, to: Timestamp) -> bool {
        self.started_at <= to && self.ended_at.is_none_or(|end| end >= from)
    }

    /// What depends on the present: whether it is stuck, whether it is overdue. Never stored.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.stuck_since = self.stuck_at(now);
        self.overdue_since = self.overdue_at(now);
        self
    }

    /// Since when it injects or recovers, where that has lasted longer than [`STUCK_AFTER`] then.
    pub fn stuck_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.may_stick().filter(|since| now.duration_since(*since) > STUCK_AFTER)
    }

    /// When it should have ended, where that was more than [`OVERDUE_AFTER`] before.
    pub fn overdue_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.may_be_late().filter(|end| now.duration_since(*end) > OVERDUE_AFTER)
    }

    /// As long as it stays as it is: after the first moment it is stuck, after the second one it is overdue. `None`: never.
    pub fn turns(&self) -> [Option<Timestamp>; 2] {
        let after = |since: Option<Timestamp>, time| since.and_then(|since| since.checked_add(time).ok());
        [after(self.may_stick(), STUCK_AFTER), after(self.may_be_late(), OVERDUE_AFTER)]
    }

    fn may_stick(&self) -> Option<Timestamp> {
        let entered = match self.phase {
            Phase::Injecting => Some(self.started_at),
            Phase::Recovering => self.stop_requested_at,
            _ => None,
        };
        entered.filter(|_| self.is_open())
    }

    fn may_be_late(&self) -> Option<Timestamp> {
        self.expected_end_at.filter(|_| self.is_open() && self.phase != Phase::Recovering)
    }

    /// Notes how exactly a time is known, and gives the time.
    pub fn note(precision: &mut Few<String, Precision>, field: &str, moment: Option<Moment>) -> Option<Timestamp> {
        let moment = moment?;
        precision.insert(field.to_owned(), moment.precision);
        Some(moment.at)
    }
}
