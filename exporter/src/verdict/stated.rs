//! A verdict with whose it is: what pages, metrics and logs say. Pure.
//!
//! Apart from the comparison, which names a target by its run and record as the cluster role does; here it gets the names people know.

use chaoscope_model::declared::{DeclaredPod, DeclaredTarget, Expectation};
use chaoscope_model::verdict::{Judged, Judgement, Verdict};
use chaoscope_model::{Pod, Reference};
use std::collections::BTreeMap;

/// What was found about one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// The pod that is the target.
    pub pod: Pod,
    /// Its container, where it is about one.
    pub container: String,
    /// Name or inode of its network namespace, where the pod has no name.
    pub netns: String,
    /// The experiment that declares it.
    pub experiment: Reference,
    /// What was found.
    pub judgement: Judgement,
}

impl Stated {
    fn of(pod: &DeclaredPod, target: &DeclaredTarget, judgement: Judgement) -> Self {
        let (container, experiment) = (target.container.clone(), target.experiment.clone());
        Self { pod: pod.pod.clone(), container, netns: String::new(), experiment, judgement }
    }
}

/// Verdicts with the names of what they are about, in the order of pods and their targets.
pub fn stated(pods: &BTreeMap<String, DeclaredPod>, judged: &[Judged]) -> Vec<Stated> {
    let judged: BTreeMap<_, _> = judged.iter().map(|it| ((&it.run, &it.target, &it.selector), &it.judgement)).collect();
    let all = pods.values().flat_map(|pod| pod.targets.iter().map(move |target| (pod, target)));
    let known = all.filter_map(|(pod, target)| {
        let judgement = judged.get(&(&target.run, &target.target, &target.selector))?;
        Some(Stated::of(pod, target, (*judgement).clone()))
    });
    known.collect()
}

/// The same verdict of every target that a node can say anything about, where nothing can be compared.
pub fn untold(pods: &BTreeMap<String, DeclaredPod>, reason: &str) -> Vec<Stated> {
    let all = pods.values().flat_map(|pod| pod.targets.iter().map(move |target| (pod, target)));
    let seen = all.filter(|(_, target)| !matches!(target.expects, Expectation::Unsupported | Expectation::PodFailure));
    seen.map(|(pod, target)| Stated::of(pod, target, Judgement::new(Verdict::Unknown, reason))).collect()
}
