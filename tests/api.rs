//! The API as programs meet it: a real journal in a folder of its own, the real listener on loopback.
//!
//! One file per subject below `api/`; `api/world.rs` starts the server and has what it tells of.

#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod kit;

#[path = "api/contract.rs"]
mod contract;
#[path = "api/dashboard.rs"]
mod dashboard;
#[path = "api/left.rs"]
mod left;
#[path = "api/lists.rs"]
mod lists;
#[path = "api/stream.rs"]
mod stream;
#[path = "api/turns.rs"]
mod turns;
#[path = "api/upcoming.rs"]
mod upcoming;
#[path = "api/world.rs"]
mod world;
