//! `chaoscope_helper_processes`: processes a chaos tool keeps running for a pod, by kind.
//!
//! A `tproxy` stays alive and idle after recovery; `tproxy_proxy` is the process that changes traffic.

use super::{extended, target_of};
use crate::exposition::Exposition;
use crate::scrape::{Family, World};
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Helper;

impl Family for Helper {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(seen) = world.seen() else { return Ok(()) };
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for (pod, helper) in &seen.sweep.helpers {
            let labels = extended(&target_of(&seen.sweep, pod.as_ref()), [("kind", helper.kind.as_str().into())]);
            *counts.entry(labels).or_default() += 1;
        }
        out.gauge("chaoscope_helper_processes", "Processes that a chaos tool runs for a pod.", counts)
    }
}
