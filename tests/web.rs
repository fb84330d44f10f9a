//! The web server as Prometheus, a browser and an attacker meet it: real sockets on loopback, real TLS, real files.
//!
//! One file per subject below `web/`; `web/support.rs` starts servers, makes certificates and catches the log.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "web/basic_auth.rs"]
mod basic_auth;
#[path = "web/errors.rs"]
mod errors;
#[path = "web/limits.rs"]
mod limits;
#[path = "web/plain.rs"]
mod plain;
#[path = "web/rotation.rs"]
mod rotation;
#[path = "web/support.rs"]
mod support;
#[path = "web/tls.rs"]
mod tls;
