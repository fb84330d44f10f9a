//! `chaoscope_declared_*`: how the node's one connection to the cluster role is; only where it was asked for. And whose a qdisc is, as far as
//! what is declared tells ([`whose`]).

use super::seconds;
use crate::declared::Standing;
use crate::exposition::{Exposition, Labels};
use crate::node::tc::Qdisc;
use crate::scrape::{Family, World};
use crate::tools::chaos_mesh::layout;
use chaoscope_model::Pod;
use std::collections::BTreeSet;
use std::fmt;

pub(super) struct Declared;

impl Family for Declared {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(Ok(declared)) = &world.declared else { return Ok(()) };
        out.gauge(
            "chaoscope_declared_connected",
            "Whether the cluster role tells this node what is declared (1), or not (0).",
            [(vec![], declared.connected)],
        )?;
        let told = !matches!(declared.standing, Standing::Untold | Standing::Forgotten);
        out.gauge(
            "chaoscope_declared_targets",
            "Targets of open runs on this node, as far as the cluster role has told; absent where it has not.",
            told.then(|| (vec![], declared.targets() as u64)),
        )?;
        out.gauge(
            "chaoscope_declared_last_message_timestamp_seconds",
            "When the cluster role told something last, a heartbeat counts.",
            declared.last_message.map(|at| (vec![], seconds(at))),
        )
    }
}

/// The experiment a qdisc belongs to, as labels: the only one that declares it; else empty.
pub(super) fn whose<'a>(world: &'a World, pod: Option<&Pod>, qdisc: &Qdisc) -> Labels<'a> {
    let (namespace, kind, name) = source(world, pod, qdisc).unwrap_or_default();
    vec![("experiment_namespace", namespace.into()), ("experiment_kind", kind.into()), ("experiment", name.into())]
}

fn source<'a>(world: &'a World, pod: Option<&Pod>, qdisc: &Qdisc) -> Option<(&'a str, &'a str, &'a str)> {
    let declared = world.declared.as_ref()?.as_ref().ok().filter(|declared| declared.standing == Standing::Current)?;
    let network = &declared.pods.get(&pod?.uid)?.network.as_ref()?.spec;
    let sources: BTreeSet<&str> = layout::sources(&network.tcs, &qdisc.device, qdisc.handle.major()).into_iter().collect();
    let mut sources = sources.into_iter();
    let (namespace, name) = sources.next().filter(|_| sources.next().is_none())?.split_once('/')?;
    Some((namespace, "NetworkChaos", name))
}
