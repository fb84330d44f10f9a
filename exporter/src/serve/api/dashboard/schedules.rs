//! `/api/schedules` and `/api/schedules/{uid}`: the schedules that are there, newest first. Their `kind` is what they make.

use super::super::Api;
use super::super::answer::{json, takes_gzip};
use super::extract::object;
use super::failure::Failure;
use super::wanted::Wanted;
use super::{second, sees};
use crate::cluster::now::Now;
use crate::serve::access::Viewer;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chaoscope_model::plan::Schedule;
use serde::Serialize;
use serde_json::{Map, Value, json as value};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A schedule; children and object come with a single one.
#[derive(Serialize)]
struct Shown<'a> {
    namespace: &'a str,
    name: &'a str,
    kind: &'a str,
    uid: &'a str,
    created_at: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment_uids: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kube_object: Option<Value>,
}

impl<'a> Shown<'a> {
    fn of(schedule: &'a Schedule) -> Self {
        Self {
            namespace: &schedule.about.namespace,
            name: &schedule.about.name,
            kind: &schedule.makes,
            uid: &schedule.about.uid,
            created_at: schedule.created_at.map_or_else(String::new, second),
            status: if schedule.paused { "paused" } else { "running" },
            experiment_uids: None,
            kube_object: None,
        }
    }

    fn whole(schedule: &'a Schedule, now: &'a Now) -> Self {
        let parent = |it: &&crate::cluster::now::ExperimentNow| it.object.parent.as_ref().is_some_and(|it| it.uid == schedule.about.uid);
        let children = now.experiments.iter().filter(|it| it.gone_at.is_none()).filter(parent);
        let spec = Map::from_iter([
            ("schedule".to_owned(), value!(schedule.cron)),
            ("startingDeadlineSeconds".to_owned(), value!(schedule.starting_deadline)),
            ("concurrencyPolicy".to_owned(), value!(schedule.concurrency)),
            ("type".to_owned(), value!(schedule.makes)),
        ]);
        Self {
            experiment_uids: Some(children.map(|it| it.object.about.uid.as_str()).collect()),
            kube_object: Some(object(&schedule.about, &BTreeMap::new(), spec)),
            ..Self::of(schedule)
        }
    }
}

/// Schedules a caller may see. May block.
fn live<'a>(now: &'a Now, viewer: &Viewer) -> Vec<&'a Schedule> {
    let mut live: Vec<&Schedule> = now.schedules.iter().map(|it| &*it.schedule).filter(|it| sees(viewer, &it.about)).collect();
    live.sort_by(|a, b| (Reverse(a.created_at), &a.about.uid).cmp(&(Reverse(b.created_at), &b.about.uid)));
    live
}

/// `/api/schedules`
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    let (mut wanted, gzip) = (Wanted::parse(query.as_deref())?, takes_gzip(&headers));
    wanted.kind = None;
    api.ask(move |api| {
        let now = (api.present.cluster)();
        let live = live(&now, &viewer);
        viewer.complete()?;
        let shown = live.into_iter().filter(|it| wanted.takes(&it.about)).map(Shown::of);
        Ok(json(&shown.collect::<Vec<_>>(), gzip)?)
    })
    .await
}

/// `/api/schedules/{uid}`; one that is not there is 404, which the dashboard answers with 400.
pub(super) async fn one(State(api): State<Arc<Api>>, uid: Option<Path<String>>, headers: HeaderMap) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    let uid = uid.map_or_else(String::new, |Path(uid)| uid);
    api.ask(move |api| {
        let now = (api.present.cluster)();
        let schedule = live(&now, &viewer).into_iter().find(|it| it.about.uid == uid);
        viewer.complete()?;
        let schedule = schedule.ok_or_else(|| Failure::unknown("Schedule", &uid))?;
        Ok(json(&Shown::whole(schedule, &now), false)?)
    })
    .await
}
