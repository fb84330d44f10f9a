//! Facts → runs. Nothing here is stored: every run is computed anew from what is known.
//!
//! An application begins when the controller says it started, and is numbered by how often targets were injected. Its end is asked for by
//! a pause, a deletion or its duration, and comes when every injected target recovered; or never, and then the outcome says so.

use super::track::settle;
use super::{History, Incarnation};
use crate::experiment::shortened;
use crate::observation::{Departure, Desired, Mark, RecordPhase, Step, TargetName};
use crate::run::{Outcome, Phase, Run, Target, TargetState};
use crate::time::{Moment, Precision, merge};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Applications derived of one experiment, newest ones; the journal has the rest.
const MOST_RUNS: u32 = 64;
/// Longest id of a target that is shown.
const LONGEST_ID: usize = 256;
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// One target in one application.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub(super) apply: Option<Moment>,
    recover: Option<Moment>,
    recovered: bool,
}

/// One target through all applications.
pub(super) struct Line<'a> {
    pub(super) selector: &'a str,
    pub(super) id: &'a str,
    target: &'a TargetName,
    phase: RecordPhase,
    failures: Option<&'a BTreeSet<Step>>,
    /// By number of the step: which application it belongs to.
    pub(super) numbers: BTreeMap<u32, u32>,
    pub(super) applies: BTreeMap<u32, Moment>,
    pub(super) recovers: BTreeMap<u32, Moment>,
    /// By application.
    cells: BTreeMap<u32, Cell>,
}

/// One application, before anything is said about its end.
pub(super) struct Cycle {
    pub(super) number: u32,
    pub(super) begin: Moment,
    /// When its first target was injected.
    first: Option<Moment>,
    /// When the next one began.
    until: Option<Timestamp>,
}

impl History {
    /// Every application known, oldest first.
    pub fn runs(&self) -> Vec<Run> {
        let lines = self.lines();
        let cycles = self.cycles(&lines);
        cycles.iter().map(|cycle| self.run(cycle, &lines)).collect()
    }

    /// Targets, with every step's time and the application it belongs to.
    pub(super) fn lines(&self) -> Vec<Line<'_>> {
        let nothing = BTreeSet::new();
        let mut lines = Vec::new();
        for track in &self.tracks {
            let announced = self.announced.get(&track.id);
            let (applied, recovered) = announced.map_or((&nothing, &nothing), |announced| (&announced.applied, &announced.recovered));
            let record = self.latest.iter().flat_map(|latest| &latest.records);
            let record = record.filter(|record| record.id == track.id && record.selector == track.selector).map(|record| record.phase);
            let steps = (settle(&track.applies, track.injected, applied), settle(&track.recovers, track.recovered, recovered));
            let names = (track.selector.as_str(), track.id.as_str(), &track.target);
            let phase = record.last().unwrap_or(RecordPhase::Unknown);
            lines.push((names, phase, Some(&track.failures), steps, (track.injected, track.recovered)));
        }
        for (id, announced) in self.announced.iter().filter(|(id, _)| !self.tracks.iter().any(|track| track.id == **id)) {
            let none = BTreeMap::new();
            let steps = (settle(&none, 0, &announced.applied), settle(&none, 0, &announced.recovered));
            lines.push(((".", id.as_str(), &announced.target), RecordPhase::Unknown, None, steps, (0, 0)));
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
            let begin = self.begin(number, first, lines);
            if let Some(last) = cycles.last_mut() {
                last.until = Some(begin.at);
            }
            cycles.push(Cycle { number, begin, first, until: None });
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
        !born_paused && (self.latest.is_some() || !self.marks.is_empty())
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
        started.or(made).or(first).or(seen).unwrap_or(Moment::seen(self.first_seen))
    }

    /// When its end was asked for.
    fn stop(&self, cycle: &Cycle, lines: &[Line<'_>]) -> Option<Moment> {
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

    fn run(&self, cycle: &Cycle, lines: &[Line<'_>]) -> Run {
        let latest = self.latest.as_deref();
        let cells: Vec<Option<Cell>> = lines.iter().map(|line| line.cells.get(&cycle.number).copied()).collect();
        let stop = self.stop(cycle, lines);
        let injected = latest_of(cells.iter().map(|cell| cell.and_then(|cell| cell.apply)));
        let done = cells.iter().any(Option::is_some) && cells.iter().flatten().all(|cell| cell.recovered);
        let recovered = latest_of(cells.iter().flatten().map(|cell| cell.recover)).filter(|_| done);
        let (phase, end) = self.judge(cycle, &cells, stop, injected, recovered);
        let one_shot = self.is_one_shot();
        let stop = stop.filter(|_| !matches!(end, Some((Outcome::Completed, _))));
        let mut precision = BTreeMap::new();
        let mut note = |field: &str, moment| Run::note(&mut precision, field, moment);
        let expected = latest.filter(|_| !one_shot).and_then(|latest| Some(latest.created_at? + latest.duration?)).map(Moment::second);
        let lost = matches!(end, Some((Outcome::Lost, _)));
        note("started_at", Some(cycle.begin));
        let mut run = Run {
            id: Run::id_of(&self.cluster, &self.about.uid, cycle.number),
            tool: self.tool,
            cluster: self.cluster.clone(),
            kind: self.about.kind.clone(),
            action: latest.map_or_else(String::new, |latest| latest.action.clone()),
            namespace: self.about.namespace.clone(),
            name: self.about.name.clone(),
            uid: self.about.uid.clone(),
            ordinal: cycle.number,
            phase,
            outcome: end.map(|(outcome, _)| outcome),
            started_at: cycle.begin.at,
            injected_at: note("injected_at", injected),
            stop_requested_at: note("stop_requested_at", stop),
            recovered_at: note("recovered_at", recovered.filter(|_| !one_shot)),
            expected_end_at: note("expected_end_at", expected),
            ended_at: note("ended_at", end.map(|(_, at)| at)),
            ended_after: note("ended_after", self.last_seen.map(Moment::seen).filter(|_| lost)),
            baseline: false,
            stuck_since: None,
            overdue_since: None,
            precision: BTreeMap::new(),
            parent: latest.and_then(|latest| latest.parent.clone()),
            started_by: latest.and_then(|latest| latest.started_by.clone()),
            parameters: latest.map_or_else(BTreeMap::new, |latest| latest.parameters.clone()),
            labels: latest.map_or_else(BTreeMap::new, |latest| latest.labels.clone()),
            targets: lines.iter().zip(cells).map(|(line, cell)| self.target(cycle, line, cell, end.is_some())).collect(),
        };
        run.precision = precision;
        run
    }

    /// Where an application is, and how it ended.
    fn judge(
        &self,
        cycle: &Cycle,
        cells: &[Option<Cell>],
        stop: Option<Moment>,
        injected: Option<Moment>,
        recovered: Option<Moment>,
    ) -> (Phase, Option<(Outcome, Moment)>) {
        let over = |outcome, at: Option<Moment>| (Phase::Finished, Some((outcome, at.unwrap_or(self.fallback(cycle)))));
        let applied = cells.iter().any(Option::is_some);
        let unrecovered = cells.iter().flatten().any(|cell| !cell.recovered);
        let last_recover = || cells.iter().flatten().filter_map(|cell| cell.recover).max_by_key(|moment| moment.at);
        let clean = || match (applied, cells.is_empty()) {
            (true, _) => over(Outcome::Recovered, recovered.or_else(last_recover).or(stop)),
            (false, true) => over(Outcome::NoTargets, stop),
            (false, false) => over(Outcome::InjectionFailed, stop),
        };
        if let Some(until) = cycle.until {
            let next = Some(Moment::seen(until));
            return if unrecovered { over(Outcome::RecoveryFailed, next) } else { clean() };
        }
        if self.is_one_shot() && applied && cells.iter().all(Option::is_some) {
            return over(Outcome::Completed, injected);
        }
        let latest = self.latest.as_deref();
        let waiting = latest.is_some_and(|latest| latest.records.iter().any(|record| record.phase == RecordPhase::Applying));
        let desired = latest.and_then(|latest| latest.desired);
        let asked = latest.is_some_and(|latest| latest.paused || latest.deletion_at.is_some()) || desired == Some(Desired::Stop);
        let stopped = desired == Some(Desired::Stop) || (self.gone.is_some() && stop.is_some_and(|stop| stop.precision == Precision::Ns));
        if stopped && !unrecovered && !waiting {
            return clean();
        }
        match self.gone.map(|(how, at)| (how, Moment::seen(at))) {
            Some((Departure::Deleted, at)) if unrecovered => over(Outcome::Forced, Some(at)),
            Some((Departure::Deleted, at)) if !applied && !cells.is_empty() => over(Outcome::InjectionFailed, Some(at)),
            Some((Departure::Deleted, _)) => clean(),
            Some((Departure::Absent, at)) => over(Outcome::Lost, Some(at)),
            None if asked && unrecovered => (Phase::Recovering, None),
            None if cells.is_empty() => (Phase::Selecting, None),
            None if cells.iter().all(Option::is_some) && !unrecovered => (Phase::Recovering, None),
            None if cells.iter().all(Option::is_some) => (Phase::Running, None),
            None => (Phase::Injecting, None),
        }
    }

    /// When an end is known, and its time is not.
    fn fallback(&self, cycle: &Cycle) -> Moment {
        let gone = self.gone.map(|(_, at)| at);
        Moment::seen(gone.into_iter().chain(self.last_seen).min().unwrap_or(cycle.begin.at).max(cycle.begin.at))
    }

    fn target(&self, cycle: &Cycle, line: &Line<'_>, cell: Option<Cell>, over: bool) -> Target {
        let apply = cell.and_then(|cell| cell.apply);
        let (pod, replaced) = self.incarnation(line.target, apply.map(|moment| moment.at));
        let within = |step: &&Step| step.at >= cycle.begin.at - SECOND && cycle.until.is_none_or(|until| step.at < until);
        let failure = line.failures.and_then(|failures| failures.iter().rev().find(within)).map(|step| step.message.clone());
        let one_shot = self.is_one_shot();
        let (mut state, mut message) = (state(line.phase, cell, over, one_shot), failure.unwrap_or_default());
        if matches!(state, TargetState::Injected | TargetState::Recovering) && replaced && !one_shot {
            state = TargetState::Gone;
            "the pod that was injected is gone; the tool has not noticed".clone_into(&mut message);
        }
        let mut precision = BTreeMap::new();
        let pod = pod.cloned().unwrap_or_default();
        Target {
            id: shortened(line.id, LONGEST_ID),
            namespace: line.target.namespace.clone(),
            pod: line.target.pod.clone(),
            container: line.target.container.clone(),
            netns: String::new(),
            node: pod.node,
            workload: pod.workload,
            workload_kind: pod.workload_kind,
            role: if line.selector == ".Target" { "peer" } else { "selected" }.to_owned(),
            state,
            injected_at: Run::note(&mut precision, "injected_at", apply),
            recovered_at: Run::note(
                &mut precision,
                "recovered_at",
                cell.filter(|cell| cell.recovered && !one_shot).and_then(|cell| cell.recover),
            ),
            precision,
            message,
            verdict: None,
        }
    }

    /// The pod of that name that was there when the fault was applied, and whether it is gone by now.
    fn incarnation(&self, target: &TargetName, applied: Option<Timestamp>) -> (Option<&Incarnation>, bool) {
        let Some(named) = self.pods.get(&format!("{}/{}", target.namespace, target.pod)) else { return (None, false) };
        let mut pods: Vec<&Incarnation> = named.values().collect();
        pods.sort_by_key(|pod| pod.created_at);
        let before = |pod: &&&Incarnation| applied.is_none_or(|applied| pod.created_at.is_none_or(|created| created <= applied + SECOND));
        let chosen = pods.iter().filter(before).next_back().copied();
        let newer = applied.is_some() && chosen.is_some_and(|chosen| pods.last().is_some_and(|last| last.created_at > chosen.created_at));
        let unknown = applied.is_some() && chosen.is_none() && !pods.is_empty();
        (
            chosen.or_else(|| pods.first().copied().filter(|_| applied.is_none())),
            newer || unknown || chosen.is_some_and(|pod| pod.gone_at.is_some()),
        )
    }
}

/// A kill is not taken back, whatever the tool says; and once a run is over nobody takes anything away.
fn state(phase: RecordPhase, cell: Option<Cell>, over: bool, one_shot: bool) -> TargetState {
    match (cell, phase) {
        (Some(cell), _) if cell.recovered && !one_shot => TargetState::Recovered,
        (Some(_), RecordPhase::Recovering) if !over => TargetState::Recovering,
        (Some(_), _) => TargetState::Injected,
        (None, _) if over => TargetState::Failed,
        (None, RecordPhase::Applying) => TargetState::Injecting,
        (None, _) => TargetState::Pending,
    }
}

/// The latest of all, if all are known and there is one.
fn latest_of(moments: impl Iterator<Item = Option<Moment>>) -> Option<Moment> {
    moments.collect::<Option<Vec<_>>>()?.into_iter().max_by_key(|moment| moment.at)
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
