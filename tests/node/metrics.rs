//! `/metrics` of a real node with pods, held against what the kernel's own tools say in the same namespaces.

use crate::lab::{Lab, PARTITION, RECOVERY};
use crate::text::{samples, value, values};
use std::collections::{BTreeMap, BTreeSet};

/// Table, chain, policy, rule → packets and bytes, as `iptables-legacy-save -c` prints them.
fn saved_rules(lab: &Lab, pid: u32) -> BTreeMap<[String; 4], [String; 2]> {
    let (mut out, mut table, mut policies) = (BTreeMap::new(), String::new(), BTreeMap::new());
    for line in lab.inside(pid, "iptables-legacy-save -c").lines() {
        if let Some(name) = line.strip_prefix('*') {
            name.clone_into(&mut table);
        } else if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split(' ').map(ToOwned::to_owned);
            policies.insert((table.clone(), words.next().unwrap()), words.next().unwrap());
        } else if let Some((counters, rule)) = line.strip_prefix('[').and_then(|line| line.split_once("] -A ")) {
            let (packets, bytes) = counters.split_once(':').unwrap();
            let (chain, rule) = rule.split_once(' ').unwrap();
            let policy = policies[&(table.clone(), chain.to_owned())].clone();
            let key = [table.clone(), chain.to_owned(), policy, rule.to_owned()];
            out.insert(key, [packets.to_owned(), bytes.to_owned()]);
        }
    }
    out
}

/// The same from a page, by two metrics of these names.
fn exposed_rules(page: &str, [packets, bytes]: [&str; 2], labels: &[(&str, &str)]) -> BTreeMap<[String; 4], [String; 2]> {
    let mut out: BTreeMap<_, [String; 2]> = BTreeMap::new();
    for sample in samples(page).into_iter().filter(|sample| sample.has(labels)) {
        let Some(at) = [packets, bytes].iter().position(|name| *name == sample.name) else { continue };
        let key = ["table", "chain", "policy", "rule"].map(|label| sample.label(label).to_owned());
        out.entry(key).or_default()[at] = sample.value;
    }
    out
}

const UPSTREAM: [&str; 2] = ["chaos_daemon_iptables_packets", "chaos_daemon_iptables_packet_bytes"];
const OWN: [&str; 2] = ["chaoscope_iptables_rule_packets_total", "chaoscope_iptables_rule_bytes_total"];

#[test]
#[ignore = "needs root, ipset and iptables: run by make test"]
fn a_faulted_pod_is_told_as_the_kernels_own_tools_tell_it() {
    let mut lab = Lab::start();
    let web = lab.pod("shop", "web-0");
    let quiet = lab.pod("shop", "quiet-0");
    lab.inside(web, PARTITION);
    // Somebody else's rule and set: told only where everything is.
    lab.inside(web, "iptables-legacy -w -A INPUT -i lo -j ACCEPT; ipset create other hash:ip; ipset add other 1.2.3.4");
    let server = lab.serve(&["--upstream-names=with-old"]);
    let page = server.metrics();
    let pod = [("namespace", "shop"), ("pod", "web-0")];

    let saved = saved_rules(&lab, web);
    let chaos: BTreeMap<_, _> = saved.iter().filter(|([.., rule], _)| rule != "-i lo -j ACCEPT").collect();
    assert_eq!(chaos.len(), 6, "{saved:?}");
    let dropped = saved.iter().find(|([_, chain, ..], _)| chain == "OUTPUT/cut-w_c356d36a67f5a_").unwrap();
    assert_eq!(dropped.1[0], "5", "the packets that were sent met the partition: {saved:?}");
    for container in ["app", "sidecar"] {
        let found = exposed_rules(&page, UPSTREAM, &[pod[0], pod[1], ("container", container)]);
        assert_eq!(found.iter().collect::<BTreeMap<_, _>>(), chaos, "{container}");
    }
    let without_policy = |rules: BTreeMap<[String; 4], [String; 2]>| -> BTreeSet<_> {
        rules.into_iter().map(|([table, chain, _, rule], counters)| (table, chain, rule, counters)).collect()
    };
    let own = without_policy(exposed_rules(&page, OWN, &pod));
    let acting: BTreeMap<_, _> = chaos.iter().map(|(key, counters)| ((*key).clone(), (*counters).clone())).collect();
    assert_eq!(own, without_policy(acting));

    let chains = lab.inside(web, "iptables-legacy-save | grep -c ^:").trim().to_owned();
    let members = lab.inside(web, "ipset save | grep -c ^add").trim().to_owned();
    let qdiscs = lab.inside(web, "tc qdisc | wc -l").trim().to_owned();
    for container in ["app", "sidecar"] {
        let of = |more: &[(&'static str, &'static str)]| [&pod[..], &[("container", container)], more].concat();
        assert_eq!(value(&page, "chaos_daemon_iptables_chains", &of(&[("table", "filter")])), chains);
        assert_eq!(value(&page, "chaos_daemon_iptables_rules", &of(&[("table", "filter")])), saved.len().to_string());
        assert_eq!(value(&page, "chaos_daemon_ipset_members", &of(&[])), members);
        assert_eq!(value(&page, "chaos_daemon_tcs_rules", &of(&[])), qdiscs);
        assert_eq!(value(&page, "chaos_daemon_tcs", &of(&[])), qdiscs);
    }

    let set = |name| value(&page, "chaoscope_ipset_members", &[pod[0], pod[1], ("set", name)]);
    assert_eq!((set("cut-w_c356d36a67f5a_net_tgt"), set("cut-w_c356d36a67f5a_set_tgt")), ("2".into(), "1".into()));
    assert_eq!(values(&page, "chaoscope_ipset_members", &[("set", "other")]), Vec::<String>::new());
    let tbf = [pod[0], pod[1], ("netns", ""), ("device", "eth0"), ("handle", "1:"), ("experiment", "")];
    assert_eq!(value(&page, "chaoscope_tbf_rate_bytes_per_second", &tbf), "125000.0");
    let statistics = lab.inside(web, "tc -s -j qdisc show dev eth0");
    let statistics: serde_json::Value = serde_json::from_str(&statistics).unwrap();
    let qdisc = [pod[0], pod[1], ("kind", "tbf"), ("parent", "root")];
    assert_eq!(value(&page, "chaoscope_qdisc_sent_packets_total", &qdisc), statistics[0]["packets"].to_string());
    assert_eq!(value(&page, "chaoscope_qdisc_sent_bytes_total", &qdisc), statistics[0]["bytes"].to_string());
    let reachable = values(&page, "chaoscope_iptables_chain_reachable", &pod);
    assert_eq!(reachable, ["1"; 4]);
    let info = [pod[0], pod[1], ("uid", "uid-of-web-0"), ("container", "sidecar"), ("container_id", "web-0-sidecar")];
    let inode = lab.inode(web);
    assert_eq!(value(&page, "chaoscope_netns_info", &[&info[..], &[("inode", inode.as_str())]].concat()), "1");

    assert!(!page.contains("quiet-0"), "a pod without chaos costs no series: {page}");
    assert_eq!(value(&page, "chaoscope_netns_visited", &[]), "2");
    lab.inside(web, RECOVERY);
    let page = server.metrics();
    assert_eq!(values(&page, "chaoscope_tbf_rate_bytes_per_second", &[]), Vec::<String>::new());
    let chain = |name| value(&page, "chaoscope_iptables_chain_reachable", &[("chain", name)]);
    assert_eq!((chain("CHAOS-INPUT"), chain("INPUT/cut-w_c356d36a67f5a_")), ("1".into(), "0".into()));
    assert!(lab.inside(quiet, "cat /proc/net/ip_tables_names").is_empty(), "looking made a table");
}

#[test]
#[ignore = "needs root, ipset and iptables: run by make test"]
fn flags_say_what_is_on_the_page() {
    let mut lab = Lab::start();
    let web = lab.pod("shop", "web-0");
    lab.pod("shop", "quiet-0");
    lab.inside(web, PARTITION);
    lab.inside(web, "iptables-legacy -w -t mangle -A INPUT -i lo -j ACCEPT; ipset create other hash:ip");

    let page = lab.serve(&["--upstream-names=off"]).metrics();
    assert!(!page.contains("chaos_daemon_") && page.contains("pod=\"web-0\""), "{page}");
    let page = lab.serve(&[]).metrics();
    assert!(page.contains("chaos_daemon_tcs_rules{") && !page.contains("chaos_daemon_tcs{") && !page.contains("node_load1"), "{page}");

    let page = lab.serve(&["--rules=all"]).metrics();
    let saved = saved_rules(&lab, web);
    assert_eq!(saved.len(), 7, "{saved:?}");
    assert_eq!(exposed_rules(&page, UPSTREAM, &[("pod", "web-0"), ("container", "app")]), saved);
    assert_eq!(value(&page, "chaoscope_ipset_members", &[("pod", "web-0"), ("set", "other")]), "0");
    assert_eq!(value(&page, "chaos_daemon_tcs_rules", &[("pod", "quiet-0"), ("container", "app")]), "3");

    let page = lab.serve(&["--source.host"]).metrics();
    let kernel = rustix::system::uname();
    let node = [("release", kernel.release().to_str().unwrap()), ("sysname", "Linux")];
    assert_eq!(value(&page, "node_uname_info", &node), "1.0");
    assert_eq!(value(&page, "chaoscope_scrape_source_success", &[("source", "host")]), "1");
}

#[test]
#[ignore = "needs root, ipset and iptables: run by make test"]
fn an_idle_node_and_a_faulted_pod_cost_few_series() {
    let mut lab = Lab::start();
    for (at, pid) in lab.processes(110).into_iter().enumerate() {
        lab.cri.add("shop", &format!("idle-{at}"), "app", &format!("idle-{at}"), pid);
    }
    let (with, without) = (lab.serve(&[]), lab.serve(&["--upstream-names=off"]));
    let idle = samples(&with.metrics()).len();
    assert_eq!(value(&with.metrics(), "chaoscope_netns_visited", &[]), "110");
    assert!(idle <= 200, "{idle} series of an idle node");

    let web = lab.pod("shop", "web-0");
    lab.inside(web, PARTITION);
    let cost = |page: &str| samples(page).iter().filter(|sample| sample.label("pod") == "web-0").count();
    let (with, without) = (cost(&with.metrics()), cost(&without.metrics()));
    assert!(without <= 40, "{without} series of a faulted pod");
    // Upstream's are per container, and twelve of the sixteen are counters of six rules.
    assert!(with - without <= 2 * 16, "{with} series of a faulted pod of two containers, with upstream's names");
}

#[test]
#[ignore = "needs root: run by make test"]
fn the_runtime_is_asked_once_a_scrape_and_once_for_each_new_container() {
    let mut lab = Lab::start();
    let web = lab.pod("shop", "web-0");
    let server = lab.serve(&["--rules=all"]);
    let tcs = |page: &str| values(page, "chaos_daemon_tcs_rules", &[("pod", "web-0")]);
    assert_eq!(tcs(&server.metrics()), ["3", "3"]);
    assert_eq!(lab.cri.calls(), (1, 2));
    server.metrics();
    server.metrics();
    assert_eq!(lab.cri.calls(), (3, 2));

    // Restarted: the same container's name, a new id and a new process in the same namespace.
    lab.cri.remove("web-0-app");
    assert_eq!(tcs(&server.metrics()), ["3"]);
    lab.cri.add("shop", "web-0", "app", "web-0-app-again", web);
    let page = server.metrics();
    assert_eq!(tcs(&page), ["3", "3"]);
    assert_eq!(value(&page, "chaoscope_netns_info", &[("container", "app"), ("container_id", "web-0-app-again")]), "1");
    assert_eq!(lab.cri.calls(), (5, 3));

    // The same id with another process, as after a restart in place: the old process has gone.
    let moved = lab.processes(1)[0];
    lab.cri.remove("web-0-sidecar");
    server.metrics();
    lab.cri.add("shop", "moved-0", "app", "moved-0-app", moved);
    server.metrics();
    let before = lab.cri.calls().1;
    let next = lab.processes(1)[0];
    lab.cri.remove("moved-0-app");
    lab.cri.add("shop", "moved-0", "app", "moved-0-app", next);
    lab.shell(&format!("kill -KILL {moved}; wait {moved} || true"));
    let page = server.metrics();
    assert_eq!(value(&page, "chaoscope_netns_info", &[("pod", "moved-0"), ("inode", &lab.inode(next))]), "1");
    assert_eq!(lab.cri.calls().1, before + 1);
}

#[test]
#[ignore = "needs root and iptables: run by make test"]
fn host_network_pods_are_recognised_and_not_swept() {
    let mut lab = Lab::start();
    lab.pod("shop", "web-0");
    let proxy = lab.host_process();
    lab.cri.add("kube-system", "proxy-0", "proxy", "proxy-0", proxy);
    lab.inside(proxy, "iptables-legacy -w -N CHAOS-INPUT; iptables-legacy -w -A CHAOS-INPUT -j DROP");

    let page = lab.serve(&[]).metrics();
    assert_eq!(value(&page, "chaoscope_netns_skipped", &[("reason", "host_network")]), "1");
    assert_eq!(value(&page, "chaoscope_netns_visited", &[]), "1");
    assert!(!page.contains("CHAOS-INPUT") && !page.contains("proxy-0"), "{page}");

    let page = lab.serve(&["--host-network"]).metrics();
    assert_eq!(value(&page, "chaoscope_netns_visited", &[]), "2");
    // The host's state belongs to no pod, whoever shares its network.
    let inode = lab.inode(proxy);
    let host = [("namespace", ""), ("pod", ""), ("netns", inode.as_str()), ("chain", "CHAOS-INPUT"), ("rule", "-j DROP")];
    assert_eq!(value(&page, "chaoscope_iptables_rule_packets_total", &host), "0");
    assert!(!page.contains("proxy-0\",netns"), "{page}");
}

/// Names, not processes: a namespace that only a file in /run/netns holds.
#[test]
#[ignore = "needs root: run by make test"]
fn a_named_namespace_without_a_process_is_told_by_its_name() {
    let mut lab = Lab::start();
    lab.shell(
        "ip netns add lab && ip -n lab link set lo up && tc -n lab qdisc add dev lo root handle 1: tbf rate 1mbit burst 10000 limit 20000",
    );
    let page = lab.serve(&[]).metrics();
    assert_eq!(value(&page, "chaoscope_tbf_rate_bytes_per_second", &[("namespace", ""), ("pod", ""), ("netns", "lab")]), "125000.0");
    assert!(!page.contains("chaos_daemon_tcs_rules{"), "upstream's families are of pods only");
}
