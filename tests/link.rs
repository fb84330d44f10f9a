//! The node role's one connection to the cluster role: a scripted one for every fault, and the real one, beside real namespaces.
//!
//! What needs no more than a socket runs everywhere; what is about a pod's kernel needs root, and makes the pod itself.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::float_cmp,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests: a failure is a panic, real programs are run, metrics of counts are exact"
)]

mod kit;

#[path = "link/connection.rs"]
mod connection;
#[path = "faults/cri.rs"]
mod cri;
#[path = "link/desk.rs"]
mod desk;
#[path = "kit/runtime_messages.rs"]
#[allow(dead_code, reason = "shared with the tests of the runtime client")]
mod messages;
#[path = "link/node.rs"]
mod node;
#[path = "faults/program.rs"]
mod program;
#[path = "link/real.rs"]
mod real;
#[path = "cluster/program.rs"]
#[allow(unreachable_pub, reason = "shared with the tests of the cluster role")]
mod role;
#[path = "kit/runtime_scripted.rs"]
#[allow(dead_code, reason = "shared with the tests of the runtime client")]
mod scripted;
