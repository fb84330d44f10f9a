//! What only a kernel with netem, prio and sfq can show: these tests run themselves again inside user-mode-linux.

use super::kit::uml::{self, inside};
use super::support::{all_saved, place, tool_saved, visit};
use super::tc::{Tool, assert_as_tc_says, named};
use chaoscope::node::iptables::Family;
use chaoscope::node::tc::options::Options;
use std::fs;
use std::path::Path;

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn netem_prio_sfq_and_htb_read_as_tc_shows_them() {
    inside("uml::netem_prio_sfq_and_htb_read_as_tc_shows_them", &[uml::NETEM], || {
        let mut kinds = Vec::new();
        for name in ["shapes", "chain", "chaos-mesh", "krkn"] {
            let reading = visit(&place(&Path::new("/run/netns").join(name))).expect("the namespace can be entered");
            let tc = reading.tc.expect("tc");
            assert_as_tc_says(&tc, &Tool(&|words: &[&str]| named(name, words)));
            kinds.extend(tc.qdiscs.iter().map(|it| it.kind.clone()));
            if name == "shapes" {
                let find = |device: &str| tc.qdiscs.iter().find(|it| it.device == device).map(|it| it.options.clone());
                // 32 bits hold neither; and whether tc rounds or we do is told by the exact value.
                let Some(Options::Netem(long)) = find("long") else { panic!("{tc:#?}") };
                assert!((long.delay_seconds - 5.0).abs() < 1e-9 && (long.jitter_seconds - 2.147_483_647).abs() < 1e-6, "{long:?}");
                let Some(Options::Tbf(tbf)) = find("tbf") else { panic!("{tc:#?}") };
                assert_eq!(tbf.limit_bytes, 20_971_520);
            }
        }
        for (kind, least) in [("netem", 20), ("tbf", 3), ("prio", 1), ("sfq", 3), ("htb", 2), ("ingress", 1)] {
            assert!(kinds.iter().filter(|it| *it == kind).count() >= least, "{kind} in {kinds:?}");
        }
    });
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn rules_that_choose_a_band_read_as_iptables_legacy_save_prints_them() {
    inside("uml::rules_that_choose_a_band_read_as_iptables_legacy_save_prints_them", &[uml::NETEM], || {
        let reading = visit(&place(Path::new("/run/netns/chaos-mesh"))).expect("the namespace can be entered");
        let ours = all_saved(&reading.legacy.expect("legacy tables"), Family::Ipv4);
        assert_eq!(ours, tool_saved(&named("chaos-mesh", &["iptables-legacy-save", "-c"])));
        let line = "-A TC-TABLES-0 -o eth0 -m set --match-set slow-_3c4623849a4_set_netgt dst,dst -j CLASSIFY --set-class 0001:0004";
        assert!(ours.concat().iter().any(|it| it.starts_with("[5:") && it.ends_with(line)), "{ours:#?}");
        let sets = reading.sets.expect("sets");
        assert_eq!(sets.len(), named("chaos-mesh", &["ipset", "list", "-name"]).lines().count());
    });
}

/// Kinds that kernels of container hosts often lack.
const MATCHALL: &str = "ip netns add other; ip -n other link add eth0 type dummy; ip -n other link add ifb0 type ifb
ip netns exec other tc -batch - <<'END'
qdisc add dev eth0 clsact
filter add dev eth0 ingress protocol all prio 1 matchall action mirred egress redirect dev ifb0
filter add dev eth0 egress protocol ip prio 2 flower dst_ip 10.0.0.0/8 action drop
filter add dev eth0 egress protocol ip prio 3 matchall action mirred egress mirror dev ifb0
qdisc add dev eth0 root handle 1: prio
qdisc add dev eth0 parent 1:1 handle 2: fq_codel
qdisc add dev eth0 parent 1:2 handle 3: cake
END
exec \"$@\"";

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn other_filters_and_unknown_kinds_read_as_tc_shows_them() {
    inside("uml::other_filters_and_unknown_kinds_read_as_tc_shows_them", &["sh", "-euc", MATCHALL, "sh"], || {
        let tc = visit(&place(Path::new("/run/netns/other"))).expect("the namespace can be entered").tc.expect("tc");
        assert_as_tc_says(&tc, &Tool(&|words: &[&str]| named("other", words)));
        assert!(tc.filters.iter().any(|it| it.kind == "matchall" && it.redirect == "ifb0"), "{tc:#?}");
        assert!(tc.filters.iter().any(|it| it.kind == "flower" && it.actions == ["gact"]), "{tc:#?}");
        for kind in ["fq_codel", "cake"] {
            assert!(tc.qdiscs.iter().any(|it| it.kind == kind && it.options == Options::Other), "{tc:#?}");
        }
    });
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn a_visit_loads_no_module() {
    inside("uml::a_visit_loads_no_module", &[], || {
        let modules = || fs::read_to_string("/proc/modules").expect("a modular kernel");
        super::kit::process::succeed(std::process::Command::new("ip").args(["netns", "add", "fresh"]));
        let before = modules();
        for _ in 0..3 {
            let reading = visit(&place(Path::new("/run/netns/fresh"))).expect("the namespace can be entered");
            assert_eq!(reading.errors().count(), 0, "{reading:?}");
            assert_eq!((reading.tables().count(), reading.sets.map(|sets| sets.len())), (0, Ok(0)));
        }
        assert_eq!(modules(), before);
        // That it shows when something is loaded: the tools do load.
        named("fresh", &["ipset", "create", "one", "hash:ip"]);
        assert!(!before.contains("ip_set") && modules().contains("ip_set"), "{before}");
        let sets = visit(&place(Path::new("/run/netns/fresh"))).expect("the namespace can be entered").sets.expect("sets");
        assert_eq!(sets[0].name, "one");
    });
}
