//! What this host's kernel and processes say, read natively: no tool is forked, nothing in the namespaces changes.
//!
//! Each source file reads top to bottom: types, `read()` = `parse(&dump()?)`, `parse` pure on bytes, tests on byte fixtures.
//! To add a kernel source: one file here, one field in [`netns`]' reading.

mod bounded;
pub mod containers;
pub mod host;
pub mod mounts;
pub mod netns;
pub mod processes;
pub mod runtime;
