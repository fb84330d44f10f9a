//! Packet filter rules of one namespace, whichever back end holds them: legacy xtables ([`legacy`]) or `nf_tables` ([`nft`]).
//!
//! Both give the same [`Table`]s. Here are the types, the names of matched sets and the reachability of chains: a rule nobody jumps
//! to is not active. How a rule is written as text is in [`text`].

pub mod legacy;
pub mod nft;
pub mod text;

use super::error::ReadError;
use super::ipset;
use super::netlink::{Buffer, Socket};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use text::Part;

/// Who holds the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// xtables, as `iptables-legacy` writes.
    Legacy,
    /// `nf_tables`, as `iptables-nft` and `nft` write.
    Nft,
}

impl Backend {
    /// The `backend` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Nft => "nft",
        }
    }
}

/// Which packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// IPv4 and IPv6 (`nf_tables`).
    Inet,
    /// ARP.
    Arp,
    /// Bridged frames.
    Bridge,
    /// One device's ingress or egress.
    Netdev,
    /// A family this version does not know.
    Other,
}

impl Family {
    /// The `family` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Inet => "inet",
            Self::Arp => "arp",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
            Self::Other => "other",
        }
    }
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// Who holds it.
    pub backend: Backend,
    /// Which packets it sees.
    pub family: Family,
    /// `filter`, `mangle`, …
    pub name: String,
    /// Its chains in the kernel's order.
    pub chains: Vec<Chain>,
}

/// One chain.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Whether the kernel calls it by itself (a built-in or base chain).
    pub hooked: bool,
    /// `ACCEPT` or `DROP` for a hooked chain, `-` for others, as `iptables-save` prints it.
    pub policy: &'static str,
    /// Whether packets can get here from a hook. `None` when that cannot be known: verdict maps may jump anywhere.
    pub reachable: Option<bool>,
    /// Its rules in order.
    pub rules: Vec<Rule>,
}

/// What a rule does with a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Goes on with the next rule (no target).
    Continue,
    /// Lets it pass.
    Accept,
    /// Throws it away.
    Drop,
    /// Back to the calling chain.
    Return,
    /// Calls a chain.
    Jump(String),
    /// Continues in a chain for good.
    Goto(String),
    /// An extension's target: `CLASSIFY`, `REJECT`, …
    Target(String),
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its conditions and target, in the order `iptables-save` prints them.
    pub parts: Vec<Part>,
    /// What it does.
    pub verdict: Verdict,
    /// Packets and bytes it matched; absent where it does not count.
    pub counters: Option<Counters>,
    /// Whether it looks a verdict up in a map, so that it may jump to any chain of its table.
    pub verdict_map: bool,
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Packets matched.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            rule: String,
            verdict: &'a Verdict,
            counters: Option<Counters>,
        }
        Shown { rule: self.to_string(), verdict: &self.verdict, counters: self.counters }.serialize(serializer)
    }
}

/// Puts names to the sets that rules match by index. A set that is gone keeps its number.
pub fn name_sets(tables: &mut [Table], socket: &mut Socket, buffer: &mut Buffer) -> Result<(), ReadError> {
    let mut known: BTreeMap<u16, Option<String>> = BTreeMap::new();
    let rules = tables.iter_mut().flat_map(|table| &mut table.chains).flat_map(|chain| &mut chain.rules);
    for set in rules.flat_map(|rule| &mut rule.parts).filter_map(Part::as_set_mut) {
        set.name = match known.entry(set.index) {
            Entry::Occupied(name) => name.get().clone(),
            Entry::Vacant(place) => place.insert(ipset::name_of(set.index, socket, buffer)?).clone(),
        };
    }
    Ok(())
}

/// Computes [`Chain::reachable`] for every chain of a table.
pub fn mark_reachable(table: &mut Table) {
    let mut index: Vec<(&str, usize)> = table.chains.iter().enumerate().map(|(at, chain)| (chain.name.as_str(), at)).collect();
    index.sort_unstable();
    let find = |name: &str| index.binary_search_by_key(&name, |(known, _)| known).ok().map(|at| index[at].1);
    let mut reached = vec![false; table.chains.len()];
    let mut waiting: Vec<usize> = (0..table.chains.len()).filter(|at| table.chains[*at].hooked).collect();
    let mut maps = false;
    while let Some(at) = waiting.pop() {
        if std::mem::replace(&mut reached[at], true) {
            continue;
        }
        for rule in &table.chains[at].rules {
            maps |= rule.verdict_map;
            if let Verdict::Jump(name) | Verdict::Goto(name) = &rule.verdict {
                waiting.extend(find(name));
            }
        }
    }
    for (chain, reached) in table.chains.iter_mut().zip(reached) {
        chain.reachable = if reached { Some(true) } else { (!maps).then_some(false) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(name: &str, hooked: bool, jumps: &[&str]) -> Chain {
        let rule = |name: &&str| Rule { parts: vec![], verdict: Verdict::Jump((*name).to_owned()), counters: None, verdict_map: false };
        Chain { name: name.to_owned(), hooked, rules: jumps.iter().map(rule).collect(), ..Chain::default() }
    }

    fn reachable(chains: Vec<Chain>) -> Vec<Option<bool>> {
        let mut table = Table { backend: Backend::Legacy, family: Family::Ipv4, name: "filter".into(), chains };
        mark_reachable(&mut table);
        table.chains.iter().map(|chain| chain.reachable).collect()
    }

    #[test]
    fn a_chain_is_reachable_only_from_a_hook() {
        let chains = vec![chain("INPUT", true, &["A"]), chain("A", false, &["B"]), chain("B", false, &["A"]), chain("LEFT", false, &["B"])];
        assert_eq!(reachable(chains), [Some(true), Some(true), Some(true), Some(false)]);
    }

    #[test]
    fn a_verdict_map_in_reach_makes_the_rest_unknown() {
        let mut input = chain("INPUT", true, &["NOWHERE"]);
        input.rules[0].verdict_map = true;
        assert_eq!(reachable(vec![input, chain("A", false, &[])]), [Some(true), None]);
    }
}
