//! Traffic control of one namespace: qdiscs with decoded parameters and 64-bit statistics, classes, filters.
//!
//! `read()` = `parse(&dump()?)`. The qdisc dump needs no capability beyond being in the namespace. Classes and filters are asked for
//! only where a qdisc can have ones that matter, because each costs a dump per device.
//! Layouts: `include/uapi/linux/rtnetlink.h`, `gen_stats.h`. To decode one more qdisc: a variant in [`options::Options`].

pub mod filter;
pub mod options;
mod statistics;
mod units;

pub use statistics::Statistics;

use super::error::ReadError;
use super::netlink::{Buffer, Request, Socket, attributes, messages, name, u32_at};
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
    /// An `ingress` qdisc, which has the same handle everywhere; parent of its filters.
    pub const INGRESS_FILTERS: Self = Self(0xffff_0000);

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
    /// Network device; empty for default qdiscs unless it was asked for.
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

/// One class of a classful qdisc, which is told by the same values; its kind is the qdisc's.
pub type Class = Qdisc;

/// Reads the namespace the socket was opened in. Classes and filters come by calls of their own, so the qdiscs are looked at once more
/// afterwards: all three are of one tree, or the tree is read again. `all_named`: default qdiscs are told with their devices, too.
pub fn read(socket: &mut Socket, buffer: &mut Buffer, all_named: bool) -> Result<Tc, ReadError> {
    let mut qdiscs = qdiscs(socket, buffer, all_named)?;
    for _ in 0..ATTEMPTS {
        let mut tc = Tc { classes: Vec::new(), filters: Vec::new(), qdiscs };
        if !details(&mut tc, socket, buffer)? {
            return Ok(tc);
        }
        qdiscs = self::qdiscs(socket, buffer, all_named)?;
        if tc.qdiscs.iter().map(Qdisc::place).eq(qdiscs.iter().map(Qdisc::place)) {
            filter::name_devices(&mut tc.filters, socket);
            return Ok(tc);
        }
    }
    Err(ReadError::Interrupted("classes and filters"))
}

/// All qdiscs. One whose device is gone by now is gone, too.
fn qdiscs(socket: &mut Socket, buffer: &mut Buffer, all_named: bool) -> Result<Vec<Qdisc>, ReadError> {
    let mut out = parse_qdiscs(socket.dump("qdisc dump", &Request::new(GET_QDISC, &[0; TCMSG]), buffer)?)?;
    let mut failure = None;
    out.retain_mut(|qdisc| {
        (qdisc.is_default() && !all_named)
            || match socket.device_name(qdisc.ifindex) {
                Ok(name) => {
                    qdisc.device = name;
                    true
                }
                Err(ReadError::Gone { .. }) => false,
                Err(error) => {
                    failure = Some(error);
                    false
                }
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
            (TCA_STATS2, value) => item.statistics = statistics::parse(value)?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::fixture::{bytes, spoil};

    const NETEM: &str = include_str!("../../../../tests/fixtures/qdisc-netem.hex");
    const CHAOS_MESH: &str = include_str!("../../../../tests/fixtures/qdisc-chaos-mesh.hex");
    const KRKN: &str = include_str!("../../../../tests/fixtures/qdisc-krkn.hex");
    const CLASS: &str = include_str!("../../../../tests/fixtures/class-krkn.hex");
    const TBF: &str = include_str!("../../../../tests/fixtures/qdisc-tbf.hex");
    const U32: &str = include_str!("../../../../tests/fixtures/filter-u32.hex");

    fn netem(qdiscs: &[Qdisc], at: usize) -> &options::Netem {
        let Options::Netem(netem) = &qdiscs[at].options else { panic!("{qdiscs:#?}") };
        netem
    }

    fn near(ours: f64, expected: f64) {
        assert!((ours - expected).abs() < 1e-6, "{ours} is not {expected}");
    }

    /// The order is that of the table in `tests/uml/netem.sh`, after lo's qdisc, which is no default one's but absent.
    #[test]
    fn every_parameter_of_netem_is_decoded() {
        let all = parse_qdiscs(&bytes(NETEM)).unwrap();
        let qdiscs: Vec<_> = all.into_iter().filter(|qdisc| !qdisc.is_default()).collect();
        near(netem(&qdiscs, 0).delay_seconds, 0.075);
        let jitter = netem(&qdiscs, 1);
        near(jitter.delay_seconds, 0.2);
        near(jitter.jitter_seconds, 0.03);
        near(jitter.delay_correlation, 0.25);
        near(netem(&qdiscs, 2).loss_ratio.unwrap(), 0.3);
        near(netem(&qdiscs, 2).loss_correlation, 0.1);
        assert_eq!((netem(&qdiscs, 3).loss_model, netem(&qdiscs, 3).loss_ratio), (Some("ge"), None));
        assert_eq!(netem(&qdiscs, 4).loss_model, Some("gi"));
        near(netem(&qdiscs, 5).duplicate_ratio, 0.5);
        let correlated = netem(&qdiscs, 8);
        near(correlated.duplicate_correlation, 0.05);
        near(correlated.corrupt_ratio, 0.06);
        near(correlated.corrupt_correlation, 0.08);
        let reorder = netem(&qdiscs, 9);
        near(reorder.reorder_ratio, 0.25);
        near(reorder.reorder_correlation, 0.5);
        assert_eq!((reorder.gap, reorder.limit_packets), (5, 1000));
        assert_eq!((netem(&qdiscs, 10).rate_bytes_per_second, netem(&qdiscs, 10).limit_packets), (Some(1_250_000), 777));
        assert_eq!(netem(&qdiscs, 11).rate_bytes_per_second, Some(5_000_000_000));
        assert_eq!((0..17).filter(|at| netem(&qdiscs, *at).slot).collect::<Vec<_>>(), [12]);
        near(netem(&qdiscs, 13).delay_seconds, 5.0);
        near(netem(&qdiscs, 14).delay_seconds, 250.0);
        assert_eq!((qdiscs[14].statistics.queued, qdiscs[14].statistics.backlog), (Some(7), Some(7 * 43)));
        assert_eq!(netem(&qdiscs, 16), &options::Netem { loss_ratio: Some(0.0), limit_packets: 1000, ..options::Netem::default() });
        assert_eq!(qdiscs[17].statistics.bytes, Some(9 * 43));
    }

    #[test]
    fn the_tree_of_chaos_mesh_is_decoded() {
        let mut qdiscs = parse_qdiscs(&bytes(CHAOS_MESH)).unwrap();
        qdiscs.retain(|qdisc| !qdisc.is_default());
        qdiscs.sort_by_key(|qdisc| qdisc.handle);
        let places: Vec<_> = qdiscs.iter().map(|qdisc| format!("{} {} {}", qdisc.kind, qdisc.handle, qdisc.parent)).collect();
        assert_eq!(places, ["prio 1: root", "sfq 2: 1:1", "sfq 3: 1:2", "sfq 4: 1:3", "netem 5: 1:4", "netem 6: 1:5"]);
        let priomap = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
        assert_eq!(qdiscs[0].options, Options::Prio(options::Prio { bands: 5, priomap }));
        assert_eq!(qdiscs[1].options, Options::Sfq(options::Sfq { quantum_bytes: 1514, perturb_seconds: 0, limit_packets: 127 }));
        assert_eq!(qdiscs[4].statistics.packets, Some(5));
    }

    #[test]
    fn the_tree_of_krkn_is_decoded() {
        let qdiscs = parse_qdiscs(&bytes(KRKN)).unwrap();
        let find = |handle: u32| qdiscs.iter().find(|qdisc| qdisc.handle.0 == handle).unwrap();
        assert_eq!(find(0x0100_0000).options, Options::Htb { default_class: 1 });
        assert_eq!((find(0xffff_0000).options.clone(), find(0xffff_0000).parent), (Options::Ingress, Handle::INGRESS));
        let classes = parse_classes(&bytes(CLASS), "eth0").unwrap();
        assert_eq!((classes.len(), classes[0].handle.to_string()), (1, "100:1".to_owned()));
        let rate = Options::HtbClass { rate_bytes_per_second: 12_500_000, ceil_bytes_per_second: 12_500_000 };
        assert_eq!((&classes[0].options, classes[0].statistics.packets), (&rate, Some(11)));
    }

    #[test]
    fn tbf_and_its_filter_are_decoded() {
        let qdiscs = parse_qdiscs(&bytes(TBF)).unwrap();
        let Options::Tbf(tbf) = &qdiscs[0].options else { panic!("{qdiscs:#?}") };
        assert_eq!((tbf.rate_bytes_per_second, tbf.peakrate_bytes_per_second, tbf.limit_bytes), (1_000_000, None, 20_971_520));
        assert_eq!(tbf.burst_bytes, 10_000);
        assert_eq!(qdiscs[1].options, Options::Clsact);
        let filters = filter::parse(&bytes(U32), "lo").unwrap();
        let last = filters.last().unwrap();
        assert_eq!((last.kind.as_str(), last.actions.as_slice(), last.redirect_index), ("u32", ["mirred".to_owned()].as_slice(), Some(1)));
    }

    #[test]
    fn an_unknown_kind_is_kept() {
        let mut message = bytes(TBF);
        let at = message.windows(3).position(|three| three == b"tbf").unwrap();
        message[at..at + 3].copy_from_slice(b"new");
        let qdiscs = parse_qdiscs(&message).unwrap();
        assert_eq!((qdiscs[0].kind.as_str(), &qdiscs[0].options), ("new", &Options::Other));
        assert!(qdiscs[0].statistics.bytes.is_some());
    }

    #[test]
    fn spoilt_bytes_give_a_value_or_an_error() {
        for fixture in [NETEM, CHAOS_MESH, KRKN, TBF] {
            spoil(&bytes(fixture), parse_qdiscs);
        }
        spoil(&bytes(CLASS), |spoilt| parse_classes(spoilt, "eth0"));
        spoil(&bytes(U32), |spoilt| filter::parse(spoilt, "lo"));
    }

    #[test]
    fn too_short_is_an_error_and_not_a_zero() {
        let whole = bytes(TBF);
        let Err(error) = parse_qdiscs(&whole[..whole.len() - 4]) else { panic!("half a message was read") };
        assert_eq!(error.reason(), "malformed");
    }
}
