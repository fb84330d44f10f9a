//! IP sets of one namespace: headers (name, type, number of members) by default, members on request.
//!
//! A rule that matches a set holds the set's *index*; [`name_of`] turns one into a name. Layouts:
//! `include/uapi/linux/netfilter/ipset/ip_set.h`. To list members of one more set type: an attribute in [`member`].

use super::error::ReadError;
use super::netlink::{Buffer, Request, Socket, attributes, be32, messages, name};
use serde::Serialize;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// `NFNL_SUBSYS_IPSET`, the upper byte of a message type.
const SUBSYSTEM: u16 = 6 << 8;
/// `IPSET_CMD_LIST`.
const LIST: u16 = SUBSYSTEM | 7;
/// `IPSET_CMD_GET_BYINDEX`.
const GET_BY_INDEX: u16 = SUBSYSTEM | 15;
/// `struct nfgenmsg`: family `AF_INET`, version 0, resource 0.
const NFGENMSG: [u8; 4] = [2, 0, 0, 0];
/// `IPSET_PROTOCOL`.
const PROTOCOL: u8 = 7;
/// How often a list that changed meanwhile is read again.
const ATTEMPTS: usize = 4;
const RENAMED: ReadError = ReadError::Interrupted("ipset list");
/// `IPSET_FLAG_LIST_HEADER`: no members, please.
const LIST_HEADER: u32 = 1 << 2;

// Attributes of a message (enum at "The protocol version"), and inside IPSET_ATTR_DATA of a set.
const ATTR_PROTOCOL: u16 = 1;
const ATTR_SETNAME: u16 = 2;
const ATTR_TYPENAME: u16 = 3;
const ATTR_FAMILY: u16 = 5;
const ATTR_FLAGS: u16 = 6;
const ATTR_DATA: u16 = 7;
const ATTR_ADT: u16 = 8;
const ATTR_INDEX: u16 = 11;
const ATTR_ELEMENTS: u16 = 24;
const ATTR_REFERENCES: u16 = 25;

/// One set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// `hash:net`, `list:set`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `inet`, `inet6` or empty where the type has none.
    pub family: &'static str,
    /// How many members the kernel counts (expired ones excluded); absent when the kernel did not say.
    pub members: Option<u64>,
    /// How many rules and sets refer to it.
    pub references: Option<u64>,
    /// The members as text, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<String>,
}

/// Reads all sets of the namespace the socket was opened in; with `members`, their members too. The kernel answers set by set and has no
/// generation to compare: two sets may be some microseconds apart, and only that a name moved from one to the other is noticed.
/// While the kernel writes down a set, swapping, renaming or destroying it is refused, as with every other lister: a header takes microseconds.
pub fn read(socket: &mut Socket, buffer: &mut Buffer, members: bool) -> Result<Vec<Set>, ReadError> {
    let request = Request::new(LIST, &NFGENMSG).attribute(ATTR_PROTOCOL, &[PROTOCOL]);
    let request = if members { request } else { request.attribute(ATTR_FLAGS, &LIST_HEADER.to_be_bytes()) };
    for _ in 0..ATTEMPTS {
        match parse(socket.dump("ipset list", &request, buffer)?) {
            Err(ReadError::Interrupted(_)) => {}
            outcome => return outcome,
        }
    }
    Err(RENAMED)
}

/// The name of the set with this index, as rules refer to it. `None` when there is none.
pub fn name_of(index: u16, socket: &mut Socket, buffer: &mut Buffer) -> Result<Option<String>, ReadError> {
    let request =
        Request::new(GET_BY_INDEX, &NFGENMSG).attribute(ATTR_PROTOCOL, &[PROTOCOL]).attribute(ATTR_INDEX | 0x4000, &index.to_be_bytes());
    let Some(answer) = socket.get("ipset name", &request, buffer)? else { return Ok(None) };
    Ok(parse(answer)?.into_iter().next().map(|set| set.name))
}

/// Decodes a list. A set with many members comes in several messages, of which only the first tells its type; they are joined. Two sets
/// of one name, or members of another one, mean that sets were renamed meanwhile: [`ReadError::Interrupted`].
pub fn parse(bytes: &[u8]) -> Result<Vec<Set>, ReadError> {
    let mut out: Vec<Set> = Vec::new();
    let mut names = HashSet::new();
    for message in messages(bytes) {
        let payload = message?.payload.get(NFGENMSG.len()..).ok_or(ReadError::Malformed("ipset message shorter than struct nfgenmsg"))?;
        let part = set(payload)?;
        if part.name.is_empty() {
            return Err(ReadError::Malformed("ipset without a name"));
        }
        match out.last_mut().filter(|last| last.name == part.name && part.kind.is_empty()) {
            Some(last) => last.list.extend(part.list),
            None if names.insert(part.name.clone()) => out.push(part),
            None => return Err(RENAMED),
        }
    }
    Ok(out)
}

fn set(payload: &[u8]) -> Result<Set, ReadError> {
    let mut out = Set::default();
    for attribute in attributes(payload) {
        match attribute? {
            (ATTR_SETNAME, value) => out.name = name(value),
            (ATTR_TYPENAME, value) => out.kind = name(value),
            (ATTR_FAMILY, [2]) => out.family = "inet",   // AF_INET
            (ATTR_FAMILY, [10]) => out.family = "inet6", // AF_INET6
            (ATTR_DATA, value) => {
                for detail in attributes(value) {
                    match detail? {
                        (ATTR_ELEMENTS, value) => out.members = be32(value).map(u64::from),
                        (ATTR_REFERENCES, value) => out.references = be32(value).map(u64::from),
                        _ => {}
                    }
                }
            }
            (ATTR_ADT, value) => {
                for entry in attributes(value) {
                    out.list.push(member(entry?.1)?);
                }
            }
            _ => {}
        }
    }
    Ok(out)
}

/// One member as `ipset save` prints it, for the address, network, port and set types: IP 1 (nested: v4 1, v6 2), CIDR 3, PORT 4,
/// PROTO 7, NAME 18, IP2 20, CIDR2 21, IFACE 23; other parts are left out. A prefix as long as the address is not printed.
fn member(bytes: &[u8]) -> Result<String, ReadError> {
    let (mut text, mut protocol, mut port) = (String::new(), None, None);
    for attribute in attributes(bytes) {
        match attribute? {
            (1 | 20, value) => {
                if !text.is_empty() {
                    text.push(',');
                }
                text.push_str(&address(value)?);
            }
            (3 | 21, [prefix]) if *prefix != if text.contains(':') { 128 } else { 32 } => drop(write!(text, "/{prefix}")),
            (4, value) => port = value.get(..2).map(|two| u16::from_be_bytes([two[0], two[1]])),
            (7, [number]) => protocol = Some(*number),
            (18, value) => text = name(value),
            (23, value) => drop(write!(text, ",{}", name(value))),
            _ => {}
        }
    }
    if let Some(port) = port {
        match protocol {
            Some(6) => drop(write!(text, ",tcp:{port}")),
            Some(17) => drop(write!(text, ",udp:{port}")),
            Some(132) => drop(write!(text, ",sctp:{port}")),
            Some(other) => drop(write!(text, ",{other}:{port}")),
            None => drop(write!(text, "{}{port}", if text.is_empty() { "" } else { "," })),
        }
    }
    Ok(text)
}

fn address(bytes: &[u8]) -> Result<String, ReadError> {
    for attribute in attributes(bytes) {
        match attribute? {
            (1, value) if value.len() == 4 => return Ok(Ipv4Addr::new(value[0], value[1], value[2], value[3]).to_string()),
            (2, value) => {
                if let Ok(octets) = <[u8; 16]>::try_from(value) {
                    return Ok(Ipv6Addr::from(octets).to_string());
                }
            }
            _ => {}
        }
    }
    Err(ReadError::Malformed("ipset member without an address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::fixture::{bytes, spoil};

    const LIST: &str = include_str!("../../../tests/fixtures/ipset-list.hex");

    #[test]
    fn headers_and_members_are_decoded() {
        let sets = parse(&bytes(LIST)).unwrap();
        let shown: Vec<_> =
            sets.iter().map(|set| (set.name.as_str(), set.kind.as_str(), set.family, set.members, set.list.join(" "))).collect();
        let row = |name, kind, family, members, list: &str| (name, kind, family, Some(members), list.to_owned());
        assert_eq!(
            shown,
            [
                row("web-s_5e00029ea14a1_net_tgt", "hash:net", "inet", 1, "127.0.0.2"),
                row("web-s_5e00029ea_netport_tgt", "hash:net,port", "inet", 1, "127.0.0.3,udp:7"),
                row("web-s_5e00029ea14_net_netgt", "hash:net", "inet", 0, ""),
                row("six", "hash:net", "inet6", 1, "::2"),
                row("web-s_5e00029ea14a1_set_tgt", "list:set", "", 2, "web-s_5e00029ea14a1_net_tgt web-s_5e00029ea_netport_tgt"),
            ]
        );
        assert_eq!(sets[0].references, Some(1));
    }

    #[test]
    fn two_sets_of_one_name_mean_that_they_were_renamed() {
        let one = bytes(LIST);
        let twice = [&one[..], &one[..]].concat();
        assert_eq!(parse(&twice), Err(RENAMED));
    }

    #[test]
    fn members_in_a_second_message_are_joined() {
        let one = bytes(LIST);
        let first = messages(&one).next().unwrap().unwrap().payload.len() + 16;
        // The kernel goes on with the name and the members alone: without the type (attribute 3), the rest says nothing new.
        let mut more = one[..first].to_vec();
        let at = more.windows(4).position(|four| four == [0x0d, 0, 3, 0]).unwrap();
        more[at + 2] = 99;
        let sets = parse(&[&one[..first], &more[..]].concat()).unwrap();
        assert_eq!((sets.len(), sets[0].list.as_slice()), (1, ["127.0.0.2", "127.0.0.2"].map(str::to_owned).as_slice()));
    }

    #[test]
    fn spoilt_bytes_give_a_value_or_an_error() {
        spoil(&bytes(LIST), parse);
    }
}
