//! Sweeps built by hand: what becomes a fault and what does not.

use super::*;
use crate::exposition::Distribution;
use crate::node::error::ReadError;
use crate::node::iptables::text::Part;
use crate::node::iptables::{Family, Rule};
use crate::node::namespaces::Resident;
use crate::node::netns::NsId;
use crate::node::processes::Cgroup;
use crate::node::sweep::{Complete, Fate, Skip};
use crate::node::tc::options::{Netem, Tbf};
use crate::node::tc::{Handle, Statistics};
use crate::node::visit::Reading;
use crate::node::visits::Place as Way;
use crate::tools::helpers::HelperKind;

fn rule(text: &str, verdict: Verdict) -> Rule {
    Rule { parts: vec![Part::Text(text.to_owned())], verdict, counters: None, verdict_map: false }
}

fn chain(name: &str, hooked: bool, reachable: bool, rules: Vec<Rule>) -> Chain {
    Chain { name: name.to_owned(), hooked, policy: if hooked { "ACCEPT" } else { "-" }, reachable: Some(reachable), rules }
}

fn table(chains: Vec<Chain>) -> Table {
    Table { backend: Backend::Legacy, family: Family::Ipv4, name: "filter".into(), chains }
}

fn reading(qdiscs: Vec<Qdisc>, chains: Vec<Chain>) -> Reading {
    Reading { tc: Ok(Tc { qdiscs, ..Tc::default() }), sets: Ok(vec![]), legacy: Ok(vec![table(chains)]), nft: Ok(vec![]) }
}

fn qdisc(handle: u32, options: Options) -> Qdisc {
    let kind = if matches!(options, Options::Netem(_)) { "netem" } else { "tbf" }.to_owned();
    Qdisc {
        device: "eth0".into(),
        ifindex: 2,
        kind,
        handle: Handle(handle),
        parent: Handle::ROOT,
        options,
        statistics: Statistics::default(),
    }
}

fn netem() -> Options {
    Options::Netem(Netem { delay_seconds: 0.1, limit_packets: 1000, ..Netem::default() })
}

fn tbf() -> Options {
    Options::Tbf(Tbf { rate_bytes_per_second: 125_000, peakrate_bytes_per_second: None, burst_bytes: 10_240, limit_bytes: 16_490 })
}

fn observed(inode: u64, fate: Fate) -> Observed {
    let pod = Some(Pod { namespace: "shop".into(), name: "web-0".into(), uid: "u1".into() });
    let containers = vec![Resident { name: "app".into(), id: "c1".into(), pid: 9 }];
    let place = Way { id: NsId { dev: 4, ino: inode }, paths: vec![] };
    Observed { namespace: Namespace { place, inode, name: None, host: false, pod, primary: true, containers }, fate }
}

fn read(reading: Reading) -> Observed {
    observed(7, Fate::Read(Box::new(reading), Duration::ZERO))
}

fn sweep(namespaces: Vec<Observed>) -> Sweep {
    Sweep {
        at: jiff::Timestamp::UNIX_EPOCH,
        took: Duration::from_secs(3),
        runtime: String::new(),
        parts: vec![],
        namespaces,
        complete: Complete { processes: true, namespaces: true },
        unreadable: 0,
        helpers: vec![],
        mounts: vec![],
        looked: vec![],
        booted: None,
        limitations: vec![],
        durations: Distribution::default(),
    }
}

fn faults(reading: Reading) -> Vec<Fault> {
    seen(&sweep(vec![read(reading)]), "one").faults
}

#[test]
fn netem_and_tbf_are_faults_and_default_qdiscs_are_not() {
    let mut default = qdisc(0, Options::Other);
    default.kind = "noqueue".into();
    let mut prio = qdisc(0x10000, Options::Other);
    prio.kind = "prio".into();
    let found = faults(reading(vec![default, prio, qdisc(0x8001_0000, netem()), qdisc(0x10000, tbf())], vec![]));
    let shown: Vec<_> = found.iter().map(|fault| (fault.kind, fault.action.as_str(), fault.looks_like)).collect();
    assert_eq!(shown, [(Kind::Netem, "delay", None), (Kind::Tbf, "bandwidth", Some(Tool::ChaosMesh))]);
    let figures: Vec<_> = found[0].parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(figures, ["delay=100ms", "device=eth0", "handle=8001:", "parent=root"]);
    let Target { namespace, pod, netns, node, .. } = &found[0].target;
    assert_eq!([namespace, pod, netns, node], ["shop", "web-0", "7", "one"]);
    assert_eq!((found[0].place, found[0].home.as_str()), (Some(Netns { device: 4, inode: 7 }), "u1"));
}

#[test]
fn on_the_host_a_tbf_is_no_fault() {
    let mut host = read(reading(vec![qdisc(1, tbf()), qdisc(1, netem())], vec![]));
    host.namespace.host = true;
    let found = seen(&sweep(vec![host]), "one").faults;
    assert_eq!(found.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [Kind::Netem]);
}

#[test]
fn only_what_drops_within_reach_and_in_a_known_shape_is_a_fault() {
    let jump = |to: &str| rule("", Verdict::Jump(to.to_owned()));
    let set = "-i eth0 -m set --match-set cut-w_c356d36a67f5a_set_src src,dst";
    let krkn = "-p tcp -m tcp --dport 80 -m state --state NEW,RELATED,ESTABLISHED";
    let chains = vec![
        chain("INPUT", true, true, vec![jump("CHAOS-INPUT"), rule(krkn, Verdict::Drop), rule("-s 192.0.2.1/32", Verdict::Drop)]),
        chain("CHAOS-INPUT", false, true, vec![jump("INPUT/cut-w_c356d36a67f5a_")]),
        chain("INPUT/cut-w_c356d36a67f5a_", false, true, vec![rule(set, Verdict::Drop), rule(set, Verdict::Drop)]),
        chain("OUTPUT/cut-w_c356d36a67f5a_", false, false, vec![rule(set, Verdict::Drop)]),
        chain("TC-TABLES-0", false, true, vec![rule("-j CLASSIFY", Verdict::Target("CLASSIFY".into()))]),
        chain("CHAOS-OUTPUT", false, true, vec![rule("-j REJECT", Verdict::Target("REJECT".into()))]),
    ];
    let found = faults(reading(vec![], chains));
    let shown: Vec<_> =
        found.iter().map(|fault| (fault.parameters["chain"].as_str(), fault.action.as_str(), fault.looks_like.unwrap().as_str())).collect();
    let wanted = [
        ("INPUT", "drop", "krkn"),
        ("INPUT/cut-w_c356d36a67f5a_", "drop", "chaos-mesh"),
        ("INPUT/cut-w_c356d36a67f5a_", "drop", "chaos-mesh"),
        ("CHAOS-OUTPUT", "reject", "chaos-mesh"),
    ];
    assert_eq!(shown, wanted);
    assert!(found.iter().all(|fault| fault.kind == Kind::Drop && fault.source == Source::Legacy));
    assert_ne!(found[1].key, found[2].key, "the same rule twice is two faults");
    assert_eq!(found[0].parameters["rule"], format!("{krkn} -j DROP"));
}

#[test]
fn what_others_drop_is_no_fault() {
    let drop = |text: &str| rule(text, Verdict::Drop);
    let reject = |text: &str| rule(text, Verdict::Target("REJECT".into()));
    let chains = vec![
        Chain { policy: "DROP", ..chain("FORWARD", true, true, vec![]) },
        chain("DOCKER-ISOLATION-STAGE-2", false, true, vec![drop("-o docker0")]),
        chain("ufw-user-input", false, true, vec![drop("-p tcp -m tcp --dport 23"), reject("-j REJECT")]),
        chain("f2b-sshd", false, true, vec![reject("-s 203.0.113.9/32 -j REJECT --reject-with icmp-port-unreachable")]),
        chain(
            "KUBE-FIREWALL",
            false,
            true,
            vec![drop("! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT")],
        ),
    ];
    assert_eq!(faults(reading(vec![], chains)), []);
}

#[test]
fn absence_means_something_only_where_it_was_read() {
    let refused = || ReadError::Permission { call: "ipset list", errno: rustix::io::Errno::PERM };
    let part = Reading { legacy: Err(refused()), ..reading(vec![], vec![]) };
    let mut sweep = sweep(vec![
        read(part),
        observed(8, Fate::Failed(refused())),
        observed(9, Fate::Skipped(Skip::Deadline)),
        observed(10, Fate::Skipped(Skip::HostNetwork)),
    ]);
    let out = seen(&sweep, "one");
    let place = Some(Netns { device: 4, inode: 7 });
    assert_eq!(out.read, [(place, Source::Tc), (place, Source::Nft), (None, Source::Processes)].into());
    let inodes = |out: &kernel::Sweep| out.present.as_ref().map(|all| all.iter().map(|netns| netns.inode).collect::<Vec<_>>());
    assert_eq!((inodes(&out), out.at.as_second() - out.began.as_second()), (Some(vec![7, 8, 9, 10]), 3));
    sweep.complete = Complete::default();
    let out = seen(&sweep, "one");
    assert_eq!((out.present.is_none(), out.read.contains(&(None, Source::Processes))), (true, false));
}

#[test]
fn a_helper_at_work_is_a_fault_of_its_pod() {
    let helper = |kind, pid, active| Helper {
        kind,
        tool: Tool::ChaosMesh,
        pid,
        parent: 1,
        start_ticks: 5,
        netns: None,
        lives_in: None,
        target: Cgroup { pod_uid: Some("u1".into()), container_id: Some("c1".into()) },
        active,
    };
    let mut sweep = sweep(vec![read(reading(vec![], vec![]))]);
    let pod = sweep.namespaces[0].namespace.pod.clone();
    sweep.helpers = vec![(pod, helper(HelperKind::StressNg, 40, true)), (None, helper(HelperKind::Tproxy, 41, false))];
    let found = seen(&sweep, "one").faults;
    assert_eq!(found.len(), 1, "an idle proxy does nothing: {found:#?}");
    let fault = &found[0];
    assert_eq!((fault.kind, fault.action.as_str(), fault.place, fault.source), (Kind::Process, "stress_ng", None, Source::Processes));
    let Target { namespace, pod, container, netns, .. } = &fault.target;
    assert_eq!([namespace, pod, container, netns], ["shop", "web-0", "app", "7"]);
    assert_eq!((fault.parameters["pid"].as_str(), fault.key.as_str()), ("40", "process stress_ng 40 5"));
}
