//! Runs and events as lists: every parameter, pages, one run, what is refused, and query strings nobody would write.

use crate::world::{World, ago, client, event, now, open, run, target};
use chaoscope_model::Tool;
use chaoscope_model::event::{Event, Severity};
use chaoscope_model::run::{Outcome, Phase, Run, Target};
use serde_json::Value;
use std::collections::BTreeSet;

/// Values of a field of the rows of a list, in their order.
fn names<'a>(answer: &'a Value, list: &str, field: &str) -> Vec<&'a str> {
    answer[list].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap()).collect()
}

/// One of everything a parameter can tell apart.
async fn several() -> World {
    let world = World::start();
    let other = Target { node: "node-2".into(), workload: "db".into(), ..target("lab", "db-0") };
    let runs = vec![
        run("one", 600),
        Run { tool: Tool::Krkn, cluster: "test".into(), kind: "drop".into(), namespace: "lab".into(), targets: vec![other], ..run("two", 500) },
        Run { phase: Phase::Injecting, labels: [("team".to_owned(), "b".to_owned())].into(), ..open("three", 400) },
        Run { outcome: Some(Outcome::Forced), ..run("four", 7000) },
        open("five", 7200),
    ];
    let failed = Event { severity: Severity::Warning, reason: "Failed".into(), message: "no qdisc".into(), ..event(&runs[0], "failed", 590) };
    let events = vec![event(&runs[0], "applied", 599), failed, event(&runs[3], "applied", 6900)];
    world.record(runs, events).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn every_parameter_says_which_runs() {
    let world = several().await;
    for (query, expected) in [
        ("", &["three", "two", "one", "five"][..]),
        ("from=2026-11-21T12:00:00Z", &["three", "two", "one", "four", "five"]),
        ("from=0&to=2026-11-21T12:00:00Z", &["five"]),
        ("from=1795262400000&to=1795262400000", &["five"]),
        ("limit=2", &["three", "two"]),
        ("tool=krkn", &["two"]),
        ("cluster=test", &["two"]),
        ("kind=Network*", &["three", "one", "five"]),
        ("namespace=lab", &["two"]),
        ("namespace=!lab", &["three", "one", "five"]),
        ("name=one&name=two", &["two", "one"]),
        ("name=~t.%2B", &["three", "two"]),
        ("phase=finished", &["two", "one"]),
        ("phase=stuck", &["three"]),
        ("phase=overdue", &["three", "five"]),
        ("outcome=", &["three", "five"]),
        ("outcome=forced&from=0", &["four"]),
        ("target_namespace=lab", &["two"]),
        ("target_pod=web-0&name=one", &["one"]),
        ("target_node=node-2", &["two"]),
        ("target_workload=db", &["two"]),
        ("target_namespace=lab&target_pod=web-0", &[]),
        ("label=team=b", &["three"]),
        ("text=DB-0", &["two"]),
        ("reason=anything", &["three", "two", "one", "five"]),
    ] {
        let answer = world.get(&format!("/api/v1/runs?{query}")).await;
        assert_eq!(names(&answer, "runs", "name"), expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_parameter_says_which_events() {
    let world = several().await;
    for (query, expected) in [
        ("", &["uid-one/failed", "uid-one/applied"][..]),
        ("from=0", &["uid-one/failed", "uid-one/applied", "uid-four/applied"]),
        ("reason=Failed", &["uid-one/failed"]),
        ("type=Warning", &["uid-one/failed"]),
        ("text=QDISC", &["uid-one/failed"]),
        ("outcome=forced&from=0", &["uid-four/applied"]),
        ("label=team=a&limit=1", &["uid-one/failed"]),
        ("target_node=node-1&target_pod=web-0", &["uid-one/failed", "uid-one/applied"]),
        ("target_node=node-2", &[]),
        ("name=nobody", &[]),
    ] {
        let answer = world.get(&format!("/api/v1/events?{query}")).await;
        assert_eq!(names(&answer, "events", "key"), expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_is_answered_bare_with_what_depends_on_the_present() {
    let world = several().await;
    let id = Run { phase: Phase::Injecting, ..open("three", 400) }.id;
    let answer = world.get(&format!("/api/v1/runs/{id}")).await;
    assert_eq!((&answer["name"], &answer["stuck_since"]), (&"three".into(), &ago(400).to_string().into()));
    assert_eq!(answer["overdue_since"], ago(391).to_string());
    let list = world.get("/api/v1/runs?name=three").await;
    assert_eq!(list["runs"][0], answer);
    assert_eq!(list["next"], Value::Null);
    for path in ["/api/v1/runs/none", "/api/v1/runs/%FF", "/api/v1/runs/", "/api/v1/runs/a/b", "/api/v1", "/api", "/api/v2/runs"] {
        let (status, kind, problem) = world.refused(path).await;
        assert_eq!((status, kind.as_str()), (404, "application/problem+json"), "{path}");
        assert_eq!((&problem["type"], &problem["title"], &problem["status"]), (&"about:blank".into(), &"Not Found".into(), &404.into()));
        assert_eq!(problem["instance"], path);
    }
    assert_eq!(world.refused(&format!("/api/v1/runs/{id}?x=1")).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_parameter_is_a_problem_that_says_what_is_allowed() {
    let world = World::start();
    for path in ["/api/v1/runs?nmae=x", "/api/v1/events?limit=0", "/api/v1/stream?from=0", "/api/v1/runs?cursor=x", "/api/v1/runs?phase=gone"] {
        let (status, kind, problem) = world.refused(path).await;
        assert_eq!((status, kind.as_str(), &problem["title"]), (400, "application/problem+json", &"Bad Request".into()), "{path}");
        let parameter = path.split(['?', '=']).nth(1).unwrap();
        assert_eq!((&problem["parameter"], &problem["instance"]), (&parameter.into(), &path.split('?').next().unwrap().into()));
        assert!(problem["detail"].as_str().unwrap().len() > 20, "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_is_all_there_is() {
    let world = several().await;
    let paths = ["/api/v1/runs", "/api/v1/runs/x", "/api/v1/events", "/api/v1/stream", "/api/v1/openapi.json"];
    for (path, method) in paths.iter().flat_map(|path| ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"].map(|method| (path, method))) {
        let answer = client().request(method.parse().unwrap(), world.url(path)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"GET,HEAD".parse().unwrap()), "{method} {path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "no other origin is let in");
    }
    for path in ["/api/v1/runs", "/api/v1/events", "/api/v1/openapi.json", "/api/v1/nothing"] {
        let [got, head] = [client().get(world.url(path)), client().head(world.url(path))].map(reqwest::RequestBuilder::send);
        let (got, head) = (got.await.unwrap(), head.await.unwrap());
        assert_eq!(got.headers()["cache-control"], "no-store", "{path}");
        assert_eq!((got.status(), &got.headers()["content-type"]), (head.status(), &head.headers()["content-type"]));
        assert_eq!(head.text().await.unwrap(), "");
    }
    assert_eq!(client().head(world.url("/api/v1/stream")).send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_are_compressed_where_that_is_taken() {
    let world = World::start();
    world.record((0..50).map(|at| run(&format!("run-{at}"), 100 + at)).collect(), Vec::new()).await;
    let ask = |encoding: &'static str| client().get(world.url("/api/v1/runs")).header("Accept-Encoding", encoding).send();
    let (plain, packed) = (ask("identity").await.unwrap(), ask("gzip").await.unwrap());
    assert!(!plain.headers().contains_key("content-encoding"));
    assert_eq!((&packed.headers()["content-encoding"], &packed.headers()["vary"]), (&"gzip".parse().unwrap(), &"Accept-Encoding".parse().unwrap()));
    let mut unpacked = Vec::new();
    let packed = packed.bytes().await.unwrap();
    std::io::copy(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.bytes().await.unwrap());
    assert!(packed.len() * 5 < unpacked.len());
}

/// Rows are stored before, behind and between those that were answered, and everything that was there from the beginning to the end is
/// answered exactly once.
#[tokio::test(flavor = "multi_thread")]
async fn paging_loses_and_repeats_nothing_while_rows_are_stored() {
    let world = World::start();
    // Many begin in the same second: the place of a page is not its time alone.
    let first: Vec<_> = (0..300).map(|at| run(&format!("first-{at}"), 1000 + at / 7)).collect();
    let events = first.iter().map(|run| event(run, "applied", 900)).collect();
    world.record(first.clone(), events).await;
    for (list, field, expected) in [("runs", "id", first.iter().map(|run| run.id.clone())), ] {
        let expected: BTreeSet<String> = expected.collect();
        page_through(&world, list, field, &expected).await;
    }
    page_through(&world, "events", "key", &first.iter().map(|run| format!("{}/applied", run.uid)).collect()).await;
}

async fn page_through(world: &World, list: &str, field: &str, expected: &BTreeSet<String>) {
    let (mut seen, mut cursor, mut page) = (Vec::new(), String::new(), 0);
    loop {
        let answer = world.get(&format!("/api/v1/{list}?limit=17{cursor}")).await;
        seen.extend(names(&answer, list, field).into_iter().map(str::to_owned));
        let Some(next) = answer["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
        page += 1;
        let later = |name: &str, at| run(&format!("{list}-{name}-{page}"), at);
        let runs = vec![later("new", 10), later("between", 1000 + page), later("old", 3000)];
        let events = runs.iter().zip([5, 900, 2900]).map(|(run, at)| event(run, "later", at)).collect();
        world.record(runs, events).await;
    }
    assert!(page > 15, "{page} pages");
    let once: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!(once.len(), seen.len(), "something came twice");
    assert!(expected.is_subset(&once), "lost: {:?}", expected.difference(&once));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_query_string_gets_an_answer_or_a_problem() {
    const PARTS: [&str; 40] = [
        "from", "to", "limit", "cursor", "tool", "kind", "name", "phase", "outcome", "label", "text", "type", "target_pod", "last_event_id", "start",
        "end", "object_id", "=", "=", "=", "&", "&", "~", "!", "*", "(", ")", "[", "{9}", "%", "%00", "%FF", "%C3%A4", "+", "-1", "99999999999999999999",
        "2026-11-21T14:00:00Z", "null", "\\", "running",
    ];
    let world = several().await;
    let paths = ["runs", "events", "runs/x"].map(|path| format!("/api/v1/{path}"));
    let shaped = ["events", "experiments", "archives", "schedules", "workflows", "common/labels"].map(|path| format!("/api/{path}"));
    let paths: Vec<_> = paths.into_iter().chain(shaped).collect();
    let (client, mut state) = (client(), 0x2545_f491_4f6c_dd1d_u64);
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let (mut good, mut bad) = (0, 0);
    for _ in 0..1500 {
        let query: String = (0..random(9)).map(|_| PARTS[random(PARTS.len())]).collect();
        let url = world.url(&format!("{}?{query}", paths[random(paths.len())]));
        let answer = client.get(&url).send().await.unwrap();
        let (status, kind) = (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap().to_owned());
        assert!(matches!(status, 200 | 400 | 404), "{url}: {status}");
        assert!(kind == "application/json" || status != 200 && kind == "application/problem+json", "{url}: {kind}");
        let _: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        if status == 200 { good += 1 } else { bad += 1 }
    }
    assert!(good > 100 && bad > 100, "{good} and {bad}");
    assert_eq!(now(), ago(0));
}
