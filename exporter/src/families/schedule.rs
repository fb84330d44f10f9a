//! `chaoscope_schedule_*`: when a schedule's children came and come, and which did not.
//!
//! The next time is counted from the last child, as the controller does, so it lies in the past where one did not come.

use super::{extended, identity, times};
use crate::exposition::Exposition;
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Schedule;

impl Family for Schedule {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(now) = world.now() else { return Ok(()) };
        let all: Vec<_> = now.schedules.iter().map(|it| (identity(&it.schedule.about), it)).collect();
        out.gauge(
            "chaoscope_schedule_next_timestamp_seconds",
            "When the next child is due, counted from the last one.",
            times(&all, |it| it.next_at),
        )?;
        out.gauge("chaoscope_schedule_last_timestamp_seconds", "When the last child was made.", times(&all, |it| it.schedule.last_at))?;
        out.counter(
            "chaoscope_schedule_missed",
            "Slots without a child a minute later, or half an interval where that is less, but at least five seconds.",
            all.iter().map(|(labels, it)| (labels.clone(), it.missed)),
        )?;
        out.counter(
            "chaoscope_schedule_skipped",
            "Slots without a child because one was still active (forbid).",
            all.iter().map(|(labels, it)| (extended(labels, [("reason", "forbid".into())]), it.forbidden)),
        )?;
        let paused = all.iter().map(|(labels, it)| (labels.clone(), it.schedule.paused));
        out.gauge("chaoscope_schedule_paused", "Whether a schedule is paused.", paused)?;
        out.gauge(
            "chaoscope_schedule_active",
            "Children that are not finished.",
            all.iter().filter_map(|(labels, it)| Some((labels.clone(), it.active?))),
        )
    }
}
