//! The API: runs and events as lists and by id, the stream of their changes, the contract they keep, and the Chaos Dashboard's shapes.
//!
//! Every question goes the same way: who asks (`access`), what is asked (`parameters`), the journal on a thread that may block
//! ([`Api::ask`]), and only what this caller may see. To add a route: a handler in a file of its own, a line in [`routes`], and its path in
//! `openapi.rs`.

mod answer;
mod cursor;
mod dashboard;
mod events;
mod nodes;
mod openapi;
mod pairs;
mod parameters;
mod problem;
mod runs;
mod stream;
mod upcoming;

pub(super) use openapi::Problems;
pub(super) use problem::{Problem, dress};
pub use stream::{Counts, End};

use super::access::Access;
use super::outlook::{Outlook, Schedules};
use crate::cluster::now::Now;
use crate::desk::Desk;
use crate::journal::{Journal, Patience};
use axum::Router;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What the API must be told about the present. Cheap to clone.
#[derive(Clone)]
pub struct Present {
    /// The clock; a replay's is the recording's.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// What is in the cluster, where there is one. May block.
    pub cluster: Arc<dyn Fn() -> Now + Send + Sync>,
    /// What schedules there are, to look ahead.
    pub schedules: Schedules,
}

/// What callers may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Questions to the journal at once; one more waits.
    pub questions: usize,
    /// How long it waits before it is told that there is no room.
    pub wait: Duration,
    /// How long the journal may take for an answer; then a list ends early and says where it goes on.
    pub answer: Duration,
    /// Streams at once; one more is told that there is no room.
    pub streams: usize,
    /// After so long without anything read of it, a stream is dropped.
    pub blocked: Duration,
    /// A stream says something at least so often.
    pub heartbeat: Duration,
    /// A stream's caller is looked at again so often.
    pub renewal: Duration,
    /// A stream ends after so long, and its client comes again; nothing is lost by it.
    pub longest: Duration,
    /// Nodes connected at once; one more is told that there is no room.
    pub nodes: usize,
    /// A connected node's caller is looked at again so often.
    pub node_renewal: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            questions: 32,
            wait: Duration::from_secs(10),
            answer: Duration::from_secs(5),
            streams: 256,
            blocked: Duration::from_secs(30),
            heartbeat: Duration::from_secs(12),
            renewal: Duration::from_mins(1),
            longest: Duration::from_hours(6),
            nodes: 5000,
            node_renewal: Duration::from_mins(10),
        }
    }
}

/// What every handler needs. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    journal: Journal,
    access: Access,
    present: Present,
    outlook: Outlook,
    /// Name of the cluster, as Chaoscope was told: part of every run's id.
    cluster: String,
    limits: Limits,
    questions: Arc<Semaphore>,
    places: Arc<Semaphore>,
    node_places: Arc<Semaphore>,
    /// Where nodes connect; `None` in roles without them.
    desk: Option<Arc<Desk>>,
    counts: Arc<Counts>,
    turns: Arc<stream::Turns>,
    closing: CancellationToken,
}

impl Api {
    /// `closing` ends every stream, so that the server can stop; `cluster` is the name runs were recorded under.
    pub fn new(journal: Journal, access: Access, present: Present, cluster: String, limits: Limits, closing: CancellationToken) -> Self {
        let (questions, places) = (Arc::new(Semaphore::new(limits.questions)), Arc::new(Semaphore::new(limits.streams)));
        let node_places = Arc::new(Semaphore::new(limits.nodes));
        let outlook = Outlook::new(Arc::clone(&present.schedules), cluster.clone());
        Self {
            journal,
            access,
            present,
            outlook,
            cluster,
            limits,
            questions,
            places,
            node_places,
            desk: None,
            counts: Arc::default(),
            turns: Arc::default(),
            closing,
        }
    }

    /// The same with a place where nodes connect.
    #[must_use]
    pub fn with_desk(self, desk: Option<Arc<Desk>>) -> Self {
        Self { desk, ..self }
    }

    /// How streams do, for the metrics.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    fn clock(&self) -> Timestamp {
        (self.present.clock)()
    }

    /// Asks the journal, or whatever else may block, on a thread of its own. Callers beyond [`Limits::questions`] wait their turn.
    /// A question whose caller has left finds nothing more in the journal.
    async fn ask<T, E>(self: &Arc<Self>, question: impl FnOnce(&Self) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Problem> + Send + 'static,
    {
        let turn = tokio::time::timeout(self.limits.wait, Arc::clone(&self.questions).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Problem::full("too many questions at once").into()) };
        let patience = Patience::of(self.limits.answer);
        let _asker = patience.asker(); // dropped with this future: then nobody waits
        let api = Self { journal: self.journal.within(patience), ..Self::clone(self) };
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn; // given back when the question is answered, whether or not its caller still waits
            question(&api)
        });
        asked.await.unwrap_or_else(|error| {
            tracing::error!(%error, "A question to the API failed.");
            Err(Problem::broken().into())
        })
    }
}

/// All routes below `/api`. GET and HEAD only, but for what nodes report; anything else is 404 or 405.
pub fn routes(api: Arc<Api>) -> Router {
    let own = Router::new()
        .route("/api/v1/runs", get(runs::runs))
        .route("/api/v1/runs/{id}", get(runs::run))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/stream", get(stream::stream))
        .route("/api/v1/upcoming", get(upcoming::upcoming))
        .route("/api/v1/nodes", get(nodes::nodes))
        .route("/api/v1/node/{name}", get(nodes::follow))
        .route("/api/v1/node/{name}/verdicts", post(nodes::report))
        .route("/api/v1/openapi.json", get(openapi::contract))
        .method_not_allowed_fallback(|| async { Problem::method() })
        .route("/api", any(missing))
        .route("/api/", any(missing))
        .route("/api/{*rest}", any(missing));
    own.merge(dashboard::routes()).layer(axum::middleware::from_fn(problem::dress)).with_state(api)
}

/// What is no address here. The dashboard has many more for writing.
async fn missing(method: Method, uri: Uri) -> Response {
    let reading = method == Method::GET || method == Method::HEAD;
    if !reading && uri.path().starts_with("/api/") && !uri.path().starts_with("/api/v1/") {
        return dashboard::read_only();
    }
    Problem::not_found("there is no such address; /api/v1/openapi.json tells those there are").into_response()
}

#[cfg(fuzzing)]
pub use fuzzing::query as fuzz_query;

#[cfg(fuzzing)]
mod fuzzing {
    //! A query string as every route reads it.

    use super::parameters::{self, Asked};
    use super::{dashboard, stream};
    use jiff::Timestamp;

    /// Any bytes give a question or a problem.
    pub fn query(data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        if let Ok(asked) = Asked::parse(Some(&text), "runs", "journal", Timestamp::UNIX_EPOCH) {
            let _ = (asked.runs(), asked.events());
        }
        let _ = parameters::ahead(Some(&text), Timestamp::UNIX_EPOCH);
        let _ = parameters::stream(Some(&text));
        let _ = stream::position(&text);
        dashboard::fuzz(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::slots::Plans;
    use crate::journal::{self, Config};
    use crate::serve::access::{self, Mode};
    use tokio::sync::oneshot;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_question_learns_that_its_caller_left() {
        let (journal, _) = Journal::open(&Config { folder: None, retention: None, max_bytes: None, settle: Duration::ZERO }).unwrap();
        let access = Access::open(access::Config { mode: Mode::None }).unwrap_or_else(|error| panic!("{error}"));
        let schedules: Schedules = Arc::new(Plans::default);
        let present = Present { clock: Arc::new(Timestamp::now), cluster: Arc::new(Now::default), schedules };
        let limits = Limits { answer: Duration::from_hours(1), ..Limits::default() };
        let api = Arc::new(Api::new(journal, access, present, String::new(), limits, CancellationToken::new()));
        let (begin, begun) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let asked = tokio::spawn(async move {
            let question = move |api: &Api| {
                begin.send(()).unwrap();
                let error = loop {
                    if let Err(error) = api.journal.open_runs() {
                        break error;
                    }
                    std::thread::yield_now();
                };
                end.send(error.to_string()).unwrap();
                Ok::<_, Problem>(())
            };
            api.ask(question).await
        });
        begun.await.unwrap();
        asked.abort();
        assert_eq!(ended.await.unwrap(), journal::Error::Gone.to_string());
    }
}
