//! Slots of schedules: when the next child is due, which slots passed without one, which children will come.
//!
//! Chaos Mesh's own event for a missed slot cannot fire (with a starting deadline its code is never reached, without one it is not sent), so
//! slots are judged from the cron line and the children. Pure: [`Slots`] is told what is seen and when, and gives states to be stored, so
//! that a restart counts nothing twice. What a line means is in `tools::chaos_mesh::cron`, whose child is whose in `children`.

mod children;
mod plan;

pub use children::{Child, Offspring};
pub use plan::{Counted, Due, Plan, Plans, Unknown};

use super::now::{ExperimentNow, ScheduleNow, WatchNow};
use chaoscope_model::plan::{Schedule, Workflow};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A slot without a child counts half its interval after it passed, but neither sooner nor later than this. The controller notes a child's
/// time up to two seconds late, and a change of its leader takes 20 s.
const GRACE: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(5), SignedDuration::from_secs(60));

/// Slots judged at once; a longer absence counts no more of them.
const MOST: usize = 10_000;

/// What the keys of stored states begin with.
const KEY: &str = "slots/";

/// Every schedule with what its slots came to.
pub struct Slots {
    zone: Option<TimeZone>,
    schedules: BTreeMap<String, Watched>,
    /// Of schedules not seen yet.
    stored: BTreeMap<String, Count>,
    /// To be stored, by uid.
    changed: BTreeMap<String, Option<Count>>,
}

struct Watched {
    plan: Plan,
    count: Count,
}

/// What became of a schedule's slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Slots up to then are done with.
    judged: Timestamp,
    /// Slots that passed without a child.
    pub missed: u64,
    /// Slots without a child because the one before was still active, and the schedule forbids a second one.
    pub forbidden: u64,
}

/// What is known of children: those of a schedule, or `None` where their kind is not watched.
pub type Children<'a> = &'a dyn Fn(&Schedule) -> Option<Vec<Child>>;

impl Slots {
    /// Begins with the states of an earlier process. `zone` is the controller's, where known.
    pub fn new(zone: Option<TimeZone>, states: &BTreeMap<String, Vec<u8>>) -> Self {
        let read = |(key, state): (&String, &Vec<u8>)| Some((key.strip_prefix(KEY)?.to_owned(), serde_json::from_slice(state).ok()?));
        Self { zone, schedules: BTreeMap::new(), stored: states.iter().filter_map(read).collect(), changed: BTreeMap::new() }
    }

    /// The controller's time zone, as it became known. Slots judged so far stay judged.
    pub fn set_zone(&mut self, zone: TimeZone) {
        self.zone = Some(zone);
    }

    /// Takes in a schedule as it is from `at` on; until then it was as seen before.
    pub fn see(&mut self, schedule: &Arc<Schedule>, at: Timestamp, children: Children<'_>) {
        let uid = &schedule.about.uid;
        let plan = Plan::new(schedule);
        let Some(watched) = self.schedules.get_mut(uid) else {
            let stored = self.stored.remove(uid);
            let count = stored.unwrap_or(Count { judged: at, ..Count::default() });
            if stored.is_none() {
                self.changed.insert(uid.clone(), Some(count));
            }
            let mut watched = Watched { plan, count };
            if watched.judge(self.zone.as_ref(), at, children) {
                self.changed.insert(uid.clone(), Some(watched.count));
            }
            self.schedules.insert(uid.clone(), watched);
            return;
        };
        if schedule.version < watched.plan.schedule.version {
            return;
        }
        let mut changed = watched.judge(self.zone.as_ref(), at, children);
        if watched.plan.schedule.cron != schedule.cron {
            watched.count.judged = watched.count.judged.max(at); // the new line knows nothing of slots before it
            changed = true;
        }
        changed |= watched.plan.schedule.paused != schedule.paused;
        watched.plan = plan;
        if changed {
            self.changed.insert(uid.clone(), Some(watched.count));
        }
    }

    /// Forgets a schedule that is gone.
    pub fn gone(&mut self, uid: &str) {
        if self.schedules.remove(uid).is_some() || self.stored.remove(uid).is_some() {
            self.changed.insert(uid.to_owned(), None);
        }
    }

    /// Forgets every schedule that a complete list of a namespace (empty: of all) does not have.
    pub fn retain(&mut self, namespace: &str, listed: impl Fn(&str) -> bool) {
        let seen = self.schedules.iter().filter(|(_, watched)| namespace.is_empty() || watched.plan.schedule.about.namespace == namespace);
        // Of those that were stored and not seen yet only a list of everything tells.
        let stored = self.stored.keys().filter(|_| namespace.is_empty());
        let gone: Vec<String> = seen.map(|(uid, _)| uid).chain(stored).filter(|uid| !listed(uid)).cloned().collect();
        for uid in gone {
            self.gone(&uid);
        }
    }

    /// Judges the slots that have passed; wanted every few seconds.
    pub fn tick(&mut self, at: Timestamp, children: Children<'_>) {
        for (uid, watched) in &mut self.schedules {
            if watched.judge(self.zone.as_ref(), at, children) {
                self.changed.insert(uid.clone(), Some(watched.count));
            }
        }
    }

    /// What is to be stored since the last call, as `journal::Batch::states` wants it.
    pub fn states(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        let state = |(uid, count): (String, Option<Count>)| {
            Some((format!("{KEY}{uid}"), count.map(|it| serde_json::to_vec(&it)).transpose().ok()?))
        };
        std::mem::take(&mut self.changed).into_iter().filter_map(state).collect()
    }

    /// What a schedule's slots came to.
    pub fn count(&self, uid: &str) -> Count {
        self.schedules.get(uid).map(|watched| watched.count).unwrap_or_default()
    }

    /// Every schedule as it is shown.
    pub fn now(&self, experiments: &[ExperimentNow], workflows: &[Arc<Workflow>], watches: &[WatchNow]) -> Vec<ScheduleNow> {
        let mut offspring = Offspring::new(experiments, workflows, watches);
        let shown = |watched: &Watched| ScheduleNow {
            schedule: Arc::clone(&watched.plan.schedule),
            next_at: watched.plan.next_at(self.zone.as_ref()),
            missed: watched.count.missed,
            forbidden: watched.count.forbidden,
            active: offspring.of(&watched.plan.schedule).map(|all| all.iter().filter(|child| child.ended_at.is_none()).count() as u64),
        };
        let mut all: Vec<_> = self.schedules.values().map(shown).collect();
        all.sort_by(|one, other| one.schedule.about.cmp(&other.schedule.about));
        all
    }

    /// Every schedule with its line, to find the children that will come.
    pub fn plans(&self) -> Plans {
        Plans::new(self.zone.clone(), self.schedules.values().map(|watched| watched.plan.clone()))
    }
}

impl Watched {
    /// Judges the slots that passed long enough before `at`; whether that is worth storing.
    fn judge(&mut self, zone: Option<&TimeZone>, at: Timestamp, children: Children<'_>) -> bool {
        if self.plan.is_idle() {
            self.count.judged = self.count.judged.max(at);
            return false;
        }
        let (mut known, mut changed) = (None, false);
        for _ in 0..MOST {
            let Some(slot) = self.plan.slot_after(self.count.judged, zone).filter(|slot| *slot < at) else { return changed };
            let interval = self.plan.slot_after(slot, zone).map_or(GRACE.1 * 2, |next| next.duration_since(slot));
            if at.duration_since(slot) < (interval / 2).clamp(GRACE.0, GRACE.1) {
                return changed;
            }
            self.count.judged = slot;
            if self.plan.schedule.last_at.is_none_or(|last| last < slot) {
                let children: &Option<Vec<Child>> = known.get_or_insert_with(|| children(&self.plan.schedule));
                changed |= self.count.take(slot, self.plan.schedule.concurrency != "Allow", children.as_deref());
            }
        }
        self.count.judged = self.count.judged.max(at.saturating_sub(GRACE.1).unwrap_or(at));
        true
    }
}

impl Count {
    /// Counts a slot that the schedule's own status does not account for; whether that is worth storing.
    fn take(&mut self, slot: Timestamp, forbids: bool, children: Option<&[Child]>) -> bool {
        let known = children.unwrap_or_default();
        if known.iter().any(|child| child.created_at >= slot) {
            return false;
        }
        let active = |child: &Child| child.created_at <= slot && child.ended_at.is_none_or(|end| end >= slot);
        match (forbids, children) {
            (true, None) => {} // missed or forbidden: nobody can tell
            (true, Some(known)) if known.iter().any(active) => self.forbidden += 1,
            _ => self.missed += 1,
        }
        true
    }
}

#[cfg(test)]
mod tests;
