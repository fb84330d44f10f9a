//! What is kept of what was told, within limits: the list that holds, and the one that is being told after a new connection.
//!
//! Pure. Until everything was told again, the old list holds; then the new one takes its place, so that a reconnection never looks as if
//! nothing were declared.

use super::told::Said;
use chaoscope_model::Pod;
use chaoscope_model::declared::DeclaredPod;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Longest event, in bytes. A pod with 64 ended runs and a dozen of faults has some 20 kB.
pub const LONGEST_EVENT: usize = 1 << 20;
/// Most pods with something declared; a node runs a few hundred.
pub const MOST_PODS: usize = 2_000;
/// Most targets of all pods.
pub const MOST_TARGETS: usize = 10_000;
/// Most names of pods in one event.
pub const MOST_NAMES: usize = 10_000;
/// Most pods that are noted as unclear; beyond, every pod is.
const MOST_UNCLEAR: usize = 10_000;

/// What is declared, by the pod's uid.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    pub(super) pods: Arc<BTreeMap<String, DeclaredPod>>,
    pub(super) unclear: Arc<BTreeSet<String>>,
    targets: usize,
}

/// The list that holds and the one that comes.
#[derive(Debug, Default)]
pub(super) struct List {
    held: Lists,
    coming: Option<Lists>,
}

/// What has become of something told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// What is declared has changed, or is the same.
    Kept,
    /// Everything was told.
    Complete,
    /// These pods have these names.
    Names(Vec<Pod>),
}

impl List {
    /// What holds.
    pub(super) const fn held(&self) -> &Lists {
        &self.held
    }

    /// A new connection: everything will be told again.
    pub(super) fn begin(&mut self) {
        self.coming = Some(Lists::default());
    }

    /// The connection is lost: what holds stays.
    pub(super) fn lose(&mut self) {
        self.coming = None;
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether the connection has told everything.
    pub(super) const fn is_complete(&self) -> bool {
        self.coming.is_none()
    }

    /// Takes what was said.
    pub(super) fn take(&mut self, said: Said) -> Taken {
        let lists = self.coming.as_mut().unwrap_or(&mut self.held);
        match said {
            Said::Pod(pod) => lists.put(*pod),
            Said::Unclear(uid) => {
                lists.remove(&uid);
                lists.doubt(uid);
            }
            Said::Gone(uid) => lists.remove(&uid),
            Said::Ready => {
                if let Some(coming) = self.coming.take() {
                    self.held = coming;
                }
                return Taken::Complete;
            }
            Said::Names(mut pods) => {
                pods.truncate(MOST_NAMES);
                return Taken::Names(pods);
            }
            Said::Hello(_) | Said::Other => {}
        }
        Taken::Kept
    }
}

impl Lists {
    fn put(&mut self, pod: DeclaredPod) {
        let uid = pod.pod.uid.clone();
        self.remove(&uid);
        if uid.is_empty() || self.pods.len() >= MOST_PODS || self.targets + pod.targets.len() > MOST_TARGETS {
            return self.doubt(uid);
        }
        self.targets += pod.targets.len();
        Arc::make_mut(&mut self.pods).insert(uid, pod);
    }

    fn remove(&mut self, uid: &str) {
        if self.pods.contains_key(uid)
            && let Some(pod) = Arc::make_mut(&mut self.pods).remove(uid)
        {
            self.targets -= pod.targets.len();
        }
        if self.unclear.contains(uid) {
            Arc::make_mut(&mut self.unclear).remove(uid);
        }
    }

    /// Nothing is known of what is declared for this pod; the empty name stands for every pod.
    fn doubt(&mut self, uid: String) {
        let uid = if self.unclear.len() < MOST_UNCLEAR { uid } else { String::new() };
        Arc::make_mut(&mut self.unclear).insert(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chaoscope_model::declared::{DeclaredTarget, Expectation, Stage};

    fn pod(uid: &str, targets: usize) -> Said {
        let target = |number: usize| DeclaredTarget {
            run: "r".into(),
            target: number.to_string(),
            selector: ".".into(),
            experiment: chaoscope_model::Reference::default(),
            container: String::new(),
            stage: Stage::Injected,
            injected_at: None,
            expects: Expectation::Network,
        };
        let about = Pod { namespace: "shop".into(), name: uid.into(), uid: uid.into() };
        Said::Pod(Box::new(DeclaredPod { pod: about, targets: (0..targets).map(target).collect(), ..DeclaredPod::default() }))
    }

    fn uids(list: &List) -> Vec<&str> {
        list.held().pods.keys().map(String::as_str).collect()
    }

    #[test]
    fn what_held_holds_until_everything_was_told_again() {
        let mut list = List::default();
        list.begin();
        list.take(pod("a", 1));
        assert!(uids(&list).is_empty() && !list.is_complete());
        assert_eq!((list.take(Said::Ready), uids(&list)), (Taken::Complete, vec!["a"]));
        list.take(pod("b", 1));
        list.begin();
        list.take(pod("c", 1));
        list.lose();
        assert_eq!(uids(&list), ["a", "b"], "half a list is none");
        list.begin();
        list.take(pod("c", 1));
        list.take(Said::Ready);
        assert_eq!(uids(&list), ["c"]);
        list.take(Said::Gone("c".into()));
        list.take(Said::Gone("never".into()));
        assert!(uids(&list).is_empty() && list.held().targets == 0);
    }

    #[test]
    fn what_does_not_fit_is_unclear_until_it_is_told_otherwise() {
        let mut list = List::default();
        list.take(pod("a", MOST_TARGETS));
        list.take(pod("b", 1));
        assert_eq!((uids(&list), list.held().unclear.iter().map(String::as_str).collect()), (vec!["a"], vec!["b"]));
        list.take(pod("a", 2));
        list.take(pod("b", 1));
        assert_eq!((uids(&list).len(), list.held().unclear.len(), list.held().targets), (2, 0, 3));
        list.take(Said::Unclear("a".into()));
        assert_eq!((uids(&list), list.held().targets), (vec!["b"], 1));
        for number in 0..MOST_PODS {
            list.take(pod(&format!("p{number}"), 0));
        }
        assert_eq!(list.held().pods.len(), MOST_PODS);
        assert!(list.held().unclear.contains("p1999") && list.held().unclear.contains("a"));
    }

    #[test]
    fn a_pod_without_a_uid_makes_everything_unclear() {
        let mut list = List::default();
        list.take(pod("", 1));
        assert!(list.held().pods.is_empty() && list.held().unclear.contains(""));
    }
}
