//! Both roles with nothing scripted between them: a real API server holds the objects as Chaos Mesh writes them, a real namespace what its
//! daemon makes, the node role knows neither API server nor runtime, and what it finds is in the cluster's API.

use crate::kit::kube::Kube;
use crate::kit::kube::objects::{chaos, pod};
use crate::kit::netns::Netns;
use crate::kit::process::until;
use crate::node::procfs;
use crate::program::{BINARY, Program};
use crate::role::Program as Role;
use serde_json::{Value, json};
use std::path::Path;

/// A partition as 2.8.3 makes it, on the one device a new namespace has.
const STATE: &str = "
    ipset create cut_net_tgt hash:net
    ipset add cut_net_tgt 10.1.0.0/16
    iptables-legacy -N CHAOS-INPUT
    iptables-legacy -A INPUT -j CHAOS-INPUT
    iptables-legacy -N INPUT/cut_
    iptables-legacy -A CHAOS-INPUT -j INPUT/cut_";
const RULE: &str = "iptables-legacy -A INPUT/cut_ -m set --match-set cut_net_tgt src,dst -j DROP -i lo";
const ID: &str = "0000000000000000000000000000000000000000000000000000000000000007";

fn running_pod() -> Value {
    let mut pod = pod("shop", "web-0");
    pod["spec"]["nodeName"] = "n-1".into();
    pod["status"] = json!({"phase": "Running"});
    pod
}

/// The experiment as its controller leaves it: injected, or recovered.
fn experiment(recovered: bool) -> Value {
    let mut object = chaos("NetworkChaos", "shop", "cut");
    let event = |operation: &str, at: jiff::Timestamp| json!({"type": "Succeeded", "operation": operation, "timestamp": at.to_string()});
    let now = jiff::Timestamp::now();
    let mut events = vec![event("Apply", now)];
    events.extend(recovered.then(|| event("Recover", now)));
    let record = json!({
        "id": "shop/web-0", "selectorKey": ".", "phase": if recovered { "Not Injected" } else { "Injected" },
        "injectedCount": 1, "recoveredCount": u8::from(recovered), "events": events,
    });
    object["spec"] = json!({"action": "partition", "direction": "from", "mode": "all", "selector": {"namespaces": ["shop"]}});
    object["status"] = json!({
        "conditions": [
            {"type": "Selected", "status": "True"},
            {"type": "AllInjected", "status": if recovered { "False" } else { "True" }},
            {"type": "AllRecovered", "status": if recovered { "True" } else { "False" }},
        ],
        "experiment": {"desiredPhase": if recovered { "Stop" } else { "Run" }, "containerRecords": [record]},
    });
    object
}

fn object_of_pod(declares: bool, generation: u64) -> Value {
    let mut object = chaos("PodNetworkChaos", "shop", "web-0");
    let sets = json!([{"name": "cut_net_tgt", "ipsetType": "hash:net", "cidrs": ["10.1.0.0/16"], "source": "shop/cut"}]);
    let chains = json!([{"name": "INPUT/cut_", "direction": "input", "ipsets": ["cut_net_tgt"], "device": "lo", "source": "shop/cut"}]);
    object["spec"] = if declares { json!({"ipsets": sets, "iptables": chains}) } else { json!({}) };
    object["status"] = json!({"observedGeneration": generation});
    object
}

/// The one target of the one run.
fn target(role: &Role) -> Option<Value> {
    role.runs().first().map(|run| run["targets"][0].clone())
}

fn comes_to(role: &Role, node: &Program, field: &str, wanted: &Value) -> Value {
    let like = |target: &Value| &target[field] == wanted;
    until(|| target(role).filter(like), || format!("{field} {wanted}: {:#?}\n{}\n{}", role.runs(), role.log(), node.log()))
}

fn reasons(role: &Role) -> Vec<String> {
    let events = role.json("/api/v1/events?from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&limit=1000");
    events["events"].as_array().unwrap().iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs root, namespaces and a kube-apiserver: run by make test"]
fn what_the_kernel_holds_is_in_the_clusters_api() {
    let kube = Kube::start();
    kube.define_all();
    kube.namespace("shop");
    let uid = kube.create(&running_pod())["metadata"]["uid"].as_str().unwrap().to_owned();
    let netns = Netns::new();
    netns.script(STATE);
    netns.script(RULE);
    let folder = procfs(&uid, ID, &netns);
    let role = Role::cluster(&kube.kubeconfig(), &[]);
    let (procfs, url) = (format!("--path.procfs={}", folder.path().display()), format!("--cluster.url=http://{}", role.address));
    let words = ["--runtime=none", "--path.netns=/nonexistent", &procfs, &url, "--node-name=n-1"];
    let node = Program::start(&[], Path::new(BINARY), &words);
    kube.put(&experiment(false));
    kube.put(&object_of_pod(true, 1));
    comes_to(&role, &node, "verdict", &"in_force".into());
    let of_web = [("namespace", "shop"), ("pod", "web-0"), ("experiment", "cut"), ("verdict", "in_force")];
    until(|| (node.scrape().values("chaoscope_fault_verdict", &of_web) == [1.0]).then_some(()), || node.scrape().0);
    assert_eq!(node.scrape().values("chaoscope_ipset_members", &[("pod", "web-0")]), [1.0], "the cluster role has told its name");

    // a rule is flushed by hand, and put back
    netns.script("iptables-legacy -F INPUT/cut_");
    let missing = comes_to(&role, &node, "verdict", &"missing".into());
    assert_eq!(missing["verdict_reason"], "no_rule");
    netns.script(RULE);
    comes_to(&role, &node, "verdict", &"in_force".into());
    let told = reasons(&role);
    assert!(told.iter().any(|it| it == "Missing") && told.iter().filter(|it| *it == "InForce").count() == 2, "{told:?}");

    // the node restarts: nothing is told twice
    drop(node);
    let node = Program::start(&[], Path::new(BINARY), &words);
    until(|| (node.scrape().values("chaoscope_fault_verdict", &of_web) == [1.0]).then_some(()), || node.scrape().0);
    comes_to(&role, &node, "verdict", &"in_force".into());

    // the run ends, and its rule stays
    kube.put(&experiment(true));
    kube.put(&object_of_pod(false, 2));
    until(|| role.runs().first().is_some_and(|run| run["outcome"] == "recovered").then_some(()), || format!("{:#?}", role.runs()));
    comes_to(&role, &node, "residue", &"effective".into());
    let nodes = role.json("/api/v1/nodes");
    assert!(
        nodes["nodes"][0]["residue"].as_array().unwrap().iter().any(|it| it["owner"] == "ended_run" && it["what"] == "rule"),
        "{nodes}"
    );
    assert!(reasons(&role).iter().any(|it| it == "ResidueFound"), "{:?}", reasons(&role));
    netns.script(
        "iptables-legacy -F
         iptables-legacy -X INPUT/cut_
         iptables-legacy -X CHAOS-INPUT
         ipset destroy cut_net_tgt",
    );
    comes_to(&role, &node, "residue", &"none".into());
    assert!(reasons(&role).iter().any(|it| it == "ResidueGone"), "{:?}", reasons(&role));
}
