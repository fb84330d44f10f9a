//! What of a filter a run that passed it goes on to pass ([`Filter::lasting`]): for who keeps runs and must learn that one left.
//!
//! Apart because it is about what may change in a run's life, not about what is asked. A new parameter is one that lasts, unless it is named here.

use super::{Filter, TEXT, Words};

/// Parameters whose value may be learned later than the run itself; once it is known, it stays.
const TOLD_LATER: [&str; 5] = ["name", "target_namespace", "target_pod", "target_node", "target_workload"];

impl Filter {
    /// The same filter without what a run may pass now and not later: its phase and outcome change, an experiment's labels and parameters
    /// can be edited, a target's message is replaced, and a name that was unknown passes whatever is only unwanted. Who passes this and not
    /// the filter may have passed it before; who does not pass this never did.
    #[must_use]
    pub fn lasting(&self) -> Self {
        let words = self.words.iter().filter(|(field, words)| lasts(field, words));
        Self { words: words.map(|(field, words)| (*field, words.clone())).collect(), ..self.clone() }
    }
}

fn lasts(field: &str, words: &Words) -> bool {
    match field {
        "phase" | "outcome" | "label" | TEXT => false,
        _ => !TOLD_LATER.contains(&field) || !words.matches(""),
    }
}
