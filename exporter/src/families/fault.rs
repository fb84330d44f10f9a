//! `chaoscope_fault_*`: whether a declared fault is as declared, by target and experiment; and what chaos mounted over, or replaced in, a
//! pod's file system.

use super::{extended, identity, target_of};
use crate::exposition::{Exposition, Labels};
use crate::node::mounts::ResolvConf;
use crate::scrape::{Family, World};
use crate::verdict::Stated;
use chaoscope_model::verdict::{Judgement, Verdict};
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Fault;

impl Family for Fault {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        if let Some(Ok(judged)) = &world.judged {
            verdicts(judged, out)?;
        }
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
fn verdicts(judged: &[Stated], out: &mut Exposition<'_>) -> fmt::Result {
    let mut all: BTreeMap<Labels<'_>, &Judgement> = BTreeMap::new();
    for stated in judged {
        let kept = all.entry(labels(stated)).or_insert(&stated.judgement);
        if weight(&stated.judgement) > weight(kept) {
            *kept = &stated.judgement;
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

fn labels(stated: &Stated) -> Labels<'_> {
    let target = vec![
        ("namespace", stated.pod.namespace.as_str().into()),
        ("pod", stated.pod.name.as_str().into()),
        ("container", stated.container.as_str().into()),
        ("netns", stated.netns.as_str().into()),
    ];
    extended(&target, identity(&stated.experiment))
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
