//! Every scenario, whole.

use super::told;

fn means(name: &str, runs: &[&str]) {
    assert_eq!(told(name), runs, "{name}");
}

/// A new partition on pods that still have the rules of an old one is a run like any other.
#[test]
fn after_residue() {
    means(
        "after-residue",
        &[
            "NetworkChaos partition cut-web-from-client #1: recovered; started_at 06:09.660, injected_at 06:10.931, expected_end_at ~06:24, stop_requested_at 06:12.948, ended_at 06:13.288; \
             on shop/web-0 recovered 06:10.075, shop/web-1 recovered 06:10.338, shop/client-0 (peer) recovered 06:10.931",
        ],
    );
}

/// A bandwidth limit without a target.
#[test]
fn bandwidth() {
    means(
        "bandwidth",
        &[
            "NetworkChaos bandwidth thin-web #1: recovered; started_at 59:28.555, injected_at 59:28.744, expected_end_at ~59:40, stop_requested_at 59:40.001, ended_at 59:40.202; \
             on shop/web-0 recovered 59:28.674, shop/web-1 recovered 59:28.744",
        ],
    );
}

/// The controller dies in the middle: the end comes late, and is one end.
#[test]
fn controller_down() {
    means(
        "controller-down",
        &[
            "NetworkChaos partition cut-web-from-client #1: recovered; started_at 39:43.843, injected_at 39:45.016, expected_end_at ~39:58, stop_requested_at 40:26.801, ended_at 40:27.177; \
             on shop/web-0 recovered 39:44.423, shop/web-1 recovered 39:44.798, shop/client-0 (peer) recovered 39:45.016",
        ],
    );
}

/// Nothing is injected until the daemon is back; then it is one run that took long to inject.
#[test]
fn daemon_down() {
    means(
        "daemon-down",
        &[
            "NetworkChaos partition cut-web-from-client #1: recovered; started_at 16:18.626, injected_at 16:30.272, expected_end_at ~16:33, stop_requested_at 16:33.001, ended_at 16:33.297; \
             on shop/web-0 recovered 16:30.048, shop/web-1 recovered 16:29.839, shop/client-0 (peer) recovered 16:30.272",
        ],
    );
}

/// Paused and started again by the dashboard: two runs.
#[test]
fn dashboard_crud() {
    means(
        "dashboard-crud",
        &[
            "NetworkChaos partition by-dashboard #1: recovered; started_at 02:51.737, injected_at 02:51.947, expected_end_at ~03:21, stop_requested_at 02:52.072, ended_at 02:52.249; \
             on shop/db-0 recovered 02:51.947",
            "NetworkChaos partition by-dashboard #2: recovered; started_at 02:55.156, injected_at 02:55.332, expected_end_at ~03:21, stop_requested_at 02:58.194, ended_at 02:58.443; \
             on shop/db-0 recovered 02:55.332",
        ],
    );
}

/// The kernel has no netem: never injected, and only gone when its finalizer was taken away.
#[test]
fn delay() {
    means(
        "delay",
        &[
            "NetworkChaos delay slow-web #1: injection_failed; started_at 58:18.919, expected_end_at ~58:28, stop_requested_at 58:46.985, ended_at ?59:18.132; \
             on shop/web-0 failed, shop/web-1 failed",
        ],
    );
}

/// Deleted while it ran.
#[test]
fn delete_running() {
    means(
        "delete-running",
        &[
            "NetworkChaos partition cut-web-from-client #1: recovered; started_at 04:09.363, injected_at 04:10.365, expected_end_at ~04:24, stop_requested_at 04:16.607, ended_at 04:17.167; \
             on shop/web-0 recovered 04:09.864, shop/web-1 recovered 04:10.164, shop/client-0 (peer) recovered 04:10.365",
        ],
    );
}

/// The daemon is down, recovery hangs, somebody takes the finalizer away: the targets stay injected.
#[test]
fn forced_finalizer() {
    means(
        "forced-finalizer",
        &[
            "NetworkChaos partition cut-web-from-client #1: forced; started_at 04:48.868, injected_at 04:49.560, expected_end_at ~05:03, stop_requested_at 04:52.724, ended_at ?05:28.144; \
             on shop/web-0 injected 04:49.083, shop/web-1 injected 04:49.289, shop/client-0 (peer) injected 04:49.560",
        ],
    );
}

/// The proxy never came up: never injected.
#[test]
fn http_abort() {
    means(
        "http-abort",
        &[
            "HTTPChaos abort abort-web #1: injection_failed; started_at 28:43.983, expected_end_at ~28:55, stop_requested_at 28:57.716, ended_at ?29:55.091; \
             on shop/web-0 failed, shop/web-1 failed",
        ],
    );
}

/// The file system never came up: never injected.
#[test]
fn io_latency() {
    means(
        "io-latency",
        &[
            "IOChaos latency slow-disk #1: injection_failed; started_at 18:04.067, expected_end_at ~18:16, stop_requested_at 18:18.441, ended_at ?19:02.033; \
             on shop/db-0/db failed",
        ],
    );
}

/// A delay where netem works.
#[test]
fn netem_delay() {
    means(
        "netem-delay",
        &[
            "NetworkChaos delay slow-web #1: recovered; started_at 50:10.254, injected_at 50:26.247, expected_end_at ~51:39, stop_requested_at 51:39.004, ended_at 51:54.343; \
             on shop/web-0 recovered 50:19.910, shop/web-1 recovered 50:26.247",
        ],
    );
}

/// A delay towards a peer: the peer is a target, too.
#[test]
fn netem_delay_target() {
    means(
        "netem-delay-target",
        &[
            "NetworkChaos delay slow-web-to-client #1: recovered; started_at 35:36.490, injected_at 36:19.014, expected_end_at ~37:05, stop_requested_at 37:05.001, ended_at 37:25.161; \
             on shop/web-0 recovered 35:53.911, shop/web-1 recovered 36:19.014, shop/client-0 (peer) recovered 35:38.790",
        ],
    );
}

/// A delay towards an address outside.
#[test]
fn netem_external() {
    means(
        "netem-external",
        &[
            "NetworkChaos delay slow-external #1: recovered; started_at 33:05.151, injected_at 33:23.511, expected_end_at ~33:42, stop_requested_at 33:42.001, ended_at 33:46.504; \
             on shop/db-0 recovered 33:23.511",
        ],
    );
}

/// Both sides drop.
#[test]
fn partition_both() {
    means(
        "partition-both",
        &[
            "NetworkChaos partition cut-web-from-client #1: recovered; started_at 56:47.526, injected_at 56:48.453, expected_end_at ~57:02, stop_requested_at 57:02.000, ended_at 57:02.236; \
             on shop/web-0 recovered 56:47.936, shop/web-1 recovered 56:48.183, shop/client-0 (peer) recovered 56:48.453",
        ],
    );
}

/// A partition from an address outside.
#[test]
fn partition_external() {
    means(
        "partition-external",
        &[
            "NetworkChaos partition cut-external #1: recovered; started_at 57:13.737, injected_at 57:13.933, expected_end_at ~57:23, stop_requested_at 57:23.001, ended_at 57:23.127; \
             on shop/db-0 recovered 57:13.933",
        ],
    );
}

/// Three applications of one experiment, and one that was born paused and starts when it is resumed.
#[test]
fn pause_resume() {
    means(
        "pause-resume",
        &[
            "NetworkChaos partition pausable #1: recovered; started_at 03:12.123, injected_at 03:12.494, stop_requested_at 03:14.173, ended_at 03:14.456; \
             on shop/web-0 recovered 03:12.279, shop/web-1 recovered 03:12.394, shop/client-0 (peer) recovered 03:12.494",
            "NetworkChaos partition pausable #2: recovered; started_at 03:17.279, injected_at 03:17.773, stop_requested_at 03:19.401, ended_at 03:19.746; \
             on shop/web-0 recovered 03:17.471, shop/web-1 recovered 03:17.613, shop/client-0 (peer) recovered 03:17.773",
            "NetworkChaos partition pausable #3: recovered; started_at 03:21.311, injected_at 03:21.825, stop_requested_at 03:22.113, ended_at 03:22.458; \
             on shop/web-0 recovered 03:21.551, shop/web-1 recovered 03:21.700, shop/client-0 (peer) recovered 03:21.825",
            "NetworkChaos partition born-paused #1: recovered; started_at 03:29.484, injected_at 03:29.935, expected_end_at ~04:03, stop_requested_at 03:30.297, ended_at 03:30.534; \
             on shop/web-0 recovered 03:29.808, shop/web-1 recovered 03:29.935, shop/client-0 (peer) recovered 03:29.674",
        ],
    );
}

/// The image of a pod is replaced, and put back.
#[test]
fn pod_failure() {
    means(
        "pod-failure",
        &[
            "PodChaos pod-failure fail-db #1: recovered; started_at 00:10.628, injected_at 00:10.674, expected_end_at ~00:22, stop_requested_at 00:22.001, ended_at 00:22.026; \
             on shop/db-0 recovered 00:10.674",
        ],
    );
}

/// A kill is done once: it is complete when it is done, and nothing recovers.
#[test]
fn pod_kill() {
    means(
        "pod-kill",
        &["PodChaos pod-kill kill-one-web #1: completed; started_at 59:55.215, injected_at 59:55.251, ended_at 59:55.251; \
             on shop/web-1 injected 59:55.251"],
    );
}

/// The pod went away in the middle; the tool recovers its name all the same.
#[test]
fn pod_replaced() {
    means(
        "pod-replaced",
        &[
            "NetworkChaos partition pausable #1: recovered; started_at 16:56.289, injected_at 16:56.800, stop_requested_at 17:07.365, ended_at 17:07.724; \
             on shop/web-0 recovered 16:56.462, shop/web-1 recovered 16:56.593, shop/client-0 (peer) recovered 16:56.800",
        ],
    );
}

/// Kinds that need a server that is not there: each fails to inject, and ends when its time is up or it is deleted.
#[test]
fn refused_kinds() {
    means(
        "refused-kinds",
        &[
            "DNSChaos error dns-error #1: injection_failed; started_at 19:14.087, expected_end_at ~19:24, stop_requested_at 19:38.211, ended_at 19:38.211; \
             on shop/db-0/db failed",
            "JVMChaos gc jvm-gc #1: injection_failed; started_at 19:14.798, expected_end_at ~19:24, stop_requested_at 19:30.234, ended_at 19:30.234; \
             on shop/db-0/db failed",
            "KernelChaos fail-kernel-request slab-fail #1: injection_failed; started_at 19:15.763, expected_end_at ~19:25, stop_requested_at 19:38.780, ended_at 19:38.780; \
             on shop/db-0 failed",
            "AWSChaos ec2-stop stop-vm #1: injection_failed; started_at 19:16.667, expected_end_at ~19:26, stop_requested_at 19:30.530, ended_at 19:30.530; \
             on {\"endpoint\":\"http://127. failed",
            "PhysicalMachineChaos stress-cpu machine-cpu #1: injection_failed; started_at 19:17.692, expected_end_at ~19:27, stop_requested_at 19:33.167, ended_at 19:33.167; \
             on http://127.0.0.1:9 failed",
        ],
    );
}

/// Somebody flushed the rules: nothing in the API says so.
#[test]
fn rule_removed_by_hand() {
    means(
        "rule-removed-by-hand",
        &[
            "NetworkChaos partition pausable #1: recovered; started_at 17:36.530, injected_at 17:36.957, stop_requested_at 17:50.221, ended_at 17:50.495; \
             on shop/web-0 recovered 17:36.696, shop/web-1 recovered 17:36.837, shop/client-0 (peer) recovered 17:36.957",
        ],
    );
}

/// Six children of one schedule.
#[test]
fn schedule() {
    means(
        "schedule",
        &[
            "NetworkChaos partition every-ten-w96vd #1 of Schedule every-ten: recovered; started_at 00:59.073, injected_at 00:59.365, expected_end_at ~01:03, stop_requested_at 01:03.000, ended_at 01:03.229; \
             on shop/db-0 recovered 00:59.365",
            "NetworkChaos partition every-ten-rl7p8 #1 of Schedule every-ten: recovered; started_at 01:09.110, injected_at 01:09.538, expected_end_at ~01:13, stop_requested_at 01:13.001, ended_at 01:13.169; \
             on shop/db-0 recovered 01:09.538",
            "NetworkChaos partition every-ten-dftpg #1 of Schedule every-ten: recovered; started_at 01:19.060, injected_at 01:19.300, expected_end_at ~01:23, stop_requested_at 01:23.000, ended_at 01:23.130; \
             on shop/db-0 recovered 01:19.300",
            "NetworkChaos partition every-ten-c5nmz #1 of Schedule every-ten: recovered; started_at 01:29.066, injected_at 01:29.262, expected_end_at ~01:33, stop_requested_at 01:33.000, ended_at 01:33.110; \
             on shop/db-0 recovered 01:29.262",
            "NetworkChaos partition every-ten-hwt6f #1 of Schedule every-ten: recovered; started_at 01:48.915, injected_at 01:49.209, expected_end_at ~01:52, stop_requested_at 01:52.012, ended_at 01:52.180; \
             on shop/db-0 recovered 01:49.209",
            "NetworkChaos partition every-ten-qrxxp #1 of Schedule every-ten: recovered; started_at 01:58.075, injected_at 01:58.348, expected_end_at ~02:02, stop_requested_at 02:02.000, ended_at 02:02.240; \
             on shop/db-0 recovered 01:58.348",
        ],
    );
}

/// A schedule of workflows that only wait: nobody is hurt.
#[test]
fn schedule_workflow() {
    means("schedule-workflow", &[]);
}

/// One of two pods was chosen.
#[test]
fn stress_cpu() {
    means(
        "stress-cpu",
        &[
            "StressChaos cpu burn-web #1: recovered; started_at 06:25.869, injected_at 06:25.972, expected_end_at ~06:37, stop_requested_at 06:37.000, ended_at 06:37.046; \
             on shop/web-0/web recovered 06:25.972",
        ],
    );
}

/// A clock is shifted, in one container.
#[test]
fn time_shift() {
    means(
        "time-shift",
        &[
            "TimeChaos time-offset shift-db #1: recovered; started_at 24:50.080, injected_at 24:50.137, expected_end_at ~25:02, stop_requested_at 25:02.001, ended_at 25:02.176; \
             on shop/db-0/sidecar recovered 24:50.137",
        ],
    );
}

/// Made with a token.
#[test]
fn tokens() {
    means(
        "tokens",
        &[
            "NetworkChaos partition by-token #1: recovered; started_at 24:31.820, injected_at 24:32.138, expected_end_at ~24:36, stop_requested_at 24:36.001, ended_at 24:36.189; \
             on shop/db-0 recovered 24:32.138",
        ],
    );
}

/// The leader dies twice: it is one run all the same.
#[test]
fn two_replicas() {
    means(
        "two-replicas",
        &[
            "NetworkChaos partition pausable #1: recovered; started_at 40:34.648, injected_at 40:35.436, stop_requested_at 41:30.553, ended_at 41:30.998; \
             on shop/web-0 recovered 40:35.262, shop/web-1 recovered 40:35.030, shop/client-0 (peer) recovered 40:35.436",
        ],
    );
}

/// Three children of one workflow.
#[test]
fn workflow() {
    means(
        "workflow",
        &[
            "NetworkChaos partition cut-f82rk-b2j4h #1 of Workflow drill: recovered; started_at 02:17.751, injected_at 02:18.462, stop_requested_at 02:23.020, ended_at 02:23.339; \
             on shop/web-0 recovered 02:18.171, shop/web-1 recovered 02:18.289, shop/client-0 (peer) recovered 02:18.462",
            "StressChaos cpu burn-wm9md-w67jd #1 of Workflow drill: recovered; started_at 02:28.781, injected_at 02:29.142, stop_requested_at 02:34.072, ended_at 02:34.208; \
             on shop/web-0/web recovered 02:29.142",
            "PodChaos container-kill kill-f6gds-qf7px #1 of Workflow drill: completed; started_at 02:28.829, injected_at 02:29.193, ended_at 02:29.193; \
             on shop/db-0/sidecar injected 02:29.193",
        ],
    );
}

/// A schedule inside a workflow: its children are the schedule's.
#[test]
fn workflow_schedule() {
    means(
        "workflow-schedule",
        &[
            "NetworkChaos partition repeat-w7gm2-xpd8r-jn8t8 #1 of Schedule repeat-w7gm2-xpd8r: recovered; started_at 14:00.079, injected_at 14:00.466, expected_end_at ~14:02, stop_requested_at 14:02.001, ended_at 14:02.156; \
             on shop/db-0 recovered 14:00.466",
            "NetworkChaos partition repeat-w7gm2-xpd8r-hpfmj #1 of Schedule repeat-w7gm2-xpd8r: recovered; started_at 14:05.339, injected_at 14:05.903, expected_end_at ~14:07, stop_requested_at 14:07.001, ended_at 14:07.305; \
             on shop/db-0 recovered 14:05.903",
        ],
    );
}

/// The status check fails and the workflow runs on: its partition ends with the workflow's node.
#[test]
fn workflow_statuscheck() {
    means(
        "workflow-statuscheck",
        &[
            "NetworkChaos partition cut-7d5tz-g84sz #1 of Workflow guarded: recovered; started_at 12:56.098, injected_at 12:56.668, stop_requested_at 13:35.031, ended_at 13:36.297; \
             on shop/db-0 recovered 12:56.668",
        ],
    );
}

/// Nobody matched the selector; nobody matched the target: nothing was injected.
#[test]
fn zero_match() {
    means(
        "zero-match",
        &[
            "NetworkChaos partition nobody-there #1: no_targets; started_at 03:41.118, expected_end_at ~03:51, stop_requested_at 03:51.015, ended_at 03:51.015; \
             on nobody",
            "NetworkChaos partition no-target #1: no_targets; started_at 03:41.437, expected_end_at ~03:51, stop_requested_at 03:51.004, ended_at 03:51.004; \
             on nobody",
        ],
    );
}
