//! What is compared, pure: what of a sweep is chaos ([`findings`]), whether it changes traffic, and which of it becomes runs ([`faults`]).
//!
//! Declared faults held against readings come here too, once there is a cluster role to declare them.

pub mod apart;
pub mod faults;
mod findings;

pub use findings::{Finding, Survey, drops_by_policy, filter_tool, is_chaos_rule, qdisc_tool};
