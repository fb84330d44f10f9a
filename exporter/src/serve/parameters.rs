//! The parameters of a qdisc in words, as a person would ask tc for them. Pure.
//!
//! To word one more kind: an arm in [`parameters`].

use super::figures::{bytes, duration, percent, rate};
use crate::node::tc::Qdisc;
use crate::node::tc::options::{Netem, Options};
use std::time::Duration;

/// `netem delay 100ms jitter 10ms loss 5%`.
pub(super) fn parameters(qdisc: &Qdisc) -> String {
    let text = match &qdisc.options {
        Options::Netem(netem) => netem_text(netem),
        Options::Tbf(tbf) => {
            let peak = tbf.peakrate_bytes_per_second.map_or_else(String::new, |peak| format!(" peak {}", rate(peak)));
            format!("rate {}{peak} burst {}", rate(tbf.rate_bytes_per_second), bytes(tbf.burst_bytes))
        }
        Options::Prio(prio) => format!("{} bands", prio.bands),
        Options::Sfq(sfq) => format!("limit {} packets", sfq.limit_packets),
        Options::Htb { default_class } => format!("default class {default_class:x}"),
        Options::HtbClass { .. } | Options::Ingress | Options::Clsact | Options::Other => String::new(),
    };
    format!("{} {text}", qdisc.kind).trim_end().to_owned()
}

fn netem_text(netem: &Netem) -> String {
    let seconds = |value: f64| duration(Duration::try_from_secs_f64(value).unwrap_or(Duration::ZERO));
    let mut parts = Vec::new();
    if netem.delay_seconds > 0.0 {
        parts.push(format!("delay {}", seconds(netem.delay_seconds)));
    }
    if netem.jitter_seconds > 0.0 {
        parts.push(format!("jitter {}", seconds(netem.jitter_seconds)));
    }
    parts.extend(netem.loss_model.map(|model| format!("loss by model {model}")));
    let ratios = [
        ("loss", netem.loss_ratio.unwrap_or(0.0)),
        ("duplicate", netem.duplicate_ratio),
        ("corrupt", netem.corrupt_ratio),
        ("reorder", netem.reorder_ratio),
    ];
    parts.extend(ratios.into_iter().filter(|(_, ratio)| *ratio > 0.0).map(|(name, ratio)| format!("{name} {}", percent(ratio))));
    if netem.gap > 0 {
        parts.push(format!("gap {}", netem.gap));
    }
    parts.extend(netem.rate_bytes_per_second.map(|value| format!("rate {}", rate(value))));
    if netem.slot {
        parts.push("slot".to_owned());
    }
    if parts.is_empty() { "without any effect".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_netem_without_parameters_says_so() {
        assert_eq!(netem_text(&Netem { loss_ratio: Some(0.0), ..Netem::default() }), "without any effect");
        assert_eq!(netem_text(&Netem { slot: true, ..Netem::default() }), "slot");
        let netem = Netem {
            delay_seconds: 0.1,
            jitter_seconds: 0.01,
            loss_ratio: Some(0.05),
            rate_bytes_per_second: Some(125_000),
            ..Netem::default()
        };
        assert_eq!(netem_text(&netem), "delay 100 ms jitter 10 ms loss 5% rate 1 Mbit/s");
    }
}
