//! `/metrics` over HTTP: formats, codings, methods, limits, and a real Prometheus.
//!
//! Where a scrape has to be held, the scripted runtime does it: a list that waits. Nothing here depends on how long anything takes.

use crate::kit::process::until;
use crate::kit::prometheus::{Prometheus, promtool_check_metrics};
use crate::kit::protobuf;
use crate::lab::{Cri, Lab, PARTITION};
use crate::program::{Answer, Program, ask, blind, command};
use crate::text::{samples, value, values};
use flate2::read::GzDecoder;
use std::io::Read;
use std::thread::{self, JoinHandle};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

#[test]
fn the_format_is_the_one_that_is_preferred() {
    let server = Program::blind(&[]);
    for (accept, wanted) in [
        ("*/*", CLASSIC),
        ("text/html", CLASSIC),
        ("application/openmetrics-text", OPEN_METRICS),
        ("application/openmetrics-text;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.5", CLASSIC),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", OPEN_METRICS),
        ("application/openmetrics-text;q=0", CLASSIC),
    ] {
        let answer = ask(server.address, "GET", "/metrics", &[("Accept", accept)]);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(wanted)), "{accept}");
        assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"));
        assert_eq!(answer.text().ends_with("\n# EOF\n"), wanted == OPEN_METRICS, "{accept}");
    }
    assert_eq!(server.get("/metrics").header("content-type"), Some(CLASSIC), "without an Accept header");
}

#[test]
fn protobuf_where_it_is_asked_for() {
    let server = Program::blind(&[]);
    let wanted = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    let accept = format!("{wanted};q=0.9,text/plain;q=0.5");
    let plain = ask(server.address, "GET", "/metrics", &[("Accept", &accept)]);
    assert_eq!((plain.status, plain.header("content-type")), (200, Some(wanted)));
    let packed = ask(server.address, "GET", "/metrics", &[("Accept", &accept), ("Accept-Encoding", "gzip")]);
    let mut page = Vec::new();
    GzDecoder::new(&*packed.body).read_to_end(&mut page).unwrap();
    let names = |page: &[u8]| protobuf::families(page).into_iter().map(|family| family.name).collect::<Vec<_>>();
    assert_eq!(names(&page), names(&plain.body));
    assert!(names(&page).iter().any(|name| name == "chaoscope_build_info"));
}

#[test]
fn gzip_is_the_same_page_in_less() {
    let server = Program::blind(&["--source.host"]);
    let packed = ask(server.address, "GET", "/metrics", &[("Accept-Encoding", "gzip")]);
    assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")));
    let mut page = String::new();
    GzDecoder::new(&*packed.body).read_to_string(&mut page).unwrap();
    assert!(packed.body.len() * 2 < page.len(), "{} bytes of {}", packed.body.len(), page.len());
    let plain = ask(server.address, "GET", "/metrics", &[("Accept-Encoding", "gzip;q=0, br")]);
    assert_eq!(plain.header("content-encoding"), None);
    let names = |page: &str| samples(page).into_iter().map(|sample| (sample.name, sample.labels)).collect::<Vec<_>>();
    assert_eq!(names(&page), names(&plain.text()));
}

#[test]
fn methods_and_paths_that_are_not_there_are_refused() {
    let server = Program::blind(&["--web.telemetry-path=/chaos/metrics"]);
    for (method, path, status) in [
        ("GET", "/chaos/metrics", 200),
        ("GET", "/metrics", 404),
        ("GET", "/chaos", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("POST", "/chaos/metrics", 405),
        ("DELETE", "/", 405),
        ("PUT", "/healthz", 405),
    ] {
        let answer = ask(server.address, method, path, &[]);
        assert_eq!(answer.status, status, "{method} {path}");
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{method} {path}");
        }
    }
    assert!(server.get("/").text().contains("href=\"/chaos/metrics\""), "the status page leads there");
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let server = Program::blind(&[]);
    for path in ["/metrics", "/", "/healthz"] {
        let (get, head) = (server.get(path), ask(server.address, "HEAD", path, &[]));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        // Figures in it change between two sweeps, so not how long it is.
        let length: usize = head.header("content-length").expect("a length").parse().unwrap();
        assert_eq!(length > 100, path != "/healthz", "{path}: {length}");
    }
}

/// A server whose sweeps wait for the runtime, and that runtime.
fn held(more: &[&str]) -> (Cri, Program) {
    let folder = tempfile::tempdir().unwrap();
    let cri = Cri::start(&folder.path().join("cri.sock"));
    let mut command = command(folder.path());
    command.arg("node").args(blind(folder.path()).iter().filter(|flag| *flag != "--runtime=none")).args(cri.flags()).args(more);
    let server = Program::start(command, folder);
    (cri, server)
}

/// Asks for the page on a thread of its own, with a time-out that no test outlives, until there is a place for it.
fn scrape(server: &Program) -> JoinHandle<Answer> {
    let address = server.address;
    thread::spawn(move || {
        until(
            || Some(ask(address, "GET", "/metrics", &[("X-Prometheus-Scrape-Timeout-Seconds", "100")])).filter(|it| it.status != 503),
            || "there is a place for a scrape".into(),
        )
    })
}

#[test]
fn one_scrape_too_many_is_told_so() {
    let (cri, server) = held(&["--web.max-requests=1"]);
    cri.close();
    let first = scrape(&server);
    until(|| (cri.calls().0 == 1).then_some(()), || "the first scrape began".into());
    let second = server.get("/metrics");
    assert_eq!(second.status, 503);
    assert!(second.text().contains("--web.max-requests"), "{}", second.text());
    assert_eq!(server.get("/healthz").status, 200, "health is no scrape");
    cri.open();
    assert_eq!(first.join().unwrap().status, 200);
    assert_eq!(server.get("/metrics").status, 200, "its place is free again");
}

#[test]
fn two_scrapers_at_once_get_the_same_sweep() {
    let (cri, server) = held(&["--web.max-requests=2"]);
    cri.close();
    let scrapes = [scrape(&server), scrape(&server)];
    // Refused means that both have their places.
    until(|| (cri.calls().0 == 1).then_some(()), || "a sweep began".into());
    let third = || ask(server.address, "GET", "/metrics", &[("X-Prometheus-Scrape-Timeout-Seconds", "0.1")]);
    until(|| (third().status == 503).then_some(()), || "both scrapes wait".into());
    cri.open();
    let pages = scrapes.map(|scrape| scrape.join().unwrap());
    assert!(pages.iter().all(|page| page.status == 200));
    assert_eq!(cri.calls().0, 1, "one sweep");
    let took = |page: &str| value(page, "chaoscope_scrape_source_duration_seconds", &[("source", "runtime")]);
    assert_eq!(took(&pages[0].text()), took(&pages[1].text()), "the same reading");
}

#[test]
fn the_time_a_scraper_gives_is_kept() {
    let (cri, server) = held(&[]);
    cri.close();
    let answer = ask(server.address, "GET", "/metrics", &[("X-Prometheus-Scrape-Timeout-Seconds", "1")]);
    let page = answer.text();
    assert_eq!(answer.status, 200, "{page}");
    // What the runtime did not say is missing; the rest of the sweep is there.
    assert_eq!(value(&page, "chaoscope_scrape_source_success", &[("source", "runtime")]), "0");
    assert_eq!(value(&page, "chaoscope_scrape_source_success", &[("source", "sweep")]), "1");
    let waited: f64 = value(&page, "chaoscope_scrape_source_duration_seconds", &[("source", "runtime")]).parse().unwrap();
    assert!(waited < 4.0, "without the header it would have waited for 4.75 s: {waited}");
}

/// The listener is closed, the scrape under way is finished, and the program says that all went well.
#[test]
fn a_signal_lets_a_scrape_finish() {
    let (cri, mut server) = held(&[]);
    cri.close();
    let scrape = scrape(&server);
    until(|| (cri.calls().0 == 1).then_some(()), || "the scrape began".into());
    server.terminate();
    let refused = || std::net::TcpStream::connect(server.address).is_err().then_some(());
    until(refused, || "the listener is closed".into());
    cri.open();
    let answer = scrape.join().unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("chaoscope_netns_visited"), "{}", answer.text());
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
    assert!(server.log().contains("stopped"), "{}", server.log());
}

#[test]
#[ignore = "needs root and promtool: run by make test"]
fn promtool_has_nothing_to_say_about_a_real_node() {
    let mut lab = Lab::start();
    let web = lab.pod("shop", "web-0");
    lab.inside(web, PARTITION);
    for flags in [&[][..], &["--rules=all", "--upstream-names=with-old"]] {
        assert_eq!(promtool_check_metrics(&lab.serve(flags).metrics()), (0, String::new()));
    }
}

#[test]
#[ignore = "needs root and prometheus: run by make test"]
fn a_real_prometheus_scrapes_a_real_node() {
    let mut lab = Lab::start();
    let web = lab.pod("shop", "web-0");
    lab.inside(web, PARTITION);
    let server = lab.serve(&["--source.host"]);
    let prometheus = Prometheus::scraping(server.address);
    let up = prometheus.query("up{job='chaoscope'} == 1");
    assert_eq!(up[0]["metric"]["instance"], server.address.to_string());
    assert_eq!(prometheus.query("chaoscope_netns_visited")[0]["value"][1], "1");
    // Counters that OpenMetrics names with `_total`, a histogram, upstream's gauge, the host.
    let dropped = prometheus.query("chaoscope_iptables_rule_packets_total{pod='web-0',chain=~'OUTPUT/.*'}");
    assert_eq!(dropped[0]["value"][1], "5");
    prometheus.query("histogram_quantile(0.5, chaoscope_netns_read_duration_seconds_bucket)");
    assert_eq!(prometheus.query("sum(chaos_daemon_ipset_members{pod='web-0'})")[0]["value"][1], "6");
    prometheus.query("node_uname_info{sysname='Linux'}");
    let types = prometheus.api("targets/metadata?metric=chaoscope_iptables_rule_packets");
    assert_eq!(types["data"][0]["type"], "counter", "it was scraped as OpenMetrics, which names the family without _total: {types}");
    // All of a scrape arrives: Prometheus keeps as many samples as the page has.
    let scraped = prometheus.query("scrape_samples_scraped{job='chaoscope'}");
    assert_eq!(scraped[0]["value"][1], samples(&server.metrics()).len().to_string());
    assert_eq!(values(&server.metrics(), "chaoscope_scrape_source_success", &[]), ["1"; 6]);
}

/// A Prometheus that knows native histograms asks for protobuf, takes all of the page and reckons with the native buckets.
#[test]
#[ignore = "needs root and prometheus: run by make test"]
fn a_real_prometheus_takes_native_histograms() {
    let mut lab = Lab::start();
    let web = lab.pod("shop", "web-0");
    lab.inside(web, PARTITION);
    let server = lab.serve(&[]);
    let prometheus = Prometheus::scraping_native(server.address);
    let median = prometheus.query("histogram_quantile(0.5, chaoscope_netns_read_duration_seconds{job='chaoscope'})");
    let median: f64 = median[0]["value"][1].as_str().unwrap().parse().unwrap();
    let mean =
        prometheus.query("histogram_sum(chaoscope_netns_read_duration_seconds) / histogram_count(chaoscope_netns_read_duration_seconds)");
    let mean: f64 = mean[0]["value"][1].as_str().unwrap().parse().unwrap();
    assert!(median > 0.0 && median < 100.0 * mean && mean < 100.0 * median, "median {median}, mean {mean}");
    assert_eq!(
        prometheus.query_now("chaoscope_netns_read_duration_seconds_bucket"),
        serde_json::json!([]),
        "the native one took its place"
    );
    let dropped = prometheus.query("chaoscope_iptables_rule_packets_total{pod='web-0',chain=~'OUTPUT/.*'}");
    assert_eq!(dropped[0]["value"][1], "5");
    let types = prometheus.api("targets/metadata?metric=chaoscope_iptables_rule_packets_total");
    assert_eq!(types["data"][0]["type"], "counter", "protobuf names the family with _total: {types}");
}
