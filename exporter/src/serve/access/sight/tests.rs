//! Each rule with the smallest set of rights that tells it from the others.

use super::*;
use serde_json::json;

/// A run of tool `tool` in `namespace` with targets `namespace/pod`.
fn run(tool: &str, kind: &str, namespace: &str, targets: &[&str]) -> Run {
    let target = |name: &&str| {
        let (namespace, pod) = name.split_once('/').expect("namespace/pod");
        json!({ "id": name, "namespace": namespace, "pod": pod, "container": "", "netns": "", "node": "", "workload": "",
            "workload_kind": "", "role": "selected", "precision": {}, "message": "" })
    };
    let targets: Vec<_> = targets.iter().map(target).collect();
    let run = json!({ "id": "r", "tool": tool, "cluster": "here", "kind": kind, "action": "", "namespace": namespace, "name": "x", "uid": "u",
        "ordinal": 1, "phase": "running", "started_at": "2026-01-01T00:00:00Z", "baseline": false, "precision": {}, "parameters": {},
        "labels": {}, "targets": targets });
    serde_json::from_value(run).expect("a run")
}

/// An event of the object of [`run`], about `target`.
fn event(tool: &str, kind: &str, namespace: &str, target: &str) -> Event {
    let (target_namespace, target_pod) = target.split_once('/').unwrap_or_default();
    let event = json!({ "key": "k", "tool": tool, "cluster": "here", "kind": kind, "namespace": namespace, "name": "x", "uid": "u",
        "at": "2026-01-01T00:00:00Z", "precision": "s", "type": "Normal", "reason": "Applied", "message": "",
        "target_namespace": target_namespace, "target_pod": target_pod, "target_container": "", "attributes": {}, "announced": false });
    serde_json::from_value(event).expect("an event")
}

/// What somebody sees who may list `rights`, each `plural` or `plural@namespace`.
fn with<T>(rights: &[&str], look: impl FnOnce(&Rules<'_>) -> T) -> T {
    let may = |resource: Resource, namespace: &str| {
        let group = if resource.plural == "pods" { "" } else { "chaos-mesh.org" };
        assert_eq!(resource.group, group, "{}", resource.plural);
        let right = if namespace.is_empty() { resource.plural.to_owned() } else { format!("{}@{namespace}", resource.plural) };
        rights.contains(&right.as_str())
    };
    look(&Rules { cluster: "here", may: &may })
}

/// The targets somebody sees of a run; `None`: no run.
fn seen(run: &Run, rights: &[&str]) -> Option<Vec<String>> {
    let seen = with(rights, |rules| rules.see(run))?;
    assert_eq!(Run { targets: run.targets.clone(), ..seen.clone() }, *run, "all but the targets stays");
    Some(seen.targets.into_iter().map(|target| target.id).collect())
}

#[allow(clippy::unnecessary_wraps)] // as what is asked answers
fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn who_may_list_the_kind_there_sees_the_run_whole() {
    let run = run("chaos-mesh", "NetworkChaos", "team-a", &["shop/web-0", "bank/db-0", "/machine-1"]);
    let all = names(&["shop/web-0", "bank/db-0", "/machine-1"]);
    assert_eq!(seen(&run, &["networkchaos@team-a"]), all);
    assert_eq!(seen(&run, &["networkchaos"]), all, "everywhere is there too");
    for other in ["networkchaos@shop", "podchaos", "podchaos@team-a", "pods@team-a", "schedules@team-a"] {
        assert_eq!(seen(&run, &[other]), None, "{other}");
    }
}

#[test]
fn who_may_list_pods_of_a_target_sees_the_run_with_those_targets() {
    let run = run("chaos-mesh", "NetworkChaos", "team-a", &["shop/web-0", "bank/db-0", "shop/web-1", "/machine-1"]);
    assert_eq!(seen(&run, &["pods@shop"]), names(&["shop/web-0", "shop/web-1"]));
    assert_eq!(seen(&run, &["pods@bank", "pods@other"]), names(&["bank/db-0"]));
    assert_eq!(seen(&run, &["pods"]), names(&["shop/web-0", "bank/db-0", "shop/web-1"]), "a machine is no pod");
    assert_eq!(seen(&run, &["pods@other"]), None);
    assert_eq!(seen(&run, &[]), None);
}

#[test]
fn without_targets_only_the_kind_counts() {
    let run = run("chaos-mesh", "NetworkChaos", "team-a", &[]);
    assert_eq!(seen(&run, &["pods"]), None);
    assert_eq!(seen(&run, &["networkchaos@team-a"]), names(&[]));
}

#[test]
fn a_kind_that_nobody_knows_is_seen_by_its_targets() {
    let run = run("chaos-mesh", "QuantumChaos", "team-a", &["shop/web-0", "bank/db-0"]);
    assert_eq!(seen(&run, &["networkchaos", "pods@bank"]), names(&["bank/db-0"]));
    assert_eq!(seen(&run, &["networkchaos"]), None);
}

#[test]
fn a_kernel_run_is_seen_by_its_pods_namespace() {
    let netem = run("kernel", "netem", "shop", &["shop/web-0"]);
    assert_eq!(seen(&netem, &["pods@shop"]), names(&["shop/web-0"]));
    assert_eq!(seen(&netem, &["pods"]), names(&["shop/web-0"]));
    assert_eq!(seen(&netem, &["pods@bank", "networkchaos", "networkchaos@shop"]), None);
    let unnamed = run("kernel", "netem", "", &["/"]);
    assert_eq!(seen(&unnamed, &["pods@shop"]), None);
    assert_eq!(seen(&unnamed, &["pods"]), names(&["/"]), "a namespace of no known pod is for who may list all pods");
}

#[test]
fn another_clusters_namespaces_are_not_ours() {
    let run = Run { cluster: "there".to_owned(), ..run("chaos-mesh", "NetworkChaos", "team-a", &["shop/web-0"]) };
    assert_eq!(seen(&run, &["networkchaos@team-a", "pods@shop"]), None);
    assert_eq!(seen(&run, &["networkchaos"]), names(&["shop/web-0"]));
    assert_eq!(seen(&run, &["pods"]), names(&["shop/web-0"]));
    let event = Event { cluster: "there".to_owned(), ..event("chaos-mesh", "NetworkChaos", "team-a", "") };
    assert!(!with(&["networkchaos@team-a"], |rules| rules.sees_event(&event, None)));
    assert!(with(&["networkchaos"], |rules| rules.sees_event(&event, None)));
}

#[test]
fn an_event_is_seen_by_its_object_or_by_its_run() {
    let run = run("chaos-mesh", "NetworkChaos", "team-a", &["shop/web-0", "bank/db-0"]);
    let sees = |target: &str, rights: &[&str], run| {
        let event = event("chaos-mesh", "NetworkChaos", "team-a", target);
        with(rights, |rules| rules.sees_event(&event, run))
    };
    assert!(sees("bank/db-0", &["networkchaos@team-a"], None));
    assert!(sees("bank/db-0", &["networkchaos"], Some(&run)));
    assert!(!sees("", &["pods@shop"], Some(&run)), "about the run: its message may name the target that is hidden");
    assert!(sees("", &["pods@shop", "pods@bank"], Some(&run)), "all of its targets are seen");
    assert!(sees("shop/web-0", &["pods@shop"], Some(&run)));
    assert!(!sees("bank/db-0", &["pods@shop"], Some(&run)), "about a target that is not");
    assert!(!sees("shop/web-9", &["pods@shop"], Some(&run)), "about no target of the run");
    assert!(!sees("", &["pods@shop"], None));
    assert!(!sees("", &["pods@other"], Some(&run)));
}

#[test]
fn an_event_about_a_container_is_seen_with_that_container() {
    let mut run = run("chaos-mesh", "NetworkChaos", "team-a", &["shop/web-0"]);
    let event = Event { target_container: "app".to_owned(), ..event("chaos-mesh", "NetworkChaos", "team-a", "shop/web-0") };
    let sees = |run: &Run| with(&["pods@shop"], |rules| rules.sees_event(&event, Some(run)));
    assert!(sees(&run), "the target is the pod");
    run.targets[0].container = "app".to_owned();
    assert!(sees(&run));
    run.targets[0].container = "sidecar".to_owned();
    assert!(!sees(&run));
}

#[test]
fn events_of_schedules_and_of_kernels() {
    let schedule = event("chaos-mesh", "Schedule", "team-a", "");
    assert!(with(&["schedules@team-a"], |rules| rules.sees_event(&schedule, None)));
    assert!(!with(&["networkchaos@team-a", "pods"], |rules| rules.sees_event(&schedule, None)));
    let kernel = event("kernel", "netem", "shop", "shop/web-0");
    assert!(with(&["pods@shop"], |rules| rules.sees_event(&kernel, None)));
    assert!(!with(&["pods@bank"], |rules| rules.sees_event(&kernel, None)));
    let unnamed = event("kernel", "netem", "", "");
    assert!(!with(&["pods@shop"], |rules| rules.sees_event(&unnamed, None)));
    assert!(with(&["pods"], |rules| rules.sees_event(&unnamed, None)));
}

#[test]
fn everywhere_is_asked_first_and_no_more_than_needed() {
    let asked = std::cell::RefCell::new(Vec::new());
    let ask = |allowed: bool| {
        asked.borrow_mut().clear();
        let may = |resource: Resource, namespace: &str| {
            asked.borrow_mut().push(format!("{}@{namespace}", resource.plural));
            allowed
        };
        let _ = Rules { cluster: "here", may: &may }.see(&run("chaos-mesh", "NetworkChaos", "team-a", &["shop/web-0"]));
        asked.borrow().clone()
    };
    assert_eq!(ask(true), ["networkchaos@"]);
    assert_eq!(ask(false), ["networkchaos@", "networkchaos@team-a", "pods@", "pods@shop"]);
}

#[test]
fn objects_are_seen_by_their_kind_alone() {
    let sees = |rights: &[&str], kind: &str| with(rights, |rules| rules.sees_object(Tool::ChaosMesh, kind, "team-a"));
    assert!(sees(&["workflows@team-a"], "Workflow"));
    assert!(sees(&["remoteclusters"], "RemoteCluster"));
    assert!(!sees(&["pods", "workflows@team-b"], "Workflow"));
    assert!(!sees(&["pods", "events"], "Event"), "Kubernetes' own kinds are nobody's experiments");
    assert!(!with(&["pods"], |rules| rules.sees_object(Tool::Kernel, "netem", "team-a")));
}
