//! Real parts for the tests: each starts what it needs on loopback or in its own namespace, and stops it when dropped.
//!
//! Apart from the tests, because several use the same part: `mod kit;` takes all of it. What is missing makes a test fail,
//! never skip. To add a part: one file here and one line below; its own test goes to `tests/real_parts.rs`.

#![allow(dead_code, unreachable_pub, reason = "each test program takes its share of the kit")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the kit runs real programs, and a missing part is a failed test"
)]

pub mod alertmanager;
pub mod chromium;
pub mod cluster;
pub mod disk;
pub mod http;
pub mod kube;
pub mod netns;
pub mod process;
pub mod prometheus;
pub mod protobuf;
pub mod served;
pub mod tab;
pub mod uml;
