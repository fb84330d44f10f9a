//! Nodes and the cluster role: what is declared for a node's pods is told to it and to nobody else, and what it found is in the runs.
//!
//! The program is whole and the API server is real; the node is a socket that speaks HTTP, so that it may misbehave.

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails")]

#[path = "nodes/admitted.rs"]
mod admitted;
#[path = "nodes/lab.rs"]
mod lab;
#[path = "nodes/node.rs"]
mod node;
#[path = "cluster/program.rs"]
mod program;
#[path = "nodes/reported.rs"]
mod reported;
#[path = "nodes/told.rs"]
mod told;
#[path = "access/world.rs"]
#[allow(dead_code, reason = "it is of the tests of access")]
mod world;

mod kit;
