//! Whether what a pod's `PodIOChaos` declares is there: toda mounted over the volume, and alive.

use super::containers::{called, files, helpers, may_be, source};
use super::judge::{applied, missing, unknown};
use crate::node::sweep::Sweep;
use crate::tools::helpers::HelperKind;
use chaoscope_model::declared::{DeclaredPod, DeclaredTarget, IoFault};
use chaoscope_model::verdict::Judgement;

/// What a sweep says of one target.
pub(super) fn judge(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep) -> Judgement {
    looked_up(declared, target, sweep).unwrap_or_else(|why| why)
}

fn looked_up(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep) -> Result<Judgement, Judgement> {
    let faults = applied(declared.io.as_ref(), target.stage)?.map_or(&[][..], Vec::as_slice);
    let source = source(target);
    let is_here = |container: &str| container.is_empty() || target.container.is_empty() || container == target.container;
    let own: Vec<&IoFault> = faults.iter().filter(|fault| fault.source == source && is_here(&fault.container)).collect();
    if own.is_empty() {
        return Err(missing("not_declared", "source", &source));
    }
    for fault in own {
        let container = if fault.container.is_empty() { &target.container } else { &fault.container };
        is_mounted(declared, container, &fault.volume, sweep)?;
        is_alive(declared, container, sweep)?;
    }
    Ok(Judgement::in_force())
}

fn is_mounted(declared: &DeclaredPod, container: &str, volume: &str, sweep: &Sweep) -> Result<(), Judgement> {
    let containers = called(&declared.pod, container, sweep)?;
    let over = files(&declared.pod, &containers, sweep);
    if over.iter().flat_map(|files| &files.toda).any(|point| is_volume(volume, point)) {
        return Ok(());
    }
    let all_seen = containers.iter().all(|looked| looked.mounts);
    Err(if all_seen { missing("no_mount", "mount", volume) } else { unknown("read_failed") })
}

fn is_alive(declared: &DeclaredPod, container: &str, sweep: &Sweep) -> Result<(), Judgement> {
    if helpers(&declared.pod, HelperKind::Toda, sweep).any(|toda| may_be(toda, container, sweep)) {
        return Ok(());
    }
    // One that could not be tied to any pod may be this one.
    if sweep.helpers.iter().any(|(pod, helper)| pod.is_none() && helper.kind == HelperKind::Toda) {
        return Err(unknown("ambiguous"));
    }
    Err(if sweep.complete.processes { missing("no_process", "process", HelperKind::Toda.as_str()) } else { unknown("read_failed") })
}

/// Whether a mount point is the declared volume: a path may be declared with a slash at its end.
pub(super) fn is_volume(volume: &str, point: &str) -> bool {
    volume == point || (volume.trim_end_matches('/') == point.trim_end_matches('/') && volume.starts_with('/'))
}
