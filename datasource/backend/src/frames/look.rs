//! What columns look like (titles, units, colours), and how far texts from outside are trusted: [`clean`] for cells, [`escaped`] where
//! Grafana renders HTML (annotations).
//!
//! Apart so that a phase has one colour everywhere. Colours are names of Grafana's palette.

use super::Field;
use chaoscope_model::run::{Outcome, Phase, Run, TargetState};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// Longest text of a cell, in characters.
pub(super) const LONGEST_CELL: usize = 1024;
/// Longest notice, in characters.
pub(super) const LONGEST_NOTICE: usize = 512;
/// Unit of a duration: Grafana's id of seconds.
const SECONDS: &str = "s";

/// At most so many characters, with a sign where something was left out; control characters become blanks.
pub(super) fn clipped(text: &str, limit: usize) -> String {
    // Nearly every text.
    if text.len() <= limit && text.bytes().all(|it| (b' '..0x7f).contains(&it)) {
        return text.to_owned();
    }
    let end = text.char_indices().nth(limit).map(|(index, _)| index);
    let kept = end.map_or(text, |end| &text[..end]);
    let mut clipped: String = kept.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    if end.is_some() {
        clipped.push('…');
    }
    clipped
}

/// A text as a cell shows it.
pub(super) fn clean(text: &str) -> String {
    clipped(text, LONGEST_CELL)
}

/// A text as a cell shows it; none where it is unknown.
pub(super) fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| clean(text))
}

/// A text inside of HTML that shows as it is.
pub(super) fn escaped(text: &str, limit: usize) -> String {
    let clipped = clipped(text, limit);
    if !clipped.bytes().any(|it| matches!(it, b'&' | b'<' | b'>' | b'"' | b'\'')) {
        return clipped;
    }
    let mut out = String::with_capacity(clipped.len() + 16);
    for it in clipped.chars() {
        match it {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            it => out.push(it),
        }
    }
    out
}

/// The colour of a phase.
pub(super) const fn of_phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Selecting => "blue",
        Phase::Injecting => "yellow",
        Phase::Running => "red",
        Phase::Recovering => "orange",
        Phase::Finished => "green",
    }
}

/// The colour of an outcome.
pub(super) const fn of_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Recovered => "green",
        Outcome::Completed => "purple",
        Outcome::NoTargets | Outcome::Lost => "#8e8e8e",
        Outcome::InjectionFailed => "dark-orange",
        Outcome::RecoveryFailed | Outcome::Forced => "dark-red",
    }
}

const fn of_state(state: TargetState) -> &'static str {
    match state {
        TargetState::Pending => "blue",
        TargetState::Injecting => "yellow",
        TargetState::Injected => "red",
        TargetState::Recovering => "orange",
        TargetState::Recovered => "green",
        TargetState::Failed => "dark-orange",
        TargetState::Gone => "#8e8e8e",
    }
}

/// Value mappings that colour words and leave them as they are.
pub(super) fn mappings<'a>(colours: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let colour = |(index, (word, colour)): (usize, (&str, &str))| (word.to_owned(), json!({"color": colour, "index": index}));
    let options: Map<String, Value> = colours.enumerate().map(colour).collect();
    json!([{"type": "value", "options": options}])
}

/// Words of phases and outcomes together: the states of a run over time.
pub(super) fn run_mappings() -> Value {
    let phases = Phase::ALL.iter().map(|phase| (phase.as_str(), of_phase(*phase)));
    mappings(phases.chain(Outcome::ALL.iter().map(|outcome| (outcome.as_str(), of_outcome(*outcome)))))
}

fn coloured(field: Field, colours: Value) -> Field {
    field.with("mappings", colours).with("custom", json!({"cellOptions": {"type": "color-text"}}))
}

/// The same column, with the colours of phases and outcomes.
pub(super) fn as_run_state(field: Field) -> Field {
    coloured(field, run_mappings())
}

/// The same column, with the colours of targets' states.
pub(super) fn as_target_state(field: Field) -> Field {
    let all = [
        TargetState::Pending,
        TargetState::Injecting,
        TargetState::Injected,
        TargetState::Recovering,
        TargetState::Recovered,
        TargetState::Failed,
        TargetState::Gone,
    ];
    coloured(field, mappings(all.iter().map(|state| (state.as_str(), of_state(*state)))))
}

/// The same column, with the colours of verdicts.
pub(super) fn as_verdict(field: Field) -> Field {
    coloured(field, mappings([("in_force", "green"), ("drifted", "orange"), ("missing", "red"), ("unknown", "#8e8e8e")].into_iter()))
}

/// The same column, with the colours of what is left behind.
pub(super) fn as_residue(field: Field) -> Field {
    coloured(field, mappings([("none", "green"), ("benign", "#8e8e8e"), ("effective", "red")].into_iter()))
}

/// The same column, in seconds.
pub(super) fn as_seconds(field: Field) -> Field {
    field.with("unit", SECONDS)
}

/// Seconds between two times, never negative.
pub(super) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).max(SignedDuration::ZERO).as_secs_f64()
}

/// What an experiment is called: `namespace/name`.
pub(super) fn experiment(run: &Run) -> String {
    place(&run.namespace, &run.name)
}

/// `namespace/name`, or the name alone.
pub(super) fn place(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { clipped(name, 256) } else { format!("{}/{}", clipped(namespace, 256), clipped(name, 256)) }
}
