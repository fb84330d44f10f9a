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

#[cfg(test)]
mod tests {
    use super::super::fixture::{declared, empty, looked, pod, sweep, target};
    use super::*;
    use crate::node::sweep::{Files, Looked};
    use chaoscope_model::declared::{Expectation, Stage};

    fn told(sweep: &Sweep, stage: Stage) -> (&'static str, String) {
        let mut declared = declared(vec![target("DNSChaos", "dns", Expectation::Dns)]);
        declared.targets[0].stage = stage;
        let judgement = judge(&declared, &declared.targets[0], sweep);
        (judgement.verdict.as_str(), judgement.reason)
    }

    fn files(container: &str, resolv_conf: ResolvConf) -> Files {
        Files { pod: Some(pod()), container: container.into(), toda: vec![], resolv_conf: Some(resolv_conf) }
    }

    #[test]
    fn only_replaced_name_servers_are_in_force() {
        let mut sweep = sweep(empty());
        let missing = ("missing", "not_replaced".to_owned());
        assert_eq!(told(&sweep, Stage::Injected), missing, "looked at and nothing there");
        for (found, expected) in [(ResolvConf::Replaced, ("in_force", String::new())), (ResolvConf::Restored, missing.clone())] {
            sweep.mounts = vec![files("web", found)];
            assert_eq!(told(&sweep, Stage::Injected), expected);
        }
        sweep.mounts = vec![files("sidecar", ResolvConf::Replaced)];
        assert_eq!(told(&sweep, Stage::Injected), missing, "another container");
        assert_eq!((told(&sweep, Stage::Injecting).1, told(&sweep, Stage::Recovering).1), ("starting".into(), "recovering".into()));
    }

    #[test]
    fn what_could_not_be_looked_at_is_unknown() {
        let mut sweep = sweep(empty());
        sweep.looked = vec![Looked { resolv_conf: false, ..looked("web") }];
        assert_eq!(told(&sweep, Stage::Injected), ("unknown", "read_failed".into()));
        sweep.looked = vec![looked("sidecar")];
        assert_eq!(told(&sweep, Stage::Injected), ("unknown", "not_visited".into()), "its container does not run");
        sweep.looked.clear();
        assert_eq!(told(&sweep, Stage::Injected), ("unknown", "not_visited".into()));
    }

    #[test]
    fn without_names_any_container_of_the_pod_may_be_the_one() {
        let mut sweep = sweep(empty());
        sweep.looked = ["c1", "c2"].map(|id| Looked { nameless: true, ..looked(id) }).into();
        assert_eq!(told(&sweep, Stage::Injected).0, "missing");
        sweep.mounts = vec![files("c2", ResolvConf::Replaced)];
        assert_eq!(told(&sweep, Stage::Injected).0, "in_force");
    }
}
