//! Whether what a pod's `PodNetworkChaos` declares is there.

use super::judge::unknown;
use crate::node::sweep::Sweep;
use chaoscope_model::declared::{DeclaredPod, DeclaredTarget};
use chaoscope_model::verdict::Judgement;

/// What a sweep says of one target.
pub(super) fn judge(_declared: &DeclaredPod, _target: &DeclaredTarget, _sweep: &Sweep) -> Judgement {
    unknown("not_visited")
}
