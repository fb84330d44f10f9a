//! Requests: wrong, large, many, given up.

use crate::BINARY;
use crate::grafana_host::{Host, context, question};
use crate::origin::{Origin, Reply};
use crate::process::until;
use serde_json::{Value, json};

const NOW: i64 = 1_795_255_200_000; // 2026-11-21T10:00:00Z

fn runs() -> Value {
    json!({ "queryType": "runs", "filters": {} })
}

/// Chaoscope with nothing in its journal.
fn empty(_: &str) -> Reply {
    Reply::Json(200, "{\"runs\":[],\"next\":null}".to_owned())
}

#[test]
#[ignore = "needs Go: run by make test"]
fn one_bad_query_leaves_its_neighbours_alone() {
    let origin = Origin::start(empty);
    let host = Host::start(BINARY, &[]);
    let mut malformed = question("B", &Value::Null, NOW);
    malformed["raw"] = "{\"queryType\": ".into();
    let mut timeless = question("E", &runs(), NOW);
    timeless["to"] = i64::MAX.into();
    let queries = [
        question("A", &runs(), NOW),
        malformed,
        question("C", &json!([1, "two"]), NOW),
        question("D", &json!({ "queryType": "runs", "filters": { "name": ["~("] } }), NOW),
        timeless,
        question("F", &json!({ "queryType": "runs", "filters": { "namespace": ["$namespace"] } }), NOW),
        question("G", &runs(), NOW),
    ];
    let answer = host.call("query", json!({ "context": context(&origin.url), "queries": queries }));
    for good in ["A", "G"] {
        assert_eq!((&answer[good]["status"], &answer[good]["error"]), (&json!(200), &json!("")), "{good}: {answer}");
        let fields = answer[good]["frames"][0]["schema"]["fields"].as_array();
        assert!(fields.is_some_and(|it| !it.is_empty()), "a frame without rows keeps its fields: {answer}");
    }
    for bad in ["B", "C", "D", "E", "F"] {
        assert_eq!(answer[bad]["status"], 400, "{bad}: {answer}");
        assert_ne!(answer[bad]["error"], "", "{bad}: {answer}");
    }
}

/// Two panels with the same question are one request, and all of it is counted.
#[test]
#[ignore = "needs Go: run by make test"]
fn what_is_asked_is_counted() {
    let origin = Origin::start(empty);
    let host = Host::start(BINARY, &[]);
    let queries = ["A", "B"].map(|it| question(it, &runs(), NOW));
    host.call("query", json!({ "context": context(&origin.url), "queries": queries }));
    let metrics = host.call("metrics", json!({}));
    for line in [
        "chaoscope_datasource_queries_total{ask=\"runs\",outcome=\"ok\"} 2",
        "chaoscope_datasource_origin_requests_total{outcome=\"ok\"} 1",
        "chaoscope_datasource_cache_lookups_total{result=\"miss\"} 1",
    ] {
        assert!(metrics.as_str().unwrap().lines().any(|it| it == line), "{line} is not in\n{metrics}");
    }
}

#[test]
#[ignore = "needs Go: run by make test"]
fn nobody_is_refused_for_a_role() {
    let origin = Origin::start(empty);
    let host = Host::start(BINARY, &[]);
    let user = |role: &str| json!({ "login": "a", "role": role });
    for user in [Value::Null, user("None"), user(""), user("Admin"), user("Emperor")] {
        let mut context = context(&origin.url);
        context["user"] = user.clone();
        let answer = host.call("query", json!({ "context": context, "queries": [question("A", &runs(), NOW)] }));
        assert_eq!(answer["A"]["status"], 200, "{user}: {answer}");
        let health = host.call("health", json!({ "context": context }));
        assert!(!health["message"].as_str().unwrap().contains("role"), "{user}: {health}");
    }
}

#[test]
#[ignore = "needs Go: run by make test"]
fn what_an_origin_refuses_keeps_its_status() {
    let host = Host::start(BINARY, &[]);
    for (status, wanted) in [(401, 401), (403, 403), (429, 429), (500, 502)] {
        let origin = Origin::start(move |_| Reply::Json(status, "{\"error\":\"no\"}".to_owned()));
        let mut context = context(&origin.url);
        context["uid"] = format!("status-{status}").into();
        let answer = host.call("query", json!({ "context": context, "queries": [question("A", &runs(), NOW)] }));
        assert_eq!(answer["A"]["status"], wanted, "{status}: {answer}");
        assert_eq!(answer["A"]["frames"], json!([]));
    }
    // Nobody listens there.
    let answer = host.call("query", json!({ "context": context("http://127.0.0.1:1"), "queries": [question("A", &runs(), NOW)] }));
    assert_eq!(answer["A"]["status"], 502, "{answer}");
}

/// Grafana's own SDK takes 16 MiB; tonic alone takes 4.
#[test]
#[ignore = "needs Go: run by make test"]
fn large_requests_are_taken_and_larger_ones_refused() {
    let host = Host::start(BINARY, &[]);
    let request = |bytes: usize| {
        let query = question("A", &json!({ "queryType": "runs", "filler": "x".repeat(bytes) }), NOW);
        host.try_call("query", json!({ "context": { "noSettings": true }, "queries": [query] }))
    };
    let answer = request((16 << 20) - 1000).unwrap();
    assert_eq!(answer["A"]["status"], 400, "{answer}");
    let refused = request(16 << 20).unwrap_err();
    assert!(refused.contains("OutOfRange") || refused.contains("ResourceExhausted"), "{refused}");
    host.call("ping", json!({}));
}

#[test]
#[ignore = "needs Go: run by make test"]
fn many_queries_of_one_request_are_all_answered() {
    let host = Host::start(BINARY, &[]);
    let queries: Vec<_> = (0..1000).map(|it| question(&format!("Q{it}"), &runs(), NOW)).collect();
    let answer = host.call("query", json!({ "context": { "noSettings": true }, "queries": queries }));
    assert_eq!(answer.as_object().unwrap().len(), 1000);
}

#[test]
#[ignore = "needs Go: run by make test"]
fn what_the_host_gives_up_stops_at_the_origin() {
    // A viewer who leaves, and an alert rule that is out of time.
    for (how, wanted) in [("cancel", "Canceled"), ("deadline", "DeadlineExceeded")] {
        let origin = Origin::start(|_| Reply::Silence);
        let host = Host::start(BINARY, &[]);
        let mut query = json!({ "context": context(&origin.url), "queries": [question("A", &runs(), NOW)] });
        query[how] = 1500.into();
        let asked = host.ask("query", query);
        until(|| (!origin.seen.lock().unwrap().requests.is_empty()).then_some(()), || "the origin is asked".to_owned());
        let answer = asked.recv().unwrap();
        assert!(answer["error"].as_str().is_some_and(|it| it.contains(wanted)), "{how}: {answer}");
        until(|| (origin.seen.lock().unwrap().gone > 0).then_some(()), || format!("it hangs up: {:?}", origin.seen));
        until(
            || host.call("metrics", json!({})).as_str()?.contains("ask=\"runs\",outcome=\"cancelled\"} 1").then_some(()),
            || "the query is counted as cancelled".to_owned(),
        );
    }
}

/// The end does not wait for an origin that never answers.
#[test]
#[ignore = "needs Go: run by make test"]
fn it_ends_while_a_query_hangs() {
    let origin = Origin::start(|_| Reply::Silence);
    let host = Host::start(BINARY, &[]);
    let asked = host.ask("query", json!({ "context": context(&origin.url), "queries": [question("A", &runs(), NOW)] }));
    until(|| (!origin.seen.lock().unwrap().requests.is_empty()).then_some(()), || "the origin is asked".to_owned());
    let stopped = host.call("stop", json!({}));
    assert_eq!((&stopped["graceful"], &stopped["code"]), (&json!(true), &json!(0)), "{stopped}");
    assert!(asked.recv().unwrap()["error"].is_string());
}
