//! Runs as a person meets them: the status page in a real browser, and the commands that ask a running instance.
//!
//! One file per subject below `runs/`; `runs/server.rs` is a server with the real page over runs of the test's own making.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "runs the program; and a test that cannot go on fails"
)]

mod kit;

#[path = "runs/command.rs"]
mod command;
#[path = "runs/gate.rs"]
mod gate;
#[path = "runs/page.rs"]
mod page;
#[path = "runs/server.rs"]
mod server;
