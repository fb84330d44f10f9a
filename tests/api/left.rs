//! The stream, for who keeps runs: one that does not pass the filter any more is said to have left, and one that never did is not.

use crate::world::{Heard, Stream, World, map, open, run, target};
use chaoscope_model::run::{Phase, Run, Target};
use serde_json::json;

async fn begun(world: &World, filter: &str) -> Stream {
    let mut stream = Stream::open(world, &format!("/api/v1/stream?{filter}"), None).await;
    assert_eq!(stream.next().await.unwrap().name, "");
    stream
}

fn is_left(heard: &Heard, run: &Run) -> bool {
    heard.name == "left" && heard.id.is_some() && heard.data == json!({ "id": run.id })
}

/// A run of which somebody asks for what it is at first.
fn first() -> Run {
    let targets = vec![Target { message: "no qdisc".into(), node: String::new(), workload: String::new(), ..target("shop", "web-0") }];
    Run { phase: Phase::Injecting, targets, ..open("one", 50) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_changes_so_that_it_does_not_pass_has_left() {
    let of = |pod: Target| Run { targets: vec![pod], ..first() };
    let known = || Target { message: "no qdisc".into(), ..target("shop", "web-0") };
    for (filter, after) in [
        ("phase=injecting&phase=running", run("one", 50)),
        ("phase=!running", open("one", 50)),
        ("outcome=", run("one", 50)),
        ("outcome=!recovered", run("one", 50)),
        ("label=team%3Da", Run { labels: map([("team", "b")]), ..first() }),
        ("text=QDISC", of(Target { message: String::new(), ..known() })),
        ("text=!timeout", of(Target { message: "timeout".into(), ..known() })),
        ("text=100ms", Run { parameters: map([("delay.latency", "200ms")]), ..first() }),
        ("target_node=!node-1", of(known())),
        ("target_pod=web-0&target_workload=!web", of(known())),
    ] {
        let world = World::start();
        let mut stream = begun(&world, filter).await;
        let before = stream.last.clone();
        world.record(vec![first()], Vec::new()).await;
        assert_eq!(stream.event().await.data["name"], "one", "{filter}");
        world.record(vec![after.clone()], Vec::new()).await;
        let heard = stream.event().await;
        assert!(is_left(&heard, &after), "{filter}: {heard:?}");
        // Nobody has to remember what was sent.
        for position in [before, Some(format!("{}.1", world.journal.position().0))] {
            let mut again = Stream::open(&world, &format!("/api/v1/stream?{filter}"), position.as_deref()).await;
            assert_eq!(again.next().await.unwrap(), heard, "{filter}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_comes_back_is_told_again() {
    let world = World::start();
    let mut stream = begun(&world, "phase=running").await;
    for phase in [Phase::Injecting, Phase::Running, Phase::Injecting, Phase::Running] {
        let run = Run { phase, ..open("one", 50) };
        world.record(vec![run.clone()], Vec::new()).await;
        let heard = stream.event().await;
        assert_eq!(is_left(&heard, &run), phase == Phase::Injecting, "{heard:?}");
        assert_eq!(heard.name == "run", phase == Phase::Running);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_never_passed_is_not_spoken_of() {
    let world = World::start();
    for filter in
        ["name=mine", "kind=!NetworkChaos", "namespace=lab", "cluster=other", "target_pod=web-9", "target_node=node-9", "tool=krkn"]
    {
        let mut stream = begun(&world, &format!("{filter}&phase=running&outcome=!forced")).await;
        let seen = stream.last.clone();
        world.record(vec![open("other", 50)], Vec::new()).await;
        world.record(vec![run("other", 50)], Vec::new()).await;
        let elsewhere = Run { kind: "IOChaos".into(), namespace: "lab".into(), cluster: "other".into(), ..open("mine", 10) };
        let mine = Run {
            tool: chaoscope_model::Tool::Krkn,
            targets: vec![Target { node: "node-9".into(), ..target("shop", "web-9") }],
            parameters: map([("of", filter)]),
            ..elsewhere
        };
        world.record(vec![mine.clone()], Vec::new()).await;
        let heard = stream.event().await;
        assert_eq!((heard.name.as_str(), &heard.data["name"]), ("run", &"mine".into()), "{filter}");
        let mut again = Stream::open(&world, &format!("/api/v1/stream?{filter}&phase=running"), seen.as_deref()).await;
        assert_eq!(again.event().await.data["name"], "mine", "{filter}: nor after a pause");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_to_forget_everything_is_told_of_no_run_that_left() {
    let world = World::start();
    world.record(vec![open("one", 50), Run { phase: Phase::Injecting, ..open("two", 40) }], Vec::new()).await;
    let mut stream = Stream::open(&world, "/api/v1/stream?phase=injecting", Some("other.1")).await;
    let heard = [stream.event().await, stream.event().await];
    assert_eq!((heard[0].name.as_str(), heard[1].name.as_str(), &heard[1].data["name"]), ("reset", "run", &"two".into()));
    assert_eq!(stream.next().await.unwrap().name, "", "the position");
}
