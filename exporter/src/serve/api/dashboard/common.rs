//! `/api/common/…`: what the dashboard's front and the Grafana plugin ask first. `config` needs no token, as there.

use super::super::Api;
use super::super::answer::json;
use super::failure::Failure;
use super::wanted::Wanted;
use super::{experiments, sees};
use crate::tools::chaos_mesh::kinds::RESOURCES;
use crate::tools::resource::What;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chaoscope_model::query::{Filter, RunQuery};
use serde::Serialize;
use serde_json::Map;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The dashboard's configuration; what has no meaning here is empty.
#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "the dashboard's own fields")]
struct Configuration {
    listen_host: &'static str,
    listen_port: u16,
    cluster_mode: bool,
    target_namespace: &'static str,
    #[serde(rename = "EnableFilterNamespace")]
    enable_filter_namespace: bool,
    security_mode: bool,
    gcp_security_mode: bool,
    oidc_security_mode: bool,
    root_path: &'static str,
    dns_server_create: bool,
    version: &'static str,
}

/// Newest runs whose namespaces are offered besides those of what is there now.
const RUNS: usize = 1000;

/// `/api/common/config`
pub(super) async fn config(State(api): State<Arc<Api>>) -> Result<Response, Failure> {
    let security_mode = api.access.viewer(&HeaderMap::new()).await.is_err();
    let configuration = Configuration {
        listen_host: "",
        listen_port: 0,
        cluster_mode: true,
        target_namespace: "",
        enable_filter_namespace: false,
        security_mode,
        gcp_security_mode: false,
        oidc_security_mode: false,
        root_path: "",
        dns_server_create: false,
        version: concat!("chaoscope ", env!("CARGO_PKG_VERSION")),
    };
    Ok(json(&configuration, false)?)
}

/// `/api/common/kinds`: those of experiments, in the order of the table, which is the dashboard's.
pub(super) async fn kinds() -> Result<Response, Failure> {
    let kinds = RESOURCES.iter().filter(|resource| resource.what == What::Experiment).map(|resource| resource.kind);
    Ok(json(&kinds.collect::<Vec<_>>(), false)?)
}

/// `/api/common/namespaces` and `/api/common/chaos-available-namespaces`: those of experiments, schedules, workflows and targets the caller
/// may see. The dashboard has all of the cluster, which nobody here is told.
pub(super) async fn namespaces(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Response, Failure> {
    let viewer = api.access.viewer(&headers).await?;
    api.ask(move |api| {
        let now = (api.present.cluster)();
        let experiments = experiments::live(&now, &viewer).into_iter().map(|it| &it.object.about);
        let others = now.schedules.iter().map(|it| &it.schedule.about).chain(now.workflows.iter().map(|it| &it.about));
        let live = experiments.chain(others.filter(|about| sees(&viewer, about))).map(|about| about.namespace.clone());
        let mut namespaces: BTreeSet<String> = live.collect();
        let (from, to) = (jiff::Timestamp::UNIX_EPOCH, api.clock());
        let query = RunQuery { from, to, limit: RUNS, after: None, filter: Filter::default() };
        for run in api.journal.runs(&query, &|run| viewer.see(run))?.whole()? {
            namespaces.insert(run.namespace);
            namespaces.extend(run.targets.into_iter().map(|target| target.namespace));
        }
        viewer.complete()?;
        namespaces.remove("");
        Ok(json(&namespaces, false)?)
    })
    .await
}

/// `/api/common/labels` and `/api/common/annotations`, of the pods of some namespaces: no pods are kept here that chaos does not touch, and
/// of those no labels, so there is nothing to offer.
pub(super) async fn of_pods(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Failure> {
    api.access.viewer(&headers).await?;
    match Wanted::parse(query.as_deref())?.pod_namespaces {
        Some(_) => Ok(json(&Map::new(), false)?),
        None => Err(Failure::bad("podNamespaceList is required")),
    }
}

/// `/api/common/physicalmachine-labels` and the annotations: none of machines are kept here either.
pub(super) async fn of_machines(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Response, Failure> {
    api.access.viewer(&headers).await?;
    Ok(json(&Map::new(), false)?)
}

/// `/api/templates/statuschecks`: templates are config maps, which are not watched.
pub(super) async fn templates(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Response, Failure> {
    api.access.viewer(&headers).await?;
    Ok(json(&[(); 0], false)?)
}
