//! What the cluster role judges itself, because no node can: pods that are gone or replaced, pod-failure (which only the API server shows),
//! kinds that leave nothing to see, targets on nodes that are not connected. Pure.
//!
//! Apart from the comparison with a kernel. To judge one more thing from objects alone: an arm of [`judge`].

use crate::cluster::index::Standing;
use chaoscope_model::declared::Expectation;
use chaoscope_model::observation::{FailedContainer, Left};
use chaoscope_model::run::{Phase, TargetState};
use chaoscope_model::verdict::{Difference, Judgement, Verdict};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const NOT_REPLACED: &str = "not_replaced";
/// A first "not replaced" is held back so long: the experiment and its pod are two objects, written and told one after the other.
const DOUBT: SignedDuration = SignedDuration::from_secs(2);
/// The API server takes no longer keys.
const MAX_KEY: usize = 63;
/// When something was first found need not be known longer.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(1);

/// Whether a target's node can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// No node ever connected: nobody here compares with kernels.
    Unused,
    /// It is connected, or was a moment ago.
    Connected,
    /// It is not.
    Silent,
}

/// When something was first found missing that may only be late.
#[derive(Default)]
pub struct Doubts {
    /// By uid of the experiment, run and target.
    since: BTreeMap<[String; 3], Timestamp>,
    /// Experiments to be looked at again.
    due: BTreeSet<(Timestamp, String)>,
}

impl Doubts {
    /// What holds of what was found now: until a second look, what held before.
    pub fn pass(&mut self, standing: &Standing<'_>, uid: &str, found: Judgement, now: Timestamp) -> Judgement {
        let key = [uid, &standing.run.id, &standing.target.id].map(str::to_owned);
        if found.reason != NOT_REPLACED || standing.known.is_some_and(|known| known.verdict == Verdict::Missing) {
            self.since.remove(&key);
            return found;
        }
        let since = *self.since.entry(key).or_insert(now);
        if now.duration_since(since) >= DOUBT {
            return found;
        }
        self.due.extend(since.checked_add(DOUBT).map(|at| (at, uid.to_owned())));
        standing.known.cloned().unwrap_or_else(|| Judgement::new(Verdict::Unknown, "settling"))
    }

    /// Experiments to be looked at again by now.
    pub fn due(&mut self, now: Timestamp) -> BTreeSet<String> {
        self.since.retain(|_, since| now.duration_since(*since) < REMEMBERED);
        let mut experiments = BTreeSet::new();
        while self.due.first().is_some_and(|(at, _)| *at <= now) {
            experiments.extend(self.due.pop_first().map(|(_, uid)| uid));
        }
        experiments
    }
}

/// What was found about a target of an open run; `None`: its node says.
pub fn judge(standing: &Standing<'_>, contact: Contact) -> Option<Judgement> {
    let unknown = |reason| Some(Judgement::new(Verdict::Unknown, reason));
    let acts = matches!(standing.target.state, TargetState::Injected | TargetState::Recovering | TargetState::Gone);
    if standing.remote || (*standing.expects == Expectation::Unsupported && acts) {
        return unknown("unsupported").filter(|_| acts);
    }
    let site = standing.site.as_ref();
    match site {
        Some(site) if acts && site.replaced => return Some(Judgement::new(Verdict::Missing, "pod_replaced")),
        Some(site) if acts && site.gone => return Some(Judgement::new(Verdict::Missing, "pod_gone")),
        _ => {}
    }
    match standing.expects {
        Expectation::PodFailure if acts && is_recovering(standing) => unknown("recovering"),
        Expectation::PodFailure => standing.failed.filter(|_| acts).map(|failed| replaced(standing, failed)),
        Expectation::OtherEnd | Expectation::Unsupported => None,
        _ if contact == Contact::Silent && acts && site.is_some_and(|site| !site.node.is_empty()) => unknown("no_node"),
        _ => None,
    }
}

/// The pod is put back first, and called so afterwards.
fn is_recovering(standing: &Standing<'_>) -> bool {
    standing.run.phase == Phase::Recovering || standing.target.state == TargetState::Recovering
}

/// Whether a judgement is one that only the cluster role makes.
pub fn is_own(judgement: &Judgement) -> bool {
    ["pod_gone", "pod_replaced", "no_node", "unsupported"].contains(&judgement.reason.as_str())
}

/// Whether a node is who says it.
pub fn is_nodes(expects: &Expectation) -> bool {
    !matches!(expects, Expectation::PodFailure | Expectation::Unsupported)
}

/// What is left of a pod-failure after its end; `None`: it is none, or the pod cannot be seen.
pub fn left(standing: &Standing<'_>) -> Option<Left> {
    let failed = standing.failed.filter(|_| *standing.expects == Expectation::PodFailure && !standing.run.is_open())?;
    let mine = failed.iter().filter(|failed| is_of(standing, failed));
    mine.map(|failed| if failed.replaced { Left::Effective } else { Left::Benign }).max().or(Some(Left::None))
}

/// Pod-failure puts another image into every container of the pod, those that initialise it as well.
fn replaced(standing: &Standing<'_>, failed: &[FailedContainer]) -> Judgement {
    let whose = |container: &str| standing.target.container.is_empty() || standing.target.container == container;
    let containers: BTreeSet<&str> = failed.iter().map(|failed| failed.container.as_str()).filter(|name| whose(name)).collect();
    if !failed.iter().any(|failed| is_of(standing, failed)) {
        let declared = "replaced".to_owned();
        let differences = vec![Difference { parameter: "image".into(), declared, read: String::new() }];
        return Judgement { differences, ..Judgement::new(Verdict::Missing, NOT_REPLACED) };
    }
    let is_replaced = |name: &str| failed.iter().any(|failed| failed.container == name && failed.replaced && is_of(standing, failed));
    let untouched: Vec<Difference> = containers
        .into_iter()
        .filter(|name| !is_replaced(name))
        .map(|name| Difference { parameter: format!("image of {name}"), declared: "replaced".into(), read: "its own".into() })
        .take(16)
        .collect();
    if untouched.is_empty() {
        return Judgement::in_force();
    }
    Judgement { differences: untouched, ..Judgement::new(Verdict::Missing, NOT_REPLACED) }
}

/// Whether a container's annotation is of this experiment and target. A key that would be too long names the container alone (Chaos Mesh,
/// `pkg/annotation`).
fn is_of(standing: &Standing<'_>, failed: &FailedContainer) -> bool {
    let (of, container) = (&standing.target.container, &failed.container);
    let is_key = |suffix: &str| {
        let (short, long) = (format!("{container}-{suffix}"), format!("chaos-mesh-{}-pod-failure-{container}-{suffix}", standing.run.name));
        failed.annotation == long || (failed.annotation == short && long.len() > MAX_KEY)
    };
    (of.is_empty() || of == container) && (is_key("normal-image") || is_key("init-image"))
}

#[cfg(test)]
mod tests;
