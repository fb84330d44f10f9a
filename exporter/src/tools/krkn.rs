//! Krkn: what `network_chaos_ng` leaves when it is killed in the middle. It has no rollback for these.
//!
//! Source: krkn's `scenario_plugins/network_chaos_ng` (v5.2): an `htb` tree `100:` with `netem 101:` below, for ingress a filter that
//! sends everything through such a tree on an `ifb` device, and DROP rules put in front of INPUT and OUTPUT that match every connection state.

use super::{FilterShape, Known, QdiscShape};
use chaoscope_model::Tool;

/// What Krkn is recognised by.
pub const KNOWN: Known = Known { tool: Tool::Krkn, chain: |_| false, set: |_| false, rule, qdisc, filter };

/// `-m state --state NEW,RELATED,ESTABLISHED -j DROP`, in INPUT or OUTPUT.
fn rule(chain: &str, rule: &str) -> bool {
    let states = ["--state NEW,RELATED,ESTABLISHED -j DROP", "--ctstate NEW,RELATED,ESTABLISHED -j DROP"];
    matches!(chain, "INPUT" | "OUTPUT") && states.iter().any(|state| rule.ends_with(state))
}

fn qdisc(shape: &QdiscShape<'_>) -> bool {
    matches!((shape.kind, shape.major), ("htb", 0x100) | ("netem", 0x101))
}

/// The redirect stays when the tree on the `ifb` is gone. (CNI's bandwidth plugin redirects to `bwp…`, Calico's to `bwcali…`.)
fn filter(shape: &FilterShape<'_>) -> bool {
    shape.ingress && shape.redirect.starts_with("ifb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ingress_that_goes_to_an_ifb_is_its_own() {
        let own = |ingress, redirect| filter(&FilterShape { ingress, redirect });
        assert!(own(true, "ifb0") && own(true, "ifb12"));
        assert!(!own(false, "ifb0") && !own(true, "eth1") && !own(true, "bwp0a1b2c3d4e5f") && !own(true, ""));
    }

    #[test]
    fn only_the_drop_of_every_state_in_a_hook_is_its_own() {
        assert!(rule("INPUT", "-p tcp -m tcp --dport 80 -m state --state NEW,RELATED,ESTABLISHED -j DROP"));
        assert!(rule("OUTPUT", "-m conntrack --ctstate NEW,RELATED,ESTABLISHED -j DROP"));
        assert!(!rule("FORWARD", "-m state --state NEW,RELATED,ESTABLISHED -j DROP"));
        assert!(!rule("INPUT", "-m state --state RELATED,ESTABLISHED -j ACCEPT"));
    }
}
