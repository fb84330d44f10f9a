//! The node role and its daemon: asked by a clock of its own, only when switched on.

use crate::kit::process::until;
use crate::kit::prometheus::promtool_check_metrics;
use crate::program::{Program, err, run};
use crate::server::{Server, answer, send};
use crate::text::{value, values};

const DAEMON: &str = include_str!("../fixtures/peers/daemon.prom");

/// The page, once the daemon's first answer is on it.
fn asked(server: &Program) -> String {
    until(|| Some(server.metrics()).filter(|page| page.contains("chaoscope_peer_up")), || "the daemon was asked".into())
}

#[test]
fn a_daemon_is_asked_once_however_often_we_are() {
    let daemon = Server::page(DAEMON);
    let server = Program::blind(&[&format!("--peer.daemon={}", daemon.url())]);
    let page = asked(&server);
    let peer = ("peer", "chaos-daemon");
    assert_eq!(value(&page, "chaoscope_peer_up", &[peer, ("component", "chaos-daemon")]), "1");
    assert_eq!(value(&page, "chaos_daemon_bpm_controlled_process_total", &[peer]), "1");
    let flush = [peer, ("grpc_method", "FlushIPSets")];
    assert_eq!(value(&page, "chaos_daemon_grpc_server_handling_seconds_count", &flush), "9");
    assert_eq!(value(&page, "grpc_server_handled_total", &[peer, ("grpc_method", "FlushIPSets"), ("grpc_code", "OK")]), "9");
    assert!(!page.contains("chaos_daemon_tcs_rules{"), "the kernel is read by ourselves");
    let at = value(&page, "chaoscope_peer_sample_timestamp_seconds", &[peer]);
    let [.., again] = [(); 5].map(|()| server.metrics());
    assert_eq!(value(&again, "chaoscope_peer_sample_timestamp_seconds", &[peer]), at, "its age is told");
    assert_eq!(daemon.requests().len(), 1);
}

#[test]
fn a_daemon_that_fails_is_down_and_nothing_else() {
    let daemon = Server::start(|_, stream| send(stream, &answer("404 Not Found", "", b"")));
    let server = Program::blind(&[&format!("--peer.daemon={}", daemon.url())]);
    let page = asked(&server);
    assert_eq!(value(&page, "chaoscope_peer_up", &[]), "0");
    assert_eq!(value(&page, "chaoscope_peer_down", &[("reason", "status")]), "1");
    assert!(!page.contains("chaos_daemon_bpm") && values(&page, "chaoscope_netns_visited", &[]) == ["0"], "{page}");
    assert_eq!(server.log().matches("HTTP 404").count(), 1, "{}", server.log());
}

#[test]
fn nobody_is_asked_unless_it_is_switched_on() {
    let server = Program::blind(&[]);
    assert!(!server.metrics().contains("peer"), "{}", server.metrics());
    let output = run(&["node", "--peer.daemon=https://127.0.0.1:1/metrics"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("plain HTTP"), "{}", err(&output));
}

#[test]
#[ignore = "needs promtool: run by make test"]
fn promtool_has_nothing_to_say_about_a_node_with_its_daemon() {
    let daemon = Server::page(DAEMON);
    let server = Program::blind(&[&format!("--peer.daemon={}", daemon.url())]);
    assert_eq!(promtool_check_metrics(&asked(&server)), (0, String::new()));
}
