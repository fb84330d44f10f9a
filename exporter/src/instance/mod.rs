//! A running Chaoscope, asked over HTTP: one client with limits and remedies, and the events of a stream.
//!
//! Apart from `client`, the commands for people, because a node asks too ([`crate::declared`]). To ask something else: a method of
//! [`http::Client`] gives bytes and answers every kind of failure with its remedy.

pub(crate) mod error;
pub(crate) mod http;
pub(crate) mod sse;
mod tls;

pub use error::{Cause, Error};
