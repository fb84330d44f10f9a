//! Chains that throw packets away: there, reached from the hook by jumps without a condition, and with the declared rules and no others.
//!
//! Source: `pkg/chaosdaemon/iptables_server.go`. Rules are compared as `iptables-save` prints them. An ACCEPT before the jump is no concern here:
//! in force means configured. Which back end holds the chain does not matter.

use super::{Found, Lack, device};
use crate::node::iptables::text::Part;
use crate::node::iptables::{Chain, Family, Rule, Table, Verdict};
use crate::node::tc::Tc;
use crate::node::visit::Reading;
use chaoscope_model::declared;
use chaoscope_model::declared::Network;
use std::collections::BTreeSet;

/// The filter tables of one namespace that could be read.
pub(super) struct Filter<'a> {
    /// With how packets of each hook get to each of its chains.
    tables: Vec<(&'a Table, [Vec<Reach>; 2])>,
    /// Whether both back ends could be read: what is not there then is missing.
    whole: bool,
}

/// A built-in chain that the kernel calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// For what comes.
    Input,
    /// For what leaves.
    Output,
}

/// How packets of a hook get to a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Not at all.
    Never,
    /// A map of verdicts may send them anywhere.
    Unclear,
    /// Some of them, by a jump with a condition.
    Partly,
    /// All that get as far as the jumps.
    Fully,
}

impl<'a> Filter<'a> {
    /// Of what a visit read.
    pub(super) fn of(reading: &'a Reading) -> Self {
        let ours = |table: &&Table| table.name == "filter" && matches!(table.family, Family::Ipv4 | Family::Inet);
        let reached = |table: &'a Table| (table, reaches(table));
        Self { tables: reading.tables().filter(ours).map(reached).collect(), whole: reading.legacy.is_ok() && reading.nft.is_ok() }
    }

    /// Every chain, with how packets of this hook get there.
    pub(super) fn chains(&self, hook: Hook) -> impl Iterator<Item = (Reach, &'a Chain)> + '_ {
        let of = move |(table, reaches): &'_ (&'a Table, [Vec<Reach>; 2])| {
            let reaches = &reaches[usize::from(hook == Hook::Output)];
            table.chains.iter().zip(reaches).map(|(chain, reach)| (*reach, chain)).collect::<Vec<_>>()
        };
        self.tables.iter().flat_map(of)
    }

    /// What is not there: missing, or not to be told because part of the rules could not be read.
    pub(super) fn absent(&self, lack: Lack) -> Lack {
        if self.whole { lack } else { Lack::Unknown("read_failed") }
    }
}

impl Hook {
    /// Its chain.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "INPUT",
            Self::Output => "OUTPUT",
        }
    }
}

/// How packets of either hook get to each chain of a table.
fn reaches(table: &Table) -> [Vec<Reach>; 2] {
    let mut places: Vec<(&str, usize)> = table.chains.iter().enumerate().map(|(at, chain)| (chain.name.as_str(), at)).collect();
    places.sort_unstable();
    let find = |name: &str| places.binary_search_by_key(&name, |(known, _)| known).ok().map(|at| places[at].1);
    [Hook::Input, Hook::Output].map(|hook| {
        let unseen = |chain: &Chain| if chain.reachable.is_none() { Reach::Unclear } else { Reach::Never };
        let mut out: Vec<Reach> = table.chains.iter().map(unseen).collect();
        let begin = find(hook.as_str()).filter(|at| table.chains[*at].hooked);
        let mut waiting: Vec<(usize, Reach)> = begin.into_iter().map(|at| (at, Reach::Fully)).collect();
        while let Some((at, reach)) = waiting.pop() {
            if out[at] >= reach {
                continue;
            }
            out[at] = reach;
            for rule in &table.chains[at].rules {
                if let Verdict::Jump(to) | Verdict::Goto(to) = &rule.verdict {
                    let further = if rule.parts.is_empty() { reach } else { Reach::Partly };
                    waiting.extend(find(to).map(|at| (at, further)));
                }
            }
        }
        out
    })
}

/// Why a chain that is there does nothing, or less than it should.
pub(super) fn reached(reach: Reach, hook: Hook, chain: &str) -> Result<(), Lack> {
    let hook = hook.as_str();
    let path = format!("{hook} → CHAOS-{hook} → {chain}");
    match reach {
        Reach::Fully => Ok(()),
        Reach::Partly => Err(Lack::drifted("jump", path, "a jump with a condition")),
        Reach::Unclear => Err(Lack::Unknown("ambiguous")),
        Reach::Never => Err(Lack::missing("not_reached", "jump", path)),
    }
}

/// Why a device that is declared cannot have anything on it; nothing where devices were not all named.
pub(super) fn on_device(tc: &Tc, device: &str) -> Result<(), Lack> {
    let named = tc.qdiscs.iter().all(|qdisc| !qdisc.device.is_empty());
    let pattern = device.ends_with('+');
    if named && !pattern && !tc.qdiscs.iter().any(|qdisc| qdisc.device == device) {
        return Err(Lack::missing("no_device", "device", device));
    }
    Ok(())
}

/// Compares the chains of one experiment.
pub(super) fn check(network: &Network, source: &str, reading: &Reading, filter: &Filter<'_>, found: &mut Found) {
    for declared in network.chains.iter().filter(|chain| chain.source == source) {
        if let Some(lack) = reading.tc.as_ref().ok().and_then(|tc| on_device(tc, device(&declared.device)).err()) {
            found.take(lack);
        }
        let hook = hook(declared);
        let there = filter.chains(hook).filter(|(_, chain)| chain.name == declared.name);
        let Some((reach, chain)) = there.max_by_key(|(reach, _)| *reach) else {
            found.take(filter.absent(Lack::missing("no_chain", "chain", &declared.name)));
            continue;
        };
        if let Err(lack) = reached(reach, hook, &declared.name) {
            found.take(lack);
        }
        rules(network, declared, chain, found);
    }
}

const fn hook(chain: &declared::Chain) -> Hook {
    if chain.output { Hook::Output } else { Hook::Input }
}

/// The rules chaos-daemon writes into a chain: one for each set, or one for everything.
fn written(chain: &declared::Chain) -> Vec<(Option<&str>, String)> {
    let flag = if chain.output { "-o" } else { "-i" };
    let directions = if chain.output { "dst,dst" } else { "src,dst" };
    let device = device(&chain.device);
    let with = |set: &'_ String| format!("{flag} {device} -m set --match-set {set} {directions} -j DROP");
    match chain.sets.as_slice() {
        [] => vec![(None, format!("{flag} {device} -j DROP"))],
        sets => sets.iter().map(|set| (Some(set.as_str()), with(set))).collect(),
    }
}

fn rules(network: &Network, declared: &declared::Chain, chain: &Chain, found: &mut Found) {
    let texts: Vec<String> = chain.rules.iter().map(ToString::to_string).collect();
    for (set, rule) in written(declared) {
        if !texts.contains(&rule) {
            found.take(nearest(declared, set, &rule, chain));
        }
    }
    // Several items may name one chain: the sync writes it anew for each, and only the last one's rules stay.
    let named = network.chains.iter().filter(|it| it.name == declared.name);
    let known: BTreeSet<String> = named.flat_map(written).map(|(_, rule)| rule).collect();
    let decides = |rule: &Rule| !matches!(rule.verdict, Verdict::Continue | Verdict::Target(_));
    for (rule, text) in chain.rules.iter().zip(texts) {
        // What differs from a declared rule only in part is told above.
        if decides(rule) && !known.contains(&text) && set_of(rule).is_none_or(|set| !declared.sets.iter().any(|it| it == set)) {
            found.take(Lack::drifted("rule", "", text));
        }
    }
}

/// What there is instead of a rule.
fn nearest(declared: &declared::Chain, set: Option<&str>, rule: &str, chain: &Chain) -> Lack {
    let Some(like) = chain.rules.iter().find(|rule| set_of(rule) == set && !matches!(rule.verdict, Verdict::Continue)) else {
        return Lack::missing("no_rule", "rule", rule);
    };
    let (wanted, there) = (device(&declared.device), device_of(like).unwrap_or_default());
    let elsewhere = declared::Chain { device: there.to_owned(), ..declared.clone() };
    let text = like.to_string();
    if !there.is_empty() && written(&elsewhere).iter().any(|(_, rule)| *rule == text) {
        return Lack::drifted("device", wanted, there);
    }
    Lack::drifted("rule", rule, text)
}

/// The set a rule matches.
pub(super) fn set_of(rule: &Rule) -> Option<&str> {
    rule.parts.iter().find_map(|part| match part {
        Part::Set(set) => set.name.as_deref(),
        Part::Text(_) => None,
    })
}

/// The device a rule is about.
pub(super) fn device_of(rule: &Rule) -> Option<&str> {
    rule.parts.iter().find_map(|part| match part {
        Part::Text(text) => text.strip_prefix("-o ").or_else(|| text.strip_prefix("-i ")),
        Part::Set(_) => None,
    })
}
