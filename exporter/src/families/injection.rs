//! `chaoscope_injection_*`: how long it took to inject targets, and how often that failed.

use super::{counted, measured};
use crate::exposition::Exposition;
use crate::journal;
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Injection;

impl Family for Injection {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let names = ["experiment_kind", "action"];
        let help = "Time from the start of a run to the injection of a target, where both are known exactly enough.";
        out.histogram("chaoscope_injection_duration_seconds", help, measured(world, journal::Family::InjectionSeconds, &names))?;
        let help = "Attempts to inject a target that failed.";
        out.counter("chaoscope_injection_failures", help, counted(world, journal::Family::InjectionFailures, &names))
    }
}
