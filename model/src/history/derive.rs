//! Facts → runs. Nothing here is stored: every run is computed anew from what is known.
//!
//! An application begins when the controller says it started, and is numbered by how often targets were injected. Its end is asked for by
//! a pause, a deletion or its duration, and comes when every injected target recovered; or never, and then the outcome says so.

use super::cycles::{Cell, Cycle, Line, SECOND};
use super::{History, Incarnation};
use crate::experiment::shortened;
use crate::few::Few;
use crate::observation::{Departure, Desired, RecordPhase, Step, TargetName};
use crate::run::{Outcome, Phase, Run, Target, TargetState};
use crate::time::{Moment, Precision};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest id of a target that is shown.
pub(super) const LONGEST_ID: usize = 256;

impl History {
    /// Every application known, oldest first.
    pub fn runs(&self) -> Vec<Run> {
        let lines = self.lines();
        let cycles = self.cycles(&lines);
        cycles.iter().map(|cycle| self.run(cycle, &lines)).collect()
    }

    fn run(&self, cycle: &Cycle, lines: &[Line<'_>]) -> Run {
        let latest = self.latest.as_deref();
        let cells: Vec<Option<Cell>> = lines.iter().map(|line| line.cells.get(&cycle.number).copied()).collect();
        let stop = self.stop(cycle, lines);
        let injected = latest_of(cells.iter().map(|cell| cell.and_then(|cell| cell.apply)));
        let done = cells.iter().any(Option::is_some) && cells.iter().flatten().all(|cell| cell.recovered);
        let recovered = latest_of(cells.iter().flatten().map(|cell| cell.recover)).filter(|_| done);
        let one_shot = self.is_one_shot();
        let (phase, end) = self.judge(cycle, &cells, stop, injected, recovered);
        // Three clocks are involved; whatever they say, an end is not before what it ends.
        let counts = |cell: &Cell| [cell.apply, cell.recover.filter(|_| !one_shot)];
        let steps = cells.iter().flatten().flat_map(counts).flatten().map(|moment| moment.at);
        let latest_step = steps.max().unwrap_or(cycle.begin.at).max(cycle.begin.at);
        let end = end.map(|(outcome, at)| (outcome, Moment { at: at.at.max(latest_step), ..at }));
        let stop = stop.filter(|_| !matches!(end, Some((Outcome::Completed, _))));
        let mut precision = Few::new();
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
            baseline: cycle.is_unknown,
            stuck_since: None,
            overdue_since: None,
            precision: Few::new(),
            parent: latest.and_then(|latest| latest.parent.clone()),
            started_by: latest.and_then(|latest| latest.started_by.clone()),
            parameters: latest.map_or_else(BTreeMap::new, |latest| latest.parameters.clone()),
            labels: latest.map_or_else(BTreeMap::new, |latest| latest.labels.clone()),
            targets: lines.iter().zip(cells).map(|(line, cell)| self.target(cycle, line, cell, end.map(|(_, at)| at.at))).collect(),
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
            (false, true) if self.is_untold() => over(Outcome::Lost, stop),
            (false, true) => over(Outcome::NoTargets, stop),
            (false, false) => over(Outcome::InjectionFailed, stop),
        };
        let latest = self.latest.as_deref();
        let leaving = self.gone().is_some() || latest.is_some_and(|latest| latest.deletion_at.is_some());
        if self.is_one_shot() && applied && (leaving || cells.iter().all(Option::is_some)) {
            let last_apply = cells.iter().flatten().filter_map(|cell| cell.apply).max_by_key(|moment| moment.at);
            return over(Outcome::Completed, injected.or(last_apply));
        }
        if let Some(until) = cycle.until {
            let next = Some(Moment::seen(until));
            return if unrecovered { over(Outcome::RecoveryFailed, next) } else { clean() };
        }
        let waiting = latest.is_some_and(|latest| latest.records.iter().any(|record| record.phase == RecordPhase::Applying));
        let desired = latest.and_then(|latest| latest.desired);
        let asked = latest.is_some_and(|latest| latest.paused || latest.deletion_at.is_some()) || desired == Some(Desired::Stop);
        let stopped = desired == Some(Desired::Stop) || (self.gone().is_some() && stop.is_some_and(|stop| stop.precision == Precision::Ns));
        if stopped && !unrecovered && !waiting {
            return clean();
        }
        match self.gone().map(|(how, at)| (how, Moment::seen(at))) {
            Some((Departure::Deleted, at)) if unrecovered => over(Outcome::Forced, Some(at)),
            Some((Departure::Deleted, at)) if !applied && !cells.is_empty() => over(Outcome::InjectionFailed, Some(at)),
            Some((Departure::Deleted, _)) => clean(),
            // Nobody saw it go, but all it had done was told to be undone, perhaps after the last look at the object.
            Some((Departure::Absent, _)) if applied && cells.iter().all(Option::is_some) && !unrecovered => clean(),
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
        let gone = self.gone().map(|(_, at)| at);
        Moment::seen(gone.into_iter().chain(self.last_seen).min().unwrap_or(cycle.begin.at).max(cycle.begin.at))
    }

    fn target(&self, cycle: &Cycle, line: &Line<'_>, cell: Option<Cell>, end: Option<Timestamp>) -> Target {
        let apply = cell.and_then(|cell| cell.apply);
        let (pod, replaced) = self.incarnation(line.target, apply.map(|moment| moment.at), end);
        let within = |step: &&Step| step.at >= cycle.begin.at - SECOND && cycle.until.is_none_or(|until| step.at < until);
        let failure = line.failures.and_then(|failures| failures.iter().rev().find(within)).map(|step| step.message.clone());
        let one_shot = self.is_one_shot();
        let (mut state, mut message) = (state(line.phase, cell, end.is_some(), one_shot), failure.unwrap_or_default());
        if matches!(state, TargetState::Injected | TargetState::Recovering) && replaced && !one_shot {
            state = TargetState::Gone;
            "the pod that was injected is gone; the tool has not noticed".clone_into(&mut message);
        }
        let mut precision = Few::new();
        let pod = pod.cloned().unwrap_or_default();
        let run = Run::id_of(&self.cluster, &self.about.uid, cycle.number);
        let known = if self.found.is_empty() { None } else { self.known(&run, line.selector, line.id) };
        let over = end.is_some() || matches!(state, TargetState::Recovered | TargetState::Failed);
        let judgement = known.as_ref().filter(|_| !over).and_then(|known| known.judgement);
        Target {
            id: shortened(line.id, LONGEST_ID),
            namespace: line.target.namespace.clone(),
            pod: line.target.pod.clone(),
            container: line.target.container.clone(),
            netns: String::new(),
            node: pod.node.as_ref().to_owned(),
            workload: pod.workload.as_ref().to_owned(),
            workload_kind: pod.workload_kind.as_ref().to_owned(),
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
            verdict: judgement.map(|judgement| judgement.verdict.as_str().to_owned()),
            verdict_reason: judgement.map_or_else(String::new, |judgement| judgement.reason.clone()),
            verdict_since: judgement.and(known.as_ref()).and_then(|known| known.since),
            residue: known.filter(|_| over).and_then(|known| known.left).map(|left| left.as_str().to_owned()),
        }
    }

    /// The pod of that name that was there when the fault was applied, and whether it is gone by now.
    fn incarnation(&self, target: &TargetName, applied: Option<Timestamp>, end: Option<Timestamp>) -> (Option<&Incarnation>, bool) {
        let lodging = self.lodging((&target.namespace, &target.pod), applied, end);
        lodging.map_or((None, false), |lodging| (lodging.pod.map(|(_, pod)| pod), lodging.gone || lodging.replaced))
    }

    /// What became of the pod of that name; `None`: nothing is known of any.
    pub(super) fn lodging(&self, name: (&str, &str), applied: Option<Timestamp>, end: Option<Timestamp>) -> Option<Lodging<'_>> {
        let (namespace, pod) = name;
        let named = self.pods.get(&format!("{namespace}/{pod}")).filter(|_| !self.is_remote())?;
        // What becomes of pods after the end does not change the run.
        let until = |at: Option<Timestamp>| end.is_none_or(|end| at.is_none_or(|at| at <= end));
        let mut pods: Vec<(&Arc<str>, &Incarnation)> = named.iter().filter(|(_, pod)| until(pod.created_at)).collect();
        pods.sort_by_key(|(_, pod)| pod.created_at);
        let created = |pod: &(&Arc<str>, &Incarnation)| pod.1.created_at;
        let before = |pod: &&(&Arc<str>, &Incarnation)| applied.is_none_or(|applied| created(pod).is_none_or(|at| at <= applied + SECOND));
        let chosen = pods.iter().rfind(before).copied();
        let newer = applied.is_some() && chosen.is_some_and(|chosen| pods.last().is_some_and(|last| created(last) > created(&chosen)));
        let unknown = applied.is_some() && chosen.is_none() && !pods.is_empty();
        Some(Lodging {
            pod: chosen.or_else(|| pods.first().copied().filter(|_| applied.is_none())),
            replaced: newer || unknown,
            gone: chosen.is_some_and(|(_, pod)| pod.gone_at.is_some_and(|at| until(Some(at)))),
        })
    }
}

/// The pod that has a target's name.
pub(super) struct Lodging<'a> {
    /// The one that was there when the fault was applied, by its uid.
    pub(super) pod: Option<(&'a Arc<str>, &'a Incarnation)>,
    /// Another one has its name now.
    pub(super) replaced: bool,
    /// It was seen to be gone.
    pub(super) gone: bool,
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
