//! A sweep of one pod, and what is declared for it.

use chaoscope::exposition::Distribution;
use chaoscope::node::namespaces::Namespace;
use chaoscope::node::netns::NsId;
use chaoscope::node::sweep::{Complete, Fate, Observed, Sweep};
use chaoscope::node::visit::Reading;
use chaoscope::node::visits::Place;
use chaoscope::tools::chaos_mesh::decode::{Decoding, decode};
use chaoscope::verdict;
use chaoscope_model::declared::{Applied, DeclaredPod, DeclaredTarget, Expectation, Network, Stage};
use chaoscope_model::observation::Observation;
use chaoscope_model::plan::{Declares, PodFaults};
use chaoscope_model::verdict::Judgement;
use chaoscope_model::{Pod, Reference};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// The pod of every test that needs but one.
pub fn pod() -> Pod {
    Pod { namespace: "shop".into(), name: "web-0".into(), uid: "u-web-0".into() }
}

/// A sweep that found one namespace, the pod's own, and this in it.
pub fn sweep(pod: &Pod, fate: Fate) -> Sweep {
    let id = NsId { dev: 4, ino: 7 };
    let namespace = Namespace {
        place: Place { id, paths: vec![] },
        inode: 7,
        name: None,
        host: false,
        pod: Some(pod.clone()),
        primary: true,
        containers: vec![],
    };
    Sweep {
        at: Timestamp::UNIX_EPOCH,
        took: Duration::ZERO,
        runtime: String::new(),
        parts: vec![],
        namespaces: vec![Observed { namespace, fate }],
        complete: Complete { processes: true, namespaces: true },
        unreadable: 0,
        booted: None,
        looked: vec![],
        helpers: vec![],
        mounts: vec![],
        limitations: vec![],
        durations: Distribution::default(),
    }
}

/// A namespace that was read.
pub fn read(reading: Reading) -> Fate {
    Fate::Read(Box::new(reading), Duration::ZERO)
}

/// A target that is injected, of the experiment `source` (`namespace/name`).
pub fn target(source: &str) -> DeclaredTarget {
    let (namespace, name) = source.split_once('/').unwrap();
    DeclaredTarget {
        run: format!("run of {name}"),
        target: "shop/web-0".into(),
        selector: ".".into(),
        experiment: Reference { kind: "NetworkChaos".into(), namespace: namespace.into(), name: name.into(), uid: "e".into() },
        container: String::new(),
        stage: Stage::Injected,
        injected_at: None,
        expects: Expectation::Network,
    }
}

/// In sync.
pub fn applied(network: Network) -> Applied<Network> {
    Applied { generation: 2, observed: 2, failure: String::new(), incomplete: String::new(), spec: network }
}

/// Everything declared for [`pod`], each experiment of the network with a target.
pub fn declared(network: Network) -> DeclaredPod {
    let sources = network.tcs.iter().map(|it| &it.source).chain(network.chains.iter().map(|it| &it.source));
    let mut sources: Vec<_> = sources.chain(network.sets.iter().map(|it| &it.source)).cloned().collect();
    sources.sort();
    sources.dedup();
    let targets = sources.iter().map(|source| target(source)).collect();
    DeclaredPod { pod: pod(), network: Some(applied(network)), targets, ..DeclaredPod::default() }
}

/// What is said of each target, in their order.
pub fn judged(declared: &DeclaredPod, reading: Reading) -> Vec<Judgement> {
    verdict::judge([declared], &sweep(&declared.pod, read(reading))).into_iter().map(|judged| judged.judgement).collect()
}

/// Verdict and reason, in short: `drifted delay`.
pub fn word(judgement: &Judgement) -> String {
    format!("{} {}", judgement.verdict.as_str(), judgement.reason).trim_end().to_owned()
}

/// What a `PodNetworkChaos` with this spec says.
pub fn object(spec: &Value) -> PodFaults {
    let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": "u-web-0"}]);
    let metadata = json!({"namespace": "shop", "name": "web-0", "uid": "o", "generation": 2, "ownerReferences": owner});
    let object = json!({"metadata": metadata, "spec": spec, "status": {"observedGeneration": 2}});
    match decode("PodNetworkChaos", &object, Timestamp::UNIX_EPOCH, &Decoding::default()).unwrap() {
        Some(Observation::PodFaults(faults)) => *faults,
        other => panic!("{other:?}"),
    }
}

/// What a `PodNetworkChaos` with this spec declares.
pub fn network(spec: &Value) -> Network {
    let faults = object(spec);
    match faults.declares {
        Declares::Network(network) if faults.incomplete.is_empty() => network,
        other => panic!("{other:?} {}", faults.incomplete),
    }
}
