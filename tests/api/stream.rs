//! The stream: what is missed and what comes, going on from a position, clients that do not read, and its ends.

use crate::world::{Heard, Stream, World, client, event, in_time, map, open, run};
use chaoscope::cluster::now::Now;
use chaoscope::serve::api::{End, Limits};
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How many streams ended for this reason.
fn ended(world: &World, reason: End) -> u64 {
    world.api.counts().ended().find(|(end, _)| *end == reason).unwrap().1
}

async fn until(mut done: impl FnMut() -> bool) {
    in_time(async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_its_position_and_tells_what_happens() {
    let world = World::start();
    world.record(vec![run("before", 100)], Vec::new()).await;
    let mut stream = Stream::open(&world, "/api/v1/stream", None).await;
    let (journal, seq) = world.journal.position();
    let id = |seq| Some(format!("{journal}.{seq}"));
    let first = stream.next().await.unwrap();
    assert_eq!(first, Heard { id: id(seq), ..Heard::default() });
    let slow = open("slow", 50);
    world.record(vec![slow.clone()], vec![event(&slow, "applied", 40)]).await;
    let (one, two) = (stream.event().await, stream.event().await);
    let (run, event) = if one.name == "run" { (one, two) } else { (two, one) };
    assert_eq!((run.name.as_str(), &run.data["name"], &run.data["outcome"]), ("run", &"slow".into(), &serde_json::Value::Null));
    assert_eq!((event.name.as_str(), &event.data["reason"], &event.data["run"]), ("event", &"Applied".into(), &slow.id.into()));
    assert_eq!(run.data, world.get(&format!("/api/v1/runs/{}", run.data["id"].as_str().unwrap())).await, "as the run itself");
}

/// A client that leaves and comes again, at any moment, while much is stored: every event exactly once, and of every run its last state.
#[tokio::test(flavor = "multi_thread")]
async fn going_on_from_a_position_has_no_gap_and_no_duplicate_under_load() {
    const RUNS: i64 = 40;
    const ROUNDS: i64 = 50;
    let world = World::start();
    let journal = world.journal.clone();
    let writer = async {
        for round in 0..ROUNDS {
            let runs: Vec<Run> =
                (0..RUNS).map(|at| Run { parameters: map([("round", &round.to_string())]), ..open(&format!("run-{at}"), 100) }).collect();
            let events = runs.iter().map(|run| event(run, &round.to_string(), 90)).collect();
            journal.record(chaoscope::journal::Batch { runs, events, ..Default::default() }).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let reader = async {
        let (mut events, mut rounds, mut last, mut visits) = (BTreeSet::new(), BTreeMap::new(), None::<String>, 0);
        let done = |events: &BTreeSet<String>, rounds: &BTreeMap<String, i64>| {
            events.len() == usize::try_from(RUNS * ROUNDS).unwrap()
                && rounds.len() == 40
                && rounds.values().all(|round| *round == ROUNDS - 1)
        };
        while !done(&events, &rounds) {
            let mut stream = Stream::open(&world, "/api/v1/stream", last.as_deref()).await;
            visits += 1;
            for _ in 0..visits * 7 % 331 {
                if done(&events, &rounds) {
                    break;
                }
                let heard = stream.next().await.unwrap();
                match heard.name.as_str() {
                    "event" => assert!(events.insert(heard.data["key"].to_string()), "twice: {heard:?}"),
                    "run" => {
                        let round = heard.data["parameters"]["round"].as_str().unwrap().parse().unwrap();
                        let before = rounds.insert(heard.data["id"].to_string(), round);
                        assert!(before.is_none_or(|before| before <= round), "a state older than the last one");
                    }
                    "" => {}
                    other => panic!("{other}"),
                }
            }
            last = stream.last;
        }
        visits
    };
    // The reader must have a position before anything is stored.
    let (journal_id, seq) = world.journal.position();
    assert_eq!(seq, 0, "{journal_id}");
    let (visits, ()) = in_time(async {
        tokio::join!(reader, async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            writer.await;
        })
    })
    .await;
    assert!(visits > 5, "{visits} visits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_nobody_knows_answers_reset_and_the_open_runs() {
    let world = World::start();
    world.record(vec![open("one", 50), run("ended", 60), open("two", 40)], Vec::new()).await;
    let (journal, seq) = world.journal.position();
    for last in ["other-journal.1".to_owned(), format!("{journal}.{}", seq + 1), "nonsense".to_owned(), format!("{journal}.")] {
        let mut stream = Stream::open(&world, "/api/v1/stream", Some(&last)).await;
        let reset = stream.next().await.unwrap();
        assert_eq!((reset.name.as_str(), reset.id, &reset.data["journal"]), ("reset", None, &journal.clone().into()), "{last}");
        let open: BTreeSet<_> = [stream.next().await.unwrap(), stream.next().await.unwrap()]
            .map(|run| {
                assert_eq!((run.name.as_str(), &run.id), ("run", &None), "a position would lose the rest");
                run.data["name"].as_str().unwrap().to_owned()
            })
            .into();
        assert_eq!(open, ["one", "two"].map(str::to_owned).into());
        assert_eq!(stream.last, Some(last));
        assert_eq!(stream.next().await.unwrap().id, Some(format!("{journal}.{seq}")));
        assert!(stream.next().await.unwrap().name.is_empty(), "from there it goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_counts_more_than_the_parameter() {
    let world = World::start();
    world.record(vec![run("one", 60)], Vec::new()).await;
    let (journal, seq) = world.journal.position();
    let path = format!("/api/v1/stream?last_event_id={journal}.0");
    assert_eq!(Stream::open(&world, &path, None).await.event().await.data["name"], "one");
    let mut stream = Stream::open(&world, &path, Some(&format!("{journal}.{seq}"))).await;
    assert_eq!(stream.next().await.unwrap().name, "", "nothing was missed");
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_move_past_what_was_not_asked_for() {
    let world = World::with(Limits { heartbeat: Duration::from_millis(50), ..Limits::default() }, Now::default());
    let mut stream = Stream::open(&world, "/api/v1/stream?name=mine&type=Normal", None).await;
    stream.next().await.unwrap();
    world.record((0..20).map(|at| run(&format!("other-{at}"), 60)).collect(), Vec::new()).await;
    let (journal, seq) = world.journal.position();
    while stream.last != Some(format!("{journal}.{seq}")) {
        assert_eq!(stream.next().await.unwrap().name, "");
    }
    world.record(vec![run("mine", 50)], Vec::new()).await;
    assert_eq!(stream.event().await.data["name"], "mine");
}

/// What one client leaves unread fills its own buffers and nobody else's: the other one hears everything, the lazy one is dropped and told why.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_dropped_and_slows_nobody() {
    let world = World::with(Limits { blocked: Duration::from_secs(1), ..Limits::default() }, Now::default());
    let mut lazy = TcpStream::connect(world.address).await.unwrap();
    lazy.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    let mut eager = Stream::open(&world, "/api/v1/stream", None).await;
    until(|| world.api.counts().open() == 2).await;
    let of = open("loud", 50);
    let loud = |at: i64| Event { message: "x".repeat(8 << 10), ..event(&of, &at.to_string(), 40) };
    let mut heard = 0;
    let mut stored = 0;
    while ended(&world, End::Slow) == 0 {
        world.record(Vec::new(), (stored..stored + 100).map(loud).collect()).await;
        stored += 100;
        while heard < stored {
            let next = eager.event().await;
            assert_eq!((next.name.as_str(), &next.data["key"]), ("event", &format!("uid-loud/{heard}").into()));
            heard += 1;
        }
    }
    assert_eq!((world.api.counts().open(), ended(&world, End::Slow)), (1, 1));
    let mut rest = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while !String::from_utf8_lossy(&rest[rest.len().saturating_sub(200)..]).contains("event: end\ndata: {\"reason\":\"slow\"}\n\n") {
        let read = in_time(lazy.read(&mut buffer)).await.unwrap();
        assert!(read > 0, "the reason was not told");
        rest.extend_from_slice(&buffer[..read]);
    }
}

/// One that reads late, but in time: the hub has forgotten what it missed, the journal has not.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_lags_goes_on_from_the_journal() {
    let world = World::start();
    let mut late = Stream::open(&world, "/api/v1/stream", None).await;
    let of = open("loud", 50);
    let mut stored = 0;
    // 24 MB are more than the sockets of both sides hold, 6 000 changes more than the hub does.
    while stored < 6000 {
        let events = (stored..stored + 500).map(|at| Event { message: "x".repeat(4 << 10), ..event(&of, &at.to_string(), 40) });
        world.record(Vec::new(), events.collect()).await;
        stored += 500;
    }
    for at in 0..stored {
        assert_eq!(late.event().await.data["key"], format!("uid-loud/{at}"));
    }
    assert!(world.api.counts().caught_up() > 0, "it was to lag");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_so_many_and_room_again_when_one_leaves() {
    let world = World::with(Limits { streams: 2, ..Limits::default() }, Now::default());
    let one = Stream::open(&world, "/api/v1/stream", None).await;
    let _two = Stream::open(&world, "/api/v1/stream", None).await;
    let answer = client().get(world.url("/api/v1/stream")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(world.api.counts().refused(), 1);
    drop(one);
    until(|| ended(&world, End::Left) == 1).await;
    Stream::open(&world, "/api/v1/stream", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_why_it_ends() {
    let world = World::start();
    let mut stream = Stream::open(&world, "/api/v1/stream", None).await;
    stream.next().await.unwrap();
    world.closing.cancel();
    let end = stream.next().await.unwrap();
    assert_eq!((end.name.as_str(), &end.data["reason"]), ("end", &"stopping".into()));
    assert_eq!(stream.next().await, None);
    let world = World::with(Limits { longest: Duration::from_millis(300), ..Limits::default() }, Now::default());
    let mut stream = Stream::open(&world, "/api/v1/stream", None).await;
    assert_eq!(stream.event().await.data["reason"], "aged");
}
