//! The same over HTTP: lists, ids, events, counts and the stream, each as one caller gets them; and the answers to who gets nothing.
//!
//! Apart from what a viewer sees, because here the routes must each ask it.

use crate::kit::process::until;
use crate::world::{CLUSTER, World, event, run};
use chaoscope::cluster::now::Now;
use chaoscope::cluster::slots::{Plans, Slots};
use chaoscope::journal::{self, Batch, Journal};
use chaoscope::serve::access::Access;
use chaoscope::serve::api::{self, Api, Limits, Present};
use chaoscope::serve::listener::{self, Listeners, serve};
use chaoscope::serve::web_config::WebConfig;
use chaoscope_model::event::Event;
use chaoscope_model::plan::Schedule;
use chaoscope_model::run::{Outcome, Phase, Run};
use reqwest::blocking::{Client, Response};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Chaoscope's API on loopback, with a journal that holds [`runs`].
struct Server {
    address: SocketAddr,
    journal: Journal,
    _folder: TempDir,
}

fn runs() -> Vec<Run> {
    vec![run("team-a", "split", &["shop/web-0", "bank/db-0"]), run("team-b", "slow", &["bank/db-1"]), run("team-b", "none", &[])]
}

/// At 00:20 `team-a/cut` makes a `NetworkChaos`, `team-b/kill` a `PodChaos`, and nobody knows when `team-b/nightly` makes one.
fn planned() -> Plans {
    let mut slots = Slots::new(None, &BTreeMap::new());
    let schedules = [
        ("team-a", "cut", "NetworkChaos", "@every 20m"),
        ("team-b", "kill", "PodChaos", "@every 20m"),
        ("team-b", "nightly", "PodChaos", "0 3 * * *"),
    ];
    for (namespace, name, makes, cron) in schedules {
        let mut schedule = Schedule { makes: makes.into(), cron: cron.into(), ..Schedule::default() };
        (schedule.about.namespace, schedule.about.name, schedule.about.uid) = (namespace.into(), name.into(), name.into());
        schedule.created_at = Some("2026-01-01T00:00:00Z".parse().unwrap());
        slots.see(&Arc::new(schedule), "2026-01-01T00:10:00Z".parse().unwrap(), &|_| None);
    }
    slots.plans()
}

impl Server {
    fn start(world: &World, access: Access) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = journal::Config {
            folder: Some(folder.path().join("journal")),
            retention: None,
            max_bytes: None,
            settle: std::time::Duration::ZERO,
        };
        world.wait(async {
            let (journal, _) = Journal::open(&config).unwrap();
            let clock = || "2026-01-01T00:10:00Z".parse().unwrap();
            let present = Present { clock: Arc::new(clock), cluster: Arc::new(Now::default), schedules: Arc::new(planned) };
            let closing = CancellationToken::new();
            let api = Api::new(journal.clone(), access, present, CLUSTER.to_owned(), Limits::default(), closing);
            let listeners = Listeners::bind(&["127.0.0.1:0".to_owned()], listener::Limits::default()).unwrap();
            let address = listeners.local_addrs()[0];
            tokio::spawn(serve(listeners, api::routes(Arc::new(api)), WebConfig::load(None).unwrap(), std::future::pending()));
            let server = Self { address, journal, _folder: folder };
            server.record(runs()).await;
            server
        })
    }

    /// Runs, each with an event about each of its targets.
    async fn record(&self, runs: Vec<Run>) {
        let about = |run: &Run, target: &str| Event { key: format!("{}{target}", run.id), ..event(run, target) };
        let events = runs.iter().flat_map(|run| run.targets.iter().map(|target| about(run, &target.id))).collect();
        self.journal.record(Batch { runs, events, ..Batch::default() }).await.unwrap();
    }

    fn ask(&self, token: Option<&str>, path: &str) -> Response {
        let client = Client::builder().tls_certs_only([]).no_proxy().timeout(crate::kit::process::PATIENCE).build().unwrap();
        let request = client.get(format!("http://{}{path}", self.address));
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        request.send().unwrap()
    }

    fn get(&self, token: &str, path: &str) -> (u16, Value) {
        let answer = self.ask(Some(token), path);
        (answer.status().as_u16(), serde_json::from_str(&answer.text().unwrap()).unwrap())
    }

    /// What a caller gets of the list of runs, as `name: targets`, by name.
    fn runs(&self, token: &str, query: &str) -> Vec<String> {
        let (status, answer) = self.get(token, &format!("/api/v1/runs?from=2026-01-01T00:00:00Z{query}"));
        assert_eq!(status, 200, "{answer}");
        let told = answer["runs"].as_array().unwrap().iter().map(|run| {
            let targets: Vec<_> = run["targets"].as_array().unwrap().iter().map(|target| target["id"].as_str().unwrap()).collect();
            format!("{}: {}", run["name"].as_str().unwrap(), targets.join(" "))
        });
        let mut told: Vec<_> = told.collect();
        told.sort();
        told
    }

    /// Of which schedules a caller gets what is due, and what is unknown.
    fn upcoming(&self, token: &str, query: &str) -> [Vec<String>; 2] {
        let (status, answer) = self.get(token, &format!("/api/v1/upcoming?to=2026-01-01T00:30:00Z{query}"));
        assert_eq!(status, 200, "{answer}");
        ["upcoming", "unknown"].map(|list| {
            let told = answer[list].as_array().unwrap().iter();
            told.map(|due| format!("{}/{}", due["namespace"].as_str().unwrap(), due["schedule"].as_str().unwrap())).collect()
        })
    }

    /// Of which targets a caller gets the events, by a route that answers events.
    fn events(&self, token: &str) -> Vec<String> {
        let (status, answer) = self.get(token, "/api/v1/events?from=2026-01-01T00:00:00Z");
        assert_eq!(status, 200, "{answer}");
        let pods = answer["events"].as_array().unwrap().iter().map(|event| event["target_pod"].as_str().unwrap().to_owned());
        let mut pods: Vec<_> = pods.collect();
        pods.sort();
        pods
    }
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn each_route_gives_a_caller_what_it_may_see() {
    let world = World::new();
    let server = Server::start(&world, world.access());
    let all = world.caller("all", &["networkchaos"]);
    let shop = world.caller("shop", &["pods@shop"]);
    let nobody = world.caller("nobody", &[]);

    assert_eq!(server.runs(&all, ""), ["none: ", "slow: bank/db-1", "split: shop/web-0 bank/db-0"]);
    assert_eq!(server.runs(&shop, ""), ["split: shop/web-0"]);
    assert!(server.runs(&nobody, "").is_empty());

    assert_eq!(server.runs(&all, "&target_pod=db-0"), ["split: shop/web-0 bank/db-0"]);
    assert!(server.runs(&shop, "&target_pod=db-0").is_empty(), "a filter tells nothing of a target that is not seen");
    assert_eq!(server.runs(&shop, "&target_pod=web-0"), ["split: shop/web-0"]);

    assert_eq!(server.get(&shop, "/api/v1/runs/split").1["targets"].as_array().unwrap().len(), 1);
    let (hidden, absent) = (server.get(&shop, "/api/v1/runs/slow"), server.get(&shop, "/api/v1/runs/slim"));
    assert_eq!((hidden.0, absent.0), (404, 404), "{hidden:?}");
    assert_eq!(hidden.1.to_string().replace("slow", "slim"), absent.1.to_string(), "what is hidden answers as what is not there");

    assert_eq!(server.events(&all), ["db-0", "db-1", "web-0"]);
    assert_eq!(server.events(&shop), ["web-0"]);
    assert!(server.events(&nobody).is_empty());
    let (_, dashboard) = server.get(&shop, "/api/events");
    assert!(!dashboard.to_string().contains("db-"), "{dashboard}");
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn a_run_that_is_due_is_told_to_who_may_list_its_kind() {
    let world = World::new();
    let server = Server::start(&world, world.access());
    let none: Vec<String> = Vec::new();
    let all = world.caller("all", &["networkchaos", "podchaos"]);
    assert_eq!(server.upcoming(&all, ""), [vec!["team-a/cut", "team-b/kill"], vec!["team-b/nightly"]]);
    let cuts = world.caller("cuts", &["networkchaos@team-a", "networkchaos@team-b"]);
    assert_eq!(server.upcoming(&cuts, ""), [vec!["team-a/cut".to_owned()], none.clone()]);
    assert_eq!(server.upcoming(&cuts, "&name=kill"), [none.clone(), none.clone()], "a filter tells nothing of what is not seen");
    let kills = world.caller("kills", &["podchaos@team-b"]);
    assert_eq!(server.upcoming(&kills, ""), [vec!["team-b/kill"], vec!["team-b/nightly"]]);
    // Pods are not enough: what is to come has no targets yet. Nor are schedules: what they make is what is told.
    let others = world.caller("others", &["pods", "schedules", "podchaos@team-a"]);
    assert_eq!(server.upcoming(&others, ""), [none.clone(), none]);
    assert_eq!(server.ask(None, "/api/v1/upcoming").status(), 401);
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn a_stream_tells_a_caller_of_what_it_may_see() {
    let world = World::new();
    let server = Server::start(&world, world.access());
    let shop = world.caller("shop", &["pods@shop"]);
    let answer = server.ask(Some(&shop), "/api/v1/stream");
    assert_eq!(answer.status(), 200);
    let mut lines = BufReader::new(answer).lines().map(Result::unwrap);
    world.wait(server.record(vec![
        run("team-b", "hidden", &["bank/db-2"]),
        run("team-a", "shared", &["bank/db-3", "shop/web-3"]),
        run("team-b", "last", &["shop/web-4"]),
    ]));
    let mut told = String::new();
    // Events follow their runs, and web-4 is of the last: what was to be hidden has passed by when it is told.
    while let Some(line) = lines.next().filter(|line| !(line.contains("web-4") && line.contains("\"key\""))) {
        told.push_str(&line);
    }
    assert!(told.contains("shared") && told.contains("web-3"), "{told}");
    assert!(!told.contains("hidden") && !told.contains("db-"), "{told}");
}

/// A run leaves the filter, or becomes overdue while nobody listens: neither says anything of runs or targets that are not seen.
#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn a_stream_tells_of_no_run_that_leaves_or_turns_unseen() {
    let world = World::new();
    let server = Server::start(&world, world.access());
    let shop = world.caller("shop", &["pods@shop"]);
    let late = |name: &str, targets: &[&str]| {
        let end = Some("2026-01-01T00:01:00Z".parse().unwrap());
        Run { phase: Phase::Running, outcome: None, ended_at: None, expected_end_at: end, ..run("team-b", name, targets) }
    };
    let over = |name: &str, targets: &[&str]| Run { phase: Phase::Finished, outcome: Some(Outcome::Recovered), ..late(name, targets) };
    world.wait(server.record(vec![late("hidden-late", &["bank/db-5"]), late("late", &["shop/web-5", "bank/db-6"])]));
    let (journal, seq) = server.journal.position();
    let told = |filter: &str| {
        let answer = server.ask(Some(&shop), &format!("/api/v1/stream?last_event_id={journal}.{seq}&{filter}"));
        assert_eq!(answer.status(), 200);
        let mut lines = BufReader::new(answer).lines().map(Result::unwrap);
        let mut told = String::new();
        while let Some(line) = lines.next().filter(|line| !line.contains(&format!("{journal}.{}", server.journal.position().1))) {
            told.push_str(&line);
            told.push('\n');
        }
        told
    };
    let at_once = told("");
    assert!(at_once.contains("overdue_since\":\"2026") && at_once.contains("web-5") && !at_once.contains("db-"), "{at_once}");
    assert!(!at_once.contains("hidden-late"), "{at_once}");
    world.wait(server.record(vec![over("late", &["shop/web-5", "bank/db-6"]), over("hidden-late", &["bank/db-5"])]));
    let left = told("outcome=");
    assert!(left.contains("event: left") && left.contains("{\"id\":\"late\"}") && !left.contains("hidden-late"), "{left}");
    let by_target = told("outcome=&target_pod=db-6");
    assert!(!by_target.contains("late"), "a filter tells nothing of a target that is not seen: {by_target}");
}

#[test]
#[ignore = "needs Go and a network once, to build an API server: run by make test"]
fn who_gets_nothing_is_told_why() {
    let world = World::new();
    let server = Server::start(&world, world.access());
    for (token, path) in [(None, "/api/v1/runs"), (Some("x"), "/api/v1/runs/split"), (None, "/api/v1/events"), (None, "/api/v1/stream")] {
        let answer = server.ask(token, path);
        assert_eq!(answer.status(), 401, "{path}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"chaoscope\"", "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    let token = world.caller("shop", &["pods@shop"]);
    world.kube.kill();
    let answer = server.ask(Some(&token), "/api/v1/runs");
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("www-authenticate")), (503, false));
    assert!(answer.text().unwrap().contains("API server"));
    world.kube.restart();
    until(|| (server.ask(Some(&token), "/api/v1/runs").status() == 200).then_some(()), || "asked again".to_owned());
}
