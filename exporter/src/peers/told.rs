//! What of the peers' failures is in the log: each is told when it begins, when its reason changes and when it ends, not at every page.

use super::PeerReading;
use super::find::Lost;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What fails now, by who or what it is, with the reason that was logged.
#[derive(Default)]
pub(super) struct Told(Mutex<BTreeMap<String, &'static str>>);

impl Told {
    pub(super) fn answers(&self, readings: &[PeerReading]) {
        for PeerReading { peer, page, .. } in readings {
            let failure = page.as_ref().err();
            if self.begins(&peer.to_string(), failure.map(super::Failure::reason))
                && let Some(failure) = failure
            {
                tracing::warn!(peer = %peer, reason = failure.reason(), "a component's metrics are missing: {failure}");
            }
        }
        let asked = |key: &String| readings.iter().any(|reading| reading.peer.to_string() == *key) || !key.contains(' ');
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| asked(key)); // pods come and go
    }

    pub(super) fn found(&self, lost: Option<&Lost>) {
        if self.begins("finding", lost.map(|_| "finding"))
            && let Some(lost) = lost
        {
            tracing::warn!("{lost}");
        }
    }

    /// So many that not all are asked.
    pub(super) fn many(&self, left_out: usize) {
        if self.begins("many", (left_out > 0).then_some("many")) {
            tracing::warn!(left_out, "more components than are asked");
        }
    }

    /// Whether this failure is news; the end of one is logged here.
    fn begins(&self, key: &str, reason: Option<&'static str>) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reason) = reason else {
            if let Some(was) = told.remove(key) {
                tracing::info!(peer = key, was, "is well again");
            }
            return false;
        };
        told.insert(key.to_owned(), reason) != Some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_until_it_changes_or_ends() {
        let told = Told::default();
        assert!(!told.begins("a", None), "well from the start is no news");
        assert!(told.begins("a", Some("timeout")));
        assert!(!told.begins("a", Some("timeout")));
        assert!(told.begins("a", Some("status")), "another reason");
        assert!(!told.begins("a", None));
        assert!(told.begins("a", Some("status")));
    }
}
