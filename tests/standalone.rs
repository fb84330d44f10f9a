//! `chaoscope standalone` as a person has it: the program beside real namespaces, real tools that inject, and the journal it leaves behind.
//!
//! Needs root. What the program says in its log tells when something is stored; what a run is, is read from the journal when the program has
//! ended. The host itself and other tests' namespaces are swept too, so every test looks only at its own.

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails")]

mod kit;

#[path = "standalone/lives.rs"]
mod lives;
#[path = "standalone/program.rs"]
mod program;
#[path = "standalone/rules.rs"]
mod rules;
#[path = "standalone/shaping.rs"]
mod shaping;
