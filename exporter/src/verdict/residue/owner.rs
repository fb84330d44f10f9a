//! Whose something left over is: a run that ended, where there is evidence of one, else nobody's that is known.
//!
//! Evidence is the name of a chain or set, the object that still declares it, or, for what has no name, that a run of the fitting kind ended on
//! this pod. What another tool or a person made is `unknown`, whatever ended there. For another kind of fault: an arm in [`of`].

use crate::tools::chaos_mesh::{HOOK_CHAINS, layout, names};
use crate::tools::helpers::HelperKind;
use crate::verdict::findings::{Finding, Mark};
use chaoscope_model::declared::{DeclaredPod, EndedRun, Network};
use chaoscope_model::verdict::Owner;
use chaoscope_model::{Reference, Tool};

const NETWORK: &str = "NetworkChaos";

/// Whose something is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) owner: Owner,
    pub(super) experiment: Option<Reference>,
    pub(super) run: Option<String>,
}

impl Owned {
    pub(super) const fn unknown() -> Self {
        Self { owner: Owner::Unknown, experiment: None, run: None }
    }
}

/// Whose something found on `pod` is.
pub(super) fn of(pod: &DeclaredPod, finding: &Finding) -> Owned {
    match &finding.mark {
        // A stressor whose tool has ended looks like anybody's.
        Mark::Process(kind, ..) if finding.tool == Tool::Other => by_kind(pod, cause(*kind)),
        _ if finding.tool != Tool::ChaosMesh => Owned::unknown(),
        Mark::Process(kind, ..) => by_kind(pod, cause(*kind)),
        Mark::Volume(..) => by_kind(pod, "IOChaos"),
        Mark::Names(_) => by_kind(pod, "DNSChaos"),
        Mark::Device(device, handle) => {
            match network(pod).map(|network| layout::sources(&network.tcs, device, handle.major())).as_deref() {
                Some([source]) => by_source(pod, source),
                _ => by_kind(pod, NETWORK),
            }
        }
        Mark::Chain { name, .. } if HOOK_CHAINS.contains(&name.as_str()) => by_kind(pod, NETWORK),
        Mark::Chain { name, sets } => std::iter::once(name).chain(sets).find_map(|name| by_name(pod, name)).unwrap_or_else(Owned::unknown),
        Mark::Set(name) => by_name(pod, name).unwrap_or_else(Owned::unknown),
    }
}

/// The kind of experiment that starts such a process.
const fn cause(kind: HelperKind) -> &'static str {
    match kind {
        HelperKind::Tproxy | HelperKind::TproxyProxy => "HTTPChaos",
        HelperKind::Toda => "IOChaos",
        HelperKind::StressNg | HelperKind::MemStress => "StressChaos",
    }
}

fn network(pod: &DeclaredPod) -> Option<&Network> {
    pod.network.as_ref().map(|network| &network.spec)
}

/// By the object that still declares a chain or set of this name, else by the name itself.
fn by_name(pod: &DeclaredPod, name: &str) -> Option<Owned> {
    let set = name.strip_suffix("old").unwrap_or(name);
    if let Some(network) = network(pod) {
        let chain = network.chains.iter().find(|chain| chain.name == name).map(|chain| &chain.source);
        let source = chain.or_else(|| network.sets.iter().find(|declared| declared.name == set).map(|set| &set.source));
        if let Some(source) = source {
            return Some(by_source(pod, source));
        }
    }
    let fits = |run: &&EndedRun| run.experiment.kind == NETWORK && names::is_made_by(name, &run.experiment.name);
    owned(&pod.ended.iter().filter(fits).collect::<Vec<_>>())
}

/// By what the object calls `namespace/name`: the experiment is told, and a run of it may have ended.
fn by_source(pod: &DeclaredPod, source: &str) -> Owned {
    let Some((namespace, name)) = source.split_once('/') else { return Owned::unknown() };
    let same = |run: &&EndedRun| {
        let Reference { kind, namespace: of, name: called, .. } = &run.experiment;
        (kind.as_str(), of.as_str(), called.as_str()) == (NETWORK, namespace, name)
    };
    owned(&pod.ended.iter().filter(same).collect::<Vec<_>>()).unwrap_or_else(|| {
        let experiment = Reference { kind: NETWORK.into(), namespace: namespace.into(), name: name.into(), uid: String::new() };
        Owned { experiment: Some(experiment), ..Owned::unknown() }
    })
}

/// By any run of the kind.
fn by_kind(pod: &DeclaredPod, kind: &str) -> Owned {
    owned(&pod.ended.iter().filter(|run| run.experiment.kind == kind).collect::<Vec<_>>()).unwrap_or_else(Owned::unknown)
}

/// The last of the runs, where all are of one experiment; of several it is not known which.
fn owned(runs: &[&EndedRun]) -> Option<Owned> {
    let last = runs.iter().max_by_key(|run| run.ended_at)?;
    let is_same = |run: &&EndedRun| run.experiment.namespace == last.experiment.namespace && run.experiment.name == last.experiment.name;
    let only = Some(last).filter(|_| runs.iter().all(is_same));
    let (experiment, run) = (only.map(|run| run.experiment.clone()), only.map(|run| run.run.clone()));
    Some(Owned { owner: Owner::EndedRun, experiment, run })
}
