//! What is looked at again and again, for all nodes at once: what changed of what is declared, what follows from the time alone, who is to be
//! told.
//!
//! Apart from the memory (`roll`), because here are the journal and the index. Both are asked only about what changed: a round in which
//! nothing did takes two locks.

use super::Desk;
use super::report::gone_with_its_pod;
use super::roll::Roll;
use crate::cluster::index::{Index, MOST_ENDED};
use crate::cluster::now::JudgedNow;
use crate::verdict::apart;
use chaoscope_model::declared::{DeclaredPod, EndedRun};
use chaoscope_model::observation::{JudgedAt, Observation, TargetName};
use chaoscope_model::query::{Filter, RunQuery};
use chaoscope_model::run::{Run, TargetState};
use chaoscope_model::verdict::{Judged, Judgement, Verdict};
use chaoscope_model::{Pod, Reference};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A round is made so often at least; what changed is told within this and a little more.
const EVERY: Duration = Duration::from_millis(250);
/// What comes within so long is looked at together.
const TOGETHER: Duration = Duration::from_millis(20);
/// How far back runs that ended are evidence of what is left over.
const EVIDENCE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Runs of a node that are looked at for it, the newest ones.
const MOST_RUNS: usize = 1000;

impl Desk {
    /// Goes round until nobody holds the desk any more.
    pub async fn tend(self: Arc<Self>) {
        loop {
            if timeout(EVERY, self.work.notified()).await.is_ok() {
                sleep(TOGETHER).await;
            }
            self.round().await;
        }
    }

    /// One round.
    pub async fn round(&self) {
        let now = self.around.ingest.clock();
        let found = self.around.ingest.look(|index| self.roll().follow(index, now));
        for judged in found {
            self.around.ingest.observe(Observation::Judged(Box::new(judged)), now).await;
        }
        if self.roll().dirty.is_empty() {
            return;
        }
        self.look_up(now).await;
        let whole = (self.around.whole)();
        self.around.ingest.look(|index| self.roll().tell(index, now, whole));
    }

    /// Looks up the runs that ended on nodes to which something is to be told. What cannot be read is tried again with the next change.
    async fn look_up(&self, now: Timestamp) {
        let nodes = self.roll().without_past();
        for node in nodes {
            let (journal, name) = (self.around.journal.clone(), Arc::clone(&node));
            let mut filter = Filter::default();
            if !filter.add("target_node", &name).is_ok_and(|known| known) {
                continue;
            }
            let from = now.checked_sub(EVIDENCE).unwrap_or(Timestamp::UNIX_EPOCH);
            let query = RunQuery { from, to: now, limit: MOST_RUNS, after: None, filter };
            let read = tokio::task::spawn_blocking(move || journal.runs(&query, &|run| Some(run.clone()))).await;
            match read {
                Ok(Ok(page)) => self.roll().remember(&node, &page.rows),
                Ok(Err(error)) => tracing::warn!(%error, %node, "Runs that ended on a node cannot be read: what they left has no owner."),
                Err(_) => return,
            }
        }
    }
}

impl Roll {
    /// Takes over what changed; gives what the cluster role found itself.
    fn follow(&mut self, index: &mut Index, now: Timestamp) -> Vec<JudgedAt> {
        let mut changed = index.take_changed();
        changed.extend(self.due(now));
        changed.extend(self.doubts.due(now));
        let mut found = self.pace.due(now);
        for uid in &changed {
            let places = index.places(uid, now);
            self.place(uid, places, now);
            let own = self.judge(index, uid, now);
            found.extend(own.into_iter().filter_map(|judged| self.pace.pass(judged, now)));
        }
        if !changed.is_empty() {
            self.forget(now);
        }
        found
    }

    /// What the cluster role says itself about the targets of an experiment, where that is new.
    fn judge(&mut self, index: &Index, uid: &str, now: Timestamp) -> Vec<JudgedAt> {
        let (mut news, mut mine) = (Vec::new(), Vec::new());
        self.learn(index, uid, now);
        for standing in index.standings(uid, now) {
            let target = standing.target;
            let judged = |judgement: Judgement, residue| JudgedAt {
                uid: uid.to_owned(),
                node: String::new(),
                judged: Judged {
                    run: standing.run.id.clone(),
                    target: target.id.clone(),
                    selector: standing.selector.to_owned(),
                    judgement,
                },
                residue,
                at: now,
            };
            if !standing.run.is_open() {
                let left = apart::left(&standing)
                    .or_else(|| gone_with_its_pod(index, &standing))
                    .filter(|left| target.residue.as_deref() != Some(left.as_str()));
                news.extend(left.map(|left| judged(Judgement::new(Verdict::Unknown, ""), Some(left))));
                continue;
            }
            let node = standing.site.as_ref().map_or("", |site| &site.node);
            let found = apart::judge(&standing, self.contact(node, now));
            let found = found.map(|found| self.doubts.pass(&standing, uid, found, now));
            let Some(judgement) = found.or_else(|| self.unheard(&standing, node)) else {
                // What it said before does not hold any more; its node will say.
                if standing.known.is_some_and(apart::is_own) {
                    news.push(judged(Judgement::new(Verdict::Unknown, "not_visited"), None));
                }
                continue;
            };
            mine.push(JudgedNow {
                experiment: about(standing.run),
                target: TargetName { namespace: target.namespace.clone(), pod: target.pod.clone(), container: target.container.clone() },
                judgement: judgement.clone(),
            });
            if standing.known != Some(&judgement) {
                news.push(judged(judgement, None));
            }
        }
        if mine.is_empty() {
            self.judged.remove(uid);
        } else {
            self.judged.insert(uid.to_owned(), mine);
        }
        news
    }

    /// Nodes to be told something of which the past is not known yet.
    fn without_past(&self) -> Vec<Arc<str>> {
        let wants = |name: &&Arc<str>| {
            let node = self.nodes.get(*name);
            node.is_some_and(|node| {
                node.line.is_some() && node.ended.is_none() && !(node.experiments.is_empty() && node.residue.is_empty())
            })
        };
        self.dirty.iter().filter(wants).cloned().collect()
    }

    /// Takes over what the journal has of a node, newest first.
    fn remember(&mut self, name: &str, runs: &[Run]) {
        let mut past: BTreeMap<(String, String), Vec<EndedRun>> = BTreeMap::new();
        for run in runs {
            let over = |target: &chaoscope_model::run::Target| target.recovered_at.or(run.ended_at);
            let here = run.targets.iter().filter(|target| target.node == name && !target.pod.is_empty());
            let acted = here.filter(|target| target.injected_at.is_some() && target.state != TargetState::Gone);
            for (target, ended_at) in acted.filter(|_| !run.is_open()).filter_map(|target| Some((target, over(target)?))) {
                let pod = past.entry((target.namespace.clone(), target.pod.clone())).or_default();
                if pod.len() < MOST_ENDED && pod.iter().all(|known| known.run != run.id) {
                    pod.push(EndedRun { run: run.id.clone(), experiment: about(run), ended_at });
                }
            }
        }
        self.nodes.get_mut(name).into_iter().for_each(|node| node.ended = Some(std::mem::take(&mut past)));
    }

    /// Tells connected nodes what changed for them.
    fn tell(&mut self, index: &Index, now: Timestamp, whole: bool) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.retain(|name| self.nodes.get(name).is_some_and(|node| node.line.is_some()));
        if dirty.is_empty() {
            return;
        }
        let faults = index.faults();
        for name in dirty {
            let Some(node) = self.nodes.get_mut(&name) else { continue };
            let Some(line) = node.line.clone() else { continue };
            let mut pods = index.declared(&node.experiments, &name, &faults, now);
            let holding: BTreeSet<&Pod> = node.residue.iter().map(|residue| &residue.pod).filter(|pod| !pod.uid.is_empty()).collect();
            for pod in holding {
                pods.entry(pod.uid.clone()).or_insert_with(|| DeclaredPod { pod: pod.clone(), ..DeclaredPod::default() });
            }
            if let Some(past) = &mut node.ended {
                pods.values_mut().for_each(|pod| add_past(pod, past, index.made_at(&pod.pod)));
            }
            pods.retain(|_, pod| !pod.targets.is_empty() || !pod.ended.is_empty());
            let count = line.tell(pods);
            self.told(&name, count);
            if whole {
                line.ready();
            } else {
                self.dirty.insert(name);
            }
        }
    }
}

/// Adds the runs that ended on a pod, and remembers those it brings. What ended before the pod was made, was on another of its name.
fn add_past(declared: &mut DeclaredPod, past: &mut BTreeMap<(String, String), Vec<EndedRun>>, made_at: Option<Timestamp>) {
    let known = past.entry((declared.pod.namespace.clone(), declared.pod.name.clone())).or_default();
    let fresh = declared.ended.drain(..).filter(|ended| known.iter().all(|it| it.run != ended.run)).collect::<Vec<_>>();
    known.extend(fresh);
    known.sort_by(|one, other| other.ended_at.cmp(&one.ended_at).then_with(|| one.run.cmp(&other.run)));
    known.truncate(MOST_ENDED);
    let open = |run: &str| declared.targets.iter().any(|target| target.run == run);
    let was_there = |ended: &EndedRun| made_at.is_none_or(|made| ended.ended_at >= made);
    declared.ended = known.iter().filter(|ended| !open(&ended.run) && was_there(ended)).cloned().collect();
}

fn about(run: &Run) -> Reference {
    Reference { kind: run.kind.clone(), namespace: run.namespace.clone(), name: run.name.clone(), uid: run.uid.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(run: &str, second: i64) -> EndedRun {
        let experiment = Reference { kind: "NetworkChaos".into(), namespace: "shop".into(), name: "cut".into(), uid: String::new() };
        EndedRun { run: run.into(), experiment, ended_at: Timestamp::from_second(second).unwrap() }
    }

    #[test]
    fn what_ended_on_the_pod_before_is_no_evidence_for_its_successor() {
        let pod = || Pod { namespace: "shop".into(), name: "web-0".into(), uid: "new".into() };
        let mut past = BTreeMap::from([(("shop".to_owned(), "web-0".to_owned()), vec![ended("late", 20), ended("early", 5)])]);
        let mut told = |made_at: Option<i64>| {
            let mut declared = DeclaredPod { pod: pod(), ended: vec![ended("now", 30)], ..DeclaredPod::default() };
            add_past(&mut declared, &mut past, made_at.map(|second| Timestamp::from_second(second).unwrap()));
            declared.ended.into_iter().map(|ended| ended.run).collect::<Vec<_>>()
        };
        assert_eq!(told(Some(20)), ["now", "late"]);
        assert_eq!(told(Some(21)), ["now"]);
        assert_eq!(told(None), ["now", "late", "early"], "when it was made is not known");
    }
}
