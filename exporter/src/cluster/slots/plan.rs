//! When a schedule's children are due: [`Plan`] of one schedule, and [`Plans`] of all of them, to look ahead with.
//!
//! Apart from the counts because looking ahead takes its time: who asks does so with a copy, while schedules go on changing.

use crate::tools::chaos_mesh::cron::Line;
use chaoscope_model::plan::Schedule;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// So many unmet slots make the controller give up on a schedule (`getRecentUnmetScheduleTime`).
const GIVEN_UP_AFTER: usize = 100;

/// A schedule with its line. Cheap to clone.
#[derive(Clone)]
pub struct Plan {
    pub(super) schedule: Arc<Schedule>,
    /// `None`: it is not understood.
    line: Option<Line>,
}

/// Every schedule with its line, and the time zone that is meant.
#[derive(Clone, Default)]
pub struct Plans {
    zone: Option<TimeZone>,
    /// By namespace and name.
    plans: Vec<Plan>,
}

/// A child that is due.
#[derive(Clone, Copy)]
pub struct Due<'a> {
    /// Who makes it.
    pub schedule: &'a Schedule,
    /// When.
    pub at: Timestamp,
    /// What its time is counted from.
    pub counted: Counted,
}

/// What slots are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The calendar.
    Calendar,
    /// The last child; it is taken to be on time.
    LastChild,
}

/// Why nobody can tell when a schedule's children are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Its line depends on the controller's time zone, which is not known.
    TimeZone,
    /// Its line is not understood.
    Cron,
}

impl Plan {
    pub(super) fn new(schedule: &Arc<Schedule>) -> Self {
        Self { schedule: Arc::clone(schedule), line: Line::parse(&schedule.cron).ok() }
    }

    /// Whether it makes no children whatever its line says.
    pub(super) fn is_idle(&self) -> bool {
        self.schedule.paused || self.schedule.deleting
    }

    /// What the controller counts from: the last child, or its creation.
    fn base(&self) -> Option<Timestamp> {
        self.schedule.last_at.or(self.schedule.created_at)
    }

    /// When the next child is due, counted from the last one.
    pub(super) fn next_at(&self, zone: Option<&TimeZone>) -> Option<Timestamp> {
        self.line.as_ref().filter(|_| !self.is_idle())?.next(self.base()?, zone)
    }

    /// The first slot after a time.
    pub(super) fn slot_after(&self, time: Timestamp, zone: Option<&TimeZone>) -> Option<Timestamp> {
        let (line, base) = (self.line.as_ref()?, self.base()?);
        let Some(interval) = line.interval() else {
            return line.next(time.max(self.schedule.created_at.unwrap_or(time)), zone);
        };
        let (first, step) = (line.next(base, zone)?, interval.as_secs().max(1));
        let passed = time.duration_since(first).as_secs();
        let steps = if time < first { 0 } else { passed / step + 1 };
        first.checked_add(SignedDuration::from_secs(step.checked_mul(steps)?)).ok()
    }

    /// Whether the controller will make another child, as it counts: never where the deadline is shorter than the interval it counts from
    /// (its next time then slides on for ever), nor once too many slots are unmet.
    fn fires(&self, zone: Option<&TimeZone>, now: Timestamp) -> bool {
        let (Some(line), Some(base), false) = (&self.line, self.base(), self.is_idle()) else { return false };
        let deadline = self.schedule.starting_deadline.map(SignedDuration::from_secs);
        if let (Some(interval), Some(deadline)) = (line.interval(), deadline)
            && interval > deadline
        {
            return false;
        }
        let from = deadline.and_then(|deadline| now.checked_sub(deadline).ok()).map_or(base, |from| from.max(base));
        line.slots(from, now, zone, GIVEN_UP_AFTER + 1).is_some_and(|unmet| unmet.len() <= GIVEN_UP_AFTER)
    }

    /// Whether its next slot cannot be told, and why.
    fn unknown(&self, zone: Option<&TimeZone>) -> Option<Unknown> {
        match &self.line {
            _ if self.is_idle() => None,
            None => Some(Unknown::Cron),
            Some(line) => (!line.is_told(zone)).then_some(Unknown::TimeZone),
        }
    }
}

impl Plans {
    pub(super) fn new(zone: Option<TimeZone>, plans: impl Iterator<Item = Plan>) -> Self {
        let mut plans: Vec<_> = plans.collect();
        plans.sort_by(|one, other| one.schedule.about.cmp(&other.schedule.about));
        Self { zone, plans }
    }

    /// Keeps those of some schedules only.
    pub fn retain(&mut self, mut wanted: impl FnMut(&Schedule) -> bool) {
        self.plans.retain(|plan| wanted(&plan.schedule));
    }

    /// Children that are due after `now`, from `from` up to `until`, the soonest first. Each is looked for when it is asked for.
    pub fn upcoming(&self, now: Timestamp, from: Timestamp, until: Timestamp) -> impl Iterator<Item = Due<'_>> {
        let zone = self.zone.as_ref();
        let before = from.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(from).max(now);
        let next = move |number: usize, after| {
            let slot = self.plans.get(number)?.slot_after(after, zone).filter(|slot| *slot <= until)?;
            Some(Reverse((slot, number)))
        };
        let firing = self.plans.iter().enumerate().filter(move |(_, plan)| plan.fires(zone, now));
        let first = firing.filter_map(move |(number, plan)| next(number, before.max(plan.base()?)));
        let mut ahead: BinaryHeap<_> = first.collect();
        std::iter::from_fn(move || {
            let Reverse((at, number)) = ahead.pop()?;
            ahead.extend(next(number, at));
            let Plan { schedule, line } = self.plans.get(number)?;
            let follows = line.as_ref().is_some_and(|line| line.interval().is_some());
            Some(Due { schedule, at, counted: if follows { Counted::LastChild } else { Counted::Calendar } })
        })
    }

    /// Schedules of which nobody can tell when their children are due.
    pub fn unknown(&self) -> impl Iterator<Item = (&Schedule, Unknown)> {
        self.plans.iter().filter_map(|plan| Some((&*plan.schedule, plan.unknown(self.zone.as_ref())?)))
    }
}
