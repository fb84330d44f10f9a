//! What this host's kernel and processes say, read natively: no tool is forked, nothing in the namespaces changes.
//!
//! Each source file reads top to bottom: types, `read()` = `parse(&dump()?)`, `parse` pure on bytes, tests on byte fixtures.
//! To add a kernel source: one file here, one field in [`netns`]' reading.

pub mod boot;
mod bounded;
pub mod closely;
pub mod containers;
pub mod dwellers;
pub mod error;
#[cfg(test)]
mod fixture;
pub mod host;
pub mod ipset;
pub mod iptables;
pub mod limits;
pub mod modules;
pub mod mounts;
pub mod names;
pub mod namespaces;
pub mod netlink;
pub mod netns;
pub mod own;
pub mod processes;
pub mod runtime;
pub mod sweep;
pub mod sweeper;
pub mod tc;
pub mod told;
pub mod visit;
pub mod visits;
