//! `chaoscope_helper_processes`: processes a chaos tool keeps running for a pod, by kind.
//!
//! A `tproxy` stays alive and idle after recovery; `tproxy_proxy` is the process that changes traffic.

use super::{extended, target};
use crate::exposition::Exposition;
use crate::scrape::{Family, World};
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Helper;

impl Family for Helper {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for (pod, helper) in world.sweep.iter().flat_map(|seen| &seen.sweep.helpers) {
            *counts.entry((pod, helper.kind)).or_default() += 1;
        }
        let samples = counts
            .into_iter()
            .map(|((pod, kind), count)| (extended(&target(pod.as_ref(), String::new()), [("kind", kind.as_str().into())]), count));
        out.gauge("chaoscope_helper_processes", "Processes that a chaos tool runs for a pod.", samples)
    }
}
