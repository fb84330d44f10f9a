//! The calls of the Chaos Mesh Grafana plugin and of scripts, held against what a real dashboard answered: the same fields of the same types.
//!
//! Recorded answers are in `tests/fixtures/chaos-mesh-2.8.3/dashboard/`.

use crate::world::{World, about, ago, client, event, experiment, node, now, open, run, schedule, workflow};
use chaoscope::cluster::now::Now;
use chaoscope::serve::api::Limits;
use chaoscope_model::Tool;
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a real dashboard answered.
fn recorded(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/chaos-mesh-2.8.3/dashboard");
    let text = std::fs::read_to_string(folder.join(format!("{name}.http"))).unwrap();
    serde_json::from_str(text.rsplit("\n\n").find(|part| part.trim_start().starts_with(['[', '{'])).unwrap()).unwrap()
}

/// Every field with its type, `list[]` for all of a list's rows together. The contents of `spec` are the experiment's own.
fn shape(value: &Value, at: &str, shape: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(rows) => {
            rows.iter().for_each(|row| self::shape(row, &format!("{at}[]"), shape));
            "list"
        }
        Value::Object(fields) => {
            let inside = fields.iter().filter(|_| !at.ends_with("spec") && !at.ends_with("labels"));
            inside.for_each(|(name, value)| self::shape(value, &format!("{at}.{name}"), shape));
            "object"
        }
    };
    shape.entry(at.to_owned()).or_default().insert(kind);
}

fn shape_of(value: &Value) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut found = BTreeMap::new();
    shape(value, "", &mut found);
    found
}

/// An experiment that runs, one a schedule made, one that is gone (and its schedule with it), a workflow that is done, and their events.
async fn shop() -> World {
    let running = Run { labels: BTreeMap::new(), ..open("cut", 300) };
    let child = Run { parent: Some(about("Schedule", "every-ten")), ..open("child", 200) };
    let gone = Run { parent: Some(about("Schedule", "old-schedule")), ..run("gone", 600) };
    let kernel = Run { tool: Tool::Kernel, ..run("kernel", 100) };
    let cluster = Now {
        at: now(),
        experiments: vec![experiment(&running, "running", None), experiment(&child, "injecting", child.parent.clone())],
        schedules: vec![schedule("every-ten")],
        workflows: vec![workflow("drill")],
        workflow_nodes: vec![
            node("drill", "all-1", "Serial", &["cut-1", "both-1"]),
            node("drill", "both-1", "Parallel", &["kill-1"]),
            node("drill", "cut-1", "NetworkChaos", &[]),
            node("drill", "kill-1", "PodChaos", &[]),
            node("other", "nap-1", "Suspend", &[]),
        ],
        ..Now::default()
    };
    let world = World::with(Limits::default(), cluster);
    let of = |run: &Run, key: &str, seconds, reason: &str| Event { reason: reason.to_owned(), ..event(run, key, seconds) };
    let drill = Run { kind: "Workflow".into(), uid: "uid-drill".into(), name: "drill".into(), ..running.clone() };
    let at_node = Run { kind: "WorkflowNode".into(), uid: "uid-cut-1".into(), name: "cut-1".into(), ..running.clone() };
    let events = vec![
        of(&gone, "last", 580, "FinalizerInited"),
        of(&gone, "first", 600, "FinalizerInited"),
        of(&running, "applied", 290, "Applied"),
        of(&kernel, "seen", 90, "Appeared"),
        Event { run: None, ..of(&drill, "done", 700, "WorkflowAccomplished") },
        Event { run: None, ..of(&at_node, "done", 710, "NodeAccomplished") },
    ];
    world.record(vec![running, child, gone, kernel], events).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_fields_and_types_of_a_real_dashboard() {
    let world = shop().await;
    for (path, name) in [
        ("/api/common/config", "config"),
        ("/api/common/kinds", "kinds"),
        ("/api/common/chaos-available-namespaces", "namespaces"),
        ("/api/common/namespaces", "namespaces"),
        ("/api/events?limit=3", "events"),
        ("/api/events/1", "event"),
        ("/api/experiments", "experiments"),
        ("/api/experiments/uid-cut", "experiment"),
        ("/api/experiments/state", "state"),
        ("/api/schedules", "schedules"),
        ("/api/schedules/uid-every-ten", "schedule"),
        ("/api/workflows", "workflows"),
        ("/api/workflows/uid-drill", "workflow"),
        ("/api/archives", "archives"),
        ("/api/archives/uid-gone", "archive"),
        ("/api/archives/schedules", "archived-schedules"),
    ] {
        let mut expected = shape_of(&recorded(name));
        let mut found = shape_of(&world.get(path).await);
        // What later versions have besides; labels where there are some; the dashboard leaves out what a workflow's own object is.
        for later in [".oidc_security_mode", ".kube_object.metadata.labels", ".kube_object.kind", ".kube_object.apiVersion"] {
            if !expected.contains_key(later) {
                found.remove(later);
            }
        }
        expected.retain(|field, _| found.contains_key(field) || !field.contains("conditional"));
        assert_eq!(found, expected, "{path}");
    }
    let kinds = world.get("/api/common/kinds").await;
    assert_eq!(kinds, recorded("kinds"), "every kind, in the same order");
}

/// What the plugin sends for a panel (all of its query, and the range), for a variable, and as a health check.
#[tokio::test(flavor = "multi_thread")]
async fn the_plugins_calls_are_answered() {
    let world = shop().await;
    let panel = "refId=A&datasource=%7B%22type%22%3A%22chaosmeshorg-datasource%22%7D&object_id=&namespace=shop&name=&kind=NetworkChaos&limit=25\
                 &hide=false&start=2026-11-21T13%3A00%3A00.123Z&end=2026-11-21T14%3A00%3A00.456Z";
    let answer = world.get(&format!("/api/events?{panel}")).await;
    let rows: Vec<_> =
        answer.as_array().unwrap().iter().map(|row| (row["name"].as_str().unwrap(), row["created_at"].as_str().unwrap())).collect();
    let at = |seconds| ago(seconds).to_string();
    assert_eq!(rows, [("cut", at(290).as_str()), ("gone", &at(580)), ("gone", &at(600))], "newest first, of what is gone as well");
    for (query, expected) in [
        ("object_id=uid-gone", 2),
        ("object_id=nobody", 0),
        ("name=gone&kind=NetworkChaos", 2),
        ("kind=%24kind", 0),
        ("namespace=lab", 0),
        ("limit=0", 0),
        ("limit=-1", 5),
        ("limit=null", 5),
        ("start=yesterday&end=tomorrow", 5),
        ("start=2026-11-21T13:50:00Z&end=2026-11-21T13:50:00.9Z", 1),
    ] {
        assert_eq!(world.get(&format!("/api/events?{query}")).await.as_array().unwrap().len(), expected, "{query}");
    }
    assert_eq!(world.get("/api/common/chaos-available-namespaces").await, serde_json::json!(["shop"]));
    for (list, expected) in
        [("experiments", &["child", "cut"][..]), ("schedules", &["every-ten"]), ("workflows", &["drill"]), ("archives", &["gone"])]
    {
        let answer = world.get(&format!("/api/{list}?namespace=shop")).await;
        let names: Vec<_> = answer.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{list}");
        assert_eq!(world.get(&format!("/api/{list}?namespace=lab")).await, serde_json::json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn single_objects_tell_what_is_known_of_them() {
    let world = shop().await;
    let one = world.get("/api/experiments/uid-cut").await;
    let spec = serde_json::json!({"action": "delay", "delay": {"latency": "100ms"}, "duration": "1m"});
    assert_eq!((&one["status"], &one["kube_object"]["spec"]), (&"running".into(), &spec));
    assert_eq!(
        world.get("/api/experiments/state").await,
        serde_json::json!({"injecting": 1, "running": 1, "finished": 0, "paused": 0, "deleting": 0})
    );
    assert_eq!(world.get("/api/schedules/uid-every-ten").await["experiment_uids"], serde_json::json!(["uid-child"]));
    let nodes = world.get("/api/workflows/uid-drill").await["topology"]["nodes"].clone();
    assert_eq!(nodes[0]["serial"], serde_json::json!([{"name": "cut-1", "template": "cut"}, {"name": "both-1", "template": "both"}]));
    assert_eq!(nodes.as_array().unwrap().len(), 4, "those of this workflow");
    let done = world.get("/api/events/workflow/uid-drill").await;
    let reasons: Vec<_> = done.as_array().unwrap().iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["WorkflowAccomplished", "NodeAccomplished"]);
    for event in world.get("/api/events").await.as_array().unwrap() {
        assert_eq!(world.get(&format!("/api/events/{}", event["id"])).await, *event, "a row by its id");
    }
    assert_eq!(world.get("/api/common/labels?podNamespaceList=shop").await, serde_json::json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_as_the_dashboard_says_it() {
    let world = shop().await;
    let kernel = world.get("/api/v1/events?tool=kernel").await;
    assert_eq!(kernel["events"].as_array().unwrap().len(), 1, "it is there, but no dashboard's");
    for (path, code, kind) in [
        ("/api/events?limit=nonsense", 400, "bad_request"),
        ("/api/events/nonsense", 400, "bad_request"),
        ("/api/events/999999", 404, "resource_not_found"),
        ("/api/events/4", 404, "resource_not_found"), // the kernel's
        ("/api/events/workflow/none", 404, "resource_not_found"),
        ("/api/experiments/uid-gone", 404, "resource_not_found"),
        ("/api/schedules/none", 404, "resource_not_found"),
        ("/api/workflows/none", 404, "resource_not_found"),
        ("/api/archives/uid-cut", 404, "resource_not_found"),
        ("/api/archives/workflows/none", 404, "resource_not_found"),
        ("/api/common/labels", 400, "bad_request"),
    ] {
        let (status, media, body) = world.refused(path).await;
        assert_eq!((status, media.as_str(), &body["code"]), (code, "application/json", &code.into()), "{path}");
        assert_eq!(body["type"], format!("error.api.{kind}"), "{path}");
        let message = body["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("error.api.{kind}: ")) && body["full_text"] == message, "{body}");
    }
    let writing = [
        ("PUT", "/api/experiments/uid-cut"),
        ("POST", "/api/experiments"),
        ("DELETE", "/api/archives/uid-gone"),
        ("PUT", "/api/experiments/pause/uid-cut"),
        ("POST", "/api/templates/statuschecks"),
    ];
    for (method, path) in writing {
        let answer = client().request(method.parse().unwrap(), world.url(path)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"GET,HEAD".parse().unwrap()));
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["code"], 405);
    }
    assert_eq!(world.get("/api/templates/statuschecks").await, json!([]));
    assert_eq!(world.get("/api/common/physicalmachine-labels?physicalMachineNamespaceList=shop").await, json!({}));
    assert_eq!(world.refused("/api/templates").await.1, "application/problem+json", "an address nobody here has");
}
