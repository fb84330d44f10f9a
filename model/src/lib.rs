//! What chaos *is*: the words of the design as plain values.
//!
//! No I/O, no async, no clock, no `unsafe` (held by `clippy.toml` beside this crate and by a test on its dependencies),
//! so that everything here can be tested by building a value and looking at the answer.
//!
//! To extend: a new chaos tool is one variant of [`Tool`] here and one file in `exporter/src/tools/`.

pub mod declared;
pub mod event;
mod experiment;
mod few;
pub mod history;
pub mod kernel;
pub mod observation;
pub mod plan;
pub mod query;
pub mod run;
pub mod specification;
pub mod time;
pub mod verdict;

pub use experiment::{Effect, Parent, Pod, Reference, Tool, plain, shortened};
pub use few::Few;
