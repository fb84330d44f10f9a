//! What a node is told: what is declared, what changes, what is declared no more, and nothing of other nodes.

use crate::kit::kube::objects::{chaos, pod};
use crate::kit::process::until;
use crate::lab::{Lab, on_node, recovered};
use crate::node::{Node, get};
use serde_json::{Value, json};
use std::time::Duration;

fn is_pod(uid: &str) -> impl Fn(&str, &Value) -> bool {
    move |event, data| event == "pod" && data["pod"]["uid"] == uid
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn a_node_is_told_what_is_declared_for_its_own_pods() {
    let lab = Lab::new(&["--cluster-name=lab"]);
    let (mut one, mut idle) = (Node::connect(lab.program.address, "n1"), Node::connect(lab.program.address, "n9"));
    assert!(one.until_ready().is_empty() && idle.until_ready().is_empty());
    let cut = lab.partition("cut", &["web-0", "web-1"]);
    let uid = lab.uid("web-0");
    let told = one.until(|event, data| is_pod(&uid)(event, data) && !data["network"].is_null());
    assert_eq!(told["pod"], json!({ "namespace": "shop", "name": "web-0", "uid": uid }));
    let target = &told["targets"][0];
    assert_eq!((&target["target"], &target["stage"], &target["selector"]), (&json!("shop/web-0"), &json!("injected"), &json!(".")));
    assert_eq!((&target["expects"]["type"], &target["experiment"]["uid"]), (&json!("network"), &cut["metadata"]["uid"]));
    assert_eq!(target["run"], lab.run("cut", |_| true)["id"]);
    let chain = &told["network"]["spec"]["chains"][0];
    assert_eq!((&chain["source"], &chain["name"], &chain["output"]), (&json!("shop/cut"), &json!("OUTPUT/x"), &json!(true)));
    assert_eq!(told["targets"].as_array().unwrap().len(), 1, "the other pod is on another node");

    // What changes is told, and nothing else is.
    lab.declare("web-0", "cut", 7);
    let told = one.until(|event, data| is_pod(&uid)(event, data) && data["network"]["observed"] == 7);
    assert_eq!(told["targets"][0]["stage"], "injected");
    lab.kube.patch(&chaos("NetworkChaos", "shop", "cut"), &json!({ "metadata": { "labels": { "seen": "no" } } }));
    lab.run("cut", |run| run["labels"]["seen"] == "no");
    assert!(one.is_silent_for(Duration::from_secs(2)) && idle.is_silent_for(Duration::from_secs(1)));

    // It ends: the node looks after it for a while.
    lab.kube.put(&recovered(&cut));
    let told = one.until(|event, data| is_pod(&uid)(event, data) && data["targets"] == json!([]));
    assert_eq!(told["ended"][0]["experiment"]["name"], "cut");

    // The pod goes: nothing is declared for it any more.
    lab.kube.delete(&pod("shop", "web-0"));
    let again = lab.partition("again", &["web-1"]);
    assert_eq!(again["kind"], "NetworkChaos");
    assert!(lab.run("again", |run| run["targets"][0]["node"] == "n2")["outcome"].is_null());
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn a_pod_that_goes_is_declared_no_more_and_its_target_is_missing() {
    let lab = Lab::new(&[]);
    let mut node = Node::connect(lab.program.address, "n1");
    node.until_ready();
    lab.partition("cut", &["web-0"]);
    let uid = lab.uid("web-0");
    node.until(is_pod(&uid));
    lab.kube.delete(&pod("shop", "web-0"));
    node.until(|event, data| event == "gone" && data["uid"] == uid.as_str());
    let target = lab.target("cut", |target| target["verdict"] == "missing");
    assert_eq!(target["verdict_reason"], "pod_gone");
    std::thread::sleep(Duration::from_secs(2)); // whole seconds tell which of two pods was injected
    lab.kube.create(&on_node("web-0", "n1"));
    let target = lab.target("cut", |target| target["verdict_reason"] == "pod_replaced");
    assert_eq!(target["verdict"], "missing");
    let event = &lab.events("cut", "Missing")[0];
    assert_eq!((&event["type"], &event["attributes"]["verdict_reason"]), (&json!("Warning"), &json!("pod_gone")));
    let series = "chaoscope_fault_verdict{namespace=\"shop\",pod=\"web-0\",container=\"\",netns=\"\",experiment_namespace=\"shop\",\
        experiment_kind=\"NetworkChaos\",experiment=\"cut\",verdict=\"missing\"}";
    assert_eq!(lab.sample(series).as_deref(), Some("1"), "{}", lab.program.metrics());
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn who_comes_again_is_told_everything_and_the_older_connection_ends() {
    let mut lab = Lab::new(&[]);
    lab.partition("cut", &["web-0"]);
    let uid = lab.uid("web-0");
    lab.target("cut", |target| target["node"] == "n1");
    let mut old = Node::connect(lab.program.address, "n1");
    let told = old.until(|event, data| is_pod(&uid)(event, data) && !data["network"].is_null());
    old.until(|event, _| event == "ready");
    let mut new = Node::connect(lab.program.address, "n1");
    assert_eq!(new.until(is_pod(&uid)), told);
    assert_eq!(old.until(|event, _| event == "end")["reason"], "replaced");
    assert!(old.is_over());
    assert_eq!(old.report(&json!({ "complete": true })), 409, "of a connection that is over");
    assert_eq!(new.report(&json!({ "complete": true })), 204);
    let nodes = lab.program.json("/api/v1/nodes")["nodes"].take();
    assert_eq!((&nodes[0]["name"], &nodes[0]["connected"], &nodes[0]["release"]), (&json!("n1"), &json!(true), &json!("9.9")));
    lab.program.kill();
    lab.program.again();
    let mut after = Node::connect(lab.program.address, "n1");
    assert_eq!(after.until(|event, data| is_pod(&uid)(event, data) && !data["network"].is_null()), told, "as before the restart");
    assert_ne!(after.connection, new.connection);
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn names_of_all_pods_are_told_to_who_asks_for_them() {
    let lab = Lab::new(&[]);
    let mut node = Node::with(lab.program.address, "n1", "?names=true", "");
    let names = node.until(|event, _| event == "names");
    assert_eq!(names["pods"], json!([{ "namespace": "shop", "name": "web-0", "uid": lab.uid("web-0") }]));
    lab.kube.create(&on_node("web-2", "n1"));
    lab.kube.create(&on_node("web-3", "n2"));
    node.until(|event, data| event == "names" && data["pods"].as_array().unwrap().len() == 2);
    lab.kube.delete(&pod("shop", "web-2"));
    node.until(|event, data| event == "names" && data["pods"].as_array().unwrap().len() == 1);
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn how_many_nodes_there_are_is_on_the_page() {
    let lab = Lab::new(&[]);
    assert_eq!(lab.sample("chaoscope_nodes{state=\"connected\"}").as_deref(), Some("0"));
    lab.partition("cut", &["web-0", "web-1"]);
    lab.run("cut", |run| run["targets"][1]["node"] == "n2");
    let node = Node::connect(lab.program.address, "n1");
    let counted = |connected: &str, silent: &str| {
        let now = || ["connected", "silent"].map(|state| lab.sample(&format!("chaoscope_nodes{{state=\"{state}\"}}")).unwrap());
        until(|| (now() == [connected, silent]).then_some(()), || format!("{:?}", now()));
    };
    counted("1", "1");
    drop(node);
    counted("0", "2");
    assert_eq!(get(lab.program.address, "/api/v1/node/Not.A.Node", "").0, 400);
    assert_eq!(get(lab.program.address, "/api/v1/node/n1?name=x", "").0, 400);
}
