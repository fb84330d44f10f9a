//! Whether what a pod's `PodHttpChaos` declares is there: the proxy, the bridge that leads the pod's packets to it, and the rules that hand
//! them over. The main process of tproxy proves nothing: it stays when a fault is recovered.
//!
//! chaos-tproxy 0.5.3, as every release of Chaos Mesh from 2.5 ships it. What the bridge's own rules (ebtables) do with each port is not read.

use super::containers::{helpers, source};
use super::judge::{Homes, declared_by, missing, unknown};
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
pub(super) fn judge(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep, homes: &Homes<'_>) -> Judgement {
    looked_up(declared, target, sweep, homes).unwrap_or_else(|why| why)
}

fn looked_up(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep, homes: &Homes<'_>) -> Result<Judgement, Judgement> {
    let source = source(target);
    declared_by(declared.http.as_ref(), target.stage, &source, |faults| faults.iter().any(|fault| fault.source == source))?;
    let reading = homes.reading(&declared.pod)?;
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
    if tc.qdiscs.iter().any(|qdisc| is_bridge(&qdisc.device)) {
        return Ok(());
    }
    // Where default qdiscs are told without their devices, a namespace with its loopback and its link alone has no bridge all the same.
    let all_named = tc.qdiscs.len() <= 2 || tc.qdiscs.iter().all(|qdisc| !qdisc.device.is_empty());
    Err(if all_named { missing("no_bridge", "device", "tproxy's bridge") } else { unknown("read_failed") })
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

#[cfg(test)]
mod tests {
    use super::super::fixture::{applied, chain, declared, empty, helper, namespace, netem, pod, rule, sweep, table, target};
    use super::*;
    use crate::node::error::ReadError;
    use crate::node::iptables::Chain;
    use crate::node::netns::NsId;
    use chaoscope_model::declared::{Expectation, HttpFault};

    type Spoil = fn(&mut Sweep);

    fn abort() -> DeclaredPod {
        let fault = HttpFault { source: "shop/abort".into(), port: 80 };
        DeclaredPod { http: Some(applied(vec![fault])), ..declared(vec![target("HTTPChaos", "abort", Expectation::Http)]) }
    }

    fn mangle() -> Vec<Chain> {
        let to = |target: &str| rule(&format!("-j {target}"), None, Verdict::Target(target.into()));
        vec![
            chain("PREROUTING", vec![rule("-m socket", None, Verdict::Jump(DIVERT.into())), to("TPROXY")]),
            chain(DIVERT, vec![to("MARK")]),
        ]
    }

    fn proxied() -> Sweep {
        let qdiscs = ["lo", "eth0", "0a1b2c3d-4e5fb1", "0a1b2c3d-4e5fv1"].map(|device| netem(device, 0)).into();
        let tc = Tc { qdiscs, ..Tc::default() };
        let mut sweep = sweep(Reading { tc: Ok(tc), ..empty() });
        sweep.namespaces.push(namespace(8, None, table("mangle", mangle())));
        let mut proxy = helper(HelperKind::TproxyProxy, 9);
        proxy.lives_in = Some(NsId { dev: 4, ino: 8 });
        sweep.helpers = vec![(Some(pod()), helper(HelperKind::Tproxy, 8)), (Some(pod()), proxy)];
        sweep
    }

    fn reading(sweep: &mut Sweep, at: usize) -> &mut Reading {
        let Fate::Read(reading, _) = &mut sweep.namespaces[at].fate else { panic!("it was read") };
        reading
    }

    fn without(sweep: &mut Sweep, spoil: fn(&mut Vec<Chain>)) {
        let mut chains = mangle();
        spoil(&mut chains);
        *reading(sweep, 1) = table("mangle", chains);
    }

    fn refused<T>() -> Result<T, ReadError> {
        Err(ReadError::of("netlink", rustix::io::Errno::PERM))
    }

    #[test]
    fn it_takes_the_proxy_the_bridge_and_the_rules() {
        let told = |declared: &DeclaredPod, sweep: &Sweep| {
            let judgement = judge(declared, &declared.targets[0], sweep, &Homes::of(sweep));
            (judgement.verdict.as_str(), judgement.reason)
        };
        assert_eq!(told(&abort(), &proxied()), ("in_force", String::new()));
        let spoilt: [(Spoil, &str, &str); 11] = [
            (|sweep| drop(sweep.helpers.pop()), "missing", "no_proxy"),
            (|sweep| (sweep.helpers, sweep.complete.processes) = (vec![], false), "unknown", "read_failed"),
            (|sweep| drop(reading(sweep, 0).tc.as_mut().map(|tc| tc.qdiscs.remove(2))), "missing", "no_bridge"),
            (|sweep| drop(reading(sweep, 0).tc.as_mut().map(|tc| tc.qdiscs[2].device.clear())), "unknown", "read_failed"),
            (|sweep| reading(sweep, 0).tc = refused(), "unknown", "read_failed"),
            (|sweep| without(sweep, |chains| drop(chains[0].rules.pop())), "missing", "no_rule"),
            (|sweep| without(sweep, |chains| drop(chains[0].rules.remove(0))), "missing", "no_rule"),
            (|sweep| without(sweep, |chains| chains[1].rules.clear()), "missing", "no_rule"),
            (|sweep| reading(sweep, 1).legacy = refused(), "unknown", "read_failed"),
            (|sweep| drop(sweep.namespaces.pop()), "unknown", "read_failed"),
            (|sweep| drop(sweep.namespaces.remove(0)), "unknown", "not_visited"),
        ];
        for (at, (spoil, verdict, reason)) in spoilt.into_iter().enumerate() {
            let mut sweep = proxied();
            spoil(&mut sweep);
            assert_eq!(told(&abort(), &sweep), (verdict, reason.to_owned()), "{at}");
        }
        let nothing = DeclaredPod { http: Some(applied(vec![])), ..abort() };
        assert_eq!(told(&nothing, &proxied()), ("missing", "not_declared".to_owned()));
    }

    #[test]
    fn only_the_proxys_bridge_is_its_bridge() {
        for name in ["0a1b2c3d-4e5fb2", "docker0b1", "b1", "0a1b2c3d-4e5fv1", "0a1b2c3dd4e5fb1", "g0a1b2c3-4e5fb1"] {
            assert!(!is_bridge(name), "{name}");
        }
    }
}
