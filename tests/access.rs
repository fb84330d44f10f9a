//! Who sees what when Kubernetes is asked: the two reviews, by a real API server, with the manifests' own rights.
//!
//! The rules alone are tested beside the code (`serve/access/sight`).

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(clippy::disallowed_methods, clippy::panic, clippy::unwrap_used, reason = "a missing part is a failed test")]

#[path = "access/http.rs"]
mod http;
#[path = "cluster/program.rs"]
mod program;
#[path = "access/scoped.rs"]
mod scoped;
#[path = "access/secrecy.rs"]
mod secrecy;
#[path = "access/world.rs"]
mod world;

mod kit;

use axum::http::HeaderMap;
use chaoscope::serve::access::{Access, Denied, Viewer};
use chaoscope::tools::chaos_mesh::kinds::RESOURCES;
use chaoscope_model::run::Run;
use kit::kube::objects::chaos;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Barrier;
use std::thread;
use world::{AUDIENCE, STATIC, World, bearer, event, run};

/// What a caller sees of `runs`, as `name: targets`.
fn sees(viewer: &Viewer, runs: &[Run]) -> Vec<String> {
    let seen = runs.iter().filter_map(|run| viewer.see(run));
    let told = seen.map(|run| format!("{}: {}", run.name, run.targets.iter().map(|it| it.id.as_str()).collect::<Vec<_>>().join(" ")));
    let told = told.collect();
    assert_eq!(viewer.complete(), Ok(()));
    told
}

fn status(answer: Result<Viewer, Denied>) -> u16 {
    answer.err().map_or(200, |denied| denied.status().as_u16())
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn a_caller_sees_what_it_could_list_itself() {
    let world = World::new();
    let access = world.access();
    let runs = [run("team-a", "split", &["shop/web-0", "bank/db-0"]), run("team-b", "slow", &["bank/db-1"]), run("team-b", "none", &[])];
    let of = |name: &str, rights: &[&str]| sees(&world.viewer(&access, &world.caller(name, rights)).unwrap(), &runs);

    assert!(of("nobody", &[]).is_empty());
    assert_eq!(of("all", &["networkchaos"]), ["split: shop/web-0 bank/db-0", "slow: bank/db-1", "none: "]);
    assert_eq!(of("team-a", &["networkchaos@team-a"]), ["split: shop/web-0 bank/db-0"]);
    assert_eq!(of("shop", &["pods@shop"]), ["split: shop/web-0"]);
    assert_eq!(of("bank", &["pods@bank"]), ["split: bank/db-0", "slow: bank/db-1"]);
    assert_eq!(of("team-b-and-shop", &["networkchaos@team-b", "pods@shop"]), ["split: shop/web-0", "slow: bank/db-1", "none: "]);
    assert_eq!(of("pods", &["pods"]), ["split: shop/web-0 bank/db-0", "slow: bank/db-1"]);
    let abroad = [Run { cluster: "other".to_owned(), ..run("team-a", "abroad", &["shop/web-0"]) }];
    assert!(sees(&world.viewer(&access, &world.token("team-a", "shop", Some(AUDIENCE), None)).unwrap(), &abroad).is_empty());
    assert!(of("other-kind", &["schedules", "podchaos@team-a"]).is_empty());
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn events_are_seen_with_their_run_and_their_target() {
    let world = World::new();
    let access = world.access();
    let run = run("team-a", "split", &["shop/web-0", "bank/db-0"]);
    let of = |name: &str, rights: &[&str]| {
        let viewer = world.viewer(&access, &world.caller(name, rights)).unwrap();
        ["/", "shop/web-0", "bank/db-0"].map(|target| viewer.sees_event(&event(&run, target), Some(&run)))
    };
    assert_eq!(of("team-a", &["networkchaos@team-a"]), [true, true, true]);
    assert_eq!(of("shop", &["pods@shop"]), [false, true, false], "what is about no target may name any");
    assert_eq!(of("both", &["pods@shop", "pods@bank"]), [true, true, true]);
    assert_eq!(of("team-b", &["networkchaos@team-b"]), [false, false, false]);
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn only_a_token_in_force_that_is_meant_for_chaoscope_is_taken() {
    let world = World::new();
    let access = world.access();
    let of = |token: &str| status(world.viewer(&access, token));
    let account = world.account("team-a", "reader");

    assert_eq!(of(&world.token("team-a", "reader", Some(AUDIENCE), None)), 200);
    assert_eq!(of(&world.signed(&account, 3600)), 200, "what this test signs is as good");
    assert_eq!(of(&world.signed(&account, -60)), 401, "expired");
    assert_eq!(of(&world.token("team-a", "reader", None, None)), 401, "meant for the API server");
    assert_eq!(of(&world.token("team-a", "reader", Some("vault"), None)), 401, "meant for somebody else");
    assert_eq!(of(STATIC), 401, "one without an audience");
    for unknown in ["x", "a.b.c", "e30.e30.e30"] {
        assert_eq!(of(unknown), 401, "{unknown}");
    }
    let denied = world.wait(access.viewer(&HeaderMap::new())).err().unwrap();
    assert_eq!((denied.status().as_u16(), denied.challenge().is_some()), (401, true));
    assert!(denied.detail().contains("--audience=chaoscope"), "{denied}");
    assert_eq!(world.reviews().0, 9, "without a token nobody is asked");
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn a_token_that_ends_within_the_minute_is_asked_about_again() {
    let world = World::new();
    let access = world.access();
    let account = world.account("team-a", "reader");
    // Ended by its own word; the API server gives a minute of grace for clocks that differ, and ten seconds from its own memory.
    let token = world.signed(&account, -55);
    assert_eq!(status(world.viewer(&access, &token)), 200);
    kit::process::until(
        || (status(world.viewer(&access, &token)) == 401).then_some(()),
        || "the token that ended is refused, though a yes is believed for a minute".to_owned(),
    );
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn a_withdrawn_token_ends_a_stream_when_it_is_looked_at_again() {
    let world = World::new();
    world.account("team-a", "reader");
    let secret = world.kube.create(&json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s", "namespace": "team-a" } }));
    let token = world.token("team-a", "reader", Some(AUDIENCE), Some(&secret));
    let viewer = world.viewer(&world.access(), &token).unwrap();
    assert!(world.wait(viewer.renewed()).is_ok());
    assert_eq!(world.reviews().0, 1, "looking again is no new question within a minute");
    world.kube.delete(&secret);
    kit::process::until(
        || (status(world.viewer(&world.access(), &token)) == 401).then_some(()), // each time with an empty memory
        || "a bound token ends with its secret".to_owned(),
    );
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn many_requests_are_few_reviews() {
    let world = World::new();
    let access = world.access();
    let token = world.caller("shop", &["pods@shop"]);
    let runs: Vec<_> = (0..50).map(|number| run("team-a", &format!("run-{number}"), &["shop/web-0", "bank/db-0"])).collect();
    at_once(32, || {
        let viewer = world.viewer(&access, &token).unwrap();
        assert_eq!(sees(&viewer, &runs).len(), 50);
    });
    let asked = "networkchaos everywhere and in team-a, pods everywhere, in shop and in bank";
    assert_eq!(world.reviews(), (1, 5), "one of the token, and {asked}");

    let everywhere = world.caller("all", &["networkchaos"]);
    let spread: Vec<_> = (0..50).map(|number| run(&format!("team-{number}"), "x", &[])).collect();
    at_once(32, || assert_eq!(sees(&world.viewer(&access, &everywhere).unwrap(), &spread).len(), 50));
    assert_eq!(world.reviews(), (2, 6), "one answer serves all namespaces");
    for asked in world.requests("subjectaccessreviews") {
        let attributes = &asked["spec"]["resourceAttributes"];
        assert_eq!(attributes["verb"], "list", "{asked}");
        assert!(asked["spec"]["user"].as_str().unwrap().starts_with("system:serviceaccount:team-a:"), "{asked}");
        assert!(asked["spec"]["groups"].as_array().unwrap().contains(&json!("system:serviceaccounts:team-a")), "{asked}");
    }
}

/// Runs `what` on so many threads that all begin together.
fn at_once(threads: usize, what: impl Fn() + Sync) {
    let begin = Barrier::new(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                begin.wait();
                what();
            });
        }
    });
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn an_api_server_that_is_down_is_503_and_never_a_yes() {
    let world = World::new();
    let access = world.access();
    let all = world.caller("all", &["networkchaos"]);
    let known = world.viewer(&access, &all).unwrap();
    let other = world.token("team-a", "all", Some(AUDIENCE), None);
    world.kube.kill();

    let denied = world.viewer(&access, &other).err().unwrap();
    assert_eq!((denied.status().as_u16(), denied.challenge()), (503, None));
    assert!(denied.detail().contains("API server"), "{denied}");
    assert_eq!(known.see(&run("team-a", "split", &[])), None, "it could not be asked");
    assert_eq!(known.complete().err().map(|denied| denied.status().as_u16()), Some(503), "and that is told");

    world.kube.restart();
    kit::process::until(|| (status(world.viewer(&access, &other)) == 200).then_some(()), || "asked again".to_owned());
    let viewer = world.viewer(&access, &all).unwrap();
    kit::process::until(
        || {
            let viewer = world.wait(viewer.renewed()).unwrap();
            let seen = viewer.see(&run("team-a", "split", &[]));
            viewer.complete().is_ok().then(|| assert!(seen.is_some()))
        },
        || "rights are asked again".to_owned(),
    );
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn without_the_reviews_the_remedy_is_named() {
    let world = World::without_rights();
    let access = world.access();
    let token = world.caller("all", &["networkchaos"]);
    let denied = world.viewer(&access, &token).err().unwrap();
    assert_eq!(denied.status().as_u16(), 503);
    assert!(denied.detail().contains("manifests/base/reviews.yaml"), "{denied}");
    world.grant();
    kit::process::until(|| (status(world.viewer(&access, &token)) == 200).then_some(()), || "the reviews are enough".to_owned());
    assert_eq!(sees(&world.viewer(&access, &token).unwrap(), &[run("team-b", "slow", &[])]), ["slow: "]);
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn a_right_that_is_given_or_taken_shows_soon() {
    let world = World::new();
    let access = world.access();
    let token = world.caller("late", &[]);
    let runs = [run("team-b", "slow", &[])];
    assert!(sees(&world.viewer(&access, &token).unwrap(), &runs).is_empty());
    world.allow("late", "late-right", "networkchaos", Some("team-b"));
    kit::process::until(
        || (!sees(&world.viewer(&access, &token).unwrap(), &runs).is_empty()).then_some(()),
        || "a no is believed for a short while only".to_owned(),
    );
}

/// A thread that is neither of the runtime nor blocking: `see` must answer from anywhere.
#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn looking_needs_no_certain_thread() {
    let world = World::new();
    let access: Access = world.access();
    let token = world.caller("all", &["networkchaos"]);
    let run = run("team-a", "split", &[]);
    let seen = world.wait(async {
        let viewer = access.viewer(&bearer(&token)).await.unwrap();
        tokio::task::spawn_blocking(move || viewer.see(&run)).await.unwrap()
    });
    assert!(seen.is_some());
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn the_base_role_is_enough_to_look_and_for_nothing_else() {
    let world = World::without_rights();
    world.kube.define_all();
    let token = world.grant_base();
    let status = |method: Method, path: &str, body: &Value| world.kube.call_as(&token, method, path, Some(body)).0;
    for resource in &RESOURCES {
        let path = resource.path("");
        kit::process::until(|| (status(Method::GET, &path, &Value::Null) == 200).then_some(()), || format!("{resource} may be listed"));
    }
    assert_eq!(status(Method::GET, "/api/v1/pods", &Value::Null), 200);
    for path in ["/api/v1/secrets", "/api/v1/configmaps", "/api/v1/nodes"] {
        assert_eq!(status(Method::GET, path, &Value::Null), 403, "{path}");
    }
    let experiment = chaos("NetworkChaos", "team-a", "x");
    assert_eq!(status(Method::POST, "/apis/chaos-mesh.org/v1alpha1/namespaces/team-a/networkchaos", &experiment), 403);
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": { "token": "x" } });
    assert_eq!(status(Method::POST, "/apis/authentication.k8s.io/v1/tokenreviews", &review), 403);
}
