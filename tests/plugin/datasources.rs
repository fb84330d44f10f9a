//! What belongs to one datasource: its settings, on whose behalf it asks, and what its editors get.

use crate::BINARY;
use crate::grafana_host::{Host, context, question};
use crate::origin::{Origin, Reply};
use serde_json::{Value, json};

const NOW: i64 = 1_795_255_200_000; // 2026-11-21T10:00:00Z

/// Chaoscope with one run in its journal.
fn one(_: &str) -> Reply {
    let run = json!({
        "id": "6b1c52a7-9d0e-5f63-8e21-c5d470a93b18", "tool": "chaos-mesh", "cluster": "", "kind": "NetworkChaos", "action": "delay",
        "namespace": "shop", "name": "slow", "uid": "u", "ordinal": 1, "phase": "finished", "outcome": "recovered", "started_at": "2026-11-21T09:30:00Z",
        "ended_at": "2026-11-21T09:40:00Z", "baseline": false, "precision": {}, "parameters": {}, "labels": {}, "targets": [],
    });
    Reply::Json(200, json!({ "runs": [run], "next": null }).to_string())
}

fn requests(origin: &Origin) -> Vec<String> {
    origin.seen.lock().unwrap().requests.clone()
}

fn ask(host: &Host, context: &Value, headers: &Value) -> Value {
    let queries = [question("A", &json!({ "queryType": "runs", "filters": {} }), NOW)];
    host.call("query", json!({ "context": context, "headers": headers, "queries": queries }))["A"].take()
}

#[test]
#[ignore = "needs Go: run by make test"]
fn changed_settings_hold_from_the_next_request_on() {
    let (first, second) = (Origin::start(one), Origin::start(one));
    let host = Host::start(BINARY, &[]);
    let mut context = context(&first.url);
    assert_eq!(ask(&host, &context, &json!({}))["status"], 200);
    // Another organisation's datasource with the same uid is another one.
    context["url"] = second.url.clone().into();
    context["org"] = 2.into();
    ask(&host, &context, &json!({}));
    assert_eq!((requests(&first).len(), requests(&second).len()), (1, 1));
    context["org"] = 1.into();
    context["updated"] = 2.into();
    ask(&host, &context, &json!({}));
    assert_eq!((requests(&first).len(), requests(&second).len()), (1, 2));
}

#[test]
#[ignore = "needs Go: run by make test"]
fn wrong_settings_are_said_where_they_matter() {
    let host = Host::start(BINARY, &[]);
    for (url, json) in [("", "{}"), ("http://h", "[]"), ("http://h", "{\"timeout\": -1}"), ("ftp://h", "{}")] {
        let mut context = context(url);
        context["uid"] = format!("{url}{json}").into();
        context["json"] = serde_json::from_str(json).unwrap();
        let answer = ask(&host, &context, &json!({}));
        assert_eq!(answer["status"], 400, "{url} {json}: {answer}");
        let health = host.call("health", json!({ "context": context }));
        assert_eq!(health["status"], "ERROR", "{url} {json}: {health}");
        assert!(answer["error"].as_str().unwrap().starts_with(health["message"].as_str().unwrap()), "{answer} {health}");
    }
}

#[test]
#[ignore = "needs Go: run by make test"]
fn a_viewers_identity_goes_along_where_settings_want_it() {
    let origin = Origin::start(one);
    let host = Host::start(BINARY, &[]);
    let headers = json!({ "Authorization": "Bearer viewer", "X-ID-Token": "token", "http_X-Dashboard-Uid": "d" });
    for (uid, json, goes) in [("a", json!({}), false), ("b", json!({ "oauthPassThru": true }), true)] {
        let mut context = context(&origin.url);
        (context["uid"], context["json"]) = (uid.into(), json);
        ask(&host, &context, &headers);
        let asked = requests(&origin).pop().unwrap().to_lowercase();
        assert_eq!(asked.contains("authorization: bearer viewer"), goes, "{asked}");
        assert_eq!(asked.contains("x-id-token: token"), goes, "{asked}");
        assert!(!asked.contains("dashboard-uid"), "{asked}");
    }
}

#[test]
#[ignore = "needs Go: run by make test"]
fn editors_get_values_and_previews() {
    let origin = Origin::start(one);
    let host = Host::start(BINARY, &[]);
    let call = |method: &str, url: &str, body: &Value| {
        let path = url.split('?').next();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut answer =
            host.call("resource", json!({ "context": context(&origin.url), "method": method, "path": path, "url": url, "body": body }));
        assert_eq!(answer["status"], 200, "{url}: {answer}");
        answer["body"].take()
    };
    let range = format!("from={}&to={NOW}", NOW - 3_600_000);
    let values = call("GET", &format!("tag-values?key=namespace&{range}"), &Value::Null);
    assert_eq!(values, json!([{ "text": "shop" }]));
    let values = call("POST", &format!("values?{range}"), &json!({ "list": "field:kind", "filters": { "namespace": ["shop"] } }));
    assert_eq!(values["values"], json!(["NetworkChaos"]));
    assert_eq!(call("GET", &format!("values?list=kinds&{range}"), &Value::Null)["values"], json!(["NetworkChaos"]));
    let preview = call("POST", &format!("preview?{range}"), &json!({ "queryType": "runs", "filters": {} }));
    assert_eq!((&preview["total"], preview["rows"].as_array().map(Vec::len)), (&json!(1), Some(1)), "{preview}");
}
