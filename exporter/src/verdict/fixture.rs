//! For tests: sweeps built by hand, of one pod `shop/web-0` with a container `web` unless told otherwise, and what is declared for it.

use crate::exposition::Distribution;
use crate::node::iptables::text::{Part, SetMatch};
use crate::node::iptables::{Backend, Chain, Family, Rule, Table, Verdict, mark_reachable};
use crate::node::namespaces::{Namespace, Resident};
use crate::node::netns::NsId;
use crate::node::processes::{Cgroup, Helper};
use crate::node::sweep::{Complete, Fate, Looked, Observed, Sweep};
use crate::node::tc::options::{Netem, Options, Prio};
use crate::node::tc::{Handle, Qdisc, Statistics, Tc};
use crate::node::visit::Reading;
use crate::node::visits::Place;
use crate::tools::helpers::HelperKind;
use chaoscope_model::declared::{Applied, DeclaredPod, DeclaredTarget, EndedRun, Expectation, Stage};
use chaoscope_model::{Pod, Reference, Tool};
use jiff::Timestamp;
use std::time::Duration;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn pod() -> Pod {
    Pod { namespace: "shop".into(), name: "web-0".into(), uid: "u1".into() }
}

pub(crate) fn namespace(inode: u64, pod: Option<Pod>, reading: Reading) -> Observed {
    let place = Place { id: NsId { dev: 4, ino: inode }, paths: vec![] };
    let containers = vec![Resident { name: "web".into(), id: "c1".into(), pid: 100 }];
    let namespace = Namespace { place, inode, name: None, host: false, pod, primary: true, containers };
    Observed { namespace, fate: Fate::Read(Box::new(reading), Duration::ZERO) }
}

pub(crate) fn empty() -> Reading {
    Reading { tc: Ok(Tc::default()), sets: Ok(vec![]), legacy: Ok(vec![]), nft: Ok(vec![]) }
}

/// A whole sweep in which the pod was looked at and nothing was found.
pub(crate) fn sweep(reading: Reading) -> Sweep {
    Sweep {
        at: at(1000),
        took: Duration::ZERO,
        runtime: String::new(),
        parts: vec![],
        namespaces: vec![namespace(7, Some(pod()), reading)],
        complete: Complete { processes: true, namespaces: true },
        unreadable: 0,
        helpers: vec![],
        mounts: vec![],
        looked: vec![looked("web")],
        booted: Some(at(0)),
        limitations: vec![],
        durations: Distribution::default(),
    }
}

pub(crate) fn looked(container: &str) -> Looked {
    Looked { pod: "u1".into(), container: container.into(), nameless: false, mounts: true, resolv_conf: true }
}

/// A process of the container `web` with this pid, its parent's one less, begun 500 s after the boot.
pub(crate) fn helper(kind: HelperKind, pid: u32) -> Helper {
    let target = Cgroup { pod_uid: Some("u1".into()), container_id: Some("c1".into()) };
    let start_ticks = 500 * rustix::param::clock_ticks_per_second();
    Helper { kind, tool: Tool::ChaosMesh, pid, parent: pid - 1, start_ticks, netns: None, lives_in: None, target, active: kind.is_active() }
}

pub(crate) fn rule(text: &str, set: Option<&str>, verdict: Verdict) -> Rule {
    let set = set
        .map(|name| Part::Set(SetMatch { index: 1, name: Some(name.into()), inverted: false, directions: "dst,dst".into(), more: None }));
    Rule { parts: set.into_iter().chain([Part::Text(text.into())]).collect(), verdict, counters: None, verdict_map: false }
}

pub(crate) fn jump(to: &str) -> Rule {
    rule(&format!("-j {to}"), None, Verdict::Jump(to.into()))
}

pub(crate) fn drop_rule(set: &str) -> Rule {
    rule("-j DROP", Some(set), Verdict::Drop)
}

pub(crate) fn chain(name: &str, rules: Vec<Rule>) -> Chain {
    let hooked = matches!(name, "INPUT" | "OUTPUT" | "PREROUTING");
    Chain { name: name.into(), hooked, policy: if hooked { "ACCEPT" } else { "-" }, reachable: None, rules }
}

/// One legacy table of IPv4.
pub(crate) fn table(name: &str, chains: Vec<Chain>) -> Reading {
    let mut table = Table { backend: Backend::Legacy, family: Family::Ipv4, name: name.into(), chains };
    mark_reachable(&mut table);
    Reading { legacy: Ok(vec![table]), ..empty() }
}

pub(crate) fn netem(device: &str, handle: u32) -> Qdisc {
    let options = Options::Netem(Netem { delay_seconds: 0.1, limit_packets: 1000, ..Netem::default() });
    qdisc(device, "netem", handle, options)
}

/// As Chaos Mesh builds it for filtered faults.
pub(crate) fn prio(device: &str, handle: u32) -> Qdisc {
    qdisc(device, "prio", handle, Options::Prio(Prio { bands: 4, priomap: [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1] }))
}

fn qdisc(device: &str, kind: &str, handle: u32, options: Options) -> Qdisc {
    let (handle, parent, statistics) = (Handle(handle << 16), Handle::ROOT, Statistics::default());
    Qdisc { device: device.into(), ifindex: 2, kind: kind.into(), handle, parent, options, statistics }
}

pub(crate) fn experiment(kind: &str, name: &str) -> Reference {
    Reference { kind: kind.into(), namespace: "shop".into(), name: name.into(), uid: String::new() }
}

/// Injected, in container `web`.
pub(crate) fn target(kind: &str, name: &str, expects: Expectation) -> DeclaredTarget {
    DeclaredTarget {
        run: format!("run of {name}"),
        target: "shop/web-0/web".into(),
        selector: ".".into(),
        experiment: experiment(kind, name),
        container: "web".into(),
        stage: Stage::Injected,
        injected_at: None,
        expects,
    }
}

pub(crate) fn declared(targets: Vec<DeclaredTarget>) -> DeclaredPod {
    DeclaredPod { pod: pod(), targets, ..DeclaredPod::default() }
}

pub(crate) fn ended(kind: &str, name: &str, second: i64) -> EndedRun {
    EndedRun { run: format!("run of {name} at {second}"), experiment: experiment(kind, name), ended_at: at(second) }
}

/// In sync.
pub(crate) fn applied<T>(spec: T) -> Applied<T> {
    Applied { generation: 2, observed: 2, failure: String::new(), incomplete: String::new(), spec }
}
