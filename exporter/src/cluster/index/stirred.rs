//! Of which experiments something changed, for whoever tells nodes what is declared. Pure.
//!
//! Apart from what is declared (`declared`), which is asked only about these. For one more fact that is told: a line where it comes in.

use super::{Index, Listed};
use chaoscope_model::Reference;
use chaoscope_model::observation::Observation;
use std::collections::BTreeSet;

/// Kinds of the objects that declare what is to be in a pod.
pub(super) const KINDS: [&str; 3] = ["PodNetworkChaos", "PodIOChaos", "PodHttpChaos"];

impl Index {
    /// From now on it is noted of which experiments something changed; all that are known count as changed.
    pub fn note_changes(&mut self) {
        self.stirred = Some(self.experiments.keys().cloned().collect());
    }

    /// A kind cannot be read in a namespace (empty: in all): what its objects declare is not known until a list of it is complete.
    pub fn lost(&mut self, kind: &str, namespace: &str) {
        if KINDS.contains(&kind) && self.plans.lost.insert((kind.to_owned(), namespace.to_owned())) && self.stirred.is_some() {
            self.note_changes();
        }
    }

    /// Experiments of which something changed since this was asked last.
    pub fn take_changed(&mut self) -> BTreeSet<String> {
        self.stirred.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Notes an experiment.
    pub(super) fn note(&mut self, uid: &str) {
        if let Some(stirred) = &mut self.stirred {
            stirred.insert(uid.to_owned());
        }
    }

    /// Notes the experiments that have a pod of this name (`namespace/name`) as a target.
    pub(super) fn stir(&mut self, name: &str) {
        if let (Some(stirred), Some(named)) = (&mut self.stirred, self.named.get(name)) {
            stirred.extend(named.interested.keys().map(ToString::to_string));
        }
    }

    pub(super) fn stir_plan(&mut self, plan: &Observation) {
        if let Observation::PodFaults(faults) = plan {
            self.stir(&format!("{}/{}", faults.about.namespace, faults.about.name));
        }
    }

    /// To be called before the object is forgotten.
    pub(super) fn stir_gone(&mut self, about: &Reference) {
        if self.stirred.is_some() && self.plans.faults.contains_key(&about.uid) {
            self.stir(&format!("{}/{}", about.namespace, about.name));
        }
    }

    /// To be called before a list is applied; `first`: there was none of its kind and scope.
    pub(super) fn stir_list(&mut self, listed: &Listed, first: bool) {
        let news = self.plans.lost.remove(&(listed.kind.clone(), listed.namespace.clone())) || first;
        if news && self.stirred.is_some() && KINDS.contains(&listed.kind.as_str()) {
            self.note_changes();
        }
        if self.stirred.is_none() {
            return;
        }
        let lacks = |about: &&Reference| about.kind == listed.kind && !listed.uids.contains(&about.uid);
        let gone: Vec<String> = self
            .plans
            .faults
            .values()
            .map(|faults| &faults.about)
            .filter(lacks)
            .map(|it| format!("{}/{}", it.namespace, it.name))
            .collect();
        gone.iter().for_each(|name| self.stir(name));
    }
}
