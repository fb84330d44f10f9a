//! What each recording of a real Chaos Mesh means, in words: its runs, how they ended, whom they touched, and when.
//!
//! Times are minute:second.millisecond of the hour the recording was made in; `~` marks whole seconds, `?` a time that was only seen.

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails")]

#[path = "recordings/moments.rs"]
mod moments;
#[path = "recordings/older.rs"]
mod older;
#[path = "kit/recording.rs"]
mod recording;
#[path = "recordings/scenarios.rs"]
mod scenarios;
#[path = "recordings/shuffled.rs"]
mod shuffled;

use chaoscope_model::run::{Run, Target};
use chaoscope_model::time::Precision;
use jiff::Timestamp;

/// A run in words.
fn words(run: &Run) -> String {
    let time = |field: &str, at: Option<Timestamp>| at.map(|at| format!("{field} {}", clock(at, run.precision.get(field))));
    let times = [
        time("started_at", Some(run.started_at)),
        time("injected_at", run.injected_at),
        time("expected_end_at", run.expected_end_at),
        time("stop_requested_at", run.stop_requested_at),
        time("ended_at", run.ended_at),
    ];
    let times: Vec<_> = times.into_iter().flatten().collect();
    let outcome = run.outcome.map_or_else(|| run.phase.as_str().to_owned(), |outcome| outcome.as_str().to_owned());
    let parent = run.parent.as_ref().map_or_else(String::new, |parent| format!(" of {} {}", parent.kind, parent.name));
    let targets: Vec<_> = run.targets.iter().map(target).collect();
    let whom = if targets.is_empty() { "nobody".to_owned() } else { targets.join(", ") };
    format!("{} {} {} #{}{parent}: {outcome}; {}; on {whom}", run.kind, run.action, run.name, run.ordinal, times.join(", "))
}

fn target(target: &Target) -> String {
    let peer = if target.role == "peer" { " (peer)" } else { "" };
    let at = target.injected_at.map_or_else(String::new, |at| format!(" {}", clock(at, target.precision.get("injected_at"))));
    format!("{}{peer} {}{at}", target.id.chars().take(24).collect::<String>(), target.state.as_str())
}

fn clock(at: Timestamp, precision: Option<&Precision>) -> String {
    let text = at.strftime("%M:%S%.3f").to_string();
    match precision {
        Some(Precision::Ns) => text,
        Some(Precision::S) => format!("~{}", at.strftime("%M:%S")),
        _ => format!("?{text}"),
    }
}

/// The runs of a recording, oldest first, in words.
fn told(name: &str) -> Vec<String> {
    let (_, mut changes) = recording::indexed(recording::observations(name));
    changes.runs.sort_by(|one, other| (one.started_at, &one.name).cmp(&(other.started_at, &other.name)));
    changes.runs.iter().map(words).collect()
}
