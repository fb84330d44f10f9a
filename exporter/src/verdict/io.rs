//! Whether what a pod's `PodIOChaos` declares is there: toda mounted over the volume, and alive.

use super::containers::{called, files, helpers, may_be, source};
use super::judge::{declared_by, missing, unknown};
use crate::node::sweep::Sweep;
use crate::tools::helpers::HelperKind;
use chaoscope_model::declared::{DeclaredPod, DeclaredTarget, IoFault};
use chaoscope_model::verdict::Judgement;

/// What a sweep says of one target.
pub(super) fn judge(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep) -> Judgement {
    looked_up(declared, target, sweep).unwrap_or_else(|why| why)
}

fn looked_up(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep) -> Result<Judgement, Judgement> {
    let source = source(target);
    let is_here = |container: &str| container.is_empty() || target.container.is_empty() || container == target.container;
    let is_own = |fault: &&IoFault| fault.source == source && is_here(&fault.container);
    let faults = declared_by(declared.io.as_ref(), target.stage, &source, |faults| faults.iter().any(|fault| is_own(&fault)))?;
    for fault in faults.iter().filter(is_own) {
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

#[cfg(test)]
mod tests {
    use super::super::fixture::{applied, declared, empty, helper, looked, pod, sweep, target};
    use super::*;
    use crate::node::sweep::{Files, Looked};
    use chaoscope_model::declared::{Applied, Expectation, Stage};

    type Spoil<T> = fn(&mut T);

    fn slow() -> DeclaredPod {
        let fault = IoFault { source: "shop/slow".into(), container: "web".into(), volume: "/data".into() };
        DeclaredPod { io: Some(applied(vec![fault])), ..declared(vec![target("IOChaos", "slow", Expectation::Io)]) }
    }

    fn told(declared: &DeclaredPod, sweep: &Sweep) -> (&'static str, String) {
        let judgement = judge(declared, &declared.targets[0], sweep);
        (judgement.verdict.as_str(), judgement.reason)
    }

    fn mounted() -> Sweep {
        let mut sweep = sweep(empty());
        sweep.mounts = vec![Files { pod: Some(pod()), container: "web".into(), toda: vec!["/data".into()], resolv_conf: None }];
        sweep.helpers = vec![(Some(pod()), helper(HelperKind::Toda, 9))];
        sweep
    }

    #[test]
    fn it_takes_the_mount_and_the_process() {
        assert_eq!(told(&slow(), &mounted()), ("in_force", String::new()));
        let spoilt: [(Spoil<Sweep>, &str, &str); 7] = [
            (|sweep| sweep.mounts.clear(), "missing", "no_mount"),
            (|sweep| sweep.mounts[0].toda = vec!["/elsewhere".into()], "missing", "no_mount"),
            (|sweep| sweep.mounts[0].container = "sidecar".into(), "missing", "no_mount"),
            (|sweep| sweep.helpers.clear(), "missing", "no_process"),
            (|sweep| sweep.helpers[0].0 = None, "unknown", "ambiguous"),
            (|sweep| (sweep.helpers, sweep.complete.processes) = (vec![], false), "unknown", "read_failed"),
            (|sweep| (sweep.mounts, sweep.looked) = (vec![], vec![Looked { mounts: false, ..looked("web") }]), "unknown", "read_failed"),
        ];
        for (spoil, verdict, reason) in spoilt {
            let mut sweep = mounted();
            spoil(&mut sweep);
            assert_eq!(told(&slow(), &sweep), (verdict, reason.to_owned()));
        }
        assert!(is_volume("/data/", "/data") && is_volume("/", "/") && !is_volume("", "/") && !is_volume("/data", "/database"));
    }

    #[test]
    fn the_object_must_have_been_applied_and_have_it() {
        let spoilt: [(Spoil<DeclaredPod>, &str, &str); 10] = [
            (|pod| object(pod).incomplete = chaoscope_model::declared::NOT_WATCHED.into(), "unknown", "not_watched"),
            (|pod| pod.io = None, "missing", "not_declared"),
            (|pod| object(pod).spec.clear(), "missing", "not_declared"),
            (|pod| object(pod).spec[0].source = "shop/other".into(), "missing", "not_declared"),
            (|pod| object(pod).spec[0].container = "sidecar".into(), "missing", "not_declared"),
            (|pod| object(pod).observed = 1, "unknown", "not_applied"),
            (|pod| object(pod).failure = "no".into(), "unknown", "apply_failed"),
            (|pod| object(pod).incomplete = "too large".into(), "unknown", "too_large"),
            (|pod| pod.targets[0].stage = Stage::Injecting, "unknown", "starting"),
            (|pod| pod.targets[0].stage = Stage::Recovering, "unknown", "recovering"),
        ];
        for (spoil, verdict, reason) in spoilt {
            let mut pod = slow();
            spoil(&mut pod);
            assert_eq!(told(&pod, &mounted()), (verdict, reason.to_owned()));
        }
    }

    fn object(pod: &mut DeclaredPod) -> &mut Applied<Vec<IoFault>> {
        pod.io.as_mut().unwrap()
    }
}
