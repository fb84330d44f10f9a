//! A state timeline: a frame per row, each of start, end and state. A row is an experiment with its runs' phases, or a target with whatever
//! hit it.
//!
//! The panel takes a frame's first time as the beginning of a state and its second as the end.

use super::affected::{self, Wanted};
use super::{Field, Frame, Values, look};
use crate::query::{Query, Rows};
use chaoscope_model::run::{Outcome, Phase, Run};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most rows.
const MOST_ROWS: usize = 500;
/// Most states named at once of a target that several runs hit.
const MOST_AT_ONCE: usize = 3;
/// Colours of what hits targets.
const COLOURS: [&str; 8] = ["red", "orange", "blue", "purple", "yellow", "dark-red", "dark-blue", "dark-purple"];

/// A state from when until when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stretch {
    start: Timestamp,
    end: Timestamp,
    state: String,
}

pub(super) fn frames(query: &Query, rows: Rows, runs: &[Arc<Run>], now: Timestamp) -> Vec<Frame> {
    let end = query.question.window.to.min(now);
    let shortest = SignedDuration::try_from(query.interval).unwrap_or(SignedDuration::ZERO).max(SignedDuration::from_secs(1));
    let mut of_rows: BTreeMap<String, Vec<Stretch>> = BTreeMap::new();
    for run in runs {
        match rows {
            Rows::Run => of_rows.entry(experiment(run)).or_default().extend(phases(run, end, shortest)),
            Rows::Target => hits(&Wanted::of(query), run, end, shortest).for_each(|(row, hit)| of_rows.entry(row).or_default().push(hit)),
        }
    }
    let cut = of_rows.len() > MOST_ROWS;
    let mut frames: Vec<_> = of_rows.into_iter().take(MOST_ROWS).map(|(row, found)| frame(&row, rows, &laid(&found))).collect();
    if frames.is_empty() {
        frames.push(frame("timeline", rows, &[]));
    }
    if let Some(first) = frames.first_mut().filter(|_| cut) {
        first.notice(&format!("Only {MOST_ROWS} rows are shown, there are more: narrow the filter or the time range."));
    }
    frames
}

fn frame(row: &str, rows: Rows, stretches: &[Stretch]) -> Frame {
    let colours = match rows {
        Rows::Run => look::run_mappings(),
        Rows::Target => own_colours(stretches),
    };
    let state = Field::of("state", stretches, Values::Text, |it| Some(it.state.clone())).with("mappings", colours);
    let fields = vec![
        Field::of("time", stretches, Values::Time, |it| Some(it.start)).required(),
        Field::of("end", stretches, Values::Time, |it| Some(it.end)).required(),
        state.titled(row),
    ];
    Frame::new(row, fields)
}

fn own_colours(stretches: &[Stretch]) -> Value {
    let states: BTreeSet<_> = stretches.iter().map(|it| it.state.as_str()).collect();
    // The same word has the same colour in every row.
    let colour =
        |state: &str| COLOURS[state.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % COLOURS.len()];
    look::mappings(states.into_iter().map(|state| (state, colour(state))))
}

fn experiment(run: &Run) -> String {
    let row = format!("{} {}", look::clipped(&run.kind, 128), look::experiment(run));
    if run.cluster.is_empty() { row } else { format!("{}: {row}", look::clipped(&run.cluster, 128)) }
}

/// What a run went through, in order and without gaps.
fn phases(run: &Run, open_end: Timestamp, shortest: SignedDuration) -> Vec<Stretch> {
    let start = run.started_at;
    let end = run.ended_at.unwrap_or(open_end).max(start);
    let stretch = |start, end, state: &str| Stretch { start, end, state: state.to_owned() };
    let whole = match run.outcome {
        Some(it @ (Outcome::Completed | Outcome::NoTargets | Outcome::InjectionFailed)) => Some(it.as_str()),
        _ => None,
    };
    let visible = start.checked_add(shortest).unwrap_or(end).max(end);
    if let Some(state) = whole {
        return vec![stretch(start, visible, state)];
    }
    // Of a lost run nothing is known from when it was last seen until it was missed.
    let known = if run.outcome == Some(Outcome::Lost) { run.ended_after.unwrap_or(end).clamp(start, end) } else { end };
    let stopped = run.stop_requested_at.unwrap_or(known).clamp(start, known);
    let injected = run.injected_at.unwrap_or(stopped).clamp(start, stopped);
    let first = if run.phase == Phase::Selecting { Phase::Selecting } else { Phase::Injecting };
    let all = [
        stretch(start, injected, first.as_str()),
        stretch(injected, stopped, Phase::Running.as_str()),
        stretch(stopped, known, Phase::Recovering.as_str()),
        stretch(known, end, Outcome::Lost.as_str()),
    ];
    let found: Vec<_> = all.into_iter().filter(|it| it.end > it.start).collect();
    if found.is_empty() { vec![stretch(start, visible, run.phase.as_str())] } else { found }
}

/// The targets of a run, each with the time it was hit.
fn hits<'r>(
    wanted: &Wanted,
    run: &'r Run,
    open_end: Timestamp,
    shortest: SignedDuration,
) -> impl Iterator<Item = (String, Stretch)> + use<'r> {
    let targets: Vec<_> = wanted.targets(run).filter(|target| run.is_open() || target.injected_at.is_some()).collect();
    let state = format!("{} {}", look::clipped(&run.kind, 128), look::experiment(run));
    targets.into_iter().map(move |target| {
        let start = target.injected_at.unwrap_or(run.started_at);
        let end = target.recovered_at.or(run.ended_at).unwrap_or(open_end).max(start);
        let end = if end == start { start.checked_add(shortest).unwrap_or(end) } else { end };
        (affected::name_of(target), Stretch { start, end, state: state.clone() })
    })
}

/// The same time line without overlaps: where several states hold, they are named together.
fn laid(found: &[Stretch]) -> Vec<Stretch> {
    let mut edges: BTreeMap<Timestamp, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (index, it) in found.iter().enumerate().filter(|(_, it)| it.end > it.start) {
        edges.entry(it.start).or_default().0.push(index);
        edges.entry(it.end).or_default().1.push(index);
    }
    let (mut holding, mut out): (BTreeSet<usize>, Vec<Stretch>) = (BTreeSet::new(), Vec::new());
    let times: Vec<_> = edges.keys().copied().collect();
    for (position, (at, (begin, over))) in edges.iter().enumerate() {
        for index in over {
            holding.remove(index);
        }
        holding.extend(begin);
        let Some(next) = times.get(position + 1).filter(|_| !holding.is_empty()) else { continue };
        let state = together(&holding, found);
        match out.last_mut().filter(|last| last.end == *at && last.state == state) {
            Some(last) => last.end = *next,
            None => out.push(Stretch { start: *at, end: *next, state }),
        }
    }
    out
}

fn together(holding: &BTreeSet<usize>, found: &[Stretch]) -> String {
    let states: BTreeSet<_> = holding.iter().filter_map(|index| found.get(*index)).map(|it| it.state.as_str()).collect();
    let named: Vec<_> = states.iter().take(MOST_AT_ONCE).copied().collect();
    let rest = states.len() - named.len();
    if rest == 0 { named.join(" + ") } else { format!("{} + {rest} more", named.join(" + ")) }
}
