//! A cluster role as a test wants it: it says what it is told to say, byte by byte, and notes what it was asked and what was reported.

use crate::kit::process::until;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use chaoscope::serve::listener::{Limits, Listeners, serve};
use chaoscope::serve::web_config::WebConfig;
use chaoscope_model::verdict::{Judged, Report, Residue};
use futures_util::stream;
use serde::Serialize;
use serde_json::json;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A server on a loopback port; it ends with the test.
pub(crate) struct Desk {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    _runtime: Runtime,
}

/// What it was asked, and how it answers.
#[derive(Default)]
struct Heard {
    /// What a request for the stream is answered; nothing: with a stream.
    refusal: Option<u16>,
    /// What a report is answered.
    verdict: u16,
    asked: Vec<Asked>,
    reports: Vec<Report>,
}

/// One request for the stream.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) node: String,
    pub(crate) query: String,
    pub(crate) token: String,
    /// Nothing where it was refused.
    line: Option<UnboundedSender<Bytes>>,
}

impl Desk {
    /// By plain HTTP.
    pub(crate) fn start() -> Self {
        Self::start_with(WebConfig::load(None).expect("none is one"))
    }

    pub(crate) fn start_with(config: WebConfig) -> Self {
        let heard = Arc::new(Mutex::new(Heard { verdict: 204, ..Heard::default() }));
        let routes = Router::new().route("/api/v1/node/{name}", get(follow)).route("/api/v1/node/{name}/verdicts", post(report));
        let app = routes.with_state(Arc::clone(&heard));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let inside = runtime.enter();
        let listeners = Listeners::bind(&["127.0.0.1:0".to_owned()], Limits::default()).unwrap();
        let address = listeners.local_addrs()[0];
        runtime.spawn(serve(listeners, app, config, std::future::pending()));
        drop(inside);
        Self { address, heard, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Refuses streams with this status from now on; 200: does not.
    pub(crate) fn refuse(&self, status: u16) {
        self.lock().refusal = (status != 200).then_some(status);
    }

    /// Answers reports with this status from now on.
    pub(crate) fn answer_reports(&self, status: u16) {
        self.lock().verdict = status;
    }

    /// All requests for the stream so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// Waits for the stream with this number, counted from 0, refused ones too.
    pub(crate) fn line(&self, number: usize) -> Asked {
        until(|| self.asked().get(number).cloned(), || format!("connection {number} of {}", self.asked().len()))
    }

    pub(crate) fn reports(&self) -> Vec<Report> {
        self.lock().reports.clone()
    }

    /// Waits for a report that is like this.
    pub(crate) fn reported(&self, what: &str, like: impl Fn(&Report) -> bool) -> Report {
        until(|| self.reports().into_iter().rev().find(&like), || format!("{what} in {:#?}", self.reports()))
    }

    /// What holds of a target after all reports.
    pub(crate) fn verdict(&self, target: &str) -> Option<Judged> {
        self.reports().into_iter().rev().flat_map(|report| report.verdicts).find(|judged| judged.target == target)
    }

    /// What is left over after all reports.
    pub(crate) fn residue(&self) -> Vec<Residue> {
        self.reports().into_iter().rev().find_map(|report| report.residue).unwrap_or_default()
    }

    /// Ends every stream.
    pub(crate) fn hang_up(&self) {
        for asked in &mut self.lock().asked {
            asked.line = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }
}

impl Asked {
    /// Sends bytes as they are.
    pub(crate) fn raw(&self, text: impl Into<Bytes>) {
        let _ = self.line.as_ref().expect("a stream").send(text.into()); // it may have hung up
    }

    pub(crate) fn say(&self, event: &str, data: &impl Serialize) {
        self.raw(format!("event: {event}\ndata: {}\n\n", serde_json::to_string(data).unwrap()));
    }

    /// The first event.
    pub(crate) fn hello(&self, connection: &str) {
        self.say("hello", &json!({"connection": connection, "at": jiff::Timestamp::now(), "cluster": "", "release": "test"}));
    }

    /// That was everything.
    pub(crate) fn ready(&self) {
        self.say("ready", &json!({}));
    }

    /// Whether the other side has hung up.
    pub(crate) fn is_over(&self) -> bool {
        self.line.as_ref().is_none_or(UnboundedSender::is_closed)
    }
}

async fn follow(
    State(heard): State<Arc<Mutex<Heard>>>,
    Path(node): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let token = headers.get(AUTHORIZATION).map_or(String::new(), |value| value.to_str().unwrap().to_owned());
    let mut heard = heard.lock().unwrap();
    let (query, refusal) = (query.unwrap_or_default(), heard.refusal);
    let (sender, receiver) = unbounded_channel();
    heard.asked.push(Asked { node, query, token, line: refusal.is_none().then_some(sender) });
    match refusal {
        Some(status) => (StatusCode::from_u16(status).unwrap(), [(CONTENT_TYPE, "text/plain")], "no\n").into_response(),
        None => ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(said(receiver))).into_response(),
    }
}

fn said(receiver: UnboundedReceiver<Bytes>) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(receiver, |mut receiver| async move { Some((Ok(receiver.recv().await?), receiver)) })
}

async fn report(State(heard): State<Arc<Mutex<Heard>>>, body: Bytes) -> StatusCode {
    let mut heard = heard.lock().unwrap();
    if heard.verdict == 204 {
        heard.reports.push(serde_json::from_slice(&body).unwrap());
    }
    StatusCode::from_u16(heard.verdict).unwrap()
}
