//! `chaoscope_residue*`: what chaos left behind and nobody declares, counted by what it is, whose it is and whether it changes anything.

use super::{extended, identity, seconds};
use crate::exposition::{Exposition, Labels};
use crate::scrape::{Family, World};
use chaoscope_model::Reference;
use chaoscope_model::verdict::Residue as Left;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Residue;

impl Family for Residue {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(Ok(residue)) = &world.residue else { return Ok(()) };
        let nobody = Reference::default();
        let mut all: BTreeMap<Labels<'_>, (u64, Timestamp)> = BTreeMap::new();
        for left in residue.iter() {
            let (count, first) = all.entry(labels(left, &nobody)).or_insert((0, left.first_seen));
            *count += 1;
            *first = left.first_seen.min(*first);
        }
        out.gauge(
            "chaoscope_residue",
            "Things of chaos in a pod that no open run declares; absent where there are none.",
            all.iter().map(|(labels, (count, _))| (labels.clone(), *count)),
        )?;
        out.gauge(
            "chaoscope_residue_first_seen_timestamp_seconds",
            "When the first of them was seen.",
            all.iter().map(|(labels, (_, first))| (labels.clone(), seconds(*first))),
        )
    }
}

fn labels<'a>(left: &'a Left, nobody: &'a Reference) -> Labels<'a> {
    let target = vec![
        ("namespace", left.pod.namespace.as_str().into()),
        ("pod", left.pod.name.as_str().into()),
        ("container", left.container.as_str().into()),
        ("netns", left.netns.as_str().into()),
    ];
    let experiment = identity(left.experiment.as_ref().unwrap_or(nobody));
    let what = [("effect", left.effect.as_str().into()), ("owner", left.owner.as_str().into()), ("what", left.what.as_str().into())];
    extended(&extended(&target, experiment), what)
}
