//! Which pods are wanted, by which runs, and what is still to be fetched: what callers write and the tasks of the namespaces read.
//!
//! Apart from the tasks, so that wanting never waits.

use super::super::api::Error;
use super::super::now::WatchNow;
use super::PODS;
use chaoscope_model::observation::TargetName;
use jiff::Timestamp;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc};

/// All namespaces with an open run.
pub(super) struct Wanted {
    /// Empty: any.
    allowed: HashSet<String>,
    opener: mpsc::UnboundedSender<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Namespace and name of each run's pods.
    runs: HashMap<String, BTreeSet<(String, String)>>,
    namespaces: HashMap<String, Namespace>,
    /// Runs that ended, and until when their pods are still wanted.
    ended: BTreeSet<(Timestamp, String)>,
    /// What was counted so far, over all namespaces.
    counted: WatchNow,
}

/// One namespace that is followed.
#[derive(Default)]
struct Namespace {
    /// Each pod, and how many runs want it.
    names: HashMap<String, usize>,
    /// Those to fetch.
    fresh: HashSet<String>,
    changed: Arc<Notify>,
    trouble: Option<(&'static str, String)>,
}

impl Wanted {
    pub(super) fn new(allowed: &[String], opener: mpsc::UnboundedSender<String>) -> Self {
        Self { allowed: allowed.iter().cloned().collect(), opener, state: Mutex::default() }
    }

    /// Replaces what a run wants; nothing: it wants nothing any more.
    pub(super) fn want<'a>(&self, run: &str, targets: impl IntoIterator<Item = &'a TargetName>) {
        let pods = targets.into_iter().filter(|it| !it.pod.is_empty() && self.may(&it.namespace));
        let wanted: BTreeSet<_> = pods.map(|it| (it.namespace.clone(), it.pod.clone())).collect();
        let mut state = self.state();
        let before = state.runs.remove(run).unwrap_or_default();
        for (namespace, name) in wanted.difference(&before) {
            self.add(&mut state, namespace, name);
        }
        for (namespace, name) in before.difference(&wanted) {
            state.drop_one(namespace, name);
        }
        if !wanted.is_empty() {
            state.runs.insert(run.to_owned(), wanted);
        }
    }

    /// A run has ended; what it wants is wanted until then.
    pub(super) fn release_at(&self, run: &str, until: Timestamp) {
        self.state().ended.insert((until, run.to_owned()));
    }

    /// Lets go of what is wanted no longer.
    pub(super) fn release_until(&self, now: Timestamp) {
        let mut state = self.state();
        let left = state.ended.split_off(&(now, String::new()));
        let over = std::mem::replace(&mut state.ended, left);
        drop(state);
        over.iter().for_each(|(_, run)| self.want(run, []));
    }

    fn may(&self, namespace: &str) -> bool {
        !namespace.is_empty() && (self.allowed.is_empty() || self.allowed.contains(namespace))
    }

    fn add(&self, state: &mut State, namespace: &str, name: &str) {
        let at = match state.namespaces.entry(namespace.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let _ = self.opener.send(namespace.to_owned()); // it fails only when all of this ends
                new.insert(Namespace::default())
            }
        };
        let holders = at.names.entry(name.to_owned()).or_insert(0);
        *holders += 1;
        if *holders == 1 {
            at.fresh.insert(name.to_owned());
            at.changed.notify_one();
        }
    }

    /// Told whenever there may be something to fetch, or nothing to do any more.
    pub(super) fn changed(&self, namespace: &str) -> Arc<Notify> {
        self.state().namespaces.get(namespace).map_or_else(Arc::default, |at| Arc::clone(&at.changed))
    }

    pub(super) fn is_wanted(&self, namespace: &str, name: &str) -> bool {
        self.state().namespaces.get(namespace).is_some_and(|at| at.names.contains_key(name) || at.fresh.contains(name))
    }

    /// What is to be fetched.
    pub(super) fn fresh(&self, namespace: &str) -> HashSet<String> {
        self.state().namespaces.get(namespace).map_or_else(HashSet::new, |at| at.fresh.clone())
    }

    /// Fetched.
    pub(super) fn fetched(&self, namespace: &str, name: &str) {
        if let Some(at) = self.state().namespaces.get_mut(namespace) {
            at.fresh.remove(name);
        }
    }

    /// Everything is to be fetched again.
    pub(super) fn begin_anew(&self, namespace: &str) {
        let mut state = self.state();
        state.counted.restarts += 1;
        if let Some(at) = state.namespaces.get_mut(namespace) {
            at.fresh.extend(at.names.keys().cloned());
        }
    }

    /// Whether nothing is wanted there nor to be fetched; the namespace is then forgotten, and its task must end.
    pub(super) fn close_if_done(&self, namespace: &str) -> bool {
        self.close_if(namespace, |at| at.names.is_empty() && at.fresh.is_empty())
    }

    /// Whether nothing is wanted there, fetched or not, as [`Self::close_if_done`]: what cannot be fetched is not tried for ever.
    pub(super) fn close_if_unwanted(&self, namespace: &str) -> bool {
        self.close_if(namespace, |at| at.names.is_empty())
    }

    fn close_if(&self, namespace: &str, done: fn(&Namespace) -> bool) -> bool {
        let mut state = self.state();
        let closed = state.namespaces.get(namespace).is_none_or(done);
        if closed {
            state.namespaces.remove(namespace);
        }
        closed
    }

    /// Whether everything wanted was fetched; what is in trouble is not waited for.
    pub(super) fn settled(&self) -> bool {
        self.state().namespaces.values().all(|at| at.fresh.is_empty() || at.trouble.is_some())
    }

    /// Something was seen.
    pub(super) fn counted(&self, when: Timestamp, understood: bool) {
        let counted = &mut self.state().counted;
        counted.changes += 1;
        counted.last_change_at = Some(when);
        counted.undecodable += u64::from(!understood);
    }

    /// Everything wanted in a namespace is there.
    pub(super) fn complete(&self, namespace: &str) {
        let mut state = self.state();
        state.counted.listed_at = Some(Timestamp::now());
        let ended = state.namespaces.get_mut(namespace).and_then(|at| at.trouble.take());
        if let Some((reason, _)) = ended.filter(|(reason, _)| !state.shared(reason)) {
            tracing::info!(was = reason, "Target pods are seen again.");
        }
    }

    /// A namespace cannot be followed.
    pub(super) fn failed(&self, namespace: &str, error: &Error) {
        let mut state = self.state();
        let reason = error.reason();
        if !state.shared(reason) && reason != "expired" {
            tracing::warn!(namespace, %error, "Cannot see target pods (nor, perhaps, in other namespaces); trying again.");
        }
        if let Some(at) = state.namespaces.get_mut(namespace) {
            at.trouble = Some((reason, error.to_string()));
        }
    }

    pub(super) fn now(&self) -> WatchNow {
        let state = self.state();
        let trouble = state.namespaces.values().find_map(|at| at.trouble.clone());
        let (reason, message) = trouble.unwrap_or(("", String::new()));
        WatchNow {
            resource: PODS.plural,
            up: reason.is_empty(),
            reason: reason.to_owned(),
            message,
            objects: state.namespaces.values().map(|at| at.names.len() as u64).sum(),
            ..state.counted.clone()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // plain values: none is half written
    }
}

impl State {
    fn drop_one(&mut self, namespace: &str, name: &str) {
        let Some(at) = self.namespaces.get_mut(namespace) else { return };
        let Some(holders) = at.names.get_mut(name) else { return };
        *holders -= 1;
        if *holders == 0 {
            at.names.remove(name);
            at.changed.notify_one();
        }
    }

    /// Whether a namespace is in this trouble.
    fn shared(&self, reason: &str) -> bool {
        self.namespaces.values().any(|at| at.trouble.as_ref().is_some_and(|(same, _)| *same == reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(namespace: &str, pod: &str) -> TargetName {
        TargetName { namespace: namespace.into(), pod: pod.into(), container: String::new() }
    }

    #[test]
    fn a_pod_is_wanted_as_long_as_one_run_wants_it() {
        let (opener, mut opened) = mpsc::unbounded_channel();
        let wanted = Wanted::new(&[], opener);
        wanted.want("one", &[target("lab", "a"), target("lab", "b"), target("", ""), target("lab", "")]);
        wanted.want("two", &[target("lab", "b"), target("shop", "c")]);
        assert_eq!((opened.try_recv().unwrap(), opened.try_recv().unwrap(), opened.try_recv().ok()), ("lab".into(), "shop".into(), None));
        assert_eq!(wanted.fresh("lab"), HashSet::from(["a".into(), "b".into()]));
        wanted.fetched("lab", "a");
        wanted.fetched("lab", "b");
        wanted.want("one", &[target("lab", "a")]);
        assert_eq!(wanted.fresh("lab"), HashSet::new(), "nothing is fetched twice");
        wanted.want("one", []);
        assert!(!wanted.is_wanted("lab", "a") && wanted.is_wanted("lab", "b") && !wanted.close_if_done("lab"));
        wanted.want("two", []);
        assert!(wanted.close_if_done("lab"));
        assert!(!wanted.close_if_done("shop"), "c was never fetched");
        wanted.fetched("shop", "c");
        assert!(wanted.close_if_done("shop"));
        assert_eq!(wanted.now().objects, 0);
    }

    #[test]
    fn namespaces_we_are_not_limited_to_are_left_alone() {
        let (opener, mut opened) = mpsc::unbounded_channel();
        let wanted = Wanted::new(&["lab".into()], opener);
        wanted.want("one", &[target("shop", "a")]);
        assert_eq!(opened.try_recv().ok(), None);
        wanted.want("one", &[target("shop", "a"), target("lab", "b")]);
        assert_eq!(opened.try_recv().unwrap(), "lab");
    }
}
