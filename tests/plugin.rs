//! The Grafana datasource backend as a process: started, asked, stopped and killed by a real host of plugins.
//!
//! `life` is about the process, `datasources` about what belongs to one of them, `questions` about requests that are wrong or large or given
//! up, `secrets` about what is never told, `live` about panels that keep themselves current, `whole` about what a real exporter's runs look
//! like at Grafana. Origins are [`origin`], scripted, because they have to be slow or silent on purpose, and [`replay`], the exporter itself.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "tests run real programs, and share a kit of which each takes a part"
)]

#[path = "plugin/datasources.rs"]
mod datasources;
#[path = "kit/grafana_host.rs"]
mod grafana_host;
#[path = "kit/http.rs"]
mod http;
#[path = "plugin/life.rs"]
mod life;
#[path = "plugin/live.rs"]
mod live;
#[path = "plugin/origin.rs"]
mod origin;
#[path = "kit/process.rs"]
mod process;
#[path = "plugin/questions.rs"]
mod questions;
#[path = "plugin/replay.rs"]
mod replay;
#[path = "plugin/secrets.rs"]
mod secrets;
#[path = "plugin/viewer.rs"]
mod viewer;
#[path = "plugin/whole.rs"]
mod whole;

/// The program under test.
const BINARY: &str = env!("CARGO_BIN_EXE_gpx_chaoscope");
