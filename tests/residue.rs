//! Declared faults of processes, files and proxies, and what chaos leaves behind, against a real kernel: containers made by `unshare`, recorded
//! states of a real Chaos Mesh restored into their namespaces, real sweeps.
//!
//! One file per subject below `residue/`; `residue/world.rs` sweeps and declares. Needs root, as `kit/container.rs` says, iptables-legacy and
//! ipset; everything ends with its test.

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests run real programs, and a missing part is a failed test"
)]

#[path = "kit/container.rs"]
mod container;
#[path = "residue/files.rs"]
mod files;
#[path = "residue/recorded.rs"]
mod recorded;
#[path = "residue/stress.rs"]
mod stress;
#[path = "residue/world.rs"]
mod world;
