//! Which families are worth passing through, and why those: [`WANTED`].
//!
//! The list is closed: types and descriptions come from here and not from a page, so no page can contradict another one's, or one of
//! ours. Left out on purpose: `chaos_controller_manager_chaos_*` and `_emitted_event_total`, which Chaoscope counts itself, once, however
//! many replicas the controller has; `chaos_daemon_iptables_*`, `_ipset_*`, `_tcs*`, which the node role reads from the kernel; `go_*` and
//! `process_*`, which say nothing of chaos; `controller_runtime_terminal_*` and the like are counted by the family they are a part of.
//! To pass one more: a row. Names and types are of Chaos Mesh 2.8.3, controller-runtime 0.21, go-grpc-prometheus and CoreDNS 1.7.

use super::find::Component::{self, ControllerManager, Daemon, Dashboard, DnsServer};
use crate::exposition::Kind::{self, Counter, Gauge, Histogram};

/// One family that is passed through.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name on today's pages; a counter's with `_total`.
    pub name: &'static str,
    /// Its type; a page that says otherwise loses the family.
    pub kind: Kind,
    /// Who has it.
    pub from: &'static [Component],
    /// Of which replica it is taken.
    pub of: Replica,
    /// What it is good for.
    pub help: &'static str,
}

/// Of which of a component's replicas a family is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replica {
    /// All: each does work of its own.
    Every,
    /// The leader: another one's values are those of work it does not do.
    Leader,
}

/// Which part of a family a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Bucket,
    Sum,
    Count,
}

use Replica::{Every, Leader};

const fn row(name: &'static str, kind: Kind, from: &'static [Component], of: Replica, help: &'static str) -> Wanted {
    Wanted { name, kind, from, of, help }
}

const CONTROLLERS: &[Component] = &[ControllerManager, Dashboard];
const CONTROLLER: &[Component] = &[ControllerManager];
const DASHBOARD: &[Component] = &[Dashboard];
const DAEMON: &[Component] = &[Daemon];
const DNS: &[Component] = &[DnsServer];

/// Every family that is passed through, in the order of the page.
pub const WANTED: &[Wanted] = &[
    // Whether reconciling works: panics and errors here are faults of the controller, not of an experiment.
    row("controller_runtime_reconcile_total", Counter, CONTROLLERS, Leader, "Reconciliations, by controller and result."),
    row("controller_runtime_reconcile_errors_total", Counter, CONTROLLERS, Leader, "Reconciliations that failed, by controller."),
    row("controller_runtime_terminal_reconcile_errors_total", Counter, CONTROLLERS, Leader, "Failures that are not tried again."),
    row("controller_runtime_reconcile_panics_total", Counter, CONTROLLERS, Leader, "Reconciliations that panicked, by controller."),
    row("controller_runtime_reconcile_time_seconds", Histogram, CONTROLLERS, Leader, "How long reconciliations took, by controller."),
    row("controller_runtime_max_concurrent_reconciles", Gauge, CONTROLLERS, Leader, "Reconciliations a controller may do at once."),
    row("controller_runtime_active_workers", Gauge, CONTROLLERS, Leader, "Reconciliations a controller does now."),
    // Whether creating and changing experiments is slow or refused; every replica answers webhooks.
    row("controller_runtime_webhook_latency_seconds", Histogram, CONTROLLERS, Every, "How long admission requests took, by webhook."),
    row("controller_runtime_webhook_requests_total", Counter, CONTROLLERS, Every, "Admission requests, by webhook and status."),
    row("controller_runtime_webhook_requests_in_flight", Gauge, CONTROLLERS, Every, "Admission requests under way, by webhook."),
    row("controller_runtime_webhook_panics_total", Counter, CONTROLLERS, Every, "Admission requests that panicked."),
    // Whether the controller keeps up: a long queue delays injection and recovery.
    row("workqueue_depth", Gauge, CONTROLLERS, Leader, "Objects that wait for a controller."),
    row("workqueue_adds_total", Counter, CONTROLLERS, Leader, "Objects that were put into a queue."),
    row("workqueue_retries_total", Counter, CONTROLLERS, Leader, "Objects that were put into a queue again."),
    row("workqueue_queue_duration_seconds", Histogram, CONTROLLERS, Leader, "How long objects waited in a queue."),
    row("workqueue_work_duration_seconds", Histogram, CONTROLLERS, Leader, "How long work on an object of a queue took."),
    row("workqueue_unfinished_work_seconds", Gauge, CONTROLLERS, Leader, "Time spent so far on work that is not done."),
    row("workqueue_longest_running_processor_seconds", Gauge, CONTROLLERS, Leader, "Time spent so far on the oldest work."),
    // Whether the API server refuses or throttles.
    row("rest_client_requests_total", Counter, CONTROLLERS, Every, "Requests to the API server, by status, method and host."),
    // Who leads, and whether the webhooks' certificates are read.
    row("leader_election_master_status", Gauge, CONTROLLER, Every, "Whether a replica leads (1) or waits (0), by lease."),
    row("certwatcher_read_certificate_total", Counter, CONTROLLERS, Every, "Times a certificate was read."),
    row("certwatcher_read_certificate_errors_total", Counter, CONTROLLERS, Every, "Times a certificate could not be read."),
    // The sidecar templates of releases before 2.6: dead since, but dashboards still ask for them.
    row("chaos_controller_manager_chaos_mesh_templates", Gauge, CONTROLLER, Leader, "Injection templates."),
    row("chaos_controller_manager_chaos_mesh_template_load_failed_total", Counter, CONTROLLER, Leader, "Templates that did not load."),
    row("chaos_controller_manager_chaos_mesh_template_not_exist_total", Counter, CONTROLLER, Leader, "Templates that were not there."),
    row("chaos_controller_manager_chaos_mesh_config_templates", Gauge, CONTROLLER, Leader, "Configuration templates."),
    row("chaos_controller_manager_chaos_mesh_config_name_duplicate_total", Counter, CONTROLLER, Leader, "Configurations of one name."),
    row("chaos_controller_manager_chaos_mesh_injection_configs", Gauge, CONTROLLER, Leader, "Injection configurations."),
    row("chaos_controller_manager_chaos_mesh_inject_required_total", Counter, CONTROLLER, Leader, "Injections that were asked for."),
    row("chaos_mesh_injections_total", Counter, CONTROLLER, Leader, "Sidecars that were injected."),
    // How the dashboard answers, and what it keeps.
    row("chaos_dashboard_http_request_duration_seconds", Histogram, DASHBOARD, Every, "How long the dashboard's answers took."),
    row("chaos_dashboard_archived_experiments", Gauge, DASHBOARD, Every, "Experiments in the dashboard's archive."),
    row("chaos_dashboard_archived_schedules", Gauge, DASHBOARD, Every, "Schedules in the dashboard's archive."),
    row("chaos_dashboard_archived_workflows", Gauge, DASHBOARD, Every, "Workflows in the dashboard's archive."),
    // How injecting and recovering on this node went, call by call; processes the daemon looks after.
    row("chaos_daemon_grpc_server_handling_seconds", Histogram, DAEMON, Every, "How long chaos-daemon's answers to the controller took."),
    row("grpc_server_started_total", Counter, DAEMON, Every, "Calls that chaos-daemon began to answer."),
    row("grpc_server_handled_total", Counter, DAEMON, Every, "Calls that chaos-daemon answered, by outcome."),
    row("grpc_server_msg_received_total", Counter, DAEMON, Every, "Messages that chaos-daemon received."),
    row("grpc_server_msg_sent_total", Counter, DAEMON, Every, "Messages that chaos-daemon sent."),
    row(
        "chaos_daemon_bpm_controlled_processes",
        Gauge,
        DAEMON,
        Every,
        "Processes that chaos-daemon looks after; stressors are not counted.",
    ),
    row("chaos_daemon_bpm_controlled_process_total", Counter, DAEMON, Every, "Processes that chaos-daemon has started."),
    // Whether DNSChaos answers at all.
    row("coredns_dns_requests_total", Counter, DNS, Every, "DNS requests."),
    row("coredns_dns_responses_total", Counter, DNS, Every, "DNS answers, by outcome."),
    row("coredns_dns_request_duration_seconds", Histogram, DNS, Every, "How long DNS answers took."),
    row("coredns_panics_total", Counter, DNS, Every, "Times the DNS server panicked."),
];

/// The family a sample of this name belongs to on a page of this component, and which part of it the sample is.
pub(super) fn find(component: Component, sample: &str) -> Option<(&'static Wanted, Part)> {
    let whole = |name: &str| WANTED.iter().find(|wanted| wanted.name == name && wanted.from.contains(&component));
    if let Some(wanted) = whole(sample).filter(|wanted| wanted.kind != Histogram) {
        return Some((wanted, Part::Whole));
    }
    let parts = [("_bucket", Part::Bucket), ("_sum", Part::Sum), ("_count", Part::Count)];
    let part = parts.into_iter().find_map(|(suffix, part)| Some((sample.strip_suffix(suffix)?, part)));
    let (name, part) = part?;
    Some((whole(name).filter(|wanted| wanted.kind == Histogram)?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent() {
        for (at, wanted) in WANTED.iter().enumerate() {
            assert_eq!(wanted.kind == Counter, wanted.name.ends_with("_total"), "{}", wanted.name);
            assert!(WANTED[..at].iter().all(|other| other.name != wanted.name), "{} is there twice", wanted.name);
            let help = wanted.help;
            assert!(help.ends_with('.') && !help.contains(['\n', '\\', '"']) && !wanted.from.is_empty(), "{}", wanted.name);
            assert!(!wanted.name.starts_with("chaoscope_"), "{} is ours", wanted.name);
        }
    }

    #[test]
    fn a_sample_finds_its_family() {
        let found = |name| find(ControllerManager, name).map(|(wanted, part)| (wanted.name, part));
        assert_eq!(found("workqueue_depth"), Some(("workqueue_depth", Part::Whole)));
        assert_eq!(found("workqueue_work_duration_seconds_sum"), Some(("workqueue_work_duration_seconds", Part::Sum)));
        for name in ["workqueue_work_duration_seconds", "workqueue_depth_sum", "go_goroutines", "", "_sum", "grpc_server_started_total"] {
            assert_eq!(found(name), None, "{name}");
        }
    }
}
