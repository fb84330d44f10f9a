//! What Chaos Mesh does when a `NetworkChaos` parts two web pods from their client, done to pods of our own.
//!
//! Nothing of it is made up: the objects (`tests/fixtures/recordings/partition-both`) and the kernel state (`tests/fixtures/chaos-mesh-2.8.3`)
//! are those of one experiment of a real Chaos Mesh 2.8.3, with the addresses, uids and times of here in place of the recorded ones.

use crate::kit::cluster::Cluster;
use crate::kit::kube::objects::{chaos, pod};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;

/// The recorded experiment, and where its pods were.
pub(crate) const NAMESPACE: &str = "shop";
pub(crate) const EXPERIMENT: &str = "cut-web-from-client";
const PODS: [(&str, &str); 3] = [("client-0", "10.88.0.21"), ("web-0", "10.88.0.23"), ("web-1", "10.88.0.24")];

/// Generations of the recorded object: its targets are selected, all are injected, it is to stop, all have recovered.
const SELECTED: u64 = 5;
const INJECTED: u64 = 9;
const STOPPING: u64 = 10;
const RECOVERED: u64 = 16;

pub(crate) struct Mesh<'a> {
    cluster: &'a Cluster,
    /// Recorded text, and what stands for it here.
    words: Vec<(String, String)>,
    /// The same of times, as they come.
    times: RefCell<HashMap<String, String>>,
}

impl<'a> Mesh<'a> {
    /// Its pods must be running.
    pub(crate) fn new(cluster: &'a Cluster) -> Self {
        let mut words = Vec::new();
        for (name, recorded) in PODS {
            words.push((recorded.to_owned(), cluster.address(NAMESPACE, name)));
        }
        // As asked for, it would be overdue before the test is through.
        words.push(("\"15s\"".to_owned(), "\"30m\"".to_owned()));
        Self { cluster, words, times: RefCell::default() }
    }

    /// Selects, tells the daemon, which makes sets and rules, and says that it is done.
    pub(crate) fn inject(&self) {
        self.cluster.kube().put(&self.experiment(SELECTED));
        for (name, _) in PODS {
            self.declare(name, 1, || self.sets_and_rules(name));
        }
        self.cluster.kube().put(&self.experiment(INJECTED));
    }

    /// Takes the rules out of the way. Sets and the experiment's own chains stay, which is how Chaos Mesh leaves a pod.
    pub(crate) fn recover(&self) {
        self.cluster.kube().put(&self.experiment(STOPPING));
        for (name, _) in PODS {
            let flush = "iptables-legacy -F CHAOS-INPUT; iptables-legacy -F CHAOS-OUTPUT";
            self.declare(name, 2, || self.in_network_of(name, flush));
        }
        self.cluster.kube().put(&self.experiment(RECOVERED));
    }

    /// The object goes, and with it its finalizer.
    pub(crate) fn delete(&self) {
        let object = chaos("NetworkChaos", NAMESPACE, EXPERIMENT);
        self.cluster.kube().delete(&object);
        self.cluster.kube().patch(&object, &json!({"metadata": {"finalizers": null}}));
    }

    /// Lines of shell in a pod's network.
    pub(crate) fn in_network_of(&self, name: &str, lines: &str) {
        self.cluster.in_network_of(NAMESPACE, name, lines);
    }

    /// What is declared for a pod, then what `daemon` does about it, then that it did.
    fn declare(&self, name: &str, generation: u64, daemon: impl FnOnce()) {
        let mut declared = self.recorded("podnetworkchaos", name, generation);
        let owner = self.cluster.kube().get(&pod(NAMESPACE, name)).expect("a pod of ours");
        declared["metadata"]["ownerReferences"][0]["uid"] = owner["metadata"]["uid"].clone(); // else it is collected as garbage
        declared.as_object_mut().expect("an object").remove("status");
        let stored = self.cluster.kube().put(&declared);
        daemon();
        declared["status"] = json!({"observedGeneration": stored["metadata"]["generation"]});
        self.cluster.kube().put(&declared);
    }

    fn sets_and_rules(&self, name: &str) {
        // What was recorded in both web pods is the same.
        let folder = format!("chaos-mesh-2.8.3/partition-both/1-during/shop_{}", name.replace("web-1", "web-0"));
        for file in ["ipset-save.txt", "iptables-save.txt"] {
            let text = self.here(&fixture(&format!("{folder}/{file}")));
            fs::write(self.cluster.folder().join(file), text).expect("writing into a folder of ours");
        }
        let folder = self.cluster.folder().display();
        self.in_network_of(name, &format!("ipset restore <{folder}/ipset-save.txt; iptables-legacy-restore <{folder}/iptables-save.txt"));
    }

    fn experiment(&self, generation: u64) -> Value {
        self.recorded("networkchaos", EXPERIMENT, generation)
    }

    /// The last that was seen of this generation, without what an API server sets.
    fn recorded(&self, kind: &str, name: &str, generation: u64) -> Value {
        let text = fixture(&format!("recordings/partition-both/watch/{kind}.jsonl"));
        let lines = text.lines().map(|it| serde_json::from_str::<Value>(it).expect("a line of JSON"));
        let mut objects = lines.map(|mut line| line["watch"]["object"].take());
        let is_it = |it: &Value| it["metadata"]["name"] == name && it["metadata"]["generation"] == generation;
        let object = objects.rfind(is_it);
        let object = object.unwrap_or_else(|| panic!("{kind} {name} has no generation {generation} in the recording"));
        let mut object: Value = serde_json::from_str(&self.here(&object.to_string())).expect("still JSON");
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        metadata.retain(|key, _| ["name", "namespace", "finalizers", "labels", "annotations", "ownerReferences"].contains(&&**key));
        self.with_our_times(&mut object["status"]);
        object
    }

    fn here(&self, text: &str) -> String {
        self.words.iter().fold(text.to_owned(), |text, (recorded, ours)| text.replace(recorded, ours))
    }

    /// A time that is told for the first time is now.
    fn with_our_times(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(|it| self.with_our_times(it)),
            Value::Array(items) => items.iter_mut().for_each(|it| self.with_our_times(it)),
            Value::String(text) if text.parse::<Timestamp>().is_ok() => {
                let now = || Timestamp::from_second(Timestamp::now().as_second()).expect("a time").to_string();
                *text = self.times.borrow_mut().entry(text.clone()).or_insert_with(now).clone();
            }
            _ => {}
        }
    }
}

fn fixture(path: &str) -> String {
    let path = format!("{}/../tests/fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{path}: {cause}"))
}
