//! Partitions and bandwidths on this host's own kernel, in namespaces of the tests' own: what chaos-daemon's commands build is in force, and what
//! is changed by hand is told.
//!
//! Needs root. Netem and prio are in `netem`, on a kernel that has them.

use crate::kit::netns::Netns;
use crate::real::{Release, sync};
use crate::support::look;
use crate::world::{declared, judged, network, word};
use chaoscope_model::verdict::Judgement;
use serde_json::{Value, json};

const DEVICES: [&str; 2] = ["eth0", "eth1"];

/// A namespace with two devices, as a pod's.
fn pod() -> Netns {
    let netns = Netns::new();
    netns.script("ip link add eth0 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up");
    netns
}

fn apply(netns: &Netns, spec: &Value) {
    netns.script(&sync(spec, &DEVICES, Release::Texts));
}

fn said(netns: &Netns, spec: &Value) -> Vec<Judgement> {
    judged(&declared(network(spec)), look(netns))
}

fn words(netns: &Netns, spec: &Value) -> Vec<String> {
    said(netns, spec).iter().map(word).collect()
}

/// A partition as the controller writes it down: both ways, so every set stands there twice.
fn partition(cidrs: &[&str]) -> Value {
    let set = |part: &str| format!("cut-w_c356d36a67f5a_{part}_tgt");
    let source = "shop/cut";
    let sets = json!([
        {"name": set("net"), "ipsetType": "hash:net", "cidrs": cidrs, "source": source},
        {"name": set("port"), "ipsetType": "hash:net,port", "cidrAndPorts": [{"cidr": "203.0.113.7/32", "port": 443}], "source": source},
        {"name": set("set"), "ipsetType": "list:set", "setNames": [set("net"), set("port")], "source": source},
    ]);
    let twice = [sets.as_array().unwrap().clone(), sets.as_array().unwrap().clone()].concat();
    let chain = |direction: &str, name: &str| json!({"name": name, "direction": direction, "ipsets": [set("set")], "source": source});
    json!({"ipsets": twice, "iptables": [chain("output", "OUTPUT/cut-w_c356d36a67f5a_"), chain("input", "INPUT/cut-w_c356d36a67f5a0_")]})
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn a_partition_is_in_force_until_somebody_changes_it() {
    let spec = partition(&["10.88.0.21/32"]);
    let net = "cut-w_c356d36a67f5a_net_tgt";
    for (change, wanted) in [
        ("true", "in_force"),
        ("iptables-legacy -F CHAOS-OUTPUT", "missing not_reached"),
        ("iptables-legacy -D OUTPUT -j CHAOS-OUTPUT", "missing not_reached"),
        ("iptables-legacy -D INPUT -j CHAOS-INPUT; iptables-legacy -A INPUT -p tcp -j CHAOS-INPUT", "drifted jump"),
        ("iptables-legacy -F OUTPUT/cut-w_c356d36a67f5a_", "missing no_rule"),
        (
            "iptables-legacy -F CHAOS-OUTPUT; iptables-legacy -F OUTPUT/cut-w_c356d36a67f5a_; iptables-legacy -X OUTPUT/cut-w_c356d36a67f5a_",
            "missing no_chain",
        ),
        ("iptables-legacy -I INPUT/cut-w_c356d36a67f5a0_ -j RETURN", "drifted rule"),
        (
            "iptables-legacy -R INPUT/cut-w_c356d36a67f5a0_ 1 -i eth1 -m set --match-set cut-w_c356d36a67f5a_set_tgt src,dst -j DROP",
            "drifted device",
        ),
        (
            "iptables-legacy -R INPUT/cut-w_c356d36a67f5a0_ 1 -i eth0 -m set --match-set cut-w_c356d36a67f5a_set_tgt src,dst -j ACCEPT",
            "drifted rule",
        ),
        ("ipset flush NET", "drifted set_members"),
        ("ipset del NET 10.88.0.21; ipset add NET 10.88.0.22", "drifted set_members"),
        ("ipset del cut-w_c356d36a67f5a_set_tgt NET", "drifted set_members"),
        ("ipset flush cut-w_c356d36a67f5a_set_tgt; ipset flush cut-w_c356d36a67f5a_set_tgtold; ipset destroy NET", "missing no_set"),
        // What is beside it concerns nobody.
        ("iptables-legacy -I OUTPUT/cut-w_c356d36a67f5a_ -m set --match-set cut-w_c356d36a67f5a_set_tgt dst,dst", "in_force"),
        ("ipset flush NETold; iptables-legacy -N other; iptables-legacy -A OUTPUT -j other; ipset create mine hash:ip", "in_force"),
        ("ip link del eth0", "missing no_device"),
    ] {
        let netns = pod();
        apply(&netns, &spec);
        netns.script(&change.replace("NET", net));
        assert_eq!(words(&netns, &spec), [wanted], "{change}: {:#?}", said(&netns, &spec));
    }
}

/// A partition without a set: everything on a device.
#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn a_partition_from_everybody_is_a_rule_without_a_set() {
    let netns = pod();
    let spec = json!({"iptables": [{"name": "OUTPUT/all_", "direction": "output", "device": "eth1", "source": "shop/all"}]});
    apply(&netns, &spec);
    assert_eq!(words(&netns, &spec), ["in_force"]);
    netns.script("iptables-legacy -R OUTPUT/all_ 1 -o eth0 -j DROP");
    assert_eq!(words(&netns, &spec)[0], "drifted device");
}

/// Synced again with other faults: sets and chains of the first stay, `…old` sets come.
#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn leftovers_and_a_second_sync_raise_no_alarm() {
    let netns = pod();
    let (first, second) = (partition(&["10.88.0.21/32"]), partition(&["10.88.0.22/32", "10.88.0.23/32"]));
    for spec in [&first, &json!({}), &second, &second] {
        apply(&netns, spec);
    }
    assert_eq!(words(&netns, &second), ["in_force"]);
    assert_eq!(words(&netns, &first), ["drifted set_members"], "of the same names");
    let told = said(&netns, &first).remove(0).differences.remove(0);
    assert_eq!(told.declared, "cut-w_c356d36a67f5a_net_tgt: 1 member: 10.88.0.21/32");
    assert!(told.read.starts_with("2 members: 10.88.0.2"), "{told:?}");
}

/// Whatever ipset and the kernel make of a network, it covers the same addresses.
#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn networks_are_the_same_whatever_the_kernel_makes_of_them() {
    let netns = pod();
    for cidrs in [
        &["10.0.0.0/24"][..],
        &["10.0.0.0/25", "10.0.0.128/25", "10.0.0.7/32"],
        &["10.89.3.4/16", "10.89.0.0/16"],
        &["0.0.0.0/1", "128.0.0.0/1"],
        &["203.0.113.7/32", "203.0.113.7/31", "203.0.113.6/32"],
        &[],
    ] {
        let spec = partition(cidrs);
        apply(&netns, &spec);
        assert_eq!(words(&netns, &spec), ["in_force"], "{cidrs:?}");
    }
    // A network of everything is refused in a set of this kind, so nothing that is applied declares one.
    assert!(!netns.try_run(&["ipset", "add", "cut-w_c356d36a67f5a_net_tgt", "0.0.0.0/0"]).status.success());
}

/// Rates and buckets that do not divide evenly, in the kernel's ticks and back.
#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn awkward_bandwidths_are_in_force_and_others_are_not() {
    let netns = pod();
    let spec = |rate: &str, buffer: u32, limit: u32| json!({"tcs": [{"type": "bandwidth", "source": "shop/thin", "bandwidth": {"rate": rate, "buffer": buffer, "limit": limit}}]});
    let mut applied = Vec::new();
    for rate in ["1mbps", "1mbit", "3333kbit", "1gbit", "40gbit", "7bps", "8bit", "123456789bit", "1tbps", "1.5mbps", "10kibps"] {
        for (buffer, limit) in [(10_000, 20_971_520), (1601, 9999), (u32::MAX / 2, u32::MAX)] {
            let spec = spec(rate, buffer, limit);
            if netns.try_run(&["sh", "-euc", &sync(&spec, &DEVICES, Release::Texts)]).status.success() {
                assert_eq!(words(&netns, &spec), ["in_force"], "{rate} {buffer} {limit}: {:#?}", (said(&netns, &spec), look(&netns).tc));
                applied.push(rate);
            }
        }
    }
    assert!(applied.len() >= 20, "tc refused the others: {applied:?}");
    apply(&netns, &spec("1mbps", 10_000, 20_971_520));
    for (rate, buffer, limit, wanted) in [
        ("1mbit", 10_000, 20_971_520, "drifted rate"),
        ("1000001bps", 10_000, 20_971_520, "drifted rate"),
        ("1mbps", 10_100, 20_971_520, "drifted burst"),
        ("1mbps", 10_000, 20_971_521, "drifted limit"),
    ] {
        assert_eq!(words(&netns, &spec(rate, buffer, limit)), [wanted]);
    }
    // Up to 2.6 the number of bytes goes to tc without a unit, which takes it for bits.
    netns.script("tc qdisc replace dev eth0 root handle 1: tbf rate 1000000 burst 10000 limit 20971520");
    let told = said(&netns, &spec("1mbps", 10_000, 20_971_520)).remove(0);
    assert_eq!(
        (word(&told).as_str(), told.differences[0].declared.as_str(), told.differences[0].read.as_str()),
        ("drifted rate", "8Mbit/s", "1Mbit/s")
    );
    netns.script("tc qdisc del dev eth0 root");
    assert_eq!(words(&netns, &spec("1mbps", 10_000, 20_971_520)), ["missing no_qdisc"]);
}

/// Names that are nowhere: a device, a set.
#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn what_names_something_absent_is_missing() {
    let netns = pod();
    let tbf = json!({"type": "bandwidth", "source": "shop/thin", "device": "eth9", "bandwidth": {"rate": "1mbps", "buffer": 10_000, "limit": 20_000}});
    assert_eq!(words(&netns, &json!({"tcs": [tbf]})), ["missing no_device"]);
    assert_eq!(words(&netns, &partition(&["10.0.0.1/32"])), ["missing no_chain"]);
    netns.script("ip link set eth0 down; ip link set eth1 down");
    assert_eq!(words(&netns, &json!({"tcs": [tbf]})), ["missing no_device"]);
}
