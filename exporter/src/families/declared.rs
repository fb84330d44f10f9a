//! `chaoscope_declared_*`: how the node's one connection to the cluster role is; only where it was asked for. And whose a qdisc is, as far as
//! what is declared tells ([`whose`]).

use super::seconds;
use crate::declared::Standing;
use crate::exposition::{Exposition, Labels};
use crate::node::tc::Qdisc;
use crate::scrape::{Family, World};
use chaoscope_model::Pod;
use chaoscope_model::declared::{Shape, Shaping};
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

/// Where an object names no device.
const USUAL_DEVICE: &str = "eth0";

/// The experiment a qdisc belongs to, as labels: that of the only experiment that declares one of its kind on its device; else empty.
pub(super) fn whose<'a>(world: &'a World, pod: Option<&Pod>, qdisc: &Qdisc) -> Labels<'a> {
    let named = source(world, pod, qdisc);
    let (namespace, kind, name) = named.unwrap_or_default();
    vec![("experiment_namespace", namespace.into()), ("experiment_kind", kind.into()), ("experiment", name.into())]
}

fn source<'a>(world: &'a World, pod: Option<&Pod>, qdisc: &Qdisc) -> Option<(&'a str, &'a str, &'a str)> {
    let declared = world.declared.as_ref()?.as_ref().ok().filter(|declared| declared.standing == Standing::Current)?;
    let network = &declared.pods.get(&pod?.uid)?.network.as_ref()?.spec;
    let is_like = |shaping: &&Shaping| {
        let device = if shaping.device.is_empty() { USUAL_DEVICE } else { &shaping.device };
        let kind = match shaping.does {
            Shape::Netem(_) => "netem",
            Shape::Tbf(_) => "tbf",
            Shape::Other { .. } => "",
        };
        device == qdisc.device && kind == qdisc.kind
    };
    let sources: BTreeSet<&str> = network.tcs.iter().filter(is_like).map(|shaping| shaping.source.as_str()).collect();
    let mut sources = sources.into_iter();
    let (namespace, name) = sources.next().filter(|_| sources.next().is_none())?.split_once('/')?;
    Some((namespace, "NetworkChaos", name))
}
