//! The journal's counters: what the metrics count of runs and events. Apart from the rows, so that retention lowers none; stored in the
//! transaction that stores what they count, so that each thing is counted once, whatever is restarted or replayed.
//!
//! To extend: a [`Family`] and the line that counts it, in [`Draft::run`], [`Draft::settled`] or [`Draft::event`].

use crate::exposition::Distribution;
use crate::exposition::distribution::share_a_bucket;
use chaoscope_model::event::Event;
use chaoscope_model::run::{Outcome, Run, Target};
use chaoscope_model::time::Precision;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Upper bounds of the classic buckets of both durations, in seconds.
pub const BOUNDS: [f64; 15] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// Most series; what would be one more is not counted (a cluster that makes a name space for each build would grow for ever).
const MOST_SERIES: usize = 100_000;

/// What is counted, by which labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Runs whose outcome settled, each once: `experiment_namespace`, `kind`, `action`, `outcome`.
    Runs,
    /// Kubernetes Events upstream's recorder sent: `type`, `reason`, `namespace`.
    Emitted,
    /// Failed attempts to inject: `kind`, `action`.
    InjectionFailures,
    /// Failed attempts to recover: `kind`, `action`.
    RecoveryFailures,
    /// Start of the run to injection, per target: `kind`, `action`.
    InjectionSeconds,
    /// End asked for to recovery, per target: `kind`, `action`.
    RecoverySeconds,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Runs, Self::Emitted, Self::InjectionFailures, Self::RecoveryFailures, Self::InjectionSeconds, Self::RecoverySeconds];

    /// Its name in the file.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Emitted => "emitted",
            Self::InjectionFailures => "injection_failures",
            Self::RecoveryFailures => "recovery_failures",
            Self::InjectionSeconds => "injection_seconds",
            Self::RecoverySeconds => "recovery_seconds",
        }
    }
}

/// One series: its family and the values of its labels, in the order [`Family`] names them.
type Series = (Family, Vec<String>);

/// What one series has come to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Amount {
    Count(u64),
    Seconds(Distribution),
}

/// Every counter as it stood after a commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    series: BTreeMap<Series, Amount>,
}

/// What a transaction adds.
pub(super) struct Draft {
    base: Arc<Tally>,
    changed: BTreeMap<Series, Amount>,
    full: bool,
}

impl Tally {
    /// The counters of a family: values of its labels, and the count.
    pub fn counts(&self, family: Family) -> impl Iterator<Item = (&[String], u64)> {
        self.of(family).filter_map(|(labels, amount)| match amount {
            Amount::Count(count) => Some((labels, *count)),
            Amount::Seconds(_) => None,
        })
    }

    /// The distributions of a family, in seconds.
    pub fn seconds(&self, family: Family) -> impl Iterator<Item = (&[String], &Distribution)> {
        self.of(family).filter_map(|(labels, amount)| match amount {
            Amount::Seconds(seconds) => Some((labels, seconds)),
            Amount::Count(_) => None,
        })
    }

    fn of(&self, family: Family) -> impl Iterator<Item = (&[String], &Amount)> {
        let series = self.series.range((family, vec![])..).take_while(move |((of, _), _)| *of == family);
        series.map(|((_, labels), amount)| (labels.as_slice(), amount))
    }

    /// One series as it was read from the file; what cannot be understood is left out.
    pub(super) fn restore(&mut self, family: &str, labels: &str, value: &str) -> Option<()> {
        let family = Family::ALL.into_iter().find(|it| it.as_str() == family)?;
        let labels = serde_json::from_str(labels).ok()?;
        self.series.insert((family, labels), Amount::parse(family, value)?);
        Some(())
    }
}

impl Amount {
    fn empty(family: Family) -> Self {
        match family {
            Family::InjectionSeconds | Family::RecoverySeconds => Self::Seconds(Distribution::exact(&BOUNDS)),
            _ => Self::Count(0),
        }
    }

    fn parse(family: Family, text: &str) -> Option<Self> {
        let mut amount = Self::empty(family);
        match &mut amount {
            Self::Count(count) => *count = serde_json::from_str(text).ok()?,
            Self::Seconds(seconds) => {
                let stored: Distribution = serde_json::from_str(text).ok()?;
                let bounds = |it: &Distribution| it.buckets().map(|(bound, _)| bound).collect::<Vec<_>>();
                *seconds = (bounds(&stored) == bounds(seconds) && stored.native().is_some()).then_some(stored)?;
            }
        }
        Some(amount)
    }

    fn text(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Seconds(seconds) => serde_json::json!(seconds).to_string(),
        }
    }
}

impl Draft {
    pub(super) fn of(base: &Arc<Tally>) -> Self {
        Self { base: Arc::clone(base), changed: BTreeMap::new(), full: false }
    }

    /// A run as it is stored now; `before`: as it was stored.
    pub(super) fn run(&mut self, run: &Run, before: Option<&Run>) {
        for outcome in Outcome::ALL {
            self.change(Family::Runs, &[&run.namespace, &run.kind, &run.action, outcome.as_str()], |_| ());
        }
        for (index, target) in run.targets.iter().enumerate() {
            let old = before.and_then(|run| Some((run, same_target(run, target, index)?)));
            if let Some(seconds) = injection(run, target).filter(|_| old.and_then(|(run, target)| injection(run, target)).is_none()) {
                self.observe(Family::InjectionSeconds, &[&run.kind, &run.action], seconds);
            }
            if let Some(seconds) = recovery(run, target).filter(|_| old.and_then(|(run, target)| recovery(run, target)).is_none()) {
                self.observe(Family::RecoverySeconds, &[&run.kind, &run.action], seconds);
            }
        }
    }

    /// A run whose outcome has settled.
    pub(super) fn settled(&mut self, run: &Run, outcome: Outcome) {
        self.count(Family::Runs, &[&run.namespace, &run.kind, &run.action, outcome.as_str()]);
    }

    /// An event that is stored for the first time; `run`: the one it belongs to.
    pub(super) fn event(&mut self, event: &Event, run: Option<&Run>) {
        if event.reason != "Failed" {
            return;
        }
        let action = run.map_or("", |run| &run.action);
        match event.attributes.get("operation").map(String::as_str) {
            Some("apply") => self.count(Family::InjectionFailures, &[&event.kind, action]),
            Some("recover") => self.count(Family::RecoveryFailures, &[&event.kind, action]),
            _ => {}
        }
    }

    /// An event of which it is known for the first time that Kubernetes announced it. Upstream's own recorder says a `type` with each of its
    /// events; others do not.
    pub(super) fn announced(&mut self, event: &Event) {
        if event.attributes.contains_key("type") {
            self.count(Family::Emitted, &[event.severity.as_str(), &event.reason, &event.namespace]);
        }
    }

    fn count(&mut self, family: Family, labels: &[&str]) {
        self.change(family, labels, |amount| {
            if let Amount::Count(count) = amount {
                *count += 1;
            }
        });
    }

    fn observe(&mut self, family: Family, labels: &[&str], value: f64) {
        self.change(family, labels, |amount| {
            if let Amount::Seconds(seconds) = amount {
                seconds.observe(value);
            }
        });
    }

    /// Changes a series, or makes it first.
    fn change(&mut self, family: Family, labels: &[&str], change: impl FnOnce(&mut Amount)) {
        let series = (family, labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>());
        if let Some(amount) = self.changed.get_mut(&series) {
            return change(amount);
        }
        let known = self.base.series.get(&series);
        if known.is_none() && self.base.series.len() + self.changed.len() >= MOST_SERIES {
            self.full = true;
            return;
        }
        let mut amount = known.cloned().unwrap_or_else(|| Amount::empty(family));
        change(&mut amount);
        if known != Some(&amount) {
            self.changed.insert(series, amount);
        }
    }

    /// Whether something was not counted, because there are too many series.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// What is to be stored: family, labels, value.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&'static str, String, String)> {
        self.changed.iter().map(|((family, labels), amount)| (family.as_str(), serde_json::json!(labels).to_string(), amount.text()))
    }

    /// What the transaction changed, once it is stored.
    pub(super) fn into_changes(self) -> BTreeMap<Series, Amount> {
        self.changed
    }
}

impl Tally {
    /// Takes over what a transaction changed.
    pub(super) fn apply(self: &mut Arc<Self>, changes: BTreeMap<Series, Amount>) {
        if !changes.is_empty() {
            Arc::make_mut(self).series.extend(changes);
        }
    }
}

/// The same target in another state of the run: usually at the same place.
fn same_target<'a>(run: &'a Run, target: &Target, index: usize) -> Option<&'a Target> {
    let same = |it: &&Target| (&it.id, &it.container, &it.role) == (&target.id, &target.container, &target.role);
    run.targets.get(index).filter(same).or_else(|| run.targets.iter().find(same))
}

/// How long it took to inject a target, if that is known exactly enough.
fn injection(run: &Run, target: &Target) -> Option<f64> {
    let precision = (*run.precision.get("started_at")?).min(*target.precision.get("injected_at")?);
    seconds(run.started_at, target.injected_at?, precision)
}

/// How long it took to recover a target, if that is known exactly enough.
fn recovery(run: &Run, target: &Target) -> Option<f64> {
    let precision = (*run.precision.get("stop_requested_at")?).min(*target.precision.get("recovered_at")?);
    seconds(run.stop_requested_at?, target.recovered_at?, precision)
}

/// Seconds between two times; `precision` is that of the less exact one. Whole seconds are exact enough where a second more or less would
/// be in the same bucket of [`BOUNDS`] and in the same native one: these are then certain, and the sum is off by less than a second.
fn seconds(from: Timestamp, to: Timestamp, precision: Precision) -> Option<f64> {
    let value = to.duration_since(from).as_secs_f64();
    let bucket = |value: f64| BOUNDS.iter().position(|bound| value <= *bound);
    let certain = match precision {
        Precision::Ns => value >= 0.0,
        Precision::S => value > 1.0 && bucket(value - 1.0) == bucket(value + 1.0) && share_a_bucket(value - 1.0, value + 1.0),
        Precision::Seen => false,
    };
    certain.then_some(value)
}
