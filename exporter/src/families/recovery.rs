//! `chaoscope_recovery_*`: how long it took to recover targets, and how often that failed.

use super::{counted, measured};
use crate::exposition::Exposition;
use crate::journal;
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Recovery;

impl Family for Recovery {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let names = ["experiment_kind", "action"];
        let help = "Time from when the end of a run was asked for to the recovery of a target, where both are known exactly enough.";
        out.histogram("chaoscope_recovery_duration_seconds", help, measured(world, journal::Family::RecoverySeconds, &names))?;
        let help = "Attempts to recover a target that failed.";
        out.counter("chaoscope_recovery_failures", help, counted(world, journal::Family::RecoveryFailures, &names))
    }
}
