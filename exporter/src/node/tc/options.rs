//! Parameters of qdiscs and classes, in base units: seconds, bytes per second, ratios from 0 to 1.
//!
//! Layouts: `include/uapi/linux/pkt_sched.h`. An unknown kind is kept as [`Options::Other`]; a known kind whose bytes are too short
//! is an error. To decode one more kind: a variant, its function, one arm in [`Options::of_qdisc`].

use super::super::error::ReadError;
use super::super::netlink::{attributes, u32_at, u64_at};
use super::Handle;
use super::units::{bytes_in, ratio, seconds, ticks};
use serde::Serialize;

/// Decoded parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Options {
    /// Network emulator.
    Netem(Netem),
    /// Token bucket filter.
    Tbf(Tbf),
    /// Priority bands.
    Prio(Prio),
    /// Stochastic fairness queueing.
    Sfq(Sfq),
    /// Hierarchical token bucket, the qdisc.
    Htb {
        /// Minor number of the default class.
        default_class: u32,
    },
    /// Hierarchical token bucket, one of its classes.
    HtbClass {
        /// Guaranteed rate.
        rate_bytes_per_second: u64,
        /// Rate it may borrow up to.
        ceil_bytes_per_second: u64,
    },
    /// The hook for ingress filters.
    Ingress,
    /// The hook for ingress and egress filters.
    Clsact,
    /// A kind whose parameters are not decoded.
    Other,
}

/// `struct tc_netem_qopt` and its attributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Netem {
    /// Added delay.
    pub delay_seconds: f64,
    /// Variation of the delay.
    pub jitter_seconds: f64,
    /// How much a delay depends on the one before (0 to 1).
    pub delay_correlation: f64,
    /// Share of packets dropped at random; absent when a loss model is used instead.
    pub loss_ratio: Option<f64>,
    /// Correlation of loss.
    pub loss_correlation: f64,
    /// `gi` or `ge` when a state model decides on loss.
    pub loss_model: Option<&'static str>,
    /// Share of packets sent twice.
    pub duplicate_ratio: f64,
    /// Correlation of duplication.
    pub duplicate_correlation: f64,
    /// Share of packets with a flipped bit.
    pub corrupt_ratio: f64,
    /// Correlation of corruption.
    pub corrupt_correlation: f64,
    /// Share of packets sent at once, ahead of delayed ones.
    pub reorder_ratio: f64,
    /// Correlation of reordering.
    pub reorder_correlation: f64,
    /// Every n-th packet is sent at once.
    pub gap: u32,
    /// Rate limit; absent when none is set.
    pub rate_bytes_per_second: Option<u64>,
    /// Whether packets are held back to be sent in slots of time; the slots are not decoded.
    pub slot: bool,
    /// Packets it may hold.
    pub limit_packets: u32,
}

/// `struct tc_tbf_qopt` and its attributes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tbf {
    /// Rate.
    pub rate_bytes_per_second: u64,
    /// Peak rate; absent when none is set.
    pub peakrate_bytes_per_second: Option<u64>,
    /// Size of the bucket.
    pub burst_bytes: u64,
    /// Bytes it may hold.
    pub limit_bytes: u32,
}

/// `struct tc_prio_qopt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prio {
    /// Number of bands.
    pub bands: u32,
    /// Band of each of the 16 priorities.
    pub priomap: [u8; 16],
}

/// `struct tc_sfq_qopt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sfq {
    /// Bytes a flow may send in its turn.
    pub quantum_bytes: u32,
    /// Seconds between changes of the hash; 0 = never.
    pub perturb_seconds: u32,
    /// Packets it may hold.
    pub limit_packets: u32,
}

impl Options {
    /// Decodes `TCA_OPTIONS` of a qdisc.
    pub fn of_qdisc(kind: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        Ok(match kind {
            "netem" => Self::Netem(netem(bytes)?),
            "tbf" => Self::Tbf(tbf(bytes)?),
            "prio" => Self::Prio(prio(bytes)?),
            "sfq" => Self::Sfq(sfq(bytes)?),
            "htb" => htb(bytes)?,
            "ingress" => Self::Ingress,
            "clsact" => Self::Clsact,
            _ => Self::Other,
        })
    }

    /// Decodes `TCA_OPTIONS` of a class.
    pub fn of_class(kind: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        if kind == "htb" { htb_class(bytes) } else { Ok(Self::Other) }
    }

    /// Whether its classes carry parameters worth a dump.
    pub const fn has_classes(&self) -> bool {
        matches!(self, Self::Htb { .. })
    }

    /// Under which parents a qdisc with this handle may have filters worth a dump.
    pub fn filter_parents(&self, handle: Handle) -> impl Iterator<Item = Handle> + use<> {
        // clsact keeps its filters under TC_H_MIN_INGRESS (fff2) and TC_H_MIN_EGRESS (fff3).
        let parents = match self {
            Self::Htb { .. } | Self::Prio(_) => [Some(handle), None],
            Self::Ingress => [Some(Handle::INGRESS_FILTERS), None],
            Self::Clsact => [Some(Handle(0xffff_fff2)), Some(Handle(0xffff_fff3))],
            _ => [None, None],
        };
        parents.into_iter().flatten()
    }
}

fn short(what: &'static str) -> ReadError {
    ReadError::Malformed(what)
}

/// `tc_netem_qopt` is 24 bytes: latency, limit, loss, gap, duplicate, jitter; then CORR 1, REORDER 3, CORRUPT 4, LOSS 5, RATE 6,
/// RATE64 8, LATENCY64 10, JITTER64 11, SLOT 12.
fn netem(bytes: &[u8]) -> Result<Netem, ReadError> {
    let field = |index: usize| u32_at(bytes, index * 4).ok_or(short("netem options shorter than struct tc_netem_qopt"));
    let mut out = Netem {
        delay_seconds: ticks(field(0)?),
        limit_packets: field(1)?,
        loss_ratio: Some(ratio(field(2)?)),
        gap: field(3)?,
        duplicate_ratio: ratio(field(4)?),
        jitter_seconds: ticks(field(5)?),
        ..Netem::default()
    };
    let mut rate64 = None;
    for attribute in attributes(&bytes[24..]) {
        let (kind, value) = attribute?;
        let at = |index: usize| u32_at(value, index * 4).map(ratio).ok_or(short("netem attribute too short"));
        match kind {
            1 => (out.delay_correlation, out.loss_correlation, out.duplicate_correlation) = (at(0)?, at(1)?, at(2)?),
            3 => (out.reorder_ratio, out.reorder_correlation) = (at(0)?, at(1)?),
            4 => (out.corrupt_ratio, out.corrupt_correlation) = (at(0)?, at(1)?),
            5 => (out.loss_ratio, out.loss_model) = loss_model(value, out.loss_ratio)?,
            6 => out.rate_bytes_per_second = u32_at(value, 0).filter(|rate| *rate > 0).map(u64::from),
            8 => rate64 = u64_at(value, 0),
            10 => out.delay_seconds = signed_seconds(value)?,
            11 => out.jitter_seconds = signed_seconds(value)?,
            12 => out.slot = true, // only sent when there are slots
            _ => {}
        }
    }
    out.rate_bytes_per_second = rate64.or(out.rate_bytes_per_second);
    Ok(out)
}

/// `TCA_NETEM_LOSS`: `NETEM_LOSS_GI` 1, `NETEM_LOSS_GE` 2. With a model there is no single ratio to tell.
fn loss_model(bytes: &[u8], random: Option<f64>) -> Result<(Option<f64>, Option<&'static str>), ReadError> {
    for attribute in attributes(bytes) {
        match attribute?.0 {
            1 => return Ok((None, Some("gi"))),
            2 => return Ok((None, Some("ge"))),
            _ => {}
        }
    }
    Ok((random, None))
}

/// A signed 64-bit number of nanoseconds (`TCA_NETEM_LATENCY64`, `TCA_NETEM_JITTER64`).
fn signed_seconds(bytes: &[u8]) -> Result<f64, ReadError> {
    u64_at(bytes, 0).map(|nanoseconds| seconds(nanoseconds.cast_signed() as f64)).ok_or(short("netem time too short"))
}

/// `TCA_TBF_PARMS` 1 holds `tc_tbf_qopt`: rate and peakrate (`tc_ratespec`, 12 bytes, rate at 8), limit at 24, buffer at 28 (ticks);
/// `TCA_TBF_RATE64` 4, `TCA_TBF_PRATE64` 5.
fn tbf(bytes: &[u8]) -> Result<Tbf, ReadError> {
    let (mut parameters, mut rate64, mut peak64) = (None, None, None);
    for attribute in attributes(bytes) {
        match attribute? {
            (1, value) => parameters = Some(value),
            (4, value) => rate64 = u64_at(value, 0),
            (5, value) => peak64 = u64_at(value, 0),
            _ => {}
        }
    }
    let parameters = parameters.ok_or(short("tbf without parameters"))?;
    let field = |at: usize| u32_at(parameters, at).ok_or(short("tbf options shorter than struct tc_tbf_qopt"));
    let rate = rate64.unwrap_or(u64::from(field(8)?));
    Ok(Tbf {
        rate_bytes_per_second: rate,
        peakrate_bytes_per_second: peak64.or(Some(u64::from(field(20)?))).filter(|rate| *rate > 0),
        limit_bytes: field(24)?,
        burst_bytes: bytes_in(field(28)?, rate),
    })
}

/// `tc_prio_qopt`: bands (int), priomap\[16\].
fn prio(bytes: &[u8]) -> Result<Prio, ReadError> {
    let priomap = bytes.get(4..20).and_then(|map| map.try_into().ok());
    u32_at(bytes, 0)
        .zip(priomap)
        .map(|(bands, priomap)| Prio { bands, priomap })
        .ok_or(short("prio options shorter than struct tc_prio_qopt"))
}

/// `tc_sfq_qopt`: quantum, `perturb_period`, limit, divisor, flows.
fn sfq(bytes: &[u8]) -> Result<Sfq, ReadError> {
    let field = |index: usize| u32_at(bytes, index * 4).ok_or(short("sfq options shorter than struct tc_sfq_qopt"));
    Ok(Sfq { quantum_bytes: field(0)?, perturb_seconds: field(1)?, limit_packets: field(2)? })
}

/// `TCA_HTB_INIT` 2 holds `tc_htb_glob`: version, `rate2quantum`, `defcls` (at 8), debug, `direct_pkts`.
fn htb(bytes: &[u8]) -> Result<Options, ReadError> {
    for attribute in attributes(bytes) {
        if let (2, value) = attribute? {
            let default_class = u32_at(value, 8).ok_or(short("htb options shorter than struct tc_htb_glob"))?;
            return Ok(Options::Htb { default_class });
        }
    }
    Err(short("htb without parameters"))
}

/// `TCA_HTB_PARMS` 1 holds `tc_htb_opt`: rate and ceil (`tc_ratespec`, rate at 8); `TCA_HTB_RATE64` 6, `TCA_HTB_CEIL64` 7.
fn htb_class(bytes: &[u8]) -> Result<Options, ReadError> {
    let (mut parameters, mut rate64, mut ceil64) = (None, None, None);
    for attribute in attributes(bytes) {
        match attribute? {
            (1, value) => parameters = u32_at(value, 8).zip(u32_at(value, 20)),
            (6, value) => rate64 = u64_at(value, 0),
            (7, value) => ceil64 = u64_at(value, 0),
            _ => {}
        }
    }
    let (rate, ceil) = parameters.ok_or(short("htb class without parameters"))?;
    Ok(Options::HtbClass {
        rate_bytes_per_second: rate64.unwrap_or(u64::from(rate)),
        ceil_bytes_per_second: ceil64.unwrap_or(u64::from(ceil)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_comes_back_in_round_figures() {
        // As tc scales them.
        for (set, scaled) in [(0.05, 214_748_365), (0.3, 1_288_490_189), (0.001, 4_294_967), (0.0, 0), (1.0, u32::MAX)] {
            assert_eq!(ratio(scaled).to_bits(), f64::to_bits(set), "{set}");
        }
        assert!(ratio(1) > 0.0);
        assert_eq!(ticks(1_171_875).to_string(), "0.075");
        // 10 KiB at 1 Mbit/s take 81.92 ms.
        assert_eq!((bytes_in(1_280_000, 125_000), bytes_in(1, 1), bytes_in(u32::MAX, u64::MAX)), (10_240, 0, u64::MAX));
    }

    #[test]
    fn slots_are_noticed() {
        let plain = [0; 24];
        assert!(!netem(&plain).unwrap().slot);
        let slots = [&plain[..], &44_u16.to_ne_bytes(), &12_u16.to_ne_bytes(), &[1; 40]].concat();
        assert!(netem(&slots).unwrap().slot);
    }
}
