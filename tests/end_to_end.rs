//! All of it on a real Kubernetes of one node: our manifests and our image beside a workload that is treated as Chaos Mesh treats it.
//!
//! One test, because its steps are one story and a cluster costs a minute. `end_to_end/world.rs` is the cluster and how its parts are asked,
//! `end_to_end/mesh.rs` what Chaos Mesh does, `end_to_end/overlay` what such a cluster needs besides the base. This host's kernel may have no
//! netem, so the faults are a partition and a bandwidth.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "runs real programs, and what goes wrong is a failed test"
)]

mod kit;
#[path = "end_to_end/mesh.rs"]
mod mesh;
#[path = "end_to_end/world.rs"]
mod world;

use mesh::{CUT, Experiment, Mesh, THIN};
use serde_json::Value;
use std::collections::BTreeSet;
use world::World;

/// The partition's own chain on the way out, and its rule in the client, as `iptables` takes it.
const CHAIN: &str = "OUTPUT/cut-w_c356d36a67f5a_";
const RULE: &str = "OUTPUT/cut-w_c356d36a67f5a_ -o eth0 -m set --match-set cut-w_c356d36a67f5a_set_src dst,dst -j DROP";

#[test]
#[ignore = "needs root, Go and containerd, for the one-node cluster of the tests: run by make test"]
fn faults_are_seen_from_beginning_to_end_and_nothing_is_left_of_us() {
    let world = World::start();
    let (traces, networks) = (world.traces(), world.networks());
    world.deploy();
    looking_changes_nothing(&world, &networks);

    let cut = Mesh::new(&world.cluster, &CUT);
    world.until_served();
    cut.inject();
    assert!(!world.is_served(), "the client is cut off");
    a_partition_is_in_metrics_and_api(&world);
    a_rule_removed_by_hand_is_told(&world, &cut);
    cut.recover();
    world.until_served();
    a_run_that_ended_is_remembered(&world, &CUT);
    cut.delete();
    what_is_left_is_told_from_what_is_in_force(&world, &cut);

    let thin = Mesh::new(&world.cluster, &THIN);
    thin.inject();
    a_bandwidth_is_in_metrics_and_api(&world);
    another_rate_is_told(&world, &thin);
    thin.recover();
    a_run_that_ended_is_remembered(&world, &THIN);
    thin.delete();
    a_journal_outlives_objects_and_pods(&world);

    let networks = world.networks();
    world.undeploy();
    assert_eq!(world.networks(), networks);
    kit::process::until(|| (world.traces() == traces).then_some(()), || left(&world, &traces));
}

/// Both roles are scraped, every namespace is read, and neither has changed anything in them.
fn looking_changes_nothing(world: &World, networks: &[String]) {
    for job in ["chaoscope-node", "chaoscope-cluster"] {
        world.metric_is(&format!("up{{job='{job}', node='node'}}"), 1.0);
    }
    world.metric_is("min by (job) (chaoscope_scrape_source_success)", 1.0);
    world.metric_is("chaoscope_limitations{blinds='true'}", 0.0);
    // Three of the shop, Prometheus, and both of ours.
    world.metric_is("chaoscope_netns_visited", 6.0);
    assert_eq!(world.networks(), networks);
    assert_eq!(world.anonymously("/api/v1/runs"), 401);
    assert_eq!(world.runs(&CUT), Vec::<Value>::new());
}

fn a_partition_is_in_metrics_and_api(world: &World) {
    world.targets(&CUT, "state", &[("client-0", "injected"), ("web-0", "injected"), ("web-1", "injected")]);
    let run = world.run(&CUT, |it| it["phase"] == "running");
    assert_eq!((&run["action"], &run["targets"][0]["node"]), (&"partition".into(), &"node".into()), "{run:#}");
    assert_eq!(world.gate(&CUT, "recovered", "0s").0, 1);
    world.metric_is(&format!("chaoscope_experiment_phase{{{}, phase='running'}}", of(&CUT)), 1.0);
    world.metric_is("chaoscope_ipset_members{namespace='shop', pod='client-0', set='cut-w_c356d36a67f5a_net_src'}", 2.0);
    world.metric_is(&format!("chaoscope_iptables_chain_reachable{{namespace='shop', chain='{CHAIN}'}}"), 1.0);
    // What the client tried a moment ago is what the rule dropped.
    let dropped = format!("sum(chaoscope_iptables_rule_packets_total{{namespace='shop', pod='client-0', chain='{CHAIN}'}}) > 0");
    world.metric(&dropped, |it| it.len() == 1);
    world.metric_is("chaoscope_declared_connected", 1.0);
    world.metric_is("chaoscope_nodes{state='connected'}", 1.0);
    world.metric("{__name__=~'chaoscope_.+', exported_namespace!=''}", <[Value]>::is_empty);
}

fn a_bandwidth_is_in_metrics_and_api(world: &World) {
    world.targets(&THIN, "state", &[("web-0", "injected"), ("web-1", "injected")]);
    world.metric_is(&format!("chaoscope_experiment_phase{{{}, phase='running'}}", of(&THIN)), 1.0);
    world.metric("chaoscope_tbf_rate_bytes_per_second{namespace='shop', pod=~'web-.', device='eth0'} == 1e6", |it| it.len() == 2);
}

fn a_run_that_ended_is_remembered(world: &World, experiment: &Experiment) {
    let (code, said) = world.gate(experiment, "recovered", "2m");
    assert_eq!(code, 0, "{said}\n{}", world.logs());
    let run = world.run(experiment, |it| it["outcome"] == "recovered");
    assert!(run["recovered_at"].is_string(), "{run:#}");
    world.metric_is(&format!("chaoscope_experiment_phase{{{}, phase='finished'}}", of(experiment)), 1.0);
    world.metric_is(&format!("chaoscope_iptables_chain_reachable{{namespace='shop', chain='{CHAIN}'}}"), 0.0);
    world.metric("chaoscope_tbf_rate_bytes_per_second", <[Value]>::is_empty);
}

/// In force in all three pods; then one rule goes in one of them, and comes back.
fn a_rule_removed_by_hand_is_told(world: &World, mesh: &Mesh<'_>) {
    in_force(world, &CUT, &["client-0", "web-0", "web-1"]);

    mesh.in_network_of("client-0", &format!("iptables-legacy -D {RULE}"));
    world.targets(&CUT, "verdict", &[("client-0", "missing"), ("web-0", "in_force"), ("web-1", "in_force")]);
    let (code, said) = world.gate(&CUT, "in-force", "0s");
    assert_eq!(code, 1, "{said}");
    world.metric_is(&verdict(&CUT, "client-0", "missing"), 1.0);
    world.metric_is(&verdict(&CUT, "client-0", "in_force"), 0.0);
    world.metric_is(&verdict(&CUT, "web-0", "in_force"), 1.0);
    assert_eq!(world.events(&CUT, "Missing"), ["client-0"]);

    mesh.in_network_of("client-0", &format!("iptables-legacy -A {RULE}"));
    in_force(world, &CUT, &["client-0", "web-0", "web-1"]);
}

/// In force beside what the partition left; then at another rate, and gone with the object still in sync.
fn another_rate_is_told(world: &World, mesh: &Mesh<'_>) {
    in_force(world, &THIN, &["web-0", "web-1"]);
    mesh.in_network_of("web-1", "tc qdisc change dev eth0 root handle 1: tbf rate 16mbit burst 10000 limit 20971520");
    world.targets(&THIN, "verdict", &[("web-0", "in_force"), ("web-1", "drifted")]);
    world.metric_is(&verdict(&THIN, "web-1", "drifted"), 1.0);
    mesh.in_network_of("web-1", "tc qdisc del dev eth0 root");
    world.targets(&THIN, "verdict", &[("web-0", "in_force"), ("web-1", "missing")]);
    mesh.in_network_of("web-1", THIN.inject);
    in_force(world, &THIN, &["web-0", "web-1"]);
}

fn in_force(world: &World, experiment: &Experiment, pods: &[&str]) {
    let (code, said) = world.gate(experiment, "in-force", "2m");
    assert_eq!(code, 0, "{said}\n{}", world.logs());
    world.targets(experiment, "verdict", &pods.iter().map(|pod| (*pod, "in_force")).collect::<Vec<_>>());
    for pod in pods {
        world.metric_is(&verdict(experiment, pod, "in_force"), 1.0);
    }
}

/// What Chaos Mesh always leaves changes nothing; a chain that drops and is jumped to does, and it is the ended run's.
fn what_is_left_is_told_from_what_is_in_force(world: &World, mesh: &Mesh<'_>) {
    let all = |client| [("client-0", client), ("web-0", "benign"), ("web-1", "benign")];
    let residue = |effect: &str| {
        format!("sum(chaoscope_residue{{namespace='shop', pod='client-0', {}, effect='{effect}', owner='ended_run'}}) > 0", of(&CUT))
    };
    clean(world, &CUT);
    world.targets(&CUT, "residue", &all("benign"));
    world.metric(&residue("benign"), |it| it.len() == 1);

    mesh.in_network_of("client-0", &format!("iptables-legacy -A CHAOS-OUTPUT -j {CHAIN}"));
    world.targets(&CUT, "residue", &all("effective"));
    assert!(!world.is_served(), "the client is cut off by what was left");
    let (code, said) = world.gate(&CUT, "clean", "0s");
    assert_eq!(code, 1, "{said}");
    world.metric(&residue("effective"), |it| it.len() == 1);

    mesh.in_network_of("client-0", &format!("iptables-legacy -D CHAOS-OUTPUT -j {CHAIN}"));
    clean(world, &CUT);
}

fn clean(world: &World, experiment: &Experiment) {
    let (code, said) = world.gate(experiment, "clean", "2m");
    assert_eq!(code, 0, "{said}\n{}", world.logs());
    world.metric("chaoscope_residue{effect='effective'}", <[Value]>::is_empty);
}

/// On the volume of the manifests: by now the API server knows nothing of the experiments.
fn a_journal_outlives_objects_and_pods(world: &World) {
    let counted =
        "sum by (outcome) (chaoscope_runs_total{experiment_namespace='shop', experiment_kind='NetworkChaos', outcome='recovered'})";
    world.metric_is(counted, 2.0);
    world.cluster.kubectl(&["delete", "pod", "--namespace=chaoscope", "chaoscope-cluster-0"]);
    world.until_deployed();
    for experiment in [&CUT, &THIN] {
        world.run(experiment, |it| it["outcome"] == "recovered");
    }
    world.metric_is(counted, 2.0);
}

fn verdict(experiment: &Experiment, pod: &str, verdict: &str) -> String {
    format!("chaoscope_fault_verdict{{namespace='shop', pod='{pod}', {}, verdict='{verdict}'}}", of(experiment))
}

/// The labels of an experiment.
fn of(experiment: &Experiment) -> String {
    format!("experiment_namespace='shop', experiment_kind='NetworkChaos', experiment='{}'", experiment.name)
}

/// What differs from before.
fn left(world: &World, before: &BTreeSet<String>) -> String {
    format!("nothing is left: {:?}", world.traces().symmetric_difference(before).collect::<Vec<_>>())
}
