//! What the tests of the API share: a server with a journal, values to record, a client, a reader of streams.

use chaoscope::cluster::now::{ExperimentNow, Now, Phase as Stage, ScheduleNow};
use chaoscope::cluster::slots::{Plans, Slots};
use chaoscope::journal::{self, Batch, Journal};
use chaoscope::serve::access::{self, Access, Mode};
use chaoscope::serve::api::{self, Api, Limits, Present};
use chaoscope::serve::doctor::{self, Facts};
use chaoscope::serve::listener::{self, Listeners, serve};
use chaoscope::serve::web_config::WebConfig;
use chaoscope_model::event::{Event, Severity};
use chaoscope_model::observation::{Desired, Object};
use chaoscope_model::plan::{Schedule, Workflow, WorkflowNode};
use chaoscope_model::run::{Outcome, Phase, Run, Target, TargetState};
use chaoscope_model::time::Precision;
use chaoscope_model::{Few, Parent, Reference, Tool};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test is called stuck. Never an expectation.
pub(crate) const STUCK: Duration = Duration::from_mins(1);
/// Name of the cluster of every run here.
pub(crate) const CLUSTER: &str = "prod";

/// The present of every test.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T14:00:00Z".parse().unwrap()
}

/// So many seconds before the present.
pub(crate) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

/// A server on loopback with a journal of its own.
pub(crate) struct World {
    pub(crate) journal: Journal,
    pub(crate) api: Arc<Api>,
    pub(crate) address: SocketAddr,
    pub(crate) closing: CancellationToken,
    /// Seconds that have passed since [`now`].
    passed: Arc<AtomicI64>,
    _folder: TempDir,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::with(Limits::default(), Now::default())
    }

    pub(crate) fn with(limits: Limits, cluster: Now) -> Self {
        Self::planned(limits, cluster, Plans::default())
    }

    /// The same with schedules to look ahead with.
    pub(crate) fn planned(limits: Limits, cluster: Now, plans: Plans) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config =
            journal::Config { folder: Some(folder.path().join("journal")), retention: None, max_bytes: None, settle: Duration::ZERO };
        let (journal, _) = Journal::open(&config).unwrap();
        let access = Access::open(access::Config { mode: Mode::None }).unwrap();
        let passed = Arc::new(AtomicI64::new(0));
        let seconds = Arc::clone(&passed);
        let clock = move || now() + SignedDuration::from_secs(seconds.load(Ordering::SeqCst));
        let present =
            Present { clock: Arc::new(clock), cluster: Arc::new(move || cluster.clone()), schedules: Arc::new(move || plans.clone()) };
        let facts = Facts { role: "cluster", at: now(), since: now(), ..Facts::default() };
        let report = doctor::routes(Arc::new(move || facts.clone()), access.clone());
        let closing = CancellationToken::new();
        let api = Arc::new(Api::new(journal.clone(), access, present, CLUSTER.to_owned(), limits, closing.clone()));
        let listeners = Listeners::bind(&["127.0.0.1:0".to_owned()], listener::Limits::default()).unwrap();
        let address = listeners.local_addrs()[0];
        let app = api::routes(Arc::clone(&api)).merge(report);
        tokio::spawn(serve(listeners, app, WebConfig::load(None).unwrap(), std::future::pending()));
        Self { journal, api, address, closing, passed, _folder: folder }
    }

    /// Lets time pass, which is the only way it does.
    pub(crate) fn later(&self, seconds: i64) {
        self.passed.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) async fn record(&self, runs: Vec<Run>, events: Vec<Event>) {
        self.journal.record(Batch { runs, events, ..Batch::default() }).await.unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// GETs what must be there, as JSON.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = client().get(self.url(path)).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// GETs what must not be there: status, media type and body.
    pub(crate) async fn refused(&self, path: &str) -> (u16, String, Value) {
        let answer = client().get(self.url(path)).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }
}

pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(STUCK).build().unwrap()
}

/// Fails instead of waiting for ever.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, work).await.expect("stuck")
}

pub(crate) fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// An ended run of the experiment `shop/NAME`, begun so many seconds ago, that took ten seconds.
pub(crate) fn run(name: &str, seconds: i64) -> Run {
    let uid = format!("uid-{name}");
    Run {
        id: Run::id_of(CLUSTER, &uid, 1),
        tool: Tool::ChaosMesh,
        cluster: CLUSTER.to_owned(),
        kind: "NetworkChaos".to_owned(),
        action: "delay".to_owned(),
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        uid,
        ordinal: 1,
        phase: Phase::Finished,
        outcome: Some(Outcome::Recovered),
        started_at: ago(seconds),
        injected_at: Some(ago(seconds - 1)),
        stop_requested_at: Some(ago(seconds - 9)),
        recovered_at: Some(ago(seconds - 10)),
        expected_end_at: Some(ago(seconds - 9)),
        ended_at: Some(ago(seconds - 10)),
        ended_after: None,
        baseline: false,
        stuck_since: None,
        overdue_since: None,
        precision: Few::from([("started_at".to_owned(), Precision::S)]),
        parent: None,
        started_by: Some("kubectl".to_owned()),
        parameters: map([("delay.latency", "100ms")]),
        labels: map([("team", "a")]),
        targets: vec![target("shop", "web-0")],
    }
}

/// The same, still running.
pub(crate) fn open(name: &str, seconds: i64) -> Run {
    Run { phase: Phase::Running, outcome: None, stop_requested_at: None, recovered_at: None, ended_at: None, ..run(name, seconds) }
}

pub(crate) fn target(namespace: &str, pod: &str) -> Target {
    Target {
        id: format!("{namespace}/{pod}"),
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        node: "node-1".to_owned(),
        workload: "web".to_owned(),
        workload_kind: "StatefulSet".to_owned(),
        role: "selected".to_owned(),
        state: TargetState::Injected,
        ..Target::default()
    }
}

/// Something that happened to a run.
pub(crate) fn event(of: &Run, key: &str, seconds: i64) -> Event {
    Event {
        key: format!("{}/{key}", of.uid),
        run: Some(of.id.clone()),
        tool: of.tool,
        cluster: of.cluster.clone(),
        kind: of.kind.clone(),
        namespace: of.namespace.clone(),
        name: of.name.clone(),
        uid: of.uid.clone(),
        at: ago(seconds),
        precision: Precision::S,
        severity: Severity::Normal,
        reason: "Applied".to_owned(),
        message: format!("applied for web-0 ({key})"),
        target_namespace: "shop".to_owned(),
        target_pod: "web-0".to_owned(),
        target_container: String::new(),
        attributes: BTreeMap::new(),
        announced: true,
        replaces: None,
    }
}

pub(crate) fn about(kind: &str, name: &str) -> Reference {
    Reference { kind: kind.to_owned(), namespace: "shop".to_owned(), name: name.to_owned(), uid: format!("uid-{name}") }
}

/// An experiment that is there, with its run.
pub(crate) fn experiment(run: &Run, upstream_phase: &'static str, parent: Option<Parent>) -> ExperimentNow {
    let object = Object {
        about: Reference { kind: run.kind.clone(), namespace: run.namespace.clone(), name: run.name.clone(), uid: run.uid.clone() },
        tool: run.tool,
        version: 1,
        seen: now(),
        created_at: Some(run.started_at),
        deletion_at: None,
        paused: false,
        forced: false,
        desired: Some(Desired::Run),
        one_shot: false,
        remote: false,
        action: run.action.clone(),
        duration: Some(SignedDuration::from_secs(60)),
        selected: true,
        all_injected: true,
        records: Vec::new(),
        parent,
        started_by: None,
        parameters: run.parameters.clone(),
        labels: run.labels.clone(),
    };
    ExperimentNow { object: Arc::new(object), run: Some(Arc::new(run.clone())), phase: Stage::Running, upstream_phase, gone_at: None }
}

pub(crate) fn schedule(name: &str) -> ScheduleNow {
    let schedule = Schedule {
        about: about("Schedule", name),
        cron: "@every 10s".to_owned(),
        makes: "NetworkChaos".to_owned(),
        concurrency: "Forbid".to_owned(),
        created_at: Some(ago(900)),
        ..Schedule::default()
    };
    ScheduleNow { schedule: Arc::new(schedule), next_at: None, missed: 0, forbidden: 0, active: None }
}

pub(crate) fn workflow(name: &str) -> Arc<Workflow> {
    let times = (Some(ago(800)), Some(ago(700)));
    let about = about("Workflow", name);
    Arc::new(Workflow {
        about,
        entry: "all".to_owned(),
        started_at: times.0,
        ended_at: times.1,
        scheduled: true,
        accomplished: true,
        ..Workflow::default()
    })
}

pub(crate) fn node(workflow: &str, name: &str, makes: &str, children: &[&str]) -> Arc<WorkflowNode> {
    Arc::new(WorkflowNode {
        about: about("WorkflowNode", name),
        workflow: workflow.to_owned(),
        template: name.split('-').next().unwrap().to_owned(),
        makes: makes.to_owned(),
        finished_children: children.iter().map(|&it| it.to_owned()).collect(),
        conditions: vec!["Accomplished".to_owned()],
        ..WorkflowNode::default()
    })
}

/// What schedules in the namespace `shop` look ahead with, where the controller's time zone is not known; each is (name, line, what it makes).
pub(crate) fn plans(schedules: &[(&str, &str, &str)]) -> Plans {
    let mut slots = Slots::new(None, &BTreeMap::new());
    for (name, cron, makes) in schedules {
        let schedule = Schedule {
            about: about("Schedule", name),
            cron: (*cron).to_owned(),
            makes: (*makes).to_owned(),
            action: if *makes == "NetworkChaos" { "delay".to_owned() } else { String::new() },
            duration: (*makes == "NetworkChaos").then_some(SignedDuration::from_secs(90)),
            concurrency: "Forbid".to_owned(),
            created_at: Some(ago(600)),
            ..Schedule::default()
        };
        slots.see(&Arc::new(schedule), now(), &|_| None);
    }
    slots.plans()
}

/// A stream, read event by event.
pub(crate) struct Stream {
    answer: reqwest::Response,
    text: String,
    /// The last position that came, as a browser keeps it.
    pub(crate) last: Option<String>,
}

/// One event of a stream; a position alone has no name.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

impl Stream {
    /// Opens `path`, going on from `last`.
    pub(crate) async fn open(world: &World, path: &str, last: Option<&str>) -> Self {
        let request = client().get(world.url(path));
        let request = last.iter().fold(request, |request, last| request.header("Last-Event-ID", *last));
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &"text/event-stream".parse().unwrap()));
        Self { answer, text: String::new(), last: last.map(str::to_owned) }
    }

    /// The next event or position; `None`: the stream is over.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        in_time(async {
            loop {
                if let Some((block, rest)) = self.text.split_once("\n\n") {
                    let mut heard = Heard::default();
                    for line in block.lines() {
                        match line.split_once(": ") {
                            Some(("event", name)) => heard.name = name.to_owned(),
                            Some(("id", id)) => heard.id = Some(id.to_owned()),
                            Some(("data", data)) => heard.data = serde_json::from_str(data).unwrap(),
                            _ => panic!("not a line of a stream: {line:?}"),
                        }
                    }
                    self.last = heard.id.clone().or(self.last.take());
                    self.text = rest.to_owned();
                    return Some(heard);
                }
                let chunk = self.answer.chunk().await.unwrap()?;
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        })
        .await
    }

    /// The next event, positions alone left out.
    pub(crate) async fn event(&mut self) -> Heard {
        loop {
            let heard = self.next().await.expect("the stream goes on");
            if !heard.name.is_empty() {
                return heard;
            }
        }
    }
}
