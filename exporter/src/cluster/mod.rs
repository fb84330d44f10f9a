//! What the API server knows: watched, kept as extracts, made into runs.

pub mod api;
pub mod components;
pub mod discover;
pub mod index;
pub mod now;
pub mod pods;
pub mod slots;
pub mod watch;
