//! How each watch does: what tasks report, what pages read, and what of it is logged.
//!
//! A failure is logged when it begins and when it ends: once for each kind that is forbidden, since each needs its own rule, and once for all
//! watches that fail for another reason at the same time.

use super::rights;
use crate::cluster::api::Error;
use crate::cluster::now::WatchNow;
use crate::tools::resource::Resource;
use jiff::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Before the first answer.
const STARTING: &str = "starting";
/// Watching single namespaces only, and this kind belongs to none.
const CLUSTER_SCOPED: &str = "cluster_scoped";

/// All watches.
pub(super) struct Board {
    slots: Mutex<Vec<Slot>>,
    ready: watch::Sender<bool>,
}

struct Slot {
    resource: &'static Resource,
    now: WatchNow,
    /// Whether the first list is in, or it is known that there is none.
    settled: bool,
}

impl Board {
    /// One slot for each, in this order; a namespace of `None`: it is not watched.
    pub(super) fn new(scopes: impl Iterator<Item = (&'static Resource, Option<String>)>) -> Self {
        let slots: Vec<_> = scopes.map(|(resource, namespace)| Slot::new(resource, namespace)).collect();
        let board = Self { slots: Mutex::new(slots), ready: watch::Sender::new(false) };
        board.settle(&board.slots());
        board
    }

    pub(super) fn now(&self) -> Vec<WatchNow> {
        self.slots().iter().map(|slot| slot.now.clone()).collect()
    }

    pub(super) fn ready(&self) -> bool {
        *self.ready.borrow()
    }

    pub(super) async fn until_ready(&self) {
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await; // it fails only if the board is gone
    }

    /// A list begins.
    pub(super) fn lists(&self, at: usize) {
        let slot = &mut self.slots()[at];
        slot.now.restarts += u64::from(slot.now.listed_at.is_some());
    }

    /// A list is complete.
    pub(super) fn listed(&self, at: usize, objects: u64, when: Timestamp) {
        let mut slots = self.slots();
        slots[at].now.objects = objects;
        slots[at].now.listed_at = Some(when);
        slots[at].settled = true;
        self.settle(&slots);
    }

    /// The watch is open.
    pub(super) fn opened(&self, at: usize) {
        let mut slots = self.slots();
        let reason = std::mem::take(&mut slots[at].now.reason);
        slots[at].now.up = true;
        slots[at].now.message.clear();
        log_end(&slots, at, &reason);
    }

    /// A change came. `more`: whether there is now one object more (1), or less (−1).
    pub(super) fn changed(&self, at: usize, more: i64, when: Timestamp) {
        let now = &mut self.slots()[at].now;
        now.changes += 1;
        now.last_change_at = Some(when);
        now.objects = now.objects.saturating_add_signed(more);
    }

    /// Something came that was not understood.
    pub(super) fn not_understood(&self, at: usize) {
        self.slots()[at].now.undecodable += 1;
    }

    /// It does not work, and why.
    pub(super) fn failed(&self, at: usize, error: &Error) {
        let mut slots = self.slots();
        let slot = &mut slots[at];
        slot.settled |= matches!(error, Error::Missing | Error::Forbidden(_));
        slot.now.up = false;
        slot.now.message = error.to_string();
        if slot.now.reason != error.reason() {
            let before = std::mem::replace(&mut slot.now.reason, error.reason().to_owned());
            log_end(&slots, at, &before);
            log_begin(&slots, at, error);
        }
        self.settle(&slots);
    }

    fn settle(&self, slots: &[Slot]) {
        if slots.iter().all(|slot| slot.settled) {
            self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
        }
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner) // plain values: none is half written
    }
}

impl Slot {
    fn new(resource: &'static Resource, namespace: Option<String>) -> Self {
        let reason = if namespace.is_some() { STARTING } else { CLUSTER_SCOPED };
        if namespace.is_none() {
            tracing::info!(kind = resource.kind, "Not watched: it belongs to no namespace, and only some namespaces are watched.");
        }
        let settled = namespace.is_none();
        let namespace = namespace.unwrap_or_default();
        let now = WatchNow { resource: resource.plural, namespace, reason: reason.to_owned(), ..WatchNow::default() };
        Self { resource, now, settled }
    }
}

/// Whether another watch is in the same trouble.
fn shared(slots: &[Slot], at: usize, reason: &str) -> bool {
    slots.iter().enumerate().any(|(other, slot)| other != at && slot.now.reason == reason)
}

fn log_begin(slots: &[Slot], at: usize, error: &Error) {
    let (resource, now) = (slots[at].resource, &slots[at].now);
    match error {
        Error::Forbidden(_) => {
            let (rule, place) = (rights::rule(resource), rights::place(&now.namespace));
            tracing::warn!(kind = resource.kind, rule, "Cannot watch: add this rule to {place}.");
        }
        // A list that took too long begins anew by itself.
        Error::Expired(_) => tracing::debug!(kind = resource.kind, namespace = now.namespace, "Listing anew."),
        _ if shared(slots, at, error.reason()) => {
            tracing::debug!(kind = resource.kind, namespace = now.namespace, %error, "Cannot watch either.");
        }
        Error::Missing => tracing::info!(kind = resource.kind, "The API server has no such kind (nor, perhaps, others); asking again."),
        _ => {
            let namespace = &now.namespace;
            tracing::warn!(kind = resource.kind, namespace, %error, "Cannot watch (nor, perhaps, other kinds); trying again.");
        }
    }
}

fn log_end(slots: &[Slot], at: usize, reason: &str) {
    let (kind, now) = (slots[at].resource.kind, &slots[at].now);
    match reason {
        "" | STARTING | "expired" => {}
        "forbidden" => tracing::info!(kind, namespace = now.namespace, "Allowed now."),
        _ if shared(slots, at, reason) => tracing::debug!(kind, namespace = now.namespace, was = reason, "Watching again."),
        _ => tracing::info!(kind, was = reason, "No watch fails for that reason any more."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::chaos_mesh::kinds::by_plural;

    fn board(scopes: &[(&str, Option<&str>)]) -> Board {
        Board::new(scopes.iter().map(|(plural, namespace)| (by_plural(plural).unwrap(), namespace.map(str::to_owned))))
    }

    #[test]
    fn ready_is_when_nothing_more_is_to_be_waited_for_and_stays() {
        let board = board(&[("podchaos", Some("")), ("iochaos", Some("")), ("timechaos", Some("")), ("remoteclusters", None)]);
        board.failed(0, &Error::Missing);
        board.failed(1, &Error::Forbidden("no".into()));
        board.failed(2, &Error::Silent);
        assert!(!board.ready(), "a server that does not answer may have everything");
        board.listed(2, 5, Timestamp::UNIX_EPOCH);
        assert!(board.ready());
        board.failed(2, &Error::Silent);
        assert!(board.ready());
        let reasons: Vec<_> = board.now().into_iter().map(|now| now.reason).collect();
        assert_eq!(reasons, ["missing", "forbidden", "unreachable", "cluster_scoped"]);
    }

    #[test]
    fn counts_are_kept() {
        let board = board(&[("podchaos", Some("lab"))]);
        let (one, two) = (Timestamp::from_second(1).unwrap(), Timestamp::from_second(2).unwrap());
        board.lists(0);
        board.listed(0, 2, one);
        board.opened(0);
        board.changed(0, 1, two);
        board.changed(0, 0, two);
        board.changed(0, -1, two);
        board.not_understood(0);
        board.failed(0, &Error::Expired(String::new()));
        board.lists(0);
        let [now] = board.now().try_into().unwrap();
        assert_eq!((now.resource, now.namespace.as_str(), now.up, now.reason.as_str()), ("podchaos", "lab", false, "expired"));
        assert_eq!((now.objects, now.changes, now.undecodable, now.restarts), (2, 3, 1, 1));
        assert_eq!((now.listed_at, now.last_change_at), (Some(one), Some(two)));
    }
}
