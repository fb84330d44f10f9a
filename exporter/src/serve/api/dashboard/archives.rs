//! `/api/archives`, `/api/archives/schedules`, `/api/archives/workflows` and one of each: what is gone, as the journal knows it, newest first.
//!
//! An experiment that is gone is known by its runs, a schedule or a workflow by the runs of what it made. How far back an answer looks is
//! limited ([`MOST_RUNS`]).

use super::super::Api;
use super::super::answer::{json, takes_gzip};
use super::super::problem::Problem;
use super::extract::{object, spec};
use super::failure::Failure;
use super::second;
use super::wanted::Wanted;
use crate::serve::access::Viewer;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chaoscope_model::Reference;
use chaoscope_model::query::{Filter, RunQuery};
use chaoscope_model::run::Run;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Newest runs that are looked through for one answer.
const MOST_RUNS: usize = 20_000;
/// Runs of one page of that.
const PAGE: usize = 1000;

/// Something that is gone; the object comes with a single one.
#[derive(Serialize)]
struct Shown<'a> {
    namespace: &'a str,
    name: &'a str,
    kind: &'a str,
    uid: &'a str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kube_object: Option<Value>,
}

/// Something that is gone.
struct Gone {
    about: Reference,
    since: Timestamp,
    labels: BTreeMap<String, String>,
    spec: Map<String, Value>,
}

/// What a list is of.
#[derive(Clone, Copy)]
enum Of {
    Experiments,
    Parents(&'static str),
}

impl Of {
    /// What a run tells of: its experiment, or what made that.
    fn told(self, run: &Run) -> Option<Gone> {
        let about = match self {
            Self::Experiments => {
                let (kind, namespace, name, uid) = (run.kind.clone(), run.namespace.clone(), run.name.clone(), run.uid.clone());
                let spec = spec(&run.parameters, &run.action);
                let about = Reference { kind, namespace, name, uid };
                return Some(Gone { about, since: run.started_at, labels: run.labels.clone(), spec });
            }
            Self::Parents(kind) => run.parent.clone().filter(|parent| parent.kind == kind && !parent.uid.is_empty())?,
        };
        Some(Gone { about, since: run.started_at, labels: BTreeMap::new(), spec: Map::new() })
    }
}

impl Gone {
    fn shown(&self, whole: bool) -> Shown<'_> {
        Shown {
            namespace: &self.about.namespace,
            name: &self.about.name,
            kind: &self.about.kind,
            uid: &self.about.uid,
            created_at: second(self.since),
            kube_object: whole.then(|| object(&self.about, &self.labels, self.spec.clone())),
        }
    }
}

impl Api {
    /// What is gone and passes, newest first. May block.
    fn gone(&self, of: Of, viewer: &Viewer, wanted: &dyn Fn(&Reference) -> bool) -> Result<Vec<Gone>, Problem> {
        let now = (self.present.cluster)();
        let experiments = now.experiments.iter().filter(|it| it.gone_at.is_none()).map(|it| &it.object.about);
        let others = now.schedules.iter().map(|it| &it.schedule.about).chain(now.workflows.iter().map(|it| &it.about));
        let live: BTreeSet<&str> = experiments.chain(others).map(|about| about.uid.as_str()).collect();
        let mut gone: BTreeMap<String, Gone> = BTreeMap::new();
        self.each_run(viewer, |run| {
            let Some(told) = of.told(&run).filter(|it| !live.contains(it.about.uid.as_str()) && wanted(&it.about)) else { return };
            let since = told.since;
            let known = gone.entry(told.about.uid.clone()).or_insert(told);
            known.since = known.since.min(since);
        })?;
        let mut gone: Vec<_> = gone.into_values().collect();
        gone.sort_by(|a, b| (b.since, &b.about.uid).cmp(&(a.since, &a.about.uid)));
        Ok(gone)
    }

    /// The newest runs of Chaos Mesh a caller may see. May block.
    fn each_run(&self, viewer: &Viewer, mut take: impl FnMut(Run)) -> Result<(), Problem> {
        let mut filter = Filter::default();
        filter.add("tool", "chaos-mesh")?;
        let last = Timestamp::from_second(i64::MAX / 1_000_000_000).unwrap_or(Timestamp::MAX);
        let mut query = RunQuery { from: Timestamp::UNIX_EPOCH, to: last, limit: PAGE, after: None, filter };
        for _ in 0..MOST_RUNS / PAGE {
            let page = self.journal.runs(&query, &|run| viewer.see(run))?;
            page.rows.into_iter().for_each(&mut take);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        Ok(viewer.complete()?)
    }

    async fn archives(self: Arc<Self>, of: Of, query: Option<String>, headers: HeaderMap) -> Result<Response, Failure> {
        let viewer = self.access.viewer(&headers).await?;
        let (mut wanted, gzip) = (Wanted::parse(query.as_deref())?, takes_gzip(&headers));
        if matches!(of, Of::Parents(_)) {
            wanted.kind = None;
        }
        self.ask(move |api| {
            let gone = api.gone(of, &viewer, &|about| wanted.takes(about))?;
            Ok(json(&gone.iter().map(|it| it.shown(false)).collect::<Vec<_>>(), gzip)?)
        })
        .await
    }

    async fn archive(self: Arc<Self>, of: Of, uid: Option<Path<String>>, headers: HeaderMap) -> Result<Response, Failure> {
        let viewer = self.access.viewer(&headers).await?;
        let uid = uid.map_or_else(String::new, |Path(uid)| uid);
        self.ask(move |api| {
            let gone = api.gone(of, &viewer, &|about| about.uid == uid)?;
            let what = if let Of::Parents(kind) = of { kind } else { "Experiment" };
            let one = gone.first().ok_or_else(|| Failure::unknown(what, &uid))?;
            Ok(json(&one.shown(true), false)?)
        })
        .await
    }
}

/// `/api/archives`
pub(super) async fn experiments(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Failure> {
    api.archives(Of::Experiments, query, headers).await
}

/// `/api/archives/schedules`
pub(super) async fn schedules(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Failure> {
    api.archives(Of::Parents("Schedule"), query, headers).await
}

/// `/api/archives/workflows`
pub(super) async fn workflows(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Failure> {
    api.archives(Of::Parents("Workflow"), query, headers).await
}

/// `/api/archives/{uid}`
pub(super) async fn experiment(State(api): State<Arc<Api>>, uid: Option<Path<String>>, headers: HeaderMap) -> Result<Response, Failure> {
    api.archive(Of::Experiments, uid, headers).await
}

/// `/api/archives/schedules/{uid}`
pub(super) async fn schedule(State(api): State<Arc<Api>>, uid: Option<Path<String>>, headers: HeaderMap) -> Result<Response, Failure> {
    api.archive(Of::Parents("Schedule"), uid, headers).await
}

/// `/api/archives/workflows/{uid}`
pub(super) async fn workflow(State(api): State<Arc<Api>>, uid: Option<Path<String>>, headers: HeaderMap) -> Result<Response, Failure> {
    api.archive(Of::Parents("Workflow"), uid, headers).await
}
