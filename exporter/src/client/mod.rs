//! The commands that ask a running Chaoscope over its API: [`runs`], [`gate`] and [`doctor`]. A program of its own, so to say: of the rest it shares
//! the model, the words for runs and the way to print.
//!
//! To ask something else: a method of [`http::Client`] gives bytes and answers every kind of failure with its remedy.

mod clock;
pub mod doctor;
mod error;
mod follow;
pub mod gate;
mod http;
pub mod runs;
mod sse;
mod table;
mod tls;

pub use error::Error;
