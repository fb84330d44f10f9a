//! families

pub mod node;
