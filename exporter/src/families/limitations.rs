//! `chaoscope_limitations`: how much the last sweep could not see, so that nothing found can be told from nothing seen.

use crate::exposition::Exposition;
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Limitations;

impl Family for Limitations {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(seen) = world.seen() else { return Ok(()) };
        let count = |blinds| seen.sweep.limitations.iter().filter(|limitation| limitation.blinds == blinds).count();
        out.gauge(
            "chaoscope_limitations",
            "Kinds of things the last sweep could not see: those that chaos may hide behind (blinds), and those that only lack names.",
            [true, false].map(|blinds| (vec![("blinds", if blinds { "true" } else { "false" }.into())], count(blinds))),
        )
    }
}
