//! What a caller asks for: [`Filter`], the same parameters for runs and for events, with its one way to match; [`RunQuery`] and
//! [`EventQuery`] add the time and the page.
//!
//! A value may hold `*` (glob), begin with `~` (regular expression) or `!` (not); repeated values are alternatives;
//! `text` is looked for anywhere in a value, all others are the value. Whoever narrows a search
//! by other means (the journal's SQL) must never narrow more than this does: `stuck` and `overdue` are no phases anybody stores, and what a
//! caller may not see is taken away before it is matched.

mod closed;
mod lasting;
mod words;

use crate::event::Event;
use crate::run::{Run, Target};
use jiff::Timestamp;
use std::collections::BTreeMap;

pub use closed::closed;
pub use words::{LONGEST_VALUE, MOST_VALUES, Words};

/// Most regular expressions of one query, all parameters together: each costs memory and time.
pub const MOST_EXPRESSIONS: usize = 20;
/// Words `phase` may ask for besides the phases a run has: they depend on the present ([`Filter::now`]).
pub const DERIVED_PHASES: [&str; 2] = ["stuck", "overdue"];

/// The parameters that filter, as they are written in a query. `label` is `key=value`.
pub const FIELDS: [&str; 14] = [
    "tool",
    "cluster",
    "kind",
    "namespace",
    "name",
    "phase",
    "outcome",
    "target_namespace",
    "target_pod",
    "target_node",
    "target_workload",
    "label",
    "reason",
    "type",
];

/// The parameter that is looked for anywhere.
const TEXT: &str = "text";

/// What of a run is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All there is; some of it may be taken away before it is shown.
    Whole,
    /// What is shown.
    Seen,
}

/// Why a parameter is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such parameter.
    #[error("there is no parameter {0:?}; allowed are {1}")]
    Unknown(String, String),
    /// A value cannot be understood.
    #[error("{parameter}: {reason}")]
    Value {
        /// Which parameter.
        parameter: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}

impl Refused {
    fn value(parameter: &str, reason: String) -> Self {
        Self::Value { parameter: parameter.to_owned(), reason }
    }
}

/// Everything that filters.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    words: BTreeMap<&'static str, Words>,
    /// How many regular expressions there are.
    expressions: usize,
    /// The present, for `phase=stuck` and `phase=overdue`; without it only what [`Run::at`] noted in a run counts.
    pub now: Option<Timestamp>,
}

/// Which runs, and how many.
#[derive(Clone, Debug)]
pub struct RunQuery {
    /// Runs that end before are left out.
    pub from: Timestamp,
    /// Runs that start later are left out.
    pub to: Timestamp,
    /// At most so many.
    pub limit: usize,
    /// Where the last page ended.
    pub after: Option<Position>,
    /// Which of them.
    pub filter: Filter,
}

/// Which events, and how many.
#[derive(Clone, Debug)]
pub struct EventQuery {
    /// Earlier events are left out.
    pub from: Timestamp,
    /// Later events are left out.
    pub to: Timestamp,
    /// At most so many.
    pub limit: usize,
    /// Where the last page ended.
    pub after: Option<Position>,
    /// Which of them.
    pub filter: Filter,
}

/// A place in a list that is ordered by time, newest first: everything before (time, row) has been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Time of the last row that was answered.
    pub at: Timestamp,
    /// Its number in the journal.
    pub row: i64,
}

impl Filter {
    /// A filter of nothing, that knows the present.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Some(now), ..Self::default() }
    }

    /// One more `parameter=value`. `Ok(false)`: not a filter's parameter.
    pub fn add(&mut self, parameter: &str, value: &str) -> Result<bool, Refused> {
        let Some(field) = FIELDS.into_iter().chain([TEXT]).find(|field| *field == parameter) else { return Ok(false) };
        if value.chars().nth(LONGEST_VALUE).is_some() {
            return Err(Refused::value(parameter, format!("longer than {LONGEST_VALUE} characters")));
        }
        self.add_word(field, value)?;
        Ok(true)
    }

    fn add_word(&mut self, field: &'static str, value: &str) -> Result<(), Refused> {
        if words::is_expression(words::positive(value).1) {
            self.expressions += 1;
            if self.expressions > MOST_EXPRESSIONS {
                return Err(Refused::value(field, format!("more than {MOST_EXPRESSIONS} regular expressions in one query")));
            }
        }
        closed::check_word(field, value)?;
        let words = self.words.entry(field).or_default();
        words.derived |= field == "phase" && DERIVED_PHASES.contains(&words::positive(value).1);
        if field == TEXT { words.add_part(field, value) } else { words.add(field, value) }
    }

    /// What is asked about one parameter.
    pub fn words(&self, field: &str) -> Option<&Words> {
        self.words.get(field)
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn pass(&self, field: &str, value: &str) -> bool {
        self.words.get(field).is_none_or(|words| words.matches(value))
    }

    /// A run that is stuck or overdue is so besides being in its phase; who belongs to no run is in the phase with the empty name.
    fn pass_phase(&self, run: Option<&Run>) -> bool {
        let Some(words) = self.words.get("phase") else { return true };
        let Some(run) = run else { return words.matches("") };
        let now = |derived: fn(&Run, Timestamp) -> Option<Timestamp>| self.now.and_then(|now| derived(run, now));
        let stuck = run.stuck_since.or_else(|| now(Run::stuck_at)).map(|_| "stuck");
        let overdue = run.overdue_since.or_else(|| now(Run::overdue_at)).map(|_| "overdue");
        words.matches_any(std::iter::once(run.phase.as_str()).chain(stuck).chain(overdue))
    }

    fn pass_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let pairs: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.words.get("label").is_none_or(|words| words.matches_any(pairs.iter().map(String::as_str)))
    }

    /// One and the same target must pass all that is asked about targets.
    fn pass_target(&self, target: &Target) -> bool {
        self.pass("target_namespace", &target.namespace)
            && self.pass("target_pod", &target.pod)
            && self.pass("target_node", &target.node)
            && self.pass("target_workload", &target.workload)
    }

    fn asks_for_targets(&self) -> bool {
        self.words.keys().any(|field| field.starts_with("target_"))
    }

    /// A part of a run cannot tell what is in the rest: then what is not wanted is not looked for.
    fn pass_text<'a>(&self, extent: Extent, texts: impl Iterator<Item = &'a String>) -> bool {
        let Some(words) = self.words.get(TEXT) else { return true };
        let texts: Vec<_> = texts.map(|text| text.to_lowercase()).collect();
        let texts = texts.iter().map(String::as_str);
        if extent == Extent::Seen { words.matches_any(texts) } else { words.wants_any(texts) }
    }

    /// Whether a run passes, as it is seen. `reason` and `type` are about events only.
    pub fn matches_run(&self, run: &Run) -> bool {
        self.pass_run(Extent::Seen, run)
    }

    /// Whether a run may pass when some of its targets are taken away.
    pub fn may_match_run(&self, run: &Run) -> bool {
        self.pass_run(Extent::Whole, run)
    }

    fn pass_run(&self, extent: Extent, run: &Run) -> bool {
        let texts = [&run.name, &run.namespace, &run.kind, &run.action, &run.uid].into_iter();
        let texts = texts.chain(run.parent.as_ref().map(|parent| &parent.name)).chain(run.parameters.values()).chain(run.labels.values());
        let texts = texts.chain(run.targets.iter().flat_map(|target| [&target.id, &target.workload, &target.message]));
        self.pass("tool", run.tool.as_str())
            && self.pass("cluster", &run.cluster)
            && self.pass("kind", &run.kind)
            && self.pass("namespace", &run.namespace)
            && self.pass("name", &run.name)
            && self.pass_phase(Some(run))
            && self.pass("outcome", run.outcome.map_or("", crate::run::Outcome::as_str))
            && self.pass_labels(&run.labels)
            && (!self.asks_for_targets() || run.targets.iter().any(|target| self.pass_target(target)))
            && self.pass_text(extent, texts)
    }

    /// Whether an event passes; what is asked about targets, labels, phase and outcome is asked of its run where the event does not tell.
    pub fn matches_event(&self, event: &Event, run: Option<&Run>) -> bool {
        let own = [&event.name, &event.namespace, &event.kind, &event.uid, &event.reason, &event.message];
        let target = [&event.target_namespace, &event.target_pod, &event.target_container];
        let texts = own.into_iter().chain(target).chain(event.attributes.values());
        let of_run = run.into_iter().flat_map(|run| run.parent.iter().map(|parent| &parent.name).chain(run.labels.values()));
        let workload = run.and_then(|run| target_of(event, run)).map(|target| &target.workload);
        self.pass("tool", event.tool.as_str())
            && self.pass("cluster", &event.cluster)
            && self.pass("kind", &event.kind)
            && self.pass("namespace", &event.namespace)
            && self.pass("name", &event.name)
            && self.pass("reason", &event.reason)
            && self.pass("type", event.severity.as_str())
            && self.pass_phase(run)
            && self.pass("outcome", run.and_then(|run| run.outcome).map_or("", crate::run::Outcome::as_str))
            && run.map_or_else(|| self.pass_labels(&BTreeMap::new()), |run| self.pass_labels(&run.labels))
            && (!self.asks_for_targets() || self.pass_event_target(event, run))
            && self.pass_text(Extent::Seen, texts.chain(of_run).chain(workload))
    }

    fn pass_event_target(&self, event: &Event, run: Option<&Run>) -> bool {
        if event.target_pod.is_empty() {
            return run.is_some_and(|run| run.targets.iter().any(|target| self.pass_target(target)));
        }
        let known = run.and_then(|run| target_of(event, run));
        let told = Target { namespace: event.target_namespace.clone(), pod: event.target_pod.clone(), ..Target::default() };
        self.pass_target(known.unwrap_or(&told))
    }
}

/// The target an event is about, as its run knows it.
fn target_of<'r>(event: &Event, run: &'r Run) -> Option<&'r Target> {
    let is_it = |target: &&Target| target.namespace == event.target_namespace && target.pod == event.target_pod;
    run.targets.iter().find(is_it).filter(|_| !event.target_pod.is_empty())
}

impl RunQuery {
    /// Whether a run may belong into the answer when some of its targets are taken away.
    pub fn may_match(&self, run: &Run) -> bool {
        run.overlaps(self.from, self.to) && self.filter.may_match_run(run)
    }

    /// Whether a run belongs into the answer as it is seen, the page aside.
    pub fn matches(&self, run: &Run) -> bool {
        run.overlaps(self.from, self.to) && self.filter.matches_run(run)
    }
}

impl EventQuery {
    /// Whether an event belongs into the answer, the page aside.
    pub fn matches(&self, event: &Event, run: Option<&Run>) -> bool {
        event.at >= self.from && event.at <= self.to && self.filter.matches_event(event, run)
    }
}

#[cfg(test)]
mod tests;
