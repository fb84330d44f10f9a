//! The Grafana datasource backend of Chaoscope, `gpx_chaoscope`.
//!
//! One question goes one way: `plugin` (what Grafana's host says over gRPC) → `query` (what is asked, typed) → `instance` and `origin`
//! (asked over HTTP, kept for a moment by `cache`) → `frames` (what Grafana shows, pure) → `plugin`. `settings` says how an origin is
//! reached, `live` keeps panels current, `metrics` counts. A new kind of query is a variant of [`query::Ask`], a file in `frames/` and its arm in
//! `frames::answer`.

pub mod cache;
pub mod frames;
pub mod instance;
pub mod live;
pub mod metrics;
pub mod origin;
pub mod plugin;
pub mod query;
pub mod settings;
pub mod signal;
