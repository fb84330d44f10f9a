//! `/api/experiments`, `/api/experiments/{uid}` and `/api/experiments/state`: the experiments that are there, newest first.

use super::super::Api;
use super::super::answer::{json, takes_gzip};
use super::extract::{object, spec};
use super::failure::Failure;
use super::wanted::Wanted;
use super::{second, sees};
use crate::cluster::now::{ExperimentNow, Now};
use crate::serve::access::Viewer;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chaoscope_model::Tool;
use serde::Serialize;
use serde_json::Value;
use std::cmp::Reverse;
use std::sync::Arc;

/// An experiment; the object comes with a single one.
#[derive(Serialize)]
struct Shown<'a> {
    namespace: &'a str,
    name: &'a str,
    kind: &'a str,
    uid: &'a str,
    created_at: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kube_object: Option<Value>,
}

/// How many experiments are where, in the dashboard's words.
#[derive(Default, Serialize)]
struct Tally {
    injecting: u64,
    running: u64,
    finished: u64,
    paused: u64,
    deleting: u64,
}

impl<'a> Shown<'a> {
    fn of(experiment: &'a ExperimentNow) -> Self {
        let object = &experiment.object;
        Self {
            namespace: &object.about.namespace,
            name: &object.about.name,
            kind: &object.about.kind,
            uid: &object.about.uid,
            created_at: second(object.created_at.unwrap_or(object.seen)),
            status: experiment.upstream_phase,
            kube_object: None,
        }
    }

    fn whole(experiment: &'a ExperimentNow) -> Self {
        let known = &experiment.object;
        let mut spec = spec(&known.parameters, &known.action);
        if let Some(duration) = known.duration {
            spec.insert("duration".to_owned(), Value::String(format!("{duration:#}")));
        }
        Self { kube_object: Some(object(&known.about, &known.labels, spec)), ..Self::of(experiment) }
    }
}

/// Experiments that are there and that a caller may see: by their kind and namespace, or by a target of their newest run. May block.
pub(super) fn live<'a>(now: &'a Now, viewer: &Viewer) -> Vec<&'a ExperimentNow> {
    let there = now.experiments.iter().filter(|it| it.gone_at.is_none() && it.object.tool == Tool::ChaosMesh);
    let seen = |it: &&ExperimentNow| sees(viewer, &it.object.about) || it.run.as_ref().is_some_and(|run| viewer.see(run).is_some());
    let mut live: Vec<_> = there.filter(seen).collect();
    live.sort_by(|a, b| (Reverse(a.object.created_at), &a.object.about.uid).cmp(&(Reverse(b.object.created_at), &b.object.about.uid)));
    live
}

/// `/api/experiments`
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    let (wanted, gzip) = (Wanted::parse(query.as_deref())?, takes_gzip(&headers));
    api.ask(move |api| {
        let now = (api.present.cluster)();
        let live = live(&now, &viewer);
        viewer.complete()?;
        let shown = live.into_iter().filter(|it| wanted.takes(&it.object.about)).map(Shown::of);
        Ok(json(&shown.collect::<Vec<_>>(), gzip)?)
    })
    .await
}

/// `/api/experiments/{uid}`
pub(super) async fn one(State(api): State<Arc<Api>>, uid: Option<Path<String>>, headers: HeaderMap) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    let uid = uid.map_or_else(String::new, |Path(uid)| uid);
    api.ask(move |api| {
        let now = (api.present.cluster)();
        let experiment = live(&now, &viewer).into_iter().find(|it| it.object.about.uid == uid);
        viewer.complete()?;
        let experiment = experiment.ok_or_else(|| Failure::unknown("Experiment", &uid))?;
        Ok(json(&Shown::whole(experiment), false)?)
    })
    .await
}

/// `/api/experiments/state`
pub(super) async fn state(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    let mut wanted = Wanted::parse(query.as_deref())?;
    (wanted.name, wanted.kind) = (None, None);
    api.ask(move |api| {
        let now = (api.present.cluster)();
        let live = live(&now, &viewer);
        viewer.complete()?;
        let mut state = Tally::default();
        for experiment in live.into_iter().filter(|it| wanted.takes(&it.object.about)) {
            match experiment.upstream_phase {
                "injecting" => state.injecting += 1,
                "running" => state.running += 1,
                "finished" => state.finished += 1,
                "paused" => state.paused += 1,
                "deleting" => state.deleting += 1,
                _ => {}
            }
        }
        Ok(json(&state, false)?)
    })
    .await
}
