//! Who may act for a node: with token files, and with tokens of a real API server that are bound to pods.

use crate::kit::process::until;
use crate::lab::{Lab, on_node, populate};
use crate::node::{Node, get, post};
use crate::program::Program;
use crate::world::{AUDIENCE, World};
use reqwest::Method;
use serde_json::{Value, json};

fn detail(body: &str) -> String {
    serde_json::from_str::<Value>(body).unwrap_or_default()["detail"].as_str().unwrap_or("").to_owned()
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn a_token_of_a_node_opens_that_node_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (readers, nodes) = (folder.path().join("readers"), folder.path().join("nodes"));
    std::fs::write(&readers, "reader\n").unwrap();
    std::fs::write(&nodes, "n1 one\nn2 two\n").unwrap();
    let flag = |name: &str, file: &std::path::Path| format!("--api.{name}={}", file.display());
    let lab = Lab::new(&["--api.auth=token", &flag("token-file", &readers), &flag("node-token-file", &nodes)]);
    let address = lab.program.address;
    let mut node = Node::with(address, "n1", "", "one");
    node.until_ready();
    assert_eq!(node.report(&json!({ "complete": true })), 204);
    for (token, status) in [("two", 403), ("reader", 401), ("", 401), ("three", 401)] {
        let (got, body) = get(address, "/api/v1/node/n1", token);
        assert!(got == status && !detail(&body).is_empty(), "{token}: {got} {body}");
        assert_eq!(post(address, "n1", token, "{}").0, status, "{token}");
    }
    assert_eq!((get(address, "/api/v1/runs", "one").0, get(address, "/api/v1/nodes", "one").0), (401, 401));
    let nodes_now: Value = serde_json::from_str(&get(address, "/api/v1/nodes", "reader").1).unwrap();
    assert_eq!(nodes_now["nodes"][0]["name"], "n1");
    std::fs::write(&nodes, "n2 two\n").unwrap();
    assert_eq!(post(address, "n1", "one", "{}").0, 401, "taken away");
}

/// A token of the node roles' account, bound to a pod on a node, as kubelet gives it.
fn bound(world: &World, pod: &Value, audience: &str) -> String {
    let reference = json!({ "apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"] });
    let spec = json!({ "audiences": [audience], "boundObjectRef": reference });
    let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec });
    let path = "/api/v1/namespaces/chaoscope/serviceaccounts/chaoscope-node/token";
    let (status, answer) = world.kube.call(Method::POST, path, Some(&request));
    assert_eq!(status, 201, "{answer}");
    answer["status"]["token"].as_str().unwrap().to_owned()
}

/// A pod of the node role on a node.
fn role(world: &World, node: &str) -> Value {
    let mut pod = on_node(&format!("chaoscope-node-{node}"), node);
    pod["metadata"]["namespace"] = json!("chaoscope");
    pod["spec"]["serviceAccountName"] = json!("chaoscope-node");
    world.kube.create(&json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": node } }));
    world.kube.create(&pod)
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn a_pods_token_acts_for_the_node_it_runs_on() {
    let world = World::new();
    populate(&world.kube);
    world.account("chaoscope", "chaoscope-node");
    let (one, two) = (role(&world, "n1"), role(&world, "n2"));
    let program = Program::cluster(&world.own_kubeconfig(), &["--api.auth=kubernetes"]);
    let address = program.address;
    let mine = bound(&world, &one, AUDIENCE);
    let mut node = Node::with(address, "n1", "", &mine);
    node.until_ready();
    assert_eq!(node.report(&json!({ "complete": true })), 204);
    let refused = |token: &str| {
        let (status, body) = get(address, "/api/v1/node/n1", token);
        assert_eq!(post(address, "n1", token, "{}").0, status);
        (status, detail(&body))
    };
    let (status, told) = refused(&bound(&world, &two, AUDIENCE));
    assert!(status == 403 && told.contains("another node"), "{status} {told}");
    let (status, told) = refused(&world.token("chaoscope", "chaoscope-node", Some(AUDIENCE), None));
    assert!(status == 403 && told.contains("bound to no node"), "{status} {told}");
    let (status, told) = refused(&world.caller("all", &["networkchaos", "pods"]));
    assert!(status == 403 && told.contains("--api.node-account"), "{status} {told}");
    assert_eq!(refused(&bound(&world, &one, "https://kubernetes.default.svc")).0, 401, "meant for somebody else");
    assert_eq!(refused("").0, 401);
    let seen: Value = serde_json::from_str(&get(address, "/api/v1/runs", &mine).1).unwrap();
    assert_eq!(seen["runs"], json!([]), "it has no rights");
}

/// What is left over is for who may list the pods it is in.
#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn callers_see_of_the_nodes_what_they_may() {
    let world = World::new();
    populate(&world.kube);
    world.account("chaoscope", "chaoscope-node");
    let pod = role(&world, "n1");
    let program = Program::cluster(&world.own_kubeconfig(), &["--api.auth=kubernetes"]);
    let mut node = Node::with(program.address, "n1", "", &bound(&world, &pod, AUDIENCE));
    node.until_ready();
    let left = |namespace: &str, object: &str| {
        json!({ "pod": { "namespace": namespace, "name": "p", "uid": object }, "container": "", "netns": "", "effect": "benign", "owner": "unknown",
            "what": "set", "object": object, "tool": "chaos-mesh", "experiment": null, "run": null, "first_seen": "2026-11-21T12:00:00Z" })
    };
    assert_eq!(node.report(&json!({ "complete": true, "residue": [left("shop", "mine"), left("bank", "hidden")] })), 204);
    let (all, some, none) = (world.caller("all", &["pods"]), world.caller("some", &["pods@shop"]), world.caller("none", &[]));
    let nodes = |token: &str| serde_json::from_str::<Value>(&get(program.address, "/api/v1/nodes", token).1).unwrap()["nodes"].take();
    let seen = until(|| Some(nodes(&all)).filter(|nodes| nodes[0]["residue"].as_array().is_some_and(|it| it.len() == 2)), || program.log());
    assert_eq!((&seen[0]["name"], &seen[0]["connected"]), (&json!("n1"), &json!(true)));
    let seen = nodes(&some);
    assert!(seen[0]["residue"][0]["object"] == "mine" && !seen.to_string().contains("hidden") && seen[0]["connected"].is_null(), "{seen}");
    assert_eq!(nodes(&none), json!([]));
}
