//! `chaoscope_ipset_members`, one series for each set, where upstream has one sum for each container.

use super::{extended, shown};
use crate::exposition::Exposition;
use crate::scrape::{Family, World};
use crate::tools;
use std::fmt;

pub(super) struct Ipset;

impl Family for Ipset {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let samples = shown(world).flat_map(|shown| {
            let target = shown.target();
            let sets = shown.reading.sets.as_deref().unwrap_or(&[]);
            let wanted = sets.iter().filter(move |set| shown.all || tools::set(&set.name).is_some());
            wanted.filter_map(move |set| {
                let labels = extended(&target, [("set", set.name.as_str().into()), ("kind", set.kind.as_str().into())]);
                Some((labels, set.members?))
            })
        });
        out.gauge("chaoscope_ipset_members", "Members of an ipset.", samples)
    }
}
