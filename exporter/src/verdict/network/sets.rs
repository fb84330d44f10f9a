//! IP sets: there, of the declared type, and holding the same addresses.
//!
//! Members are compared as what they cover, not as text: the kernel masks host bits and prints an address without its `/32`, ipset splits what
//! one member cannot hold, and order and doubles mean nothing. Sources: `pkg/chaosdaemon/ipset_server.go`, ipset(8). The `…old` sets a second
//! sync leaves are nobody's here.

use super::{Found, Lack};
use crate::node::ipset;
use crate::node::visit::Reading;
use chaoscope_model::declared::{Network, Set};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Most members named in a difference.
const NAMED: usize = 4;

/// Compares the sets of one experiment. Of several with one name the last one counts, as the sync goes through them in order.
pub(super) fn check(network: &Network, source: &str, reading: &Reading, found: &mut Found) {
    let own: BTreeMap<&str, &Set> = network.sets.iter().filter(|set| set.source == source).map(|set| (set.name.as_str(), set)).collect();
    if own.is_empty() {
        return;
    }
    let Ok(there) = &reading.sets else {
        return found.take(Lack::Unknown("read_failed"));
    };
    let there: BTreeMap<&str, &ipset::Set> = there.iter().map(|set| (set.name.as_str(), set)).collect();
    for (name, declared) in own {
        let outcome = match there.get(name) {
            None => Err(Lack::missing("no_set", "set", name)),
            Some(set) if set.kind != declared.kind => Err(Lack::drifted("set_type", format!("{name} {}", declared.kind), set.kind.clone())),
            Some(set) => members(declared, set),
        };
        if let Err(lack) = outcome {
            found.take(lack);
        }
    }
}

fn members(declared: &Set, there: &ipset::Set) -> Result<(), Lack> {
    let listed = !there.list.is_empty() || there.members == Some(0);
    let same = match there.members {
        _ if listed && written(&declared.members) == written(&there.list) => true,
        _ if listed => Members::of(&declared.kind, &there.list) == Members::of(&declared.kind, &declared.members),
        Some(count) => count == distinct(&declared.kind, &declared.members),
        None => return Err(Lack::Unknown("read_failed")),
    };
    if same {
        return Ok(());
    }
    let read = if listed { told(&there.list) } else { format!("{} members", there.members.unwrap_or(0)) };
    Err(Lack::drifted("set_members", format!("{}: {}", declared.name, told(&declared.members)), read))
}

/// `3 members: 10.0.0.0/8, …`.
fn told(members: &[String]) -> String {
    let mut shown: Vec<&str> = members.iter().take(NAMED).map(String::as_str).collect();
    if members.len() > NAMED {
        shown.push("…");
    }
    match members.len() {
        0 => "no members".to_owned(),
        1 => format!("1 member: {}", shown[0]),
        count => format!("{count} members: {}", shown.join(", ")),
    }
}

/// What a set matches.
#[derive(Debug, PartialEq, Eq)]
enum Members {
    /// Addresses, as ranges that neither touch nor overlap, by protocol and port (empty for those without).
    Addresses(BTreeMap<String, Vec<(u32, u32)>>),
    /// Anything else, as text.
    Texts(BTreeSet<String>),
}

impl Members {
    fn of(kind: &str, members: &[String]) -> Self {
        let texts = || Self::Texts(members.iter().cloned().collect());
        if !matches!(kind, "hash:net" | "hash:net,port") {
            return texts();
        }
        let mut ranges: BTreeMap<String, Vec<(u32, u32)>> = BTreeMap::new();
        for member in members {
            let Some((port, range)) = address(member) else { return texts() };
            ranges.entry(port).or_default().push(range);
        }
        Self::Addresses(ranges.into_iter().map(|(port, ranges)| (port, joined(ranges))).collect())
    }
}

/// Members as they are written, in order; the kernel leaves out the prefix of a single address.
fn written(members: &[String]) -> Vec<&str> {
    let mut out: Vec<&str> = members.iter().map(|member| member.strip_suffix("/32").unwrap_or(member)).collect();
    out.sort_unstable();
    out
}

/// How many members ipset makes of these: of the same network once.
fn distinct(kind: &str, members: &[String]) -> u64 {
    let one = |member: &String| match address(member) {
        Some((port, (first, last))) if kind != "list:set" => format!("{port} {first} {last}"),
        _ => member.clone(),
    };
    members.iter().map(one).collect::<BTreeSet<_>>().len() as u64
}

/// `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`, with `,443` or `,udp:53` behind it: port with its protocol, first and last address.
fn address(member: &str) -> Option<(String, (u32, u32))> {
    let (net, port) = member.split_once(',').unwrap_or((member, ""));
    // A bare port is one of TCP (ipset(8), `hash:net,port`).
    let port = if port.is_empty() || port.contains(':') { port.to_owned() } else { format!("tcp:{port}") };
    let number = |text: &str| text.parse::<Ipv4Addr>().ok().map(u32::from);
    if let Some((first, last)) = net.split_once('-') {
        return Some((port, (number(first)?, number(last)?))).filter(|(_, (first, last))| first <= last);
    }
    let (net, prefix) = net.split_once('/').unwrap_or((net, "32"));
    let host = match prefix.parse::<u32>().ok()? {
        prefix @ 1..=32 => u32::MAX.checked_shr(prefix).unwrap_or(0),
        0 => u32::MAX,
        _ => return None,
    };
    let net = number(net)?;
    Some((port, (net & !host, net | host)))
}

/// Ranges in order, those that touch or overlap made one.
fn joined(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => out.push((first, last)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(kind: &str, declared: &[&str], read: &[&str]) -> bool {
        let own = |members: &[&str]| members.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let (declared, list) = (Set { kind: kind.into(), members: own(declared), ..Set::default() }, own(read));
        let there = ipset::Set { members: Some(list.len() as u64), list, ..ipset::Set::default() };
        members(&declared, &there).is_ok()
    }

    #[test]
    fn members_are_what_they_cover() {
        for (declared, read) in [
            (&["10.88.0.3/32"][..], &["10.88.0.3"][..]),
            (&["10.89.3.4/16"], &["10.89.0.0/16"]),
            (&["10.0.0.0/25", "10.0.0.128/25"], &["10.0.0.0/24"]),
            (&["0.0.0.0/0"], &["128.0.0.0/1", "0.0.0.0/1"]),
            (&["10.0.0.2/32", "10.0.0.1/32", "10.0.0.2/32"], &["10.0.0.1", "10.0.0.2"]),
            (&[], &[]),
        ] {
            assert!(same("hash:net", declared, read), "{declared:?} {read:?}");
        }
        for (declared, read) in [
            (&["10.88.0.3/32"][..], &[][..]),
            (&["10.88.0.3/32"], &["10.88.0.4"]),
            (&["10.0.0.0/25"], &["10.0.0.0/24"]),
            (&["10.0.0.1/32"], &["10.0.0.1", "10.0.0.9"]),
            (&[], &["10.0.0.1"]),
        ] {
            assert!(!same("hash:net", declared, read), "{declared:?} {read:?}");
        }
        assert!(same("hash:net,port", &["203.0.113.7/32,443"], &["203.0.113.7,tcp:443"]));
        assert!(!same("hash:net,port", &["203.0.113.7/32,443"], &["203.0.113.7,udp:443"]));
        assert!(same("list:set", &["a", "b"], &["b", "a"]) && !same("list:set", &["a", "b"], &["a"]));
    }

    #[test]
    fn members_that_were_not_listed_are_counted() {
        let declared = |members: &[&str]| Set {
            kind: "hash:net".into(),
            members: members.iter().map(|it| (*it).to_owned()).collect(),
            ..Set::default()
        };
        let counted = |members| ipset::Set { members, ..ipset::Set::default() };
        let two = declared(&["10.0.0.1/32", "10.0.0.2/32", "10.0.0.1/32"]);
        assert!(members(&two, &counted(Some(2))).is_ok());
        for count in [0, 1, 3] {
            assert!(matches!(members(&two, &counted(Some(count))), Err(Lack::Drifted(_))), "{count}");
        }
        assert!(matches!(members(&two, &counted(None)), Err(Lack::Unknown("read_failed"))));
    }
}
