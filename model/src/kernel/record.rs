//! What the run and the events of a kernel fault say.
//!
//! Apart from the fold, which decides when something begins, changes and ends; here it is put into words.

use super::{Changes, End, Fault, Open, Sweep};
use crate::event::{Event, Severity};
use crate::experiment::Tool;
use crate::few::Few;
use crate::run::{Outcome, Phase, Run, Target, TargetState};
use crate::time::{Moment, Precision};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The label that says whose a fault looks like.
pub(super) const LOOKS_LIKE: &str = "looks_like";

impl Open {
    /// A fault that was not known yet.
    pub(super) fn begin(fault: &Fault, boot: &str, cluster: &str, baseline: bool, at: Timestamp) -> Self {
        let place = fault.place.map_or_else(String::new, |netns| format!("{}:{}", netns.device, netns.inode));
        let id = Run::id_of_fault(boot, &place, &fault.key, at);
        let mut precision = Few::new();
        Run::note(&mut precision, "started_at", Some(Moment::seen(at)));
        let injected_at = Run::note(&mut precision, "injected_at", (!baseline).then(|| Moment::seen(at)));
        let mut target = Target { id: place, state: TargetState::Injected, injected_at, ..fault.target.clone() };
        Run::note(&mut target.precision, "injected_at", injected_at.map(Moment::seen));
        let labels = fault.looks_like.iter().map(|tool| (LOOKS_LIKE.to_owned(), tool.as_str().to_owned())).collect();
        let run = Run {
            uid: id.clone(),
            id,
            tool: Tool::Kernel,
            cluster: cluster.to_owned(),
            kind: fault.kind.as_str().to_owned(),
            action: fault.action.clone(),
            namespace: String::new(),
            name: fault.target.netns.clone(),
            ordinal: 1,
            phase: Phase::Running,
            outcome: None,
            started_at: at,
            injected_at,
            stop_requested_at: None,
            recovered_at: None,
            expected_end_at: None,
            ended_at: None,
            ended_after: None,
            baseline,
            stuck_since: None,
            overdue_since: None,
            precision,
            parent: None,
            started_by: None,
            parameters: fault.parameters.clone(),
            labels,
            targets: vec![target],
        };
        let (place, source, key, home) = (fault.place, fault.source, fault.key.clone(), fault.home.clone());
        Self { place, source, key, home, last_seen: at, stale: false, run }
    }

    /// The fault is still there; what is new about it changes the run.
    pub(super) fn see(&mut self, fault: &Fault, sweep: &Sweep, changes: &mut Changes) {
        self.last_seen = self.last_seen.max(sweep.began);
        let was_stale = std::mem::replace(&mut self.stale, false);
        let is_housed = learn(&mut self.home, &fault.home);
        let mut is_news = self.learn(fault);
        if self.run.parameters != fault.parameters {
            let old = std::mem::replace(&mut self.run.parameters, fault.parameters.clone());
            changes.events.push(changed(&self.run, &old, sweep.at));
            is_news = true;
        }
        if is_news {
            changes.runs.push(self.run.clone());
        }
        if is_news || is_housed || was_stale {
            changes.kept.push((self.run.id.clone(), Some(self.clone())));
        }
    }

    /// Names may come later than the fault; one that is known is not forgotten. Whether there was one.
    fn learn(&mut self, fault: &Fault) -> bool {
        let run = &mut self.run;
        let mut news = learn(&mut run.action, &fault.action) | learn(&mut run.name, &fault.target.netns);
        if let Some(tool) = fault.looks_like
            && run.labels.get(LOOKS_LIKE).is_none_or(|known| known != tool.as_str())
        {
            run.labels.insert(LOOKS_LIKE.to_owned(), tool.as_str().to_owned());
            news = true;
        }
        let Some(target) = run.targets.first_mut() else { return news };
        let Target { namespace, pod, container, netns, node, workload, workload_kind, .. } = &fault.target;
        let names = [
            (&mut target.namespace, namespace),
            (&mut target.pod, pod),
            (&mut target.container, container),
            (&mut target.netns, netns),
            (&mut target.node, node),
            (&mut target.workload, workload),
            (&mut target.workload_kind, workload_kind),
        ];
        names.into_iter().fold(news, |news, (old, new)| learn(old, new) || news)
    }
}

/// Takes over a text, unless it is empty. Whether it is another one.
fn learn(old: &mut String, new: &str) -> bool {
    let is_other = !new.is_empty() && old != new;
    if is_other {
        new.clone_into(old);
    }
    is_other
}

impl Changes {
    /// Notes a fault that was not known yet.
    pub(super) fn began(&mut self, open: &Open, at: Timestamp) {
        let run = &open.run;
        let (reason, since) = if run.baseline { ("Found", "there when Chaoscope first looked: ") } else { ("Applied", "") };
        self.events.push(event(run, reason, at, format!("{since}{}", summary(run))));
        self.runs.push(run.clone());
        self.kept.push((run.id.clone(), Some(open.clone())));
    }

    /// Notes an end. A clock that was set back ends no run before its start.
    pub(super) fn end(&mut self, open: Open, end: End, at: Timestamp) {
        let Open { mut run, last_seen, .. } = open;
        let at = at.max(run.started_at);
        let recovered = (end == End::Removed).then(|| Moment::seen(at));
        (run.phase, run.outcome) = (Phase::Finished, Some(if end == End::Lost { Outcome::Lost } else { Outcome::Recovered }));
        run.recovered_at = Run::note(&mut run.precision, "recovered_at", recovered);
        run.ended_at = Run::note(&mut run.precision, "ended_at", Some(Moment::seen(at)));
        run.ended_after = Run::note(&mut run.precision, "ended_after", Some(Moment::seen(last_seen.clamp(run.started_at, at))));
        let (reason, message) = match end {
            End::Removed => ("Recovered", ""),
            End::NamespaceGone => ("NamespaceGone", "gone with its network namespace: "),
            End::Lost => ("Lost", "ended while Chaoscope did not look: "),
        };
        for target in &mut run.targets {
            target.state = if end == End::Removed { TargetState::Recovered } else { TargetState::Gone };
            target.recovered_at = Run::note(&mut target.precision, "recovered_at", recovered);
            if end != End::Removed {
                message.trim_end_matches(": ").clone_into(&mut target.message);
            }
        }
        self.events.push(event(&run, reason, at, format!("{message}{}", summary(&run))));
        self.kept.push((run.id.clone(), None));
        self.runs.push(run);
    }
}

/// `netem delay=100ms device=eth0`.
fn summary(run: &Run) -> String {
    let parameters = run.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
    std::iter::once(run.kind.clone()).chain(parameters).collect()
}

/// `delay: 100ms → 250ms`, with both values of each in the attributes `old.delay` and `new.delay`.
fn changed(run: &Run, old: &BTreeMap<String, String>, at: Timestamp) -> Event {
    let names: std::collections::BTreeSet<&String> = old.keys().chain(run.parameters.keys()).collect();
    let (mut words, mut attributes) = (Vec::new(), BTreeMap::new());
    for name in names {
        let (before, after) = (old.get(name), run.parameters.get(name));
        if before != after {
            let none = || "none".to_owned();
            words.push(format!("{name}: {} → {}", before.cloned().unwrap_or_else(none), after.cloned().unwrap_or_else(none)));
            attributes.extend(before.map(|value| (format!("old.{name}"), value.clone())));
            attributes.extend(after.map(|value| (format!("new.{name}"), value.clone())));
        }
    }
    Event { attributes, ..event(run, "Changed", at, words.join(", ")) }
}

fn event(run: &Run, reason: &str, at: Timestamp, message: String) -> Event {
    let target = run.targets.first().cloned().unwrap_or_default();
    Event {
        key: format!("{}/{reason}/{at}", run.id),
        run: Some(run.id.clone()),
        tool: run.tool,
        cluster: run.cluster.clone(),
        kind: run.kind.clone(),
        namespace: run.namespace.clone(),
        name: run.name.clone(),
        uid: run.uid.clone(),
        at,
        precision: Precision::Seen,
        severity: Severity::Normal,
        reason: reason.to_owned(),
        message,
        target_namespace: target.namespace,
        target_pod: target.pod,
        target_container: target.container,
        attributes: BTreeMap::new(),
        announced: false,
        replaces: None,
    }
}
