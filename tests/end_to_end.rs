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

/// The experiment's own chain on the way out, and its rule, in the client.
const CHAIN: &str = "OUTPUT/cut-w_c356d36a67f5a_";

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
    cut.recover();
    world.until_served();
    a_run_that_ended_is_remembered(&world, &CUT);
    cut.delete();

    let thin = Mesh::new(&world.cluster, &THIN);
    thin.inject();
    a_bandwidth_is_in_metrics_and_api(&world);
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
    world.metric("{__name__=~'chaoscope_.+', exported_namespace!=''}", <[Value]>::is_empty);
}

fn a_bandwidth_is_in_metrics_and_api(world: &World) {
    world.targets(&THIN, "state", &[("web-0", "injected"), ("web-1", "injected")]);
    world.metric_is(&format!("chaoscope_experiment_phase{{{}, phase='running'}}", of(&THIN)), 1.0);
    world.metric("chaoscope_tbf_rate_bytes_per_second{namespace='shop', pod=~'web-.', device='eth0'} == 1e6", |it| it.len() == 2);
}

fn a_run_that_ended_is_remembered(world: &World, experiment: &Experiment) {
    let (code, said) = world.gate(experiment, "recovered", "60s");
    assert_eq!(code, 0, "{said}\n{}", world.logs());
    let run = world.run(experiment, |it| it["outcome"] == "recovered");
    assert!(run["recovered_at"].is_string(), "{run:#}");
    world.metric_is(&format!("chaoscope_experiment_phase{{{}, phase='finished'}}", of(experiment)), 1.0);
    world.metric_is(&format!("chaoscope_iptables_chain_reachable{{namespace='shop', chain='{CHAIN}'}}"), 0.0);
    world.metric("chaoscope_tbf_rate_bytes_per_second", <[Value]>::is_empty);
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

/// The labels of an experiment.
fn of(experiment: &Experiment) -> String {
    format!("experiment_namespace='shop', experiment_kind='NetworkChaos', experiment='{}'", experiment.name)
}

/// What differs from before.
fn left(world: &World, before: &BTreeSet<String>) -> String {
    format!("nothing is left: {:?}", world.traces().symmetric_difference(before).collect::<Vec<_>>())
}
