//! What is to come, over HTTP: what is told of it, what is asked for, and what cannot be. And the report beside it.

use crate::world::{World, plans};
use chaoscope::cluster::now::Now;
use chaoscope::serve::api::Limits;
use serde_json::{Value, json};

/// It is 14:00 UTC, and they were made ten minutes ago.
fn world() -> World {
    let schedules = [
        ("cut", "@every 40m", "NetworkChaos"),
        ("often", "CRON_TZ=Europe/Berlin 15 15 * * *", "PodChaos"),
        ("drill", "CRON_TZ=UTC 0 9 1 12 *", "Workflow"),
        ("nightly", "0 3 * * *", "PodChaos"),
    ];
    World::planned(Limits::default(), Now::default(), plans(&schedules))
}

fn told(answer: &Value) -> Vec<String> {
    let due = |due: &Value| format!("{} {}", due["at"].as_str().unwrap(), due["schedule"].as_str().unwrap());
    answer["upcoming"].as_array().unwrap().iter().map(due).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_due_is_told_with_what_is_known_of_it() {
    let world = world();
    let answer = world.get("/api/v1/upcoming?to=2026-11-21T14:30:00Z").await;
    let cut = json!({
        "at": "2026-11-21T14:30:00Z", "tool": "chaos-mesh", "cluster": "prod", "kind": "NetworkChaos", "action": "delay",
        "namespace": "shop", "schedule": "cut", "expected_end_at": "2026-11-21T14:31:30Z", "concurrency": "Forbid", "counted_from": "last_child",
    });
    let often = json!({
        "at": "2026-11-21T14:15:00Z", "tool": "chaos-mesh", "cluster": "prod", "kind": "PodChaos", "action": "",
        "namespace": "shop", "schedule": "often", "expected_end_at": null, "concurrency": "Forbid", "counted_from": "calendar",
    });
    let nightly = json!({
        "tool": "chaos-mesh", "cluster": "prod", "kind": "PodChaos", "namespace": "shop", "schedule": "nightly", "reason": "time_zone",
    });
    assert_eq!(answer, json!({ "upcoming": [often, cut], "unknown": [nightly], "truncated": false }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_answered_and_no_more() {
    let world = world();
    let get = async |query: &str| world.get(&format!("/api/v1/upcoming?{query}")).await;
    assert_eq!(told(&get("limit=1000").await).len(), 36 + 1, "a day of one, and one of the other");
    let first = get("limit=2").await;
    assert_eq!(told(&first), ["2026-11-21T14:15:00Z often", "2026-11-21T14:30:00Z cut"]);
    assert_eq!(first["truncated"], true);
    assert_eq!(told(&get("from=2026-11-21T15:10:00Z&to=2026-11-21T15:10:00Z").await), ["2026-11-21T15:10:00Z cut"]);
    assert_eq!(told(&get("kind=Workflow").await).len(), 0);
    assert_eq!(told(&get("kind=Workflow&to=2026-12-22T14:00:00Z").await), ["2026-12-01T09:00:00Z drill"]);
    assert_eq!(told(&get("name=o*&name=~dr.*&namespace=shop&cluster=prod&tool=chaos-mesh&from=0").await), ["2026-11-21T14:15:00Z often"]);
    let others = get("name=!nightly&kind=!NetworkChaos&namespace=!shop").await;
    assert_eq!(others, json!({ "upcoming": [], "unknown": [], "truncated": false }));
    let empty = World::start().get("/api/v1/upcoming").await;
    assert_eq!(empty, others, "where there are no schedules nothing is to come");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_a_problem() {
    let world = world();
    for (query, parameter, detail) in [
        ("target_namespace=shop", "target_namespace", "allowed are from, to, limit, tool, cluster, kind, namespace, name"),
        ("phase=running", "phase", "allowed are"),
        ("to=2026-12-22T14:00:01Z", "to", "too far ahead"),
        ("to=2026-11-21T13:00:00Z", "from", "is after"),
        ("limit=0", "limit", "1 to 1000"),
        ("limit=1&limit=2", "limit", "only once"),
        ("name=~(", "name", "regular expression"),
    ] {
        let (status, kind, problem) = world.refused(&format!("/api/v1/upcoming?{query}")).await;
        assert_eq!((status, kind.as_str(), &problem["parameter"]), (400, "application/problem+json", &json!(parameter)), "{query}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{query}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_a_route_like_the_others() {
    let world = World::start();
    let report = world.get("/api/v1/doctor").await;
    assert_eq!((&report["role"], &report["at"]), (&json!("cluster"), &json!("2026-11-21T14:00:00Z")));
    let answer = crate::world::client().delete(world.url("/api/v1/doctor")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (405, &"application/problem+json".parse().unwrap()));
    assert_eq!(answer.headers()["allow"], "GET,HEAD");
    assert_eq!(answer.headers()["cache-control"], "no-store");
}
