//! The figures of a qdisc as a run's parameters: short texts with their unit, `delay` → `100ms`, `loss` → `10%`, `rate` → `1Mbit/s`.
//!
//! Apart from the pages' wording (`serve::figures`), which is for people: these are values that queries and scripts compare, so they have no
//! spaces and do not change from release to release. What is not set is not there. To tell one more figure: a line in [`of_qdisc`].

use crate::node::tc::Qdisc;
use crate::node::tc::options::{Netem, Options, Tbf};
use std::collections::BTreeMap;

/// Packets a netem holds unless told otherwise (`tc-netem(8)`).
const USUAL_LIMIT: u32 = 1000;

/// What a qdisc does, in Chaos Mesh's words; `netem` where it does several things, or none.
pub(super) fn action(options: &Options) -> &'static str {
    let Options::Netem(netem) = options else { return "bandwidth" };
    let effects = [
        ("delay", netem.delay_seconds > 0.0 || netem.jitter_seconds > 0.0),
        ("loss", netem.loss_model.is_some() || netem.loss_ratio.is_some_and(|ratio| ratio > 0.0)),
        ("duplicate", netem.duplicate_ratio > 0.0),
        ("corrupt", netem.corrupt_ratio > 0.0),
        ("rate", netem.rate_bytes_per_second.is_some()),
    ];
    let mut acting = effects.into_iter().filter(|(_, acts)| *acts).map(|(name, _)| name);
    acting.next().filter(|_| acting.next().is_none()).unwrap_or("netem")
}

/// Where it is, and its figures.
pub(super) fn of_qdisc(qdisc: &Qdisc) -> BTreeMap<String, String> {
    let place = [("device", qdisc.device.clone()), ("handle", qdisc.handle.to_string()), ("parent", qdisc.parent.to_string())];
    let figures = match &qdisc.options {
        Options::Netem(netem) => of_netem(netem),
        Options::Tbf(tbf) => of_tbf(tbf),
        _ => Vec::new(),
    };
    place.into_iter().chain(figures).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn of_netem(netem: &Netem) -> Vec<(&'static str, String)> {
    let times = [("delay", netem.delay_seconds), ("jitter", netem.jitter_seconds)];
    let ratios = [
        ("delay_correlation", netem.delay_correlation),
        ("loss", netem.loss_ratio.unwrap_or(0.0)),
        ("loss_correlation", netem.loss_correlation),
        ("duplicate", netem.duplicate_ratio),
        ("duplicate_correlation", netem.duplicate_correlation),
        ("corrupt", netem.corrupt_ratio),
        ("corrupt_correlation", netem.corrupt_correlation),
        ("reorder", netem.reorder_ratio),
        ("reorder_correlation", netem.reorder_correlation),
    ];
    let mut out: Vec<_> = times.into_iter().filter(|(_, value)| *value > 0.0).map(|(name, value)| (name, time(value))).collect();
    out.extend(ratios.into_iter().filter(|(_, value)| *value > 0.0).map(|(name, value)| (name, percent(value))));
    out.extend(netem.loss_model.map(|model| ("loss_model", model.to_owned())));
    out.extend((netem.gap > 0).then(|| ("gap", netem.gap.to_string())));
    out.extend(netem.rate_bytes_per_second.map(|value| ("rate", rate(value))));
    out.extend(netem.slot.then(|| ("slot", "yes".to_owned())));
    out.extend((netem.limit_packets != USUAL_LIMIT).then(|| ("limit", netem.limit_packets.to_string())));
    out
}

fn of_tbf(tbf: &Tbf) -> Vec<(&'static str, String)> {
    let mut out = vec![
        ("rate", rate(tbf.rate_bytes_per_second)),
        ("burst", format!("{}B", tbf.burst_bytes)),
        ("limit", format!("{}B", tbf.limit_bytes)),
    ];
    out.extend(tbf.peakrate_bytes_per_second.map(|value| ("peakrate", rate(value))));
    out
}

/// `1.5s`, `100ms`, `30us`.
fn time(seconds: f64) -> String {
    match seconds {
        _ if seconds >= 1.0 => format!("{}s", plain(seconds)),
        _ if seconds >= 0.001 => format!("{}ms", plain(seconds * 1e3)),
        _ => format!("{}us", plain(seconds * 1e6)),
    }
}

/// `10%`.
fn percent(ratio: f64) -> String {
    format!("{}%", plain(ratio * 100.0))
}

/// `1Mbit/s`: bits per second in powers of 1000, as tc prints them.
fn rate(bytes_per_second: u64) -> String {
    const UNITS: [&str; 5] = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
    let (mut value, mut unit) = (u128::from(bytes_per_second) * 8, 0);
    while value >= 1000 && value % 1000 == 0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1000, unit + 1);
    }
    format!("{value}{}", UNITS[unit])
}

/// At most four digits after the point, none of them a useless zero.
fn plain(value: f64) -> String {
    format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_have_their_unit() {
        assert_eq!([time(0.1), time(1.5), time(0.0755), time(0.000_25)], ["100ms", "1.5s", "75.5ms", "250us"]);
        assert_eq!([percent(0.1), percent(0.123_456), percent(1.0)], ["10%", "12.3456%", "100%"]);
        assert_eq!([rate(125_000), rate(1), rate(1_250_001), rate(5_000_000_000)], ["1Mbit/s", "8bit/s", "10000008bit/s", "40Gbit/s"]);
    }

    #[test]
    fn a_netem_tells_what_is_set_and_nothing_else() {
        let netem = Netem { delay_seconds: 0.1, loss_ratio: Some(0.0), limit_packets: 1000, ..Netem::default() };
        assert_eq!(of_netem(&netem), [("delay", "100ms".to_owned())]);
        assert_eq!(action(&Options::Netem(netem.clone())), "delay");
        let both = Netem { loss_ratio: Some(0.05), limit_packets: 10, ..netem };
        let wanted = [("delay", "100ms"), ("loss", "5%"), ("limit", "10")].map(|(name, value)| (name, value.to_owned()));
        assert_eq!((of_netem(&both), action(&Options::Netem(both.clone()))), (wanted.to_vec(), "netem"));
        let model = Netem { loss_model: Some("ge"), loss_ratio: None, limit_packets: 1000, ..Netem::default() };
        assert_eq!((of_netem(&model), action(&Options::Netem(model.clone()))), (vec![("loss_model", "ge".to_owned())], "loss"));
    }
}
