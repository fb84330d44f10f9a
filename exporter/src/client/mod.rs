//! The commands that ask a running Chaoscope over its API: [`runs`], [`gate`] and [`doctor`]. A program of its own, so to say: of the rest it shares
//! the model, the words for runs and the way to print.
//!
//! How an instance is asked is in [`crate::instance`].

mod clock;
pub mod doctor;
mod follow;
pub mod gate;
pub mod runs;
mod table;

pub use crate::instance::Error;
use crate::instance::{error, http, sse};
