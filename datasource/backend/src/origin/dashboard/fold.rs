//! Rows of one object → runs and events, by the model's own fold. Pure.
//!
//! The fold wants times that tell what came first, and a Dashboard has whole seconds; so rows of one second are set apart by their place in it,
//! and what comes out is cut to whole seconds again. What a Dashboard cannot tell is what it lost: a run whose object is gone and whose last
//! words were never stored ends as `lost`, between the last thing known and the same.

use super::detail::Detail;
use super::rows::{Listed, Row};
use crate::query::Window;
use chaoscope_model::event::Event;
use chaoscope_model::history::{History, notice_row};
use chaoscope_model::observation::{Departure, Desired, Gone, Object};
use chaoscope_model::run::{Outcome, Phase, Run};
use chaoscope_model::time::Precision;
use chaoscope_model::{Reference, Tool};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An object of which nothing was heard for so long, and which is in no list, is gone: lists are a moment younger or older than events.
const SETTLED: SignedDuration = SignedDuration::from_secs(30);

/// Failures the fold is told of, the newest ones: a run that fails does so every few seconds.
const MOST_FAILURES: usize = 256;

/// What is known of one object.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// As the list of what is there has it.
    pub(super) live: Option<Listed>,
    /// As the archive has it: it is gone.
    pub(super) archived: Option<Listed>,
    /// Its events, in any order, and perhaps several times.
    pub(super) rows: Vec<Row>,
    /// Its specification.
    pub(super) detail: Option<Arc<Detail>>,
}

impl Known {
    pub(super) fn about(&self) -> Option<Reference> {
        let listed = self.live.as_ref().or(self.archived.as_ref());
        let of =
            |it: &Listed| Reference { kind: it.kind.clone(), namespace: it.namespace.clone(), name: it.name.clone(), uid: it.uid.clone() };
        listed.map(of).or_else(|| self.rows.first().map(Row::about))
    }

    pub(super) fn created_at(&self) -> Option<Timestamp> {
        self.live.as_ref().or(self.archived.as_ref())?.created_at
    }

    pub(super) fn is_experiment(&self) -> bool {
        self.rows.first().is_none_or(Row::is_of_experiment)
    }

    /// Its rows, each once, oldest first, with their rank in their second. A Dashboard that restarts stores what it finds again: the same words
    /// in the same second, under another number.
    fn ranked(&self) -> Vec<(usize, &Row)> {
        let mut first: BTreeMap<(Timestamp, &str, &str), &Row> = BTreeMap::new();
        for row in &self.rows {
            let known = first.entry((row.created_at, &row.reason, &row.message)).or_insert(row);
            if row.id < known.id {
                *known = row;
            }
        }
        let mut rows: Vec<&Row> = first.into_values().collect();
        rows.sort_by_key(|row| (row.created_at, row.id));
        let mut ranked: Vec<(usize, &Row)> = Vec::with_capacity(rows.len());
        for row in rows {
            let rank = ranked.last().filter(|(_, last)| last.created_at == row.created_at).map_or(0, |(rank, _)| rank + 1);
            ranked.push((rank, row));
        }
        ranked
    }

    /// Its runs, oldest first; `now` is when the Dashboard was asked.
    pub(super) fn runs(&self, cluster: &str, now: Timestamp) -> Vec<Run> {
        self.told(cluster, now, &self.ranked()).map_or_else(Vec::new, |(_, runs)| runs)
    }

    /// Its runs, and its events of a window, both oldest first.
    pub(super) fn events(&self, cluster: &str, now: Timestamp, window: Window) -> (Vec<Run>, Vec<Event>) {
        let ranked = self.ranked();
        let within = ranked.iter().filter(|(_, row)| row.created_at >= window.from && row.created_at <= window.to);
        let notices = within.map(|(rank, row)| row.notice(*rank));
        match self.told(cluster, now, &ranked) {
            // All is known by now, so an event's run is that of the whole story.
            Some((mut history, runs)) => (runs, notices.map(|notice| in_seconds(history.notice(&notice))).collect()),
            None => (Vec::new(), notices.map(|notice| in_seconds(notice_row(&notice, cluster))).collect()),
        }
    }

    /// The story so far, and its runs; `None` where it is not an experiment's.
    fn told(&self, cluster: &str, now: Timestamp, ranked: &[(usize, &Row)]) -> Option<(History, Vec<Run>)> {
        let about = self.about().filter(|_| self.is_experiment())?;
        let rows: Vec<&Row> = ranked.iter().map(|(_, row)| *row).collect();
        let first = self.created_at().into_iter().chain(rows.first().map(|row| row.created_at)).min().unwrap_or(now);
        let mut history = History::new(cluster, Tool::ChaosMesh, about.clone(), first);
        let failures = rows.iter().filter(|row| row.reason == "Failed").count();
        let mut old = failures.saturating_sub(MOST_FAILURES);
        for (rank, row) in ranked.iter().filter(|(_, row)| row.tells()) {
            if row.reason == "Failed" && old > 0 {
                old -= 1;
                continue;
            }
            drop(history.notice(&row.notice(*rank)));
        }
        if let Some(live) = &self.live {
            drop(history.object(self.object(about, live, &rows, now)));
        } else if let Some(gone) = self.gone(about, ranked, now) {
            history.depart(&gone);
        }
        let mut runs = history.runs();
        let last = runs.len();
        for (place, run) in runs.iter_mut().enumerate() {
            self.correct(run, place + 1 == last, &rows);
            cut_to_seconds(run);
        }
        Some((history, runs))
    }

    /// As much of the object as a list tells.
    fn object(&self, about: Reference, live: &Listed, rows: &[&Row], now: Timestamp) -> Object {
        let stopping = matches!(live.status.as_str(), "finished" | "paused" | "deleting");
        let last = rows.last().map_or(now, |row| row.created_at);
        Object {
            about,
            tool: Tool::ChaosMesh,
            version: 1,
            seen: now,
            created_at: live.created_at,
            deletion_at: (live.status == "deleting").then_some(last),
            paused: live.status == "paused",
            forced: false,
            desired: Some(if stopping { Desired::Stop } else { Desired::Run }),
            one_shot: self.is_one_shot(rows),
            remote: false,
            action: String::new(),
            duration: None,
            selected: false,
            all_injected: live.status == "running",
            records: Vec::new(),
            parent: None,
            started_by: None,
            parameters: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Whether its action is done once: as its specification says, else it was taken up and applied, and neither started nor timed.
    fn is_one_shot(&self, rows: &[&Row]) -> bool {
        let told = |reason: &str| rows.iter().any(|row| row.reason == reason);
        let guess = || rows.iter().any(|row| row.is_first()) && told("Applied") && !told("Started") && !told("TimeUp");
        self.detail.as_ref().and_then(|detail| detail.one_shot).unwrap_or_else(guess)
    }

    fn gone(&self, about: Reference, ranked: &[(usize, &Row)], now: Timestamp) -> Option<Gone> {
        let (rank, last) = ranked.last()?;
        if let Some((rank, removal)) = ranked.iter().rfind(|(_, row)| row.is_removal()) {
            return Some(Gone { about, seen: removal.notice(*rank).at.at, how: Departure::Deleted });
        }
        let settled = self.archived.is_some() || now.duration_since(last.created_at) > SETTLED;
        settled.then(|| Gone { about, seen: last.notice(*rank).at.at, how: Departure::Absent })
    }

    /// What lists and details tell that events do not.
    fn correct(&self, run: &mut Run, is_last: bool, rows: &[&Row]) {
        let from = run.started_at.as_second();
        let failed = |row: &&&Row| row.created_at.as_second() >= from && row.message.starts_with("Failed to apply chaos");
        if run.outcome == Some(Outcome::NoTargets) && rows.iter().any(|row| failed(&row)) {
            run.outcome = Some(Outcome::InjectionFailed);
        }
        if run.is_open() && run.stop_requested_at.is_some() {
            run.phase = Phase::Recovering;
        }
        let status = self.live.as_ref().filter(|_| is_last && run.is_open()).map_or("", |live| live.status.as_str());
        match (status, run.phase) {
            ("running", Phase::Selecting | Phase::Injecting) => run.phase = Phase::Running,
            ("injecting", Phase::Running) => run.phase = Phase::Injecting,
            ("finished" | "paused", _) => {
                run.phase = Phase::Finished;
                run.outcome = Some(Outcome::Recovered);
                let ended = rows.last().map_or(run.started_at, |row| row.created_at.max(run.started_at));
                run.ended_at = Some(ended);
                run.precision.insert("ended_at".to_owned(), Precision::Seen);
            }
            _ => {}
        }
        if run.outcome == Some(Outcome::Lost) {
            let before = rows.iter().rev().find(|row| !row.reason.starts_with("Updated")).map(|row| row.created_at);
            run.ended_after = before.or(Some(run.started_at));
        }
        if let Some(detail) = &self.detail {
            detail.tell(run, self.created_at());
        }
    }
}

/// A Dashboard's times are whole seconds, whatever the fold was told.
fn cut_to_seconds(run: &mut Run) {
    run.started_at = whole(run.started_at);
    let times = [&mut run.injected_at, &mut run.stop_requested_at, &mut run.recovered_at, &mut run.ended_at, &mut run.ended_after];
    times.into_iter().for_each(|at| *at = at.map(whole));
    run.precision.values_mut().for_each(coarse);
    for target in &mut run.targets {
        target.injected_at = target.injected_at.map(whole);
        target.recovered_at = target.recovered_at.map(whole);
        target.precision.values_mut().for_each(coarse);
    }
}

fn coarse(precision: &mut Precision) {
    *precision = (*precision).min(Precision::S);
}

fn in_seconds(event: Event) -> Event {
    Event { at: whole(event.at), precision: Precision::S, ..event }
}

fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
