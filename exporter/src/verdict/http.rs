//! Whether what a pod's `PodHttpChaos` declares is there: the proxy, the bridge that leads the pod's packets to it, and the rules that hand
//! them over. The main process of tproxy proves nothing: it stays when a fault is recovered.
//!
//! chaos-tproxy 0.5.3, as every release of Chaos Mesh from 2.5 ships it. What the bridge's own rules (ebtables) do with each port is not read.

use super::containers::{helpers, source};
use super::judge::{applied, home, missing, unknown};
use crate::node::iptables::Verdict;
use crate::node::sweep::{Fate, Sweep};
use crate::node::tc::Tc;
use crate::node::visit::Reading;
use crate::tools::helpers::HelperKind;
use chaoscope_model::declared::{DeclaredPod, DeclaredTarget};
use chaoscope_model::verdict::Judgement;

/// The chain for packets of connections that the proxy has already.
const DIVERT: &str = "DIVERT";
/// Letters of a random uuid, with its first dash, that every device of one proxy begins with; then `b1` for the bridge in the pod.
const PREFIX: usize = 13;

/// What a sweep says of one target.
pub(super) fn judge(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep) -> Judgement {
    looked_up(declared, target, sweep).unwrap_or_else(|why| why)
}

fn looked_up(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep) -> Result<Judgement, Judgement> {
    let faults = applied(declared.http.as_ref(), target.stage)?.map_or(&[][..], Vec::as_slice);
    let source = source(target);
    if !faults.iter().any(|fault| fault.source == source) {
        return Err(missing("not_declared", "source", &source));
    }
    let reading = home(&declared.pod, sweep)?;
    let tc = reading.tc.as_ref().map_err(|_| unknown("read_failed"))?;
    let Some(proxy) = helpers(&declared.pod, HelperKind::TproxyProxy, sweep).next() else {
        let told = HelperKind::TproxyProxy.as_str();
        return Err(if sweep.complete.processes { missing("no_proxy", "process", told) } else { unknown("read_failed") });
    };
    has_bridge(tc)?;
    let own = sweep.namespaces.iter().find(|observed| Some(observed.namespace.place.id) == proxy.lives_in);
    match own.map(|observed| &observed.fate) {
        Some(Fate::Read(reading, _)) => hands_over(reading),
        Some(Fate::Failed(_) | Fate::Skipped(_)) | None => Err(unknown("read_failed")),
    }
}

fn has_bridge(tc: &Tc) -> Result<(), Judgement> {
    if tc.devices.iter().any(|device| is_bridge(device)) {
        return Ok(());
    }
    let all_known = !tc.devices.is_empty() || tc.is_plain();
    Err(if all_known { missing("no_bridge", "device", "tproxy's bridge") } else { unknown("read_failed") })
}

fn is_bridge(device: &str) -> bool {
    let is_prefix = |prefix: &str| {
        let dash = |at: usize| at == 8;
        prefix.len() == PREFIX
            && prefix.bytes().enumerate().all(|(at, byte)| if dash(at) { byte == b'-' } else { byte.is_ascii_hexdigit() })
    };
    device.strip_suffix("b1").is_some_and(is_prefix)
}

/// `mangle`: packets of known connections to `DIVERT`, the others to the proxy's port by `TPROXY`.
fn hands_over(reading: &Reading) -> Result<Judgement, Judgement> {
    let chains = || reading.tables().filter(|table| table.name == "mangle").flat_map(|table| &table.chains);
    let mut reached = chains().filter(|chain| chain.reachable != Some(false)).flat_map(|chain| &chain.rules);
    let is_tproxy = |verdict: &Verdict| matches!(verdict, Verdict::Target(target) if target.eq_ignore_ascii_case("tproxy"));
    let has_tproxy = reached.any(|rule| is_tproxy(&rule.verdict));
    let has_divert = chains().any(|chain| chain.name == DIVERT && chain.reachable != Some(false) && !chain.rules.is_empty());
    match (has_tproxy, has_divert) {
        (true, true) => Ok(Judgement::in_force()),
        _ if reading.legacy.is_err() || reading.nft.is_err() => Err(unknown("read_failed")),
        (false, _) => Err(missing("no_rule", "rule", "mangle TPROXY")),
        (true, false) => Err(missing("no_rule", "rule", "mangle DIVERT")),
    }
}
