//! `chaoscope cluster`, `replay` and `record` as whole programs, beside a real API server that tells what was recorded of a real Chaos Mesh.

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails")]

#[path = "cluster/full.rs"]
mod full;
#[path = "cluster/killed.rs"]
mod killed;
#[path = "cluster/live.rs"]
mod live;
#[path = "cluster/program.rs"]
mod program;
#[path = "kit/recording.rs"]
mod recording;
#[path = "cluster/replayed.rs"]
mod replayed;
#[path = "cluster/upcoming.rs"]
mod upcoming;

mod kit;
