//! Of which declared pods a sweep can say that nothing is left: all was seen that a fault declared there, now or lately, may leave.
//!
//! Pure; apart from `verdict`, which says what there is. A kind that leaves something of another sort: a line in [`saw_all`].

use crate::node::sweep::{Fate, Sweep};
use chaoscope_model::declared::DeclaredPod;
use chaoscope_model::verdict::{Owner, Residue};
use chaoscope_model::{Effect, Pod};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Pods, and whose it seems, where something left over acts.
pub(super) fn acting(residue: &[Residue]) -> BTreeSet<(String, Owner)> {
    effective(residue).map(|it| (it.pod.uid.clone(), it.owner)).collect()
}

fn effective(residue: &[Residue]) -> impl Iterator<Item = &Residue> {
    residue.iter().filter(|residue| residue.effect == Effect::Effective)
}

/// Declared pods of which the sweep saw all that matters.
pub(super) fn pods<'a>(sweep: &Sweep, declared: impl Iterator<Item = &'a DeclaredPod>) -> impl Iterator<Item = &'a Pod> {
    let mut read: HashSet<&str> = HashSet::new();
    for observed in sweep.namespaces.iter().filter(|it| it.namespace.primary) {
        if let (Fate::Read(reading, _), Some(pod)) = (&observed.fate, &observed.namespace.pod)
            && reading.errors().next().is_none()
        {
            read.insert(&pod.uid);
        }
    }
    let files = files(sweep);
    let saw = |pod: &&DeclaredPod| read.contains(pod.pod.uid.as_str()) && saw_all(pod, sweep.complete.processes, &files);
    declared.filter(saw).map(|pod| &pod.pod).collect::<Vec<_>>().into_iter()
}

/// Pods where something acts that is an ended run's, whichever, or that is not called residue yet: none of their runs is clean.
pub(super) fn open(acting: BTreeSet<(String, Owner)>, residue: &[Residue]) -> BTreeSet<String> {
    let called: HashSet<&str> = effective(residue).map(|it| it.pod.uid.as_str()).collect();
    let still = acting.into_iter().filter(|(uid, owner)| *owner == Owner::EndedRun || !called.contains(uid.as_str()));
    let ended = effective(residue).filter(|it| it.owner == Owner::EndedRun).map(|it| it.pod.uid.clone());
    still.map(|(uid, _)| uid).chain(ended).collect()
}

/// Of each pod, whether all mounts and all files of name servers were read.
fn files(sweep: &Sweep) -> HashMap<&str, (bool, bool)> {
    let mut files = HashMap::new();
    for looked in &sweep.looked {
        let (mounts, resolv_conf) = files.entry(looked.pod.as_str()).or_insert((true, true));
        *mounts &= looked.mounts;
        *resolv_conf &= looked.resolv_conf;
    }
    files
}

/// Beyond the network, which every look reads.
fn saw_all(pod: &DeclaredPod, processes: bool, files: &HashMap<&str, (bool, bool)>) -> bool {
    let mut kinds = pod.targets.iter().map(|it| &it.experiment.kind).chain(pod.ended.iter().map(|it| &it.experiment.kind));
    let (mounts, resolv_conf) = files.get(pod.pod.uid.as_str()).copied().unwrap_or_default();
    kinds.all(|kind| match kind.as_str() {
        "StressChaos" | "HTTPChaos" => processes,
        "IOChaos" => processes && mounts,
        "DNSChaos" => resolv_conf,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::fixture::{ended, looked, pod, sweep};
    use chaoscope_model::Tool;

    fn seen(kind: &str, sweep: &Sweep) -> bool {
        let declared = DeclaredPod { pod: pod(), ended: vec![ended(kind, "cut", 1)], ..DeclaredPod::default() };
        pods(sweep, [declared].iter()).count() == 1
    }

    #[test]
    fn a_pod_is_seen_where_all_was_read_that_its_faults_may_leave() {
        const KINDS: [&str; 5] = ["NetworkChaos", "StressChaos", "HTTPChaos", "IOChaos", "DNSChaos"];
        let all = |sweep: &Sweep| KINDS.map(|kind| seen(kind, sweep));
        let whole = || sweep(crate::verdict::fixture::empty());
        assert_eq!(all(&whole()), [true; 5]);
        let mut narrow = whole();
        narrow.complete.processes = false;
        assert_eq!(all(&narrow), [true, false, false, false, true]);
        let mut refused = whole();
        refused.looked.push(crate::node::sweep::Looked { mounts: false, resolv_conf: false, ..looked("sidecar") });
        assert_eq!(all(&refused), [true, true, true, false, false]);
        refused.looked.clear();
        assert_eq!(all(&refused), [true, true, true, false, false], "not looked at");
        refused.namespaces.clear();
        assert_eq!(all(&refused), [false; 5]);
    }

    #[test]
    fn what_an_ended_run_left_keeps_its_pod_open_whether_it_is_known_which_or_not() {
        let left = |effect, owner| Residue {
            pod: pod(),
            container: String::new(),
            netns: String::new(),
            effect,
            owner,
            what: "qdisc".into(),
            object: "tbf 1:".into(),
            tool: Tool::ChaosMesh,
            experiment: None,
            run: None,
            first_seen: jiff::Timestamp::UNIX_EPOCH,
        };
        let is_open = |found: &[Residue], residue: &[Residue]| open(acting(found), residue).contains(&pod().uid);
        let (ended, other) = (left(Effect::Effective, Owner::EndedRun), left(Effect::Effective, Owner::Unknown));
        assert!(is_open(std::slice::from_ref(&other), &[]), "it acts, and is not called residue yet");
        assert!(is_open(std::slice::from_ref(&ended), std::slice::from_ref(&ended)));
        assert!(is_open(&[], std::slice::from_ref(&ended)), "not seen now, and not gone");
        assert!(!is_open(std::slice::from_ref(&other), std::slice::from_ref(&other)), "somebody else's");
        assert!(is_open(&[other.clone(), ended], &[other]), "a new one beside somebody else's");
        let benign = left(Effect::Benign, Owner::EndedRun);
        assert!(!is_open(std::slice::from_ref(&benign), std::slice::from_ref(&benign)));
    }
}
