//! How many runs are open: now (one row per set of labels), or over the window (one series per set of labels).
//!
//! Shaped for Grafana's alert engine, which takes one frame of texts and one number, or a wide series with ascending times. Where nothing
//! runs there is an explicit 0, because no row would be "no data"; so there is for what ran within the window and is over.

use super::affected::Wanted;
use super::look::clipped;
use super::{Field, Frame, Values};
use crate::query::Query;
use chaoscope_model::run::{Run, Target};
use jiff::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most sets of labels.
const MOST_SETS: usize = 1000;
/// Most points of all series together.
const MOST_POINTS: usize = 1_000_000;
/// Longest value of a label, in characters.
const LONGEST_LABEL: usize = 256;

/// Values of the labels, in the order of `by`.
type Key = Vec<String>;

/// What is counted, by labels; no more than so many sets of them.
struct Counts<T> {
    sets: BTreeMap<Key, T>,
    most: usize,
    cut: bool,
}

impl<T: Clone> Counts<T> {
    fn new(most: usize) -> Self {
        Self { sets: BTreeMap::new(), most, cut: false }
    }

    /// The count of these labels; none when there are too many already.
    fn entry(&mut self, key: Key, none: &T) -> Option<&mut T> {
        if self.sets.len() >= self.most && !self.sets.contains_key(&key) {
            self.cut = true;
            return None;
        }
        Some(self.sets.entry(key).or_insert_with(|| none.clone()))
    }

    fn or_nothing(&mut self, labels: usize, none: T) {
        if self.sets.is_empty() {
            self.sets.insert(vec![String::new(); labels], none);
        }
    }

    fn say(&self, frame: &mut Frame) {
        frame.partial = self.cut;
        if self.cut {
            frame.notice(&format!(
                "Only {} sets of labels are counted, there are more: count by fewer labels or narrow the filter.",
                self.most
            ));
        }
    }
}

/// The points of a series: the first, the step and how many.
struct Steps {
    first: i128,
    step: i128,
    count: usize,
}

impl Steps {
    /// At the panel's interval, wider where that would be more than `most`; aligned, so that a refresh does not shift what is counted.
    fn of(query: &Query, now: Timestamp, most: usize) -> Self {
        let window = query.question.window;
        // Nothing ran before computers counted time, and what is aligned must stay a time.
        let (from, to) = (window.from.as_nanosecond().max(0), window.to.min(now).as_nanosecond());
        if to < from {
            return Self { first: from, step: 1, count: 0 };
        }
        let most = i128::try_from(most.max(1)).unwrap_or(1);
        let widest = (to - from) / (most - 1).max(1) + 1;
        let step = i128::try_from(query.interval.as_nanos()).unwrap_or(i128::MAX).clamp(1_000_000, 1_i128 << 62).max(widest);
        let first = if most == 1 { from } else { from - from.rem_euclid(step) };
        let count = if most == 1 { 1 } else { (to - first) / step + 1 };
        Self { first, step, count: usize::try_from(count).unwrap_or(0) }
    }

    /// Which intervals a run was open in: a point stands for the time from it to the next one.
    fn touched(&self, run: &Run) -> Option<(usize, usize)> {
        let started = run.started_at.as_nanosecond();
        // A run is not open any more when it has ended, but one without a length was open once.
        let ended = run.ended_at.map(|at| (at.as_nanosecond() - 1).max(started));
        let index = |at: i128| usize::try_from(((at - self.first) / self.step).max(0)).unwrap_or(usize::MAX);
        let last = self.count.checked_sub(1)?;
        let (low, high) = (index(started), ended.map_or(last, index).min(last));
        (low <= last && ended.is_none_or(|at| at >= self.first)).then_some((low, high))
    }

    fn times(&self) -> Vec<Option<Timestamp>> {
        let at = |index: usize| self.first + self.step * i128::try_from(index).unwrap_or(0);
        (0..self.count).map(|index| Timestamp::from_nanosecond(at(index)).ok().or(Some(Timestamp::MAX))).collect()
    }
}

pub(super) fn instant(query: &Query, by: &[String], runs: &[Arc<Run>], now: Timestamp) -> Frame {
    let (at, wanted) = (query.question.window.to.min(now), Wanted::of(query));
    let mut counts = Counts::new(MOST_SETS);
    for run in runs {
        for key in keys(by, run, &wanted) {
            let open = run.started_at <= at && run.ended_at.is_none_or(|end| end > at);
            counts.entry(key, &0.0).into_iter().for_each(|count| *count += f64::from(u8::from(open)));
        }
    }
    counts.or_nothing(by.len(), 0.0);
    let sets: Vec<_> = counts.sets.iter().collect();
    let label = |(index, name): (usize, &String)| Field::of(name, &sets, Values::Text, |(key, _)| key.get(index).cloned()).required();
    let mut fields: Vec<_> = by.iter().enumerate().map(label).collect();
    fields.push(Field::of("active", &sets, Values::Number, |(_, count)| Some(**count)).required());
    let mut frame = Frame::new("active", fields);
    counts.say(&mut frame);
    frame
}

pub(super) fn series(query: &Query, by: &[String], runs: &[Arc<Run>], now: Timestamp) -> Frame {
    let (steps, wanted) = (Steps::of(query, now, query.max_points), Wanted::of(query));
    // Where a set's count changes, and by how much.
    let mut counts = Counts::new((MOST_POINTS / steps.count.max(1)).clamp(1, MOST_SETS));
    let none = vec![0_i32; steps.count + 1];
    for run in runs {
        let Some((low, high)) = steps.touched(run) else { continue };
        for key in keys(by, run, &wanted) {
            let Some(changes) = counts.entry(key, &none) else { continue };
            changes.get_mut(low).into_iter().for_each(|it| *it += 1);
            changes.get_mut(high + 1).into_iter().for_each(|it| *it -= 1);
        }
    }
    counts.or_nothing(by.len(), none);
    let mut fields = vec![Field::new("time", Values::Time(steps.times())).required()];
    fields.extend(counts.sets.iter().map(|(key, changes)| curve(by, key, &changes[..steps.count])));
    let mut frame = Frame::new("active", fields);
    counts.say(&mut frame);
    frame
}

fn curve(by: &[String], key: &Key, changes: &[i32]) -> Field {
    let sums = changes.iter().scan(0, |sum, change| {
        *sum += change;
        Some(Some(f64::from(*sum)))
    });
    let mut field =
        Field::new("active", Values::Number(sums.collect())).required().with("custom", json!({"lineInterpolation": "stepAfter"}));
    field.labels = by.iter().cloned().zip(key.iter().cloned()).collect();
    field
}

/// The sets of labels a run is counted under: one, or one per target's where it is counted by targets.
fn keys(by: &[String], run: &Run, wanted: &Wanted) -> BTreeSet<Key> {
    let key = |target: Option<&Target>| by.iter().map(|label| value(label, run, target)).collect::<Key>();
    let mut keys = BTreeSet::new();
    if by.iter().any(|label| label.starts_with("target_")) {
        keys.extend(wanted.targets(run).map(|target| key(Some(target))));
    }
    if keys.is_empty() {
        keys.insert(key(None));
    }
    keys
}

fn value(label: &str, run: &Run, target: Option<&Target>) -> String {
    let of_target = |pick: fn(&Target) -> &String| target.map_or("", |target| pick(target).as_str());
    let text = match label {
        "tool" => run.tool.as_str(),
        "cluster" => &run.cluster,
        "kind" => &run.kind,
        "action" => &run.action,
        "namespace" => &run.namespace,
        "name" => &run.name,
        "phase" => run.phase.as_str(),
        "target_namespace" => of_target(|it| &it.namespace),
        "target_pod" => of_target(|it| &it.pod),
        "target_node" => of_target(|it| &it.node),
        "target_workload" => of_target(|it| &it.workload),
        _ => "",
    };
    clipped(text, LONGEST_LABEL)
}
