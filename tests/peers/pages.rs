//! Real pages, from recordings, through everything: HTTP, the reader, our own page in every format, promtool and Prometheus.

use crate::kit::process::until;
use crate::kit::prometheus::{Prometheus, promtool_check_metrics};
use crate::kit::protobuf;
use crate::server::{Server, answer, send, text};
use crate::told::{classic, encode, fixed, meaning, read};
use chaoscope::exposition::Format;
use chaoscope::peers::ask::REASONS;
use chaoscope::peers::wanted::WANTED;
use chaoscope::peers::{MAX_AGE, Peers};
use chaoscope::source::Source;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LEADER: &str = include_str!("../fixtures/peers/controller-leader.prom");
const WAITING: &str = include_str!("../fixtures/peers/controller-waiting.prom");
const DASHBOARD: &str = include_str!("../fixtures/peers/dashboard.prom");

/// A controller with two replicas, and a dashboard that packs its answers.
fn chaos_mesh() -> ([Server; 3], Peers) {
    let packed = Server::start(|_, stream| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(DASHBOARD.as_bytes()).unwrap();
        let headers = "Content-Type: text/plain; version=0.0.4\r\nContent-Encoding: gzip\r\n";
        send(stream, &answer("200 OK", headers, &packer.finish().unwrap()));
    });
    let servers = [Server::page(LEADER), Server::page(WAITING), packed];
    let peers = fixed(&[
        ("controller-0", "controller-manager", servers[0].url()),
        ("controller-1", "controller-manager", servers[1].url()),
        ("dashboard-0", "chaos-dashboard", servers[2].url()),
    ]);
    (servers, peers)
}

/// Each sample of ours is one of that peer's page, with the same labels and value; and of what is worth it, nothing is missing.
#[tokio::test]
async fn every_peer_tells_its_own_and_nothing_is_merged() {
    let (_servers, peers) = chaos_mesh();
    let page = classic(read(&peers).await);
    let sources = BTreeMap::from([("controller-0", LEADER), ("controller-1", WAITING), ("dashboard-0", DASHBOARD)]);
    for (peer, source) in sources {
        let mut theirs = meaning(source);
        let mut ours = meaning(&page);
        ours.retain_mut(|(name, labels, _)| !name.starts_with("chaoscope_") && labels.remove("peer").as_deref() == Some(peer));
        let prefixes = ["controller_runtime_", "workqueue_", "rest_client_", "certwatcher_", "leader_", "chaos_dashboard_"];
        let leaders = ["controller_runtime_reconcile", "workqueue_", "chaos_controller_manager_chaos_mesh"];
        theirs.retain(|(name, _, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)) || name.contains("_chaos_mesh_template"));
        theirs.retain(|(name, _, _)| peer != "controller-1" || !leaders.iter().any(|leader| name.starts_with(leader)));
        let sorted = |samples: Vec<(String, BTreeMap<String, String>, f64)>| {
            let mut lines: Vec<_> = samples.into_iter().map(|sample| format!("{sample:?}")).collect();
            lines.sort();
            lines
        };
        assert!(theirs.len() > 100, "{peer}: {}", theirs.len());
        assert_eq!(sorted(ours), sorted(theirs), "{peer}");
    }
    // What our own index counts is not taken from any replica.
    assert!(!page.contains("chaos_controller_manager_chaos_experiments") && !page.contains("emitted_event_total"), "{page}");
    let value = |name: &str, peer: &str| crate::text::value(&page, name, &[("peer", peer)]);
    assert_eq!(
        (value("leader_election_master_status", "controller-0"), value("leader_election_master_status", "controller-1")),
        ("1".into(), "0".into())
    );
    let up = crate::text::values(&page, "chaoscope_peer_up", &[]);
    assert_eq!(up, ["1"; 3]);
    let at: f64 = crate::text::value(&page, "chaoscope_peer_sample_timestamp_seconds", &[("peer", "dashboard-0")]).parse().unwrap();
    assert!(at > 1_700_000_000.0);
}

#[tokio::test]
async fn every_format_tells_the_same() {
    let (_servers, peers) = chaos_mesh();
    let readings = read(&peers).await;
    let classic = meaning(&classic(Arc::clone(&readings)));
    let open = String::from_utf8(encode(Arc::clone(&readings), Format::OpenMetrics)).unwrap();
    assert_eq!(meaning(&open), classic);
    let families = protobuf::families(&encode(readings, Format::Protobuf));
    assert_eq!(protobuf::flat(&families), classic);
    let histograms = families.iter().filter(|family| family.kind == 4).flat_map(|family| &family.metric);
    let native = histograms.filter(|metric| metric.histogram.as_ref().unwrap().zero_threshold > 0.0);
    assert_eq!(native.count(), 0, "nobody's buckets are made finer than they are");
}

#[tokio::test]
async fn who_asks_says_what_it_understands_and_two_scrapes_ask_once() {
    let (servers, peers) = chaos_mesh();
    let until = || Instant::now() + Duration::from_mins(1);
    let (one, two) = tokio::join!(peers.read(Duration::ZERO, until()), peers.read(Duration::ZERO, until()));
    assert!(Arc::ptr_eq(&one.unwrap(), &two.unwrap()));
    peers.read(MAX_AGE.max(Duration::from_hours(1)), until()).await.unwrap();
    for server in &servers {
        let [request] = &server.requests()[..] else { panic!("asked {} times", server.requests().len()) };
        let lines: BTreeSet<_> = request.lines().map(str::to_ascii_lowercase).collect();
        assert!(lines.contains("get /metrics http/1.1"), "{request}");
        assert!(lines.contains("accept: text/plain;version=0.0.4") && lines.contains("accept-encoding: gzip"), "{request}");
        assert!(lines.contains(&format!("host: {}", server.address)), "{request}");
    }
}

/// `docs/peers.md` names every family.
#[test]
fn the_documents_name_what_is_passed_through() {
    let told = include_str!("../../docs/peers.md");
    let missing = WANTED.iter().filter(|wanted| !told.contains(&format!("`{}`", wanted.name)));
    assert_eq!(missing.map(|wanted| wanted.name).collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(REASONS.iter().all(|reason| told.contains(&format!("| `{reason}` |"))));
}

#[tokio::test]
#[ignore = "needs promtool: run by make test"]
async fn promtool_has_nothing_to_say() {
    let (_servers, peers) = chaos_mesh();
    assert_eq!(promtool_check_metrics(&classic(read(&peers).await)), (0, String::new()));
}

/// Two replicas count on, at different paces; one restarts and begins anew. Prometheus reckons each rate by itself.
#[test]
#[ignore = "needs prometheus: run by make test"]
fn a_real_prometheus_rates_each_peer_by_itself() {
    let counting = |pace: usize, restarts_at: usize| {
        Server::start(move |asked, stream| {
            let count = pace * (asked % restarts_at);
            let page = format!(
                "# TYPE rest_client_requests_total counter\nrest_client_requests_total{{code=\"200\",host=\"api\",method=\"GET\"}} {count}\n\
                 # TYPE workqueue_queue_duration_seconds histogram\n\
                 workqueue_queue_duration_seconds_bucket{{name=\"schedule\",le=\"0.1\"}} {count}\n\
                 workqueue_queue_duration_seconds_bucket{{name=\"schedule\",le=\"+Inf\"}} {count}\n\
                 workqueue_queue_duration_seconds_sum{{name=\"schedule\"}} 0\nworkqueue_queue_duration_seconds_count{{name=\"schedule\"}} {count}\n"
            );
            send(stream, &text(&page));
        })
    };
    let controllers = [counting(100, 1000), counting(1000, 1000), counting(10, 3)];
    let names = ["steady", "busy", "restarting"];
    let given: Vec<_> = names.into_iter().zip(&controllers).map(|(name, server)| (name, "controller-manager", server.url())).collect();
    let (peers, runtime) = (fixed(&given), tokio::runtime::Runtime::new().unwrap());
    let ours = Server::start(move |_, stream| {
        let page = runtime.block_on(async { classic(read(&peers).await) });
        send(stream, &text(&page));
    });
    let prometheus = Prometheus::scraping(ours.address);
    let rate = |peer: &str| {
        let answer = prometheus.query_now(&format!("rate(rest_client_requests_total{{peer='{peer}'}}[1m])"));
        answer[0]["value"][1].as_str().and_then(|text| text.parse::<f64>().ok()).filter(|rate| *rate > 0.0)
    };
    let enough = || prometheus.query_now("count_over_time(chaoscope_peer_up{peer='busy'}[1m]) >= 5")[0].is_object().then_some(());
    until(enough, || "five scrapes are in".into());
    let rates = until(|| Some([rate("steady")?, rate("busy")?, rate("restarting")?]), || "every peer has a rate".into());
    assert!((rates[1] / rates[0] - 10.0).abs() < 1.0, "one counts ten times as fast as the other: {rates:?}");
    assert!(rates[2] < rates[0], "a restart is no decrease, and no jump: {rates:?}");
    let peers = prometheus.query("count(sum by(peer)(rate(workqueue_queue_duration_seconds_bucket{controller='schedule'}[1m])) >= 0) == 3");
    assert!(peers[0].is_object());
    prometheus.query("histogram_quantile(0.9, sum by(le)(rate(workqueue_queue_duration_seconds_bucket{peer='busy'}[1m])))");
}
