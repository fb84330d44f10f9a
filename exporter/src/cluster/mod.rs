//! What the API server knows: watched, kept as extracts, made into runs.

pub mod api;
pub mod discover;
pub mod now;
pub mod pods;
pub mod watch;
