//! `chaoscope_iptables_*`: counters of rules and reachability of chains, of both back ends and both address families.

use super::{Shown, extended, shown};
use crate::exposition::{Exposition, Labels};
use crate::node::iptables::{Chain, Counters, Rule, Table};
use crate::scrape::{Family, World};
use crate::tools;
use crate::verdict::is_chaos_rule;
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Iptables;

impl Family for Iptables {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let rules: Vec<_> = shown(world).flat_map(|shown| rules(&shown)).collect();
        let samples = |field: fn(&Counters) -> u64| rules.iter().map(move |(labels, counters)| (labels.clone(), field(counters)));
        out.counter("chaoscope_iptables_rule_packets", "Packets a rule matched.", samples(|counters| counters.packets))?;
        out.counter("chaoscope_iptables_rule_bytes", "Bytes a rule matched.", samples(|counters| counters.bytes))?;
        out.gauge(
            "chaoscope_iptables_chain_reachable",
            "Whether packets can get to a chain from a hook; absent where that cannot be known.",
            shown(world).flat_map(|shown| chains(&shown)),
        )
    }
}

fn place<'a>(target: &Labels<'a>, table: &'a Table, chain: &'a Chain) -> Labels<'a> {
    let more = [
        ("backend", table.backend.as_str().into()),
        ("family", table.family.as_str().into()),
        ("table", table.name.as_str().into()),
        ("chain", chain.name.as_str().into()),
    ];
    extended(target, more)
}

/// Rules of one chain that read the same are one series: their counters are added.
fn rules<'a>(shown: &Shown<'a>) -> Vec<(Labels<'a>, Counters)> {
    let target = shown.target();
    let mut out = Vec::new();
    for (table, chain) in shown.reading.tables().flat_map(|table| table.chains.iter().map(move |chain| (table, chain))) {
        let mut sums: BTreeMap<String, Counters> = BTreeMap::new();
        let wanted = |rule: &&Rule| shown.all || is_chaos_rule(&chain.name, rule);
        for rule in chain.rules.iter().filter(wanted) {
            let Some(counters) = rule.counters else { continue };
            let sum = sums.entry(rule.to_string()).or_default();
            sum.packets = sum.packets.wrapping_add(counters.packets);
            sum.bytes = sum.bytes.wrapping_add(counters.bytes);
        }
        let place = place(&target, table, chain);
        out.extend(sums.into_iter().map(|(rule, counters)| (extended(&place, [("rule", rule.into())]), counters)));
    }
    out
}

fn chains<'a>(shown: &Shown<'a>) -> Vec<(Labels<'a>, bool)> {
    let (target, all) = (shown.target(), shown.all);
    let chains = shown.reading.tables().flat_map(|table| table.chains.iter().map(move |chain| (table, chain)));
    let wanted = chains.filter(|(_, chain)| all || tools::chain(&chain.name).is_some());
    wanted.filter_map(|(table, chain)| Some((place(&target, table, chain), chain.reachable?))).collect()
}
