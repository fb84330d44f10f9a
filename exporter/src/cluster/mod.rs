//! What the API server knows: watched, kept as extracts, made into runs.

pub mod index;
pub mod now;
pub mod slots;
