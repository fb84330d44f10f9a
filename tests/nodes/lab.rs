//! An API server with pods on nodes, faults declared for them as Chaos Mesh declares them, and the program beside it.

use crate::kit::kube::Kube;
use crate::kit::kube::objects::{chaos, pod};
use crate::kit::process::until;
use crate::program::Program;
use jiff::Timestamp;
use serde_json::{Value, json};

pub struct Lab {
    pub kube: Kube,
    pub program: Program,
}

impl Lab {
    /// With pods `web-0` on node `n1` and `web-1` on `n2`, in namespace `shop`.
    pub fn new(more: &[&str]) -> Self {
        let kube = Kube::start();
        populate(&kube);
        let program = Program::cluster(&kube.kubeconfig(), more);
        Self { kube, program }
    }

    /// A partition in force on these pods of `shop`, and what is declared for each.
    pub fn partition(&self, name: &str, pods: &[&str]) -> Value {
        let experiment = self.kube.create(&experiment("NetworkChaos", "partition", name, pods, "Injected"));
        for pod in pods {
            self.declare(pod, name, 1);
        }
        experiment
    }

    /// What a pod's object declares: a chain of that experiment, applied so far.
    pub fn declare(&self, pod_name: &str, source: &str, observed: i64) -> Value {
        let of = self.kube.get(&pod("shop", pod_name)).unwrap();
        let mut object = chaos("PodNetworkChaos", "shop", pod_name);
        let owner = json!([{ "apiVersion": "v1", "kind": "Pod", "name": pod_name, "uid": of["metadata"]["uid"] }]);
        object["metadata"]["ownerReferences"] = owner;
        let chain =
            json!({ "name": "OUTPUT/x", "direction": "output", "target": "DROP", "source": format!("shop/{source}"), "ipsets": [] });
        object["spec"] = json!({ "iptables": [chain] });
        object["status"] = json!({ "observedGeneration": observed });
        self.kube.put(&object)
    }

    /// The uid of a pod of `shop`.
    pub fn uid(&self, name: &str) -> String {
        self.kube.get(&pod("shop", name)).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// The run of that name, when it is as wanted.
    pub fn run(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let find = || self.program.runs().into_iter().find(|run| run["name"] == name);
        until(|| find().filter(&wanted), || format!("{:#?}\n{}", find(), self.program.log()))
    }

    /// The first target of a run, when it is as wanted.
    pub fn target(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.run(name, |run| wanted(&run["targets"][0]))["targets"][0].take()
    }

    /// Events of a run of one reason.
    pub fn events(&self, name: &str, reason: &str) -> Vec<Value> {
        let path = format!("/api/v1/events?name={name}&reason={reason}&limit=1000&from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z");
        self.program.json(&path)["events"].as_array().unwrap().clone()
    }

    /// The value of the first series that begins so.
    pub fn sample(&self, series: &str) -> Option<String> {
        let page = self.program.metrics();
        page.lines().find_map(|line| Some(line.strip_prefix(series)?.trim().to_owned()))
    }
}

pub fn populate(kube: &Kube) {
    kube.define_all();
    kube.namespace("shop");
    for (name, node) in [("web-0", "n1"), ("web-1", "n2")] {
        kube.create(&on_node(name, node));
    }
}

pub fn on_node(name: &str, node: &str) -> Value {
    let mut object = pod("shop", name);
    object["spec"]["nodeName"] = json!(node);
    object["spec"]["terminationGracePeriodSeconds"] = json!(0);
    object
}

/// An experiment with a record for each pod, as its controller writes it.
pub fn experiment(kind: &str, action: &str, name: &str, pods: &[&str], phase: &str) -> Value {
    let now = Timestamp::now().round(jiff::Unit::Second).unwrap().to_string();
    let injected = u32::from(phase == "Injected");
    let done = json!([{ "type": "Succeeded", "operation": "Apply", "timestamp": now }]);
    let record = |pod: &&str| {
        let id = if kind == "PodChaos" || kind == "NetworkChaos" { format!("shop/{pod}") } else { format!("shop/{pod}/main") };
        json!({ "id": id, "selectorKey": ".", "phase": phase, "injectedCount": injected, "recoveredCount": 0, "events": done })
    };
    let conditions = [("Selected", "True"), ("AllInjected", "True"), ("AllRecovered", "False"), ("Paused", "False")];
    let conditions = conditions.map(|(kind, status)| json!({ "type": kind, "status": status }));
    let mut object = chaos(kind, "shop", name);
    object["spec"] = json!({ "action": action, "mode": "all", "selector": { "namespaces": ["shop"] } });
    object["status"] = json!({ "conditions": conditions,
        "experiment": { "desiredPhase": "Run", "containerRecords": pods.iter().map(record).collect::<Vec<_>>() } });
    object
}

/// The same as it is once everything recovered.
pub fn recovered(object: &Value) -> Value {
    let now = Timestamp::now().round(jiff::Unit::Second).unwrap().to_string();
    let mut object = object.clone();
    object["status"]["experiment"]["desiredPhase"] = json!("Stop");
    for record in object["status"]["experiment"]["containerRecords"].as_array_mut().unwrap() {
        record["phase"] = json!("Not Injected");
        record["recoveredCount"] = json!(1);
        let done = json!({ "type": "Succeeded", "operation": "Recover", "timestamp": now });
        record["events"].as_array_mut().unwrap().push(done);
    }
    object
}
