//! When something left over is called residue: after a time of grace and two visits, so that neither a tool that is still tidying up nor a
//! restart of ours cries wolf; and until when: what a failed visit does not show is not gone.
//!
//! Pure. What is left over at all is told by `residue`. To take one more source's word: an arm in [`Sight::saw`].

use crate::node::sweep::{Fate, Observed, Skip, Sweep};
use chaoscope_model::Effect;
use chaoscope_model::verdict::Residue;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// How long something must have been there.
const GRACE: SignedDuration = SignedDuration::from_secs(30);
/// Visits closer to each other are of one moment.
const APART: SignedDuration = SignedDuration::from_secs(1);
/// Most that are remembered; of more than these, effective things and those seen first.
const MOST: usize = 10_000;

/// Residue, from visit to visit.
#[derive(Clone, Debug, Default)]
pub struct Leftovers {
    known: BTreeMap<Identity, Known>,
    last: Option<Timestamp>,
    shown: Vec<Residue>,
    full: bool,
}

/// Uid of the pod, network namespace, container, what it is, which one: the same thing at every visit.
type Identity = (String, String, String, String, String);

#[derive(Clone, Debug)]
struct Known {
    residue: Residue,
    /// Whether a second visit saw it.
    again: bool,
}

impl Leftovers {
    /// Takes in what a visit, made at `at`, found in `sweep`. A visit of the same time as the one before is the same visit. Answers what
    /// is residue now, effective things first.
    pub fn visit(&mut self, found: Vec<Residue>, sweep: &Sweep, at: Timestamp) -> &[Residue] {
        let is_new = self.last.replace(at) != Some(at);
        let found: BTreeMap<Identity, Residue> = found.into_iter().map(|residue| (identity(&residue), residue)).collect();
        let sight = Sight::of(sweep);
        self.known.retain(|identity, known| found.contains_key(identity) || !sight.saw(&known.residue));
        for (identity, residue) in found {
            match self.known.get_mut(&identity) {
                Some(known) => {
                    known.again |= is_new && at.duration_since(known.residue.first_seen).abs() >= APART;
                    known.residue = Residue { first_seen: known.residue.first_seen, ..residue };
                }
                None => drop(self.known.insert(identity, Known { residue, again: false })),
            }
        }
        self.limit();
        self.show(at);
        &self.shown
    }

    /// What is residue now, effective things first.
    pub fn now(&self) -> &[Residue] {
        &self.shown
    }

    fn limit(&mut self) {
        let over = self.known.len().saturating_sub(MOST);
        if over > 0 && !self.full {
            tracing::warn!(most = MOST, over, "More is left over on this node than is told.");
        } else if over == 0 && self.full {
            tracing::info!(most = MOST, "All that is left over on this node is told again.");
        }
        self.full = over > 0;
        if over > 0 {
            let mut order: Vec<_> = self.known.iter().map(|(identity, known)| (rank(&known.residue), identity.clone())).collect();
            order.sort_unstable();
            for (_, identity) in order.split_off(MOST) {
                self.known.remove(&identity);
            }
        }
    }

    fn show(&mut self, at: Timestamp) {
        let is_due = |known: &&Known| known.again && at.duration_since(known.residue.first_seen) >= GRACE;
        self.shown = self.known.values().filter(is_due).map(|known| known.residue.clone()).collect();
        self.shown.sort_by_key(rank);
    }
}

/// What matters more comes first.
fn rank(residue: &Residue) -> (bool, Timestamp) {
    (residue.effect == Effect::Benign, residue.first_seen)
}

fn identity(residue: &Residue) -> Identity {
    let Residue { pod, netns, container, what, object, .. } = residue;
    (pod.uid.clone(), netns.clone(), container.clone(), what.clone(), object.clone())
}

/// What a sweep would have shown.
struct Sight<'a> {
    sweep: &'a Sweep,
    /// By uid of the pod and name of the namespace, as residue tells them.
    namespaces: HashMap<(String, String), &'a Observed>,
}

impl<'a> Sight<'a> {
    fn of(sweep: &'a Sweep) -> Self {
        let mut namespaces = HashMap::new();
        for observed in &sweep.namespaces {
            let namespace = &observed.namespace;
            let uid = namespace.pod.as_ref().map_or_else(String::new, |pod| pod.uid.clone());
            if !uid.is_empty() && namespace.primary {
                namespaces.insert((uid.clone(), String::new()), observed);
            }
            namespaces.insert((uid, namespace.called()), observed);
        }
        Self { sweep, namespaces }
    }

    /// Whether the sweep would have found it, were it still there.
    fn saw(&self, residue: &Residue) -> bool {
        match residue.what.as_str() {
            "helper" => self.sweep.complete.processes && self.looked_for(&residue.pod.uid),
            "mount" => self.saw_files(residue),
            _ => self.saw_kernel(residue),
        }
    }

    fn saw_files(&self, residue: &Residue) -> bool {
        let own = self.sweep.looked.iter().find(|looked| looked.pod == residue.pod.uid && looked.container == residue.container);
        match own {
            Some(looked) if residue.object.starts_with("resolv.conf") => looked.resolv_conf,
            Some(looked) => looked.mounts,
            None => self.sweep.complete.processes && self.sweep.complete.namespaces, // no such container any more
        }
    }

    /// Whether a pod was looked for: all of them were, or this one was found. A sweep may be of a few pods only.
    fn looked_for(&self, uid: &str) -> bool {
        let found =
            || self.sweep.looked.iter().any(|looked| looked.pod == uid) || self.namespaces.contains_key(&(uid.to_owned(), String::new()));
        self.sweep.complete.namespaces || (!uid.is_empty() && found())
    }

    fn saw_kernel(&self, residue: &Residue) -> bool {
        let key = (residue.pod.uid.clone(), residue.netns.clone());
        let Some(observed) = self.namespaces.get(&key) else { return self.sweep.complete.namespaces };
        let reading = match &observed.fate {
            Fate::Read(reading, _) => reading,
            Fate::Skipped(Skip::Gone) => return true,
            Fate::Failed(_) | Fate::Skipped(_) => return false,
        };
        match residue.what.as_str() {
            "qdisc" | "filter" => reading.tc.is_ok(),
            "set" => reading.sets.is_ok(),
            _ if residue.object.starts_with("legacy ") => reading.legacy.is_ok(),
            _ => reading.nft.is_ok(),
        }
    }
}

#[cfg(test)]
mod tests;
