//! Facts → applications: which steps of which targets belong together, when each application began, and when its end was asked for.
//!
//! Apart from `derive`, which says how an application stands.

use super::History;
use super::track::{Known, settle};
use crate::few::Few;
use crate::observation::{Desired, Mark, RecordPhase, Step, TargetName};
use crate::time::{Moment, Precision, merge};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Applications derived of one experiment, newest ones; the journal has the rest.
const MOST_RUNS: u32 = 64;
/// Stands for the selector of a target that no record has told of yet.
pub(super) const UNRECORDED: &str = "?";
pub(super) const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// One target in one application.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub(super) apply: Option<Moment>,
    pub(super) recover: Option<Moment>,
    pub(super) recovered: bool,
}

/// One target through all applications.
pub(super) struct Line<'a> {
    pub(super) selector: &'a str,
    pub(super) id: &'a str,
    pub(super) target: &'a TargetName,
    pub(super) phase: RecordPhase,
    pub(super) failures: Option<&'a BTreeSet<Step>>,
    /// By number of the step: which application it belongs to.
    pub(super) numbers: BTreeMap<u32, u32>,
    pub(super) applies: BTreeMap<u32, Moment>,
    pub(super) recovers: BTreeMap<u32, Moment>,
    /// By application.
    pub(super) cells: BTreeMap<u32, Cell>,
}

/// One application, before anything is said about its end.
pub(super) struct Cycle {
    pub(super) number: u32,
    pub(super) begin: Moment,
    /// When its first target was injected.
    pub(super) first: Option<Moment>,
    /// When the next one began.
    pub(super) until: Option<Timestamp>,
    /// Whether it began before anybody looked, nobody knows when.
    pub(super) is_unknown: bool,
}

impl History {
    /// Targets, with every step's time and the application it belongs to, for runs: while the object is there, its records tell what was
    /// applied; an announcement may be one of a try that was never recorded.
    pub(super) fn lines(&self) -> Vec<Line<'_>> {
        self.lines_with(self.latest.is_none() || self.gone().is_some())
    }

    /// The same for rows: an announcement that comes before its record has the number its record will have.
    pub(super) fn lines_ahead(&self) -> Vec<Line<'_>> {
        self.lines_with(true)
    }

    /// Each track's applies and recovers; tracks of one id share its announcements.
    fn steps(&self, beyond: bool) -> Vec<(BTreeMap<u32, Moment>, BTreeMap<u32, Moment>)> {
        let nothing = BTreeSet::new();
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, track) in self.tracks.iter().enumerate() {
            places.entry(&track.id).or_default().push(place);
        }
        let mut all = vec![(BTreeMap::new(), BTreeMap::new()); self.tracks.len()];
        for (id, places) in places {
            let announced = self.announced.get(id);
            let (applied, recovered) = announced.map_or((&nothing, &nothing), |announced| (&announced.applied, &announced.recovered));
            let applies: Vec<Known<'_>> = places.iter().map(|at| (&self.tracks[*at].applies, self.tracks[*at].injected)).collect();
            let recovers: Vec<Known<'_>> = places.iter().map(|at| (&self.tracks[*at].recovers, self.tracks[*at].recovered)).collect();
            let steps = settle(&applies, applied, beyond).into_iter().zip(settle(&recovers, recovered, beyond));
            places.into_iter().zip(steps).for_each(|(place, steps)| all[place] = steps);
        }
        all
    }

    fn lines_with(&self, beyond: bool) -> Vec<Line<'_>> {
        let records = self.latest.iter().flat_map(|latest| &latest.records);
        let phases: HashMap<_, _> = records.map(|record| ((record.selector.as_str(), record.id.as_str()), record.phase)).collect();
        let steps = self.steps(beyond);
        let mut lines = Vec::new();
        for (track, steps) in self.tracks.iter().zip(steps) {
            let names = (track.selector.as_str(), track.id.as_str(), &track.target);
            let phase = phases.get(&(track.selector.as_str(), track.id.as_str())).copied().unwrap_or(RecordPhase::Unknown);
            lines.push((names, phase, Some(&track.failures), steps, (track.injected, track.recovered)));
        }
        let recorded: HashSet<&str> = self.tracks.iter().map(|track| track.id.as_str()).collect();
        for (id, announced) in self.announced.iter().filter(|(id, _)| !recorded.contains(id.as_str())) {
            let none = Few::new();
            let alone = |times: &BTreeSet<Timestamp>| settle(&[(&none, 0)], times, true).remove(0);
            let steps = (alone(&announced.applied), alone(&announced.recovered));
            lines.push(((UNRECORDED, id.as_str(), &announced.target), RecordPhase::Unknown, None, steps, (0, 0)));
        }
        let most = |counted: u32, steps: &BTreeMap<u32, Moment>| counted.max(steps.last_key_value().map_or(0, |(number, _)| *number));
        let newest = lines.iter().map(|(.., steps, counts)| most(counts.0, &steps.0)).max().unwrap_or(0);
        let begins = first_of_each(lines.iter().map(|(.., steps, _)| &steps.0));
        let finish = |((selector, id, target), phase, failures, (applies, recovers), counts): (_, _, _, (_, _), (u32, u32))| {
            let (injected, recovered) = (most(counts.0, &applies), most(counts.1, &recovers));
            let lags = injected < newest;
            let of = |number: u32| (number, if lags { application(number, applies.get(&number), &begins) } else { number });
            let numbers: BTreeMap<u32, u32> = (injected.saturating_sub(MOST_RUNS) + 1..=injected).map(of).collect();
            let cell = |number: &u32| Cell {
                apply: applies.get(number).copied(),
                recover: recovers.get(number).copied(),
                recovered: recovered >= *number,
            };
            let cells = numbers.iter().map(|(number, cycle)| (*cycle, cell(number))).collect();
            Line { selector, id, target, phase, failures, numbers, applies, recovers, cells }
        };
        lines.into_iter().map(finish).collect()
    }

    /// Applications, oldest first.
    pub(super) fn cycles(&self, lines: &[Line<'_>]) -> Vec<Cycle> {
        let newest = lines.iter().filter_map(|line| line.cells.last_key_value()).map(|(number, _)| *number).max().unwrap_or(0);
        let mut cycles: Vec<Cycle> = Vec::new();
        for number in newest.saturating_sub(MOST_RUNS) + 1..=newest + u32::from(self.wants_more(lines, newest)) {
            let applies = lines.iter().filter_map(|line| line.cells.get(&number)?.apply);
            let first = applies.min_by_key(|moment| moment.at);
            if first.is_none() && number < newest {
                continue; // one of before we looked, of which nothing but its number is known
            }
            let begin = self.begin(number, first, lines);
            if let Some(last) = cycles.last_mut() {
                last.until = Some(begin.at);
            }
            let is_unknown = begin.precision == Precision::Seen && first.is_none() && number <= newest;
            cycles.push(Cycle { number, begin, first, until: None, is_unknown });
        }
        cycles
    }

    /// Whether another application was asked for after the newest one of which a target is known.
    fn wants_more(&self, lines: &[Line<'_>], newest: u32) -> bool {
        let started = |after: Option<Timestamp>| self.marked(Mark::Started).any(|at| after.is_none_or(|after| at > after));
        if newest > 0 {
            return !self.is_one_shot()
                && (self.start_seen.contains_key(&newest) || (all_recovered(lines, newest) && started(ended(lines, newest))));
        }
        let born_paused = self.born_paused && !self.start_seen.contains_key(&0) && !started(None);
        let told = || self.marks.iter().any(|(_, mark)| matches!(mark, Mark::Started | Mark::TimeUp));
        !born_paused && (self.latest.is_some() || told())
    }

    fn marked(&self, mark: Mark) -> impl Iterator<Item = Timestamp> {
        self.marks.iter().filter(move |(_, made)| *made == mark).map(|(at, _)| *at)
    }

    /// Whether its action is done once. Where the object was never seen: it was taken up, and neither started nor timed.
    pub(super) fn is_one_shot(&self) -> bool {
        let guess =
            || self.marked(Mark::Taken).next().is_some() && !self.marks.iter().any(|(_, m)| matches!(m, Mark::Started | Mark::TimeUp));
        self.latest.as_ref().map_or_else(guess, |latest| latest.one_shot)
    }

    fn begin(&self, number: u32, first: Option<Moment>, lines: &[Line<'_>]) -> Moment {
        let before = first.map(|first| first.at + if first.precision == Precision::Ns { SignedDuration::ZERO } else { SECOND });
        let after = if number > 1 { ended(lines, number - 1) } else { None };
        let fits = |at: &Timestamp| before.is_none_or(|before| *at <= before) && after.is_none_or(|after| *at > after);
        let started = self.marked(Mark::Started).find(fits).map(Moment::exact);
        let seen = self.start_seen.get(&(number - 1)).copied().map(Moment::seen);
        if number > 1 {
            return started.or(first).or(seen).unwrap_or(Moment::seen(after.unwrap_or(self.first_seen)));
        }
        let taken = || self.marked(Mark::Taken).next().map(Moment::exact);
        let created = || self.latest.as_ref()?.created_at.map(Moment::second);
        let made = if self.born_paused { None } else { started.or_else(|| merge(taken(), created())) };
        let made = match (made, first) {
            (Some(made), Some(first)) if first.at < made.at => Some(first), // the API server's clock is ahead of the controller's
            (made, _) => made,
        };
        started.or(made).or(first).or(seen).unwrap_or(Moment::seen(self.first_seen))
    }

    /// When its end was asked for.
    pub(super) fn stop(&self, cycle: &Cycle, lines: &[Line<'_>]) -> Option<Moment> {
        let within = |at: Timestamp| at >= cycle.begin.at - SECOND && cycle.until.is_none_or(|until| at < until);
        let early = |at: &Timestamp| within(*at) && cycle.first.is_none_or(|first| *at <= first.at + SECOND);
        let from = self.marked(Mark::Started).filter(early).last().unwrap_or(cycle.begin.at - SECOND);
        let is_end = |mark: Mark| matches!(mark, Mark::TimeUp | Mark::Paused | Mark::Deleted);
        let marked = self.marks.iter().find(|(at, mark)| is_end(*mark) && *at >= from && within(*at)).map(|(at, _)| Moment::exact(*at));
        if marked.is_some() {
            return marked;
        }
        let latest = self.latest.as_deref().filter(|_| cycle.until.is_none());
        let deleted = latest.and_then(|latest| latest.deletion_at).map(Moment::second);
        let pending = cycle.first.is_none() && cycle.number > 1;
        let seen = if pending {
            latest.filter(|l| l.desired == Some(Desired::Stop)).map(|l| l.seen)
        } else {
            self.stop_seen.get(&cycle.number).copied()
        };
        let recovers = lines.iter().filter_map(|line| line.cells.get(&cycle.number)?.recover);
        let recovered = recovers.min_by_key(|moment| moment.at);
        let asked = merge(deleted, seen.map(Moment::seen));
        match (asked, recovered) {
            (asked, Some(recovered)) if asked.is_none_or(|asked| asked.at > recovered.at) => Some(recovered),
            (asked, _) => asked,
        }
    }
}

/// When anybody first took each step.
fn first_of_each<'a>(steps: impl Iterator<Item = &'a BTreeMap<u32, Moment>>) -> BTreeMap<u32, Moment> {
    let mut first: BTreeMap<u32, Moment> = BTreeMap::new();
    for (number, moment) in steps.flatten() {
        first.entry(*number).and_modify(|known| *known = if moment.at < known.at { *moment } else { *known }).or_insert(*moment);
    }
    first
}

/// The application a step belongs to, for a target that missed one: by its time, since its number is behind.
fn application(number: u32, apply: Option<&Moment>, begins: &BTreeMap<u32, Moment>) -> u32 {
    let Some(apply) = apply else { return number };
    let begun = begins.iter().filter(|(_, begin)| begin.at.as_second() <= apply.at.as_second());
    begun.map(|(cycle, _)| *cycle).max().unwrap_or(number).max(number)
}

fn all_recovered(lines: &[Line<'_>], number: u32) -> bool {
    lines.iter().filter_map(|line| line.cells.get(&number)).all(|cell| cell.recovered)
}

/// When an application was over as far as its targets tell: its last recovery, else its first injection.
fn ended(lines: &[Line<'_>], number: u32) -> Option<Timestamp> {
    let cells = || lines.iter().filter_map(|line| line.cells.get(&number));
    let recovered = cells().filter_map(|cell| cell.recover).map(|moment| moment.at).max();
    recovered.or_else(|| cells().filter_map(|cell| cell.apply).map(|moment| moment.at).min())
}
