//! `chaos_daemon_*` against a recorded page of the real chaos-daemon: the pod's recorded kernel state is put into a real namespace, read
//! by us, and must give the same series under the same labels.
//!
//! Counters are compared with the recorded state, because the recorded page was taken a moment later.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]
#![allow(clippy::float_cmp, reason = "counts are exact")]

mod kit;

use chaoscope::exposition::{self, Distribution, Format};
use chaoscope::node::modules::Modules;
use chaoscope::node::namespaces::{Namespace, Resident};
use chaoscope::node::netns::identify;
use chaoscope::node::sweep::{Complete, Fate, Observed, Sweep};
use chaoscope::node::visit::Plan;
use chaoscope::node::visits::{Place, visit_all};
use chaoscope::scrape::{Detail, Seen, Upstream, World, page};
use chaoscope::verdict::Survey;
use chaoscope_model::Pod;
use kit::netns::Netns;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const RECORDINGS: &str = "tests/fixtures/chaos-mesh-2.8.3";

#[test]
#[ignore = "needs root and Debian's iptables and ipset: run by make test"]
fn a_partition_in_force_on_its_source() {
    same_as_recorded("partition-both/1-during/shop_client-0", "client-0", "load");
}

#[test]
#[ignore = "needs root and Debian's iptables and ipset: run by make test"]
fn a_partition_in_force_on_its_target() {
    same_as_recorded("partition-both/1-during/shop_web-0", "web-0", "web");
}

#[test]
#[ignore = "needs root and Debian's iptables and ipset: run by make test"]
fn what_a_partition_leaves_behind() {
    same_as_recorded("partition-both/5-deleted/shop_web-0", "web-0", "web");
}

fn same_as_recorded(folder: &str, pod: &str, container: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(RECORDINGS).join(folder);
    let netns = Netns::new();
    // A pod has lo and one device; an ifb stands for its eth0.
    netns.script(&format!(
        "ip link add eth0 type ifb && ip link set eth0 up && ipset restore <{0}/ipset-save.txt && iptables-legacy-restore -c <{0}/iptables-save.txt",
        folder.display()
    ));
    let ours = samples(&our_page(&netns, pod, container));
    let theirs = samples(&read(&folder.join("daemon.prom")));
    let names = |samples: &BTreeMap<String, f64>| samples.keys().filter(|name| !is_ours_alone(name)).cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs), "the same series");
    for (name, value) in theirs.iter().filter(|(name, _)| !name.starts_with("chaos_daemon_iptables")) {
        assert_eq!(ours[name], *value, "{name}");
    }
    let saved = read(&folder.join("iptables-save.txt"));
    let rules: Vec<_> = saved.lines().filter_map(rule).collect();
    assert!(!rules.is_empty());
    for (chain, text, packets, bytes) in rules {
        for (family, value) in [("chaos_daemon_iptables_packets{", packets), ("chaos_daemon_iptables_packet_bytes{", bytes)] {
            let wanted = [format!("chain=\"{chain}\""), format!("rule=\"{text}\"")];
            let found = ours.iter().find(|(name, _)| name.starts_with(family) && wanted.iter().all(|label| name.contains(label)));
            assert_eq!(found.map(|(_, value)| *value), Some(value), "{family} {chain} {text}");
        }
    }
}

/// Families of the upstream RFC that no release ever shipped.
fn is_ours_alone(name: &str) -> bool {
    name.starts_with("chaos_daemon_iptables_chains") || name.starts_with("chaos_daemon_iptables_rules")
}

fn our_page(netns: &Netns, pod: &str, container: &str) -> String {
    let place = Place { id: identify(&netns.path()).expect("the holder is alive"), paths: vec![netns.path()] };
    let plan = Plan { modules: Modules::find(), members: false };
    let visit = visit_all(std::slice::from_ref(&place), 1, plan, Instant::now() + Duration::from_secs(10)).remove(0).expect("in time");
    let namespace = Namespace {
        inode: place.id.ino,
        place,
        name: None,
        host: false,
        pod: Some(Pod { namespace: "shop".into(), name: pod.into(), uid: "u".into() }),
        primary: true,
        containers: vec![Resident { name: container.into(), id: "c".into(), pid: netns.pid() }],
    };
    let observed = Observed { namespace, fate: Fate::Read(Box::new(visit.reading.expect("root may enter")), visit.took) };
    let sweep = Arc::new(Sweep {
        at: jiff::Timestamp::UNIX_EPOCH,
        took: Duration::ZERO,
        runtime: String::new(),
        parts: vec![],
        namespaces: vec![observed],
        helpers: vec![],
        mounts: vec![],
        looked: vec![],
        booted: None,
        complete: Complete::default(),
        unreadable: 0,
        limitations: vec![],
        durations: Distribution::default(),
    });
    let world = World {
        detail: Detail { all_rules: false, upstream: Upstream::On },
        sweep: Some(Ok(Seen { survey: Survey::of(&sweep), sweep })),
        ..World::default()
    };
    let mut out = Vec::new();
    exposition::encode(Format::Classic, page(Arc::new(world)), &mut out).expect("a page");
    let out = String::from_utf8(out).expect("text");
    out.lines().filter(|line| line.starts_with("chaos_daemon_")).fold(String::new(), |text, line| text + line + "\n")
}

/// Series (labels in alphabetical order) and values of a page.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a sample");
        let (name, labels) = series.trim_end_matches('}').split_once('{').expect("labels");
        let mut labels: Vec<_> = labels.split("\",").map(|label| label.trim_end_matches('"')).collect();
        labels.sort_unstable();
        let labels: Vec<_> = labels.iter().map(|label| format!("{label}\"")).collect();
        (format!("{name}{{{}}}", labels.join(",")), value.parse().expect("a number"))
    };
    page.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

/// Chain, rule, packets and bytes of a line of `iptables-save -c`.
fn rule(line: &str) -> Option<(&str, &str, f64, f64)> {
    let (counters, rest) = line.strip_prefix('[')?.split_once("] -A ")?;
    let (packets, bytes) = counters.split_once(':')?;
    let (chain, rule) = rest.split_once(' ')?;
    Some((chain, rule, packets.parse().ok()?, bytes.parse().ok()?))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
