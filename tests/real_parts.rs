//! The kit's own tests: a browser, namespaces, the kernel that has netem, an API server and an Alertmanager.
//!
//! Apart from the tests that use these parts, so that a broken part is told from a broken Chaoscope.

mod kit;

use flate2::read::ZlibDecoder;
use kit::alertmanager::Alertmanager;
use kit::chromium::Chromium;
use kit::http;
use kit::kube::objects::{CHAOS_MESH, chaos, pod};
use kit::kube::{Kube, NOBODY, Options};
use kit::netns::Netns;
use kit::process::until;
use kit::served::Served;
use kit::uml;
use reqwest::Method;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::path::Path;

const PAGE: &str = "<!doctype html><title>t</title><style>body { background: #fedcba }
@media (prefers-color-scheme: dark) { body { background: #123456 } }</style>
<p id=word>as sent<noscript>no script</noscript><script>word.textContent = 'by script'</script>";

#[test]
#[ignore = "needs chromium: run by make test"]
fn chromium_shows_a_page_light_and_dark_in_the_size_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, PAGE).unwrap();
    let url = format!("file://{}", page.display());
    let picture = folder.path().join("picture.png");

    Chromium { width: 640, height: 480, ..Chromium::default() }.screenshot(&url, &picture);
    assert_eq!(size_and_corner(&picture), (640, 480, [0xfe, 0xdc, 0xba]));

    Chromium { dark: true, javascript: false, ..Chromium::default() }.screenshot(&url, &picture);
    assert_eq!(size_and_corner(&picture), (1280, 800, [0x12, 0x34, 0x56]));
}

#[test]
#[ignore = "needs chromium: run by make test"]
fn chromium_gives_the_document_with_and_without_javascript() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, PAGE).unwrap();
    let url = format!("file://{}", page.display());

    let with = Chromium::default().dump_dom(&url);
    assert!(with.contains(">by script</p>"), "{with}");

    let without = Chromium { javascript: false, ..Chromium::default() }.dump_dom(&url);
    assert!(without.contains(">as sent<"), "{without}");
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn a_namespace_is_its_own_and_goes_with_its_holder() {
    let (one, other) = (Netns::new(), Netns::new());
    one.script("ip link add here type veth peer name there; ip link set here up");
    assert!(one.run(&["ip", "-o", "link"]).contains("here@there"));
    assert!(!other.run(&["ip", "-o", "link"]).contains("here"));
    assert_eq!(other.try_run(&["ip", "link", "show", "here"]).status.code(), Some(1));
    assert_ne!(one.inode(), other.inode());

    let before = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let inside = one.inside(|| fs::read_link("/proc/thread-self/ns/net").unwrap());
    assert_eq!(inside.display().to_string(), format!("net:[{}]", one.inode()));
    assert_eq!(fs::read_link("/proc/thread-self/ns/net").unwrap(), before);

    let holder = one.path();
    drop(one);
    assert!(!holder.exists());
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn a_command_inside_user_mode_linux_gives_its_output_and_exit_code() {
    let output = uml::run(&["sh", "-c", "echo out; echo err >&2; uname -r; tc qdisc add dev lo root netem; exit 7"]);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let ours = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(stdout.starts_with("out\n") && !stdout.contains(&ours), "{stdout}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "err\n");
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn the_trees_chaos_tools_write_are_there_and_carry_what_was_sent() {
    let script = "tc -n shapes -j -s qdisc show; tc -n chaos-mesh -j -s qdisc show; tc -n krkn -j -s qdisc show";
    let output = uml::run(&[uml::NETEM, "sh", "-euc", script]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");

    let documents = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<serde_json::Value>();
    let [shapes, mesh, krkn] = documents.map(Result::unwrap).collect::<Vec<_>>().try_into().unwrap();
    let find = |tree: &serde_json::Value, device: &str, handle: &str| {
        let qdiscs = tree.as_array().unwrap().iter();
        let mut these = qdiscs.filter(|it| it["dev"] == device && it["handle"] == handle);
        these.next().cloned().unwrap_or_else(|| panic!("{device} {handle} is not in {tree}"))
    };
    let longer = find(&shapes, "longer", "1:");
    assert_eq!((&longer["options"]["delay"]["delay"], &longer["qlen"]), (&250.into(), &7.into()));
    let loss = find(&shapes, "loss", "1:");
    assert_eq!(loss["packets"].as_u64().unwrap() + loss["drops"].as_u64().unwrap(), 20);
    assert_eq!(find(&shapes, "tbf", "1:")["bytes"], 9 * 43);
    // The rule's CLASSIFY has put all five into the fourth band.
    let banded = find(&mesh, "eth0", "5:");
    assert_eq!((&banded["kind"], &banded["parent"], &banded["packets"]), (&"netem".into(), &"1:4".into(), &5.into()));
    assert_eq!(find(&mesh, "eth0", "4:")["kind"], "sfq");
    assert_eq!(find(&krkn, "ifb0", "101:")["parent"], "100:1");
    assert_eq!(find(&krkn, "eth0", "ffff:")["kind"], "ingress");
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn an_api_server_keeps_what_it_acknowledged_over_kill_and_restart() {
    let kube = Kube::start_with(&Options { flags: vec![], tokens: vec![("reader-token".into(), "reader".into())] });
    assert_eq!(kube.call(Method::GET, "/version", None).1["gitVersion"], "v1.34.4");
    kube.define(&["NetworkChaos", "Workflow"]);
    kube.namespace("lab");
    let mut held = chaos("NetworkChaos", "lab", "slow");
    held["metadata"]["finalizers"] = json!(["chaos-mesh/records"]);
    held["status"] = json!({"experiment": {"desiredPhase": "Run"}});
    assert_eq!(kube.create(&held)["status"]["experiment"]["desiredPhase"], "Run");
    let mut flow = chaos("Workflow", "lab", "flow");
    flow["status"] = json!({"entryNode": "entry-1"});
    assert_eq!(kube.put(&flow)["status"]["entryNode"], "entry-1");
    kube.create(&pod("lab", "web-0"));

    let pods = "/api/v1/namespaces/lab/pods";
    assert_eq!(kube.call_as(NOBODY, Method::GET, pods, None).0, 403);
    assert_eq!(kube.call_as("unknown", Method::GET, pods, None).0, 401);
    kube.allow("reader", Some("lab"), &json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]));
    kit::process::until(|| (kube.call_as("reader-token", Method::GET, pods, None).0 == 200).then_some(()), || "a role is in force".into());

    kube.kill();
    kube.restart();
    kube.delete(&held);
    assert!(kube.get(&held).unwrap()["metadata"]["deletionTimestamp"].is_string());
    kube.patch(&held, &json!({"metadata": {"finalizers": null}}));
    assert_eq!(kube.get(&held), None);
    assert_eq!(kube.get(&flow).unwrap()["status"]["entryNode"], "entry-1");
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn an_api_server_is_fed_what_a_recording_saw() {
    let recording = tempfile::tempdir().unwrap();
    for folder in ["initial", "watch"] {
        fs::create_dir(recording.path().join(folder)).unwrap();
    }
    let pods = json!({"items": [{"metadata": {"name": "web-0", "namespace": "shop", "uid": "old-pod"}, "spec": pod("", "")["spec"]}]});
    fs::write(recording.path().join("initial/pods.json"), pods.to_string()).unwrap();
    let mut slow = chaos("NetworkChaos", "shop", "slow");
    slow["metadata"]["uid"] = "old-uid".into();
    slow["metadata"]["resourceVersion"] = "7".into();
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "slow.18ea1418f6985665", "namespace": "shop"}, "reason": "Started",
        "involvedObject": {"apiVersion": CHAOS_MESH, "kind": "NetworkChaos", "namespace": "shop", "name": "slow", "uid": "old-uid"},
    });
    let line = |second: u8, what: &str, object: &serde_json::Value| {
        let seen = format!("2026-11-21T14:00:0{second}Z");
        format!("{}\n", json!({"seen": seen, "watch": {"type": what, "object": object}}))
    };
    let mut running = slow.clone();
    running["status"] = json!({"experiment": {"desiredPhase": "Run"}});
    let changes = line(1, "ADDED", &slow) + &line(3, "MODIFIED", &running);
    fs::write(recording.path().join("watch/networkchaos.jsonl"), changes).unwrap();
    fs::write(recording.path().join("watch/events.core.jsonl"), line(2, "ADDED", &event)).unwrap();

    let kube = Kube::start();
    kube.define(&["NetworkChaos"]);
    kube.feed(recording.path());
    let stored = kube.get(&slow).unwrap();
    assert_eq!(stored["status"], running["status"]);
    assert_eq!(kube.get(&event).unwrap()["involvedObject"]["uid"], stored["metadata"]["uid"]);
    assert!(kube.get(&pod("shop", "web-0")).is_some());

    fs::write(recording.path().join("watch/networkchaos.jsonl"), line(1, "DELETED", &slow)).unwrap();
    kube.feed(recording.path());
    assert_eq!(kube.get(&slow), None);
}

/// Width, height and the first pixel of an RGB image: in its first line, no filter changes that pixel.
#[allow(clippy::unwrap_used, reason = "a picture that is none is a failed test")]
fn size_and_corner(path: &Path) -> (u32, u32, [u8; 3]) {
    let png = fs::read(path).unwrap();
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    let mut packed = Vec::new();
    let mut at = 8;
    while at < png.len() {
        let length = number(at) as usize;
        if png[at + 4..at + 8] == *b"IDAT" {
            packed.extend_from_slice(&png[at + 8..at + 8 + length]);
        }
        at += length + 12;
    }
    let mut start = [0; 4];
    ZlibDecoder::new(&*packed).read_exact(&mut start).unwrap();
    (number(16), number(20), start[1..].try_into().unwrap())
}

#[test]
#[ignore = "needs prometheus-alertmanager: run by make test"]
fn alertmanager_takes_an_alert_and_a_page_is_what_was_said_last() {
    let alertmanager = Alertmanager::with("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n");
    alertmanager.post(&json!([{"labels": {"alertname": "Fire", "pod": "p"}, "annotations": {}}]));
    until(|| alertmanager.named(false).contains("Fire p").then_some(()), || format!("{:?}", alertmanager.alerts()));
    assert!(alertmanager.named(true).is_empty());

    let page = Served::new("a 1\n");
    assert_eq!(http::get(page.address(), "/").unwrap(), (200, "a 1\n".to_owned()));
    page.say("a 2\n");
    assert_eq!(http::get(page.address(), "/").unwrap().1, "a 2\n");
}
