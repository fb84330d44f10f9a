//! `chaoscope_qdisc_*`: counters of every qdisc that somebody configured, netem or not.

use super::{Shown, extended, shown};
use crate::exposition::{Exposition, Labels};
use crate::node::tc::{Qdisc, Statistics};
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Qdiscs;

impl Family for Qdiscs {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let samples = |field: fn(&Statistics) -> Option<u64>| shown(world).flat_map(move |shown| values(&shown, field));
        out.counter("chaoscope_qdisc_sent_bytes", "Bytes sent through a qdisc.", samples(|of| of.bytes))?;
        out.counter("chaoscope_qdisc_sent_packets", "Packets sent through a qdisc.", samples(|of| of.packets))?;
        out.counter("chaoscope_qdisc_dropped_packets", "Packets a qdisc dropped.", samples(|of| of.drops))?;
        out.counter("chaoscope_qdisc_overlimits", "Times a qdisc hit its limit.", samples(|of| of.overlimits))?;
        out.gauge("chaoscope_qdisc_backlog_bytes", "Bytes waiting in a qdisc.", samples(|of| of.backlog))
    }
}

fn values<'a>(shown: &Shown<'a>, field: fn(&Statistics) -> Option<u64>) -> Vec<(Labels<'a>, u64)> {
    let value = |(labels, qdisc): (Labels<'a>, &'a Qdisc)| {
        let more = [("kind", qdisc.kind.as_str().into()), ("parent", qdisc.parent.to_string().into())];
        Some((extended(&labels, more), field(&qdisc.statistics)?))
    };
    shown.qdiscs().filter_map(value).collect()
}
