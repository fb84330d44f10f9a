//! One datasource, asked as panels ask it.

use super::*;
use crate::origin::http::scripted::{Say, Scripted};
use crate::query::{Pairs, Window};
use crate::settings::{Given, Secret};
use std::time::Duration;

fn settings(url: &str, json: &str) -> Settings {
    let secrets = [("token", Secret::from("hunter2-hunter2".to_owned()))].into();
    Settings::parse(&Given { url, basic_auth: None, json: json.as_bytes(), secrets }).unwrap()
}

fn query(ask: Ask, filter: &[(&str, &str)]) -> Query {
    let window = Window { from: "2026-11-21T13:00:00Z".parse().unwrap(), to: "2026-11-21T14:00:00Z".parse().unwrap() };
    let filter: Pairs = filter.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
    let question = Question { window, filter, limit: 100 };
    Query { ref_id: "A".to_owned(), ask, question, interval: Duration::from_secs(1), max_points: 100, stream: false, notices: Vec::new() }
}

fn page(runs: &[(&str, &str)]) -> String {
    let runs: Vec<_> = runs.iter().map(|(namespace, name)| crate::origin::tests_run(namespace, name)).collect();
    serde_json::json!({"runs": runs, "next": null}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_panels_of_one_range_are_one_question_upstream() {
    let server = Scripted::start(|_| Say::Late(Duration::from_millis(50), Box::new(Say::json(200, page(&[("shop", "a")]))))).await;
    let instance = Arc::new(Instance::new(settings(&server.url(), "")).unwrap());
    let panels: Vec<_> = (0..50)
        .map(|panel| {
            let instance = Arc::clone(&instance);
            let mut query = query(Ask::Runs, &[]);
            query.question.window.to += jiff::SignedDuration::from_millis(panel);
            tokio::spawn(async move { instance.data(&query, &Identity::default()).await })
        })
        .collect();
    for panel in panels {
        let Data::Runs(found) = panel.await.unwrap().unwrap() else { panic!() };
        assert_eq!(found.items.len(), 1);
    }
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn an_editor_cannot_widen_what_is_fixed_even_if_the_origin_answers_more() {
    let server = Scripted::start(|_| Say::json(200, page(&[("shop", "a"), ("lab", "b")]))).await;
    let instance = Instance::new(settings(&server.url(), r#"{"filters":{"namespace":["shop"]}}"#)).unwrap();
    let names = async |filter: &[(&str, &str)]| {
        let Data::Runs(found) = instance.data(&query(Ask::Runs, filter), &Identity::default()).await.unwrap() else { panic!() };
        found.items.iter().map(|run| run.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]).await, ["a"]);
    assert_eq!(names(&[("namespace", "~.*")]).await, ["a"]);
    assert_eq!(names(&[("namespace", "lab"), ("namespace", "shop")]).await, ["a"]);
    let before = server.count();
    assert!(names(&[("namespace", "lab")]).await.is_empty());
    assert_eq!(server.count(), before, "nothing can pass, so nothing is asked");
    assert!(server.asked().iter().all(|asked| asked.target.contains("namespace=shop") && !asked.target.contains("lab")));
}

#[tokio::test]
async fn pages_are_asked_for_until_the_limit() {
    let server = Scripted::start(|asked| {
        let next = if asked.target.contains("cursor=c2") {
            "null"
        } else if asked.target.contains("cursor=c1") {
            "\"c2\""
        } else {
            "\"c1\""
        };
        Say::json(200, page(&[("shop", "a"), ("shop", "b")]).replace("\"next\":null", &format!("\"next\":{next}")))
    })
    .await;
    let instance = Instance::new(settings(&server.url(), "")).unwrap();
    for (limit, items, cut, asked) in [(100, 6, false, 3), (4, 4, true, 2), (3, 3, true, 2), (6, 6, false, 3)] {
        let before = server.count();
        let mut query = query(Ask::Runs, &[]);
        query.question.limit = limit;
        let Data::Runs(found) = instance.data(&query, &Identity::default()).await.unwrap() else { panic!() };
        assert_eq!((found.items.len(), found.cut, server.count() - before), (items, cut, asked), "{limit}");
    }
}

#[tokio::test]
async fn identity_goes_along_only_where_it_shall_and_parts_the_cache() {
    let server = Scripted::start(|_| Say::json(200, page(&[]))).await;
    let who = |name: &str| Identity {
        headers: vec![
            ("Authorization".to_owned(), format!("Bearer {name}")),
            ("cookie".to_owned(), "session=s; other=o".to_owned()),
            ("x-else".to_owned(), "e".to_owned()),
        ],
    };
    let plain = Instance::new(settings(&server.url(), "")).unwrap();
    for name in ["anna", "bert"] {
        plain.data(&query(Ask::Runs, &[]), &who(name)).await.unwrap();
    }
    assert_eq!(server.count(), 1, "all share what the datasource's token sees");
    assert!(!server.asked()[0].headers.contains_key("cookie") && server.asked()[0].headers["authorization"].contains("hunter2"));
    let forwarding = Instance::new(settings(&server.url(), r#"{"oauthPassThru":true,"keepCookies":["session"]}"#)).unwrap();
    for name in ["anna", "bert"] {
        forwarding.data(&query(Ask::Runs, &[]), &who(name)).await.unwrap();
    }
    let asked = server.asked();
    assert_eq!(
        (asked.len(), asked[1].headers["authorization"].as_str(), asked[2].headers["authorization"].as_str()),
        (3, "Bearer anna", "Bearer bert")
    );
    assert!(asked[1].headers["cookie"] == "session=s" && !asked[1].headers.contains_key("x-else"));
}

#[tokio::test]
async fn what_is_to_come_is_extra() {
    let server =
        Scripted::start(
            |asked| if asked.target.starts_with("/api/v1/runs") { Say::json(200, page(&[("shop", "a")])) } else { Say::json(500, "") },
        )
        .await;
    let instance = Instance::new(settings(&server.url(), "")).unwrap();
    let mut query = query(Ask::Annotations { upcoming: true, topic: false }, &[]);
    query.question.window.to = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let Data::RunsAndUpcoming(runs, due) = instance.data(&query, &Identity::default()).await.unwrap() else { panic!() };
    assert!(runs.items.len() == 1 && due.items.is_empty() && due.notices[0].contains("(500)"));
}

#[tokio::test]
async fn what_is_to_come_is_asked_filtered_and_told() {
    let due = |at: Timestamp, schedule: &str| {
        format!(
            r#"{{"at":"{at}","cluster":"","kind":"PodChaos","namespace":"shop","schedule":"{schedule}","action":"","concurrency":"Forbid"}}"#
        )
    };
    let soon = Timestamp::now() + jiff::SignedDuration::from_mins(5);
    let later = soon + jiff::SignedDuration::from_mins(5);
    let body = format!(
        r#"{{"upcoming":[{},{}],"unknown":[{{"namespace":"shop","schedule":"odd","reason":"time_zone"}}],"truncated":false}}"#,
        due(soon, "a"),
        due(later, "b")
    );
    let server = Scripted::start(move |_| Say::json(200, body.clone())).await;
    let instance = Instance::new(settings(&server.url(), "")).unwrap();
    let mut query = query(Ask::Upcoming, &[("kind", "PodChaos"), ("phase", "running")]);
    query.question.window.to = later + jiff::SignedDuration::from_hours(9000);
    let Data::Upcoming(found) = instance.data(&query, &Identity::default()).await.unwrap() else { panic!() };
    assert_eq!(found.items.iter().map(|due| due.schedule.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert!(found.notices[0].starts_with("What is due after "), "{:?}", found.notices);
    assert!(found.notices[1].contains("shop/odd (time_zone)"), "{:?}", found.notices);
    let frames = instance.shown(&query, &instance.data(&query, &Identity::default()).await.unwrap());
    assert!(!frames[0].meta["notices"].to_string().contains("ends now"));
    query.question.window.to = Timestamp::now();
    let frames = instance.shown(&query, &instance.data(&query, &Identity::default()).await.unwrap());
    assert!(frames[0].meta["notices"].to_string().contains("ends now"), "{:?}", frames[0].meta);
    let target = &server.asked()[0].target;
    assert!(target.contains("kind=PodChaos") && !target.contains("phase"), "{target}");
}

#[test]
fn a_change_makes_a_new_instance_and_nothing_else_does() {
    let all = Instances::default();
    let get = |org, uid, updated| all.get(org, uid, updated, || Ok(settings("http://h", ""))).unwrap();
    let first = get(1, "u", 10);
    assert!(Arc::ptr_eq(&first, &get(1, "u", 10)));
    assert!(!Arc::ptr_eq(&first, &get(2, "u", 10)) && !Arc::ptr_eq(&first, &get(1, "v", 10)));
    let changed = get(1, "u", 11);
    assert!(!Arc::ptr_eq(&first, &changed) && Arc::ptr_eq(&changed, &get(1, "u", 11)));
    let error = all.get(1, "w", 1, || Err("URL: empty".to_owned())).err().unwrap();
    assert_eq!((error.to_string().as_str(), error.remedy()), ("URL: empty", "Change it in the datasource's settings."));
}

#[tokio::test]
async fn save_and_test_says_what_it_found() {
    let server = Scripted::start(|asked| match asked.target.split('?').next().unwrap_or("") {
        "/api/v1/runs" => Say::json(200, page(&[("shop", "a"), ("lab", "b")])),
        _ => Say::json(200, r#"{"info":{"title":"Chaoscope","version":"0.1.0"}}"#),
    })
    .await;
    let health = Instance::new(settings(&server.url(), "")).unwrap().check(&Identity::default()).await;
    assert!(health.ok, "{health:?}");
    assert_eq!(health.message, "Chaoscope 0.1.0 answers: 2 runs in the last 24 h, 2 of them open.");
    assert!(health.details.contains(&"Seen with these credentials: namespaces lab, shop.".to_owned()), "{health:?}");

    let instance = Instance::new(settings(&server.url(), r#"{"cluster":"prod"}"#)).unwrap();
    let health = instance.check(&Identity::default()).await;
    assert!(health.message.contains(" 0 runs ") && health.details[0].starts_with("There are runs, and none passes"), "{health:?}");

    let server = Scripted::start(|asked| match asked.target.as_str() {
        "/api/common/config" => Say::json(200, r#"{"security_mode":true,"version":"v2.8.3"}"#),
        _ => Say::page(404, "404 page not found"),
    })
    .await;
    let health = Instance::new(settings(&server.url(), "")).unwrap().check(&Identity::default()).await;
    assert!(
        !health.ok && health.message.contains("is a Chaos Dashboard v2.8.3") && health.details == ["Choose Chaos Dashboard as origin."],
        "{health:?}"
    );

    let server = Scripted::start(|asked| match asked.target.as_str() {
        "/api/v1/openapi.json" => Say::json(200, r#"{"info":{"title":"Chaoscope","version":"0.1.0"}}"#),
        _ => Say::json(404, ""),
    })
    .await;
    let health = Instance::new(settings(&server.url(), r#"{"origin":"dashboard"}"#)).unwrap().check(&Identity::default()).await;
    assert!(!health.ok && health.message.contains("is a Chaoscope") && health.details == ["Choose Chaoscope as origin."], "{health:?}");
}

#[tokio::test]
async fn a_limit_does_not_lose_what_widening_pushed_out() {
    let server = Scripted::start(|asked| {
        let exact = asked.target.contains("to=2026-11-21T13%3A59%3A59Z");
        let (at, next) = if exact { ("13:59:00", "null") } else { ("14:00:00", "\"c\"") };
        Say::json(200, page(&[("shop", "a")]).replace("14:00:00", at).replace("\"next\":null", &format!("\"next\":{next}")))
    })
    .await;
    let instance = Instance::new(settings(&server.url(), "")).unwrap();
    let mut query = query(Ask::Runs, &[]);
    (query.question.limit, query.question.window.to) = (1, "2026-11-21T13:59:59Z".parse().unwrap());
    for _ in 0..2 {
        let Data::Runs(found) = instance.data(&query, &Identity::default()).await.unwrap() else { panic!() };
        assert_eq!((found.items.len(), found.cut), (1, false));
    }
    assert_eq!(server.count(), 2, "the widened one, and this window's own");
}
