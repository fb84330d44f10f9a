//! A server with the real page, the real report and the real way in, over runs that the test changes as it likes; its API is scripted.

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chaoscope::cluster::now::WatchNow;
use chaoscope::serve::access::{Access, Config, Mode};
use chaoscope::serve::doctor::{self, Facts, Gather};
use chaoscope::serve::listener::{self, Limits, Listeners};
use chaoscope::serve::runs_page::{self, Found, RunsPage};
use chaoscope::serve::web_config::WebConfig;
use chaoscope_model::query::RunQuery;
use chaoscope_model::run::{Outcome, Phase, Run, Target, TargetState};
use futures_util::stream::{self, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, oneshot};

/// What the server knows, and what it was asked.
pub(crate) struct World {
    pub(crate) runs: Mutex<Vec<Run>>,
    pub(crate) facts: Mutex<Facts>,
    /// Every request for runs and streams: path, query, `Last-Event-ID`, `Authorization`.
    pub(crate) asked: Mutex<Vec<String>>,
    /// Answers for the next requests of the API, before it answers as usual.
    pub(crate) next: Mutex<Vec<Scripted>>,
    changes: broadcast::Sender<String>,
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
    _runtime: Runtime,
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

impl World {
    /// A run is new, or another than it was: everybody is told.
    pub(crate) fn change(&self, run: &Run) {
        let mut runs = self.runs.lock().unwrap();
        runs.retain(|known| known.id != run.id);
        runs.push(run.clone());
        runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
        drop(runs);
        self.tell(&format!("event: run\nid: j.{}\ndata: {}\n\n", self.asked.lock().unwrap().len(), json!(run)));
    }

    /// Sends text to everybody who streams.
    pub(crate) fn tell(&self, text: &str) {
        let _ = self.changes.send(text.to_owned());
    }

    /// Ends every stream.
    pub(crate) fn cut(&self) {
        self.tell("");
    }

    /// How many stream now.
    pub(crate) fn streaming(&self) -> usize {
        self.changes.receiver_count()
    }

    fn note(&self, path: &str, query: Option<&str>, headers: &HeaderMap) -> Option<Response> {
        let of = |name: &str| headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        self.asked.lock().unwrap().push(format!("{path}?{} {} {}", query.unwrap_or(""), of("last-event-id"), of("authorization")));
        let mut next = self.next.lock().unwrap();
        let Scripted { status, content_type, body } = (!next.is_empty()).then(|| next.remove(0))?;
        Some((StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, content_type)], body).into_response())
    }
}

async fn runs(State(world): State<Arc<World>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if let Some(scripted) = world.note("runs", query.as_deref(), &headers) {
        return scripted;
    }
    let runs = world.runs.lock().unwrap().clone();
    ([(header::CONTENT_TYPE, "application/json")], json!({"runs": runs, "next": null}).to_string()).into_response()
}

async fn changes(State(world): State<Arc<World>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if let Some(scripted) = world.note("stream", query.as_deref(), &headers) {
        return scripted;
    }
    let hello = stream::iter([Ok::<_, Infallible>("retry: 20\n: hello\n\n".to_owned())]);
    let texts = stream::unfold(world.changes.subscribe(), |mut texts| async move {
        let text = texts.recv().await.ok().filter(|text| !text.is_empty())?;
        Some((Ok(text), texts))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(hello.chain(texts))).into_response()
}

impl Server {
    pub(crate) fn start(role: &'static str, web: WebConfig) -> Self {
        let facts = Facts {
            role,
            since: Timestamp::now(),
            journal: doctor::Journal { folder: "/data".into(), ..Default::default() },
            ..Facts::default()
        };
        let world = Arc::new(World {
            runs: Mutex::default(),
            facts: Mutex::new(facts),
            asked: Mutex::default(),
            next: Mutex::default(),
            changes: broadcast::channel(1000).0,
        });
        let access = Access::open(Config { mode: Mode::None }).unwrap();
        let (known, shared) = (Arc::clone(&world), Arc::clone(&world));
        let gather: Gather = Arc::new(move || Facts { at: Timestamp::now(), ..known.facts.lock().unwrap().clone() });
        let find = move |query: &RunQuery, see: &dyn Fn(&Run) -> Option<Run>| {
            let runs = shared.runs.lock().unwrap();
            Ok(Found { runs: runs.iter().filter_map(see).filter(|run| query.matches(run)).collect(), more: false })
        };
        let page =
            RunsPage { find: Arc::new(find), gather: Arc::clone(&gather), access: access.clone(), telemetry_path: "/metrics".into() };
        let api = Router::new().route("/api/v1/runs", get(runs)).route("/api/v1/stream", get(changes)).with_state(Arc::clone(&world));
        let app = api.merge(runs_page::routes(page)).merge(doctor::routes(gather, access));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listeners = Listeners::bind(&["127.0.0.1:0".to_owned()], Limits::default()).unwrap();
        let address = listeners.local_addrs()[0];
        let (stop, stopped) = oneshot::channel();
        runtime.spawn(listener::serve(listeners, app, web, async { drop(stopped.await) }));
        Self { address, world, stop: Some(stop), _runtime: runtime }
    }

    pub(crate) fn plain(role: &'static str) -> Self {
        Self::start(role, WebConfig::load(None).unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
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
