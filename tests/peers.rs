//! The components' own metrics, passed through: real pages, pages that lie, and what a real Prometheus makes of it.
//!
//! Components are played by HTTP servers on loopback that answer what a test wants, byte by byte.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a failure is a panic, real programs are run"
)]

mod kit;
#[path = "node/program.rs"]
#[allow(dead_code, reason = "this program takes its share")]
mod program;
#[path = "node/text.rs"]
#[allow(dead_code, reason = "this program takes its share")]
mod text;

#[path = "peers/components.rs"]
mod components;
#[path = "peers/daemon.rs"]
mod daemon;
#[path = "peers/faults.rs"]
mod faults;
#[path = "peers/pages.rs"]
mod pages;
#[path = "peers/server.rs"]
mod server;
#[path = "peers/told.rs"]
mod told;
