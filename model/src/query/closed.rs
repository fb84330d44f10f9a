//! Parameters whose values are a closed set, and the check that a value is one of them.
//!
//! Apart because it names every such set. To add one: an arm in [`closed`].

use super::{DERIVED_PHASES, Refused, words};
use crate::event::Severity;
use crate::experiment::Tool;

/// The words of a parameter whose values are a closed set.
pub fn closed(field: &str) -> Option<Vec<&'static str>> {
    Some(match field {
        "phase" => crate::run::Phase::ALL.iter().map(|phase| phase.as_str()).chain(DERIVED_PHASES).collect(),
        "outcome" => std::iter::once("").chain(crate::run::Outcome::ALL.iter().map(|outcome| outcome.as_str())).collect(),
        "tool" => Tool::ALL.iter().map(|tool| tool.as_str()).collect(),
        "type" => vec![Severity::Normal.as_str(), Severity::Warning.as_str()],
        _ => return None,
    })
}

/// Words of a closed set are checked, so that a typing error is not an empty answer.
pub(super) fn check_word(field: &str, value: &str) -> Result<(), Refused> {
    let (_, word) = words::positive(value);
    if word.contains('*') || words::is_expression(word) {
        return Ok(());
    }
    if field == "label" && !word.contains('=') {
        return Err(Refused::value(field, "a label is asked for as key=value".to_owned()));
    }
    match closed(field) {
        Some(allowed) if !allowed.contains(&word) => Err(Refused::value(field, format!("{word:?} is none of {}", allowed.join(", ")))),
        _ => Ok(()),
    }
}
