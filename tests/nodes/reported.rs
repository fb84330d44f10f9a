//! What a node reports: in the runs, in their events, in the journal after a restart; and what it may not report.

use crate::kit::kube::objects::{chaos, pod};
use crate::lab::{Lab, experiment, recovered};
use crate::node::{Node, post};
use serde_json::{Value, json};

fn verdict(run: &Value, verdict: &str, reason: &str, differences: &Value) -> Value {
    json!({ "run": run["id"], "target": "shop/web-0", "selector": ".", "verdict": verdict, "reason": reason, "differences": differences })
}

fn said(verdicts: &[Value]) -> Value {
    json!({ "complete": false, "verdicts": verdicts })
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn verdicts_are_in_the_run_in_its_events_and_in_the_journal() {
    let mut lab = Lab::new(&[]);
    let cut = lab.partition("cut", &["web-0"]);
    let run = lab.run("cut", |run| run["targets"][0]["node"] == "n1");
    let mut node = Node::connect(lab.program.address, "n1");
    node.until_ready();
    assert_eq!(node.report(&said(&[verdict(&run, "unknown", "settling", &json!([]))])), 204);
    lab.target("cut", |target| target["verdict"] == "unknown" && target["verdict_reason"] == "settling");
    assert_eq!(node.report(&said(&[verdict(&run, "in_force", "", &json!([]))])), 204);
    let target = lab.target("cut", |target| target["verdict"] == "in_force");
    assert!(target["verdict_reason"] == "" && target["verdict_since"].is_string(), "{target}");
    let differs = json!([{ "parameter": "delay", "declared": "100ms", "read": "100µs" }]);
    let drifted = verdict(&run, "drifted", "delay", &differs);
    assert_eq!((node.report(&said(std::slice::from_ref(&drifted))), node.report(&said(&[drifted]))), (204, 204));
    lab.target("cut", |target| target["verdict"] == "drifted" && target["verdict_reason"] == "delay");
    let events = lab.events("cut", "Drifted");
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((&events[0]["type"], &events[0]["run"]), (&json!("Warning"), &run["id"]));
    assert_eq!(events[0]["message"], "Not as declared: delay is 100µs, declared 100ms");
    assert_eq!((&events[0]["attributes"]["declared.delay"], &events[0]["attributes"]["read.delay"]), (&json!("100ms"), &json!("100µs")));
    assert_eq!((&events[0]["attributes"]["node"], &events[0]["target_pod"]), (&json!("n1"), &json!("web-0")));
    assert_eq!((lab.events("cut", "InForce").len(), lab.events("cut", "Unknown").len()), (1, 0), "the first unknown is no news");

    // What a complete report leaves out does not hold any more.
    assert_eq!(node.report(&json!({ "complete": true })), 204);
    lab.target("cut", |target| target["verdict"] == "unknown" && target["verdict_reason"] == "not_visited");
    assert_eq!(node.report(&said(&[verdict(&run, "missing", "no_rule", &json!([]))])), 204);
    lab.target("cut", |target| target["verdict"] == "missing");

    let keys = lab.program.event_keys();
    lab.program.kill();
    lab.program.again();
    lab.target("cut", |target| target["verdict"] == "unknown" && target["verdict_reason"] == "no_node");
    let after = lab.program.event_keys();
    assert_eq!(
        (keys.iter().all(|key| after.contains(key)), after.len()),
        (true, keys.len() + 1),
        "nobody looks; else nothing is told twice"
    );
    let mut node = Node::connect(lab.program.address, "n1");
    node.until_ready();
    assert_eq!(node.report(&said(&[verdict(&run, "in_force", "", &json!([]))])), 204);
    lab.target("cut", |target| target["verdict"] == "in_force");
    assert_eq!(lab.program.json("/api/experiments")[0]["name"], "cut", "the dashboard's shapes are as they were");

    lab.kube.put(&recovered(&cut));
    let target = lab.run("cut", |run| run["outcome"] == "recovered")["targets"][0].take();
    assert_eq!((&target["verdict"], &target["residue"]), (&Value::Null, &Value::Null), "nobody has looked since");
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn what_is_left_after_the_end_is_said_of_the_target_and_goes() {
    let lab = Lab::new(&[]);
    let cut = lab.partition("cut", &["web-0"]);
    lab.target("cut", |target| target["node"] == "n1");
    let mut node = Node::connect(lab.program.address, "n1");
    node.until_ready();
    lab.kube.put(&recovered(&cut));
    let run = lab.run("cut", |run| run["outcome"] == "recovered");
    let uid = lab.uid("web-0");
    let left = |effect: &str| {
        json!([{ "pod": { "namespace": "shop", "name": "web-0", "uid": uid }, "container": "", "netns": "", "effect": effect, "owner": "ended_run",
            "what": "chain", "object": "OUTPUT/x", "tool": "chaos-mesh",
            "experiment": { "kind": "NetworkChaos", "namespace": "shop", "name": "cut", "uid": "" }, "run": run["id"],
            "first_seen": "2026-11-21T12:00:00Z" }])
    };
    assert_eq!(node.report(&json!({ "complete": false, "residue": left("effective"), "visited": [uid] })), 204);
    assert_eq!(lab.target("cut", |target| target["residue"] == "effective")["verdict"], Value::Null);
    let found = lab.events("cut", "ResidueFound");
    assert_eq!((found.len(), &found[0]["type"]), (1, &json!("Warning")));
    let nodes = lab.program.json("/api/v1/nodes")["nodes"].take();
    assert_eq!(nodes[0]["residue"][0]["object"], "OUTPUT/x");
    assert_eq!(node.report(&json!({ "complete": false, "residue": left("benign"), "visited": [uid] })), 204);
    lab.target("cut", |target| target["residue"] == "benign");
    // A visit may have been before the end; one that is reported seconds later was not.
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(node.report(&json!({ "complete": false, "residue": [], "visited": [uid] })), 204);
    lab.target("cut", |target| target["residue"] == "none");
    assert_eq!((lab.events("cut", "ResidueGone").len(), lab.events("cut", "ResidueFound").len()), (2, 1));
    assert_eq!(lab.program.json("/api/v1/nodes")["nodes"][0]["residue"], json!([]));
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn what_may_be_of_several_runs_is_not_clean_and_another_nodes_pod_is_not_spoken_of() {
    let lab = Lab::new(&[]);
    let cut = lab.partition("cut", &["web-0"]);
    lab.target("cut", |target| target["node"] == "n1");
    lab.kube.put(&recovered(&cut));
    lab.run("cut", |run| run["outcome"] == "recovered");
    let uid = lab.uid("web-0");
    let left = json!([{ "pod": { "namespace": "shop", "name": "web-0", "uid": uid }, "container": "", "netns": "", "effect": "effective",
        "owner": "ended_run", "what": "qdisc", "object": "eth0 1:", "tool": "chaos-mesh", "experiment": null, "run": null,
        "first_seen": "2026-11-21T12:00:00Z" }]);
    let mut other = Node::connect(lab.program.address, "n2");
    other.until_ready();
    assert_eq!(other.report(&json!({ "complete": true, "residue": left })), 204);
    let mut node = Node::connect(lab.program.address, "n1");
    node.until_ready();
    assert_eq!(node.report(&json!({ "complete": true, "residue": left, "visited": [uid] })), 204);
    lab.target("cut", |target| target["residue"] == "effective");
    let nodes = lab.program.json("/api/v1/nodes")["nodes"].take();
    let counts: Vec<usize> = nodes.as_array().unwrap().iter().map(|node| node["residue"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [1, 0], "{nodes}");
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn a_node_speaks_of_its_own_pods_alone() {
    let lab = Lab::new(&[]);
    lab.partition("cut", &["web-0"]);
    let run = lab.run("cut", |run| run["targets"][0]["node"] == "n1");
    let mut other = Node::connect(lab.program.address, "n2");
    other.until_ready();
    assert_eq!(other.report(&said(&[verdict(&run, "in_force", "", &json!([]))])), 204);
    let mut node = Node::connect(lab.program.address, "n1");
    node.until_ready();
    assert_eq!(node.report(&said(&[verdict(&run, "missing", "no_rule", &json!([]))])), 204);
    lab.target("cut", |target| target["verdict"] == "missing");
    assert!(lab.events("cut", "InForce").is_empty());
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn what_is_no_report_is_refused_and_says_why() {
    let lab = Lab::new(&[]);
    lab.partition("cut", &["web-0"]);
    let mut node = Node::connect(lab.program.address, "n1");
    node.until_ready();
    let refused = |body: &str| {
        let (status, told) = post(lab.program.address, "n1", "", body);
        (status, serde_json::from_str::<Value>(&told).unwrap_or_default()["detail"].as_str().unwrap_or("").to_owned())
    };
    let of = |more: Value| {
        let mut report = json!({ "connection": node.connection, "complete": false });
        report.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        report.to_string()
    };
    let one = json!({ "run": "r", "target": "t", "selector": ".", "verdict": "in_force", "reason": "", "differences": [] });
    let with = |field: &str, value: Value| {
        let mut one = one.clone();
        one[field] = value;
        of(json!({ "verdicts": [one] }))
    };
    for bad in ["", "{", "[]", "null", "{\"connection\":1,\"complete\":true}"] {
        assert_eq!(refused(bad).0, 400, "{bad:?}");
    }
    for (bad, word) in [
        (of(json!({ "verdicts": vec![one.clone(); 4097] })), "4096"),
        (of(json!({ "visited": vec!["u"; 2049] })), "2048"),
        (with("reason", json!("Because")), "words"),
        (with("target", json!("x".repeat(257))), "256"),
        (with("run", json!("a\nb")), "control"),
        (with("verdict", json!("fine")), "shape"),
        (with("differences", json!(vec![json!({ "parameter": "p", "declared": "", "read": "" }); 17])), "16"),
    ] {
        let (status, detail) = refused(&bad);
        assert!(status == 400 && detail.contains(word), "{status} {detail}: {word}");
    }
    assert_eq!(refused(&format!("{}{}", of(json!({})), " ".repeat(1 << 20))).0, 413);
    assert_eq!(refused(&json!({ "connection": "other", "complete": true }).to_string()).0, 409);
    assert_eq!(refused(&of(json!({}))).0, 204, "and it goes on");
    assert_eq!(post(lab.program.address, "n7", "", &of(json!({}))).0, 409, "another node's connection");
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn what_no_node_can_see_the_cluster_role_judges_itself() {
    let lab = Lab::new(&[]);
    lab.kube.create(&experiment("TimeChaos", "", "shift", &["web-1"], "Injected"));
    lab.target("shift", |target| target["verdict"] == "unknown" && target["verdict_reason"] == "unsupported");
    assert!(lab.events("shift", "Unknown").is_empty(), "never news");

    lab.kube.create(&experiment("PodChaos", "pod-failure", "fail", &["web-0"], "Injected"));
    lab.target("fail", |target| target["verdict"] == "missing" && target["verdict_reason"] == "not_replaced");
    let annotated = json!({ "metadata": { "annotations": { "chaos-mesh-fail-pod-failure-main-normal-image": "localhost/none:1" } } });
    lab.kube.patch(&pod("shop", "web-0"), &annotated);
    lab.kube.patch(&pod("shop", "web-0"), &json!({ "spec": { "containers": [{ "name": "main", "image": "pause:9" }] } }));
    lab.target("fail", |target| target["verdict"] == "in_force");
    let object = lab.kube.get(&chaos("PodChaos", "shop", "fail")).unwrap();
    lab.kube.put(&recovered(&object));
    lab.target("fail", |target| target["residue"] == "effective");
    lab.kube.patch(&pod("shop", "web-0"), &json!({ "spec": { "containers": [{ "name": "main", "image": "localhost/none:1" }] } }));
    let gone = json!({ "metadata": { "annotations": { "chaos-mesh-fail-pod-failure-main-normal-image": null } } });
    lab.kube.patch(&pod("shop", "web-0"), &gone);
    lab.target("fail", |target| target["residue"] == "none");
    assert_eq!((lab.events("fail", "ResidueFound").len(), lab.events("fail", "ResidueGone").len()), (1, 1));
}

/// Only where nodes connect at all is one that does not a reason.
#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn a_node_that_is_gone_for_half_a_minute_is_why_nothing_is_known() {
    let lab = Lab::new(&[]);
    lab.partition("cut", &["web-0"]);
    let run = lab.run("cut", |run| run["targets"][0]["node"] == "n1");
    let mut node = Node::connect(lab.program.address, "n1");
    node.until_ready();
    assert_eq!(node.report(&said(&[verdict(&run, "in_force", "", &json!([]))])), 204);
    lab.target("cut", |target| target["verdict"] == "in_force");
    drop(node);
    lab.target("cut", |target| target["verdict"] == "unknown" && target["verdict_reason"] == "no_node");
    assert_eq!(lab.events("cut", "Unknown")[0]["message"], "Whether it is there cannot be told (no_node)");
    let mut node = Node::connect(lab.program.address, "n1");
    node.until_ready();
    assert_eq!(node.report(&json!({ "complete": true, "verdicts": [verdict(&run, "in_force", "", &json!([]))] })), 204);
    lab.target("cut", |target| target["verdict"] == "in_force");
}
