//! Whether the stressors of a container run.

use super::judge::unknown;
use crate::node::sweep::Sweep;
use chaoscope_model::declared::{DeclaredPod, DeclaredTarget, Stressor};
use chaoscope_model::verdict::Judgement;

/// What a sweep says of one target.
pub(super) fn judge(_declared: &DeclaredPod, _target: &DeclaredTarget, _processes: &[Stressor], _sweep: &Sweep) -> Judgement {
    unknown("not_visited")
}
