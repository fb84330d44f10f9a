//! `nf_tables` over netlink: what `iptables-nft` writes and what `nft` writes.
//!
//! Three dumps, chains, tables and rules, and the chains again; when there is no chain there is nothing more to ask. All carry the
//! generation of the rule set, so that a change between them is noticed and all are read again. Of a table only its flag *dormant* is of
//! use: its hooks are off. The *reset* variants of these calls clear counters and are never used.
//! Layouts: `include/uapi/linux/netfilter/nf_tables.h`. How expressions become text is in [`expressions`].

mod expressions;

use super::super::error::ReadError;
use super::super::netlink::{Buffer, Request, Socket, attributes, be32, messages, name};
use super::{Backend, Chain, Family, Rule, Table, mark_reachable};
use std::collections::BTreeMap;

/// `NFNL_SUBSYS_NFTABLES`, the upper byte of a message type.
const SUBSYSTEM: u16 = 10 << 8;
/// `NFT_MSG_GETTABLE`.
const GET_TABLE: u16 = SUBSYSTEM | 1;
/// `NFT_MSG_GETCHAIN`.
const GET_CHAIN: u16 = SUBSYSTEM | 4;
/// `NFT_MSG_GETRULE`.
const GET_RULE: u16 = SUBSYSTEM | 7;
/// `sizeof(struct nfgenmsg)`: family, version, resource id (the generation's lower 16 bits, big-endian).
const NFGENMSG: usize = 4;
/// How often a rule set that changed between the dumps is tried again.
const ATTEMPTS: usize = 4;

// NFTA_TABLE_*
const TABLE_NAME: u16 = 1;
const TABLE_FLAGS: u16 = 2;
/// `NFT_TABLE_F_DORMANT`.
const DORMANT: u32 = 1;
// NFTA_CHAIN_*
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
// NFTA_RULE_*
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;

/// Reads all tables of the namespace the socket was opened in.
pub fn read(socket: &mut Socket, buffer: &mut Buffer) -> Result<Vec<Table>, ReadError> {
    for _ in 0..ATTEMPTS {
        let chains = socket.dump("nft chains", &Request::new(GET_CHAIN, &[0; NFGENMSG]), buffer)?;
        if chains.is_empty() {
            return Ok(Vec::new());
        }
        let generation = generation(chains);
        let mut tables = Tables::default();
        tables.add_chains(chains)?;
        let flags = socket.dump("nft tables", &Request::new(GET_TABLE, &[0; NFGENMSG]), buffer)?;
        if generation.is_none() || self::generation(flags) != generation {
            continue;
        }
        tables.add_flags(flags)?;
        let before = tables.list.clone();
        let rules = socket.dump("nft rules", &Request::new(GET_RULE, &[0; NFGENMSG]), buffer)?;
        if !rules.is_empty() && self::generation(rules) != generation {
            continue;
        }
        let added = tables.add_rules(rules); // an error only counts when all was of one moment
        // The kernel counts a generation before all of it is in force (policies come last), and without rules there is no generation: a
        // second look at the chains tells whether all was of one moment.
        let chains = socket.dump("nft chains", &Request::new(GET_CHAIN, &[0; NFGENMSG]), buffer)?;
        let mut after = Tables::default();
        after.add_chains(chains)?;
        if self::generation(chains) == generation && after.list == before {
            return added.map(|()| tables.finish());
        }
    }
    Err(ReadError::Interrupted("nft rules"))
}

/// Decodes dumps of tables, chains and rules of the same generation.
pub fn parse(tables: &[u8], chains: &[u8], rules: &[u8]) -> Result<Vec<Table>, ReadError> {
    let mut out = Tables::default();
    out.add_chains(chains)?;
    out.add_flags(tables)?;
    out.add_rules(rules)?;
    Ok(out.finish())
}

/// The resource id that all messages have. The kernel marks a dump as interrupted only between its parts, not within one.
fn generation(bytes: &[u8]) -> Option<[u8; 2]> {
    let mut ids = messages(bytes).map(|message| message.ok()?.payload.get(2..4)?.try_into().ok());
    let first = ids.next()??;
    ids.all(|id| id == Some(first)).then_some(first)
}

/// Tables being put together: a chain is found by (family, table, name).
#[derive(Default)]
struct Tables {
    list: Vec<Table>,
    /// Family and name of those whose hooks are off.
    dormant: Vec<(Family, String)>,
    index: BTreeMap<(u8, String, String), (usize, usize)>,
}

impl Tables {
    fn add_chains(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        for message in messages(bytes) {
            let payload = message?.payload;
            let (family, rest) = split(payload)?;
            let (mut table, mut chain, mut policy) = (String::new(), Chain { policy: "-", ..Chain::default() }, None);
            for attribute in attributes(rest) {
                match attribute? {
                    (CHAIN_TABLE, value) => table = name(value),
                    (CHAIN_NAME, value) => chain.name = name(value),
                    (CHAIN_HOOK, _) => chain.hooked = true,
                    (CHAIN_POLICY, value) => policy = be32(value),
                    _ => {}
                }
            }
            if chain.hooked {
                chain.policy = if policy == Some(0) { "DROP" } else { "ACCEPT" }; // NF_DROP 0, NF_ACCEPT 1
            }
            self.add_chain(family, table, chain);
        }
        Ok(())
    }

    fn add_chain(&mut self, family: u8, table: String, chain: Chain) {
        let kind = family_of(family);
        let same = |known: &Table| known.name == table && known.family == kind;
        let at = self.list.iter().position(same).unwrap_or_else(|| {
            self.list.push(Table { backend: Backend::Nft, family: kind, name: table.clone(), chains: Vec::new() });
            self.list.len() - 1
        });
        self.index.insert((family, table, chain.name.clone()), (at, self.list[at].chains.len()));
        self.list[at].chains.push(chain);
    }

    fn add_flags(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        for message in messages(bytes) {
            let (family, rest) = split(message?.payload)?;
            let (mut table, mut flags): (&[u8], _) = (&[], 0);
            for attribute in attributes(rest) {
                match attribute? {
                    (TABLE_NAME, value) => table = value,
                    (TABLE_FLAGS, value) => flags = be32(value).ok_or(ReadError::Malformed("nft table flags too short"))?,
                    _ => {}
                }
            }
            if flags & DORMANT != 0 {
                self.dormant.push((family_of(family), name(table)));
            }
        }
        Ok(())
    }

    fn add_rules(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        // Rules come chain by chain, so the last place is nearly always the right one.
        let (mut last, mut place) = (None, (0, 0));
        for message in messages(bytes) {
            let (family, rest) = split(message?.payload)?;
            let (mut table, mut chain, mut list): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
            for attribute in attributes(rest) {
                match attribute? {
                    (RULE_TABLE, value) => table = value,
                    (RULE_CHAIN, value) => chain = value,
                    (RULE_EXPRESSIONS, value) => list = value,
                    _ => {}
                }
            }
            if last != Some((family, table, chain)) {
                let known = self.index.get(&(family, name(table), name(chain)));
                place = *known.ok_or(ReadError::Malformed("nft rule in a chain that was not listed"))?;
                last = Some((family, table, chain));
            }
            let rule: Rule = expressions::rule(list, family_of(family))?;
            self.list[place.0].chains[place.1].rules.push(rule);
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<Table> {
        for table in &mut self.list {
            if self.dormant.iter().any(|(family, name)| (*family, name) == (table.family, &table.name)) {
                table.chains.iter_mut().for_each(|chain| chain.reachable = Some(false));
            } else {
                mark_reachable(table);
            }
        }
        self.list
    }
}

fn split(payload: &[u8]) -> Result<(u8, &[u8]), ReadError> {
    let rest = payload.get(NFGENMSG..).ok_or(ReadError::Malformed("nft message shorter than struct nfgenmsg"))?;
    Ok((payload[0], rest))
}

/// `NFPROTO_*`.
fn family_of(number: u8) -> Family {
    match number {
        1 => Family::Inet,
        2 => Family::Ipv4,
        3 => Family::Arp,
        5 => Family::Netdev,
        7 => Family::Bridge,
        10 => Family::Ipv6,
        _ => Family::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::node::fixture::{bytes, spoil};

    const CHAINS: &str = include_str!("../../../../tests/fixtures/nft-chains.hex");
    const RULES: &str = include_str!("../../../../tests/fixtures/nft-rules.hex");

    #[test]
    fn chains_and_rules_of_both_writers_are_decoded() {
        let tables = parse(&[], &bytes(CHAINS), &bytes(RULES)).unwrap();
        let find = |table: &str, chain: &str| {
            let chains = &tables.iter().find(|it| it.name == table).unwrap().chains;
            chains.iter().find(|it| it.name == chain).unwrap()
        };
        let forward = find("filter", "FORWARD");
        assert_eq!((forward.policy, forward.hooked, forward.reachable, forward.rules.len()), ("DROP", true, Some(true), 0));
        assert_eq!(
            find("filter", "INPUT").rules.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "! -s 10.0.0.0/9 -i eth+ -p tcp -m tcp --sport 1024:65535 --dport 80 -j DROP",
                "-p tcp -m state --state NEW,ESTABLISHED -m tcp --dport 6443 -j DROP"
            ]
        );
        assert_eq!(find("filter", "CHAOS-OUTPUT").rules[1].verdict, Verdict::Goto("TC-TABLES-0".to_owned()));
        let input = find("house", "input");
        assert_eq!((input.policy, input.rules[0].counters.map(|count| count.packets)), ("DROP", Some(3)));
        assert!(input.rules[1].verdict_map && find("house", "cellar").reachable == Some(true));
    }

    /// A table message with the flag set; the name is padded to four bytes.
    fn dormant(family: u8, name: &[u8]) -> Vec<u8> {
        let attribute = |kind: u16, value: &[u8]| [&(value.len() as u16 + 4).to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        let payload = [&[family, 0, 0, 0][..], &attribute(TABLE_NAME, name), &attribute(TABLE_FLAGS, &DORMANT.to_be_bytes())].concat();
        let length = (16 + payload.len()) as u32;
        [&length.to_ne_bytes()[..], &SUBSYSTEM.to_ne_bytes(), &[0; 10], &payload].concat()
    }

    #[test]
    fn a_dump_of_two_generations_has_none() {
        let (mut one, mut other) = (dormant(2, b"one\0"), dormant(2, b"two\0"));
        (one[18], other[18]) = (7, 7);
        assert_eq!(generation(&[one.clone(), other.clone()].concat()), Some([7, 0]));
        other[18] = 8;
        assert_eq!((generation(&[one, other].concat()), generation(&[])), (None, None));
    }

    #[test]
    fn nothing_is_reached_in_a_dormant_table() {
        let tables = parse(&dormant(2, b"filter\0\0"), &bytes(CHAINS), &bytes(RULES)).unwrap();
        let (asleep, awake): (Vec<_>, Vec<_>) = tables.iter().partition(|table| table.name == "filter" && table.family == Family::Ipv4);
        assert!(asleep[0].chains.len() > 2 && asleep[0].chains.iter().all(|chain| chain.reachable == Some(false)));
        assert!(awake.iter().flat_map(|table| &table.chains).any(|chain| chain.reachable == Some(true)));
    }

    #[test]
    fn a_rule_without_its_chain_is_an_error() {
        assert!(matches!(parse(&[], &[], &bytes(RULES)), Err(ReadError::Malformed(_))));
    }

    #[test]
    fn spoilt_bytes_give_a_value_or_an_error() {
        let (chains, rules) = (bytes(CHAINS), bytes(RULES));
        spoil(&chains, |spoilt| parse(&[], spoilt, &rules));
        spoil(&dormant(2, b"filter\0\0"), |spoilt| parse(spoilt, &chains, &rules));
        spoil(&rules, |spoilt| parse(&[], &chains, spoilt));
    }
}
