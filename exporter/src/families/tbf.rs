//! `chaoscope_tbf_*`: the parameters of every token bucket filter, in base units.

use super::parameters;
use crate::exposition::Exposition;
use crate::node::tc::options::{Options, Tbf as Parameters};
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Tbf;

impl Family for Tbf {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let all = parameters(world, |options| match options {
            Options::Tbf(tbf) => Some(tbf),
            _ => None,
        });
        let samples =
            |field: fn(&Parameters) -> Option<f64>| all.iter().filter_map(move |(labels, tbf)| Some((labels.clone(), field(tbf)?)));
        out.gauge(
            "chaoscope_tbf_rate_bytes_per_second",
            "Rate a token bucket filter limits to.",
            samples(|tbf| Some(tbf.rate_bytes_per_second as f64)),
        )?;
        out.gauge(
            "chaoscope_tbf_peakrate_bytes_per_second",
            "Highest rate of a token bucket filter's bursts; absent where none is set.",
            samples(|tbf| tbf.peakrate_bytes_per_second.map(|rate| rate as f64)),
        )?;
        out.gauge("chaoscope_tbf_burst_bytes", "Size of a token bucket filter's bucket.", samples(|tbf| Some(tbf.burst_bytes as f64)))?;
        out.gauge(
            "chaoscope_tbf_limit_bytes",
            "Bytes that may wait in a token bucket filter.",
            samples(|tbf| Some(f64::from(tbf.limit_bytes))),
        )
    }
}
