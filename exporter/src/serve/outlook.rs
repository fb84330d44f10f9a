//! What is to come: children that schedules are due to make, as a caller may see them. [`Outlook`], asked by the API and by the status page.
//!
//! A child that is not there yet has no targets, so there is one rule: a caller sees it if it may list its kind in the schedule's namespace.
//! To tell one more thing of it: a field of [`Upcoming`], and of the model's schedule.

use super::access::Viewer;
use crate::cluster::slots::{Counted, Due, Plans, Unknown};
use chaoscope_model::Tool;
use chaoscope_model::plan::Schedule;
use chaoscope_model::query::Filter;
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The parameters that filter what is to come; the others ask for what only a run has.
pub(super) const FIELDS: [&str; 5] = ["tool", "cluster", "kind", "namespace", "name"];

/// Every schedule, as it is now; none where there is no cluster. May block.
pub type Schedules = Arc<dyn Fn() -> Plans + Send + Sync>;

/// Looks ahead. Cheap to clone.
#[derive(Clone)]
pub struct Outlook {
    schedules: Schedules,
    /// Name of the cluster, as Chaoscope was told.
    cluster: String,
}

/// From when to when, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The present.
    pub(super) now: Timestamp,
    /// What is due before is left out.
    pub(super) from: Timestamp,
    /// What is due later is left out.
    pub(super) to: Timestamp,
    /// At most so many.
    pub(super) limit: usize,
}

/// What is to come, as far as it is known.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ahead {
    /// The soonest first.
    pub(super) upcoming: Vec<Upcoming>,
    /// Schedules that run, and of which nobody can tell when.
    unknown: Vec<Untold>,
    /// Whether there is more of either than `limit`.
    truncated: bool,
}

/// A run that is due.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Upcoming {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub(super) at: Timestamp,
    /// Who will inject.
    tool: Tool,
    /// Name of the cluster, as Chaoscope was told.
    pub(super) cluster: String,
    /// Kind of what is made: an experiment's, or `Workflow`.
    pub(super) kind: String,
    /// What it will do: `partition`, `pod-kill`, …; empty where the kind says all.
    pub(super) action: String,
    /// Namespace of the schedule, and of what it makes.
    pub(super) namespace: String,
    /// Name of the schedule.
    pub(super) schedule: String,
    /// When its duration says it ends, should it begin on time; null where it has none.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub(super) expected_end_at: Option<Timestamp>,
    /// What the schedule does where the child before is still active: `Forbid` makes none, `Allow` makes one more.
    concurrency: String,
    /// What the time is counted from: `calendar`; or `last_child`, and then every child is taken to be on time.
    counted_from: &'static str,
}

/// A schedule of which nobody can tell when it makes a run.
#[derive(Debug, Serialize, ToSchema)]
struct Untold {
    /// Who will inject.
    tool: Tool,
    /// Name of the cluster, as Chaoscope was told.
    cluster: String,
    /// Kind of what is made.
    kind: String,
    /// Its namespace.
    namespace: String,
    /// Its name.
    schedule: String,
    /// Why: `time_zone` (its line depends on the controller's, which is not known: `--controller.time-zone`), or `cron` (its line is not
    /// understood).
    reason: &'static str,
}

impl Outlook {
    /// Looks ahead from these schedules of a cluster.
    pub fn new(schedules: Schedules, cluster: String) -> Self {
        Self { schedules, cluster }
    }

    /// What is to come and passes [`FIELDS`] of a filter, as a caller may see it. May block; ask [`Viewer::complete`] after it.
    pub(super) fn ahead(&self, viewer: &Viewer, filter: &Filter, span: Span) -> Ahead {
        let mut plans = (self.schedules)();
        plans.retain(|schedule| {
            self.passes(filter, schedule) && viewer.sees_object(Tool::ChaosMesh, &schedule.makes, &schedule.about.namespace)
        });
        let mut due = plans.upcoming(span.now, span.from, span.to);
        let upcoming = due.by_ref().take(span.limit).map(|due| self.upcoming(due)).collect();
        let mut untold = plans.unknown();
        let unknown = untold.by_ref().take(span.limit).map(|(schedule, why)| self.untold(schedule, why)).collect();
        Ahead { upcoming, unknown, truncated: due.next().is_some() || untold.next().is_some() }
    }

    fn passes(&self, filter: &Filter, schedule: &Schedule) -> bool {
        let about = &schedule.about;
        let values = [Tool::ChaosMesh.as_str(), &self.cluster, &schedule.makes, &about.namespace, &about.name];
        FIELDS.iter().zip(values).all(|(field, value)| filter.words(field).is_none_or(|words| words.matches(value)))
    }

    fn upcoming(&self, due: Due<'_>) -> Upcoming {
        let Schedule { about, makes, action, duration, concurrency, .. } = due.schedule;
        Upcoming {
            at: due.at,
            tool: Tool::ChaosMesh,
            cluster: self.cluster.clone(),
            kind: makes.clone(),
            action: action.clone(),
            namespace: about.namespace.clone(),
            schedule: about.name.clone(),
            expected_end_at: duration.and_then(|duration| due.at.checked_add(duration).ok()),
            concurrency: concurrency.clone(),
            counted_from: match due.counted {
                Counted::Calendar => "calendar",
                Counted::LastChild => "last_child",
            },
        }
    }

    fn untold(&self, schedule: &Schedule, why: Unknown) -> Untold {
        Untold {
            tool: Tool::ChaosMesh,
            cluster: self.cluster.clone(),
            kind: schedule.makes.clone(),
            namespace: schedule.about.namespace.clone(),
            schedule: schedule.about.name.clone(),
            reason: match why {
                Unknown::TimeZone => "time_zone",
                Unknown::Cron => "cron",
            },
        }
    }
}
