//! A model of chaos-daemon and the kernel below it: from what is declared to the reading of a namespace where it was just applied.
//!
//! After `pkg/chaosdaemon/{ipset,iptables,tc}_server.go` of 2.8. The real ones are in `netem` and `partition`; this one is fast enough to build
//! thousands.

use crate::text::rule;
use chaoscope::node::ipset;
use chaoscope::node::iptables::{Backend, Chain, Family, Table, mark_reachable};
use chaoscope::node::tc::options::{Netem, Options, Prio, Sfq, Tbf};
use chaoscope::node::tc::{Handle, Qdisc, Statistics, Tc};
use chaoscope::node::visit::Reading;
use chaoscope_model::declared::{self, Network, Shape, Shaping};
use std::net::Ipv4Addr;

/// The priority map chaos-daemon gives its `prio`.
const PRIOMAP: [u8; 16] = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];

/// A namespace with these devices in which this was applied. `turn`: by how much the order of sets is turned, which is any.
pub fn applied(network: &Network, devices: &[&str], turn: usize) -> Reading {
    let mut chains = Chains::new();
    for chain in &network.chains {
        chains.declared(chain);
    }
    let mut tc = Tc::default();
    for (at, name) in devices.iter().enumerate() {
        shaped(network, name, at as u32 + 1, turn, &mut tc, &mut chains);
    }
    Reading { tc: Ok(tc), sets: Ok(sets(network)), legacy: Ok(vec![chains.table()]), nft: Ok(vec![]) }
}

struct Chains(Table);

impl Chains {
    fn new() -> Self {
        let hooked = |name: &str| Chain { name: name.into(), hooked: true, policy: "ACCEPT", ..Chain::default() };
        let mut new = Self(Table {
            backend: Backend::Legacy,
            family: Family::Ipv4,
            name: "filter".into(),
            chains: ["INPUT", "FORWARD", "OUTPUT"].map(hooked).into(),
        });
        for hook in ["INPUT", "OUTPUT"] {
            new.write(&format!("CHAOS-{hook}"), &[]);
            new.jump(hook, &format!("CHAOS-{hook}"));
        }
        new
    }

    /// Makes a chain, or empties it, and fills it.
    fn write(&mut self, name: &str, rules: &[String]) {
        let at = self.0.chains.iter().position(|chain| chain.name == name).unwrap_or_else(|| {
            self.0.chains.push(Chain { name: name.into(), policy: "-", ..Chain::default() });
            self.0.chains.len() - 1
        });
        self.0.chains[at].rules = rules.iter().map(|text| rule(text)).collect();
    }

    /// Once.
    fn jump(&mut self, from: &str, to: &str) {
        let chain = self.0.chains.iter_mut().find(|chain| chain.name == from).unwrap();
        let jump = rule(&format!("-j {to}"));
        if !chain.rules.contains(&jump) {
            chain.rules.push(jump);
        }
    }

    fn declared(&mut self, chain: &declared::Chain) {
        let (flag, directions, hook) = if chain.output { ("-o", "dst,dst", "CHAOS-OUTPUT") } else { ("-i", "src,dst", "CHAOS-INPUT") };
        let device = if chain.device.is_empty() { "eth0" } else { &chain.device };
        let mut rules: Vec<_> =
            chain.sets.iter().map(|set| format!("{flag} {device} -m set --match-set {set} {directions} -j DROP")).collect();
        if rules.is_empty() {
            rules.push(format!("{flag} {device} -j DROP"));
        }
        self.write(&chain.name, &rules);
        self.jump(hook, &chain.name);
    }

    fn table(mut self) -> Table {
        mark_reachable(&mut self.0);
        self.0
    }
}

fn shaped(network: &Network, device: &str, ifindex: u32, turn: usize, tc: &mut Tc, chains: &mut Chains) {
    let of = |tc: &&Shaping| tc.device == device || (tc.device.is_empty() && device == "eth0");
    let (global, filtered): (Vec<&Shaping>, Vec<&Shaping>) = network.tcs.iter().filter(of).partition(|tc| tc.set.is_empty());
    let mut add = |kind: &str, parent: u32, major: u32, options: Options| {
        let (parent, handle) = (Handle(parent), Handle(major << 16));
        tc.qdiscs.push(Qdisc {
            device: device.into(),
            ifindex,
            kind: kind.into(),
            handle,
            parent,
            options,
            statistics: Statistics::default(),
        });
    };
    if global.is_empty() && filtered.is_empty() {
        return add("noqueue", Handle::ROOT.0, 0, Options::Other);
    }
    let root = |above: u32| if above == 0 { Handle::ROOT.0 } else { above << 16 };
    let mut last = 0;
    for item in global {
        let (kind, options) = shape(&item.does);
        add(kind, root(last), last + 1, options);
        last += 1;
    }
    let mut names: Vec<&str> = filtered.iter().map(|tc| tc.set.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return;
    }
    let count = names.len();
    names.rotate_left(turn % count);
    let prio = last + 1;
    add("prio", root(last), prio, Options::Prio(Prio { bands: 3 + count as u32, priomap: PRIOMAP }));
    for band in 1..=3 {
        add("sfq", prio << 16 | band, prio + band, Options::Sfq(Sfq { quantum_bytes: 1514, perturb_seconds: 0, limit_packets: 127 }));
    }
    let mut handle = prio + 3;
    for (index, name) in names.iter().enumerate() {
        for (at, item) in filtered.iter().filter(|tc| tc.set == *name).enumerate() {
            let parent = if at == 0 { prio << 16 | (index as u32 + 4) } else { handle << 16 };
            handle += 1;
            let (kind, options) = shape(&item.does);
            add(kind, parent, handle, options);
        }
        let class = format!("{prio:04x}:{:04x}", index + 4);
        let chain = format!("TC-TABLES-{index}");
        chains.write(&chain, &[format!("-o {device} -m set --match-set {name} dst,dst -j CLASSIFY --set-class {class}")]);
        chains.jump("CHAOS-OUTPUT", &chain);
    }
}

/// What tc sends and the kernel tells of it.
fn shape(does: &Shape) -> (&'static str, Options) {
    match does {
        Shape::Netem(it) => ("netem", Options::Netem(netem(it))),
        Shape::Tbf(it) => {
            let rate = it.rate.unwrap() as u64;
            let nanoseconds = it.burst.unwrap() * 1e9 / rate as f64;
            let ticks = (nanoseconds as u64 >> 6) as u32;
            let burst = (f64::from(ticks) * 64.0 * rate as f64 / 1e9).round() as u64;
            let peakrate_bytes_per_second = it.peakrate.map(|rate| rate as u64);
            let limit_bytes = it.limit.unwrap() as u32;
            ("tbf", Options::Tbf(Tbf { rate_bytes_per_second: rate, peakrate_bytes_per_second, burst_bytes: burst, limit_bytes }))
        }
        Shape::Other { word } => panic!("{word}"),
    }
}

fn netem(it: &declared::Netem) -> Netem {
    let set = |figure: Option<f64>| figure.unwrap_or(0.0);
    let time = |figure: Option<f64>| (set(figure) * 1e9).round() / 1e9;
    let ratio = |figure: Option<f64>| {
        let percent: f64 = format!("{:.6}", (set(figure) * 100.0) as f32).parse().unwrap();
        let scaled = (percent / 100.0 * f64::from(u32::MAX)).round() as u32;
        (f64::from(scaled) / f64::from(u32::MAX) * 1e9).round() / 1e9
    };
    let with = |figure: Option<f64>, correlation: Option<f64>| if set(figure) > 0.0 { ratio(correlation) } else { 0.0 };
    let reorders = set(it.delay) > 0.0 && set(it.reorder) > 0.0;
    Netem {
        delay_seconds: time(it.delay),
        jitter_seconds: if set(it.delay) > 0.0 { time(it.jitter) } else { 0.0 },
        delay_correlation: with(it.jitter, it.delay_correlation),
        loss_ratio: Some(ratio(it.loss)),
        loss_correlation: with(it.loss, it.loss_correlation),
        duplicate_ratio: ratio(it.duplicate),
        duplicate_correlation: with(it.duplicate, it.duplicate_correlation),
        corrupt_ratio: ratio(it.corrupt),
        corrupt_correlation: with(it.corrupt, it.corrupt_correlation),
        reorder_ratio: if reorders { ratio(it.reorder) } else { 0.0 },
        reorder_correlation: if reorders { ratio(it.reorder_correlation) } else { 0.0 },
        gap: if reorders { it.gap.unwrap_or(0).max(1) } else { 0 },
        rate_bytes_per_second: it.rate.map(|rate| rate as u64).filter(|rate| *rate > 0),
        limit_packets: 1000,
        ..Netem::default()
    }
}

/// Sets as the kernel lists them; a second one of the same name leaves the first as `…old`.
fn sets(network: &Network) -> Vec<ipset::Set> {
    let mut out: Vec<ipset::Set> = Vec::new();
    for set in &network.sets {
        let mut list: Vec<String> = set.members.iter().map(|member| kept(&set.kind, member)).collect();
        list.sort();
        list.dedup();
        // A hash keeps no order.
        list.reverse();
        let new =
            ipset::Set { name: set.name.clone(), kind: set.kind.clone(), members: Some(list.len() as u64), list, ..ipset::Set::default() };
        match out.iter_mut().find(|old| old.name == set.name) {
            Some(old) => {
                let before = std::mem::replace(old, new);
                out.push(ipset::Set { name: format!("{}old", before.name), ..before });
            }
            None => out.push(new),
        }
    }
    out
}

fn kept(kind: &str, member: &str) -> String {
    let (net, port) = member.split_once(',').map_or((member, String::new()), |(net, port)| (net, format!(",tcp:{port}")));
    let Some((address, prefix)) = net.split_once('/').filter(|_| kind != "list:set") else { return member.to_owned() };
    let prefix: u32 = prefix.parse().unwrap();
    let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
    let address = Ipv4Addr::from(u32::from(address.parse::<Ipv4Addr>().unwrap()) & mask);
    if prefix == 32 { format!("{address}{port}") } else { format!("{address}/{prefix}{port}") }
}
