//! tools

pub mod helpers;
