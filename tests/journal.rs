//! The journal as a whole: what is stored, found, streamed and counted, and what it survives.
//!
//! Object builders and the random world are in `journal/`. To add a fault: a test in `journal/faults.rs`.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what is missing is a failed test"
)]

#[path = "journal/build.rs"]
mod build;
#[path = "kit/disk.rs"]
mod disk;
#[path = "journal/faults.rs"]
mod faults;
#[path = "journal/found.rs"]
mod found;
#[path = "journal/moved.rs"]
mod moved;
#[path = "journal/patience.rs"]
mod patience;
#[allow(dead_code, reason = "this program takes its share of it")]
#[path = "kit/process.rs"]
mod process;
#[path = "journal/stored.rs"]
mod stored;
