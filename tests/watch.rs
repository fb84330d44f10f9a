//! The watches against a real API server: what they see, and that nothing that can go wrong between the two is lost or told wrongly.
//!
//! `watch/world.rs` keeps a mirror of what the watches tell, which is compared with the server; `watch/front.rs` stands between the two and
//! refuses, cuts and spoils. Everything is real but the definitions of the kinds, which take any object. To add a fault: a test here.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "starts real servers, and what goes wrong is a failed test"
)]

#[path = "watch/front.rs"]
mod front;
mod kit;
#[path = "watch/pods.rs"]
mod pods;
#[path = "watch/world.rs"]
mod world;

use chaoscope::cluster::discover;
use chaoscope::tools::chaos_mesh::kinds::{GROUP, RESOURCES};
use front::{Front, Weather};
use kit::kube::objects::{CHAOS_MESH, chaos};
use kit::kube::{Kube, Options};
use kit::process::until;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use world::{Mirror, World, client, config, runtime};

fn event(about: &str, version: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "lab"}, "reason": "Started",
        "involvedObject": {"apiVersion": version, "kind": about, "namespace": "lab", "name": "slow"},
    })
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn everything_is_listed_and_then_followed_to_its_end() {
    let (kube, runtime) = (Kube::start(), runtime());
    kube.define_all();
    kube.namespace("lab");
    let slow = chaos("NetworkChaos", "lab", "slow");
    kube.create(&slow);
    kube.create(&event("NetworkChaos", CHAOS_MESH, "slow.1"));
    kube.create(&event("Pod", "v1", "other.1"));
    let world = World::start(&runtime, &kube.kubeconfig(), &config(&[]));
    world.until_ready();
    for resource in &RESOURCES {
        world.until_up(resource.plural);
    }
    assert_eq!((world.status("networkchaos").objects, world.status("events").objects), (1, 1));

    kube.patch(&slow, &json!({"metadata": {"finalizers": ["chaos-mesh/records"]}, "status": {"experiment": {"desiredPhase": "Run"}}}));
    kube.create(&event("NetworkChaos", CHAOS_MESH, "slow.2"));
    kube.create(&event("Pod", "v1", "other.2"));
    let mut flow = chaos("Workflow", "lab", "flow");
    flow["status"] = json!({"entryNode": "entry"});
    kube.create(&flow);
    let mut far = chaos("RemoteCluster", "", "far");
    far["metadata"].as_object_mut().unwrap().remove("namespace");
    kube.create(&far);
    for plural in ["networkchaos", "workflows", "remoteclusters"] {
        world.until_mirrored(&kube, plural);
    }
    world.until("the second event is seen", || world.status("events").changes == 1);
    kube.delete(&slow);
    world.until_mirrored(&kube, "networkchaos");
    assert_eq!(world.deleted("networkchaos"), Vec::<String>::new(), "its finalizer is still there");
    kube.patch(&slow, &json!({"metadata": {"finalizers": null}}));
    world.until_mirrored(&kube, "networkchaos");
    assert_eq!(world.deleted("networkchaos"), ["slow"]);
    let now = world.status("networkchaos");
    assert_eq!((now.objects, now.changes, now.restarts, now.undecodable, now.reason.as_str()), (0, 3, 0, 0, ""));
    assert_eq!(world.listed("networkchaos"), [1]);
    assert_eq!(world.listed("events"), Vec::<usize>::new(), "that an event is gone says nothing");

    let served = runtime.block_on(discover::group(&client(&runtime, &kube.kubeconfig()), GROUP)).unwrap();
    assert_eq!(served.iter().map(|it| (it.version.as_str(), it.plurals.len())).collect::<Vec<_>>(), [("v1alpha1", 23)]);
    assert_eq!(runtime.block_on(discover::group(&client(&runtime, &kube.kubeconfig()), "none.example")).unwrap(), []);
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn a_server_that_is_killed_and_comes_back_is_followed_again() {
    let (kube, runtime) = (Kube::start(), runtime());
    kube.define(&["NetworkChaos"]);
    kube.namespace("lab");
    kube.create(&chaos("NetworkChaos", "lab", "before"));
    let world = World::start(&runtime, &kube.kubeconfig(), &config(&[]));
    world.until_up("networkchaos");
    world.until_ready();
    for round in 0..2 {
        kube.kill();
        world.until_reason("networkchaos", "unreachable");
        assert!(!world.status("networkchaos").message.is_empty());
        assert!(world.watches.ready(), "it was ready once");
        kube.restart();
        kube.create(&chaos("NetworkChaos", "lab", &format!("after-{round}")));
        kube.delete(&chaos("NetworkChaos", "lab", if round == 0 { "before" } else { "after-0" }));
        world.until_mirrored(&kube, "networkchaos");
        world.until_up("networkchaos");
    }
}

/// What was deleted meanwhile is told by the complete list, and not as if a watch had seen it.
#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn after_compaction_a_new_list_tells_what_is_gone() {
    let flags = vec!["--etcd-compaction-interval=1s".to_owned()];
    let (kube, runtime) = (Kube::start_with(&Options { flags, tokens: vec![] }), runtime());
    kube.define(&["NetworkChaos", "PodChaos"]);
    kube.namespace("lab");
    for name in ["gone", "kept"] {
        kube.create(&chaos("NetworkChaos", "lab", name));
    }
    let front = Front::start(&kube, &runtime);
    let world = World::start(&runtime, &kube.kubeconfig_via(front.address()), &config(&[]));
    world.until_up("networkchaos");
    front.turn(Weather::Down);
    world.until_reason("networkchaos", "failing");
    kube.delete(&chaos("NetworkChaos", "lab", "gone"));
    kube.create(&chaos("NetworkChaos", "lab", "new"));
    let first = kube.call(Method::GET, "/api/v1/namespaces?limit=1", None).1["metadata"]["resourceVersion"].clone();
    let old = format!("/api/v1/namespaces?resourceVersion={}&resourceVersionMatch=Exact", first.as_str().unwrap());
    let mut round = 0;
    until(
        || {
            round += 1;
            let lab = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab"}});
            kube.patch(&lab, &json!({"metadata": {"labels": {"round": round.to_string()}}}));
            thread::sleep(Duration::from_millis(500));
            (kube.call(Method::GET, &old, None).0 == 410).then_some(())
        },
        || "etcd compacts".into(),
    );
    kube.kill(); // its watch cache would still know
    kube.restart();
    front.turn(Weather::Fair);
    world.until_mirrored(&kube, "networkchaos");
    world.until_up("networkchaos");
    assert_eq!((world.listed("networkchaos"), world.deleted("networkchaos")), (vec![2, 2], vec![]));
    let now = world.status("networkchaos");
    assert_eq!((now.restarts, now.objects), (1, 2));
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn a_watch_that_is_closed_again_and_again_goes_on_where_it_was() {
    let (kube, runtime) = (Kube::start(), runtime());
    kube.define(&["NetworkChaos"]);
    kube.namespace("lab");
    let front = Front::start(&kube, &runtime);
    front.turn(Weather::Impatient(Duration::from_millis(1200)));
    let world = World::start(&runtime, &kube.kubeconfig_via(front.address()), &config(&[]));
    world.until_up("networkchaos");
    let watches = || front.count(&["/networkchaos?watch=1"]);
    for round in 0..5 {
        let before = watches();
        kube.create(&chaos("NetworkChaos", "lab", &format!("one-{round}")));
        world.until("it is asked again", || watches() > before + 1);
    }
    world.until_mirrored(&kube, "networkchaos");
    let now = world.status("networkchaos");
    assert_eq!((now.restarts, now.up, now.reason.as_str(), now.changes), (0, true, "", 5));
    assert_eq!(front.count(&["/networkchaos?limit="]), 1);

    // Closed before it says anything: not asked again in a circle. At least 0.25, 0.5 and 1 s lie between four tries.
    front.turn(Weather::Impatient(Duration::ZERO));
    let (before, began) = (watches() + 1, Instant::now());
    world.until("it is asked four times more", || watches() >= before + 4);
    assert!(began.elapsed() >= Duration::from_millis(1750), "{:?}", began.elapsed());
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn a_kind_that_is_missing_costs_only_itself_and_is_seen_when_it_appears() {
    let (kube, runtime) = (Kube::start(), runtime());
    kube.define(&["NetworkChaos"]);
    kube.namespace("lab");
    kube.create(&chaos("NetworkChaos", "lab", "slow"));
    let front = Front::start(&kube, &runtime);
    let everywhere = World::start(&runtime, &kube.kubeconfig(), &config(&[]));
    let limited = World::start(&runtime, &kube.kubeconfig_via(front.address()), &config(&["lab", "one", "two", "three"]));
    for world in [&everywhere, &limited] {
        world.until_ready();
        world.until_up("networkchaos");
        assert_eq!(world.status("podchaos").reason, "missing");
    }
    let asked = || front.count(&["/podchaos?"]);
    let before = asked();
    let began = Instant::now();
    limited.until("a missing kind is asked for again", || asked() >= before + 3);
    assert!(began.elapsed() >= Duration::from_millis(2 * 750), "one namespace asks for all: {:?}", front.asked());

    kube.define(&["PodChaos"]);
    kube.create(&chaos("PodChaos", "lab", "kill"));
    for world in [&everywhere, &limited] {
        world.until_up("podchaos");
        world.until_mirrored(&kube, "podchaos");
        let others = world.watches.status().into_iter().filter(|it| it.resource == "podchaos" && !it.up);
        assert!(others.count() <= 3);
        assert_eq!(world.status("timechaos").reason, "missing");
    }
    limited.until("every namespace is watched", || limited.watches.status().iter().all(|it| it.resource != "podchaos" || it.up));

    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/podchaos.chaos-mesh.org";
    assert_eq!(kube.call(Method::DELETE, path, None).0, 200);
    everywhere.until_reason("podchaos", "missing");
    assert_eq!(everywhere.deleted("podchaos"), ["kill"], "its objects went first, and that was seen");
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn a_kind_that_is_forbidden_costs_only_itself_until_it_is_allowed() {
    let tokens = vec![("reader-token".to_owned(), "reader".to_owned())];
    let (kube, runtime) = (Kube::start_with(&Options { flags: vec![], tokens }), runtime());
    kube.define(&["NetworkChaos", "PodChaos"]);
    kube.namespace("lab");
    kube.create(&chaos("PodChaos", "lab", "kill"));
    let verbs = ["get", "list", "watch"];
    let chaos_rule = |resources: &[&str]| json!({"apiGroups": ["chaos-mesh.org"], "resources": resources, "verbs": verbs});
    kube.allow("reader", None, &json!([chaos_rule(&["networkchaos"])]));
    let world = World::start(&runtime, &kube.kubeconfig_of("reader-token"), &config(&[]));
    world.until_up("networkchaos");
    world.until_reason("podchaos", "forbidden");
    world.until_reason("events", "forbidden");
    world.until_ready();
    assert!(world.status("podchaos").message.contains("cannot list resource \"podchaos\""), "{:?}", world.status("podchaos"));

    kube.allow("reader", None, &json!([chaos_rule(&["*"]), {"apiGroups": [""], "resources": ["events"], "verbs": verbs}]));
    world.until_up("podchaos");
    world.until_up("events");
    world.until_reason("timechaos", "missing");
    world.until_mirrored(&kube, "podchaos");
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn limited_to_namespaces_roles_are_enough() {
    let tokens = vec![("reader-token".to_owned(), "reader".to_owned())];
    let (kube, runtime) = (Kube::start_with(&Options { flags: vec![], tokens }), runtime());
    kube.define_all();
    for namespace in ["lab", "shop", "other"] {
        kube.namespace(namespace);
        kube.create(&chaos("NetworkChaos", namespace, "slow"));
        let mut event = event("NetworkChaos", CHAOS_MESH, "slow.1");
        event["metadata"]["namespace"] = namespace.into();
        event["involvedObject"]["namespace"] = namespace.into();
        kube.create(&event);
    }
    let verbs = ["get", "list", "watch"];
    let rules = json!([{"apiGroups": ["chaos-mesh.org"], "resources": ["*"], "verbs": verbs},
                       {"apiGroups": [""], "resources": ["events"], "verbs": verbs}]);
    kube.allow("reader", Some("lab"), &rules);
    kube.allow("reader", Some("shop"), &rules);
    let world = World::start(&runtime, &kube.kubeconfig_of("reader-token"), &config(&["lab", "shop"]));
    world.until("what has a namespace is watched", || world.watches.status().iter().all(|it| it.up || it.resource == "remoteclusters"));
    assert_eq!(world.watches.status().len(), 23 * 2 + 1);
    let far = world.status("remoteclusters");
    assert_eq!((far.up, far.reason.as_str(), far.namespace.as_str()), (false, "cluster_scoped", ""));
    kube.create(&chaos("NetworkChaos", "shop", "more"));
    kube.create(&chaos("NetworkChaos", "other", "more"));
    let seen = |plural: &str| world.mirror.objects.lock().unwrap().keys().filter(|(kind, _)| kind == plural).count();
    world.until("both namespaces are seen", || seen("networkchaos") == 3);
    assert_eq!(seen("events"), 2);
    assert!(world.watches.ready());
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn a_token_that_is_rotated_in_its_file_is_taken_up() {
    let tokens = vec![("old-token".to_owned(), "robot".to_owned())];
    let (kube, runtime) = (Kube::start_with(&Options { flags: vec![], tokens }), runtime());
    kube.define(&["NetworkChaos"]);
    kube.namespace("lab");
    kube.allow("robot", None, &json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "old-token").unwrap();
    let world = World::start(&runtime, &kube.kubeconfig_with_file(&file), &config(&[]));
    world.until_up("networkchaos");

    kube.write_tokens(&[("new-token", "robot")]);
    kube.kill();
    kube.restart();
    world.until_reason("networkchaos", "unauthorized");
    kube.create(&chaos("NetworkChaos", "lab", "meanwhile"));
    fs::write(&file, "new-token").unwrap();
    let twice = Instant::now(); // the client reads it again within a minute
    while !world.status("networkchaos").up && twice.elapsed() < Duration::from_secs(50) {
        thread::sleep(Duration::from_millis(200));
    }
    world.until_up("networkchaos");
    world.until_mirrored(&kube, "networkchaos");
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn a_server_that_refuses_is_left_in_peace_and_asked_again() {
    let (kube, runtime) = (Kube::start(), runtime());
    kube.define(&["NetworkChaos"]);
    kube.namespace("lab");
    kube.create(&chaos("NetworkChaos", "lab", "slow"));
    let front = Front::start(&kube, &runtime);
    front.turn(Weather::Refusing(429, Some("2")));
    let world = World::start(&runtime, &kube.kubeconfig_via(front.address()), &config(&[]));
    let lists = || front.count(&["/networkchaos?"]);
    world.until_reason("networkchaos", "throttled");
    assert!(!world.watches.ready());
    let began = Instant::now();
    world.until("it is asked twice more", || lists() >= 3);
    assert!(began.elapsed() >= Duration::from_secs(2), "two rests of two seconds, of which one had begun");
    for (status, reason) in [(500, "failing"), (503, "throttled"), (403, "forbidden"), (504, "failing"), (401, "unauthorized")] {
        front.turn(Weather::Refusing(status, None));
        world.until_reason("networkchaos", reason);
    }
    front.turn(Weather::Fair);
    world.until_up("networkchaos");
    world.until_mirrored(&kube, "networkchaos");
    world.until_ready();
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn objects_that_are_none_cost_only_themselves() {
    let (kube, runtime) = (Kube::start(), runtime());
    kube.define(&["NetworkChaos"]);
    kube.namespace("lab");
    let odd = |name: &str, spec: Value, status: Value| {
        let mut object = chaos("NetworkChaos", "lab", name);
        object["spec"] = spec;
        object["status"] = status;
        object
    };
    kube.create(&odd("text", "text".into(), 3.into()));
    kube.create(&odd("list", json!([]), json!({"experiment": {"containerRecords": "none"}})));
    kube.create(&chaos("NetworkChaos", "lab", "good"));
    let front = Front::start(&kube, &runtime);
    front.turn(Weather::Spoiling);
    let world = World::start(&runtime, &kube.kubeconfig_via(front.address()), &config(&[]));
    world.until_up("networkchaos");
    world.until_mirrored(&kube, "networkchaos");
    assert_eq!(world.listed("networkchaos"), Vec::<usize>::new(), "whose uid is not known cannot be missed");
    // Two without a spec and four that are no objects in the list; five lines of the watch.
    world.until("all of them are counted", || world.status("networkchaos").undecodable == 6 + 5);
    kube.create(&odd("number", 7.into(), Value::Null));
    kube.create(&chaos("NetworkChaos", "lab", "better"));
    kube.delete(&chaos("NetworkChaos", "lab", "good"));
    world.until_mirrored(&kube, "networkchaos");
    assert_eq!(world.deleted("networkchaos"), ["good"]);
    let now = world.status("networkchaos");
    assert_eq!((now.undecodable, now.restarts, now.up), (12, 0, true));
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn ten_thousand_objects_come_in_pages_and_huge_ones_in_smaller_pages() {
    let (kube, runtime) = (Kube::start(), runtime());
    kube.define(&["NetworkChaos", "PodChaos"]);
    kube.namespace("lab");
    thread::scope(|scope| {
        for part in 0..4 {
            let kube = &kube;
            scope.spawn(move || {
                for number in 0..2_500 {
                    let mut one = chaos("NetworkChaos", "lab", &format!("many-{part}-{number}"));
                    one["metadata"]["labels"] = json!({"short": (number < 25).to_string()});
                    kube.create(&one);
                }
            });
        }
    });
    for number in 0..40 {
        let mut huge = chaos("PodChaos", "lab", &format!("huge-{number}"));
        huge["spec"]["text"] = "x".repeat(1 << 20).into();
        kube.create(&huge);
    }
    let front = Front::start(&kube, &runtime);
    let world = World::start(&runtime, &kube.kubeconfig_via(front.address()), &config(&[]));
    world.until_ready();
    assert_eq!((world.listed("networkchaos"), world.listed("podchaos")), (vec![10_000], vec![40]));
    assert_eq!((front.count(&["/networkchaos?limit=500"]), front.count(&["/podchaos?limit=31"])), (20, 2), "{:#?}", front.asked());
    world.until_up("networkchaos");
    assert_eq!(
        kube.call(Method::DELETE, "/apis/chaos-mesh.org/v1alpha1/namespaces/lab/networkchaos?labelSelector=short=true", None).0,
        200
    );
    world.until_mirrored(&kube, "networkchaos");
    assert_eq!((world.deleted("networkchaos").len(), world.status("networkchaos").objects), (100, 9_900));
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn a_slow_sink_slows_its_watch_and_loses_nothing() {
    let (kube, runtime) = (Kube::start(), runtime());
    kube.define(&["NetworkChaos", "PodChaos"]);
    kube.namespace("lab");
    let mirror = Mirror { gate: Semaphore::new(0), ..Mirror::default() };
    let world = World::start_with(&runtime, &kube.kubeconfig(), &config(&[]), mirror);
    for number in 0..300 {
        kube.create(&chaos("NetworkChaos", "lab", &format!("one-{number}")));
    }
    world.until("the sink is asked", || world.mirror.waiting.load(Ordering::Relaxed) > 0);
    thread::sleep(Duration::from_millis(500));
    assert!(world.mirror.waiting.load(Ordering::Relaxed) <= 3, "one call of each watch at most, and three pages at most");
    assert!(world.mirror.objects.lock().unwrap().is_empty());
    world.mirror.gate.add_permits(1);
    world.until_mirrored(&kube, "networkchaos");
    world.until_ready();
}
