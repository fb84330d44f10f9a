//! `/`: the status page, for a person. Plain HTML, readable without JavaScript, dark and light; the template escapes every value.

use super::Server;
use super::figures;
use super::verdicts::{Verdicts, verdicts};
use super::view::{self, Overview, Tally};
use crate::node::limits::Limitation;
use crate::scrape::{World, gather};
use askama::Template;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "status.html")]
struct Status<'a> {
    version: &'static str,
    telemetry_path: &'a str,
    at: String,
    took: String,
    runtime: &'a str,
    failure: Option<String>,
    tally: Tally,
    sources: Vec<SourceRow>,
    verdicts: Verdicts,
    overview: Overview,
    /// Nothing was found besides the host.
    empty: bool,
    /// Chaos may hide behind a limitation.
    blind: bool,
    limitations: &'a [Limitation],
}

struct SourceRow {
    name: &'static str,
    success: bool,
    took: String,
}

pub(super) async fn page(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    let Ok(_place) = server.places.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many requests at once: see --web.max-requests\n").into_response();
    };
    let world = gather(&server.sources, server.until(&headers)).await;
    match render(&world, &server.telemetry_path) {
        Ok(html) => {
            // The one style sheet is in the page; nothing else may be loaded or run.
            let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
            ([(CONTENT_SECURITY_POLICY, policy), (CACHE_CONTROL, "no-store")], Html(html)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the status page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be rendered: see the log\n").into_response()
        }
    }
}

fn render(world: &World, telemetry_path: &str) -> askama::Result<String> {
    let sources =
        world.sources.iter().map(|(name, outcome)| SourceRow { name, success: outcome.success, took: figures::duration(outcome.took) });
    let mut status = Status {
        version: env!("CARGO_PKG_VERSION"),
        telemetry_path,
        at: String::new(),
        took: String::new(),
        runtime: "",
        failure: None,
        tally: Tally::default(),
        sources: sources.collect(),
        verdicts: verdicts(world),
        overview: Overview::default(),
        empty: false,
        blind: false,
        limitations: &[],
    };
    match &world.sweep {
        Some(Ok(seen)) => {
            status.at = format!("{:.0}", seen.sweep.at);
            status.took = figures::duration(seen.sweep.took);
            status.runtime = &seen.sweep.runtime;
            status.tally = view::tally(&seen.sweep);
            status.empty = seen.sweep.namespaces.iter().all(|observed| observed.namespace.host);
            status.blind = seen.sweep.is_blind();
            status.overview = view::overview(seen);
            status.limitations = &seen.sweep.limitations;
        }
        Some(Err(error)) => status.failure = Some(error.to_string()),
        None => {}
    }
    status.render()
}
