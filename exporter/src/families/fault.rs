//! `chaoscope_fault_*`: whether a declared fault is as declared, by target and experiment; and what chaos mounted over, or replaced in, a
//! pod's file system.

use super::{extended, identity, target_of};
use crate::cluster::now::JudgedNow;
use crate::exposition::{Exposition, Labels};
use crate::node::mounts::ResolvConf;
use crate::scrape::{Family, World};
use crate::verdict::Stated;
use chaoscope_model::Reference;
use chaoscope_model::verdict::{Judgement, Verdict};
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Fault;

impl Family for Fault {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        verdicts(world, out)?;
        let Some(seen) = world.seen() else { return Ok(()) };
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for files in &seen.sweep.mounts {
            let target = target_of(&seen.sweep, files.pod.as_ref());
            let mut add = |kind: &'static str, count| *counts.entry(extended(&target, [("kind", kind.into())])).or_default() += count;
            add("toda", files.toda.len() as u64);
            if let Some(state) = files.resolv_conf {
                add("resolv_conf", u64::from(state == ResolvConf::Replaced));
            }
        }
        out.gauge("chaoscope_fault_mounts", "File system faults in a pod: fuse mounts of toda, a replaced resolv.conf.", counts)
    }
}

/// Verdicts of either role: of what a node compared, and of what only the cluster role can tell.
fn verdicts(world: &World, out: &mut Exposition<'_>) -> fmt::Result {
    let mut all: BTreeMap<Labels<'_>, &Judgement> = BTreeMap::new();
    let compared = world.judged.iter().flatten().flat_map(|judged| judged.iter()).map(|it| (of_node(it), &it.judgement));
    let apart = world.now().and_then(|now| now.nodes.as_ref()).into_iter().flat_map(|nodes| &nodes.judged);
    for (labels, judgement) in compared.chain(apart.map(|it| (of_cluster(it), &it.judgement))) {
        let kept = all.entry(labels).or_insert(judgement);
        if weight(judgement) > weight(kept) {
            *kept = judgement;
        }
    }
    let word = |verdict: Verdict| ("verdict", verdict.as_str().into());
    let each = all.iter().flat_map(|(labels, judgement)| {
        Verdict::ALL.into_iter().map(move |verdict| (extended(labels, [word(verdict)]), judgement.verdict == verdict))
    });
    out.gauge(
        "chaoscope_fault_verdict",
        "Whether a fault that is declared for a pod is as declared: 1 for the present verdict, 0 for the others.",
        each,
    )?;
    let info = all.iter().map(|(labels, judgement)| {
        let why = [word(judgement.verdict), ("reason", judgement.reason.as_str().into())];
        (extended(labels, why), 1_u64)
    });
    out.gauge("chaoscope_fault_verdict_info", "Why a verdict is what it is; always 1.", info)
}

fn of_node(stated: &Stated) -> Labels<'_> {
    let Stated { pod, container, netns, experiment, .. } = stated;
    labels([&pod.namespace, &pod.name, container, netns], experiment)
}

fn of_cluster(judged: &JudgedNow) -> Labels<'_> {
    let JudgedNow { target, experiment, .. } = judged;
    labels([&target.namespace, &target.pod, &target.container, ""], experiment)
}

fn labels<'a>([namespace, pod, container, netns]: [&'a str; 4], experiment: &'a Reference) -> Labels<'a> {
    let target = vec![("namespace", namespace.into()), ("pod", pod.into()), ("container", container.into()), ("netns", netns.into())];
    extended(&target, identity(experiment))
}

/// An experiment may have a pod as a target more than once: as the source and as the other end, or in several runs. What asks for somebody
/// most is shown.
fn weight(judgement: &Judgement) -> u8 {
    match judgement.verdict {
        Verdict::Missing => 4,
        Verdict::Drifted => 3,
        Verdict::Unknown if !matches!(judgement.reason.as_str(), "other_end" | "unsupported") => 2,
        Verdict::InForce => 1,
        Verdict::Unknown => 0,
    }
}
