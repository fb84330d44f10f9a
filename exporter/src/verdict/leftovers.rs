//! When something left over is called residue: after a time of grace.

use crate::node::sweep::Sweep;
use chaoscope_model::verdict::Residue;
use jiff::Timestamp;

/// Residue, from visit to visit.
#[derive(Clone, Debug, Default)]
pub struct Leftovers {
    held: Vec<Residue>,
}

impl Leftovers {
    /// Takes in what one visit found. Answers what is residue now.
    pub fn visit(&mut self, found: Vec<Residue>, _sweep: &Sweep, _at: Timestamp) -> &[Residue] {
        self.held = found;
        &self.held
    }
}
