//! Chaos Mesh: the chains, sets and qdiscs that chaos-daemon makes in a pod; [`kinds`] lists its objects.
//!
//! Names: `controllers/podnetworkchaos/netutils/len.go`, `pkg/chaosdaemon/{iptables,ipset,tc}_server.go` (2.5 to 2.8).

pub mod cron;
pub mod decode;
mod expects;
mod fields;
pub mod kinds;
pub mod layout;
pub mod names;
mod network;
mod notice;
mod pod_faults;
mod reasons;
mod spec;
mod units;

pub use fields::Undecodable;
pub use kinds::is_experiment;

use super::{Known, QdiscShape};
use chaoscope_model::Tool;

/// What Chaos Mesh is recognised by.
pub const KNOWN: Known = Known { tool: Tool::ChaosMesh, chain, set, rule: |_, _| false, qdisc, filter: |_| false };

/// Chains every sync makes, whatever the fault; empty when nothing is injected.
pub const HOOK_CHAINS: [&str; 2] = ["CHAOS-INPUT", "CHAOS-OUTPUT"];

/// The priority map of the `prio` it builds for filtered faults (`pkg/chaosdaemon/tc_server.go`).
const PRIOMAP: [u8; 16] = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];

/// `CHAOS-INPUT`, `INPUT/name_hash_`, `TC-TABLES-0`.
fn chain(name: &str) -> bool {
    let numbered = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    HOOK_CHAINS.contains(&name)
        || name.starts_with("INPUT/")
        || name.starts_with("OUTPUT/")
        || name.strip_prefix("TC-TABLES-").is_some_and(numbered)
}

/// `web-s_5e00029ea14a1_net_tgt`: at most five letters of the experiment's name, a piece of its hash where the name is longer, then what the
/// set holds and which side it is for; `old` after a second sync.
fn set(name: &str) -> bool {
    let name = name.strip_suffix("old").unwrap_or(name);
    let mut parts = name.rsplitn(3, '_');
    let (Some(side), Some(holds), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let hash = |piece: &str| !piece.is_empty() && piece.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let head = match rest.rsplit_once('_') {
        Some((head, piece)) if hash(piece) => head,
        _ => rest,
    };
    matches!(side, "tgt" | "src" | "netgt" | "nesrc" | "batgt" | "basrc")
        && matches!(holds, "net" | "netport" | "set")
        && (1..=5).contains(&head.chars().count())
}

/// Handles count from `1:`, one for each fault on the device; qdiscs made without a handle get one from `8001:` upward.
fn qdisc(shape: &QdiscShape<'_>) -> bool {
    match shape.kind {
        "netem" | "tbf" => (1..0x100).contains(&shape.major),
        "prio" => shape.prio.is_some_and(|(bands, map)| bands > 3 && *map == PRIOMAP),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_names_are_recognised() {
        for name in
            ["CHAOS-INPUT", "CHAOS-OUTPUT", "INPUT/web-s_5e00029ea14a16_", "OUTPUT/cut-w_c356d36a67f5a_", "TC-TABLES-0", "TC-TABLES-12"]
        {
            assert!(chain(name), "{name}");
        }
        // Recording partition-both of Chaos Mesh 2.8.3, and the names of notes for filtered netem and bandwidth.
        for name in [
            "cut-w_c356d36a67f5a_net_src",
            "cut-w_c356d36a6_netport_srcold",
            "cut-w_c356d36a67f5a_set_tgt",
            "web-s_5e00029ea14_net_netgt",
            "a_net_batgt",
            "a_b_set_tgt",
        ] {
            assert!(set(name), "{name}");
        }
    }

    #[test]
    fn names_of_others_are_not() {
        for name in ["INPUT", "KUBE-SERVICES", "TC-TABLES-", "TC-TABLES-x", "CHAOS", "DOCKER"] {
            assert!(!chain(name), "{name}");
        }
        for name in ["KUBE-CLUSTER-IP", "cali40s:abc", "longname_net_tgt", "web-s_5e00_net_other", "_net_tgt", "net_tgt", ""] {
            assert!(!set(name), "{name}");
        }
    }
}
