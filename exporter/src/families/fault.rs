//! `chaoscope_fault_mounts`: what chaos mounted over, or replaced in, a pod's file system. Verdicts will be here too.

use super::{extended, target_of};
use crate::exposition::Exposition;
use crate::node::mounts::ResolvConf;
use crate::scrape::{Family, World};
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Fault;

impl Family for Fault {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(seen) = world.seen() else { return Ok(()) };
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for files in &seen.sweep.mounts {
            let target = target_of(&seen.sweep, files.pod.as_ref());
            let mut add = |kind: &'static str, count| *counts.entry(extended(&target, [("kind", kind.into())])).or_default() += count;
            add("toda", files.toda.len() as u64);
            if let Some(state) = files.resolv_conf {
                add("resolv_conf", u64::from(state == ResolvConf::Replaced));
            }
        }
        out.gauge("chaoscope_fault_mounts", "File system faults in a pod: fuse mounts of toda, a replaced resolv.conf.", counts)
    }
}
