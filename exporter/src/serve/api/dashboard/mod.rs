//! The Chaos Dashboard's addresses and shapes, for reading, so that its Grafana plugin and scripts work unchanged: what they ask of
//! experiments, schedules and workflows is answered from what is watched now, events and archives from the journal.
//!
//! Shapes and parameters are those of Chaos Mesh 2.8.3 (`pkg/dashboard/apiserver`), as its answers were recorded. Where this differs, it
//! gives more: newest first everywhere, events of objects that are gone, 400 and 404 where the dashboard says 500, only what the caller may
//! see. Unknown parameters are ignored and unreadable times are no bound, as there.

mod archives;
mod common;
mod events;
mod experiments;
mod extract;
mod failure;
mod schedules;
mod wanted;
mod workflows;

use super::Api;
use crate::serve::access::Viewer;
use axum::Router;
use axum::http::header::ALLOW;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chaoscope_model::{Reference, Tool};
use failure::Failure;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use std::sync::Arc;

/// Group and version of Chaos Mesh's objects.
const API_VERSION: &str = "chaos-mesh.org/v1alpha1";

/// The dashboard's addresses that are for reading.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/events", get(events::list))
        .route("/api/events/{id}", get(events::one))
        .route("/api/events/workflow/{uid}", get(events::of_workflow))
        .route("/api/experiments", get(experiments::list))
        .route("/api/experiments/state", get(experiments::state))
        .route("/api/experiments/{uid}", get(experiments::one))
        .route("/api/schedules", get(schedules::list))
        .route("/api/schedules/{uid}", get(schedules::one))
        .route("/api/workflows", get(workflows::list))
        .route("/api/workflows/{uid}", get(workflows::one))
        .route("/api/archives", get(archives::experiments))
        .route("/api/archives/schedules", get(archives::schedules))
        .route("/api/archives/workflows", get(archives::workflows))
        .route("/api/archives/{uid}", get(archives::experiment))
        .route("/api/archives/schedules/{uid}", get(archives::schedule))
        .route("/api/archives/workflows/{uid}", get(archives::workflow))
        .route("/api/common/config", get(common::config))
        .route("/api/common/kinds", get(common::kinds))
        .route("/api/common/namespaces", get(common::namespaces))
        .route("/api/common/chaos-available-namespaces", get(common::namespaces))
        .route("/api/common/physicalmachine-labels", get(common::of_machines))
        .route("/api/common/physicalmachine-annotations", get(common::of_machines))
        .route("/api/templates/statuschecks", get(common::templates))
        .route("/api/common/labels", get(common::of_pods))
        .route("/api/common/annotations", get(common::of_pods))
        .method_not_allowed_fallback(|| async { Failure::method() })
}

/// The answer to who wants to change something.
pub(super) fn read_only() -> Response {
    ([(ALLOW, "GET,HEAD")], Failure::method()).into_response()
}

/// A time as the dashboard writes it: whole seconds, UTC.
fn second(at: Timestamp) -> String {
    let whole = at.round(TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Trunc));
    whole.unwrap_or(at).to_string()
}

/// Whether a caller may list objects of this kind in this namespace. May block.
fn sees(viewer: &Viewer, about: &Reference) -> bool {
    viewer.sees_object(Tool::ChaosMesh, &about.kind, &about.namespace)
}

/// The query strings of these routes.
#[cfg(fuzzing)]
pub(super) fn fuzz(text: &str) {
    if let Ok(wanted) = wanted::Wanted::parse(Some(text)) {
        let _ = wanted.events();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_to_seconds() {
        let at = |text: &str| second(text.parse().unwrap());
        assert_eq!(at("2026-11-21T13:56:48.999999999Z"), "2026-11-21T13:56:48Z");
        assert_eq!(at("2026-11-21T13:56:48+02:00"), "2026-11-21T11:56:48Z");
    }
}
