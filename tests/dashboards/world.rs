//! Something to ask about: real programs on a real kernel, which a real Prometheus scrapes every second.
//!
//! - `chaoscope cluster` beside a real API server, which is told again what a real Chaos Mesh did; its peers answer pages of a real one (and two
//!   that were not recorded: `dns.prom`, `controller-before-2.6.prom`);
//! - `chaoscope replay` of recordings that end in the middle: what they leave open is open since the day of the recording;
//! - `chaoscope node` on a small host with pods: a partition, bandwidth limits; with a daemon to ask, and connected to that cluster role;
//! - an application that counts the requests it gets;
//! - `elsewhere.prom`, as one more target, for what none of these can have here. It says why, family by family.
//!
//! Recorded pages stand still, and a rate of them would be nothing: each time one is asked for, its counters have gone on by what was recorded.

use crate::cluster;
use crate::files::root;
use crate::kit::kube::Kube;
use crate::kit::process::{copy_program, until};
use crate::kit::prometheus::Prometheus;
use crate::lab::{Lab, PARTITION};
use crate::program;
use crate::server::{Server, send, text};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// All of it; ended when dropped, in this order.
pub(crate) struct World {
    pub(crate) prometheus: Prometheus,
    _programs: (program::Program, Vec<cluster::Program>),
    _servers: Vec<Server>,
    _kube: Kube,
    _lab: Lab,
    _folders: Vec<TempDir>,
}

/// A bandwidth limit with bursts.
const LIMIT: &str = "tc qdisc add dev eth0 root handle 1: tbf rate 1mbit burst 10000 limit 20000 peakrate 2mbit mtu 1540";

/// Recordings, and until when they are told; by then each has something open: a stuck injection, a run past its end, a selector without targets.
const CUT: [(&str, &str); 3] =
    [("daemon-down", "2026-11-21T14:16:26"), ("stress-cpu", "2026-11-21T14:06:30"), ("zero-match", "2026-11-21T14:03:46")];

impl World {
    pub(crate) fn start() -> Self {
        let mut lab = Lab::start();
        let (web, client) = (lab.pod("shop", "web-0"), lab.pod("shop", "client-0"));
        lab.inside(web, PARTITION);
        lab.inside(client, LIMIT);
        with_helpers(&mut lab, web);

        let pages = ["fixtures/peers/controller-leader", "fixtures/peers/dashboard", "fixtures/peers/daemon"];
        let pages = pages.into_iter().chain(["dashboards/dns", "dashboards/controller-before-2.6"]);
        let servers: Vec<_> = pages.map(|it| counting(&format!("tests/{it}.prom"))).collect();
        let [leader, dashboard, daemon, dns, older] = &servers[..] else { unreachable!("five pages") };
        let (elsewhere, shop) = (counting("tests/dashboards/elsewhere.prom"), shop());

        let kube = Kube::start();
        kube.define_all();
        let peers = [
            format!("--peer=controller-manager={}", leader.url()),
            format!("--peer=controller-manager={}", older.url()),
            format!("--peer=chaos-dashboard={}", dashboard.url()),
            format!("--peer=chaos-dns-server={}", dns.url()),
            "--peer=chaos-dashboard=http://127.0.0.1:1/metrics".to_owned(),
        ];
        let mut programs = vec![cluster::Program::cluster(&kube.kubeconfig(), &peers.each_ref().map(String::as_str))];
        // Started again, it knows how old its journal is.
        kube.feed(&recording("stress-cpu"));
        until(|| programs[0].metrics().contains("chaoscope_runs_total{").then_some(()), || programs[0].log());
        programs[0].kill();
        programs[0].again();
        let (daemon, url) = (format!("--peer.daemon={}", daemon.url()), format!("--cluster.url=http://{}", programs[0].address));
        let node = lab.serve(&["--upstream-names=with-old", &daemon, &url, "--node-name=ref-node"]);
        let mut folders = Vec::new();
        for (name, until) in CUT {
            folders.push(cut(name, until, "-left"));
            programs.push(cluster::Program::start(&["replay", &folders[folders.len() - 1].path().display().to_string()]));
        }
        let target = |address: std::net::SocketAddr| format!("'{address}'");
        let clusters: Vec<_> = programs.iter().map(|it| target(it.address)).collect();
        let prometheus = Prometheus::with_jobs(|_| {
            let job = |name: &str, targets: &str, labels: &str| {
                format!("- job_name: {name}\n  honor_labels: true\n  static_configs: [{{targets: [{targets}], labels: {{{labels}}}}}]\n")
            };
            [
                job("chaoscope-cluster", &clusters.join(", "), ""),
                job("chaoscope-node", &target(node.address), "node: node-1"),
                job("elsewhere", &target(elsewhere.address), "node: node-1"),
                job("shop", &target(shop.address), "namespace: shop, pod: web-0"),
            ]
            .concat()
        });
        // After the first scrape, so that what it makes is counted from 0.
        prometheus.query("chaoscope_watch_up == 1");
        for (name, until) in [
            ("workflow", "2026-11-21T14:02:37"),
            ("pod-kill", "9"),
            ("forced-finalizer", "9"),
            ("partition-both", "9"),
            ("schedule", "2026-11-21T14:01:30"),
        ] {
            let folder = cut(name, until, "");
            kube.feed(folder.path());
            folders.push(folder);
        }
        let servers = servers.into_iter().chain([elsewhere, shop]).collect();
        Self { prometheus, _programs: (node, programs), _servers: servers, _kube: kube, _lab: lab, _folders: folders }
    }
}

/// A helper beside a pod, and a pod whose name servers were replaced.
fn with_helpers(lab: &mut Lab, web: u32) {
    let tproxy = lab.path("tproxy");
    copy_program("/bin/bash", &tproxy);
    // It waits for words that never come, as the real one does for its configuration.
    lab.shell(&format!("sleep infinity | nsenter --net=/proc/{web}/ns/net {} -i >/dev/null 2>&1 &", tproxy.display()));
    let replaced = "mount -t tmpfs tmpfs /etc; echo nameserver 10.96.0.10 >/etc/resolv.conf.chaos.bak; \
        echo nameserver 10.96.77.3 >/etc/resolv.conf; exec sleep infinity";
    let pid = lab.shell(&format!("unshare --net --mount sh -euc '{replaced}' >/dev/null & echo $!"));
    lab.cri.add("shop", "dns-0", "app", "dns-0-app", pid.trim().parse().unwrap());
}

fn recording(name: &str) -> PathBuf {
    root().join("tests/fixtures/recordings").join(name)
}

/// A recording that ends at a time; something is put after the names of two experiments that other recordings have as well: of one that is
/// told twice, only the newest times count.
fn cut(name: &str, until: &str, more: &str) -> TempDir {
    let (from, to) = (recording(name), TempDir::new().unwrap());
    for part in ["initial", "watch"] {
        let _ = fs::create_dir(to.path().join(part));
        for file in fs::read_dir(from.join(part)).unwrap().map(|it| it.unwrap().path()) {
            let all = fs::read_to_string(&file).unwrap();
            let kept: String = all.split_inclusive('\n').filter(|line| part == "initial" || seen(line) < until).collect();
            let kept = ["cut-web-from-client", "burn-web"].iter().fold(kept, |kept, it| kept.replace(it, &format!("{it}{more}")));
            fs::write(to.path().join(part).join(file.file_name().unwrap()), kept).unwrap();
        }
    }
    to
}

/// When a line was seen, as it is written there.
fn seen(line: &str) -> &str {
    let rest = line.split_once("\"seen\"").unwrap().1;
    rest.split('"').nth(1).unwrap()
}

/// A page of this file, whose counters have gone on since it was last asked for.
fn counting(file: &str) -> Server {
    let page = fs::read_to_string(root().join(file)).unwrap();
    Server::start(move |asked, stream| send(stream, &text(&gone_on(&page, asked + 1))))
}

fn gone_on(page: &str, times: usize) -> String {
    let mut counts = false;
    let mut out = String::new();
    for line in page.lines() {
        if line.starts_with("# TYPE ") {
            counts = line.ends_with(" counter") || line.ends_with(" histogram");
        }
        match line.rsplit_once(' ').filter(|_| counts && !line.starts_with('#')) {
            Some((series, value)) => writeln!(out, "{series} {}", value.parse::<f64>().unwrap() * times as f64).unwrap(),
            None => writeln!(out, "{line}").unwrap(),
        }
    }
    out
}

/// An application: what it counts is what it is asked. Every tenth request it holds to have failed.
fn shop() -> Server {
    Server::start(|asked, stream| {
        let (failed, good) = (asked / 10, asked - asked / 10);
        let page = format!(
            "# TYPE http_requests_total counter\nhttp_requests_total{{code=\"200\"}} {good}\nhttp_requests_total{{code=\"500\"}} {failed}\n\
             # TYPE http_request_duration_seconds histogram\nhttp_request_duration_seconds_bucket{{le=\"0.1\"}} {good}\n\
             http_request_duration_seconds_bucket{{le=\"+Inf\"}} {asked}\nhttp_request_duration_seconds_sum {asked}\n\
             http_request_duration_seconds_count {asked}\n"
        );
        send(stream, &text(&page));
    })
}

#[test]
fn a_recording_is_cut_and_a_page_goes_on() {
    let whole = fs::read_to_string(root().join("tests/fixtures/recordings/zero-match/watch/networkchaos.jsonl")).unwrap();
    let (_, until) = CUT[2];
    let folder = cut("zero-match", until, "");
    let kept = fs::read_to_string(folder.path().join("watch/networkchaos.jsonl")).unwrap();
    assert!(whole.starts_with(&kept) && !kept.is_empty() && kept.len() < whole.len());
    let page = "# TYPE a gauge\na 2\n# TYPE b_total counter\nb_total{c=\"d e\"} 3\n";
    assert_eq!(gone_on(page, 2), "# TYPE a gauge\na 2\n# TYPE b_total counter\nb_total{c=\"d e\"} 6\n");
}
