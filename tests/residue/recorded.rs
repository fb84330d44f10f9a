//! States of a real Chaos Mesh's pods, restored into a real namespace: what is in force, what was left, and whose it is.

use super::container::Container;
use super::world::{declared, ended, left, sweep, target, told};
use chaoscope::tools::chaos_mesh::decode::{Decoding, decode};
use chaoscope::verdict::Leftovers;
use chaoscope_model::declared::{Applied, DeclaredPod, Expectation, Network};
use chaoscope_model::observation::Observation;
use chaoscope_model::plan::Declares;
use chaoscope_model::verdict::{Owner, Residue};
use chaoscope_model::{Effect, Tool};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The experiment of all of them.
const CUT: &str = "cut-web-from-client";

fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/recordings").join(name)
}

/// Puts what was recorded of `web-0` at a moment into the container's namespace.
fn restore(container: &Container, name: &str, moment: &str) {
    let folder = recording(name).join("kernel").join(moment).join("shop_web-0");
    let file = |name: &str| folder.join(name).display().to_string();
    container.run("ip link show eth0 >/dev/null 2>&1 || ip link add eth0 type bridge; ip link set eth0 up");
    // What refers to sets goes first, then the sets: a namespace may hold an earlier state.
    container.run("iptables-legacy -F; iptables-legacy -X; ipset flush; ipset destroy");
    container.run(&format!("ipset restore <'{}'; iptables-legacy-restore <'{}'", file("ipset-save.txt"), file("iptables-save.txt")));
}

/// What the pod's object said then.
fn object(name: &str, at: &str) -> Applied<Network> {
    let at: Timestamp = at.parse().unwrap();
    let text = std::fs::read_to_string(recording(name).join("watch/podnetworkchaos.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let own = lines.filter(|line| line["watch"]["object"]["metadata"]["name"] == "web-0");
    let last = own.take_while(|line| line["seen"].as_str().unwrap().parse::<Timestamp>().unwrap() <= at).last().unwrap();
    let decoded = decode("PodNetworkChaos", &last["watch"]["object"], at, &Decoding::default()).unwrap();
    let Some(Observation::PodFaults(object)) = decoded else { panic!("{decoded:?}") };
    let Declares::Network(spec) = object.declares else { panic!("{object:?}") };
    Applied { generation: object.generation, observed: object.observed, failure: object.failure, incomplete: object.incomplete, spec }
}

fn during(container: &Container, name: &str, at: &str) -> DeclaredPod {
    let network = Some(object(name, at));
    DeclaredPod { network, targets: vec![target("NetworkChaos", CUT, Expectation::Network)], ..declared(container) }
}

fn after(container: &Container, name: &str, at: &str) -> DeclaredPod {
    DeclaredPod { network: Some(object(name, at)), ended: vec![ended("NetworkChaos", CUT)], ..declared(container) }
}

/// What is effective, and that all of it is of the run that ended.
fn effective(found: &[Residue]) -> Vec<&str> {
    for it in found {
        assert_eq!((it.owner, it.tool), (Owner::EndedRun, Tool::ChaosMesh), "{it:?}");
        // of the hook chains only the kind of the run is known, and there was one
        assert_eq!(it.experiment.as_ref().map(|experiment| experiment.name.as_str()), Some(CUT), "{it:?}");
    }
    found.iter().filter(|it| it.effect == Effect::Effective).map(|it| it.object.as_str()).collect()
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_partition_is_in_force_and_afterwards_only_benign_things_are_left() {
    let container = Container::new(None);
    for (name, running, at, over, then) in [
        ("partition-both", "1-during", "2026-11-21T13:56:50Z", "2-recovered", "2026-11-21T13:57:04Z"),
        ("after-residue", "1-running", "2026-11-21T14:06:11.005Z", "2-deleted", "2026-11-21T14:06:14.474Z"),
    ] {
        restore(&container, name, running);
        let (declared, now) = (during(&container, name, at), sweep());
        assert_eq!(told(&declared, &now), ("in_force", String::new()), "{name}");
        assert_eq!(left(&declared, &now), [], "{name}");
        restore(&container, name, over);
        let (declared, now) = (after(&container, name, then), sweep());
        let found = left(&declared, &now);
        assert_eq!(effective(&found), Vec::<&str>::new(), "{name}");
        // two hook chains, two chains that nothing jumps to, six sets
        assert_eq!(found.len(), 10, "{name}: {found:#?}");
    }
}

#[test]
#[ignore = "needs root: run by make test"]
fn rules_left_by_a_torn_away_finalizer_are_residue_until_the_daemon_is_back() {
    let container = Container::new(None);
    restore(&container, "forced-finalizer", "1-running");
    let running = during(&container, "forced-finalizer", "2026-11-21T14:04:50Z");
    assert_eq!(told(&running, &sweep()), ("in_force", String::new()));
    restore(&container, "forced-finalizer", "4-gone-rules-left");
    let gone = after(&container, "forced-finalizer", "2026-11-21T14:05:30Z");
    assert!(!gone.network.as_ref().unwrap().failure.is_empty(), "the daemon is down");
    let (mut leftovers, start) = (Leftovers::default(), Timestamp::now());
    let mut visit = |declared: &DeclaredPod, second: i64| {
        let now = sweep();
        let at = start + SignedDuration::from_secs(second);
        leftovers.visit(left(declared, &now), &now, at).to_vec()
    };
    assert_eq!((visit(&gone, 0), visit(&gone, 2)), (vec![], vec![]), "it may be about to go");
    let found = visit(&gone, 31);
    let rules = effective(&found);
    assert_eq!(rules.len(), 2, "{found:#?}");
    assert!(rules.iter().all(|rule| rule.starts_with("legacy ipv4 filter ") && rule.ends_with("-j DROP")), "{rules:?}");
    assert!(found.iter().all(|it| it.run.as_deref() == Some("r") && it.first_seen < start + SignedDuration::from_secs(2)));
    restore(&container, "forced-finalizer", "5-daemon-back-30s");
    let back = after(&container, "forced-finalizer", "2026-11-21T14:06:30Z");
    let found = visit(&back, 33);
    assert_eq!(effective(&found), Vec::<&str>::new(), "{found:#?}");
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_chain_left_jumped_to_is_effective_and_what_nobody_knows_is_nobodys() {
    let container = Container::new(None);
    restore(&container, "partition-both", "2-recovered");
    let done = after(&container, "partition-both", "2026-11-21T13:57:04Z");
    container.run("iptables-legacy -A CHAOS-INPUT -j INPUT/cut-w_c356d36a67f5a0_");
    assert_eq!(effective(&left(&done, &sweep())).len(), 1);
    container.run("iptables-legacy -F CHAOS-INPUT; iptables-legacy -N INPUT/other; iptables-legacy -A INPUT/other -j DROP");
    container.run("iptables-legacy -A CHAOS-INPUT -j INPUT/other");
    let found = left(&done, &sweep());
    let others: Vec<_> = found.iter().filter(|it| it.owner == Owner::Unknown).collect();
    assert_eq!(others.len(), 1, "{found:#?}");
    assert_eq!((others[0].effect, others[0].object.as_str()), (Effect::Effective, "legacy ipv4 filter INPUT/other -j DROP"));
}
