//! What a node reports: its bytes checked, and what of it is news about which target.
//!
//! Nothing a node says is taken for more than it is: it speaks of targets on its own pods only, with a bounded number of bounded words, and
//! of the time its report came, by this host's clock.

use super::Desk;
use super::roll::Roll;
use crate::cluster::index::{Index, Standing};
use crate::verdict::apart;
use chaoscope_model::Effect;
use chaoscope_model::observation::{JudgedAt, Left, Observation};
use chaoscope_model::run::{Run, TargetState};
use chaoscope_model::verdict::{Difference, Judged, Judgement, Owner, Report, Residue, Verdict};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// Most bytes of a report.
pub const MAX_BYTES: usize = 1 << 20;
/// Most verdicts, and most leftovers, of one report.
const MOST: usize = 4096;
/// Most pods that are said to have been visited.
const MOST_PODS: usize = 2048;
/// Most differences of one verdict.
const MOST_DIFFERENCES: usize = 16;
/// Longest text, in characters; names in Kubernetes have at most 253.
const LONGEST: usize = 256;
/// A visit that ended so long after a run did saw what it left.
const VISIT: SignedDuration = SignedDuration::from_secs(3);
/// What a leftover may be.
const WHAT: [&str; 7] = ["qdisc", "filter", "rule", "chain", "set", "helper", "mount"];

/// A report that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is of another connection than the node has.
    #[error("this report is of a connection that is over, or the node has none: connect anew and report everything")]
    OtherConnection,
}

/// A report that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum Bad {
    /// It is longer than is read.
    #[error("the report has more than {MAX_BYTES} bytes")]
    TooLong,
    /// It is no JSON of that shape.
    #[error("the report is not of the shape the contract says: {0}")]
    Shape(#[source] serde_json::Error),
    /// There is too much of something.
    #[error("{0}: at most {1}")]
    TooMany(&'static str, usize),
    /// A text is too long, or holds what no name does.
    #[error("{0}: a text of at most {LONGEST} characters without control characters")]
    Text(&'static str),
    /// A word that is none.
    #[error("{0}: not one of its words")]
    Word(&'static str),
}

/// A report out of its bytes. Any bytes give one, or say why not.
pub fn check(bytes: &[u8]) -> Result<Report, Bad> {
    if bytes.len() > MAX_BYTES {
        return Err(Bad::TooLong);
    }
    let report: Report = serde_json::from_slice(bytes).map_err(Bad::Shape)?;
    at_most("verdicts", report.verdicts.len(), MOST)?;
    at_most("residue", report.residue.as_ref().map_or(0, Vec::len), MOST)?;
    at_most("visited", report.visited.len(), MOST_PODS)?;
    text("connection", &report.connection)?;
    report.visited.iter().try_for_each(|uid| text("visited", uid))?;
    report.verdicts.iter().try_for_each(check_verdict)?;
    report.residue.iter().flatten().try_for_each(check_residue)?;
    Ok(report)
}

fn check_verdict(judged: &Judged) -> Result<(), Bad> {
    text("verdicts.run", &judged.run)?;
    text("verdicts.target", &judged.target)?;
    text("verdicts.selector", &judged.selector)?;
    let word =
        |reason: &str| reason.len() <= 64 && reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !word(&judged.judgement.reason) {
        return Err(Bad::Word("verdicts.reason"));
    }
    at_most("verdicts.differences", judged.judgement.differences.len(), MOST_DIFFERENCES)?;
    judged.judgement.differences.iter().try_for_each(|Difference { parameter, declared, read }| {
        [parameter, declared, read].into_iter().try_for_each(|it| text("verdicts.differences", it))
    })
}

fn check_residue(residue: &Residue) -> Result<(), Bad> {
    let Residue { pod, container, netns, what, object, experiment, run, .. } = residue;
    let about = experiment.iter().flat_map(|it| [&it.kind, &it.namespace, &it.name, &it.uid]);
    let texts = [&pod.namespace, &pod.name, &pod.uid, container, netns, object].into_iter().chain(run).chain(about);
    texts.into_iter().try_for_each(|it| text("residue", it))?;
    if WHAT.contains(&what.as_str()) { Ok(()) } else { Err(Bad::Word("residue.what")) }
}

fn at_most(name: &'static str, count: usize, most: usize) -> Result<(), Bad> {
    if count <= most { Ok(()) } else { Err(Bad::TooMany(name, most)) }
}

fn text(name: &'static str, text: &str) -> Result<(), Bad> {
    let fits = text.len() <= 4 * LONGEST && text.chars().count() <= LONGEST;
    if fits && !text.chars().any(char::is_control) { Ok(()) } else { Err(Bad::Text(name)) }
}

impl Desk {
    /// Takes in a report of a node. What it says is told on at once, and stored soon after.
    pub async fn report(&self, node: &str, report: Report) -> Result<(), Refusal> {
        let now = self.around.ingest.clock();
        let found = self.around.ingest.look(|index| self.roll().take(index, node, report, now))?;
        for judged in found {
            self.around.ingest.observe(Observation::Judged(Box::new(judged)), now).await;
        }
        self.work.notify_one();
        Ok(())
    }
}

impl Roll {
    /// What is news in a report.
    fn take(&mut self, index: &Index, name: &str, report: Report, now: Timestamp) -> Result<Vec<JudgedAt>, Refusal> {
        let node = self.nodes.get_mut(name).filter(|node| node.line.as_ref().is_some_and(|line| line.connection() == report.connection));
        let node = node.ok_or(Refusal::OtherConnection)?;
        let own_pod =
            |residue: &Residue| residue.pod.uid.is_empty() || (!residue.pod.namespace.is_empty() && index.may_be_on(&residue.pod, name));
        node.reported = true;
        node.visited = report.visited.into_iter().collect();
        let others = report.residue.is_some();
        if let Some(residue) = report.residue {
            node.residue = residue.into_iter().filter(own_pod).collect();
        }
        let Some((shared, node)) = self.nodes.get_key_value(name) else { return Err(Refusal::OtherConnection) };
        if others {
            self.dirty.insert(std::sync::Arc::clone(shared));
        }
        let (experiments, residue, visited) = (&node.experiments, &node.residue, &node.visited);
        let said: HashMap<(&str, &str, &str), &Judgement> =
            report.verdicts.iter().map(|it| ((it.run.as_str(), it.target.as_str(), it.selector.as_str()), &it.judgement)).collect();
        let mut found = Vec::new();
        for uid in experiments {
            for standing in index.standings(uid, now).iter().filter(|standing| is_on(standing, name)) {
                let told = said.get(&(standing.run.id.as_str(), standing.target.id.as_str(), standing.selector)).copied();
                let (judgement, left) = if standing.run.is_open() {
                    (news(standing, told, report.complete), None)
                } else {
                    let seen = self.learned(uid, &standing.run.id).and_then(|at| at.checked_add(VISIT).ok()).is_some_and(|at| now >= at);
                    (None, left(standing, residue, seen && standing.site.as_ref().is_some_and(|site| visited.contains(&*site.uid))))
                };
                if judgement.is_some() || left.is_some() {
                    found.push(judged(uid, name, standing, judgement.unwrap_or(Judgement::new(Verdict::Unknown, "")), left, now));
                }
            }
        }
        self.heard(name, now);
        Ok(found.into_iter().filter_map(|judged| self.pace.pass(judged, now)).collect())
    }
}

fn is_on(standing: &Standing<'_>, node: &str) -> bool {
    standing.site.as_ref().is_some_and(|site| &*site.node == node && !site.gone) && apart::is_nodes(standing.expects)
}

/// The verdict of a target, where it is another one than is known. What a complete report leaves out does not hold any more.
fn news(standing: &Standing<'_>, told: Option<&Judgement>, complete: bool) -> Option<Judgement> {
    let target = standing.target;
    let acts = !matches!(target.state, TargetState::Recovered | TargetState::Failed | TargetState::Gone);
    let Some(told) = told.filter(|_| acts) else {
        let holds = standing.known.is_some_and(|known| known.verdict != Verdict::Unknown);
        return (complete && acts && holds).then(|| Judgement::new(Verdict::Unknown, "not_visited"));
    };
    (standing.known != Some(told)).then(|| told.clone())
}

/// What is left of a run that ended, where that is news. `visited`: its pod was looked at well after the end.
fn left(standing: &Standing<'_>, residue: &[Residue], visited: bool) -> Option<Left> {
    let uid = &*standing.site.as_ref()?.uid;
    let worst = |it: &Residue| if it.effect == Effect::Effective { Left::Effective } else { Left::Benign };
    let left = residue.iter().filter(|it| it.pod.uid == uid && may_be_of(it, standing.run)).map(worst).max();
    let left = left.or_else(|| (visited && standing.target.injected_at.is_some()).then_some(Left::None))?;
    (standing.target.residue.as_deref() != Some(left.as_str())).then_some(left)
}

/// Whether something left over is of a run: it says so, or it is of a run that ended and may be any of its kind.
fn may_be_of(residue: &Residue, run: &Run) -> bool {
    match (&residue.run, &residue.experiment) {
        (Some(of), _) => *of == run.id,
        (None, Some(about)) => about.kind == run.kind && about.namespace == run.namespace && about.name == run.name,
        (None, None) => residue.owner == Owner::EndedRun && leaves(&run.kind, &residue.what),
    }
}

/// Whether experiments of a kind leave such things.
fn leaves(kind: &str, what: &str) -> bool {
    match what {
        "helper" => ["HTTPChaos", "IOChaos", "StressChaos"].contains(&kind),
        "mount" => ["IOChaos", "DNSChaos"].contains(&kind),
        _ => kind == "NetworkChaos",
    }
}

/// What a run that ended left of a pod that is gone, or was replaced: nothing, for its namespaces went with it.
pub(super) fn gone_with_its_pod(index: &Index, standing: &Standing<'_>) -> Option<Left> {
    let site = standing.site.as_ref().filter(|_| standing.target.injected_at.is_some())?;
    (site.gone || index.is_gone(standing.target, &site.uid)).then_some(Left::None)
}

fn judged(uid: &str, node: &str, standing: &Standing<'_>, judgement: Judgement, residue: Option<Left>, at: Timestamp) -> JudgedAt {
    let (run, target, selector) = (standing.run.id.clone(), standing.target.id.clone(), standing.selector.to_owned());
    JudgedAt { uid: uid.to_owned(), node: node.to_owned(), judged: Judged { run, target, selector, judgement }, residue, at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(kind: &str) -> Run {
        let bare = json!({
            "id": "r", "tool": "chaos-mesh", "cluster": "", "kind": kind, "action": "", "namespace": "shop", "name": "cut", "uid": "u",
            "ordinal": 1, "phase": "finished", "outcome": "recovered", "started_at": "2026-01-01T00:00:00Z", "baseline": false,
            "precision": {}, "parameters": {}, "labels": {}, "targets": [],
        });
        serde_json::from_value(bare).unwrap()
    }

    fn residue(owner: &str, what: &str, name: Option<&str>, run: Option<&str>) -> Residue {
        let experiment = name.map(|name| json!({ "kind": "NetworkChaos", "namespace": "shop", "name": name, "uid": "" }));
        let bare = json!({ "pod": { "namespace": "shop", "name": "web-0", "uid": "p" }, "container": "", "netns": "", "effect": "effective",
            "owner": owner, "what": what, "object": "eth0 1:", "tool": "chaos-mesh", "experiment": experiment, "run": run,
            "first_seen": "2026-11-21T12:00:00Z" });
        serde_json::from_value(bare).unwrap()
    }

    #[test]
    fn what_any_of_several_runs_may_have_left_is_held_against_each_of_that_kind() {
        let of = |kind, owner, what, name, id| may_be_of(&residue(owner, what, name, id), &run(kind));
        assert!(of("NetworkChaos", "ended_run", "qdisc", None, None));
        assert!(!of("StressChaos", "ended_run", "qdisc", None, None) && of("StressChaos", "ended_run", "helper", None, None));
        assert!(!of("NetworkChaos", "unknown", "qdisc", None, None), "anybody's");
        assert!(of("NetworkChaos", "unknown", "qdisc", Some("cut"), None) && !of("NetworkChaos", "ended_run", "qdisc", Some("cot"), None));
        assert!(of("NetworkChaos", "ended_run", "qdisc", None, Some("r")) && !of("NetworkChaos", "ended_run", "qdisc", None, Some("q")));
    }
}
