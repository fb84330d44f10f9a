//! What of a sweep no open run declares.

use super::findings::Survey;
use crate::node::sweep::Sweep;
use chaoscope_model::declared::DeclaredPod;
use chaoscope_model::verdict::Residue;
use std::collections::BTreeMap;

/// Everything chaos-like in a sweep that no open run declares, benign leftovers included; `first_seen` is the sweep's time.
/// `declared`: what is declared for the pods of this node, by uid.
pub fn left_over(_sweep: &Sweep, _survey: &Survey, _declared: &BTreeMap<String, DeclaredPod>) -> Vec<Residue> {
    Vec::new()
}
