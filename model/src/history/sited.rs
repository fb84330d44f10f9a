//! Where targets are: the pod behind each, by uid, and the node it is on.
//!
//! Apart from `derive` because runs hold names only; whoever compares with a kernel must know which pod it is.

use super::History;
use crate::observation::Record;
use crate::run::{Run, Target, TargetState};
use std::sync::Arc;

/// The pod behind a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its uid; empty where it was never seen.
    pub uid: Arc<str>,
    /// Its node; empty while it has none.
    pub node: Arc<str>,
    /// It is gone.
    pub gone: bool,
    /// It is gone, and another pod has its name.
    pub replaced: bool,
}

impl History {
    /// The pod behind a target of one of its runs; `None` where nothing is known of it, and where it is no pod of this cluster.
    pub fn site(&self, run: &Run, target: &Target) -> Option<Site> {
        if target.pod.is_empty() {
            return None;
        }
        let lodging = self.lodging((&target.namespace, &target.pod), target.injected_at, run.ended_at)?;
        let (uid, node) = lodging.pod.map(|(uid, pod)| (Arc::clone(uid), Arc::clone(&pod.node))).unwrap_or_default();
        let held = target.injected_at.is_some() || target.state == TargetState::Gone;
        Some(Site { uid, node, gone: lodging.gone || (lodging.replaced && held), replaced: lodging.replaced && held })
    }

    /// The record behind a target.
    pub fn record(&self, target: &Target) -> Option<&Record> {
        let records = &self.latest.as_ref()?.records;
        let same = |record: &&Record| (record.selector == PEER) == (target.role == "peer") && is_id(&record.id, &target.id);
        records.iter().find(same)
    }
}

/// The selector of a fault's other end.
pub(super) const PEER: &str = ".Target";

/// Whether a target's id, which may be cut, is a record's.
fn is_id(record: &str, target: &str) -> bool {
    record == target || (record.starts_with(target) && target == crate::experiment::shortened(record, super::derive::LONGEST_ID))
}
