//! From what is declared for a pod to one judgement for each of its targets, and what all of them have in common: the pod's own namespace, and
//! whether the object that declares has been applied at all.
//!
//! Apart from the comparisons (`network`, `io`, `http`, `stress`, `dns`), each of which answers for one kind of [`Expectation`].

use super::{dns, http, io, network, stress};
use crate::node::sweep::{Fate, Sweep};
use crate::node::visit::Reading;
use chaoscope_model::Pod;
use chaoscope_model::declared::{Applied, DeclaredPod, DeclaredTarget, Expectation, NOT_WATCHED, Stage};
use chaoscope_model::verdict::{Difference, Judged, Judgement, Verdict};
use std::collections::HashMap;

/// Begins [`Applied::incomplete`] where there was more than is told; anything else in it was not understood.
const TOO_LARGE: &str = "too large";
/// Most differences told of one target.
const MOST_DIFFERENCES: usize = 16;

/// What one sweep says about everything declared for some pods: raw, before two visits agree. Nothing for a target of which a node can say
/// nothing: what only the API server tells, and kinds that leave nothing to see.
pub fn judge<'a>(declared: impl IntoIterator<Item = &'a DeclaredPod>, sweep: &Sweep) -> Vec<Judged> {
    let homes = Homes::of(sweep);
    let mut out = Vec::new();
    for pod in declared {
        out.extend(pod.targets.iter().filter_map(|target| {
            let judgement = of_target(pod, target, sweep, &homes)?;
            Some(Judged { run: target.run.clone(), target: target.target.clone(), selector: target.selector.clone(), judgement })
        }));
    }
    out
}

fn of_target(declared: &DeclaredPod, target: &DeclaredTarget, sweep: &Sweep, homes: &Homes<'_>) -> Option<Judgement> {
    let mut judgement = match &target.expects {
        Expectation::PodFailure | Expectation::Unsupported => return None,
        Expectation::OtherEnd => unknown("other_end"),
        Expectation::Network => network::judge(declared, target, homes),
        Expectation::Io => io::judge(declared, target, sweep),
        Expectation::Http => http::judge(declared, target, sweep, homes),
        Expectation::Stress { processes } => stress::judge(declared, target, processes, sweep),
        Expectation::Dns => dns::judge(declared, target, sweep),
    };
    judgement.differences.truncate(MOST_DIFFERENCES);
    Some(judgement)
}

/// `unknown` for a reason.
pub(super) fn unknown(reason: &str) -> Judgement {
    Judgement::new(Verdict::Unknown, reason)
}

/// `missing` for a reason, and what was looked for.
pub(super) fn missing(reason: &str, parameter: &str, declared: &str) -> Judgement {
    let difference = Difference { parameter: parameter.to_owned(), declared: declared.to_owned(), read: String::new() };
    Judgement { differences: vec![difference], ..Judgement::new(Verdict::Missing, reason) }
}

/// `drifted`, named after the first parameter that differs; `in_force` when none does.
pub(super) fn compared(differences: Vec<Difference>) -> Judgement {
    match differences.first().map(|first| first.parameter.clone()) {
        None => Judgement::in_force(),
        Some(reason) => Judgement { differences, ..Judgement::new(Verdict::Drifted, &reason) },
    }
}

/// Why nothing can be told while a target is on its way in or out, whatever is there.
pub(super) fn on_its_way(stage: Stage) -> Result<(), Judgement> {
    match stage {
        Stage::Injecting => Err(unknown("starting")),
        Stage::Recovering => Err(unknown("recovering")),
        Stage::Injected => Ok(()),
    }
}

/// What an object of the pod declares, where it has something (`has`) from the experiment `source`, once its daemon says that it has done so:
/// a target that the tool calls injected and of which its object says nothing was overridden, however far the daemon is. A target on its way
/// is told by its stage, except that a failed try is told as such.
pub(super) fn declared_by<'a, T>(
    object: Option<&'a Applied<T>>,
    stage: Stage,
    source: &str,
    has: impl Fn(&T) -> bool,
) -> Result<&'a T, Judgement> {
    let nothing = || missing("not_declared", "source", source);
    let object = begun(object, stage)?.ok_or_else(nothing)?;
    whole(object)?;
    if has(&object.spec) { settled(object) } else { Err(nothing()) }
}

fn begun<T>(object: Option<&Applied<T>>, stage: Stage) -> Result<Option<&Applied<T>>, Judgement> {
    if stage == Stage::Injecting && object.is_some_and(|object| !object.failure.is_empty()) {
        return Err(unknown("apply_failed"));
    }
    on_its_way(stage).map(|()| object)
}

fn whole<T>(object: &Applied<T>) -> Result<(), Judgement> {
    match object.incomplete.as_str() {
        "" => Ok(()),
        NOT_WATCHED => Err(unknown("not_watched")),
        text if text.starts_with(TOO_LARGE) => Err(unknown("too_large")),
        _ => Err(unknown("undecodable")),
    }
}

fn settled<T>(object: &Applied<T>) -> Result<&T, Judgement> {
    match () {
        () if object.generation != object.observed => Err(unknown("not_applied")),
        () if !object.failure.is_empty() => Err(unknown("apply_failed")),
        () => Ok(&object.spec),
    }
}

/// The own network namespace of each pod of a sweep, by the pod's uid.
pub(super) struct Homes<'a>(HashMap<&'a str, &'a Fate>);

impl<'a> Homes<'a> {
    /// Of a sweep.
    pub(super) fn of(sweep: &'a Sweep) -> Self {
        let own = sweep.namespaces.iter().filter(|it| it.namespace.primary);
        let named = own.filter_map(|it| Some((it.namespace.pod.as_ref()?.uid.as_str(), &it.fate)));
        let mut homes = HashMap::new();
        for (uid, fate) in named.filter(|(uid, _)| !uid.is_empty()) {
            homes.entry(uid).or_insert(fate);
        }
        Self(homes)
    }

    /// What was read there.
    pub(super) fn reading(&self, pod: &Pod) -> Result<&'a Reading, Judgement> {
        match self.0.get(pod.uid.as_str()) {
            Some(Fate::Read(reading, _)) => Ok(reading),
            Some(Fate::Failed(_)) => Err(unknown("read_failed")),
            Some(Fate::Skipped(_)) | None => Err(unknown("not_visited")),
        }
    }
}
