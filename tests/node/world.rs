//! A whole node as plain values: everything a scrape can see, once, without a kernel.
//!
//! Apart from what is expected of it (`golden`). A new metric family needs a value here, or the golden page does not show it.

use chaoscope::declared::{Declared, Standing};
use chaoscope::exposition::Distribution;
use chaoscope::node::error::ReadError;
use chaoscope::node::host::{Filesystem, Host, Pressure, ProcessorTime, Processors, Uname};
use chaoscope::node::ipset::Set;
use chaoscope::node::iptables::text::{Part, SetMatch};
use chaoscope::node::iptables::{Backend, Chain, Counters, Family, Rule, Table, Verdict};
use chaoscope::node::limits::Limitation;
use chaoscope::node::mounts::ResolvConf;
use chaoscope::node::namespaces::{Namespace, Resident};
use chaoscope::node::netns::NsId;
use chaoscope::node::own::Own;
use chaoscope::node::processes::{Cgroup, Helper};
use chaoscope::node::sweep::{Complete, Fate, Files, Observed, Skip, Sweep};
use chaoscope::node::tc::options::{Netem, Options, Tbf};
use chaoscope::node::tc::{Handle, Qdisc, Statistics, Tc};
use chaoscope::node::visit::Reading;
use chaoscope::node::visits::Place;
use chaoscope::peers::find::{Component, Peer};
use chaoscope::peers::{PeerReading, parse, timer};
use chaoscope::scrape::{Detail, Outcome, Seen, Upstream, World};
use chaoscope::tools::helpers::HelperKind;
use chaoscope::verdict::{Stated, Survey};
use chaoscope_model::declared::{self, Applied, DeclaredPod, DeclaredTarget, Expectation, Network, Shape, Shaping, Stage};
use chaoscope_model::verdict::{Judgement, Owner, Residue, Verdict as Verdicts};
use chaoscope_model::{Effect, Pod, Reference, Tool};
use procfs::{DiskStat, FromBufRead};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The node, with upstream's names and their old ones; with or without the host's own figures.
pub(crate) fn world(host: bool) -> World {
    let sweep = Arc::new(sweep());
    let took = |millis| Outcome { success: true, took: Duration::from_millis(millis) };
    let mut sources =
        BTreeMap::from([("sweep", took(12)), ("processes", took(3)), ("namespaces", took(5)), ("mounts", took(1)), ("peers", took(0))]);
    sources.insert("runtime", Outcome { success: false, took: Duration::from_millis(250) });
    if host {
        sources.insert("host", took(2));
    }
    World {
        detail: Detail { all_rules: false, upstream: Upstream::WithOld },
        sweep: Some(Ok(Seen { survey: Survey::of(&sweep), sweep })),
        declared: Some(Ok(Arc::new(declared()))),
        judged: Some(Ok(Arc::new(judged()))),
        residue: Some(Ok(Arc::new(residue()))),
        host: host.then(|| Ok(Arc::new(self::host()))),
        peers: Some(Ok(Arc::new(vec![daemon()]))),
        own: Some(Own {
            cpu_seconds: 1.25,
            resident_bytes: 9_437_184,
            virtual_bytes: 104_857_600,
            open_fds: Some(12),
            max_fds: Some(1024),
            start_seconds: 1_700_000_000.5,
        }),
        sources,
        ..World::default()
    }
}

fn time(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_700_000_000 + second).expect("a time")
}

fn experiment(name: &str) -> Reference {
    Reference { kind: "NetworkChaos".into(), namespace: "shop".into(), name: name.into(), ..Reference::default() }
}

/// A connection by which a bandwidth limit was told, whose tbf then has the experiment's name.
fn declared() -> Declared {
    let target = DeclaredTarget {
        run: "r-1".into(),
        target: "shop/web-0".into(),
        selector: ".".into(),
        experiment: experiment("slow"),
        container: String::new(),
        stage: Stage::Injected,
        injected_at: None,
        expects: Expectation::Network,
    };
    let tcs = vec![Shaping { source: "shop/slow".into(), does: Shape::Tbf(declared::Tbf::default()), ..Shaping::default() }];
    let network = Some(Applied { spec: Network { tcs, ..Network::default() }, ..Applied::default() });
    let pod = DeclaredPod { pod: web(), network, targets: vec![target], ..DeclaredPod::default() };
    Declared {
        connected: true,
        last_message: Some(time(99)),
        standing: Standing::Current,
        pods: Arc::new([("u-1".to_owned(), pod)].into()),
        ..Declared::default()
    }
}

/// One of each verdict; one experiment has a pod twice, and what asks for somebody more is shown.
fn judged() -> Vec<Stated> {
    let stated = |experiment_name: &str, verdict, reason| Stated {
        pod: web(),
        container: String::new(),
        netns: String::new(),
        experiment: experiment(experiment_name),
        judgement: Judgement::new(verdict, reason),
    };
    vec![
        stated("slow", Verdicts::Drifted, "rate"),
        stated("cut", Verdicts::InForce, ""),
        stated("cut", Verdicts::Unknown, "other_end"),
        stated("gone", Verdicts::Missing, "no_rule"),
        stated("gone", Verdicts::InForce, ""),
        stated("soon", Verdicts::Unknown, "settling"),
    ]
}

fn residue() -> Vec<Residue> {
    let left = |what: &str, effect, owner, object: &str, second| Residue {
        pod: web(),
        container: String::new(),
        netns: String::new(),
        effect,
        owner,
        what: what.into(),
        object: object.into(),
        tool: Tool::ChaosMesh,
        experiment: (owner == Owner::EndedRun).then(|| experiment("old")),
        run: None,
        first_seen: time(second),
    };
    vec![
        left("rule", Effect::Effective, Owner::EndedRun, "one", 20),
        left("rule", Effect::Effective, Owner::EndedRun, "another", 10),
        left("set", Effect::Benign, Owner::Unknown, "set", 30),
    ]
}

/// A page of this node's chaos-daemon, with one sample of each family and one that makes no sense.
fn daemon() -> PeerReading {
    let page = "\
grpc_server_started_total{grpc_method=\"SetTcs\",grpc_service=\"pb.ChaosDaemon\",grpc_type=\"unary\"} 10
grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"SetTcs\",grpc_service=\"pb.ChaosDaemon\",grpc_type=\"unary\"} 9
grpc_server_msg_received_total{grpc_method=\"SetTcs\",grpc_service=\"pb.ChaosDaemon\",grpc_type=\"unary\"} 10
grpc_server_msg_sent_total{grpc_method=\"SetTcs\",grpc_service=\"pb.ChaosDaemon\",grpc_type=\"unary\"} 9
chaos_daemon_grpc_server_handling_seconds_bucket{grpc_method=\"SetTcs\",grpc_service=\"pb.ChaosDaemon\",grpc_type=\"unary\",le=\"0.1\"} 8
chaos_daemon_grpc_server_handling_seconds_bucket{grpc_method=\"SetTcs\",grpc_service=\"pb.ChaosDaemon\",grpc_type=\"unary\",le=\"+Inf\"} 9
chaos_daemon_grpc_server_handling_seconds_sum{grpc_method=\"SetTcs\",grpc_service=\"pb.ChaosDaemon\",grpc_type=\"unary\"} 0.75
chaos_daemon_grpc_server_handling_seconds_count{grpc_method=\"SetTcs\",grpc_service=\"pb.ChaosDaemon\",grpc_type=\"unary\"} 9
chaos_daemon_bpm_controlled_processes 2
chaos_daemon_bpm_controlled_process_total 3
grpc_server_started_total{grpc_method=\"SetTcs\",peer=\"another\"} 1
chaos_daemon_tcs_rules{namespace=\"shop\",pod=\"web-0\",container=\"web\"} 7
";
    PeerReading {
        peer: Peer { name: "chaos-daemon".into(), ..Peer::at(Component::Daemon, timer::URL).expect("an address") },
        at: jiff::Timestamp::from_second(1_700_000_100).expect("a time"),
        took: Duration::from_millis(125),
        page: Ok(parse::parse(Component::Daemon, page.as_bytes()).expect("a page")),
    }
}

/// What is in no namespace of interest must not be on the page: one idle pod is there to show it.
fn sweep() -> Sweep {
    let mut durations = Distribution::exact(&[0.000_1, 0.001, 0.01]);
    for seconds in [0.000_05, 0.000_5, 0.000_5, 0.02] {
        durations.observe(seconds);
    }
    let took = Duration::from_micros(500);
    let read = |reading| Fate::Read(Box::new(reading), took);
    Sweep {
        at: jiff::Timestamp::UNIX_EPOCH,
        took: Duration::from_millis(12),
        runtime: "containerd 1.6 at /run/containerd/containerd.sock".into(),
        parts: vec![],
        namespaces: vec![
            observed(Some(web()), None, 11, &["web", "sidecar"], read(partitioned())),
            observed(Some(unnamed()), None, 12, &[""], read(delayed())),
            observed(Some(pod("shop", "idle-0", "u-3")), None, 13, &["idle"], read(idle())),
            observed(None, Some("lab"), 14, &[], read(native())),
            observed(Some(pod("shop", "refused-0", "u-5")), None, 15, &["app"], Fate::Failed(refused("enter namespace"))),
            observed(Some(pod("shop", "late-0", "u-6")), None, 16, &["app"], Fate::Skipped(Skip::Deadline)),
            observed(None, None, 17, &[], Fate::Skipped(Skip::Gone)),
            observed(None, None, 1, &[], Fate::Skipped(Skip::HostNetwork)),
        ],
        helpers: vec![
            (Some(web()), helper(HelperKind::Tproxy)),
            (Some(web()), helper(HelperKind::TproxyProxy)),
            (Some(unnamed()), helper(HelperKind::StressNg)),
            (None, helper(HelperKind::MemStress)),
        ],
        mounts: vec![
            Files { pod: Some(web()), container: "web".into(), toda: vec!["/data".into()], resolv_conf: Some(ResolvConf::Replaced) },
            Files { pod: Some(unnamed()), container: "c".into(), toda: vec![], resolv_conf: Some(ResolvConf::Restored) },
        ],
        looked: vec![],
        booted: None,
        complete: Complete::default(),
        unreadable: 2,
        limitations: vec![
            limitation("namespaces not known: 2 processes", true),
            limitation("not reached before the deadline: 1 namespace", true),
            limitation("names of pods may be missing", false),
        ],
        durations,
    }
}

fn limitation(what: &str, blinds: bool) -> Limitation {
    Limitation { what: what.into(), remedy: String::new(), blinds }
}

fn pod(namespace: &str, name: &str, uid: &str) -> Pod {
    Pod { namespace: namespace.into(), name: name.into(), uid: uid.into() }
}

fn web() -> Pod {
    pod("shop", "web-0", "u-1")
}

/// Without a runtime only the cgroup told its uid.
fn unnamed() -> Pod {
    pod("", "", "5b9ba8f2-0d6c-4c55-8f6c-2f7f6f0b6c10")
}

fn observed(pod: Option<Pod>, name: Option<&str>, inode: u64, containers: &[&str], fate: Fate) -> Observed {
    let resident = |(at, name): (usize, &&str)| Resident { name: (*name).to_owned(), id: format!("{inode}c{at}"), pid: 100 };
    let place = Place { id: NsId { dev: 4, ino: inode }, paths: vec![] };
    let containers = containers.iter().enumerate().map(resident).collect();
    let namespace = Namespace { place, inode, name: name.map(Into::into), host: inode == 1, pod, primary: true, containers };
    Observed { namespace, fate }
}

fn helper(kind: HelperKind) -> Helper {
    let target = Cgroup { pod_uid: None, container_id: None };
    Helper {
        kind,
        tool: Tool::ChaosMesh,
        pid: 4711,
        parent: 4710,
        start_ticks: 1,
        netns: None,
        lives_in: None,
        target,
        active: kind.is_active(),
    }
}

fn refused(call: &'static str) -> ReadError {
    ReadError::of(call, rustix::io::Errno::PERM)
}

fn qdisc(kind: &str, handle: u32, options: Options) -> Qdisc {
    let statistics = Statistics {
        bytes: Some(1_000_000),
        packets: Some(1000),
        drops: Some(7),
        overlimits: Some(3),
        requeues: Some(0),
        backlog: Some(1500),
        queued: Some(1),
    };
    let device = if handle == 0 { "" } else { "eth0" }.to_owned();
    Qdisc { device, ifindex: 2, kind: kind.into(), handle: Handle(handle), parent: Handle::ROOT, options, statistics }
}

fn noqueue() -> Qdisc {
    qdisc("noqueue", 0, Options::Other)
}

fn tc(configured: Vec<Qdisc>) -> Tc {
    Tc { qdiscs: std::iter::once(noqueue()).chain(configured).collect(), ..Tc::default() }
}

fn idle() -> Reading {
    Reading { tc: Ok(tc(vec![])), sets: Ok(vec![]), legacy: Ok(vec![]), nft: Ok(vec![]) }
}

/// A partition and a bandwidth limit of Chaos Mesh, a second experiment that has recovered, and a set of somebody else.
fn partitioned() -> Reading {
    let tbf = Tbf { rate_bytes_per_second: 125_000, peakrate_bytes_per_second: Some(250_000), burst_bytes: 10_000, limit_bytes: 20_000 };
    let set = |name: &str, kind: &str, members| Set {
        name: name.into(),
        kind: kind.into(),
        family: "inet",
        members: Some(members),
        references: Some(1),
        list: vec![],
    };
    Reading {
        tc: Ok(tc(vec![qdisc("tbf", 0x1_0000, Options::Tbf(tbf))])),
        sets: Ok(vec![set("cut-w_c356d36a67f5a_net_tgt", "hash:net", 2), set("KUBE-\"odd\"", "hash:ip", 5)]),
        legacy: Ok(vec![legacy_filter()]),
        nft: Err(refused("nftables dump")),
    }
}

fn legacy_filter() -> Table {
    let drop = |part: Part, packets| rule(vec![Part::Text("-o eth0".into()), part], Verdict::Drop, packets);
    let matched = Part::Set(SetMatch {
        index: 1,
        name: Some("cut-w_c356d36a67f5a_net_tgt".into()),
        inverted: false,
        directions: "dst,dst".into(),
        more: None,
    });
    Table {
        backend: Backend::Legacy,
        family: Family::Ipv4,
        name: "filter".into(),
        chains: vec![
            hooked("INPUT", vec![rule(vec![Part::Text("-i lo".into())], Verdict::Accept, 99)]),
            hooked("FORWARD", vec![]),
            hooked("OUTPUT", vec![rule(vec![], Verdict::Jump("CHAOS-OUTPUT".into()), 40)]),
            own("CHAOS-OUTPUT", true, vec![rule(vec![], Verdict::Jump("OUTPUT/cut-w_c356d36a67f5a_".into()), 40)]),
            own("OUTPUT/cut-w_c356d36a67f5a_", true, vec![drop(matched, 12)]),
            own("OUTPUT/old-w_1b2c3d4e5f60_", false, vec![drop(Part::Text("-m set#5e1f0c22".into()), 3)]),
        ],
    }
}

fn delayed() -> Reading {
    let netem = Netem {
        delay_seconds: 0.1,
        jitter_seconds: 0.01,
        loss_ratio: Some(0.05),
        duplicate_ratio: 0.01,
        corrupt_ratio: 0.002,
        reorder_ratio: 0.25,
        gap: 3,
        rate_bytes_per_second: Some(125_000),
        limit_packets: 1000,
        ..Netem::default()
    };
    Reading { tc: Ok(tc(vec![qdisc("netem", 0x1_0000, Options::Netem(netem))])), ..idle() }
}

/// What Krkn leaves, as `iptables-nft` writes it.
fn native() -> Reading {
    let states = Part::Text("-m conntrack --ctstate NEW,RELATED,ESTABLISHED".into());
    let table = |family| Table {
        backend: Backend::Nft,
        family,
        name: "filter".into(),
        chains: vec![hooked("INPUT", vec![rule(vec![states.clone()], Verdict::Drop, 5)])],
    };
    Reading { nft: Ok(vec![table(Family::Ipv4), table(Family::Ipv6)]), ..idle() }
}

fn rule(parts: Vec<Part>, verdict: Verdict, packets: u64) -> Rule {
    Rule { parts, verdict, counters: Some(Counters { packets, bytes: packets * 84 }), verdict_map: false }
}

fn hooked(name: &str, rules: Vec<Rule>) -> Chain {
    Chain { name: name.into(), hooked: true, policy: "ACCEPT", reachable: Some(true), rules }
}

fn own(name: &str, reachable: bool, rules: Vec<Rule>) -> Chain {
    Chain { name: name.into(), hooked: false, policy: "-", reachable: Some(reachable), rules }
}

fn host() -> Host {
    let device = "head\nhead\n eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n";
    let network = procfs::net::InterfaceDeviceStatus::from_buf_read(device.as_bytes()).unwrap().0;
    let word = |text: &str| text.to_owned();
    let memory = ["MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree"];
    let filesystem = Filesystem {
        device: word("/dev/vda"),
        fs_type: word("ext4"),
        point: word("/"),
        size: 4096,
        free: 2048,
        available: 1024,
        files: 10,
        files_free: 9,
        is_read_only: false,
    };
    Host {
        time: Ok(1_700_000_100.5),
        load: Ok([0.08, 1.7, 2.0]),
        processors: Ok(Processors {
            times: vec![ProcessorTime { number: 0, seconds: vec![("user", 1.5), ("idle", 3.0)] }],
            boot_time: 1_699_999_999.0,
        }),
        memory: Ok(memory.into_iter().zip(1..).map(|(name, pages)| (name, pages * 4096)).collect()),
        network: Ok(network.into_values().collect()),
        disks: Ok(vec![DiskStat::from_line("254 0 vda 1 1 2 30 2 2 4 40 0 1500 70").unwrap()]),
        filesystems: Ok(vec![filesystem]),
        pressure: Ok(vec![
            Pressure { resource: "cpu", waiting: 2.5, stalled: None },
            Pressure { resource: "io", waiting: 1.0, stalled: Some(0.5) },
            Pressure { resource: "memory", waiting: 0.25, stalled: Some(0.125) },
        ]),
        uname: Uname {
            sysname: word("Linux"),
            release: word("6.1.0"),
            version: word("SMP 1"),
            machine: word("x86_64"),
            nodename: word("node-1"),
            domainname: word("(none)"),
        },
    }
}
