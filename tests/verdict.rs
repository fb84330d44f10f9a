//! Verdicts: what is declared held against what a kernel holds, from objects as an API server has them to the word that is told.
//!
//! `verdict/recordings.rs`: moments of a real Chaos Mesh, each with its known verdict. `verdict/properties.rs`: whatever chaos-daemon builds is in
//! force, and with any one thing changed it is not. `verdict/netem.rs` and `verdict/partition.rs`: real kernels, set up by the real tools.

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails")]
#![allow(clippy::cast_sign_loss, reason = "figures of a test's own, none below zero")]

mod kit;

#[path = "kit/recording.rs"]
mod kit_recording;

#[path = "verdict/daemon.rs"]
mod daemon;
#[path = "verdict/netem.rs"]
mod netem;
#[path = "verdict/partition.rs"]
mod partition;
#[path = "verdict/properties.rs"]
mod properties;
#[path = "verdict/real.rs"]
mod real;
#[path = "verdict/recordings.rs"]
mod recordings;
#[path = "kernel/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the readers")]
mod support;
#[path = "verdict/text.rs"]
mod text;
#[path = "verdict/world.rs"]
mod world;
