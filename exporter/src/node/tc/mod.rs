//! Traffic control of one namespace: qdiscs with decoded parameters and 64-bit statistics, classes, filters.
//!
//! `read()` = `parse(&dump()?)`. The qdisc dump needs no capability beyond being in the namespace. Classes and filters are asked for
//! only where a qdisc can have ones that matter, because each costs a dump per device.
//! Layouts: `include/uapi/linux/rtnetlink.h`, `gen_stats.h`. To decode one more qdisc: a variant in [`options::Options`].

pub mod filter;
pub mod options;

use super::error::ReadError;
use super::netlink::{Buffer, Request, Socket, attributes, messages, name, u32_at, u64_at};
use filter::Filter;
use options::Options;
use serde::{Serialize, Serializer};
use std::fmt;

/// `RTM_GETQDISC`.
const GET_QDISC: u16 = 38;
/// `RTM_NEWQDISC`.
const NEW_QDISC: u16 = 36;
/// `RTM_GETTCLASS`.
const GET_CLASS: u16 = 42;
/// `RTM_NEWTCLASS`.
const NEW_CLASS: u16 = 40;
/// `sizeof(struct tcmsg)`: family, padding, ifindex (at 4), handle (8), parent (12), info (16).
const TCMSG: usize = 20;
/// How often a tree that changed while its classes and filters were read is read again.
const ATTEMPTS: usize = 4;

// Attributes of a tc message.
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_STATS2: u16 = 7;

/// Everything tc knows in one namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tc {
    /// All qdiscs, the kernel's defaults included, in the kernel's order.
    pub qdiscs: Vec<Qdisc>,
    /// Classes of the qdiscs whose classes carry parameters of their own.
    pub classes: Vec<Class>,
    /// Filters of classful and ingress qdiscs.
    pub filters: Vec<Filter>,
}

/// A tc handle or class id: major in the upper, minor in the lower 16 bits, printed in hex as tc does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(pub u32);

impl Handle {
    /// `TC_H_ROOT`.
    pub const ROOT: Self = Self(0xffff_ffff);
    /// `TC_H_INGRESS`, also the parent of clsact.
    pub const INGRESS: Self = Self(0xffff_fff1);

    /// The major number.
    pub const fn major(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The minor number.
    pub const fn minor(self) -> u16 {
        self.0 as u16
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.major(), self.minor()) {
            (Self::ROOT, ..) => f.write_str("root"),
            (Self::INGRESS, ..) => f.write_str("ingress"),
            (_, major, 0) => write!(f, "{major:x}:"),
            (_, 0, minor) => write!(f, ":{minor:x}"),
            (_, major, minor) => write!(f, "{major:x}:{minor:x}"),
        }
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One queueing discipline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Qdisc {
    /// Network device; empty for default qdiscs, whose device nobody asks for.
    pub device: String,
    /// Interface index.
    pub ifindex: u32,
    /// `netem`, `tbf`, `noqueue`, …
    pub kind: String,
    /// Its own handle; `0:` for the kernel's defaults.
    pub handle: Handle,
    /// Where it hangs.
    pub parent: Handle,
    /// Decoded parameters.
    pub options: Options,
    /// Counters; each absent where the kernel sent none.
    pub statistics: Statistics,
}

impl Qdisc {
    /// Whether the kernel put it there by itself: such qdiscs have no handle.
    pub fn is_default(&self) -> bool {
        self.handle.0 == 0
    }

    /// What stays the same as long as nobody reconfigures it.
    fn place(&self) -> (u32, &str, &str, Handle, Handle, &Options) {
        (self.ifindex, &self.device, &self.kind, self.handle, self.parent, &self.options)
    }
}

/// One class of a classful qdisc.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Class {
    /// Network device.
    pub device: String,
    /// Interface index.
    pub ifindex: u32,
    /// The qdisc's kind.
    pub kind: String,
    /// Class id.
    pub handle: Handle,
    /// Parent class or qdisc.
    pub parent: Handle,
    /// Decoded parameters.
    pub options: Options,
    /// Counters.
    pub statistics: Statistics,
}

/// Counters of a qdisc or class since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Bytes sent (64 bits: `gnet_stats_basic.bytes`).
    pub bytes: Option<u64>,
    /// Packets sent (64 bits where the kernel sends `TCA_STATS_PKT64`).
    pub packets: Option<u64>,
    /// Packets dropped.
    pub drops: Option<u64>,
    /// Times a limit was hit.
    pub overlimits: Option<u64>,
    /// Packets put back.
    pub requeues: Option<u64>,
    /// Bytes waiting now.
    pub backlog: Option<u64>,
    /// Packets waiting now.
    pub queued: Option<u64>,
}

/// Reads the namespace the socket was opened in. Classes and filters come by calls of their own, so the qdiscs are looked at once more
/// afterwards: all three are of one tree, or the tree is read again.
pub fn read(socket: &mut Socket, buffer: &mut Buffer) -> Result<Tc, ReadError> {
    let mut qdiscs = qdiscs(socket, buffer)?;
    for _ in 0..ATTEMPTS {
        let mut tc = Tc { classes: Vec::new(), filters: Vec::new(), qdiscs };
        if !details(&mut tc, socket, buffer)? {
            return Ok(tc);
        }
        qdiscs = self::qdiscs(socket, buffer)?;
        if tc.qdiscs.iter().map(Qdisc::place).eq(qdiscs.iter().map(Qdisc::place)) {
            filter::name_devices(&mut tc.filters, socket);
            return Ok(tc);
        }
    }
    Err(ReadError::Interrupted("classes and filters"))
}

/// All qdiscs. One whose device is gone by now is gone, too.
fn qdiscs(socket: &mut Socket, buffer: &mut Buffer) -> Result<Vec<Qdisc>, ReadError> {
    let mut out = parse_qdiscs(socket.dump("qdisc dump", &Request::new(GET_QDISC, &[0; TCMSG]), buffer)?)?;
    let mut failure = None;
    out.retain_mut(|qdisc| qdisc.is_default() || match socket.device_name(qdisc.ifindex) {
        Ok(name) => {
            qdisc.device = name;
            true
        }
        Err(ReadError::Gone { .. }) => false,
        Err(error) => {
            failure = Some(error);
            false
        }
    });
    failure.map_or(Ok(out), Err)
}

/// Adds classes and filters. Says whether there was anything to ask for.
fn details(tc: &mut Tc, socket: &mut Socket, buffer: &mut Buffer) -> Result<bool, ReadError> {
    let mut asked = false;
    for qdisc in &tc.qdiscs {
        let ifindex = qdisc.ifindex;
        if qdisc.options.has_classes() && !tc.classes.iter().any(|class: &Class| class.ifindex == ifindex) {
            let request = Request::new(GET_CLASS, &tcmsg(ifindex, Handle(0)));
            tc.classes.extend(parse_classes(socket.dump("class dump", &request, buffer)?, &qdisc.device)?);
            asked = true;
        }
        for parent in qdisc.options.filter_parents(qdisc.handle) {
            let request = Request::new(filter::GET_FILTER, &tcmsg(ifindex, parent));
            tc.filters.extend(filter::parse(socket.dump("filter dump", &request, buffer)?, &qdisc.device)?);
            asked = true;
        }
    }
    Ok(asked)
}

/// A `struct tcmsg` that asks about one device and parent.
fn tcmsg(ifindex: u32, parent: Handle) -> [u8; TCMSG] {
    let mut body = [0; TCMSG];
    body[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    body[12..16].copy_from_slice(&parent.0.to_ne_bytes());
    body
}

/// What qdisc and class messages have in common.
struct Item<'a> {
    ifindex: u32,
    handle: Handle,
    parent: Handle,
    kind: String,
    options: &'a [u8],
    statistics: Statistics,
}

fn item(payload: &[u8]) -> Result<Item<'_>, ReadError> {
    const SHORT: ReadError = ReadError::Malformed("tc message shorter than struct tcmsg");
    let field = |at| u32_at(payload, at).ok_or(SHORT);
    let mut item = Item {
        ifindex: field(4)?,
        handle: Handle(field(8)?),
        parent: Handle(field(12)?),
        kind: String::new(),
        options: &[],
        statistics: Statistics::default(),
    };
    for attribute in attributes(payload.get(TCMSG..).ok_or(SHORT)?) {
        match attribute? {
            (TCA_KIND, value) => item.kind = name(value),
            (TCA_OPTIONS, value) => item.options = value,
            (TCA_STATS2, value) => item.statistics = statistics(value)?,
            _ => {}
        }
    }
    Ok(item)
}

/// Decodes a qdisc dump.
pub fn parse_qdiscs(bytes: &[u8]) -> Result<Vec<Qdisc>, ReadError> {
    let mut out = Vec::new();
    for message in messages(bytes) {
        let message = message?;
        if message.kind != NEW_QDISC {
            continue;
        }
        let Item { ifindex, handle, parent, kind, options, statistics } = item(message.payload)?;
        let options = Options::of_qdisc(&kind, options)?;
        out.push(Qdisc { device: String::new(), ifindex, kind, handle, parent, options, statistics });
    }
    Ok(out)
}

/// Decodes a class dump of one device.
pub fn parse_classes(bytes: &[u8], device: &str) -> Result<Vec<Class>, ReadError> {
    let mut out = Vec::new();
    for message in messages(bytes) {
        let message = message?;
        if message.kind != NEW_CLASS {
            continue;
        }
        let Item { ifindex, handle, parent, kind, options, statistics } = item(message.payload)?;
        let options = Options::of_class(&kind, options)?;
        out.push(Class { device: device.to_owned(), ifindex, kind, handle, parent, options, statistics });
    }
    Ok(out)
}

/// `TCA_STATS2`: BASIC 1 (bytes u64, packets u32), QUEUE 3 (qlen, backlog, drops, requeues, overlimits; u32 each), PKT64 8.
fn statistics(bytes: &[u8]) -> Result<Statistics, ReadError> {
    let mut out = Statistics::default();
    let mut wide = None;
    for attribute in attributes(bytes) {
        match attribute? {
            (1, value) => {
                out.bytes = u64_at(value, 0);
                out.packets = u32_at(value, 8).map(u64::from);
            }
            (3, value) => {
                let field = |index: usize| u32_at(value, index * 4).map(u64::from);
                (out.queued, out.backlog, out.drops, out.requeues, out.overlimits) = (field(0), field(1), field(2), field(3), field(4));
            }
            (8, value) => wide = u64_at(value, 0),
            _ => {}
        }
    }
    out.packets = wide.or(out.packets);
    Ok(out)
}
