//! The kernel readers against the kernel's own tools, in the same real namespaces: `iptables-save`, `nft`, `ipset`, `tc`.
//!
//! One file per subject below `kernel/`; `kernel/support.rs` visits a namespace and writes what was read in the tools' words.

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails")]

mod kit;

#[path = "kernel/legacy.rs"]
mod legacy;
#[path = "kernel/nft.rs"]
mod nft;
#[path = "kernel/races.rs"]
mod races;
#[path = "kernel/record.rs"]
mod record;
#[path = "kernel/sets.rs"]
mod sets;
#[path = "kernel/support.rs"]
mod support;
#[path = "kernel/tc.rs"]
mod tc;
#[path = "kernel/uml.rs"]
mod uml;
#[path = "kernel/untouched.rs"]
mod untouched;
