//! The dashboards of `dashboards/`: that they are what their sources say, that Grafana would take them, and that a real Prometheus which
//! scrapes real programs has an answer for every question in them.
//!
//! To add a panel: nothing here, unless what it asks for cannot come up in [`world`].

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests: a failure is a panic, real programs are run"
)]

mod kit;
#[path = "kit/runtime_messages.rs"]
#[allow(dead_code, reason = "this program takes its share of the messages")]
mod messages;
#[path = "kit/runtime_scripted.rs"]
#[allow(dead_code, reason = "this program takes its share of the replies")]
mod scripted;
#[path = "kit/runtime_world.rs"]
#[allow(dead_code, reason = "this program takes its share of the small host")]
mod small_host;

#[path = "cluster/program.rs"]
#[allow(unreachable_pub, reason = "this program is whole")]
mod cluster;
#[path = "node/lab.rs"]
#[allow(dead_code, reason = "this program takes its share")]
mod lab;
#[path = "node/program.rs"]
#[allow(dead_code, reason = "this program takes its share")]
mod program;
#[path = "peers/server.rs"]
#[allow(dead_code, reason = "this program takes its share")]
mod server;

#[path = "dashboards/answers.rs"]
mod answers;
#[path = "dashboards/files.rs"]
mod files;
#[path = "dashboards/metrics.rs"]
mod metrics;
#[path = "dashboards/shape.rs"]
mod shape;
#[path = "dashboards/world.rs"]
mod world;
