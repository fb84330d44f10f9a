//! Names that an experiment's chains and sets have in a pod, from the experiment's own name.
//!
//! `controllers/podnetworkchaos/netutils/len.go` of 2.5 to 2.8. Only the name goes in, not the namespace, so two experiments of one name share
//! them; a later release may do otherwise. So they are the last resort: where the pod's `PodNetworkChaos` still tells a source, that counts.

use ring::digest::{SHA256, digest};
use std::fmt::Write as _;

/// Shorter names are used whole.
const HEAD: usize = 5;
/// Length of a set's name.
const SET: usize = 27;
/// Length of a chain's name after `INPUT/` and after `OUTPUT/`.
const CHAINS: [(&str, usize); 2] = [("INPUT/", 21), ("OUTPUT/", 20)];

/// Whether a chain or a set of this name is what `experiment` would have made.
pub fn is_made_by(kernel: &str, experiment: &str) -> bool {
    for (prefix, length) in CHAINS {
        if let Some(rest) = kernel.strip_prefix(prefix) {
            return compressed(experiment, length, "") == rest;
        }
    }
    // `old`: what a second sync leaves
    let set = kernel.strip_suffix("old").unwrap_or(kernel);
    let mut parts = set.rsplitn(3, '_');
    let (Some(side), Some(holds), Some(_)) = (parts.next(), parts.next(), parts.next()) else { return false };
    compressed(experiment, SET, &format!("{holds}_{side}")) == set
}

/// At most `length` characters: the name's first ones, a piece of the hash of its rest, and what it is for.
fn compressed(name: &str, length: usize, purpose: &str) -> String {
    let Some((head, rest)) = name.split_at_checked(HEAD).filter(|(_, rest)| !rest.is_empty()) else { return format!("{name}_{purpose}") };
    let mut hash = String::new();
    for byte in digest(&SHA256, rest.as_bytes()).as_ref() {
        let _ = write!(hash, "{byte:02x}"); // a String takes anything
    }
    hash.truncate(length.saturating_sub(HEAD + 2 + purpose.len()));
    format!("{head}_{hash}_{purpose}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Names that the daemon really used: the vector of upstream's own test, and recordings of 2.8.3.
    #[test]
    fn names_are_those_of_chaos_mesh() {
        for (experiment, made) in [
            (
                "web-show-network-delay",
                &[
                    "web-s_5e00029ea14a1_net_tgt",
                    "web-s_5e00029ea_netport_tgt",
                    "web-s_5e00029ea14a1_set_tgtold",
                    "web-s_5e00029ea14_net_netgt",
                    "web-s_5e00029ea14_net_batgt",
                    "INPUT/web-s_5e00029ea14a16_",
                    "OUTPUT/web-s_5e00029ea14a1_",
                ][..],
            ),
            (
                "cut-web-from-client",
                &[
                    "INPUT/cut-w_c356d36a67f5a0_",
                    "OUTPUT/cut-w_c356d36a67f5a_",
                    "cut-w_c356d36a6_netport_tgt",
                    "cut-w_c356d36a67f5a_set_tgt",
                ],
            ),
            ("cut", &["INPUT/cut_", "cut_set_tgt", "cut_net_srcold"]),
            ("five5", &["OUTPUT/five5_"]),
        ] {
            for name in made {
                assert!(is_made_by(name, experiment), "{name} {experiment}: {}", compressed(experiment, 20, ""));
                assert!(!is_made_by(name, "another-name"), "{name}");
            }
        }
        for name in ["CHAOS-INPUT", "TC-TABLES-0", "", "_", "tgt", "KUBE-SERVICES"] {
            assert!(!is_made_by(name, "cut"), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_names_compare(kernel in "\\PC{0,40}", experiment in "\\PC{0,40}") {
            is_made_by(&kernel, &experiment);
            is_made_by(&format!("INPUT/{kernel}"), &experiment);
        }

        #[test]
        fn a_compressed_name_has_its_length(experiment in "[a-z0-9-]{6,60}") {
            prop_assert_eq!(compressed(&experiment, SET, "net_tgt").len(), SET);
            let chain = format!("INPUT/{}", compressed(&experiment, 21, ""));
            prop_assert!(is_made_by(&chain, &experiment));
        }
    }
}
