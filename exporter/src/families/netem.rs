//! `chaoscope_netem_*`: the parameters of every netem, in base units, so that an injected delay can be laid over a measured one.

use super::parameters;
use crate::exposition::Exposition;
use crate::node::tc::options::{Netem as Parameters, Options};
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Netem;

impl Family for Netem {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let all = parameters(world, |options| match options {
            Options::Netem(netem) => Some(netem),
            _ => None,
        });
        let samples =
            |field: fn(&Parameters) -> Option<f64>| all.iter().filter_map(move |(labels, netem)| Some((labels.clone(), field(netem)?)));
        out.gauge("chaoscope_netem_delay_seconds", "Delay a netem adds.", samples(|netem| Some(netem.delay_seconds)))?;
        out.gauge("chaoscope_netem_jitter_seconds", "Variation of the delay a netem adds.", samples(|netem| Some(netem.jitter_seconds)))?;
        out.gauge(
            "chaoscope_netem_loss_ratio",
            "Share of packets a netem drops at random; absent where a loss model decides.",
            samples(|netem| netem.loss_ratio),
        )?;
        out.gauge("chaoscope_netem_corrupt_ratio", "Share of packets a netem damages.", samples(|netem| Some(netem.corrupt_ratio)))?;
        out.gauge(
            "chaoscope_netem_duplicate_ratio",
            "Share of packets a netem sends twice.",
            samples(|netem| Some(netem.duplicate_ratio)),
        )?;
        out.gauge(
            "chaoscope_netem_reorder_ratio",
            "Share of packets a netem sends ahead of others.",
            samples(|netem| Some(netem.reorder_ratio)),
        )?;
        out.gauge(
            "chaoscope_netem_rate_bytes_per_second",
            "Rate a netem limits to; absent where it does not.",
            samples(|netem| netem.rate_bytes_per_second.map(|rate| rate as f64)),
        )
    }
}
