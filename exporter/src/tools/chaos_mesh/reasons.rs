//! The reasons of Chaos Mesh's own Kubernetes Events (2.5 to 2.8).
//!
//! Apart, because it is one table. An Event is text that anybody may write who may make Events: what is counted by reason is counted by these
//! alone. To extend: a release that adds a kind of event (`controllers/utils/recorder`, `pkg/workflow` and its conditions) adds its reason,
//! in the alphabet's order.

/// All of them, sorted.
const REASONS: [&str; 46] = [
    "Applied",
    "ChaosCRCreateFailed",
    "ChaosCRCreated",
    "ChaosCRDeleteFailed",
    "ChaosCRDeleted",
    "ChaosCRNotExists",
    "ConditionalBranchesSelected",
    "Deleted",
    "EntryCreated",
    "Failed",
    "FinalizerInited",
    "Forbid",
    "InvalidEntry",
    "MissSchedule",
    "NodeAccomplished",
    "NodeDeadlineExceed",
    "NodeDeadlineNotExceed",
    "NodeDeadlineOmitted",
    "NodesCreated",
    "NotSupported",
    "ParentNodeAborted",
    "ParentNodeDeadlineExceed",
    "Paused",
    "Recovered",
    "RerunBySpecChanged",
    "Skip",
    "Spawned",
    "Started",
    "StatusCheckCompleted",
    "StatusCheckCreated",
    "StatusCheckCreatedFailed",
    "StatusCheckDeleted",
    "StatusCheckDeletedFailed",
    "StatusCheckDurationExceed",
    "StatusCheckExecutionFailed",
    "StatusCheckExecutionSucceed",
    "StatusCheckFailureThresholdExceed",
    "StatusCheckNotExceedSuccessThreshold",
    "StatusCheckSuccessThresholdExceed",
    "TaskPodPodCompleted",
    "TaskPodSpawnFailed",
    "TaskPodSpawned",
    "TimeUp",
    "Updated",
    "WorkflowAborted",
    "WorkflowAccomplished",
];

/// Whether an Event of Chaos Mesh can have this reason.
pub(super) fn is_known(reason: &str) -> bool {
    REASONS.binary_search(&reason).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(REASONS.is_sorted());
        assert!(REASONS.iter().all(|reason| is_known(reason)) && !is_known("applied") && !is_known(""));
    }
}
