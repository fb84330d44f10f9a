//! The page of the cluster role: byte by byte from plain values, and against pages of a real controller.
//!
//! To add a family: something for it to say in [`world`], then `UPDATE_GOLDEN=1`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests: a failure is a panic")]

mod kit;

#[path = "families/golden.rs"]
mod golden;
#[path = "kit/recording.rs"]
mod recording;
#[path = "families/schedules.rs"]
mod schedules;
#[path = "families/upstream.rs"]
mod upstream;
#[path = "families/world.rs"]
mod world;

use chaoscope::exposition::{self, Format};
use chaoscope::scrape::{World, page};
use std::sync::Arc;

/// The page of a world, in the classic format.
fn encoded(world: World) -> String {
    let mut out = Vec::new();
    exposition::encode(Format::Classic, page(Arc::new(world)), &mut out).expect("a page");
    String::from_utf8(out).expect("text")
}
