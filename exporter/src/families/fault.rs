//! `chaoscope_fault_mounts`: what chaos mounted over, or replaced in, a pod's file system. Verdicts will be here too.

use super::{extended, target};
use crate::exposition::Exposition;
use crate::node::mounts::ResolvConf;
use crate::scrape::{Family, World};
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Fault;

impl Family for Fault {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for files in world.sweep.iter().flat_map(|seen| &seen.sweep.mounts) {
            *counts.entry((&files.pod, "toda")).or_default() += files.toda.len() as u64;
            if let Some(state) = files.resolv_conf {
                *counts.entry((&files.pod, "resolv_conf")).or_default() += u64::from(state == ResolvConf::Replaced);
            }
        }
        let samples =
            counts.into_iter().map(|((pod, kind), count)| (extended(&target(pod.as_ref(), String::new()), [("kind", kind.into())]), count));
        out.gauge("chaoscope_fault_mounts", "File system faults in a pod: fuse mounts of toda, a replaced resolv.conf.", samples)
    }
}
