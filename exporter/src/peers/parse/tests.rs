//! Real pages, pages of older releases, and pages that lie.

use super::*;
use proptest::prelude::*;

const LEADER: &str = include_str!("../../../../tests/fixtures/peers/controller-leader.prom");
const WAITING: &str = include_str!("../../../../tests/fixtures/peers/controller-waiting.prom");
const DASHBOARD: &str = include_str!("../../../../tests/fixtures/peers/dashboard.prom");
const DAEMON: &str = include_str!("../../../../tests/fixtures/peers/daemon.prom");

fn controller(page: &str) -> Page {
    parse(Component::ControllerManager, page.as_bytes()).unwrap()
}

fn names(page: &Page) -> Vec<&str> {
    page.families.keys().copied().collect()
}

/// The one series of a family with this label.
fn series<'a>(page: &'a Page, family: &str, name: &str, value: &str) -> &'a Series {
    let has = |series: &&Series| series.labels.contains(&(name.to_owned(), value.to_owned()));
    let mut found = page.families[family].iter().filter(has);
    let first = found.next().unwrap_or_else(|| panic!("{family} has no {name}={value}"));
    assert!(found.next().is_none(), "{family} has several {name}={value}");
    first
}

#[test]
fn a_leader_tells_all_of_its_work() {
    let page = controller(LEADER);
    assert_eq!((page.left_out, page.leads()), (0, Some(true)));
    assert_eq!(
        names(&page),
        [
            "certwatcher_read_certificate_errors_total",
            "certwatcher_read_certificate_total",
            "chaos_controller_manager_chaos_mesh_template_load_failed_total",
            "chaos_controller_manager_chaos_mesh_templates",
            "controller_runtime_active_workers",
            "controller_runtime_max_concurrent_reconciles",
            "controller_runtime_reconcile_errors_total",
            "controller_runtime_reconcile_panics_total",
            "controller_runtime_reconcile_time_seconds",
            "controller_runtime_reconcile_total",
            "controller_runtime_terminal_reconcile_errors_total",
            "controller_runtime_webhook_latency_seconds",
            "controller_runtime_webhook_panics_total",
            "controller_runtime_webhook_requests_in_flight",
            "controller_runtime_webhook_requests_total",
            "leader_election_master_status",
            "rest_client_requests_total",
            "workqueue_adds_total",
            "workqueue_depth",
            "workqueue_longest_running_processor_seconds",
            "workqueue_queue_duration_seconds",
            "workqueue_retries_total",
            "workqueue_unfinished_work_seconds",
            "workqueue_work_duration_seconds",
        ]
    );
    let work = series(&page, "workqueue_work_duration_seconds", "controller", "networkchaos-pipeline");
    let Value::Histogram(work) = &work.value else { panic!("{work:?}") };
    let buckets: Vec<_> = work.buckets().filter(|(_, count)| *count > 0).collect();
    assert_eq!((buckets, work.sum()), (vec![(0.001, 9), (0.1, 12), (1.0, 1)], 0.558_856_359));
    assert_eq!(series(&page, "rest_client_requests_total", "method", "PUT").value, Value::Number(35.0));
    assert!(wanted::WANTED.iter().all(|wanted| page.may_tell(wanted)));
}

#[test]
fn one_who_waits_tells_only_what_it_does_itself() {
    let page = controller(WAITING);
    assert_eq!(page.leads(), Some(false));
    let told: Vec<_> = wanted::WANTED.iter().filter(|wanted| page.families.contains_key(wanted.name) && page.may_tell(wanted)).collect();
    assert!(told.iter().any(|wanted| wanted.name == "controller_runtime_webhook_requests_total"));
    assert!(told.iter().all(|wanted| wanted.of == Replica::Every), "{told:?}");
    assert!(names(&page).contains(&"chaos_controller_manager_chaos_mesh_templates"), "which the leader's page tells too");
}

#[test]
fn dashboard_and_daemon_tell_theirs() {
    let page = parse(Component::Dashboard, DASHBOARD.as_bytes()).unwrap();
    assert_eq!((page.left_out, page.leads()), (0, None));
    assert_eq!(series(&page, "chaos_dashboard_archived_experiments", "type", "NetworkChaos").value, Value::Number(23.0));
    let [answers] = page.families["chaos_dashboard_http_request_duration_seconds"].as_slice() else { panic!("one series") };
    assert_eq!(answers.labels.len(), 2, "an empty path is no label: {:?}", answers.labels);

    let page = parse(Component::Daemon, DAEMON.as_bytes()).unwrap();
    assert_eq!(
        names(&page),
        [
            "chaos_daemon_bpm_controlled_process_total",
            "chaos_daemon_bpm_controlled_processes",
            "chaos_daemon_grpc_server_handling_seconds",
            "grpc_server_handled_total",
            "grpc_server_msg_received_total",
            "grpc_server_msg_sent_total",
            "grpc_server_started_total",
        ]
    );
    let calls = series(&page, "chaos_daemon_grpc_server_handling_seconds", "grpc_method", "FlushIPSets");
    let Value::Histogram(calls) = &calls.value else { panic!("{calls:?}") };
    assert_eq!(calls.count(), 9);
    assert_eq!(parse(Component::DnsServer, DAEMON.as_bytes()).unwrap(), Page::default(), "nobody tells another one's families");
}

#[test]
fn old_releases_are_told_in_the_names_of_today() {
    let page = controller(
        "# TYPE chaos_mesh_templates gauge\nchaos_mesh_templates 3\n# TYPE workqueue_depth gauge\nworkqueue_depth{name=\"statuscheck\"} 2\n",
    );
    assert_eq!(page.families["chaos_controller_manager_chaos_mesh_templates"][0].value, Value::Number(3.0));
    assert_eq!(series(&page, "workqueue_depth", "controller", "statuscheck").value, Value::Number(2.0));
    let dns = "coredns_dns_request_count_total{server=\"dns://:53\",zone=\".\"} 7\ncoredns_panic_count_total 0\n";
    let page = parse(Component::DnsServer, dns.as_bytes()).unwrap();
    assert_eq!(names(&page), ["coredns_dns_requests_total", "coredns_panics_total"]);
}

#[test]
fn what_is_not_in_the_format_is_refused_as_a_whole() {
    let refused = |page: &[u8]| parse(Component::ControllerManager, page).unwrap_err();
    assert_eq!(refused(b"<!doctype html>\n<p>Sign in</p>"), Refused::Line(1, Fault::Name));
    assert_eq!(refused(b"workqueue_depth 1\nworkqueue_depth{name=\"\xff\"} 1\n"), Refused::Line(2, Fault::Text));
    assert_eq!(refused(b"\x1f\x8b\x08\x00"), Refused::Line(1, Fault::Name));
    assert_eq!(refused(b"workqueue_depth one\n"), Refused::Line(1, Fault::Number));
    assert!(parse(Component::ControllerManager, b"go_goroutines{x=\"\xff\"} many\n").is_ok(), "what nobody wants is not looked at");
    let long = format!("# HELP a {}\n", "x".repeat(MAX_LINE));
    assert_eq!(refused(long.as_bytes()), Refused::Long(1));
    assert_eq!(refused(&vec![b'a'; 1 << 20]), Refused::Long(1), "without any end of a line");
}

#[test]
fn too_many_series_are_refused_as_a_whole() {
    let line = |number| format!("workqueue_depth{{name=\"{number}\"}} 1\n");
    let page: String = (0..MAX_SAMPLES).map(line).collect();
    assert_eq!(controller(&page).families["workqueue_depth"].len(), MAX_SAMPLES);
    let page = page + &line(MAX_SAMPLES);
    assert_eq!(parse(Component::ControllerManager, page.as_bytes()), Err(Refused::Many));
}

/// Each costs its own series and no other.
#[test]
fn what_makes_no_sense_is_left_out_and_counted() {
    let long = "x".repeat(MAX_TEXT + 1);
    let labels: String = (0..=MAX_LABELS).map(|number| format!("l{number}=\"x\",")).collect();
    for (lines, samples) in [
        ("workqueue_depth{name=\"x\"} NaN", 1),
        ("workqueue_depth{name=\"x\"} +Inf", 1),
        ("workqueue_adds_total{name=\"x\"} -1", 1),
        ("workqueue_depth{name=\"x\"} 1\nworkqueue_depth{name=\"x\"} 2", 2),
        ("workqueue_depth{name=\"x\"} 1\nworkqueue_depth{name=\"x\",empty=\"\"} 2", 2),
        ("workqueue_depth{a=\"1\",b=\"2\",name=\"x\"} 1\nworkqueue_depth{name=\"x\",b=\"2\",a=\"1\"} 1", 2),
        ("workqueue_depth{name=\"x\",peer=\"somebody\"} 1", 1),
        ("workqueue_depth{name=\"x\",job=\"somebody\"} 1", 1),
        ("workqueue_depth{name=\"x\",instance=\"somebody\"} 1", 1),
        ("workqueue_depth{name=\"x\",__name__=\"up\"} 1", 1),
        ("workqueue_depth{name=\"x\",le=\"1\"} 1", 1),
        ("workqueue_depth{name=\"x\",name=\"y\"} 1", 1),
        (&format!("workqueue_depth{{name=\"{long}\"}} 1"), 1),
        (&format!("workqueue_depth{{{labels}}} 1"), 1),
    ] {
        let page = controller(&format!("workqueue_depth{{name=\"other\"}} 5\n{lines}\nworkqueue_adds_total{{name=\"other\"}} 6\n"));
        assert_eq!((page.left_out, names(&page)), (samples, vec!["workqueue_adds_total", "workqueue_depth"]), "{lines}");
        assert_eq!(page.families.values().flatten().count(), 2, "{lines}");
    }
    let mistyped = controller("# TYPE workqueue_depth counter\nworkqueue_depth{name=\"x\"} 5\nworkqueue_adds_total{name=\"x\"} 6\n");
    assert_eq!((mistyped.left_out, names(&mistyped)), (1, vec!["workqueue_adds_total"]));
}

#[test]
fn histograms_that_contradict_themselves_are_left_out() {
    let histogram = |lines: &str| lines.lines().map(|line| format!("workqueue_work_duration_seconds_{line}\n")).collect::<String>();
    let right = "bucket{le=\"+Inf\"} 3\nbucket{le=\"0.1\"} 2\nsum 1.5\ncount 3";
    let page = controller(&histogram(right));
    assert_eq!(page.left_out, 0, "buckets may come in any order");
    assert_eq!(page.families["workqueue_work_duration_seconds"].len(), 1);
    for wrong in [
        "bucket{le=\"0.1\"} 2\nsum 1.5\ncount 2",
        "bucket{le=\"0.1\"} 4\nbucket{le=\"+Inf\"} 3\nsum 1.5\ncount 3",
        "bucket{le=\"0.1\"} 2\nbucket{le=\"0.10\"} 2\nbucket{le=\"+Inf\"} 3\nsum 1.5\ncount 3",
        "bucket{le=\"+Inf\"} 3\nsum 1.5\ncount 4",
        "bucket{le=\"+Inf\"} 3\ncount 3",
        "bucket{le=\"+Inf\"} 3\nsum 1.5",
        "bucket{le=\"+Inf\"} 3\nsum NaN\ncount 3",
        "bucket{le=\"NaN\"} 3\nbucket{le=\"+Inf\"} 3\nsum 1\ncount 3",
        "bucket 1\nbucket{le=\"+Inf\"} 3\nsum 1\ncount 3",
        "bucket{le=\"+Inf\"} 2.5\nsum 1.5\ncount 2.5",
        "bucket{le=\"+Inf\"} 1e300\nsum 1.5\ncount 1e300",
        "bucket{le=\"+Inf\"} -3\nsum 1.5\ncount -3",
        "bucket{le=\"+Inf\"} 3\nsum 1.5\nsum 1.5\ncount 3",
    ] {
        let page = controller(&(histogram(wrong) + "workqueue_adds_total 1\n"));
        assert_eq!((names(&page), page.left_out), (vec!["workqueue_adds_total"], wrong.lines().count() as u64), "{wrong}");
    }
    let many: String = (0..=MAX_BUCKETS).map(|bound| format!("bucket{{le=\"{bound}\"}} 0\n")).collect();
    assert_eq!(names(&controller(&histogram(&(many + "bucket{le=\"+Inf\"} 0\nsum 0\ncount 0")))), Vec::<&str>::new());
}

proptest! {
    /// Cut, or with some bytes changed, a real page gives a page or a refusal.
    #[test]
    fn any_bytes_give_a_page_or_a_refusal(cut in 0..DAEMON.len(), changes in prop::collection::vec((0..DAEMON.len(), any::<u8>()), 0..8)) {
        let mut page = DAEMON.as_bytes().to_vec();
        for (at, byte) in changes {
            page[at] = byte;
        }
        let _ = parse(Component::Daemon, &page[..cut]);
    }
}
