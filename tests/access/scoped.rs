//! The whole program asked with real tokens that may list little: on no address does a name of what they may not see come out.
//!
//! Names of the world say who may see them: each hidden thing has a word of its own, looked for in whole bodies. A caller who may list all of it
//! is asked the same, so that a word nobody is told does not pass for a secret kept.

use crate::kit::kube::objects::chaos;
use crate::kit::process::until;
use crate::program::Program;
use crate::world::World;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// May list network experiments in `amber`, nothing else.
const AMBER: (&[&str], &[&str]) = (&["networkchaos@amber"], &["birch", "cedar", "dune", "elm", "veiled"]);
/// May list pods in `birch`, so sees of the experiment in `elm` what concerns its own pod.
const BIRCH: (&[&str], &[&str]) = (&["pods@birch"], &["amber", "cedar", "dune", "veiled"]);
const EVERYTHING: &[&str] = &["networkchaos", "podchaos", "schedules", "workflows", "workflownodes", "pods"];
const EVER: &str = "from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
const LISTS: [&str; 21] = [
    "/",
    "/?last=",
    "/api/v1/doctor",
    "/api/v1/openapi.json",
    "/readyz?verbose",
    "/api/events",
    "/api/events?limit=1000",
    "/api/experiments",
    "/api/experiments/state",
    "/api/schedules",
    "/api/workflows",
    "/api/archives",
    "/api/archives/schedules",
    "/api/archives/workflows",
    "/api/common/config",
    "/api/common/kinds",
    "/api/common/namespaces",
    "/api/common/chaos-available-namespaces",
    "/api/common/labels?podNamespaceList=birch",
    "/api/common/annotations?podNamespaceList=birch",
    "/api/templates/statuschecks",
];

/// An experiment in force on these targets, each `namespace/pod`.
fn experiment(kind: &str, namespace: &str, name: &str, targets: &[&str]) -> Value {
    let record = |id: &&str| {
        json!({ "id": id, "selectorKey": ".", "phase": "Injected", "injectedCount": 1, "recoveredCount": 0,
            "events": [{ "type": "Succeeded", "operation": "Apply", "timestamp": "2026-11-21T12:00:01Z" }] })
    };
    let conditions = [("Selected", "True"), ("AllInjected", "True"), ("AllRecovered", "False"), ("Paused", "False")];
    let conditions = conditions.map(|(kind, status)| json!({ "type": kind, "status": status }));
    let mut object = chaos(kind, namespace, name);
    object["spec"] = json!({ "action": if kind == "PodChaos" { "pod-failure" } else { "partition" }, "mode": "all",
        "selector": { "namespaces": targets.iter().map(|id| id.split('/').next()).collect::<Vec<_>>() } });
    object["status"] = json!({ "conditions": conditions,
        "experiment": { "desiredPhase": "Run", "containerRecords": targets.iter().map(record).collect::<Vec<_>>() } });
    object
}

/// What the controller says of an object.
fn told(number: u32, about: &Value, reason: &str, message: &str, annotations: &Value) -> Value {
    let of = &about["metadata"];
    let name = format!("{}.{:x}", of["name"].as_str().unwrap(), 1_795_262_401_000_000_000_u64 + u64::from(number));
    let severity = if reason == "Failed" { "Warning" } else { "Normal" };
    json!({ "apiVersion": "v1", "kind": "Event", "metadata": { "name": name, "namespace": of["namespace"], "annotations": annotations },
        "involvedObject": { "apiVersion": "chaos-mesh.org/v1alpha1", "kind": about["kind"], "namespace": of["namespace"], "name": of["name"],
            "uid": of["uid"] },
        "type": severity, "reason": reason, "message": message, "count": 1, "source": { "component": "records" },
        "firstTimestamp": "2026-11-21T12:00:01Z", "lastTimestamp": "2026-11-21T12:00:01Z" })
}

/// Everything there is to be seen or hidden, and what was there and is gone. Answers uids of all of it.
fn populate(world: &World) -> Vec<String> {
    let kube = &world.kube;
    kube.define_all();
    for namespace in ["amber", "birch", "cedar", "dune", "elm"] {
        kube.namespace(namespace);
    }
    let mut schedule = chaos("Schedule", "amber", "veiled-nightly");
    schedule["spec"] = json!({ "schedule": "@every 1h", "type": "PodChaos", "historyLimit": 1, "concurrencyPolicy": "Forbid",
        "podChaos": { "action": "pod-failure", "mode": "one", "selector": {} } });
    let mut workflow = chaos("Workflow", "elm", "veiled-drill");
    workflow["spec"] = json!({ "entry": "veiled-all", "templates": [] });
    let mut node = chaos("WorkflowNode", "elm", "veiled-all-1");
    node["spec"] =
        json!({ "templateName": "veiled-all", "workflowName": "veiled-drill", "type": "Serial", "startTime": "2026-11-21T12:00:00Z" });
    let mut all: Vec<_> = [schedule, workflow, node].iter().map(|object| kube.create(object)).collect();
    for (kind, namespace, name, targets) in [
        ("NetworkChaos", "amber", "amber-cut", &["amber/amber-web-0"][..]),
        ("NetworkChaos", "amber", "amber-old", &["amber/amber-web-1"]),
        ("PodChaos", "amber", "veiled-kill", &["amber/veiled-web-2"]),
        ("PodChaos", "amber", "veiled-old", &["amber/veiled-web-3"]),
        ("NetworkChaos", "cedar", "cedar-cut", &["dune/dune-db-0"]),
        ("NetworkChaos", "cedar", "cedar-old", &["dune/dune-db-1"]),
        ("NetworkChaos", "elm", "elm-both", &["birch/birch-web-0", "dune/dune-web-1"]),
    ] {
        let object = kube.create(&experiment(kind, namespace, name, targets));
        for (number, id) in (0..).zip(targets) {
            let annotations = json!({ "chaos-mesh.org/type": "applied", "chaos-mesh.org/id": id });
            kube.create(&told(number, &object, "Applied", &format!("Successfully apply chaos for {id}"), &annotations));
        }
        let (activity, error) = ("apply chaos", format!("{} is not there", targets[targets.len() - 1]));
        let annotations = json!({ "chaos-mesh.org/type": "failed", "chaos-mesh.org/activity": activity, "chaos-mesh.org/err": error });
        kube.create(&told(9, &object, "Failed", &format!("Failed to {activity}: {error}"), &annotations));
        all.push(object);
    }
    all.iter().map(|object| object["metadata"]["uid"].as_str().unwrap().to_owned()).collect()
}

/// Asks with a token; status and body.
fn get(program: &Program, token: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(program.address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn json_of(program: &Program, token: &str, path: &str) -> Value {
    let (status, body) = get(program, token, path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Names of the rows of a list, sorted.
fn names(rows: &Value) -> Vec<String> {
    let mut names: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Every address, those of single things included; none of them repeats what was asked.
fn addresses(program: &Program, all: &str, uids: &[String]) -> Vec<String> {
    let mut paths: Vec<String> = LISTS.iter().map(|path| (*path).to_owned()).collect();
    paths.extend(["runs", "events"].iter().flat_map(|list| {
        [
            format!("/api/v1/{list}?{EVER}&limit=1000"),
            format!("/api/v1/{list}?{EVER}&limit=1"),
            format!("/api/v1/{list}?{EVER}&tool=chaos-mesh"),
        ]
    }));
    let runs = json_of(program, all, &format!("/api/v1/runs?{EVER}&limit=1000"));
    paths.extend(runs["runs"].as_array().unwrap().iter().map(|run| format!("/api/v1/runs/{}", run["id"].as_str().unwrap())));
    let events = json_of(program, all, "/api/events?limit=1000");
    paths.extend(events.as_array().unwrap().iter().map(|event| format!("/api/events/{}", event["id"])));
    for uid in uids {
        for list in ["experiments", "schedules", "workflows", "archives", "archives/schedules", "archives/workflows", "events/workflow"] {
            paths.push(format!("/api/{list}/{uid}"));
        }
        paths.push(format!("/api/events?object_id={uid}"));
    }
    paths
}

/// The program with the rights of the manifests and no others, once it knows all of [`populate`].
fn start(world: &World) -> (Program, String, Vec<String>) {
    let kubeconfig = world.own_kubeconfig();
    let uids = populate(world);
    let program = Program::cluster(
        &kubeconfig,
        &["--api.auth=kubernetes", "--cluster-name=lab", "--peer=dashboard=http://dashboard.dune.invalid:2334"],
    );
    let all = world.caller("all", EVERYTHING);
    let seen = |path: &str| json_of(&program, &all, path);
    until(
        || {
            (seen(&format!("/api/v1/runs?{EVER}"))["runs"].as_array()?.len() == 7 && seen("/api/events").as_array()?.len() >= 15)
                .then_some(())
        },
        || program.log(),
    );
    for (kind, namespace, name) in
        [("NetworkChaos", "amber", "amber-old"), ("PodChaos", "amber", "veiled-old"), ("NetworkChaos", "cedar", "cedar-old")]
    {
        world.kube.delete(&chaos(kind, namespace, name));
    }
    until(|| (seen("/api/archives").as_array()?.len() == 3).then_some(()), || program.log());
    let _ = crate::kit::http::get(program.address, "/metrics"); // asks the peer
    (program, all, uids)
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn a_scoped_token_is_told_no_name_of_anything_else_on_any_address() {
    let world = World::new();
    let (program, all, uids) = start(&world);
    let paths = addresses(&program, &all, &uids);
    let everything: String = paths.iter().map(|path| get(&program, &all, path).1).collect();
    let folder = program.folder.path().to_str().unwrap();
    for (name, (rights, forbidden)) in [("amber-reader", AMBER), ("birch-reader", BIRCH)] {
        let token = world.caller(name, rights);
        assert!(forbidden.iter().all(|word| everything.contains(word)) && everything.contains(folder), "who may see it is told");
        for path in &paths {
            let (status, body) = get(&program, &token, path);
            let told: Vec<_> = forbidden.iter().chain([&folder]).filter(|word| body.contains(**word)).collect();
            assert!([200, 404].contains(&status) && told.is_empty(), "{name} is told {told:?} by {path}, {status}: {body}");
        }
        let filters =
            |word| [format!("target_namespace=*{word}*"), format!("namespace=*{word}*"), format!("name=*{word}*"), format!("text={word}")];
        for filter in forbidden.iter().flat_map(filters) {
            for list in ["runs", "events"] {
                let answer = json_of(&program, &token, &format!("/api/v1/{list}?{EVER}&{filter}"));
                assert_eq!(answer[list], json!([]), "{name} finds {filter}");
            }
        }
        let doctor = json_of(&program, &token, "/api/v1/doctor");
        assert!(doctor["lines"].as_array().unwrap().iter().any(|line| line["found"] == "journal: nothing is wrong"), "{doctor}");
    }
    assert_eq!(get(&program, "x", "/").0, 401);
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn a_scoped_token_is_told_what_it_may_list_and_counts_are_of_that_alone() {
    let world = World::new();
    let (program, all, _) = start(&world);
    let amber = world.caller("amber-reader", AMBER.0);
    let birch = world.caller("birch-reader", BIRCH.0);
    let runs = |token: &str| json_of(&program, token, &format!("/api/v1/runs?{EVER}"))["runs"].clone();
    let list = |token: &str, path: &str| names(&json_of(&program, token, path));
    assert_eq!(
        (names(&runs(&amber)), names(&runs(&birch))),
        (vec!["amber-cut".to_owned(), "amber-old".to_owned()], vec!["elm-both".to_owned()])
    );
    let targets: Vec<_> = runs(&birch)[0]["targets"].as_array().unwrap().iter().map(|target| target["id"].clone()).collect();
    assert_eq!(targets, ["birch/birch-web-0"]);
    assert_eq!(
        (list(&amber, "/api/experiments"), list(&amber, "/api/archives")),
        (vec!["amber-cut".to_owned()], vec!["amber-old".to_owned()])
    );
    assert_eq!((list(&birch, "/api/experiments"), list(&birch, "/api/archives")), (vec!["elm-both".to_owned()], vec![]));
    for path in ["/api/schedules", "/api/workflows"] {
        assert_eq!((list(&all, path).len(), list(&amber, path).len(), list(&birch, path).len()), (1, 0, 0), "{path}");
    }
    let running = |token: &str| json_of(&program, token, "/api/experiments/state")["running"].clone();
    assert_eq!((running(&all), running(&amber), running(&birch)), (json!(4), json!(1), json!(1)));
    let namespaces = |token: &str| json_of(&program, token, "/api/common/namespaces");
    assert_eq!((namespaces(&amber), namespaces(&birch)), (json!(["amber"]), json!(["birch", "elm"])));
    let about = |token: &str| names(&json_of(&program, token, "/api/events")).into_iter().collect::<BTreeSet<_>>();
    assert_eq!((about(&amber).len(), about(&birch)), (2, BTreeSet::from(["elm-both".to_owned()])));
    let ids: Vec<_> = runs(&all).as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect();
    let found = |token: &str| ids.iter().filter(|id| get(&program, token, &format!("/api/v1/runs/{id}")).0 == 200).count();
    assert_eq!((ids.len(), found(&all), found(&amber), found(&birch)), (7, 7, 2, 1), "all others are 404");
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn a_scoped_stream_tells_of_no_other_change() {
    let world = World::new();
    let (program, _, _) = start(&world);
    for (name, (rights, forbidden), awaited) in [("amber-reader", AMBER, "amber-late"), ("birch-reader", BIRCH, "elm-late")] {
        let token = world.caller(name, rights);
        let mut stream = TcpStream::connect(program.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        write!(stream, "GET /api/v1/stream HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        let mut heard = lines.by_ref().find(|line| line.starts_with("id:")).unwrap();
        // One kind is watched in order, so what must not be told happens before what is waited for.
        for (namespace, late, targets) in [
            ("cedar", "cedar-late", &["dune/dune-db-2"][..]),
            ("amber", "amber-late", &["amber/amber-web-0"]),
            ("elm", "elm-late", &["dune/dune-web-3", "birch/birch-web-0"]),
        ] {
            let object = experiment("NetworkChaos", namespace, &format!("{late}-of-{name}"), targets);
            assert_eq!(
                world
                    .kube
                    .call(Method::POST, &format!("/apis/chaos-mesh.org/v1alpha1/namespaces/{namespace}/networkchaos"), Some(&object))
                    .0,
                201
            );
        }
        for line in lines {
            heard = heard + "\n" + &line;
            if line.contains(awaited) {
                break;
            }
        }
        let heard = heard.replace(name, "");
        let told: Vec<_> = forbidden.iter().filter(|word| heard.contains(**word)).collect();
        assert!(told.is_empty() && heard.contains(awaited), "{name} is told {told:?}: {heard}");
    }
}
