//! All of it on a real Kubernetes of one node: our manifests and our image beside a workload that is treated as Chaos Mesh treats it.
//!
//! One test, because its steps are one story and a cluster costs a minute. `end_to_end/world.rs` is the cluster and how its parts are asked,
//! `end_to_end/mesh.rs` what Chaos Mesh does. This host's kernel may have no netem, so the fault is a partition.

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

use mesh::Mesh;
use serde_json::Value;
use world::World;

#[test]
#[ignore = "needs root, Go and containerd, for the one-node cluster of the tests: run by make test"]
fn a_partition_is_seen_from_its_beginning_to_its_end_and_nothing_is_left_of_us() {
    let world = World::start();
    let (traces, networks) = (world.traces(), world.networks());
    world.deploy();
    looking_changes_nothing(&world, &networks);

    let mesh = Mesh::new(&world.cluster);
    world.until_served();
    mesh.inject();
    assert!(!world.is_served(), "the client is cut off");
    a_running_fault_is_in_metrics_and_api(&world);

    mesh.recover();
    world.until_served();
    a_run_that_ended_is_remembered(&world);
    mesh.delete();

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
    assert_eq!(world.runs(), Vec::<Value>::new());
}

fn a_running_fault_is_in_metrics_and_api(world: &World) {
    let run = world.run("running", |it| it["phase"] == "running");
    assert_eq!(world.gate("recovered", "0s").0, 1);
    let targets: Vec<_> = run["targets"].as_array().unwrap().iter().map(|it| (&it["pod"], &it["node"], &it["state"])).collect();
    assert_eq!(targets.len(), 3, "{run:#}");
    let experiment = "experiment_namespace='shop', experiment_kind='NetworkChaos', experiment='cut-web-from-client'";
    world.metric_is(&format!("chaoscope_experiment_phase{{{experiment}, phase='running'}}"), 1.0);
    world.metric_is("chaoscope_ipset_members{namespace='shop', pod='client-0', set='cut-w_c356d36a67f5a_net_src'}", 2.0);
    world.metric_is("chaoscope_iptables_chain_reachable{namespace='shop', chain='OUTPUT/cut-w_c356d36a67f5a_'}", 1.0);
    // What the client tried a moment ago is what the rule dropped.
    let dropped = "sum(chaoscope_iptables_rule_packets_total{namespace='shop', pod='client-0', chain='OUTPUT/cut-w_c356d36a67f5a_'}) > 0";
    world.metric(dropped, |it| it.len() == 1);
    world.metric("{__name__=~'chaoscope_.+', exported_namespace!=''}", <[Value]>::is_empty);
}

fn a_run_that_ended_is_remembered(world: &World) {
    let (code, said) = world.gate("recovered", "60s");
    assert_eq!(code, 0, "{said}\n{}", world.logs());
    let run = world.run("recovered", |it| it["outcome"] == "recovered");
    assert!(run["recovered_at"].is_string(), "{run:#}");
    world.metric_is("chaoscope_runs_total{experiment_namespace='shop', experiment_kind='NetworkChaos', outcome='recovered'}", 1.0);
    world.metric_is("chaoscope_iptables_chain_reachable{namespace='shop', chain='OUTPUT/cut-w_c356d36a67f5a_'}", 0.0);
}

/// What differs from before.
fn left(world: &World, before: &std::collections::BTreeSet<String>) -> String {
    format!("nothing is left: {:?}", world.traces().symmetric_difference(before).collect::<Vec<_>>())
}
