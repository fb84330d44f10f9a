//! The expressions of one `nf_tables` rule as parts of a [`Rule`].
//!
//! `iptables-nft` writes a rule as a fixed sequence (load, compare, …, counter, verdict); such rules are printed as `iptables-save`
//! prints them. A rule with anything else is a native one: it gets the names of its expressions and a fingerprint,
//! `nft meta,cmp,limit#0badcafe`. To recognise one more shape: an arm in [`Reader::step`].

use super::super::super::error::ReadError;
use super::super::super::netlink::{attributes, be32, be64, name};
use super::super::text::{self, Part};
use super::super::{Counters, Family, Rule, Verdict};
use std::fmt::Write as _;

// NFT_META_*
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_L4PROTO: u32 = 16;
// NFT_PAYLOAD_*
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
// NFT_CMP_*, NFT_RANGE_*; EQ is 0. `iptables-nft` writes ports from 0 on as LTE, those up to the last as GT.
const NEQ: u32 = 1;
const LTE: u32 = 3;
const GT: u32 = 4;
/// `IFNAMSIZ`.
const IFNAMSIZ: usize = 16;

/// What the register holds that the next comparison looks at.
#[derive(Clone, Copy)]
enum Loaded {
    Nothing,
    Meta(u32),
    Payload { base: u32, offset: u32, length: u32 },
}

/// Decodes an expression list (`NFTA_RULE_EXPRESSIONS`).
pub(super) fn rule(list: &[u8], family: Family) -> Result<Rule, ReadError> {
    let mut reader = Reader {
        family,
        rule: Rule { parts: Vec::new(), verdict: Verdict::Continue, counters: None, verdict_map: false },
        head: [const { None }; 5],
        loaded: Loaded::Nothing,
        mask: None,
        protocol: None,
        ports: None,
        plain: true,
    };
    for element in attributes(list) {
        let (kind, data) = expression(element?.1)?;
        reader.plain &= reader.step(kind, data)?.is_some();
    }
    reader.finish(list)
}

/// Name and data of one expression.
fn expression(element: &[u8]) -> Result<(&[u8], &[u8]), ReadError> {
    let (mut kind, mut data): (&[u8], &[u8]) = (&[], &[]);
    for attribute in attributes(element) {
        match attribute? {
            (1, value) => kind = value.strip_suffix(b"\0").unwrap_or(value), // NFTA_EXPR_NAME
            (2, value) => data = value,                                      // NFTA_EXPR_DATA
            _ => {}
        }
    }
    Ok((kind, data))
}

/// The identity of a rule that `iptables-nft` did not write: names of its expressions and a fingerprint of their data.
fn identity(list: &[u8]) -> Result<String, ReadError> {
    let (mut text, mut bytes) = (String::from("nft "), Vec::new());
    for element in attributes(list) {
        let (kind, data) = expression(element?.1)?;
        if !bytes.is_empty() {
            text.push(',');
        }
        text.push_str(&name(kind));
        bytes.extend_from_slice(kind);
        // Running state would give the same rule a new identity at every read; of a quota, only its size (1) is none.
        match kind {
            b"counter" | b"last" => {}
            b"quota" => bytes.extend_from_slice(first(data, 1)?.unwrap_or(&[])),
            _ => bytes.extend_from_slice(data),
        }
    }
    let _ = write!(text, "#{:08x}", text::fingerprint(&bytes));
    Ok(text)
}

struct Reader {
    family: Family,
    rule: Rule,
    /// `-s -d -i -o -p`, in the order `iptables-save` prints them, which is not the order of the expressions.
    head: [Option<Part>; 5],
    loaded: Loaded,
    mask: Option<[u8; 4]>,
    protocol: Option<u8>,
    /// Which of the rule's parts holds its ports, and those.
    ports: Option<(usize, [Option<String>; 2])>,
    plain: bool,
}

impl Reader {
    /// Understands one expression; `None` when it is not of the shapes `iptables-nft` writes.
    fn step(&mut self, kind: &[u8], data: &[u8]) -> Result<Option<()>, ReadError> {
        let field = |wanted| first(data, wanted);
        match kind {
            b"counter" => {
                let counter = |bytes: Option<&[u8]>| bytes.and_then(be64).ok_or(ReadError::Malformed("nft counter without a value"));
                self.rule.counters = Some(Counters { bytes: counter(field(1)?)?, packets: counter(field(2)?)? });
            }
            b"meta" => self.loaded = field(2)?.and_then(be32).map_or(Loaded::Nothing, Loaded::Meta),
            b"payload" => {
                let numbers = (field(2)?.and_then(be32), field(3)?.and_then(be32), field(4)?.and_then(be32));
                let (Some(base), Some(offset), Some(length)) = numbers else { return Ok(None) };
                self.loaded = Loaded::Payload { base, offset, length };
            }
            b"bitwise" => {
                let Some(mask) = field(4)? else { return Ok(None) };
                self.mask = first(mask, 1)?.and_then(|mask| mask.try_into().ok());
                return Ok(self.mask.map(|_| ()));
            }
            b"cmp" => {
                let (Some(operator), Some(value)) = (field(2)?.and_then(be32), field(3)?) else { return Ok(None) };
                return Ok(first(value, 1)?.and_then(|value| match operator {
                    0 | NEQ => self.compare(operator == NEQ, value),
                    LTE => self.ports([0, 0], value, false),
                    GT => self.ports(after(value)?, &[0xff; 2], false),
                    _ => None,
                }));
            }
            b"range" => {
                let (Some(operator), Some(from), Some(to)) = (field(2)?.and_then(be32), field(3)?, field(4)?) else { return Ok(None) };
                let (Some(from), Some(to)) = (first(from, 1)?, first(to, 1)?) else { return Ok(None) };
                return Ok(from.try_into().ok().filter(|_| operator <= NEQ).and_then(|from| self.ports(from, to, operator == NEQ)));
            }
            b"match" => {
                let (Some(extension), Some(info)) = (field(1)?, field(3)?) else { return Ok(None) };
                self.rule.parts.push(text::matched(&name(extension), info));
            }
            b"target" => {
                let (Some(extension), info) = (field(1)?, field(3)?.unwrap_or(&[])) else { return Ok(None) };
                let extension = name(extension);
                self.rule.parts.push(text::targeted(&extension, info, self.family));
                self.rule.verdict = Verdict::Target(extension);
            }
            b"immediate" => return self.immediate(data),
            b"lookup" | b"vmap" => {
                // NFTA_LOOKUP_DREG 3 = 0 (NFT_REG_VERDICT): a verdict map.
                self.rule.verdict_map |= field(3)?.and_then(be32) == Some(0);
                return Ok(None);
            }
            b"reject" => {
                self.rule.verdict = Verdict::Target("REJECT".to_owned());
                return Ok(None);
            }
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// A verdict: `NFTA_IMMEDIATE_DATA` 2 > `NFTA_DATA_VERDICT` 2 > code 1, chain 2. `NF_DROP` 0, `NF_ACCEPT` 1, `NFT_JUMP` -3, `NFT_GOTO` -4,
    /// `NFT_RETURN` -5.
    fn immediate(&mut self, data: &[u8]) -> Result<Option<()>, ReadError> {
        let Some(value) = first(data, 2)? else { return Ok(None) };
        let Some(verdict) = first(value, 2)? else { return Ok(None) };
        let code = first(verdict, 1)?.and_then(be32).map(u32::cast_signed).ok_or(ReadError::Malformed("nft verdict without a code"))?;
        let chain = || Ok(name(first(verdict, 2)?.ok_or(ReadError::Malformed("nft jump without a chain"))?));
        self.rule.verdict = match code {
            0 => Verdict::Drop,
            1 => Verdict::Accept,
            -3 => Verdict::Jump(chain()?),
            -4 => Verdict::Goto(chain()?),
            -5 => Verdict::Return,
            _ => return Ok(None),
        };
        Ok(Some(()))
    }

    /// A comparison with what was loaded before.
    fn compare(&mut self, inverted: bool, value: &[u8]) -> Option<()> {
        if let Loaded::Payload { base: TRANSPORT_HEADER, .. } = self.loaded {
            return self.ports(value.try_into().ok()?, value, inverted);
        }
        let mask = self.mask.take();
        let loaded = std::mem::replace(&mut self.loaded, Loaded::Nothing);
        let (place, part) = match loaded {
            Loaded::Meta(META_IIFNAME) => (2, device("-i", value, inverted)),
            Loaded::Meta(META_OIFNAME) => (3, device("-o", value, inverted)),
            Loaded::Meta(META_L4PROTO) => (4, self.protocol(value, inverted)),
            Loaded::Payload { base: NETWORK_HEADER, offset, length } if self.family == Family::Ipv4 => match offset {
                9 => (4, self.protocol(value, inverted)),
                12 => (0, ipv4("-s", value, length, mask, inverted)),
                16 => (1, ipv4("-d", value, length, mask, inverted)),
                _ => return None,
            },
            _ => return None,
        };
        self.head[place].replace(part?).is_none().then_some(())
    }

    fn protocol(&mut self, value: &[u8], inverted: bool) -> Option<Part> {
        self.protocol = value.first().copied().filter(|_| !inverted);
        text::protocol(u16::from(*value.first()?), inverted)
    }

    /// A comparison of a port with what it may be. Both ports of a rule are printed as one match, the source first.
    fn ports(&mut self, from: [u8; 2], to: &[u8], inverted: bool) -> Option<()> {
        let loaded = std::mem::replace(&mut self.loaded, Loaded::Nothing);
        let Loaded::Payload { base: TRANSPORT_HEADER, offset: offset @ (0 | 2), length: 2 } = loaded else { return None };
        let extension = match self.protocol.filter(|_| self.mask.is_none())? {
            6 => "tcp",
            17 => "udp",
            _ => return None,
        };
        let (from, to) = (u16::from_be_bytes(from), u16::from_be_bytes(to.try_into().ok()?));
        let flag = if offset == 0 { "sport" } else { "dport" };
        let (at, texts) = self.ports.get_or_insert_with(|| {
            self.rule.parts.push(Part::Text(String::new()));
            (self.rule.parts.len() - 1, [None, None])
        });
        let text = text::ports(flag, from, to, inverted);
        texts[usize::from(offset != 0)].replace(text).is_none().then_some(())?;
        self.rule.parts[*at] = Part::Text(format!("-m {extension}{}", texts.iter().flatten().map(String::as_str).collect::<String>()));
        Some(())
    }

    fn finish(mut self, list: &[u8]) -> Result<Rule, ReadError> {
        if self.plain {
            self.rule.parts.splice(0..0, self.head.into_iter().flatten());
        } else {
            // Set matches stay recognisable: they are what chaos rules are made of.
            self.rule.parts.retain(|part| matches!(part, Part::Set(_)));
            self.rule.parts.push(Part::Text(identity(list)?));
        }
        Ok(self.rule)
    }
}

/// The value of the first attribute of this type.
fn first(bytes: &[u8], wanted: u16) -> Result<Option<&[u8]>, ReadError> {
    for attribute in attributes(bytes) {
        let (kind, value) = attribute?;
        if kind == wanted {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The port after this one.
fn after(port: &[u8]) -> Option<[u8; 2]> {
    u16::from_be_bytes(port.try_into().ok()?).checked_add(1).map(u16::to_be_bytes)
}

/// An address whose prefix is a whole number of bytes is loaded and compared in that length, without a mask.
fn ipv4(flag: &str, value: &[u8], length: u32, mask: Option<[u8; 4]>, inverted: bool) -> Option<Part> {
    let mut address = [0; 4];
    let taken = value.len().min(length as usize).min(4);
    address[..taken].copy_from_slice(&value[..taken]);
    let mut whole = [0; 4];
    whole[..taken].fill(0xff);
    text::address(flag, address, mask.unwrap_or(whole), inverted)
}

/// A whole name is compared with its padding (16 bytes), a prefix without.
fn device(flag: &str, value: &[u8], inverted: bool) -> Option<Part> {
    let length = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    let mut mask = [0xff; IFNAMSIZ];
    if length == value.len() && value.len() < IFNAMSIZ {
        mask[length..].fill(0);
    }
    text::interface(flag, value, &mask, inverted)
}
