//! What is left over of hand-made sweeps, whose it is, and what open runs account for.

use super::super::fixture::{
    applied, chain, declared, drop_rule, empty, ended, helper, jump, looked, namespace, netem, pod, prio, rule, sweep, table, target,
};
use super::*;
use crate::node::ipset::Set;
use crate::node::iptables::Verdict;
use crate::node::mounts::ResolvConf;
use crate::node::sweep::Files;
use crate::node::tc::Tc;
use crate::node::visit::Reading;
use crate::tools::helpers::HelperKind;
use chaoscope_model::declared::{Chain, Expectation, IoFault, Network, Set as DeclaredSet, Shaping, Stage, Stressor};
use chaoscope_model::verdict::Owner;
use chaoscope_model::{Effect, Tool};

const INPUT: &str = "INPUT/cut-w_c356d36a67f5a0_";
const SET: &str = "cut-w_c356d36a67f5a_set_tgt";
const CUT: &str = "cut-web-from-client";

/// A partition's chains, jumped to or not, and its sets.
fn partitioned(jumped_to: bool) -> Reading {
    let hook = if jumped_to { vec![jump(INPUT)] } else { vec![] };
    let chains = vec![
        chain("INPUT", vec![jump("CHAOS-INPUT")]),
        chain("OUTPUT", vec![jump("CHAOS-OUTPUT")]),
        chain("CHAOS-INPUT", hook),
        chain("CHAOS-OUTPUT", vec![]),
        chain(INPUT, vec![drop_rule(SET)]),
    ];
    let set = |name: &str| Set { name: name.into(), kind: "list:set".into(), references: Some(1), ..Set::default() };
    Reading { sets: Ok(vec![set(SET), set(&format!("{SET}old"))]), ..table("filter", chains) }
}

fn network(items: Network) -> DeclaredPod {
    DeclaredPod { network: Some(applied(items)), ..declared(vec![target("NetworkChaos", CUT, Expectation::Network)]) }
}

fn cut() -> Network {
    let source = || format!("shop/{CUT}");
    let made = Chain { source: source(), name: INPUT.into(), sets: vec![SET.into()], ..Chain::default() };
    let set = DeclaredSet { source: source(), name: SET.into(), kind: "list:set".into(), members: vec![] };
    Network { chains: vec![made], sets: vec![set.clone(), set], ..Network::default() }
}

fn left(sweep: &Sweep, declared: DeclaredPod) -> Vec<Residue> {
    left_over(sweep, &Survey::of(sweep), &BTreeMap::from([(declared.pod.uid.clone(), declared)]))
}

/// Effect, owner, what, and the experiment where it is told.
fn shown(residue: &[Residue]) -> Vec<(Effect, Owner, String, Option<String>)> {
    let name = |it: &Residue| it.experiment.as_ref().map(|experiment| experiment.name.clone());
    residue.iter().map(|it| (it.effect, it.owner, it.what.clone(), name(it))).collect()
}

fn row(effect: Effect, owner: Owner, what: &str, experiment: Option<&str>) -> (Effect, Owner, String, Option<String>) {
    (effect, owner, what.to_owned(), experiment.map(str::to_owned))
}

#[test]
fn what_an_open_run_declares_is_not_left_over() {
    for jumped_to in [true, false] {
        assert_eq!(left(&sweep(partitioned(jumped_to)), network(cut())), [], "jumped to: {jumped_to}");
    }
}

#[test]
fn a_chain_left_jumped_to_is_effective_and_its_runs() {
    let sweep = sweep(partitioned(true));
    let after = DeclaredPod { ended: vec![ended("NetworkChaos", CUT, 900), ended("NetworkChaos", "other", 950)], ..declared(vec![]) };
    let found = left(&sweep, after);
    let mine = |effect, what| row(effect, Owner::EndedRun, what, Some(CUT));
    let hook = row(Effect::Benign, Owner::EndedRun, "chain", None);
    assert_eq!(shown(&found), [hook, mine(Effect::Effective, "rule")]);
    let rule = &found[1];
    assert_eq!((rule.run.as_deref(), &rule.pod, rule.netns.as_str()), (Some("run of cut-web-from-client at 900"), &pod(), ""));
    assert!(rule.object.starts_with("legacy ipv4 filter INPUT/cut-w_"), "{}", rule.object);
    assert_eq!(rule.first_seen, sweep.at);
}

#[test]
fn after_a_normal_recovery_all_of_it_is_benign() {
    let after =
        DeclaredPod { network: Some(applied(Network::default())), ended: vec![ended("NetworkChaos", CUT, 900)], ..declared(vec![]) };
    let found = left(&sweep(partitioned(false)), after);
    assert!(found.len() == 5 && found.iter().all(|it| it.effect == Effect::Benign && it.owner == Owner::EndedRun), "{found:#?}");
}

#[test]
fn without_evidence_the_owner_is_unknown() {
    let sweep = sweep(partitioned(true));
    let survey = Survey::of(&sweep);
    for declared in [BTreeMap::new(), BTreeMap::from([("u1".to_owned(), declared(vec![]))])] {
        let found = left_over(&sweep, &survey, &declared);
        assert!(!found.is_empty() && found.iter().all(|it| it.owner == Owner::Unknown && it.experiment.is_none()), "{found:#?}");
    }
    let another = DeclaredPod { ended: vec![ended("NetworkChaos", "another", 900)], ..declared(vec![]) };
    let rule = left(&sweep, another).into_iter().find(|it| it.what == "rule").unwrap();
    assert_eq!((rule.owner, rule.experiment), (Owner::Unknown, None));
}

/// The finalizer was torn away while the daemon was down: the run is over, the object is in the way out and never applied.
#[test]
fn an_object_that_outlived_its_run_accounts_for_nothing() {
    let mut stuck = applied(cut());
    stuck.failure = "unable to flush ip sets".into();
    let alone = DeclaredPod { network: Some(stuck), ..declared(vec![]) };
    let found = left(&sweep(partitioned(true)), alone.clone());
    let rule = found.iter().find(|it| it.what == "rule").unwrap();
    assert_eq!(
        (rule.owner, rule.experiment.as_ref().map(|it| it.name.as_str()), &rule.run),
        (Owner::Unknown, Some(CUT), &None),
        "its spec tells"
    );
    let found = left(&sweep(partitioned(true)), DeclaredPod { ended: vec![ended("NetworkChaos", CUT, 900)], ..alone });
    assert_eq!(found.iter().find(|it| it.what == "rule").unwrap().owner, Owner::EndedRun);
}

#[test]
fn while_a_run_is_on_its_way_nothing_of_the_network_is_left_over() {
    let stale = Reading { tc: Ok(Tc { qdiscs: vec![netem("eth0", 1)], ..Tc::default() }), ..partitioned(true) };
    let sweep = sweep(stale);
    let now = network(Network::default());
    assert!(!left(&sweep, now.clone()).is_empty(), "it is injected, and this is not its own");
    for stage in [Stage::Injecting, Stage::Recovering] {
        let mut moving = now.clone();
        moving.targets[0].stage = stage;
        assert_eq!(left(&sweep, moving), [], "{stage:?}");
    }
    let unapplied: [fn(&mut chaoscope_model::declared::Applied<Network>); 3] =
        [|it| it.generation += 1, |it| it.failure = "no".into(), |it| it.incomplete = "too large: 5000".into()];
    for spoil in unapplied {
        let mut moving = now.clone();
        spoil(moving.network.as_mut().unwrap());
        assert_eq!(left(&sweep, moving), []);
    }
}

#[test]
fn qdiscs_are_told_by_their_place() {
    let shaping = |name: &str, set: &str| Shaping { source: format!("shop/{name}"), set: set.into(), ..Shaping::default() };
    let of = |qdiscs| sweep(Reading { tc: Ok(Tc { qdiscs, ..Tc::default() }), ..empty() });
    let declared = network(Network { tcs: vec![shaping(CUT, "")], ..Network::default() });
    assert_eq!(left(&of(vec![netem("eth0", 1)]), declared.clone()), []);
    for (device, handle) in [("eth0", 2), ("eth1", 1), ("eth0", 0x8001)] {
        let found = left(&of(vec![netem(device, handle)]), declared.clone());
        let tool = if handle == 0x8001 { Tool::Kernel } else { Tool::ChaosMesh };
        assert_eq!((found.len(), found[0].what.as_str(), found[0].tool), (1, "qdisc", tool), "{device} {handle}");
    }
    let filtered = network(Network { tcs: vec![shaping(CUT, "s")], ..Network::default() });
    assert_eq!(left(&of(vec![prio("eth0", 1), netem("eth0", 5)]), filtered), []);
    // one whose run ended is the first of two: the second one is accounted for
    let mut two = network(Network { tcs: vec![shaping("gone", ""), shaping(CUT, "")], ..Network::default() });
    two.ended = vec![ended("NetworkChaos", "gone", 900)];
    let found = left(&of(vec![netem("eth0", 1), netem("eth0", 2)]), two);
    assert_eq!(shown(&found), [row(Effect::Effective, Owner::EndedRun, "qdisc", Some("gone"))]);
}

#[test]
fn a_netem_left_behind_is_an_ended_runs_and_one_by_hand_is_nobodys() {
    let both = sweep(Reading { tc: Ok(Tc { qdiscs: vec![netem("eth0", 1), netem("eth1", 0x8001)], ..Tc::default() }), ..empty() });
    let after = |ended| DeclaredPod { ended, ..declared(vec![]) };
    let found =
        left(&both, after(vec![ended("NetworkChaos", "delay", 900), ended("NetworkChaos", "delay", 700), ended("StressChaos", "s", 990)]));
    assert_eq!(
        shown(&found),
        [row(Effect::Effective, Owner::EndedRun, "qdisc", Some("delay")), row(Effect::Effective, Owner::Unknown, "qdisc", None)]
    );
    assert_eq!(found[0].run.as_deref(), Some("run of delay at 900"), "the last one");
    // of two experiments it may be either
    let found = left(&both, after(vec![ended("NetworkChaos", "delay", 900), ended("NetworkChaos", "loss", 700)]));
    assert_eq!((found[0].owner, &found[0].experiment, &found[0].run), (Owner::EndedRun, &None, &None));
    // a run of another kind is no evidence
    assert_eq!(left(&both, after(vec![ended("StressChaos", "s", 990)]))[0].owner, Owner::Unknown);
}

#[test]
fn numbered_chains_are_told_by_their_sets() {
    let classify = |set: &str| rule("-j CLASSIFY --set-class 0001:0004", Some(set), Verdict::Target("CLASSIFY".into()));
    let tables = |set: &str| {
        sweep(table(
            "filter",
            vec![
                chain("OUTPUT", vec![jump("CHAOS-OUTPUT")]),
                chain("CHAOS-OUTPUT", vec![jump("TC-TABLES-0")]),
                chain("TC-TABLES-0", vec![classify(set)]),
            ],
        ))
    };
    let own = "web-s_5e00029ea14_net_netgt";
    let tcs = vec![Shaping { source: format!("shop/{CUT}"), set: own.into(), ..Shaping::default() }];
    assert_eq!(left(&tables(own), network(Network { tcs: tcs.clone(), ..Network::default() })), []);
    let other = left(&tables("other_net_netgt"), network(Network { tcs, ..Network::default() }));
    assert_eq!(shown(&other), [row(Effect::Effective, Owner::Unknown, "rule", None)]);
    let after = DeclaredPod { ended: vec![ended("NetworkChaos", "web-show-network-delay", 1)], ..declared(vec![]) };
    assert_eq!(shown(&left(&tables(own), after)), [row(Effect::Effective, Owner::EndedRun, "rule", Some("web-show-network-delay"))]);
}

#[test]
fn stressors_are_told_by_their_pids() {
    let stress = |processes| declared(vec![target("StressChaos", "burn", Expectation::Stress { processes })]);
    let told = |pid| vec![Stressor { helper: "stress_ng".into(), pid, started_at: None }];
    let mut sweep = sweep(empty());
    sweep.helpers = vec![(Some(pod()), helper(HelperKind::StressNg, 41))];
    for own in [told(Some(41)), told(Some(40)), told(None), vec![]] {
        assert_eq!(left(&sweep, stress(own.clone())), [], "{own:?}");
    }
    let mut others = stress(told(Some(7)));
    others.ended = vec![ended("StressChaos", "burn", 1)];
    let found = left(&sweep, others);
    assert_eq!(shown(&found), [row(Effect::Effective, Owner::EndedRun, "helper", Some("burn"))]);
    assert_eq!((found[0].container.as_str(), found[0].object.as_str()), ("web", "stress_ng (pid 41)"));
    let mut beside = stress(told(None));
    beside.targets[0].container = "sidecar".into();
    assert_eq!(left(&sweep, beside).len(), 1, "another container's");
    // a worker that outlived its tool looks like anybody's, a tool of somebody else's is
    for (tool, owner) in [(Tool::Other, Owner::EndedRun), (Tool::Litmus, Owner::Unknown)] {
        sweep.helpers[0].1.tool = tool;
        let after = DeclaredPod { ended: vec![ended("StressChaos", "burn", 1)], ..declared(vec![]) };
        assert_eq!(left(&sweep, after)[0].owner, owner, "{tool}");
    }
}

#[test]
fn files_and_proxies_are_told_by_the_kind_of_run() {
    let mut sweep = sweep(empty());
    let files = |container: &str| Files {
        pod: Some(pod()),
        container: container.into(),
        toda: vec!["/data".into()],
        resolv_conf: Some(ResolvConf::Replaced),
    };
    sweep.mounts = vec![files("web")];
    sweep.helpers = [HelperKind::Toda, HelperKind::Tproxy, HelperKind::TproxyProxy].map(|kind| (Some(pod()), helper(kind, 50))).into();
    let fault = |volume: &str| vec![IoFault { source: "shop/slow".into(), container: "web".into(), volume: volume.into() }];
    let all = |volume| DeclaredPod {
        io: Some(applied(fault(volume))),
        ..declared(vec![
            target("IOChaos", "slow", Expectation::Io),
            target("HTTPChaos", "http", Expectation::Http),
            target("DNSChaos", "dns", Expectation::Dns),
        ])
    };
    assert_eq!(left(&sweep, all("/data/")), []);
    assert_eq!(shown(&left(&sweep, all("/other"))), [row(Effect::Effective, Owner::Unknown, "mount", None)]);
    let runs = vec![ended("IOChaos", "slow", 1), ended("HTTPChaos", "http", 1), ended("DNSChaos", "dns", 1)];
    let found = left(&sweep, DeclaredPod { ended: runs, ..declared(vec![]) });
    assert_eq!(
        shown(&found),
        [
            row(Effect::Effective, Owner::EndedRun, "helper", Some("slow")),
            row(Effect::Benign, Owner::EndedRun, "helper", Some("http")),
            row(Effect::Effective, Owner::EndedRun, "helper", Some("http")),
            row(Effect::Effective, Owner::EndedRun, "mount", Some("slow")),
            row(Effect::Effective, Owner::EndedRun, "mount", Some("dns")),
        ]
    );
    // in the other container nothing was declared
    sweep.mounts = vec![files("sidecar")];
    sweep.looked.push(looked("sidecar"));
    let found = left(&sweep, all("/data"));
    assert_eq!(
        found.iter().map(|it| (it.what.as_str(), it.container.as_str())).collect::<Vec<_>>(),
        [("mount", "sidecar"), ("mount", "sidecar")]
    );
}

#[test]
fn a_pod_nobody_here_can_name_is_called_as_it_was_declared() {
    let mut sweep = sweep(partitioned(true));
    sweep.namespaces[0].namespace.pod = Some(Pod { uid: "u1".into(), ..Pod::default() });
    assert!(left(&sweep, declared(vec![])).iter().all(|it| it.pod == pod() && it.netns.is_empty()));
    let nameless = left_over(&sweep, &Survey::of(&sweep), &BTreeMap::new());
    assert!(nameless.iter().all(|it| it.pod.uid == "u1" && it.netns == "7"));
    // in a namespace that is not the pod's own network nothing is declared
    sweep.namespaces[0].namespace.primary = false;
    let found = left(&sweep, network(cut()));
    assert!(found.iter().any(|it| it.what == "rule" && it.netns == "7"), "{found:?}");
    // and of no pod at all nobody is the owner
    sweep.namespaces = vec![namespace(9, None, partitioned(true))];
    let found = left(&sweep, DeclaredPod { ended: vec![ended("NetworkChaos", CUT, 1)], ..declared(vec![]) });
    assert!(!found.is_empty() && found.iter().all(|it| it.owner == Owner::Unknown && it.netns == "9" && it.pod == Pod::default()));
}

#[test]
fn an_object_of_any_length_is_told_within_bounds() {
    let sweep = sweep(table("filter", vec![chain(&format!("INPUT/{}", "é".repeat(400)), vec![])]));
    assert_eq!(left(&sweep, declared(vec![]))[0].object.chars().count(), 256);
}
