//! The stream, told by the clock: an open run becomes stuck or overdue, though nothing is stored then.

use crate::world::{Heard, Stream, World, ago, open, run};
use chaoscope::journal::Batch;
use chaoscope_model::run::{Phase, Run};
use std::collections::BTreeSet;

/// A run that injects since so many seconds, without an end.
fn injecting(name: &str, seconds: i64) -> Run {
    Run { phase: Phase::Injecting, injected_at: None, expected_end_at: None, ..open(name, seconds) }
}

/// A run that is meant to go on.
fn endless(name: &str) -> Run {
    Run { expected_end_at: None, ..open(name, 20) }
}

/// A stream that has begun.
async fn begun(world: &World, path: &str) -> Stream {
    let mut stream = Stream::open(world, path, None).await;
    assert_eq!(stream.next().await.unwrap().name, "");
    stream
}

fn name(heard: &Heard) -> (&str, &str) {
    (&heard.name, heard.data["name"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_when_it_becomes_stuck() {
    let world = World::start();
    let slow = injecting("slow", 100);
    world.record(vec![slow.clone()], Vec::new()).await;
    let (mut all, mut stuck) = (begun(&world, "/api/v1/stream").await, begun(&world, "/api/v1/stream?phase=stuck").await);
    let (mut calm, mut other) =
        (begun(&world, "/api/v1/stream?phase=!stuck").await, begun(&world, "/api/v1/stream?phase=stuck&name=x*").await);
    world.later(200); // 300 s are not yet too long
    world.record(vec![endless("between")], Vec::new()).await;
    assert_eq!(name(&all.event().await), ("run", "between"));
    assert_eq!(stuck.event().await.name, "left");
    assert_eq!(name(&calm.event().await), ("run", "between"));
    world.later(1);
    let whole = world.get(&format!("/api/v1/runs/{}", slow.id)).await;
    assert!(whole["stuck_since"].is_string());
    for stream in [&mut all, &mut stuck] {
        let position = stream.last.clone();
        assert_eq!(stream.event().await, Heard { name: "run".into(), id: None, data: whole.clone() });
        assert_eq!(stream.last, position, "nothing was stored");
    }
    assert_eq!(calm.event().await, Heard { name: "left".into(), id: None, data: serde_json::json!({ "id": slow.id }) });
    world.record(vec![injecting("x-1", 400)], Vec::new()).await;
    assert_eq!(name(&other.event().await), ("run", "x-1"), "who asked for others hears nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_turns_twice_when_it_is_stuck_and_then_overdue() {
    let world = World::start();
    let mut stream = begun(&world, "/api/v1/stream").await;
    let both = Run { expected_end_at: Some(ago(-500)), ..injecting("both", 0) };
    let late = Run { expected_end_at: Some(ago(50)), ..open("late", 100) };
    world.record(vec![both, late], Vec::new()).await;
    stream.event().await;
    stream.event().await;
    let since = |heard: &Heard| ["stuck_since", "overdue_since"].map(|field| heard.data[field].is_string());
    for (seconds, wanted, turned) in [(71, "late", [false, true]), (230, "both", [true, false]), (320, "both", [true, true])] {
        world.later(seconds);
        let heard = stream.event().await;
        assert_eq!((name(&heard), &heard.id, since(&heard)), (("run", wanted), &None, turned));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_or_never_was_does_not_turn() {
    let world = World::start();
    let never = injecting("never", 100);
    world.record(vec![injecting("ends", 100), never.clone(), injecting("stays", 99)], Vec::new()).await;
    let mut stream = begun(&world, "/api/v1/stream").await;
    world.journal.record(Batch { withdrawn: vec![never.id], ..Batch::default() }).await.unwrap();
    let anew = [stream.event().await, stream.event().await, stream.event().await];
    assert_eq!(anew.each_ref().map(name), [("reset", ""), ("run", "ends"), ("run", "stays")]);
    world.record(vec![run("ends", 100)], Vec::new()).await;
    assert_eq!(name(&stream.event().await), ("run", "ends"));
    world.later(500);
    assert_eq!(name(&stream.event().await), ("run", "stays"));
    world.record(vec![run("last", 100)], Vec::new()).await;
    assert_eq!(name(&stream.event().await), ("run", "last"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_learns_what_turned_meanwhile() {
    let world = World::start();
    let (stuck, late) = (injecting("stuck", 100), Run { expected_end_at: Some(ago(0)), ..open("late", 100) });
    world.record(vec![stuck.clone(), endless("fine"), late.clone()], Vec::new()).await;
    let mut stream = begun(&world, "/api/v1/stream").await;
    world.record(vec![endless("last")], Vec::new()).await;
    assert_eq!(name(&stream.event().await), ("run", "last"));
    let position = stream.last.clone().unwrap();
    drop(stream);
    world.later(201);
    let heard = |path: &'static str| {
        let (world, position, stuck) = (&world, position.clone(), stuck.id.clone());
        async move {
            let mut stream = Stream::open(world, path, Some(&position)).await;
            let mut told = Vec::new();
            loop {
                let heard = stream.next().await.unwrap();
                if heard.name.is_empty() {
                    assert_eq!(heard.id, Some(position), "and then where it is");
                    told.sort_by_key(|(_, id)| *id != stuck);
                    return told;
                }
                assert_eq!(heard.id, None);
                told.push((heard.name.clone(), heard.data["id"].as_str().unwrap().to_owned()));
            }
        }
    };
    let is = |name: &str, run: &Run| (name.to_owned(), run.id.clone());
    assert_eq!(heard("/api/v1/stream").await, [is("run", &stuck), is("run", &late)]);
    assert_eq!(heard("/api/v1/stream?phase=overdue").await, [is("left", &stuck), is("run", &late)]);
    assert_eq!(heard("/api/v1/stream?phase=!stuck&name=s*").await, [is("left", &stuck)]);
    assert_eq!(heard("/api/v1/stream?phase=stuck&kind=IOChaos").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_that_turn_at_once_are_each_told_once() {
    const RUNS: usize = 1000;
    let world = World::start();
    let runs = |from: usize| (from..from + RUNS / 2).map(|at| injecting(&format!("run-{at}"), 100)).collect();
    world.record(runs(0), Vec::new()).await;
    let mut streams = [begun(&world, "/api/v1/stream?phase=stuck").await, begun(&world, "/api/v1/stream?phase=stuck").await];
    world.record(runs(RUNS / 2), Vec::new()).await;
    for stream in &mut streams {
        for _ in 0..RUNS / 2 {
            assert_eq!(stream.event().await.name, "left", "not yet");
        }
    }
    world.later(201);
    for stream in &mut streams {
        let mut told = BTreeSet::new();
        for _ in 0..RUNS {
            let heard = stream.event().await;
            assert!(heard.name == "run" && heard.id.is_none() && heard.data["stuck_since"].is_string(), "{heard:?}");
            assert!(told.insert(heard.data["id"].to_string()), "twice: {heard:?}");
        }
    }
    world.record(vec![injecting("last", 400)], Vec::new()).await;
    for stream in &mut streams {
        assert_eq!(name(&stream.event().await), ("run", "last"));
    }
}
