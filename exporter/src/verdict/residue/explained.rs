//! Whether something chaos-like on a pod is accounted for by an open run: declared by it, or on a pod where one is on its way in or out.
//!
//! Only what an open run stands behind counts: an object that outlived its run accounts for nothing. For another kind of fault: an arm in [`is`].

use crate::tools::chaos_mesh::{HOOK_CHAINS, layout};
use crate::tools::helpers::HelperKind;
use crate::verdict::findings::{Finding, Mark};
use crate::verdict::io;
use chaoscope_model::declared::{Applied, DeclaredPod, DeclaredTarget, Expectation, Network, Stage, Stressor};
use chaoscope_model::{Effect, Tool};
use std::collections::BTreeSet;

/// Whether `pod`'s open runs account for it. `container`: its container's name, where it is about one and the name is known.
pub(super) fn is(pod: &DeclaredPod, finding: &Finding, container: Option<&str>) -> bool {
    let open = |expected: fn(&Expectation) -> bool| {
        let of_container =
            move |target: &&DeclaredTarget| container.is_none_or(|name| target.container.is_empty() || target.container == name);
        pod.targets.iter().filter(move |target| expected(&target.expects)).filter(of_container)
    };
    match &finding.mark {
        Mark::Device(..) | Mark::Chain { .. } | Mark::Set(_) => is_network(pod, finding),
        Mark::Process(HelperKind::Tproxy | HelperKind::TproxyProxy, ..) => open(|it| matches!(it, Expectation::Http)).next().is_some(),
        Mark::Process(HelperKind::Toda, ..) => open(|it| matches!(it, Expectation::Io)).next().is_some(),
        Mark::Process(kind, pids, _) => {
            open(|it| matches!(it, Expectation::Stress { .. })).any(|target| target.stage != Stage::Injected || began(target, *kind, *pids))
        }
        Mark::Volume(_, point) => open(|it| matches!(it, Expectation::Io)).any(|target| is_volume(pod, target, point)),
        Mark::Names(_) => open(|it| matches!(it, Expectation::Dns)).next().is_some(),
    }
}

/// Whether it is one of the stressors that the object tells of, or may be. Those it tells of are wrappers, whose child is the tool.
fn began(target: &DeclaredTarget, kind: HelperKind, pids: [u32; 2]) -> bool {
    let Expectation::Stress { processes } = &target.expects else { return false };
    let own = |told: &Stressor| told.helper == kind.as_str() && told.pid.is_none_or(|pid| pids.contains(&pid));
    processes.is_empty() || processes.iter().any(own)
}

fn is_volume(pod: &DeclaredPod, target: &DeclaredTarget, point: &str) -> bool {
    let Some(io) = &pod.io else { return target.stage != Stage::Injected };
    let own = io.spec.iter().filter(|fault| fault.source == source(target));
    target.stage != Stage::Injected || is_unsure(io) || own.into_iter().any(|fault| io::is_volume(&fault.volume, point))
}

fn is_network(pod: &DeclaredPod, finding: &Finding) -> bool {
    let open = || pod.targets.iter().filter(|target| matches!(target.expects, Expectation::Network | Expectation::OtherEnd));
    if open().next().is_none() {
        return false;
    }
    let moving = open().any(|target| target.stage != Stage::Injected) || pod.network.as_ref().is_some_and(is_unsure);
    if moving && matches!(finding.tool, Tool::ChaosMesh | Tool::Kernel) {
        return true;
    }
    let sources: BTreeSet<String> = open().map(source).collect();
    let nothing = Network::default();
    let network = pod.network.as_ref().map_or(&nothing, |network| &network.spec);
    let declared = Open { network, sources: &sources };
    match &finding.mark {
        Mark::Device(device, handle) => declared.has_qdisc(device, handle.major()),
        // Every sync makes these, whatever the fault.
        Mark::Chain { name, .. } if HOOK_CHAINS.contains(&name.as_str()) => finding.effect == Effect::Benign,
        Mark::Chain { name, sets } => declared.has_chain(name) || (name.starts_with("TC-TABLES-") && declared.classifies(sets)),
        Mark::Set(name) => declared.has_set(name),
        _ => false,
    }
}

/// Whether more or other things than those told may be in the kernel.
fn is_unsure<T>(object: &Applied<T>) -> bool {
    object.generation != object.observed || !object.failure.is_empty() || !object.incomplete.is_empty()
}

/// As the pod's objects call it.
fn source(target: &DeclaredTarget) -> String {
    format!("{}/{}", target.experiment.namespace, target.experiment.name)
}

/// What open runs have in the pod's object.
struct Open<'a> {
    network: &'a Network,
    sources: &'a BTreeSet<String>,
}

impl Open<'_> {
    fn has_qdisc(&self, device: &str, major: u16) -> bool {
        layout::sources(&self.network.tcs, device, major).iter().any(|source| self.sources.contains(*source))
    }

    fn has_chain(&self, name: &str) -> bool {
        self.network.chains.iter().any(|chain| chain.name == name && self.sources.contains(&chain.source))
    }

    /// Whether a chain of traffic classes is one of theirs: chains of that kind are only numbered.
    fn classifies(&self, sets: &[String]) -> bool {
        let mut own = self.network.tcs.iter().filter(|tc| !tc.set.is_empty() && self.sources.contains(&tc.source));
        own.any(|tc| sets.is_empty() || sets.contains(&tc.set))
    }

    fn has_set(&self, name: &str) -> bool {
        let name = name.strip_suffix("old").unwrap_or(name);
        self.network.sets.iter().any(|set| set.name == name && self.sources.contains(&set.source))
    }
}
