//! The whole program `chaoscope`: its pages, its commands, and what they say about real namespaces.
//!
//! To add a test: a function in the file below that has its subject. What needs a node with pods takes one from [`lab`].

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

#[path = "node/command.rs"]
mod command;
#[path = "node/exposition.rs"]
mod exposition;
#[path = "node/golden.rs"]
mod golden;
#[path = "node/lab.rs"]
mod lab;
#[path = "node/metrics.rs"]
mod metrics;
#[path = "node/page.rs"]
mod page;
#[path = "node/program.rs"]
mod program;
#[path = "node/text.rs"]
mod text;
#[path = "node/world.rs"]
mod world;
