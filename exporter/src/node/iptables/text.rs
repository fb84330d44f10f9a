//! A rule as text. The finite shapes that chaos tools write are printed exactly as `iptables-save` prints them; anything else gets a
//! stable identity: the extension's name and a fingerprint of its bytes, `-m limit#5e1f0c22`.
//!
//! Layouts: `include/uapi/linux/netfilter/xt_*.h`, `netfilter_ipv4/ipt_REJECT.h`. To print one more extension: an arm in [`matched`] or
//! [`targeted`].

use super::super::netlink::{name, u16_at, u32_at};
use super::{Family, Rule, Verdict};
use std::fmt;
use std::net::Ipv4Addr;

/// A piece of a rule: one condition, one match extension or the target's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Ready text.
    Text(String),
    /// `-m set --match-set NAME DIRECTIONS`.
    Set(SetMatch),
}

/// A match on an ipset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetMatch {
    /// Index of the set in its namespace.
    pub index: u16,
    /// Its name, once looked up.
    pub name: Option<String>,
    /// `! ` in front.
    pub inverted: bool,
    /// `src`, `dst,dst`, …
    pub directions: String,
    /// Options beyond the plain form, as a fingerprint.
    pub more: Option<u32>,
}

impl Part {
    /// The set match in it.
    pub fn as_set(&self) -> Option<&SetMatch> {
        match self {
            Self::Set(set) => Some(set),
            Self::Text(_) => None,
        }
    }

    /// The set match in it, to be named.
    pub fn as_set_mut(&mut self) -> Option<&mut SetMatch> {
        match self {
            Self::Set(set) => Some(set),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Set(set) => {
                f.write_str(if set.inverted { "-m set ! --match-set " } else { "-m set --match-set " })?;
                match &set.name {
                    Some(name) => f.write_str(name)?,
                    None => write!(f, "#{}", set.index)?,
                }
                write!(f, " {}", set.directions)?;
                set.more.map_or(Ok(()), |print| write!(f, " #{print:08x}"))
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            part.fmt(f)?;
        }
        let space = if self.parts.is_empty() { "" } else { " " };
        match &self.verdict {
            Verdict::Continue | Verdict::Target(_) => Ok(()), // a target's text is its last part
            Verdict::Accept => write!(f, "{space}-j ACCEPT"),
            Verdict::Drop => write!(f, "{space}-j DROP"),
            Verdict::Return => write!(f, "{space}-j RETURN"),
            Verdict::Jump(chain) => write!(f, "{space}-j {chain}"),
            Verdict::Goto(chain) => write!(f, "{space}-g {chain}"),
        }
    }
}

/// FNV-1a: the same bytes give the same eight digits in every release.
pub fn fingerprint(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// `! ` when inverted.
pub fn not(inverted: bool) -> &'static str {
    if inverted { "! " } else { "" }
}

/// `-s 10.0.0.0/8`; nothing for "any".
pub fn address(flag: &str, address: [u8; 4], mask: [u8; 4], inverted: bool) -> Option<Part> {
    if mask == [0; 4] && address == [0; 4] && !inverted {
        return None;
    }
    let bits = u32::from_be_bytes(mask);
    let prefix = bits.leading_ones();
    let network = Ipv4Addr::from(address);
    let mask = if bits.count_ones() == prefix { prefix.to_string() } else { Ipv4Addr::from(mask).to_string() };
    Some(Part::Text(format!("{}{flag} {network}/{mask}", not(inverted))))
}

/// `-i eth0`; the mask covers the final NUL of a whole name and ends before that of a prefix, which gets a `+`. Whether the name's own
/// bytes hold that `+` is up to who wrote the rule.
pub fn interface(flag: &str, device: &[u8], mask: &[u8], inverted: bool) -> Option<Part> {
    let covered = mask.iter().position(|byte| *byte == 0).unwrap_or(mask.len()).min(device.len());
    if covered == 0 {
        return None;
    }
    let device = &device[..covered];
    let plus = if device.contains(&0) || covered == mask.len() { "" } else { "+" };
    Some(Part::Text(format!("{}{flag} {}{plus}", not(inverted), name(device))))
}

/// `-p tcp`; the names `iptables-save` has built in, numbers for the rest.
pub fn protocol(number: u16, inverted: bool) -> Option<Part> {
    let word = match number {
        0 => return None,
        1 => "icmp",
        6 => "tcp",
        17 => "udp",
        50 => "esp",
        51 => "ah",
        58 => "ipv6-icmp",
        132 => "sctp",
        136 => "udplite",
        other => return Some(Part::Text(format!("{}-p {other}", not(inverted)))),
    };
    Some(Part::Text(format!("{}-p {word}", not(inverted))))
}

/// A match extension.
pub fn matched(extension: &str, info: &[u8]) -> Part {
    match extension {
        "set" => set(info).map(Part::Set),
        "tcp" => tcp(info).map(Part::Text),
        "udp" => udp(info).map(Part::Text),
        "conntrack" => conntrack(info).map(Part::Text),
        "socket" => socket(info).map(Part::Text),
        _ => None,
    }
    .unwrap_or_else(|| Part::Text(format!("-m {extension}{}", identity(info))))
}

/// A target extension with its arguments.
pub fn targeted(extension: &str, info: &[u8], family: Family) -> Part {
    let text = match extension {
        "CLASSIFY" => u32_at(info, 0).map(|class| format!("-j CLASSIFY --set-class {:04x}:{:04x}", class >> 16, class & 0xffff)),
        "MARK" => mark(info),
        "TPROXY" => tproxy(info),
        "REJECT" if family == Family::Ipv4 => reject(info),
        _ => None,
    };
    Part::Text(text.unwrap_or_else(|| format!("-j {extension}{}", identity(info))))
}

/// Nothing for an extension without arguments.
fn identity(info: &[u8]) -> String {
    if info.iter().all(|byte| *byte == 0) { String::new() } else { format!("#{:08x}", fingerprint(info)) }
}

/// `struct xt_set_info`: index u16, dim u8, flags u8; flag bit 0 inverts, bit i is set when dimension i is the source. Revisions 3
/// and 4 go on with counters and flags, all zero in the plain form.
fn set(info: &[u8]) -> Option<SetMatch> {
    let (dimensions, flags) = (*info.get(2)?, *info.get(3)?);
    let direction = |dimension: u8| if flags >> dimension & 1 == 1 { "src" } else { "dst" };
    let directions: Vec<_> = (1..=dimensions.min(6)).map(direction).collect(); // IPSET_DIM_MAX
    let rest = &info[4..];
    Some(SetMatch {
        index: u16_at(info, 0)?,
        name: None,
        inverted: flags & 1 == 1,
        directions: directions.join(","),
        more: rest.iter().any(|byte| *byte != 0).then(|| fingerprint(rest)),
    })
}

/// Ports: one, or a range; nothing for all.
pub fn ports(flag: &str, from: u16, to: u16, inverted: bool) -> String {
    match (from, to) {
        (0, 0xffff) if !inverted => String::new(),
        _ if from == to => format!(" {}--{flag} {from}", not(inverted)),
        _ => format!(" {}--{flag} {from}:{to}", not(inverted)),
    }
}

/// `struct xt_tcp`: spts\[2\], dpts\[2\], option, `flg_mask`, `flg_cmp`, invflags.
fn tcp(info: &[u8]) -> Option<String> {
    let [option, mask, compare, invert] = *info.get(8..12)? else { return None };
    if option != 0 || mask != 0 || compare != 0 {
        return None;
    }
    let source = ports("sport", u16_at(info, 0)?, u16_at(info, 2)?, invert & 1 != 0);
    Some(format!("-m tcp{source}{}", ports("dport", u16_at(info, 4)?, u16_at(info, 6)?, invert & 2 != 0)))
}

/// `struct xt_udp`: spts\[2\], dpts\[2\], invflags.
fn udp(info: &[u8]) -> Option<String> {
    let invert = *info.get(8)?;
    let source = ports("sport", u16_at(info, 0)?, u16_at(info, 2)?, invert & 1 != 0);
    Some(format!("-m udp{source}{}", ports("dport", u16_at(info, 4)?, u16_at(info, 6)?, invert & 2 != 0)))
}

/// `struct xt_conntrack_mtinfo3` with nothing but a state: `match_flags` (u16) at 146, `invert_flags` at 148, `state_mask` at 150.
/// `XT_CONNTRACK_STATE` 1; `XT_CONNTRACK_STATE_ALIAS` 2^13 says that it was written as `-m state`. State bits: `XT_CONNTRACK_STATE_INVALID` 1,
/// then 1 << (`ip_conntrack_info` % 3 + 1), SNAT, DNAT and untracked from 1 << (`IP_CT_NUMBER` 5 + 1) on.
fn conntrack(info: &[u8]) -> Option<String> {
    let (flags, invert, bits) = (u16_at(info, 146)?, u16_at(info, 148)?, u16_at(info, 150)?);
    let flag = match flags {
        0x2001 => "-m state{not} --state",
        0x0001 => "-m conntrack{not} --ctstate",
        _ => return None,
    };
    let names = [(1, "INVALID"), (8, "NEW"), (4, "RELATED"), (2, "ESTABLISHED"), (256, "UNTRACKED"), (64, "SNAT"), (128, "DNAT")];
    if bits >> 9 != 0 {
        return None;
    }
    let known: Vec<_> = names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    let not = if invert & 1 != 0 { " !" } else { "" };
    (!known.is_empty()).then(|| format!("{} {}", flag.replace("{not}", not), known.join(",")))
}

/// `struct xt_socket_mtinfo1`: flags; `XT_SOCKET_TRANSPARENT` 1, `NOWILDCARD` 2, `RESTORESKMARK` 4.
fn socket(info: &[u8]) -> Option<String> {
    let flags = info.first().copied().unwrap_or(0);
    let names = [(1, " --transparent"), (2, " --nowildcard"), (4, " --restore-skmark")];
    (flags < 8).then(|| names.iter().filter(|(bit, _)| flags & bit != 0).fold(String::from("-m socket"), |text, (_, name)| text + name))
}

/// `struct xt_mark_tginfo2`: mark, mask.
fn mark(info: &[u8]) -> Option<String> {
    Some(format!("-j MARK --set-xmark {:#x}/{:#x}", u32_at(info, 0)?, u32_at(info, 4)?))
}

/// `struct xt_tproxy_target_info_v1`: `mark_mask`, `mark_value`, laddr (16 bytes), lport (big-endian).
fn tproxy(info: &[u8]) -> Option<String> {
    let (mask, value) = (u32_at(info, 0)?, u32_at(info, 4)?);
    let address: [u8; 4] = info.get(8..12)?.try_into().ok()?;
    let port = u16::from_be_bytes(info.get(24..26)?.try_into().ok()?);
    Some(format!("-j TPROXY --on-port {port} --on-ip {} --tproxy-mark {value:#x}/{mask:#x}", Ipv4Addr::from(address)))
}

/// `struct ipt_reject_info`: `enum ipt_reject_with`.
fn reject(info: &[u8]) -> Option<String> {
    let word = match u32_at(info, 0)? {
        0 => "icmp-net-unreachable",
        1 => "icmp-host-unreachable",
        2 => "icmp-proto-unreachable",
        3 => "icmp-port-unreachable",
        5 => "icmp-net-prohibited",
        6 => "icmp-host-prohibited",
        7 => "tcp-reset",
        8 => "icmp-admin-prohibited",
        _ => return None,
    };
    Some(format!("-j REJECT --reject-with {word}"))
}
