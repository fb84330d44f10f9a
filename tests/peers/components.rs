//! A real API server tells where the components are; their pods' addresses are servers of the test.

use crate::kit::kube::objects::pod;
use crate::kit::kube::{Kube, NOBODY, Options};
use crate::server::Server;
use crate::text::{value, values};
use crate::told::classic;
use chaoscope::cluster::api::{Whereabouts, connect};
use chaoscope::cluster::components::Components;
use chaoscope::peers::find::Component;
use chaoscope::peers::{Config, PeerReading, Peers};
use chaoscope::source::{Error, Source};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const LEADER: &str = include_str!("../fixtures/peers/controller-leader.prom");
const WAITING: &str = include_str!("../fixtures/peers/controller-waiting.prom");
const DASHBOARD: &str = include_str!("../fixtures/peers/dashboard.prom");
const DNS: &str = "# TYPE coredns_dns_request_count_total counter\ncoredns_dns_request_count_total{server=\"dns://:5353\",type=\"A\"} 7\n";

/// A pod as the Helm chart makes them, ready, whose port of this name is where the server listens.
fn component(namespace: &str, name: &str, component: &str, port: &str, server: &Server) -> Value {
    let mut pod = pod(namespace, name);
    pod["metadata"]["labels"] = json!({
        "app.kubernetes.io/name": "chaos-mesh", "app.kubernetes.io/instance": "chaos-mesh", "app.kubernetes.io/part-of": "chaos-mesh",
        "app.kubernetes.io/version": "2.8.3", "app.kubernetes.io/component": component
    });
    pod["spec"]["containers"][0]["image"] = json!("ghcr.io/chaos-mesh/chaos-mesh:v2.8.3");
    pod["spec"]["containers"][0]["env"] = json!([{"name": "TZ", "value": "Asia/Shanghai"}]);
    pod["spec"]["containers"][0]["ports"] = json!([{"name": port, "containerPort": server.address.port()}]);
    pod["status"] = json!({
        "phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}],
        "conditions": [{"type": "Ready", "status": "True"}]
    });
    pod
}

fn components(runtime: &Runtime, kubeconfig: PathBuf, namespaces: &[&str]) -> Components {
    let whereabouts = Whereabouts { kubeconfig: Some(kubeconfig), context: None };
    let client = runtime.block_on(async { connect(&whereabouts).await }).expect("a client");
    Components::new(client, &namespaces.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn read(runtime: &Runtime, peers: &Peers) -> Result<Arc<Vec<PeerReading>>, Error> {
    runtime.block_on(async { peers.read(Duration::ZERO, Instant::now() + Duration::from_mins(1)).await })
}

#[test]
#[ignore = "needs kube-apiserver: run by make test"]
fn an_api_server_tells_who_is_asked() {
    let kube = Kube::start_with(&Options { tokens: vec![("narrow-token".into(), "narrow".into())], ..Options::default() });
    let runtime = Runtime::new().unwrap();
    let pages = [Server::page(LEADER), Server::page(WAITING), Server::page(DASHBOARD), Server::page(DNS), Server::page(DNS)];
    kube.namespace("chaos-mesh");
    kube.namespace("elsewhere");
    for (name, kind, port, server) in [
        ("controller-a", "controller-manager", "http", &pages[0]),
        ("controller-b", "controller-manager", "http", &pages[1]),
        ("dashboard", "chaos-dashboard", "metric", &pages[2]),
        ("dns", "chaos-dns-server", "metrics", &pages[3]),
        // A daemon's page is not asked for from afar; an application is nobody of ours.
        ("daemon", "chaos-daemon", "http", &pages[4]),
        ("shop", "web", "http", &pages[4]),
    ] {
        kube.create(&component("chaos-mesh", name, kind, port, server));
    }
    let finder = components(&runtime, kube.kubeconfig(), &[]);
    let peers = Peers::new(Config::default(), Some(Arc::new(finder.clone())));
    let page = classic(read(&runtime, &peers).unwrap());
    for (peer, component) in [
        ("controller-a", "controller-manager"),
        ("controller-b", "controller-manager"),
        ("dashboard", "chaos-dashboard"),
        ("dns", "chaos-dns-server"),
    ] {
        assert_eq!(value(&page, "chaoscope_peer_up", &[("peer", peer), ("component", component)]), "1");
    }
    assert_eq!(values(&page, "chaoscope_peer_up", &[]).len(), 4);
    assert!(pages[4].requests().is_empty(), "neither the daemon nor the application was asked");
    assert_eq!(value(&page, "coredns_dns_requests_total", &[("peer", "dns"), ("type", "A")]), "7");

    let found = runtime.block_on(async { finder.list().await }).unwrap();
    let controller = found.iter().find(|found| found.component == Component::ControllerManager).unwrap();
    assert_eq!((controller.version.as_deref(), controller.time_zone.as_deref()), (Some("v2.8.3"), Some("Asia/Shanghai")));

    // A replica is replaced: the old one does not answer, the one in its stead is found by the next scrape but one at the latest.
    let stead = Server::page(WAITING);
    kube.delete(&pod("chaos-mesh", "controller-b"));
    kube.create(&component("chaos-mesh", "controller-c", "controller-manager", "http", &stead));
    let [_a, b, _rest @ ..] = pages;
    drop(b);
    let down = classic(read(&runtime, &peers).unwrap());
    assert_eq!(value(&down, "chaoscope_peer_down", &[("peer", "controller-b"), ("reason", "unreachable")]), "1");
    let page = classic(read(&runtime, &peers).unwrap());
    assert_eq!(value(&page, "chaoscope_peer_up", &[("peer", "controller-c")]), "1");
    assert!(values(&page, "chaoscope_peer_up", &[("peer", "controller-b")]).is_empty());

    // Without a right, nobody; with it in one namespace, those there.
    let nobody = Peers::new(Config::default(), Some(Arc::new(components(&runtime, kube.kubeconfig_of(NOBODY), &[]))));
    let Err(Error::Failed(why)) = read(&runtime, &nobody) else { panic!("somebody was found") };
    assert!(why.contains("forbidden"), "{why}");
    kube.allow("narrow", Some("chaos-mesh"), &json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]));
    let narrow = components(&runtime, kube.kubeconfig_of("narrow-token"), &["elsewhere", "chaos-mesh"]);
    let narrow = Peers::new(Config::default(), Some(Arc::new(narrow)));
    crate::kit::process::until(
        || read(&runtime, &narrow).is_ok_and(|them| them.len() == 4).then_some(()),
        || "one namespace that is forbidden costs only itself".into(),
    );
}
