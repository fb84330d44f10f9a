//! Moments of a real Chaos Mesh 2.8.3: what its objects said then, and what the kernel of each pod held, as the kernel's tools told it.
//!
//! Kernel states are in `tests/fixtures/recordings/<scenario>/kernel/<moment>/<namespace>_<pod>/`.

use crate::kit_recording::folder;
use crate::text;
use crate::world::{read, sweep, word};
use chaoscope::tools::chaos_mesh::decode::{Decoding, decode};
use chaoscope::verdict;
use chaoscope_model::Pod;
use chaoscope_model::declared::{Applied, DeclaredPod, DeclaredTarget, Stage};
use chaoscope_model::observation::{Desired, Object, Observation, RecordPhase};
use chaoscope_model::plan::{Declares, PodFaults};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// The objects of a scenario as they were last seen by then, by namespace and name.
struct Moment {
    name: String,
    snapshot: String,
    experiments: BTreeMap<String, Object>,
    pods: BTreeMap<String, PodFaults>,
}

impl Moment {
    /// At the snapshot of this name.
    fn of(name: &str, moment: &str) -> Self {
        let steps = std::fs::read_to_string(folder().join(name).join("timeline.jsonl")).unwrap();
        let steps = steps.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let snapshot = steps.into_iter().find(|step| step["step"] == "snapshot" && step["text"] == moment).unwrap();
        let at: Timestamp = snapshot["at"].as_str().unwrap().parse().unwrap();
        let mut out = Self { name: name.into(), snapshot: moment.into(), experiments: BTreeMap::new(), pods: BTreeMap::new() };
        for kind in ["networkchaos", "podnetworkchaos"] {
            let Ok(lines) = std::fs::read_to_string(folder().join(name).join(format!("watch/{kind}.jsonl"))) else { continue };
            for line in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
                let seen: Timestamp = line["seen"].as_str().unwrap().parse().unwrap();
                if seen <= at {
                    out.take(&line["watch"], seen);
                }
            }
        }
        out
    }

    fn take(&mut self, watch: &Value, seen: Timestamp) {
        let object = &watch["object"];
        let metadata = |field: &str| object["metadata"][field].as_str().unwrap();
        let key = format!("{}/{}", metadata("namespace"), metadata("name"));
        let gone = watch["type"] == "DELETED";
        match decode(object["kind"].as_str().unwrap(), object, seen, &Decoding::default()).unwrap().unwrap() {
            Observation::Experiment(_) if gone => drop(self.experiments.remove(&key)),
            Observation::PodFaults(_) if gone => drop(self.pods.remove(&key)),
            Observation::Experiment(object) => drop(self.experiments.insert(key, *object)),
            Observation::PodFaults(faults) => drop(self.pods.insert(key, *faults)),
            other => panic!("{other:?}"),
        }
    }

    /// What is declared for a pod, as the cluster role tells it.
    fn declared(&self, key: &str) -> DeclaredPod {
        let (namespace, name) = key.split_once('/').unwrap();
        let faults = self.pods.get(key);
        let uid = faults.map_or_else(|| format!("u-{name}"), |faults| faults.pod.clone());
        let network = faults.map(|faults| {
            let Declares::Network(network) = &faults.declares else { panic!("{faults:?}") };
            Applied {
                generation: faults.generation,
                observed: faults.observed,
                failure: faults.failure.clone(),
                incomplete: faults.incomplete.clone(),
                spec: network.clone(),
            }
        });
        let targets = self.experiments.values().flat_map(|object| targets(object, key)).collect();
        let pod = Pod { namespace: namespace.into(), name: name.into(), uid };
        DeclaredPod { pod, network, targets, ..DeclaredPod::default() }
    }

    /// What is said of every target of a pod: `slow-web . in_force`.
    fn said(&self, key: &str) -> Vec<String> {
        let declared = self.declared(key);
        let reading = text::reading(&folder().join(&self.name).join("kernel").join(&self.snapshot).join(key.replace('/', "_")));
        let judged = verdict::judge([&declared], &sweep(&declared.pod, read(reading)));
        judged.iter().map(|it| format!("{} {}", it.selector, word(&it.judgement))).collect()
    }
}

/// Targets an experiment has in a pod and has not let go.
fn targets(object: &Object, key: &str) -> Vec<DeclaredTarget> {
    let stage = |phase| match phase {
        RecordPhase::Injected if object.desired == Some(Desired::Stop) => Some(Stage::Recovering),
        RecordPhase::Injected => Some(Stage::Injected),
        RecordPhase::Recovering => Some(Stage::Recovering),
        RecordPhase::Applying => Some(Stage::Injecting),
        _ => None,
    };
    let records = object.records.iter().filter(|record| record.id == key);
    let of = |record: &chaoscope_model::observation::Record| {
        Some(DeclaredTarget {
            run: object.about.uid.clone(),
            target: record.id.clone(),
            selector: record.selector.clone(),
            experiment: object.about.clone(),
            container: record.target.container.clone(),
            stage: stage(record.phase)?,
            injected_at: None,
            expects: record.expects.clone(),
        })
    };
    records.filter_map(of).collect()
}

/// Scenario, moment, pod, and what must be said of its targets.
const KNOWN: &[(&str, &str, &str, &[&str])] = &[
    // One netem at the root, among the leftovers of earlier runs.
    ("netem-delay", "1-during", "shop/web-0", &[". in_force"]),
    ("netem-delay", "1-during", "shop/client-0", &[]),
    ("netem-delay", "2-recovered", "shop/web-0", &[]),
    // A netem in a band, reordering included; the other end has nothing, and says injected.
    ("netem-delay-target", "1-during", "shop/web-0", &[". in_force"]),
    ("netem-delay-target", "1-during", "shop/client-0", &[".Target unknown other_end"]),
    ("netem-delay-target", "2-recovered", "shop/web-0", &[]),
    // The objects say injected; the kernel's state was taken when it had recovered already.
    ("netem-external", "1-during", "shop/db-0", &[". missing not_reached"]),
    ("bandwidth", "1-during", "shop/web-0", &[". in_force"]),
    ("bandwidth", "1-during", "shop/web-1", &[". in_force"]),
    ("bandwidth", "2-recovered", "shop/web-0", &[]),
    // Both ways: two chains, and every set declared twice.
    ("partition-both", "1-during", "shop/web-0", &[". in_force"]),
    ("partition-both", "1-during", "shop/web-1", &[". in_force"]),
    ("partition-both", "1-during", "shop/client-0", &[".Target in_force"]),
    ("partition-both", "1-during", "shop/db-0", &[]),
    ("partition-both", "2-recovered", "shop/web-0", &[]),
    // Networks and a port.
    ("partition-external", "1-during", "shop/db-0", &[". in_force"]),
    ("partition-external", "2-recovered", "shop/db-0", &[]),
    // Flushed by hand: chain, rule and sets are still there.
    ("rule-removed-by-hand", "1-flushed", "shop/web-0", &[". missing not_reached"]),
    ("rule-removed-by-hand", "1-flushed", "shop/web-1", &[". in_force"]),
    // The new pod has neither rules nor an object.
    ("pod-replaced", "1-running", "shop/web-0", &[". in_force"]),
    ("pod-replaced", "1-running", "shop/client-0", &[".Target in_force"]),
    ("pod-replaced", "2-replaced", "shop/web-0", &[". missing not_declared"]),
    ("pod-replaced", "2-replaced", "shop/web-1", &[". in_force"]),
    // The daemon is down while it should recover: nothing is claimed of what may go any moment.
    ("forced-finalizer", "1-running", "shop/web-0", &[". in_force"]),
    ("forced-finalizer", "1-running", "shop/client-0", &[".Target in_force"]),
    ("forced-finalizer", "2-delete-hangs", "shop/web-0", &[". unknown recovering"]),
    ("forced-finalizer", "3-forced-did-not-help", "shop/web-0", &[". unknown recovering"]),
    ("forced-finalizer", "4-gone-rules-left", "shop/web-0", &[]),
    // On pods with the rules of an earlier run left.
    ("after-residue", "1-running", "shop/web-0", &[". in_force"]),
    ("after-residue", "1-running", "shop/client-0", &[".Target in_force"]),
    ("after-residue", "2-deleted", "shop/web-0", &[]),
    // The kernel has no netem: every try fails.
    ("delay", "1-during", "shop/web-0", &[". unknown apply_failed"]),
    ("delay", "3-delete-stuck", "shop/web-0", &[". unknown apply_failed"]),
    ("delay", "5-deleted", "shop/web-0", &[]),
    ("pause-resume", "1-running", "shop/web-0", &[". in_force"]),
    ("pause-resume", "2-paused", "shop/web-0", &[]),
    ("pause-resume", "3-resumed", "shop/web-0", &[". in_force"]),
    ("pause-resume", "4-paused-by-dashboard", "shop/web-0", &[]),
    ("pause-resume", "5-born-paused", "shop/web-0", &[]),
    ("daemon-down", "1-waiting", "shop/web-0", &[". unknown apply_failed"]),
    ("daemon-down", "2-after-start", "shop/web-0", &[". in_force"]),
    ("daemon-down", "2-after-start", "shop/client-0", &[".Target in_force"]),
    ("daemon-down", "3-later", "shop/web-0", &[]),
];

#[test]
fn every_moment_of_a_recording_has_its_known_verdict() {
    let mut wrong = Vec::new();
    for (name, moment, pod, known) in KNOWN {
        let said = Moment::of(name, moment).said(pod);
        if said != *known {
            wrong.push(format!("{name} {moment} {pod}: {said:?}, and should be {known:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is told of the rule flushed by hand is where to look.
#[test]
fn a_difference_says_where_to_look() {
    let moment = Moment::of("rule-removed-by-hand", "1-flushed");
    let declared = moment.declared("shop/web-0");
    let reading = text::reading(&folder().join("rule-removed-by-hand/kernel/1-flushed/shop_web-0"));
    let judged = verdict::judge([&declared], &sweep(&declared.pod, read(reading)));
    let differences: Vec<_> =
        judged[0].judgement.differences.iter().map(|it| (it.parameter.as_str(), it.declared.as_str(), it.read.as_str())).collect();
    assert_eq!(differences, [("jump", "OUTPUT → CHAOS-OUTPUT → OUTPUT/pausa_3c367e3dcc817_", "")]);
}

/// A pod that the sweep did not read, or whose sources failed, is not judged by what is not there.
#[test]
fn what_was_not_read_is_unknown() {
    use chaoscope::node::error::ReadError;
    use chaoscope::node::sweep::{Fate, Skip};
    let declared = Moment::of("partition-both", "1-during").declared("shop/web-0");
    let said =
        |pod: &Pod, fate: Fate| verdict::judge([&declared], &sweep(pod, fate)).iter().map(|it| word(&it.judgement)).collect::<Vec<_>>();
    let failure = || ReadError::Malformed("spoilt");
    let state = || text::reading(&folder().join("partition-both/kernel/1-during/shop_web-0"));
    assert_eq!(said(&declared.pod, Fate::Failed(failure())), ["unknown read_failed"]);
    assert_eq!(said(&declared.pod, Fate::Skipped(Skip::Deadline)), ["unknown not_visited"]);
    let other = Pod { uid: "another".into(), ..declared.pod.clone() };
    assert_eq!(said(&other, read(state())), ["unknown not_visited"], "of the same name");
    let mut without = state();
    without.legacy = Err(failure());
    assert_eq!(said(&declared.pod, read(without)), ["unknown read_failed"]);
    let mut without = state();
    without.sets = Err(failure());
    assert_eq!(said(&declared.pod, read(without)), ["unknown read_failed"]);
    let mut flushed = state();
    flushed.sets = Err(failure());
    flushed.legacy.as_mut().unwrap()[0].chains.retain(|chain| !chain.name.starts_with("OUTPUT/"));
    assert_eq!(
        said(&declared.pod, read(flushed)),
        ["missing no_chain"],
        "what is seen to be missing is missing, whatever else cannot be read"
    );
    let mut elsewhere = sweep(&declared.pod, read(state()));
    elsewhere.namespaces[0].namespace.primary = false;
    assert_eq!(word(&verdict::judge([&declared], &elsewhere)[0].judgement), "unknown not_visited", "a further namespace of the pod");
}

#[test]
fn objects_that_are_not_settled_are_unknown_with_the_reason() {
    let of = |change: &dyn Fn(&mut DeclaredPod)| {
        let mut declared = Moment::of("partition-both", "1-during").declared("shop/web-0");
        change(&mut declared);
        let reading = text::reading(&folder().join("partition-both/kernel/1-during/shop_web-0"));
        word(&verdict::judge([&declared], &sweep(&declared.pod, read(reading)))[0].judgement)
    };
    let network = |change: fn(&mut Applied<chaoscope_model::declared::Network>)| of(&|it| change(it.network.as_mut().unwrap()));
    assert_eq!(network(|it| it.generation += 1), "unknown not_applied");
    assert_eq!(network(|it| it.failure = "no".into()), "unknown apply_failed");
    assert_eq!(network(|it| it.incomplete = "too large: too many of spec.tcs".into()), "unknown too_large");
    assert_eq!(network(|it| it.incomplete = "direction is not input or output".into()), "unknown undecodable");
    assert_eq!(network(|it| it.spec.chains.clear()), "in_force");
    assert_eq!(network(|it| it.spec = chaoscope_model::declared::Network::default()), "missing not_declared");
    assert_eq!(of(&|it| it.network = None), "missing not_declared");
    assert_eq!(of(&|it| it.targets[0].stage = Stage::Injecting), "unknown starting");
    assert_eq!(of(&|it| it.targets[0].stage = Stage::Recovering), "unknown recovering");
    assert_eq!(of(&|it| it.targets[0].experiment.namespace = "other".into()), "missing not_declared", "the same name elsewhere");
}
