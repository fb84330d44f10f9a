//! Counters of qdiscs and classes, 64 bits wide where the kernel has them. Layouts: `include/uapi/linux/gen_stats.h`.
//!
//! To read one more counter: a field of [`Statistics`] and its place in [`parse`].

use super::super::error::ReadError;
use super::super::netlink::{attributes, u32_at, u64_at};
use serde::Serialize;

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

/// `TCA_STATS2`: BASIC 1 (bytes u64, packets u32), QUEUE 3 (qlen, backlog, drops, requeues, overlimits; u32 each), PKT64 8.
pub(super) fn parse(bytes: &[u8]) -> Result<Statistics, ReadError> {
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
