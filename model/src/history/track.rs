//! One target's facts: how often and when it was injected and recovered, as records and as announcements say; and how both are brought
//! together ([`settle`]).

use super::trim;
use crate::few::Few;
use crate::observation::{Operation, Record, Step, TargetName};
use crate::time::Moment;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Successful steps kept of one target; older applications are in the journal.
const MOST_STEPS: usize = 128;
/// Failures kept of one target: more than the 100 steps the tool keeps, so that none is taken for new.
const MOST_FAILURES: usize = 128;
/// An announcement belongs to a record's step when it is at most so much earlier …
const BEFORE: SignedDuration = SignedDuration::from_millis(500);
/// … or so much later than the step's whole second.
const AFTER: SignedDuration = SignedDuration::from_secs(3);

/// What records say of one target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Track {
    pub(super) selector: String,
    pub(super) id: String,
    pub(super) target: TargetName,
    /// How often it was injected.
    pub(super) injected: u32,
    /// How often it recovered.
    pub(super) recovered: u32,
    /// When, by number.
    pub(super) applies: Few<u32, Timestamp>,
    pub(super) recovers: Few<u32, Timestamp>,
    pub(super) failures: BTreeSet<Step>,
    /// Failures up to here were dropped.
    forgotten: Option<Timestamp>,
}

/// What announcements say of one target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Announced {
    pub(super) target: TargetName,
    pub(super) applied: BTreeSet<Timestamp>,
    pub(super) recovered: BTreeSet<Timestamp>,
}

/// What a record told that was not known before.
pub(super) enum Fresh {
    /// The step of that number succeeded.
    Done(Operation, u32),
    /// It failed.
    Failed(Step),
}

impl Announced {
    pub(super) const fn of(target: TargetName) -> Self {
        Self { target, applied: BTreeSet::new(), recovered: BTreeSet::new() }
    }

    pub(super) fn applied(&mut self, at: Timestamp) {
        self.applied.insert(at);
        trim(&mut self.applied, MOST_STEPS);
    }

    pub(super) fn recovered(&mut self, at: Timestamp) {
        self.recovered.insert(at);
        trim(&mut self.recovered, MOST_STEPS);
    }
}

impl Track {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            selector: record.selector.clone(),
            id: record.id.clone(),
            target: record.target.clone(),
            injected: 0,
            recovered: 0,
            applies: Few::new(),
            recovers: Few::new(),
            failures: BTreeSet::new(),
            forgotten: None,
        }
    }

    /// Takes in a record. The tool drops its oldest steps, so the newest success has the number of the count.
    pub(super) fn take(&mut self, record: &Record) -> Vec<Fresh> {
        let mut fresh = Vec::new();
        for (operation, count) in [(Operation::Apply, record.injected), (Operation::Recover, record.recovered)] {
            let known = match operation {
                Operation::Apply => &mut self.applies,
                Operation::Recover => &mut self.recovers,
            };
            let done = record.steps.iter().rev().filter(|step| step.succeeded && step.operation == operation);
            for (number, step) in (1..=count).rev().zip(done).take(MOST_STEPS) {
                let told = known.get_or_insert_with(number, || {
                    fresh.push(Fresh::Done(operation, number));
                    step.at
                });
                *told = step.at.min(*told);
            }
            while known.len() > MOST_STEPS {
                known.pop_first();
            }
        }
        for step in record.steps.iter().filter(|step| !step.succeeded && self.forgotten.is_none_or(|at| step.at > at)) {
            if self.failures.insert(step.clone()) {
                fresh.push(Fresh::Failed(step.clone()));
            }
        }
        while self.failures.len() > MOST_FAILURES {
            self.forgotten = self.forgotten.max(self.failures.pop_first().map(|step| step.at));
        }
        self.injected = self.injected.max(record.injected);
        self.recovered = self.recovered.max(record.recovered);
        fresh
    }
}

/// What is known of one track's steps of one kind: their seconds by number, and how many there were.
pub(super) type Known<'a> = (&'a Few<u32, Timestamp>, u32);

/// Steps by number of all tracks of one id, each as exactly as records and announcements together tell.
///
/// An announcement close to a step's second makes it exact; each announcement belongs to one step. What is left over fills numbers whose step
/// is not known. With `beyond`, later ones are steps the records have not told yet (or never will: the object may be gone).
pub(super) fn settle(tracks: &[Known<'_>], announced: &BTreeSet<Timestamp>, beyond: bool) -> Vec<BTreeMap<u32, Moment>> {
    let mut left: Vec<Timestamp> = announced.iter().copied().collect();
    let exact = |moment: &mut Moment, left: &mut Vec<Timestamp>| {
        let close = |at: &Timestamp| *at >= moment.at - BEFORE && *at < moment.at + AFTER;
        if let Some(place) = left.iter().position(close) {
            *moment = Moment::exact(left.remove(place));
        }
    };
    let of = |(known, _): &Known<'_>| known.iter().map(|(number, at)| (*number, Moment::second(*at))).collect();
    let mut all: Vec<BTreeMap<u32, Moment>> = tracks.iter().map(of).collect();
    all.iter_mut().flat_map(BTreeMap::values_mut).for_each(|moment| exact(moment, &mut left));
    for ((_, count), settled) in tracks.iter().zip(&mut all) {
        let lowest = count.saturating_sub(u32::try_from(MOST_STEPS).unwrap_or(u32::MAX)).saturating_add(1);
        let missing: Vec<u32> = (lowest..=*count).filter(|number| !settled.contains_key(number)).collect();
        let skip = missing.len().saturating_sub(left.len());
        let filled = left.len().min(missing.len());
        settled.extend(missing.into_iter().skip(skip).zip(left.drain(..filled)).map(|(number, at)| (number, Moment::exact(at))));
    }
    let newest = all.iter().flat_map(BTreeMap::values).map(|moment| moment.at).max();
    if let (Some((_, count)), Some(settled), true) = (tracks.first(), all.first_mut(), beyond) {
        let later = left.into_iter().filter(|at| newest.is_none_or(|newest| *at >= newest));
        settled.extend((count.saturating_add(1)..).zip(later).map(|(number, at)| (number, Moment::exact(at))));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    fn settled(known: &[(u32, i64)], count: u32, announced: &[i64]) -> Vec<(u32, i64, bool)> {
        let known = known.iter().map(|(number, ms)| (*number, at(*ms))).collect();
        let announced = announced.iter().map(|ms| at(*ms)).collect();
        let exact = |moment: &Moment| moment.precision == crate::time::Precision::Ns;
        settle(&[(&known, count)], &announced, true)[0].iter().map(|(n, moment)| (*n, moment.at.as_millisecond(), exact(moment))).collect()
    }

    #[test]
    fn announcements_make_records_exact() {
        assert_eq!(settled(&[(1, 5_000)], 1, &[5_300]), [(1, 5_300, true)]);
        assert_eq!(settled(&[(1, 5_000), (2, 9_000)], 2, &[9_100]), [(1, 5_000, false), (2, 9_100, true)]);
        assert_eq!(settled(&[(1, 5_000)], 1, &[4_990]), [(1, 4_990, true)], "announced just before the second of the record");
    }

    #[test]
    fn an_announcement_belongs_to_one_step_of_one_track() {
        let known: Few<u32, Timestamp> = [(1, at(5_000))].into();
        let announced = [at(5_100), at(5_200)].into();
        let both = settle(&[(&known, 1), (&known, 1)], &announced, true);
        let times: Vec<_> = both.iter().map(|steps| steps.values().map(|moment| moment.at.as_millisecond()).collect::<Vec<_>>()).collect();
        assert_eq!(times, [[5_100], [5_200]]);
        let again = settle(&[(&known, 1)], &[at(5_100), at(9_000)].into(), false);
        assert_eq!(again[0].len(), 1, "no step from an announcement alone while records come");
    }

    #[test]
    fn announcements_tell_what_records_do_not() {
        assert_eq!(settled(&[], 0, &[1_000, 9_000]), [(1, 1_000, true), (2, 9_000, true)], "the object is gone");
        assert_eq!(settled(&[(1, 1_000)], 1, &[1_100, 9_000]), [(1, 1_100, true), (2, 9_000, true)], "not recorded yet");
        assert_eq!(settled(&[], 3, &[9_000]), [(3, 9_000, true)], "the record's steps were dropped");
        assert_eq!(settled(&[(2, 9_000)], 2, &[1_000, 9_200]), [(1, 1_000, true), (2, 9_200, true)]);
        assert_eq!(settled(&[(1, 9_000)], 1, &[1_000]), [(1, 9_000, false)], "an announcement of an unknown past is no new step");
    }
}
