//! A server with the real page, API, report and way in, on a real journal that the test writes into as it likes.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chaoscope::cluster::now::{Now, WatchNow};
use chaoscope::cluster::slots::{Plans, Slots};
use chaoscope::journal::{self, Batch, Journal};
use chaoscope::serve::access::{Access, Config, Mode};
use chaoscope::serve::api::{self, Api, Present};
use chaoscope::serve::doctor::{self, Facts, Gather};
use chaoscope::serve::listener::{self, Limits, Listeners};
use chaoscope::serve::runs_page::{self, RunsPage};
use chaoscope::serve::scrapers::{self, Scrapers};
use chaoscope::serve::web_config::WebConfig;
use chaoscope::serve::{Outlook, Schedules};
use chaoscope_model::plan::Schedule;
use chaoscope_model::run::{Outcome, Phase, Run, Target, TargetState};
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// What the server knows, and what it was asked.
pub(crate) struct World {
    pub(crate) journal: Journal,
    pub(crate) api: Arc<Api>,
    pub(crate) facts: Mutex<Facts>,
    /// What schedules there are.
    pub(crate) plans: Arc<Mutex<Plans>>,
    scrapers: Arc<Scrapers>,
    /// Every request of the API: path, query, `Last-Event-ID`.
    pub(crate) asked: Mutex<Vec<String>>,
    /// Answers for the next requests of the API, before it answers as usual.
    pub(crate) next: Mutex<Vec<Scripted>>,
    /// Streams end when this changes.
    cut: watch::Sender<u64>,
}

/// An answer that is not the usual one.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// A running server; stopped when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) world: Arc<World>,
    stop: Option<oneshot::Sender<()>>,
    runtime: Runtime,
}

/// How a server is started.
pub(crate) struct Start {
    pub(crate) role: &'static str,
    pub(crate) web: WebConfig,
    pub(crate) tokens: Option<PathBuf>,
    /// The journal's folder; none: a temporary one.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) address: String,
}

pub(crate) fn ago(seconds: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_secs(seconds)
}

/// A run that began so many seconds ago.
pub(crate) fn run(name: &str, seconds: i64) -> Run {
    let bare = json!({
        "id": Run::id_of("", name, 1), "tool": "chaos-mesh", "cluster": "", "kind": "NetworkChaos", "action": "partition", "namespace": "shop",
        "name": name, "uid": name, "ordinal": 1, "phase": "running", "outcome": null, "started_at": ago(seconds), "baseline": false,
        "precision": {}, "parameters": {}, "labels": {}, "targets": [],
    });
    Run {
        injected_at: Some(ago(seconds - 2)),
        targets: vec![target("web-0", TargetState::Injected)],
        ..serde_json::from_value(bare).unwrap()
    }
}

pub(crate) fn target(pod: &str, state: TargetState) -> Target {
    Target { namespace: "shop".into(), pod: pod.into(), state, ..Target::default() }
}

/// The same run, ended so many seconds ago.
pub(crate) fn ended(run: Run, seconds: i64, outcome: Outcome) -> Run {
    let end = Some(ago(seconds));
    let targets = run.targets.into_iter().map(|target| Target { state: TargetState::Recovered, ..target }).collect();
    Run {
        phase: Phase::Finished,
        outcome: Some(outcome),
        stop_requested_at: Some(ago(seconds + 3)),
        recovered_at: end,
        ended_at: end,
        targets,
        ..run
    }
}

/// Notes what the API is asked, gives scripted answers first, and lets streams be cut.
async fn door(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if !path.starts_with("/api/") {
        return next.run(request).await;
    }
    let last = request.headers().get("last-event-id").map_or("-", |value| value.to_str().unwrap());
    world.asked.lock().unwrap().push(format!("{} {last}", request.uri()));
    let scripted = {
        let mut waiting = world.next.lock().unwrap();
        (!waiting.is_empty()).then(|| waiting.remove(0))
    };
    if let Some(Scripted { status, content_type, body }) = scripted {
        return (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, content_type)], body).into_response();
    }
    let mut cut = world.cut.subscribe();
    let answer = next.run(request).await;
    if path != "/api/v1/stream" {
        return answer;
    }
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(async move { drop(cut.changed().await) })))
}

impl Server {
    pub(crate) fn start(start: Start) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let inside = runtime.enter();
        let (journal, _) =
            Journal::open(&journal::Config { folder: start.folder, retention: None, max_bytes: None, settle: std::time::Duration::ZERO })
                .unwrap();
        let mode = start.tokens.map_or(Mode::None, |file| Mode::Token { files: vec![file] });
        let access = Access::open(Config { mode }).unwrap();
        let plans = Arc::new(Mutex::new(Plans::default()));
        let planned = Arc::clone(&plans);
        let schedules: Schedules = Arc::new(move || planned.lock().unwrap().clone());
        let present = Present { clock: Arc::new(Timestamp::now), cluster: Arc::new(Now::default), schedules: Arc::clone(&schedules) };
        let (limits, closing) = (api::Limits::default(), CancellationToken::new());
        let api = Arc::new(Api::new(journal.clone(), access.clone(), present, String::new(), limits, closing));
        let facts = Facts { role: start.role, since: Timestamp::now(), ..Facts::default() };
        let world = Arc::new(World {
            journal: journal.clone(),
            api: Arc::clone(&api),
            facts: Mutex::new(facts),
            plans,
            scrapers: Arc::default(),
            asked: Mutex::default(),
            next: Mutex::default(),
            cut: watch::channel(0).0,
        });
        let known = Arc::clone(&world);
        let gather: Gather = Arc::new(move || {
            let journal = doctor::Journal { folder: "/data".into(), status: known.journal.status() };
            let scrapers = known.scrapers.all();
            let facts = known.facts.lock().unwrap().clone();
            // The clock is this host's, unless the test says what time it is.
            let at = if facts.at == Timestamp::UNIX_EPOCH { Timestamp::now() } else { facts.at };
            Facts { at, journal, scrapers, ..facts }
        });
        let outlook = Outlook::new(schedules, String::new());
        let page = RunsPage { journal, gather: Arc::clone(&gather), access: access.clone(), outlook, telemetry_path: "/metrics".into() };
        let scraped = Router::new().route("/metrics", get(|| async { "up 1\n" }));
        let app = scrapers::noting(scraped, "/metrics", Arc::clone(&world.scrapers))
            .merge(api::routes(api))
            .merge(runs_page::routes(page))
            .merge(doctor::routes(gather, access));
        let app = app.layer(from_fn_with_state(Arc::clone(&world), door));
        let listeners = Listeners::bind(&[start.address], Limits::default()).unwrap();
        let address = listeners.local_addrs()[0];
        let (stop, stopped) = oneshot::channel();
        runtime.spawn(listener::serve(listeners, app, start.web, async { drop(stopped.await) }));
        drop(inside);
        Self { address, world, stop: Some(stop), runtime }
    }

    pub(crate) fn plain(role: &'static str) -> Self {
        Self::start(Start::plain(role))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Runs are new, or others than they were.
    pub(crate) fn record(&self, runs: &[Run]) {
        let batch = Batch { runs: runs.to_vec(), ..Batch::default() };
        self.runtime.block_on(self.world.journal.record(batch)).unwrap();
    }

    pub(crate) fn change(&self, run: &Run) {
        self.record(std::slice::from_ref(run));
    }

    /// Ends every stream.
    pub(crate) fn cut(&self) {
        self.world.cut.send_modify(|times| *times += 1);
    }

    /// How many stream now.
    pub(crate) fn streaming(&self) -> u64 {
        self.world.api.counts().open()
    }

    /// What the API was asked so far, and how often: lines that contain a text.
    pub(crate) fn asked(&self, text: &str) -> Vec<String> {
        self.world.asked.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// What the next request of the API is answered.
    pub(crate) fn answers(&self, status: u16, content_type: &'static str, body: &str) {
        self.world.next.lock().unwrap().push(Scripted { status, content_type, body: body.to_owned() });
    }
}

impl Start {
    pub(crate) fn plain(role: &'static str) -> Self {
        Self { role, web: WebConfig::load(None).unwrap(), tokens: None, folder: None, address: "127.0.0.1:0".into() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// Schedules of the namespace `shop`, by name and line, that make a fault of ten minutes.
pub(crate) fn plans(made: Timestamp, schedules: &[(&str, &str)]) -> Plans {
    let mut slots = Slots::new(None, &BTreeMap::new());
    for (name, cron) in schedules {
        let mut schedule = Schedule {
            cron: (*cron).into(),
            makes: "PodChaos".into(),
            action: "pod-failure".into(),
            duration: Some(SignedDuration::from_mins(10)),
            created_at: Some(made),
            ..Schedule::default()
        };
        (schedule.about.namespace, schedule.about.name, schedule.about.uid) = ("shop".into(), (*name).into(), (*name).into());
        slots.see(&Arc::new(schedule), made, &|_| None);
    }
    slots.plans()
}

/// A watch that is up, or not.
pub(crate) fn watch(resource: &'static str, reason: &str) -> WatchNow {
    let up = reason.is_empty();
    WatchNow {
        resource,
        up,
        reason: reason.into(),
        objects: 3,
        last_change_at: up.then(|| ago(4)),
        listed_at: up.then(|| ago(60)),
        ..WatchNow::default()
    }
}
