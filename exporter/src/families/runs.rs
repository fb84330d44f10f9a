//! `chaoscope_runs_*`: what became of runs. Counted for good, so runs that were short or are deleted are seen too.

use super::counted;
use crate::exposition::Exposition;
use crate::journal;
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Runs;

impl Family for Runs {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let names = ["experiment_namespace", "experiment_kind", "action", "outcome"];
        let help = "Runs that ended, by outcome; each outcome is there from a kind's first run on.";
        out.counter("chaoscope_runs", help, counted(world, journal::Family::Runs, &names))
    }
}
