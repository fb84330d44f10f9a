//! Which of a run's targets a query is about: those that pass what it asks about targets; all where it asks nothing of them.
//!
//! An origin finds runs that hit some such target; a table of targets must not show the others.

use crate::query::Query;
use chaoscope_model::query::Filter;
use chaoscope_model::run::{Run, Target};

/// What is asked about targets.
pub(super) struct Wanted(Filter);

impl Wanted {
    pub(super) fn of(query: &Query) -> Self {
        let mut filter = Filter::default();
        for (field, value) in query.question.filter.iter().filter(|(field, _)| field.starts_with("target_")) {
            // What cannot be understood was refused when the query was read.
            let _ = filter.add(field, value);
        }
        Self(filter)
    }

    fn passes(&self, target: &Target) -> bool {
        let fields = [
            ("target_namespace", &target.namespace),
            ("target_pod", &target.pod),
            ("target_node", &target.node),
            ("target_workload", &target.workload),
        ];
        fields.iter().all(|(field, value)| self.0.words(field).is_none_or(|words| words.matches(value)))
    }

    /// The targets of a run that the query is about.
    pub(super) fn targets<'r>(&self, run: &'r Run) -> impl Iterator<Item = &'r Target> {
        run.targets.iter().filter(|target| self.passes(target))
    }
}

/// What a person calls a target.
pub(super) fn name_of(target: &Target) -> String {
    let name = [&target.pod, &target.netns, &target.node, &target.id].into_iter().find(|it| !it.is_empty());
    let place = super::look::place(&target.namespace, name.map_or("", String::as_str));
    if target.container.is_empty() { place } else { format!("{place} ({})", super::look::clipped(&target.container, 256)) }
}
