//! What is compared, pure: what is declared for a pod held against what a sweep read of it ([`judge`]), what nobody declares ([`left_over`]),
//! when either holds ([`Agreement`], [`Leftovers`]); what of a sweep is chaos at all ([`Survey`]), and which of it becomes runs ([`faults`]).
//!
//! To judge one more kind of fault: a variant of `Expectation` in the model, a file here, an arm in [`judge`].

mod agreement;
pub mod apart;
mod containers;
mod dns;
pub mod faults;
mod findings;
#[cfg(test)]
pub(crate) mod fixture;
mod http;
mod io;
mod judge;
mod leftovers;
mod network;
mod residue;
mod stated;
mod stress;

pub use agreement::Agreement;
pub use findings::{Finding, Survey, drops_by_policy, filter_tool, is_chaos_rule, qdisc_tool};
pub use judge::judge;
pub use leftovers::Leftovers;
pub use residue::left_over;
pub use stated::{Stated, stated, untold};
