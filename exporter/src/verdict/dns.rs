//! Whether a container's `resolv.conf` is the replaced one.
//!
//! The copy that tells is in the container's own layer: after a restart of the container the fault is gone with it, or cannot be told from a
//! file that was always so (`node::mounts`); then it is `missing` as well.

use super::containers::{called, files};
use super::judge::{missing, on_its_way, unknown};
use crate::node::mounts::ResolvConf;
use crate::node::sweep::Sweep;
use chaoscope_model::declared::{DeclaredPod, DeclaredTarget};
use chaoscope_model::verdict::Judgement;

/// What a sweep says of one target.
pub(super) fn judge(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep) -> Judgement {
    looked_up(declared, target, sweep).unwrap_or_else(|why| why)
}

fn looked_up(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep) -> Result<Judgement, Judgement> {
    on_its_way(target.stage)?;
    let containers = called(&declared.pod, &target.container, sweep)?;
    let changed = files(&declared.pod, &containers, sweep);
    if changed.iter().any(|files| files.resolv_conf == Some(ResolvConf::Replaced)) {
        return Ok(Judgement::in_force());
    }
    if containers.iter().all(|looked| looked.resolv_conf) {
        return Err(missing("not_replaced", "resolv.conf", "replaced name servers"));
    }
    Err(unknown("read_failed"))
}
