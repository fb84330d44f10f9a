//! `PodNetworkChaos.spec` → what is declared: qdiscs, chains and sets, with figures in base units.
//!
//! Sources: `api/v1alpha1/podnetworkchaos_types.go`, `pkg/netem/convert.go`. Fields have not changed from 2.5 to today's main, but for the netem
//! rate, which came with 2.7. A figure that makes no sense costs its own item ([`Shaping::unreadable`]), an item that makes none the object.

use super::fields::{Undecodable, at, integer, list};
use super::pod_faults::{few, name, names_of, source};
use super::units::{rate, ratio, seconds};
use chaoscope_model::declared::{Chain, Netem, Network, Set, Shape, Shaping, Tbf};
use chaoscope_model::shortened;
use serde_json::Value;

/// Most members of all sets of a pod that are told.
const MOST_MEMBERS: usize = 10_000;

/// What the spec declares.
pub(super) fn network(object: &Value) -> Result<Network, Undecodable> {
    let mut members = MOST_MEMBERS;
    Ok(Network {
        tcs: few(object, "spec.tcs")?.iter().map(shaping).collect::<Result<_, _>>()?,
        chains: few(object, "spec.iptables")?.iter().map(chain).collect::<Result<_, _>>()?,
        sets: few(object, "spec.ipsets")?.iter().map(|item| set(item, &mut members)).collect::<Result<_, _>>()?,
    })
}

fn shaping(item: &Value) -> Result<Shaping, Undecodable> {
    let mut figures = Figures { item, unreadable: String::new() };
    let does = match name(item, "type")?.as_str() {
        "netem" => Shape::Netem(netem(&mut figures)?),
        "bandwidth" => Shape::Tbf(tbf(&mut figures)?),
        word => Shape::Other { word: word.to_owned() },
    };
    Ok(Shaping { source: source(item)?, device: name(item, "device")?, set: name(item, "ipset")?, does, unreadable: figures.unreadable })
}

/// Figures of one item; the first that is not understood is noted.
struct Figures<'a> {
    item: &'a Value,
    unreadable: String,
}

impl Figures<'_> {
    /// A figure that is written as text; nothing where it is absent or empty.
    fn text(&mut self, path: &str, read: fn(&str) -> Option<f64>) -> Result<Option<f64>, Undecodable> {
        let text = match at(self.item, path)? {
            None => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let figure = read(&text);
        if figure.is_none() {
            self.note(path, &text);
        }
        Ok(figure)
    }

    /// A figure that is a whole number.
    fn whole(&mut self, path: &str) -> Result<Option<u32>, Undecodable> {
        let Some(number) = integer(self.item, path)? else { return Ok(None) };
        let figure = u32::try_from(number).ok();
        if figure.is_none() {
            self.note(path, &number.to_string());
        }
        Ok(figure)
    }

    fn note(&mut self, path: &str, text: &str) {
        if self.unreadable.is_empty() {
            self.unreadable = shortened(&format!("{path} {text}"), 128);
        }
    }
}

fn netem(figures: &mut Figures<'_>) -> Result<Netem, Undecodable> {
    Ok(Netem {
        delay: figures.text("delay.latency", seconds)?,
        jitter: figures.text("delay.jitter", seconds)?,
        delay_correlation: figures.text("delay.correlation", ratio)?,
        loss: figures.text("loss.loss", ratio)?,
        loss_correlation: figures.text("loss.correlation", ratio)?,
        duplicate: figures.text("duplicate.duplicate", ratio)?,
        duplicate_correlation: figures.text("duplicate.correlation", ratio)?,
        corrupt: figures.text("corrupt.corrupt", ratio)?,
        corrupt_correlation: figures.text("corrupt.correlation", ratio)?,
        reorder: figures.text("delay.reorder.reorder", ratio)?,
        reorder_correlation: figures.text("delay.reorder.correlation", ratio)?,
        gap: figures.whole("delay.reorder.gap")?,
        rate: figures.text("rate.rate", rate)?,
    })
}

/// `peakrate` is a bare number, which tc takes for bits each second, and goes with `minburst` only.
fn tbf(figures: &mut Figures<'_>) -> Result<Tbf, Undecodable> {
    let with_peak = at(figures.item, "bandwidth.minburst")?.is_some();
    let peak = if with_peak { figures.text("bandwidth.peakrate", rate)? } else { None };
    Ok(Tbf {
        rate: figures.text("bandwidth.rate", rate)?,
        burst: figures.whole("bandwidth.buffer")?.map(f64::from),
        limit: figures.whole("bandwidth.limit")?.map(f64::from),
        peakrate: peak.filter(|rate| *rate > 0.0),
    })
}

fn chain(item: &Value) -> Result<Chain, Undecodable> {
    let output = match name(item, "direction")?.as_str() {
        "output" => true,
        "input" => false,
        _ => return Err(Undecodable::Type { field: "direction".to_owned(), expected: "input or output" }),
    };
    Ok(Chain { source: source(item)?, name: name(item, "name")?, output, sets: names_of(item, "ipsets")?, device: name(item, "device")? })
}

fn set(item: &Value, left: &mut usize) -> Result<Set, Undecodable> {
    let kind = name(item, "ipsetType")?;
    let count = ["cidrs", "cidrAndPorts", "setNames"].map(|part| list(item, part).map(<[Value]>::len));
    let [nets, ports, sets] = count;
    *left = left.checked_sub(nets? + ports? + sets?).ok_or(Undecodable::TooMany("set members"))?;
    let members = match kind.as_str() {
        "hash:net" => names_of(item, "cidrs")?,
        "hash:net,port" => list(item, "cidrAndPorts")?.iter().map(with_port).collect::<Result<_, _>>()?,
        "list:set" => names_of(item, "setNames")?,
        _ => Vec::new(),
    };
    Ok(Set { source: source(item)?, name: name(item, "name")?, kind, members })
}

/// As chaos-daemon hands it to ipset.
fn with_port(item: &Value) -> Result<String, Undecodable> {
    Ok(format!("{},{}", name(item, "cidr")?, integer(item, "port")?.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn first(item: &Value) -> Shaping {
        network(&json!({"spec": {"tcs": [item]}})).unwrap().tcs.remove(0)
    }

    #[test]
    fn figures_come_in_base_units() {
        let delay = json!({"latency": "100ms", "jitter": "0ms", "correlation": "25",
                           "reorder": {"reorder": "25", "correlation": "50", "gap": 5}});
        let item = first(&json!({"type": "netem", "source": "shop/slow", "delay": delay, "loss": {"loss": "40", "correlation": "0"},
                                "rate": {"rate": "1mbps"}, "ipset": "a_set_netgt", "device": "eth1"}));
        let Shape::Netem(netem) = &item.does else { panic!("{item:?}") };
        assert_eq!((netem.delay, netem.jitter, netem.delay_correlation), (Some(0.1), Some(0.0), Some(0.25)));
        assert_eq!((netem.reorder, netem.reorder_correlation, netem.gap), (Some(0.25), Some(0.5), Some(5)));
        assert_eq!((netem.loss, netem.loss_correlation, netem.corrupt, netem.rate), (Some(0.4), Some(0.0), None, Some(1e6)));
        assert_eq!(
            (item.source.as_str(), item.device.as_str(), item.set.as_str(), item.unreadable.as_str()),
            ("shop/slow", "eth1", "a_set_netgt", "")
        );
    }

    #[test]
    fn a_bandwidth_is_told_as_tc_takes_it() {
        let bandwidth = json!({"rate": "1mbps", "limit": 20_971_520, "buffer": 10_000, "peakrate": 16_000_000, "minburst": 1500});
        let item = first(&json!({"type": "bandwidth", "source": "shop/thin", "bandwidth": bandwidth}));
        let wanted = Tbf { rate: Some(1e6), burst: Some(10_000.0), limit: Some(20_971_520.0), peakrate: Some(2e6) };
        assert_eq!(item.does, Shape::Tbf(wanted));
        let alone = first(&json!({"type": "bandwidth", "source": "s", "bandwidth": {"rate": "8bit", "peakrate": 16}}));
        assert!(matches!(alone.does, Shape::Tbf(Tbf { peakrate: None, burst: None, .. })), "without minburst it is not handed on");
    }

    #[test]
    fn a_figure_that_makes_no_sense_costs_its_item() {
        for (delay, noted) in [
            (json!({"latency": "5 parsecs"}), "delay.latency 5 parsecs"),
            (json!({"latency": "5ms", "jitter": "?"}), "delay.jitter ?"),
            (json!({"latency": 100}), "delay.latency 100"),
            (json!({"latency": "5ms", "reorder": {"reorder": "200", "gap": -1}}), "delay.reorder.reorder 200"),
        ] {
            assert_eq!(first(&json!({"type": "netem", "source": "s", "delay": delay})).unreadable, noted);
        }
        assert_eq!(first(&json!({"type": "cake", "source": "s"})).does, Shape::Other { word: "cake".to_owned() });
    }

    #[test]
    fn members_are_as_ipset_is_told() {
        let sets = json!([{"name": "a", "ipsetType": "hash:net", "cidrs": ["10.0.0.0/24"], "source": "s"},
                          {"name": "b", "ipsetType": "hash:net,port", "cidrAndPorts": [{"cidr": "10.0.0.1/32", "port": 443}], "source": "s"},
                          {"name": "c", "ipsetType": "list:set", "setNames": ["a", "b"], "source": "s"}]);
        let told = network(&json!({"spec": {"ipsets": sets}})).unwrap().sets;
        assert_eq!(told.iter().map(|set| set.members.join(" ")).collect::<Vec<_>>(), ["10.0.0.0/24", "10.0.0.1/32,443", "a b"]);
    }
}
