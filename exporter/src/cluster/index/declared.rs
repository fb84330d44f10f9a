//! From the index to what is declared: where the targets of each experiment are ([`Place`]), what is declared for the pods of a node, and how
//! each target stands as far as the API server tells ([`Standing`]). Pure.
//!
//! Apart from the pages' view, because here pods have uids and nodes. To declare one more fact of an object: a field of
//! `model/src/declared.rs`, a line here.

use super::stirred::KINDS;
use super::{Entry, Index};
use chaoscope_model::Pod;
use chaoscope_model::declared::{Applied, DeclaredPod, DeclaredTarget, EndedRun, Expectation, NOT_WATCHED, Network, Stage};
use chaoscope_model::history::Site;
use chaoscope_model::observation::{FailedContainer, RecordPhase};
use chaoscope_model::plan::{Declares, PodFaults};
use chaoscope_model::run::{Phase, Run, Target, TargetState};
use chaoscope_model::verdict::Judgement;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A pod stays told for so long after the last run on it ended: what is left over is looked for meanwhile.
const AFTERWARDS: SignedDuration = SignedDuration::from_mins(5);
/// Ended runs told of a pod, the newest ones.
pub const MOST_ENDED: usize = 64;
/// Targets told of a pod: more than anybody means.
const MOST_TARGETS: usize = 256;

/// A pod that has to do with an experiment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Node it is on.
    pub node: Arc<str>,
    /// Whether an open run has it as a target.
    pub open: bool,
    /// Until when it is told; `None`: as long as the run is open.
    pub until: Option<Timestamp>,
}

/// What objects declare for pods.
pub struct Faults<'a> {
    /// By namespace and name of the pod.
    all: HashMap<(&'a str, &'a str), Vec<&'a PodFaults>>,
    /// Namespaces (empty: all) in which each of [`KINDS`] is known.
    known: [HashSet<&'a str>; 3],
}

/// A target of a run, as far as the API server tells.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// The run.
    pub run: &'a Run,
    /// The target.
    pub target: &'a Target,
    /// Which selector found it.
    pub selector: &'static str,
    /// What must be found.
    pub expects: &'a Expectation,
    /// The pod behind it, where it is one.
    pub site: Option<Site>,
    /// Whether it is in another cluster.
    pub remote: bool,
    /// What was found about it last.
    pub known: Option<&'a Judgement>,
    /// What a pod-failure did to the pod; `None`: the pod was not seen.
    pub failed: Option<&'a [FailedContainer]>,
}

impl Index {
    /// What objects declare, to be looked up for many pods.
    pub fn faults(&self) -> Faults<'_> {
        let mut all: HashMap<_, Vec<_>> = HashMap::new();
        for faults in self.plans.faults.values() {
            all.entry((faults.about.namespace.as_str(), faults.about.name.as_str())).or_default().push(&**faults);
        }
        let is_known = |kind: &str, scope: &(String, String)| scope.0 == kind && !self.plans.lost.contains(scope);
        let known = KINDS.map(|kind| self.listed.iter().filter(|scope| is_known(kind, scope)).map(|(_, place)| place.as_str()).collect());
        Faults { all, known }
    }

    /// The nodes an experiment's targets are on, of open runs and of those that ended a short while ago.
    pub fn places(&self, uid: &str, now: Timestamp) -> BTreeSet<Place> {
        let Some(entry) = self.experiments.get(uid) else { return BTreeSet::new() };
        let mut places = BTreeSet::new();
        for run in recent(entry, now) {
            let until = run.ended_at.and_then(|end| end.checked_add(AFTERWARDS).ok());
            let sites = run.targets.iter().filter_map(|target| entry.history.site(run, target));
            let here = sites.filter(|site| !site.node.is_empty() && !site.gone);
            places.extend(here.map(|site| Place { node: site.node, open: run.is_open(), until }));
        }
        places
    }

    /// What these experiments declare for the pods of a node, by uid.
    pub fn declared(
        &self,
        experiments: &BTreeSet<Arc<str>>,
        node: &str,
        faults: &Faults<'_>,
        now: Timestamp,
    ) -> BTreeMap<String, DeclaredPod> {
        let mut pods = BTreeMap::new();
        for entry in experiments.iter().filter_map(|uid| self.experiments.get(&**uid)) {
            for run in recent(entry, now) {
                for target in &run.targets {
                    self.declare(&mut pods, entry, (run, target), node);
                }
            }
        }
        pods.values_mut().for_each(|pod| faults.add(pod));
        pods
    }

    /// Adds one target to its pod, where that is on the node.
    fn declare(&self, pods: &mut BTreeMap<String, DeclaredPod>, entry: &Entry, (run, target): (&Run, &Target), node: &str) {
        let site = entry.history.site(run, target).filter(|site| &*site.node == node && !site.gone && !site.uid.is_empty());
        let Some(site) = site.filter(|site| !self.is_gone(target, &site.uid)) else { return };
        let declared = pods.entry(site.uid.to_string()).or_insert_with(|| DeclaredPod {
            pod: Pod { namespace: target.namespace.clone(), name: target.pod.clone(), uid: site.uid.to_string() },
            ..DeclaredPod::default()
        });
        if let Some(ended_at) = over(run, target) {
            let ended = EndedRun { run: run.id.clone(), experiment: entry.history.about().clone(), ended_at };
            if target.injected_at.is_some() && declared.ended.iter().all(|known| known.run != ended.run) {
                declared.ended.push(ended);
            }
        } else if declared.targets.len() < MOST_TARGETS {
            declared.targets.extend(open_target(entry, run, target));
        }
    }

    /// Whether a pod may be on a node: it is not known, or that is where it was seen.
    pub fn may_be_on(&self, pod: &Pod, node: &str) -> bool {
        let known = self.named.get(&format!("{}/{}", pod.namespace, pod.name)).and_then(|named| named.pods.get(pod.uid.as_str()));
        known.is_none_or(|known| known.node.is_empty() || &*known.node == node)
    }

    /// Whether a target's pod of this uid was seen to go.
    pub fn is_gone(&self, target: &Target, uid: &str) -> bool {
        let named = self.named.get(&format!("{}/{}", target.namespace, target.pod));
        named.and_then(|named| named.pods.get(uid)).is_some_and(|pod| pod.gone)
    }

    /// How the targets of an experiment stand: of its open run, and of those that ended a short while ago.
    pub fn standings(&self, uid: &str, now: Timestamp) -> Vec<Standing<'_>> {
        let Some(entry) = self.experiments.get(uid) else { return Vec::new() };
        let remote = entry.history.latest().is_some_and(|latest| latest.remote);
        let of = |run: &'_ Arc<Run>| run.targets.len();
        let mut all = Vec::with_capacity(entry.runs.last().map_or(0, of));
        for run in recent(entry, now) {
            all.extend(run.targets.iter().map(|target| {
                let site = entry.history.site(run, target);
                let named = self.named.get(&format!("{}/{}", target.namespace, target.pod));
                let pod = site.as_ref().and_then(|site| named?.pods.get(&site.uid)).filter(|pod| !pod.gone);
                Standing {
                    run,
                    target,
                    selector: selector(target),
                    expects: entry.history.record(target).map_or(&Expectation::Unsupported, |record| &record.expects),
                    site,
                    remote,
                    known: entry.history.judgement(&run.id, selector(target), &target.id),
                    failed: pod.map(|pod| pod.failed.as_slice()),
                }
            }));
        }
        all
    }

    /// When a pod was made; `None`: it is not known.
    pub fn made_at(&self, pod: &Pod) -> Option<Timestamp> {
        self.named.get(&format!("{}/{}", pod.namespace, pod.name))?.pods.get(pod.uid.as_str())?.created_at
    }

    /// The uid of the experiment that has this run, of these experiments.
    pub fn run_of<'a>(&self, experiments: &'a BTreeSet<Arc<str>>, run: &str) -> Option<&'a Arc<str>> {
        experiments.iter().find(|uid| self.experiments.get(&***uid).is_some_and(|entry| entry.runs.iter().any(|known| known.id == run)))
    }
}

impl Faults<'_> {
    /// Adds what objects declare for a pod.
    fn add(&self, declared: &mut DeclaredPod) {
        let pod = &declared.pod;
        let all = self.all.get(&(pod.namespace.as_str(), pod.name.as_str())).into_iter().flatten();
        let (mut network, mut io, mut http) = (None, None, None);
        for faults in all.filter(|faults| faults.pod.is_empty() || faults.pod == pod.uid) {
            match (&faults.declares, faults.about.kind.as_str()) {
                (Declares::Network(spec), _) => network = Some(applied(faults, spec.clone())),
                (Declares::Io(spec), _) => io = Some(applied(faults, spec.clone())),
                (Declares::Http(spec), _) => http = Some(applied(faults, spec.clone())),
                (Declares::Nothing, "PodNetworkChaos") => network = Some(applied(faults, Network::default())),
                (Declares::Nothing, "PodIOChaos") => io = Some(applied(faults, Vec::new())),
                (Declares::Nothing, "PodHttpChaos") => http = Some(applied(faults, Vec::new())),
                (Declares::Nothing, _) => {}
            }
        }
        let [networks, ios, https] = [0, 1, 2].map(|at| self.known[at].contains("") || self.known[at].contains(pod.namespace.as_str()));
        (declared.network, declared.io, declared.http) = (sure(network, networks), sure(io, ios), sure(http, https));
    }
}

/// Of a kind that cannot be read neither what an object had nor that there is none can be relied upon.
fn sure<T: Default>(object: Option<Applied<T>>, known: bool) -> Option<Applied<T>> {
    if known { object } else { Some(Applied { incomplete: NOT_WATCHED.to_owned(), ..object.unwrap_or_default() }) }
}

fn applied<T>(faults: &PodFaults, spec: T) -> Applied<T> {
    Applied {
        generation: faults.generation,
        observed: faults.observed,
        failure: faults.failure.clone(),
        incomplete: faults.incomplete.clone(),
        spec,
    }
}

/// Its open run, and those that ended a short while ago.
fn recent(entry: &Entry, now: Timestamp) -> impl Iterator<Item = &Arc<Run>> {
    let recent = move |end: Timestamp| end.checked_add(AFTERWARDS).is_ok_and(|until| now < until);
    entry.runs.iter().filter(move |run| run.ended_at.is_none_or(recent))
}

/// When a target's part of a run was over; `None`: it is not.
fn over(run: &Run, target: &Target) -> Option<Timestamp> {
    match target.state {
        TargetState::Recovered => target.recovered_at.or(run.ended_at).or(run.stop_requested_at),
        _ => run.ended_at,
    }
}

fn open_target(entry: &Entry, run: &Run, target: &Target) -> Option<DeclaredTarget> {
    if matches!(target.state, TargetState::Recovered | TargetState::Failed | TargetState::Gone) {
        return None;
    }
    let record = entry.history.record(target)?;
    let stage = match record.phase {
        RecordPhase::NotInjected | RecordPhase::Applying => Stage::Injecting,
        RecordPhase::Injected if run.phase != Phase::Recovering => Stage::Injected,
        RecordPhase::Injected | RecordPhase::Recovering => Stage::Recovering,
        RecordPhase::Unknown => return None,
    };
    Some(DeclaredTarget {
        run: run.id.clone(),
        target: target.id.clone(),
        selector: record.selector.clone(),
        experiment: entry.history.about().clone(),
        container: target.container.clone(),
        stage,
        injected_at: target.injected_at,
        expects: record.expects.clone(),
    })
}

/// Which selector found a target.
fn selector(target: &Target) -> &'static str {
    if target.role == "peer" { ".Target" } else { "." }
}

#[cfg(test)]
mod tests;
