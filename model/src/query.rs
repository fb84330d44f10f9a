//! What a caller asks for: [`Filter`], the same parameters for runs and for events, with its one way to match; [`RunQuery`] and
//! [`EventQuery`] add the time and the page.
//!
//! A value may hold `*` (glob), begin with `~` (regular expression) or `!` (not); repeated values are alternatives. Whoever narrows a search
//! by other means (the journal's SQL) must never narrow more than this does.

use crate::event::Event;
use crate::experiment::Tool;
use crate::run::{Run, Target};
use jiff::Timestamp;
use regex::{Regex, RegexBuilder};
use std::collections::BTreeMap;

/// Longest value of a parameter, in bytes.
pub const LONGEST_VALUE: usize = 1024;
/// Most values of one parameter.
pub const MOST_VALUES: usize = 100;
/// What a compiled regular expression may take, in bytes.
const REGEX_SIZE: usize = 1 << 20;

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

/// One alternative.
#[derive(Clone, Debug)]
enum Shape {
    Exact(String),
    Pattern(Regex),
}

/// The values of one parameter: alternatives, some of them negated.
#[derive(Clone, Debug, Default)]
pub struct Words {
    wanted: Vec<Shape>,
    unwanted: Vec<Shape>,
}

/// Everything that filters.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    words: BTreeMap<&'static str, Words>,
    /// Lower case; found anywhere in names, messages and parameters.
    text: Vec<String>,
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

impl Shape {
    fn of(parameter: &str, text: &str) -> Result<Self, Refused> {
        let refused = |reason: String| Refused::Value { parameter: parameter.to_owned(), reason };
        if text.len() > LONGEST_VALUE {
            return Err(refused(format!("longer than {LONGEST_VALUE} bytes")));
        }
        let pattern = match text.strip_prefix('~') {
            Some(pattern) => format!("^(?:{pattern})$"),
            None if text.contains('*') => format!("(?s)^{}$", regex::escape(text).replace(r"\*", ".*")),
            None => return Ok(Self::Exact(text.to_owned())),
        };
        let built = RegexBuilder::new(&pattern).size_limit(REGEX_SIZE).build();
        built.map(Self::Pattern).map_err(|error| refused(format!("not a regular expression: {error}")))
    }

    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => text == value,
            Self::Pattern(pattern) => pattern.is_match(value),
        }
    }
}

impl Words {
    /// One more value.
    fn add(&mut self, parameter: &str, value: &str) -> Result<(), Refused> {
        if self.wanted.len() + self.unwanted.len() >= MOST_VALUES {
            return Err(Refused::Value { parameter: parameter.to_owned(), reason: format!("more than {MOST_VALUES} values") });
        }
        match value.strip_prefix('!') {
            Some(value) => self.unwanted.push(Shape::of(parameter, value)?),
            None => self.wanted.push(Shape::of(parameter, value)?),
        }
        Ok(())
    }

    /// Whether a value passes: none of the unwanted ones, and one of the wanted ones where there are any.
    pub fn matches(&self, value: &str) -> bool {
        self.matches_any(std::iter::once(value))
    }

    /// The same for something that has several values: one of them must be wanted, none unwanted.
    pub fn matches_any<'a>(&self, values: impl Iterator<Item = &'a str> + Clone) -> bool {
        let hit = |shapes: &[Shape]| values.clone().any(|value| shapes.iter().any(|shape| shape.matches(value)));
        !hit(&self.unwanted) && (self.wanted.is_empty() || hit(&self.wanted))
    }

    /// The values, where only exact ones are wanted: what an index can look up.
    pub fn exact(&self) -> Option<Vec<&str>> {
        let texts = self.wanted.iter().map(|shape| match shape {
            Shape::Exact(text) => Some(text.as_str()),
            Shape::Pattern(_) => None,
        });
        texts.collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty())
    }
}

impl Filter {
    /// One more `parameter=value`. `Ok(false)`: not a filter's parameter.
    pub fn add(&mut self, parameter: &str, value: &str) -> Result<bool, Refused> {
        if parameter == "text" {
            if value.len() > LONGEST_VALUE || self.text.len() >= MOST_VALUES {
                return Err(Refused::Value { parameter: "text".into(), reason: "too long or too often".into() });
            }
            self.text.push(value.to_lowercase());
            return Ok(true);
        }
        let Some(field) = FIELDS.iter().copied().find(|field| *field == parameter) else { return Ok(false) };
        check_word(field, value)?;
        self.words.entry(field).or_default().add(field, value)?;
        Ok(true)
    }

    /// What is asked about one parameter.
    pub fn words(&self, field: &str) -> Option<&Words> {
        self.words.get(field)
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.text.is_empty()
    }

    fn pass(&self, field: &str, value: &str) -> bool {
        self.words.get(field).is_none_or(|words| words.matches(value))
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

    fn pass_text<'a>(&self, texts: impl Iterator<Item = &'a str> + Clone) -> bool {
        self.text.iter().all(|wanted| texts.clone().any(|text| text.to_lowercase().contains(wanted)))
    }

    /// Whether a run passes. `reason` and `type` are about events only.
    pub fn matches_run(&self, run: &Run) -> bool {
        let texts = [&run.name, &run.namespace, &run.kind, &run.action];
        let texts = texts.into_iter().chain(run.parameters.values()).chain(run.targets.iter().flat_map(|t| [&t.id, &t.message]));
        self.pass("tool", run.tool.as_str())
            && self.pass("cluster", &run.cluster)
            && self.pass("kind", &run.kind)
            && self.pass("namespace", &run.namespace)
            && self.pass("name", &run.name)
            && self.pass("phase", run.phase.as_str())
            && self.pass("outcome", run.outcome.map_or("", crate::run::Outcome::as_str))
            && self.pass_labels(&run.labels)
            && (!self.asks_for_targets() || run.targets.iter().any(|target| self.pass_target(target)))
            && self.pass_text(texts.map(String::as_str))
    }

    /// Whether an event passes; what is asked about targets, labels, phase and outcome is asked of its run where the event does not tell.
    pub fn matches_event(&self, event: &Event, run: Option<&Run>) -> bool {
        let texts = [&event.name, &event.namespace, &event.kind, &event.reason, &event.message];
        self.pass("tool", event.tool.as_str())
            && self.pass("cluster", &event.cluster)
            && self.pass("kind", &event.kind)
            && self.pass("namespace", &event.namespace)
            && self.pass("name", &event.name)
            && self.pass("reason", &event.reason)
            && self.pass("type", event.severity.as_str())
            && self.pass("phase", run.map_or("", |run| run.phase.as_str()))
            && self.pass("outcome", run.and_then(|run| run.outcome).map_or("", crate::run::Outcome::as_str))
            && run.map_or_else(|| self.pass_labels(&BTreeMap::new()), |run| self.pass_labels(&run.labels))
            && (!self.asks_for_targets() || self.pass_event_target(event, run))
            && self.pass_text(texts.into_iter().map(String::as_str))
    }

    fn pass_event_target(&self, event: &Event, run: Option<&Run>) -> bool {
        let targets = run.map_or(&[][..], |run| &run.targets);
        if event.target_pod.is_empty() {
            return targets.iter().any(|target| self.pass_target(target));
        }
        let known = targets.iter().find(|target| target.namespace == event.target_namespace && target.pod == event.target_pod);
        let told = Target { namespace: event.target_namespace.clone(), pod: event.target_pod.clone(), ..Target::default() };
        self.pass_target(known.unwrap_or(&told))
    }
}

/// Words of a closed set are checked, so that a typing error is not an empty answer.
fn check_word(field: &str, value: &str) -> Result<(), Refused> {
    let word = value.strip_prefix('!').unwrap_or(value);
    if word.contains('*') || word.starts_with('~') {
        return Ok(());
    }
    let allowed: Vec<&str> = match field {
        "phase" => crate::run::Phase::ALL.iter().map(|phase| phase.as_str()).collect(),
        "outcome" => std::iter::once("").chain(crate::run::Outcome::ALL.iter().map(|outcome| outcome.as_str())).collect(),
        "tool" => Tool::ALL.iter().map(|tool| tool.as_str()).collect(),
        "type" => vec!["Normal", "Warning"],
        "label" if !word.contains('=') => {
            return Err(Refused::Value { parameter: field.to_owned(), reason: "a label is asked for as key=value".to_owned() });
        }
        _ => return Ok(()),
    };
    if allowed.contains(&word) {
        return Ok(());
    }
    Err(Refused::Value { parameter: field.to_owned(), reason: format!("{word:?} is none of {}", allowed.join(", ")) })
}

impl RunQuery {
    /// Whether a run belongs into the answer, the page aside.
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
mod tests {
    use super::*;

    fn words(values: &[&str]) -> Words {
        let mut words = Words::default();
        values.iter().for_each(|value| words.add("name", value).unwrap());
        words
    }

    #[test]
    fn values_are_alternatives_and_may_be_globs_expressions_or_negated() {
        for (values, yes, no) in [
            (&["web"][..], &["web"][..], &["web-0", ""][..]),
            (&["web-*", "db"], &["web-0", "web-", "db"], &["web", "db-0"]),
            (&["~we(b|c)"], &["web", "wec"], &["web-0", "xweb"]),
            (&["!web*"], &["db", ""], &["web-0"]),
            (&["w*", "!web"], &["wx"], &["web", "db"]),
            (&["!~.*-[0-9]"], &["web"], &["web-0"]),
            (&["a.c"], &["a.c"], &["abc"]),
        ] {
            let words = words(values);
            assert!(yes.iter().all(|value| words.matches(value)), "{values:?}");
            assert!(!no.iter().any(|value| words.matches(value)), "{values:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_what_is_allowed() {
        let mut filter = Filter::default();
        assert!(filter.add("name", "~(").unwrap_err().to_string().starts_with("name: not a regular expression"));
        assert!(filter.add("phase", "runing").unwrap_err().to_string().contains("selecting, injecting"));
        assert!(filter.add("outcome", "!recovered").unwrap());
        assert!(filter.add("label", "team").is_err());
        assert_eq!(filter.add("nmae", "x"), Ok(false));
        assert!(filter.add("name", &"x".repeat(2000)).is_err());
        assert!(filter.add("name", "~(a{1000}){1000}").is_err(), "an expression that would take much memory");
    }

    #[test]
    fn exact_values_can_be_looked_up_and_others_cannot() {
        assert_eq!(words(&["a", "b", "!c"]).exact(), Some(vec!["a", "b"]));
        assert_eq!(words(&["a*"]).exact(), None);
        assert_eq!(words(&["!a"]).exact(), None);
    }
}
