//! The node role as a user starts it: a pod's real namespace with what chaos-daemon makes there, and a cluster role that says what it should be.

use crate::cri::{Declared, answer};
use crate::desk::{Asked, Desk};
use crate::kit::netns::Netns;
use crate::kit::process::{finish, until};
use crate::program::{BINARY, Page, Program, run};
use crate::scripted::Scripted;
use chaoscope_model::declared::{
    Applied, Chain, DeclaredPod, DeclaredTarget, EndedRun, Expectation, Network, Set, Shape, Shaping, Stage, Tbf,
};
use chaoscope_model::verdict::{Owner, Verdict};
use chaoscope_model::{Effect, Pod, Reference};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What chaos-daemon leaves for a partition from a network, and for a bandwidth limit. A new namespace has one device: `lo`.
const STATE: &str = "
    ipset create cut_net_tgt hash:net
    ipset add cut_net_tgt 10.1.0.0/16
    iptables-legacy -N CHAOS-INPUT
    iptables-legacy -A INPUT -j CHAOS-INPUT
    iptables-legacy -N INPUT/cut_
    iptables-legacy -A CHAOS-INPUT -j INPUT/cut_
    iptables-legacy -A INPUT/cut_ -m set --match-set cut_net_tgt src,dst -j DROP -i lo
    tc qdisc add dev lo root handle 1: tbf rate 1mbit burst 10000 limit 20000";

/// A pod whose namespace a process holds, and the runtime that lists it.
struct Host {
    netns: Netns,
    declared: Declared,
    _runtime: Scripted,
    folder: TempDir,
    inside: tokio::runtime::Runtime,
}

impl Host {
    fn new() -> Self {
        let netns = Netns::new();
        netns.script(STATE);
        let declared = Declared { number: 1, pod: "web-0".into(), pid: netns.pid() };
        let folder = TempDir::new().unwrap();
        let inside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let entered = inside.enter();
        let containers = [declared.clone()];
        let runtime = Scripted::start(&folder.path().join("cri.sock"), move |asked, message| answer(&containers, asked, message));
        drop(entered);
        Self { netns, declared, _runtime: runtime, folder, inside }
    }

    fn node(&self, desk: Option<&Desk>) -> Program {
        let endpoint = format!("--runtime.endpoint=unix://{}", self.folder.path().join("cri.sock").display());
        let url = desk.map(|desk| format!("--cluster.url={}", desk.url()));
        let mut words = vec!["--runtime=cri", &endpoint, "--path.netns=/nonexistent"];
        words.extend(url.as_deref().into_iter().chain(desk.map(|_| "--node-name=n-1")));
        let _inside = self.inside.enter();
        Program::start(&[], Path::new(BINARY), &words)
    }

    fn pod(&self) -> Pod {
        Pod { namespace: "shop".into(), name: "web-0".into(), uid: self.declared.uid() }
    }

    fn cut(expected: Expectation) -> DeclaredTarget {
        DeclaredTarget {
            run: "run-1".into(),
            target: "shop/web-0".into(),
            selector: ".".into(),
            experiment: experiment(),
            container: String::new(),
            stage: Stage::Injected,
            injected_at: None,
            expects: expected,
        }
    }

    /// What the state above was made from.
    fn declares(&self) -> DeclaredPod {
        let source = "shop/cut".to_owned();
        let tbf = Tbf { rate: Some(125_000.0), burst: Some(10_000.0), limit: Some(20_000.0), peakrate: None };
        let network = Network {
            tcs: vec![Shaping { source: source.clone(), device: "lo".into(), does: Shape::Tbf(tbf), ..Shaping::default() }],
            chains: vec![Chain {
                source: source.clone(),
                name: "INPUT/cut_".into(),
                output: false,
                sets: vec!["cut_net_tgt".into()],
                device: "lo".into(),
            }],
            sets: vec![Set { source, name: "cut_net_tgt".into(), kind: "hash:net".into(), members: vec!["10.1.0.0/16".into()] }],
        };
        let network = Some(Applied { generation: 1, observed: 1, spec: network, ..Applied::default() });
        DeclaredPod { pod: self.pod(), network, targets: vec![Self::cut(Expectation::Network)], ..DeclaredPod::default() }
    }
}

fn experiment() -> Reference {
    Reference { kind: "NetworkChaos".into(), namespace: "shop".into(), name: "cut".into(), ..Reference::default() }
}

fn told(line: &Asked, connection: &str, pods: &[DeclaredPod]) {
    line.hello(connection);
    for pod in pods {
        line.say("pod", pod);
    }
    line.ready();
}

/// Waits until the cluster role was told this verdict of the one target, and answers why and what differs.
fn comes_to(desk: &Desk, verdict: Verdict) -> (String, Vec<String>) {
    let judged = until(
        || desk.verdict("shop/web-0").filter(|it| it.judgement.verdict == verdict),
        || format!("{verdict:?} in {:#?}", desk.reports()),
    );
    let differences = judged.judgement.differences.into_iter().map(|it| it.parameter);
    (judged.judgement.reason, differences.collect())
}

fn shown(page: &Page) -> Vec<&str> {
    let verdicts = page.0.lines().filter(|line| line.starts_with("chaoscope_fault_verdict{") && line.ends_with(" 1"));
    verdicts.filter_map(|line| line.split_once("verdict=\"")?.1.split('"').next()).collect()
}

const OF_CUT: [(&str, &str); 7] = [
    ("namespace", "shop"),
    ("pod", "web-0"),
    ("container", ""),
    ("netns", ""),
    ("experiment_namespace", "shop"),
    ("experiment_kind", "NetworkChaos"),
    ("experiment", "cut"),
];

#[test]
#[ignore = "needs root and namespaces: run by make test"]
fn a_declared_fault_is_held_against_the_kernel_and_every_flip_is_told() {
    let (host, desk) = (Host::new(), Desk::start());
    let node = host.node(Some(&desk));
    let line = desk.line(0);
    assert_eq!((line.node.as_str(), line.query.as_str()), ("n-1", ""), "there is a runtime to ask for names");
    told(&line, "c-1", &[host.declares()]);
    assert_eq!(comes_to(&desk, Verdict::InForce), (String::new(), vec![]));
    let first = desk.reports().swap_remove(0);
    assert_eq!((first.connection.as_str(), first.complete, first.residue), ("c-1", true, Some(vec![])));
    desk.reported("the pod was visited", |report| report.visited == [host.declared.uid()]);
    let page = node.scrape();
    assert_eq!(shown(&page), ["in_force"]);
    assert_eq!(page.value("chaoscope_fault_verdict_info", &[&OF_CUT[..], &[("verdict", "in_force"), ("reason", "")]].concat()), 1.0);
    assert_eq!(page.value("chaoscope_tbf_rate_bytes_per_second", &OF_CUT[4..]), 125_000.0);
    assert_eq!((page.value("chaoscope_declared_connected", &[]), page.value("chaoscope_declared_targets", &[])), (1.0, 1.0));
    assert!(page.values("chaoscope_residue", &[]).is_empty(), "what is declared is not left over");

    // a rule flushed by hand, and back
    host.netns.script("iptables-legacy -F INPUT/cut_");
    assert_eq!(comes_to(&desk, Verdict::Missing), ("no_rule".into(), vec!["rule".into()]));
    assert_eq!(shown(&node.scrape()), ["missing"]);
    assert!(node.log().contains("A declared fault is not as declared."), "{}", node.log());
    host.netns.script("iptables-legacy -A INPUT/cut_ -m set --match-set cut_net_tgt src,dst -j DROP -i lo");
    comes_to(&desk, Verdict::InForce);
    // a set emptied, a rate changed
    host.netns.script("ipset flush cut_net_tgt");
    assert_eq!(comes_to(&desk, Verdict::Drifted), ("set_members".into(), vec!["set_members".into()]));
    host.netns.script("ipset add cut_net_tgt 10.1.0.0/16");
    comes_to(&desk, Verdict::InForce);
    host.netns.script("tc qdisc change dev lo root handle 1: tbf rate 2mbit burst 10000 limit 20000");
    assert_eq!(comes_to(&desk, Verdict::Drifted).0, "rate");
    assert_eq!(shown(&node.scrape()), ["drifted"]);
    let (_, html) = node.get("/", "");
    for text in ["shop/cut", "drifted", "connected for", "rate", "Declared faults"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    // nothing more is declared, and nothing is left of the two-second rounds
    line.say("gone", &serde_json::json!({"uid": host.declared.uid()}));
    until(|| shown(&node.scrape()).is_empty().then_some(()), || "no verdict".into());
}

#[test]
#[ignore = "needs root and namespaces: run by make test"]
fn what_is_left_when_a_run_has_ended_is_its_residue_until_it_is_gone() {
    let (host, desk) = (Host::new(), Desk::start());
    let node = host.node(Some(&desk));
    let line = desk.line(0);
    let ended = EndedRun { run: "run-1".into(), experiment: experiment(), ended_at: jiff::Timestamp::now() };
    told(&line, "c-1", &[DeclaredPod { pod: host.pod(), ended: vec![ended], ..DeclaredPod::default() }]);
    // a time of grace, in which nothing is said: neither that it is left over nor that nothing is
    let report = desk.reported("residue", |report| report.residue.as_ref().is_some_and(|residue| !residue.is_empty()));
    assert!(desk.reports().iter().all(|it| it == &report || it.visited.is_empty()), "{:#?}", desk.reports());
    let residue = desk.residue();
    let rule = residue.iter().find(|it| it.what == "rule").unwrap();
    assert_eq!((rule.effect, rule.owner, rule.run.as_deref()), (Effect::Effective, Owner::EndedRun, Some("run-1")));
    assert_eq!(rule.experiment.as_ref().map(|it| it.name.as_str()), Some("cut"));
    let page = node.scrape();
    let labels = [&OF_CUT[..], &[("effect", "effective"), ("owner", "ended_run"), ("what", "rule")]].concat();
    assert_eq!(page.value("chaoscope_residue", &labels), 1.0);
    assert!(page.value("chaoscope_residue_first_seen_timestamp_seconds", &labels) > 1.0e9);
    let (_, html) = node.get("/", "");
    assert!(html.contains("Left over") && html.contains("ended run shop/cut"), "{html}");
    host.netns.script(
        "iptables-legacy -F
         iptables-legacy -X INPUT/cut_
         iptables-legacy -X CHAOS-INPUT
         ipset destroy cut_net_tgt
         tc qdisc del dev lo root",
    );
    desk.reported("nothing is left", |report| {
        report.residue.as_ref().is_some_and(Vec::is_empty) && report.visited.len() == 1 && !report.complete
    });
    assert!(node.scrape().values("chaoscope_residue", &[]).is_empty());
}

#[test]
#[ignore = "needs root and namespaces: run by make test"]
fn without_a_cluster_role_what_is_there_is_left_by_nobody_knows_whom() {
    let host = Host::new();
    let node = host.node(None);
    let labels = [("namespace", "shop"), ("pod", "web-0"), ("effect", "effective"), ("what", "rule")];
    let owner = |page: &Page| page.values("chaoscope_residue", &[&labels[..], &[("owner", "unknown")]].concat());
    until(|| (owner(&node.scrape()) == [1.0]).then_some(()), || node.scrape().0);
    let page = node.scrape();
    assert!(page.values("chaoscope_declared_connected", &[]).is_empty() && shown(&page).is_empty());
}

#[test]
#[ignore = "needs root and namespaces: run by make test"]
fn a_lost_connection_makes_nothing_missing_and_one_never_made_gives_none() {
    let (host, desk) = (Host::new(), Desk::start());
    desk.refuse(401);
    let node = host.node(Some(&desk));
    until(|| node.log().contains("--cluster.token-file").then_some(()), || node.log());
    let page = node.scrape();
    assert_eq!(page.value("chaoscope_declared_connected", &[]), 0.0);
    assert!(page.values("chaoscope_declared_targets", &[]).is_empty() && page.values("chaoscope_residue", &[]).is_empty());
    let (_, html) = node.get("/", "");
    assert!(html.contains("not connected yet") && html.contains("Not known: the cluster role has not told what is declared"), "{html}");
    desk.refuse(200);
    let live = || desk.asked().into_iter().find(|asked| !asked.is_over());
    told(&until(live, || "it asks again".into()), "c-1", &[host.declares()]);
    comes_to(&desk, Verdict::InForce);
    desk.refuse(500);
    desk.hang_up();
    until(|| (node.scrape().value("chaoscope_declared_connected", &[]) == 0.0).then_some(()), || "it is lost".into());
    assert_eq!(shown(&node.scrape()), ["in_force"]);
    host.netns.script("iptables-legacy -F INPUT/cut_");
    // it goes on looking; but the fault may have recovered meanwhile
    until(|| (shown(&node.scrape()) == ["unknown"]).then_some(()), || node.scrape().0);
    let why = [&OF_CUT[..], &[("verdict", "unknown"), ("reason", "no_node")]].concat();
    assert_eq!(node.scrape().value("chaoscope_fault_verdict_info", &why), 1.0);
    desk.refuse(200);
    let (before, live) = (desk.reports().len(), until(live, || "it asks again".into()));
    told(&live, "c-2", &[host.declares()]);
    let report = desk.reported("everything, again", |report| report.connection == "c-2");
    assert!(report.complete && desk.reports().len() > before);
    assert_eq!(report.verdicts[0].judgement.verdict, Verdict::Missing);
    // one line for each failure (its end, as it is seen first, may be another than that of the next tries) and one when it ended
    let log = node.log();
    assert_eq!(log.matches("Connected to the cluster role").count(), 2, "{log}");
    let failures = log.matches("Not connected to the cluster role").count();
    assert!(log.matches("401").count() == 1 && (2..=3).contains(&failures), "{log}");
}

/// A folder that looks like /proc and shows process 1 and the pod's, which only its control group names.
pub(crate) fn procfs(uid: &str, container: &str, netns: &Netns) -> TempDir {
    let folder = TempDir::new().unwrap();
    let group = format!("/kubepods/burstable/pod{uid}/{container}");
    for (pid, group, netns) in [(1, "/", "/proc/self/ns/net".into()), (netns.pid(), group.as_str(), netns.path())] {
        let entry = folder.path().join(pid.to_string());
        fs::create_dir_all(entry.join("ns")).unwrap();
        symlink(netns, entry.join("ns/net")).unwrap();
        fs::write(entry.join("cgroup"), format!("0::{group}\n")).unwrap();
        fs::write(entry.join("stat"), format!("{pid} (app) S 1 0 0 0 0 4194560 0 0 0 0 0 0 0 0 20 0 1 0 7 {}\n", "0 ".repeat(30))).unwrap();
    }
    folder
}

#[test]
#[ignore = "needs root and namespaces: run by make test"]
fn without_a_runtime_the_cluster_role_tells_the_names() {
    let (host, desk) = (Host::new(), Desk::start());
    let folder = procfs(&host.declared.uid(), &host.declared.id(), &host.netns);
    let (procfs, url) = (format!("--path.procfs={}", folder.path().display()), format!("--cluster.url={}", desk.url()));
    let node = Program::start(&[], Path::new(BINARY), &["--runtime=none", "--path.netns=/nonexistent", &procfs, &url, "--node-name=n-1"]);
    let line = desk.line(0);
    assert_eq!(line.query, "names=true");
    line.say("hello", &serde_json::json!({"connection": "c-1", "at": jiff::Timestamp::now()}));
    line.say("names", &serde_json::json!({"pods": [host.pod()]}));
    line.ready();
    let named = || node.scrape().values("chaoscope_tbf_rate_bytes_per_second", &[("namespace", "shop"), ("pod", "web-0"), ("netns", "")]);
    until(|| (named() == [125_000.0]).then_some(()), || node.scrape().0);
    line.say("pod", &host.declares());
    comes_to(&desk, Verdict::InForce);
}

#[test]
fn flags_that_cannot_work_are_said_in_one_line() {
    for (words, said) in [
        (&["node", "--cluster.url=http://c:1"][..], "--node-name"),
        (&["node", "--cluster.url=c:1", "--node-name=n"], "--cluster.url=http://HOST:PORT"),
        (&["node", "--cluster.url=https://c:1", "--node-name=n", "--cluster.ca-file=/nonexistent"], "--cluster.ca-file"),
        (&["node", "--cluster.url=http://c:1", "--node-name=N/x"], "kubectl get nodes"),
        (&["node", "--cluster.token-file=/x"], "--cluster.url"),
    ] {
        let output = run(&[], Path::new(BINARY), &[words, &["--web.listen-address=127.0.0.1:0"]].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && text.contains(said) && text.lines().count() == 1, "{words:?}: {text}");
    }
    assert!(finish(Command::new(BINARY).args(["node", "--help"])).status.success());
}
