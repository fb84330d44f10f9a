//! Facts → events: the rows the journal keeps and the stream carries.
//!
//! A success has a key made of target and number, so that a record and a Kubernetes Event of the same fact become one row. A failure that
//! was announced has a row by the announcement's own name; it replaces the row its record made, if one was made.

use super::cycles::{Cycle, Line, UNRECORDED};
use super::track::{Fresh, Track};
use super::{History, SAME};
use crate::event::{Event, Severity};
use crate::observation::{News, Notice, Object, Operation, Step, TargetName};
use crate::run::Run;
use crate::time::{Moment, Precision};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// What a record told that was not known before, by its place in the tracks.
pub(super) type Told = Vec<(usize, Fresh)>;

impl Operation {
    /// The word used in keys and in attributes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Recover => "recover",
        }
    }
}

impl History {
    /// Takes in the records of one version; gives what was new.
    pub(super) fn take_records(&mut self, object: &Object) -> Told {
        let mut told = Vec::new();
        for record in &object.records {
            let place = self.tracks.binary_search_by(|track| (&track.selector, &track.id).cmp(&(&record.selector, &record.id)));
            let place = place.unwrap_or_else(|place| {
                self.tracks.insert(place, Track::of(record));
                told.iter_mut().filter(|(known, _): &&mut (usize, Fresh)| *known >= place).for_each(|(known, _)| *known += 1);
                place
            });
            told.extend(self.tracks[place].take(record).into_iter().map(|fresh| (place, fresh)));
        }
        told
    }

    pub(super) fn object_rows(&self, told: &Told) -> Vec<Event> {
        if told.is_empty() {
            return Vec::new();
        }
        let lines = self.lines();
        let cycles = self.cycles(&lines);
        told.iter().filter_map(|(place, fresh)| self.record_row(lines.get(*place)?, fresh, &cycles)).collect()
    }

    fn record_row(&self, line: &Line<'_>, fresh: &Fresh, cycles: &[Cycle]) -> Option<Event> {
        let target = &self.tracks.iter().find(|track| track.id == line.id && track.selector == line.selector)?.target;
        match fresh {
            Fresh::Done(operation, number) => {
                let steps = if *operation == Operation::Apply { &line.applies } else { &line.recovers };
                let moment = *steps.get(number)?;
                let (reason, done) = if *operation == Operation::Apply { ("Applied", "apply") } else { ("Recovered", "recover") };
                let mut event = self.row(step_key(&self.about.uid, line, *operation, *number), moment, target);
                event.run = line.numbers.get(number).map(|cycle| Run::id_of(&self.cluster, &self.about.uid, *cycle));
                reason.clone_into(&mut event.reason);
                event.message = format!("Successfully {done} chaos for {}", line.id);
                event.replaces = Some(key_of(&self.about.uid, UNRECORDED, line.id, *operation, *number)); // it was announced before
                event.announced = moment.precision == Precision::Ns;
                event.attributes.insert("id".to_owned(), line.id.to_owned());
                Some(event)
            }
            Fresh::Failed(step) => {
                let key = failure_key(&self.about.uid, line.selector, line.id, step);
                if self.announced_failure(step, &key) {
                    return None;
                }
                let mut event = self.row(key, Moment::second(step.at), target);
                event.run = self.run_at(step.at, cycles);
                event.severity = Severity::Warning;
                "Failed".clone_into(&mut event.reason);
                event.message = format!("Failed to {} chaos: {}", step.operation.as_str(), step.message);
                event.attributes.insert("id".to_owned(), line.id.to_owned());
                event.attributes.insert("operation".to_owned(), step.operation.as_str().to_owned());
                Some(event)
            }
        }
    }

    /// Whether this failure of a record was announced: of several that read the same, as many as were announced.
    fn announced_failure(&self, step: &Step, place: &str) -> bool {
        let alike = |(at, operation, message): &&(Timestamp, Operation, String)| {
            *operation == step.operation && message.starts_with(&step.message) && close(*at, step.at)
        };
        let announced = self.failures.iter().filter(alike).count();
        let keys = self.failed_alike(step.at, step.operation, &step.message);
        keys.iter().position(|key| *key == place).is_some_and(|rank| rank < announced)
    }

    /// Keys of the rows that records make of failures that read the same and are close to a time, in an order of their own.
    fn failed_alike(&self, at: Timestamp, operation: Operation, message: &str) -> Vec<String> {
        let alike = |step: &&Step| step.operation == operation && message.starts_with(&step.message) && close(at, step.at);
        let keys = self.tracks.iter().flat_map(|track| {
            track.failures.iter().filter(alike).map(|step| failure_key(&self.about.uid, &track.selector, &track.id, step))
        });
        let mut keys: Vec<String> = keys.collect();
        keys.sort();
        keys.dedup();
        keys
    }

    pub(super) fn notice_event(&self, notice: &Notice) -> Event {
        let lines = self.lines_ahead();
        let mut event = notice_row(notice, &self.cluster);
        let step = match &notice.news {
            News::Applied { id } => self.step(&lines, id, Operation::Apply, notice.at.at),
            News::Recovered { id } => self.step(&lines, id, Operation::Recover, notice.at.at),
            News::Failed { operation: Some(operation), message } => {
                event.replaces = self.recorded_failure(notice.at.at, *operation, message);
                event.attributes.insert("operation".to_owned(), operation.as_str().to_owned());
                None
            }
            _ => None,
        };
        match step {
            Some((key, run)) => (event.key, event.run) = (key, run),
            None => event.run = self.run_at(notice.at.at, &self.cycles(&lines)),
        }
        event
    }

    /// The key and the run of a success that was announced.
    fn step(&self, lines: &[Line<'_>], id: &str, operation: Operation, at: Timestamp) -> Option<(String, Option<String>)> {
        lines.iter().filter(|line| line.id == id).find_map(|line| {
            let steps = if operation == Operation::Apply { &line.applies } else { &line.recovers };
            let number = steps.iter().find(|(_, moment)| moment.at == at).map(|(number, _)| *number)?;
            let run = line.numbers.get(&number).map(|cycle| Run::id_of(&self.cluster, &self.about.uid, *cycle));
            Some((step_key(&self.about.uid, line, operation, number), run))
        })
    }

    /// The key of the row a record made of this failure: of several that read the same, the one of this announcement's rank.
    fn recorded_failure(&self, at: Timestamp, operation: Operation, message: &str) -> Option<String> {
        let alike = |(other, done, text): &&(Timestamp, Operation, String)| *done == operation && text == message && close(*other, at);
        let rank = self.failures.iter().filter(alike).position(|(other, ..)| *other == at)?;
        self.failed_alike(at, operation, message).into_iter().nth(rank)
    }

    /// The application something happened in: the last one that had begun.
    fn run_at(&self, at: Timestamp, cycles: &[Cycle]) -> Option<String> {
        let slack = SignedDuration::from_secs(1);
        let begun = cycles.iter().rev().find(|cycle| cycle.begin.at <= at + slack);
        begun.or_else(|| cycles.first()).map(|cycle| Run::id_of(&self.cluster, &self.about.uid, cycle.number))
    }

    pub(super) fn row(&self, key: String, moment: Moment, target: &TargetName) -> Event {
        Event {
            key,
            run: None,
            tool: self.tool,
            cluster: self.cluster.clone(),
            kind: self.about.kind.clone(),
            namespace: self.about.namespace.clone(),
            name: self.about.name.clone(),
            uid: self.about.uid.clone(),
            at: moment.at,
            precision: moment.precision,
            severity: Severity::Normal,
            reason: String::new(),
            message: String::new(),
            target_namespace: target.namespace.clone(),
            target_pod: target.pod.clone(),
            target_container: target.container.clone(),
            attributes: BTreeMap::new(),
            announced: false,
            replaces: None,
        }
    }
}

/// The row of a Kubernetes Event about an object that is no experiment, or before more is known.
pub fn notice_row(notice: &Notice, cluster: &str) -> Event {
    Event {
        key: format!("{}|{}", notice.about.uid, notice.name),
        run: None,
        tool: notice.tool,
        cluster: cluster.to_owned(),
        kind: notice.about.kind.clone(),
        namespace: notice.about.namespace.clone(),
        name: notice.about.name.clone(),
        uid: notice.about.uid.clone(),
        at: notice.at.at,
        precision: notice.at.precision,
        severity: notice.severity,
        reason: notice.reason.clone(),
        message: notice.message.clone(),
        target_namespace: notice.target.namespace.clone(),
        target_pod: notice.target.pod.clone(),
        target_container: notice.target.container.clone(),
        attributes: notice.attributes.clone(),
        announced: notice.own,
        replaces: None,
    }
}

fn close(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() <= SAME + SAME
}

fn step_key(uid: &str, line: &Line<'_>, operation: Operation, number: u32) -> String {
    key_of(uid, line.selector, line.id, operation, number)
}

fn key_of(uid: &str, selector: &str, id: &str, operation: Operation, number: u32) -> String {
    format!("{uid}|{selector}|{id}|{}|{number}", operation.as_str())
}

fn failure_key(uid: &str, selector: &str, id: &str, step: &Step) -> String {
    format!("{uid}|{selector}|{id}|{} failed|{}", step.operation.as_str(), step.at.as_second())
}
