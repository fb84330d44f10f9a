//! Live panels through a real host: channels, who may watch them, what comes, and how long the upstream stream is open.

use crate::BINARY;
use crate::grafana_host::{Host, column, context, rows};
use crate::origin::{Feed, Origin, Reply};
use crate::process::{finish, until};
use crate::replay::Replay;
use crate::viewer::{Viewer, ask, path, streamed, subscribe};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// A Chaoscope whose journal a test writes.
struct Scripted {
    origin: Origin,
    feed: Arc<Feed>,
    runs: Arc<Mutex<Vec<Value>>>,
}

impl Scripted {
    fn start() -> Self {
        let (feed, runs) = (Arc::new(Feed::default()), Arc::new(Mutex::new(Vec::new())));
        let (stream, journal) = (feed.clone(), runs.clone());
        let origin = Origin::start(move |head| match head.split([' ', '?']).nth(1) {
            Some("/api/v1/stream") => Reply::Stream(stream.clone()),
            Some("/api/v1/runs") => Reply::Json(200, json!({ "runs": *journal.lock().unwrap(), "next": null }).to_string()),
            Some("/api/v1/events") => Reply::Json(200, json!({ "events": [], "next": null }).to_string()),
            Some("/api/v1/upcoming") => Reply::Json(200, json!({ "upcoming": [], "unknown": [], "truncated": false }).to_string()),
            _ => Reply::Json(404, "{}".to_owned()),
        });
        Self { origin, feed, runs }
    }

    /// A run begins, and nobody is told.
    fn begins(&self, name: &str) -> Value {
        let run = run(name, "shop");
        self.runs.lock().unwrap().insert(0, run.clone());
        run
    }

    /// A run begins, and the stream says so.
    fn tells(&self, name: &str) {
        self.feed.tell("run", &self.begins(name).to_string());
    }

    fn context(&self) -> Value {
        context(&self.origin.url)
    }
}

fn run(name: &str, namespace: &str) -> Value {
    json!({
        "id": format!("id-{name}"), "tool": "chaos-mesh", "cluster": "", "kind": "NetworkChaos", "action": "delay", "namespace": namespace,
        "name": name, "uid": format!("uid-{name}"), "ordinal": 1, "phase": "running", "outcome": null,
        "started_at": Timestamp::now() - SignedDuration::from_secs(60), "ended_at": null, "baseline": false, "precision": {},
        "parameters": {}, "labels": {}, "targets": [],
    })
}

fn runs() -> Value {
    json!({ "queryType": "runs", "filters": {} })
}

fn names(frame: &Value) -> Vec<Value> {
    column(frame, "name")
}

fn has(frame: &Value, name: &str) -> bool {
    names(frame).contains(&name.into())
}

/// A path written by hand.
pub fn by_hand(topic: &Value) -> String {
    format!("q/{}", URL_SAFE_NO_PAD.encode(topic.to_string()))
}

#[test]
#[ignore = "needs Go: run by make test"]
fn a_panel_is_kept_current() {
    let world = Scripted::start();
    world.begins("first");
    let host = Host::start(BINARY, &[]);
    let answer = ask(&host, &world.context(), &streamed(&runs()));
    let path = path(&host, &world.context(), &runs());
    assert_eq!(subscribe(&host, &world.context(), &path), "OK");
    let mut viewer = Viewer::of(&host, &world.context(), &path);
    let first = viewer.next();
    assert_eq!(names(&first), ["first"]);
    assert_eq!(first["schema"]["fields"], answer["frames"][0]["schema"]["fields"], "the whole frame, with every column as it was answered");
    world.tells("second");
    let told = viewer.until("the second run", |frame| has(frame, "second")).pop().unwrap();
    assert_eq!(names(&told), ["second", "first"]);
    assert_eq!(told["schema"]["fields"], first["schema"]["fields"], "each packet is whole");
}

/// What has one table is streamed, whatever it is; the rest says why it is not.
#[test]
#[ignore = "needs Go: run by make test"]
fn every_kind_of_query_with_one_table_has_a_channel() {
    let world = Scripted::start();
    world.begins("first");
    let host = Host::start(BINARY, &[]);
    for (kind, more, wanted) in [
        ("events", json!({}), "time"),
        ("logs", json!({}), "body"),
        ("active", json!({ "form": "instant" }), "active"),
        ("active", json!({ "form": "series" }), "active"),
        ("targets", json!({}), "target_pod"),
        ("annotations", json!({ "upcoming": true }), "title"),
        ("upcoming", json!({}), "at"),
    ] {
        let mut query = more;
        (query["queryType"], query["filters"]) = (kind.into(), json!({}));
        let path = path(&host, &world.context(), &query);
        assert_eq!(subscribe(&host, &world.context(), &path), "OK", "{query}");
        column(&Viewer::of(&host, &world.context(), &path).next(), wanted);
    }
    let mut past = streamed(&runs());
    (past["from"], past["to"]) = (0.into(), 3_600_000.into());
    for query in [streamed(&json!({ "queryType": "timeline", "filters": {} })), past] {
        let meta = ask(&host, &world.context(), &query)["frames"][0]["schema"]["meta"].take();
        assert!(meta["channel"].is_null() && meta["notices"][0]["text"].as_str().unwrap().starts_with("Not live"), "{meta}");
    }
}

#[test]
#[ignore = "needs Go: run by make test"]
fn only_who_may_is_let_in() {
    let world = Scripted::start();
    let host = Host::start(BINARY, &[]);
    // Too long for a path: known by a number.
    let many: Vec<_> = (0..50).map(|at| format!("experiment-{at}")).collect();
    let long = path(&host, &world.context(), &json!({ "queryType": "runs", "filters": { "name": many } }));
    assert!(long.starts_with("h/"), "{long}");
    assert_eq!(subscribe(&host, &world.context(), &long), "OK");
    let (mut org, mut uid, mut forwards, mut none) = (world.context(), world.context(), world.context(), world.context());
    org["org"] = 2.into();
    uid["uid"] = "other".into();
    none["url"] = "".into();
    none["uid"] = "none".into();
    (forwards["uid"], forwards["json"]) = ("forwards".into(), json!({ "oauthPassThru": true }));
    assert_eq!(subscribe(&host, &org, &long), "NOT_FOUND");
    assert_eq!(subscribe(&host, &uid, &long), "NOT_FOUND");
    let short = path(&host, &world.context(), &runs());
    assert_eq!(subscribe(&host, &forwards, &short), "PERMISSION_DENIED");
    assert_eq!(subscribe(&host, &none, &short), "NOT_FOUND", "a datasource whose settings are wrong has no channels");
    assert_eq!(subscribe(&host, &json!({ "noSettings": true }), &short), "NOT_FOUND");
    let ended = host.call("run", json!({ "context": forwards, "path": short }));
    assert!(ended["packets"] == json!([]) && ended["end"].as_str().unwrap().contains("PermissionDenied"), "{ended}");
    let meta = ask(&host, &forwards, &streamed(&runs()))["frames"][0]["schema"]["meta"].take();
    assert!(meta["channel"].is_null() && meta["notices"][0]["text"].as_str().unwrap().contains("identity"), "{meta}");
    assert_eq!(world.feed.open(), 0, "asking opens nothing");
}

#[test]
#[ignore = "needs Go: run by make test"]
fn hostile_paths_are_nobodys() {
    let world = Scripted::start();
    let host = Host::start(BINARY, &[]);
    let topic = |query: Value| by_hand(&json!({ "q": query, "s": 1000, "i": 0, "l": 10 }));
    let refused = [
        String::new(),
        "q".to_owned(),
        "q/".to_owned(),
        "q/!!".to_owned(),
        "h/".to_owned(),
        format!("h/{}", "0".repeat(32)),
        "../../h/1".to_owned(),
        "q/bm90IGpzb24".to_owned(),
        "\u{0}\u{202e}q/e30".to_owned(),
        "x".repeat(1 << 20),
        format!("q/{}", "A".repeat(4096)),
        by_hand(&json!([])),
        by_hand(&json!({})),
        by_hand(&json!({ "q": runs(), "s": -1, "i": 0, "l": 1 })),
        by_hand(&json!({ "q": runs(), "s": u64::MAX, "i": 0, "l": 1 })),
        topic(json!({ "queryType": "nonsense" })),
        topic(json!({ "matchDashboard": true, "queryType": "runs" })),
        topic(json!({ "filters": { "name": ["$name"] } })),
        topic(json!({ "filters": { "name": ["~("] } })),
        topic(json!({ "filters": { "colour": ["red"] } })),
        format!("q/{}", URL_SAFE_NO_PAD.encode("[".repeat(90))),
    ];
    for path in &refused {
        assert_eq!(subscribe(&host, &world.context(), path), "NOT_FOUND", "{path:.100}");
        let ended = host.call("run", json!({ "context": world.context(), "path": path }));
        assert!(ended["packets"] == json!([]) && ended["end"].as_str().unwrap().contains("NotFound"), "{path:.100}: {ended}");
    }
    // Odd, and harmless: bounded by what a query may be.
    for topic in [
        json!({ "q": { "queryType": "values", "list": "kinds" }, "s": 1, "i": u64::MAX, "m": i64::MIN, "l": i64::MIN }),
        json!({ "q": { "queryType": "active", "form": "series" }, "s": 3_600_000_000_000_u64, "i": 1, "m": i64::MAX, "l": i64::MAX }),
        json!({ "q": { "queryType": "timeline" }, "s": 0, "i": 0, "l": 0, "more": [] }),
    ] {
        let (path, mut query) = (by_hand(&topic), world.context());
        query["path"] = path.clone().into();
        if subscribe(&host, &world.context(), &path) == "OK" {
            Viewer::of(&host, &world.context(), &path).next();
        }
    }
    assert_eq!(host.call("publish", json!({ "context": world.context(), "path": "q/e30", "data": "{}" }))["status"], "PERMISSION_DENIED");
    host.call("ping", json!({}));
}

/// What a datasource's settings fix holds for a path that nobody answered with, too.
#[test]
#[ignore = "needs Go: run by make test"]
fn a_path_by_hand_does_not_widen_what_is_fixed() {
    let world = Scripted::start();
    world.begins("mine");
    world.runs.lock().unwrap().push(run("theirs", "bank"));
    let host = Host::start(BINARY, &[]);
    let mut fixed = world.context();
    fixed["json"] = json!({ "filters": { "namespace": ["shop"] } });
    for filters in [json!({}), json!({ "namespace": ["bank", "shop"] }), json!({ "namespace": ["~.*"] }), json!({ "name": ["*"] })] {
        let path = by_hand(&json!({ "q": { "queryType": "runs", "filters": filters }, "s": 3_600_000, "i": 0, "l": 1000 }));
        assert_eq!(subscribe(&host, &fixed, &path), "OK");
        assert_eq!(names(&Viewer::of(&host, &fixed, &path).next()), ["mine"], "{filters}");
    }
    let only = by_hand(&json!({ "q": { "filters": { "namespace": ["bank"] } }, "s": 3_600_000, "i": 0, "l": 1000 }));
    assert_eq!(names(&Viewer::of(&host, &fixed, &only).next()), json!([]).as_array().unwrap()[..]);
}

#[test]
#[ignore = "needs Go: run by make test"]
fn all_panels_of_a_datasource_share_one_upstream_stream() {
    let world = Scripted::start();
    let host = Host::start(BINARY, &[]);
    let paths = ["a*", "b*", "*"].map(|name| path(&host, &world.context(), &json!({ "queryType": "runs", "filters": { "name": [name] } })));
    let mut viewers: Vec<_> = paths.iter().flat_map(|it| [it, it]).map(|it| Viewer::of(&host, &world.context(), it)).collect();
    viewers.iter_mut().for_each(|it| drop(it.next()));
    until(|| (world.feed.open() == 1).then_some(()), || format!("one stream: {:?}", world.feed));
    world.tells("both");
    // The scripted origin filters nothing, so each sees it as soon as it asks: the three that the run can concern.
    viewers.iter_mut().skip(4).for_each(|it| drop(it.until("the run", |frame| has(frame, "both"))));
    viewers.truncate(1);
    viewers[0].more(300);
    assert_eq!((world.feed.open(), world.feed.counts.lock().unwrap().0), (1, 1), "one is left: the stream stays, and was never another");
    drop(viewers);
    until(|| (world.feed.open() == 0).then_some(()), || "nobody watches: the stream is closed".to_owned());
    // And again.
    let mut again = Viewer::of(&host, &world.context(), &paths[2]);
    assert!(has(&again.next(), "both"));
    until(|| (world.feed.open() == 1).then_some(()), || "somebody watches again".to_owned());
    let metrics = host.call("metrics", json!({}));
    assert!(metrics.as_str().unwrap().lines().any(|it| it == "chaoscope_datasource_streams 1"), "{metrics}");
}

#[test]
#[ignore = "needs Go: run by make test"]
fn an_outage_leaves_no_gap() {
    let world = Scripted::start();
    world.begins("before");
    let host = Host::start(BINARY, &[]);
    let path = path(&host, &world.context(), &runs());
    let mut viewer = Viewer::of(&host, &world.context(), &path);
    assert_eq!(names(&viewer.next()), ["before"]);
    until(|| (world.feed.open() == 1).then_some(()), || "the stream is open".to_owned());
    world.origin.falls(&world.feed);
    until(|| (world.feed.open() == 0).then_some(()), || "the stream is cut".to_owned());
    // Nobody is told of these.
    world.begins("meanwhile");
    world.runs.lock().unwrap().retain(|it| it["name"] != "before");
    let (packets, end) = viewer.more(300);
    assert!(end.is_none() && packets.iter().all(|frame| names(frame) == ["before"]), "an outage is no end: {end:?} {packets:?}");
    world.origin.rises();
    let back = viewer.until("what happened meanwhile", |frame| has(frame, "meanwhile")).pop().unwrap();
    assert_eq!(names(&back), ["meanwhile"]);
    until(|| (world.feed.open() == 1).then_some(()), || "the stream is open again".to_owned());
    world.tells("after");
    viewer.until("what came after it", |frame| has(frame, "after"));
}

/// An origin that was never there when the panel was opened.
#[test]
#[ignore = "needs Go: run by make test"]
fn a_panel_opened_during_an_outage_comes_with_the_origin() {
    let world = Scripted::start();
    let host = Host::start(BINARY, &[("GF_PLUGIN_LOG_LEVEL", "info")]);
    let path = by_hand(&json!({ "q": runs(), "s": 3_600_000, "i": 0, "l": 1000 }));
    world.origin.falls(&world.feed);
    let mut viewer = Viewer::of(&host, &world.context(), &path);
    assert_eq!(viewer.more(700), (vec![], None));
    world.begins("first");
    world.origin.rises();
    viewer.until("what is there", |frame| has(frame, "first"));
    let log = host.stderr();
    for line in ["A live panel is not current.", "A live panel is current again."] {
        assert_eq!(log.matches(line).count(), 1, "a failure is told when it begins and when it ends: {log}");
    }
}

#[test]
#[ignore = "needs Go: run by make test"]
fn changed_settings_are_the_next_streams() {
    let (old, new) = (Scripted::start(), Scripted::start());
    old.begins("old");
    new.begins("new");
    let host = Host::start(BINARY, &[]);
    let path = path(&host, &old.context(), &runs());
    let mut before = Viewer::of(&host, &old.context(), &path);
    assert_eq!(names(&before.next()), ["old"]);
    let mut changed = new.context();
    changed["updated"] = 2.into();
    assert_eq!(subscribe(&host, &changed, &path), "OK");
    let mut after = Viewer::of(&host, &changed, &path);
    assert_eq!(names(&after.next()), ["new"]);
    until(|| (old.feed.open() == 1 && new.feed.open() == 1).then_some(()), || "both have their stream".to_owned());
    // Until Grafana ends it, within a minute, the old one shows what it showed.
    old.tells("older");
    before.until("the old origin's", |frame| has(frame, "older"));
    new.tells("newer");
    let told = after.until("the new origin's", |frame| has(frame, "newer")).pop().unwrap();
    assert_eq!(names(&told), ["newer", "new"]);
    drop(before);
    until(|| (old.feed.open() == 0).then_some(()), || "nothing is left of the old settings".to_owned());
    assert_eq!(new.feed.open(), 1);
}

#[test]
#[ignore = "needs Go: run by make test"]
fn a_thousand_subscribers() {
    let world = Scripted::start();
    world.begins("first");
    let host = Host::start(BINARY, &[]);
    let filters = |at: usize| json!({ "queryType": "runs", "filters": { "target_namespace": [format!("!ns-{at}")] } });
    let paths: Vec<_> = (0..50).map(|at| path(&host, &world.context(), &filters(at))).collect();
    let before = resident(host.pid());
    let asked: Vec<_> =
        (0..1000).map(|at| host.ask("subscribe", json!({ "context": world.context(), "path": paths[at % paths.len()] }))).collect();
    asked.iter().for_each(|it| assert_eq!(it.recv().unwrap()["ok"]["status"], "OK"));
    // More than Grafana does, which has one stream per channel: as twenty of its servers would.
    let mut viewers: Vec<_> = (0..1000).map(|at| Viewer::of(&host, &world.context(), &paths[at % paths.len()])).collect();
    viewers.iter_mut().for_each(|it| assert_eq!(names(&it.next()), ["first"]));
    until(|| (world.feed.open() == 1).then_some(()), || "one upstream stream".to_owned());
    let requests = world.origin.asked("/api/v1/runs");
    world.tells("second");
    viewers.iter_mut().for_each(|it| drop(it.until("the change", |frame| has(frame, "second"))));
    let (after, more) = (resident(host.pid()), world.origin.asked("/api/v1/runs") - requests);
    // One question per channel; some may have been asked by the clock as well.
    assert!(more < 500, "{more} requests for 50 channels");
    assert_eq!(world.feed.counts.lock().unwrap().0, 1);
    assert!(after < before + (128 << 20), "{before} bytes became {after}");
    drop(viewers);
    until(|| (world.feed.open() == 0).then_some(()), || "all have gone".to_owned());
}

/// Bytes of a process in memory.
fn resident(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
#[ignore = "needs Go: run by make test"]
fn killed_and_started_again_a_channel_works_at_once() {
    let world = Scripted::start();
    world.begins("first");
    let host = Host::start(BINARY, &[]);
    let short = path(&host, &world.context(), &runs());
    let many: Vec<_> = (0..50).map(|at| format!("experiment-{at}")).collect();
    let long = path(&host, &world.context(), &json!({ "queryType": "runs", "filters": { "name": many } }));
    let mut viewer = Viewer::of(&host, &world.context(), &short);
    viewer.next();
    assert!(finish(Command::new("kill").args(["-KILL", &host.pid().to_string()])).status.success());
    until(|| host.has_exited().then_some(()), || "the host sees that it ended".to_owned());
    let (_, end) = viewer.more(60_000);
    assert!(end.is_some_and(|it| !it.is_empty()), "the host knows that it was no end of the plugin's own");
    until(|| (world.feed.open() == 0).then_some(()), || "the stream went with it".to_owned());
    host.call("start", json!({}));
    assert_eq!(subscribe(&host, &world.context(), &short), "OK", "its path says all there is to know");
    let mut again = Viewer::of(&host, &world.context(), &short);
    assert_eq!(names(&again.next()), ["first"]);
    assert_eq!(subscribe(&host, &world.context(), &long), "NOT_FOUND", "what was kept by a number is forgotten");
}

/// A real experiment from begin to end, as the panel of somebody who watches.
#[test]
#[ignore = "needs Go: run by make test"]
fn a_run_is_followed_at_a_real_exporter() {
    let replay = Replay::paced("partition-both", 4.0);
    let host = Host::start(BINARY, &[]);
    let path = path(&host, &replay.context(), &runs());
    let mut viewer = Viewer::of(&host, &replay.context(), &path);
    let packets = viewer.until("the end", |frame| column(frame, "outcome") == ["recovered"]);
    let last = rows(packets.last().unwrap(), ["name", "phase", "started_at", "ended_at"]);
    let phases: Vec<_> = packets.iter().flat_map(|frame| column(frame, "phase")).collect();
    assert!(phases.contains(&"running".into()), "{phases:?}");
    let order = ["selecting", "injecting", "running", "recovering", "finished"];
    let order: Vec<_> = phases.iter().map(|phase| order.iter().position(|it| phase == it).unwrap()).collect();
    assert!(order.is_sorted(), "{phases:?}");
    let wanted = [json!("cut-web-from-client"), json!("finished"), replay.at("13:56:47.526"), replay.at("13:57:02.236")];
    assert_eq!(last.iter().map(Replay::to_milliseconds).collect::<Vec<_>>(), [wanted]);
}
