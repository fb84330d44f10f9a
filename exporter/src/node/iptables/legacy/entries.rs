//! The blob of a legacy table taken apart: entries, chains, rules. Pure.
//!
//! IPv4 and IPv6 differ only in where the parts of an entry lie ([`Layout`]).
//! Layouts: `include/uapi/linux/netfilter_ipv4/ip_tables.h`, `netfilter_ipv6/ip6_tables.h`, `netfilter/x_tables.h`.

use super::super::text::{self, Part};
use super::super::{Backend, Chain, Counters, Family, Rule, Table, Verdict, mark_reachable};
use crate::node::error::ReadError;
use crate::node::netlink::{name, u16_at, u32_at, u64_at};
use rustix::net::AddressFamily;
use std::net::Ipv6Addr;

/// Built-in chains by `NF_INET_*` hook number.
const HOOKS: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

/// Where the parts of an entry lie.
pub(super) struct Layout {
    pub(super) family: Family,
    pub(super) names: &'static str,
    pub(super) domain: AddressFamily,
    pub(super) level: i32,
    /// Offset of `target_offset`; `next_offset` follows.
    offsets: usize,
    counters: usize,
    /// `sizeof(struct ipt_entry)`: the first match.
    entry: usize,
    head: fn(&[u8]) -> Option<Vec<Part>>,
    /// Offset of `flags` in the address part, for `IPT_F_GOTO`.
    flags: usize,
    goto: u8,
}

/// `struct ipt_entry`.
pub(super) const V4: Layout = Layout {
    family: Family::Ipv4,
    names: "ip_tables_names",
    domain: AddressFamily::INET,
    level: 0, // IPPROTO_IP
    offsets: 88,
    counters: 96,
    entry: 112,
    head: head_v4,
    flags: 82,
    goto: 2, // IPT_F_GOTO
};

/// `struct ip6t_entry`.
pub(super) const V6: Layout = Layout {
    family: Family::Ipv6,
    names: "ip6_tables_names",
    domain: AddressFamily::INET6,
    level: 41, // IPPROTO_IPV6
    offsets: 140,
    counters: 152,
    entry: 168,
    head: head_v6,
    flags: 131,
    goto: 4, // IP6T_F_GOTO
};

/// Decodes an IPv4 table from `struct ipt_getinfo` and the entries.
pub fn parse_v4(table: &str, info: &[u8], entries: &[u8]) -> Result<Table, ReadError> {
    parse(&V4, table, info, entries)
}

/// Decodes an IPv6 table from `struct ip6t_getinfo` and the entries.
pub fn parse_v6(table: &str, info: &[u8], entries: &[u8]) -> Result<Table, ReadError> {
    parse(&V6, table, info, entries)
}

const TORN: ReadError = ReadError::Malformed("xtables entry beyond its table");

/// One entry of the blob, cut out but not yet understood.
struct Entry<'a> {
    at: usize,
    bytes: &'a [u8],
    target: &'a [u8],
    target_offset: usize,
}

/// Where the built-in chains begin and end, and under which offset each user chain is jumped to.
struct Map<'a> {
    /// (first entry, underflow, name) of each valid hook.
    hooks: Vec<(usize, usize, &'static str)>,
    /// (first rule, name) of each user chain, ascending: a jump holds the offset of the first rule, which follows the ERROR entry with
    /// the name.
    names: Vec<(usize, &'a [u8])>,
}

impl<'a> Map<'a> {
    fn new(info: &[u8], entries: &[Entry<'a>]) -> Result<Self, ReadError> {
        let field = |at: usize| u32_at(info, at).map(|value| value as usize).ok_or(TORN);
        let valid = field(32)?;
        let mut hooks = Vec::new();
        for (hook, chain) in HOOKS.iter().enumerate().filter(|(hook, _)| valid >> hook & 1 == 1) {
            hooks.push((field(36 + 4 * hook)?, field(56 + 4 * hook)?, *chain));
        }
        let named = entries.windows(2).filter(|pair| target_name(&pair[0]) == b"ERROR");
        Ok(Self { hooks, names: named.map(|pair| (pair[1].at, &pair[0].target[32..])).collect() })
    }

    /// The chain that is jumped to; an offset that is no chain's beginning stands for itself.
    fn chain(&self, offset: usize) -> String {
        let found = self.names.binary_search_by_key(&offset, |(at, _)| *at).ok().and_then(|at| self.names.get(at));
        found.map_or_else(|| offset.to_string(), |(_, bytes)| name(bytes))
    }
}

/// Decodes a table from `struct ipt_getinfo` (hooks at 32, their entries at 36, their underflows at 56) and its entries.
pub(super) fn parse(layout: &Layout, table: &str, info: &[u8], entries: &[u8]) -> Result<Table, ReadError> {
    let cut = cut(layout, entries)?;
    let chains = chains(layout, &cut, &Map::new(info, &cut)?)?;
    let mut table = Table { backend: Backend::Legacy, family: layout.family, name: table.to_owned(), chains };
    mark_reachable(&mut table);
    Ok(table)
}

/// Splits the blob into entries by their `next_offset`.
fn cut<'a>(layout: &Layout, blob: &'a [u8]) -> Result<Vec<Entry<'a>>, ReadError> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < blob.len() {
        let rest = &blob[at..];
        let target_offset = usize::from(u16_at(rest, layout.offsets).ok_or(TORN)?);
        let next = usize::from(u16_at(rest, layout.offsets + 2).ok_or(TORN)?);
        let bytes = rest.get(..next).filter(|_| target_offset >= layout.entry).ok_or(TORN)?;
        let size = bytes.get(target_offset..).and_then(|rest| u16_at(rest, 0)).map_or(0, usize::from);
        let target = bytes.get(target_offset..target_offset + size).filter(|target| target.len() >= 32).ok_or(TORN)?;
        out.push(Entry { at, bytes, target, target_offset });
        at += next;
    }
    Ok(out)
}

/// Rebuilds the chains: a user chain begins with an ERROR target that names it, a built-in one at its hook's offset and ends at its
/// underflow, whose verdict is the policy. The RETURN at the end of a user chain is the kernel's own.
fn chains(layout: &Layout, entries: &[Entry<'_>], map: &Map<'_>) -> Result<Vec<Chain>, ReadError> {
    let mut out: Vec<Chain> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let error = target_name(entry) == b"ERROR";
        if error && index + 1 == entries.len() {
            break; // the table's end mark
        }
        if error {
            out.push(Chain { name: name(&entry.target[32..]), policy: "-", ..Chain::default() });
            continue;
        }
        // Two hooks may begin at one entry only in a broken table; the last one is as good as the first.
        if let Some((.., hook)) = map.hooks.iter().rfind(|(start, ..)| *start == entry.at) {
            out.push(Chain { name: (*hook).to_owned(), hooked: true, policy: "-", ..Chain::default() });
        }
        let chain = out.last_mut().ok_or(ReadError::Malformed("xtables rule before any chain"))?;
        if map.hooks.iter().any(|(_, underflow, _)| *underflow == entry.at) {
            chain.policy = if verdict_code(entry) == Some(-2) { "ACCEPT" } else { "DROP" };
            continue;
        }
        let ends = entries.get(index + 1).is_none_or(|next| target_name(next) == b"ERROR");
        if ends && !chain.hooked && is_plain_return(layout, entry) {
            continue;
        }
        chain.rules.push(rule(layout, entry, map)?);
    }
    Ok(out)
}

fn target_name<'a>(entry: &Entry<'a>) -> &'a [u8] {
    entry.target[2..31].split(|byte| *byte == 0).next().unwrap_or(&[])
}

/// The verdict of a standard target (which has an empty name).
fn verdict_code(entry: &Entry<'_>) -> Option<i32> {
    target_name(entry).is_empty().then(|| u32_at(entry.target, 32)).flatten().map(u32::cast_signed)
}

fn is_plain_return(layout: &Layout, entry: &Entry<'_>) -> bool {
    verdict_code(entry) == Some(-5) && entry.target_offset == layout.entry
}

fn rule(layout: &Layout, entry: &Entry<'_>, map: &Map<'_>) -> Result<Rule, ReadError> {
    let mut parts = (layout.head)(entry.bytes).ok_or(TORN)?;
    let mut at = layout.entry;
    while at < entry.target_offset {
        let rest = &entry.bytes[at..entry.target_offset];
        let size = u16_at(rest, 0).map_or(0, usize::from);
        let extension = rest.get(..size).filter(|extension| extension.len() >= 32).ok_or(TORN)?;
        parts.push(text::matched(&name(&extension[2..31]), &extension[32..]));
        at += size;
    }
    let verdict = match (verdict_code(entry), entry.bytes[layout.flags] & layout.goto != 0) {
        (Some(-1), _) => Verdict::Drop,
        (Some(-2), _) => Verdict::Accept,
        (Some(-5), _) => Verdict::Return,
        (Some(code), _) if code < 0 => return Err(ReadError::Malformed("xtables verdict that no header knows")),
        (Some(code), _) if code.cast_unsigned() as usize == entry.at + entry.bytes.len() => Verdict::Continue,
        (Some(code), false) => Verdict::Jump(map.chain(code.cast_unsigned() as usize)),
        (Some(code), true) => Verdict::Goto(map.chain(code.cast_unsigned() as usize)),
        (None, _) => {
            let extension = name(target_name(entry));
            parts.push(text::targeted(&extension, &entry.target[32..], layout.family));
            Verdict::Target(extension)
        }
    };
    let counter = |at| u64_at(entry.bytes, at).ok_or(TORN);
    let counters = Counters { packets: counter(layout.counters)?, bytes: counter(layout.counters + 8)? };
    Ok(Rule { parts, verdict, counters: Some(counters), verdict_map: false })
}

/// `struct ipt_ip`: src, dst, smsk, dmsk (4 bytes each), iniface\[16\] at 16, outiface\[16\] at 32, their masks at 48 and 64, proto (u16) at
/// 80, flags at 82, invflags at 83 (`IPT_INV_VIA_IN` 1, OUT 2, SRCIP 8, DSTIP 16, PROTO 64).
fn head_v4(entry: &[u8]) -> Option<Vec<Part>> {
    let four = |at: usize| entry.get(at..at + 4)?.try_into().ok();
    let invert = *entry.get(83)?;
    let parts = [
        text::address("-s", four(0)?, four(8)?, invert & 8 != 0),
        text::address("-d", four(4)?, four(12)?, invert & 16 != 0),
        text::interface("-i", entry.get(16..32)?, entry.get(48..64)?, invert & 1 != 0),
        text::interface("-o", entry.get(32..48)?, entry.get(64..80)?, invert & 2 != 0),
        text::protocol(u16_at(entry, 80)?, invert & 64 != 0),
        (entry.get(82)? & 1 != 0).then(|| Part::Text(format!("{}-f", text::not(invert & 32 != 0)))), // IPT_F_FRAG
    ];
    Some(parts.into_iter().flatten().collect())
}

/// `struct ip6t_ip6`: src, dst, smsk, dmsk (16 bytes each), iniface\[16\] at 64, outiface\[16\] at 80, their masks at 96 and 112, proto (u16) at
/// 128, tos at 130, flags at 131, invflags at 132 (same bits as IPv4).
fn head_v6(entry: &[u8]) -> Option<Vec<Part>> {
    let sixteen = |at: usize| -> Option<[u8; 16]> { entry.get(at..at + 16)?.try_into().ok() };
    let invert = *entry.get(132)?;
    let address = |flag: &str, address: [u8; 16], mask: [u8; 16], inverted: bool| {
        let bits = u128::from_be_bytes(mask);
        let prefix = bits.leading_ones();
        let mask = if bits.count_ones() == prefix { prefix.to_string() } else { Ipv6Addr::from(mask).to_string() };
        (bits != 0 || inverted).then(|| Part::Text(format!("{}{flag} {}/{mask}", text::not(inverted), Ipv6Addr::from(address))))
    };
    let parts = [
        address("-s", sixteen(0)?, sixteen(32)?, invert & 8 != 0),
        address("-d", sixteen(16)?, sixteen(48)?, invert & 16 != 0),
        text::interface("-i", entry.get(64..80)?, entry.get(96..112)?, invert & 1 != 0),
        text::interface("-o", entry.get(80..96)?, entry.get(112..128)?, invert & 2 != 0),
        text::protocol(u16_at(entry, 128)?, invert & 64 != 0),
    ];
    Some(parts.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::fixture::{bytes, spoil};

    const FOUR: &str = include_str!("../../../../../tests/fixtures/legacy-v4.hex");
    const SIX: &str = include_str!("../../../../../tests/fixtures/legacy-v6.hex");
    /// `sizeof(struct ipt_getinfo)`: what a fixture begins with.
    const INFO: usize = 84;

    fn rules(table: &Table, chain: &str) -> Vec<String> {
        table.chains.iter().find(|it| it.name == chain).unwrap().rules.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_table_of_ipv4_is_decoded() {
        let blob = bytes(FOUR);
        let table = parse_v4("filter", &blob[..INFO], &blob[INFO..]).unwrap();
        let chains: Vec<_> = table.chains.iter().map(|it| (it.name.as_str(), it.policy, it.hooked, it.reachable)).collect();
        assert_eq!(
            chains,
            [
                ("INPUT", "ACCEPT", true, Some(true)),
                ("FORWARD", "DROP", true, Some(true)),
                ("OUTPUT", "ACCEPT", true, Some(true)),
                ("CHAOS-OUTPUT", "-", false, Some(true)),
                ("TC-TABLES-0", "-", false, Some(true))
            ]
        );
        assert_eq!(rules(&table, "INPUT")[0], "! -s 10.0.0.0/9 -i eth+ -p tcp -m tcp --sport 1024:65535 --dport 80 -j DROP");
        assert_eq!(rules(&table, "CHAOS-OUTPUT"), ["-m set --match-set #2 dst,dst -j DROP", "-g TC-TABLES-0"]);
        let last = &rules(&table, "TC-TABLES-0")[1];
        assert!(last.starts_with("-p tcp -m limit#") && last.ends_with(" -j REJECT --reject-with icmp-port-unreachable"), "{last}");
        assert_eq!(table.chains[2].rules[0].counters.map(|count| count.packets), Some(6)); // three datagrams, three answers
    }

    #[test]
    fn a_table_of_ipv6_is_decoded() {
        let blob = bytes(SIX);
        let table = parse_v6("filter", &blob[..INFO], &blob[INFO..]).unwrap();
        assert_eq!(rules(&table, "INPUT"), ["-s fe80::/10 -i lo+ -p ipv6-icmp -j ACCEPT"]);
        assert_eq!(rules(&table, "CHAOS-OUTPUT"), ["-d 2001:db8::/33 -m set --match-set #4 dst -j DROP"]);
        assert_eq!(table.chains.iter().find(|it| it.name == "OUTPUT").unwrap().policy, "DROP");
    }

    #[test]
    fn spoilt_bytes_give_a_value_or_an_error() {
        for (fixture, layout) in [(FOUR, &V4), (SIX, &V6)] {
            let blob = bytes(fixture);
            spoil(&blob, |spoilt| parse(layout, "filter", &spoilt[..spoilt.len().min(INFO)], spoilt.get(INFO..).unwrap_or(&[])));
        }
    }
}
