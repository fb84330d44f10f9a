//! Who shows what was read: to Prometheus (`metrics`), to a person in a browser (`page`), on the command line ([`snapshot`],
//! [`check`]). How connections come in is in [`listener`] and [`web_config`].
//!
//! To add a route: a handler in a file of its own and a line in [`router`].

mod address;
mod connection;
mod door;
mod episode;
mod figures;
mod gate;
mod metrics;
mod outlook;
mod page;
mod parameters;
mod pulse;
mod verdicts;
mod view;
pub(crate) mod words;

pub mod access;
pub mod api;
pub mod check;
pub mod doctor;
pub mod listener;
pub mod runs_page;
pub mod scrapers;
pub mod snapshot;
pub mod web_config;

pub use outlook::{Outlook, Schedules};

use crate::config::Web;
use crate::scrape::Sources;
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// What every handler needs.
struct Server {
    sources: Sources,
    telemetry_path: String,
    offset: Duration,
    /// Places for scrapes and pages at once.
    places: Semaphore,
}

/// All routes of the node role. GET and HEAD only; anything else is 404 or 405.
pub fn router(sources: Sources, web: &Web) -> Router {
    let server = Server::new(sources, web);
    server.metrics().route("/", get(page::page)).route("/readyz", get(|| async { "ok\n" })).with_state(Arc::new(server))
}

/// Metrics and liveness of the roles that keep runs; their page, API and readiness are routes of their own. Where this host is swept, its
/// state is on `/host`.
pub fn runs_router(sources: Sources, web: &Web) -> Router {
    let swept = sources.sweeper.is_some();
    let server = Server::new(sources, web);
    let routes = if swept { server.metrics().route("/host", get(page::page)) } else { server.metrics() };
    routes.with_state(Arc::new(server))
}

impl Server {
    fn new(sources: Sources, web: &Web) -> Self {
        Self {
            sources,
            telemetry_path: web.telemetry_path.clone(),
            offset: web.scrape_timeout_offset,
            places: Semaphore::new(web.max_requests as usize),
        }
    }

    fn metrics(&self) -> Router<Arc<Self>> {
        Router::new().route(&self.telemetry_path, get(metrics::metrics)).route("/healthz", get(|| async { "ok\n" }))
    }
}

/// How long a request without a word about it may take; also the most that is granted (Prometheus' own default is 10 s).
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(2);

impl Server {
    /// The deadline Prometheus announces, less the way back.
    fn until(&self, headers: &HeaderMap) -> Instant {
        let announced = headers.get("x-prometheus-scrape-timeout-seconds").and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
        let announced = announced.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).filter(|seconds| !seconds.is_zero());
        let granted = announced.unwrap_or(PATIENCE).min(LONGEST);
        // Never less than half: an offset larger than the time-out must not make every scrape empty.
        Instant::now() + granted.saturating_sub(self.offset).max(granted / 2)
    }
}
