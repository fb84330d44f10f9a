//! What Chaos Mesh does when a `NetworkChaos` parts two web pods from their client, or thins what they send; done to pods of our own.
//!
//! Nothing of it is made up: the objects (`tests/fixtures/recordings`) and the kernel state (`tests/fixtures/chaos-mesh-2.8.3`) are those of
//! two experiments of a real Chaos Mesh 2.8.3, with the addresses, uids and times of here in place of the recorded ones. To add an
//! experiment: an [`Experiment`] here; its recording must be of the namespace `shop`.

use crate::kit::cluster::Cluster;
use crate::kit::kube::objects::{chaos, pod};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;

/// Of the experiments and of their pods.
pub(crate) const NAMESPACE: &str = "shop";

/// Where the recorded pods were.
const PODS: [(&str, &str); 3] = [("client-0", "10.88.0.21"), ("web-0", "10.88.0.23"), ("web-1", "10.88.0.24")];

/// A recorded experiment.
pub(crate) struct Experiment {
    pub(crate) name: &'static str,
    recording: &'static str,
    /// How long it was asked for; here it is longer, or it would be overdue before the test is through.
    duration: &'static str,
    pods: &'static [&'static str],
    /// What the daemon does in a pod, and how it takes that back: lines of shell. `$dump` is a folder with what was recorded in such a pod.
    pub(crate) inject: &'static str,
    recover: &'static str,
}

/// Drops between client and web, on the way in and on the way out.
pub(crate) const CUT: Experiment = Experiment {
    name: "cut-web-from-client",
    recording: "partition-both",
    duration: "15s",
    pods: &["client-0", "web-0", "web-1"],
    inject: "ipset restore <$dump/ipset-save.txt; iptables-legacy-restore <$dump/iptables-save.txt",
    // Sets and the experiment's own chains stay, which is how Chaos Mesh leaves a pod.
    recover: "iptables-legacy -F CHAOS-INPUT; iptables-legacy -F CHAOS-OUTPUT",
};

/// A megabyte a second for what the web pods send.
pub(crate) const THIN: Experiment = Experiment {
    name: "thin-web",
    recording: "bandwidth",
    duration: "12s",
    pods: &["web-0", "web-1"],
    inject: "tc qdisc add dev eth0 root handle 1: tbf rate 8mbit burst 10000 limit 20971520",
    recover: "tc qdisc del dev eth0 root",
};

/// Chaos Mesh, busy with one experiment.
pub(crate) struct Mesh<'a> {
    cluster: &'a Cluster,
    experiment: &'a Experiment,
    /// Recorded text, and what stands for it here.
    words: Vec<(String, String)>,
    /// The same of times, as they come.
    times: RefCell<HashMap<String, String>>,
}

impl<'a> Mesh<'a> {
    /// Its pods must be running.
    pub(crate) fn new(cluster: &'a Cluster, experiment: &'a Experiment) -> Self {
        let mut words = vec![(format!("{:?}", experiment.duration), "\"30m\"".to_owned())];
        for (name, recorded) in PODS {
            words.push((recorded.to_owned(), cluster.address(NAMESPACE, name)));
        }
        Self { cluster, experiment, words, times: RefCell::default() }
    }

    /// Selects, tells the daemon what is wanted of each pod, and says that it is done.
    pub(crate) fn inject(&self) {
        self.cluster.kube().put(&self.object(|status| has(status, "Selected")));
        for name in self.experiment.pods {
            self.declare(name, true, self.experiment.inject);
        }
        self.cluster.kube().put(&self.object(|status| has(status, "AllInjected")));
    }

    /// Tells the daemon that nothing is wanted any more.
    pub(crate) fn recover(&self) {
        self.cluster.kube().put(&self.object(|status| status["experiment"]["desiredPhase"] == "Stop"));
        for name in self.experiment.pods {
            self.declare(name, false, self.experiment.recover);
        }
        self.cluster.kube().put(&self.object(|status| has(status, "AllRecovered")));
    }

    /// The object goes, and with it its finalizer.
    pub(crate) fn delete(&self) {
        let object = chaos("NetworkChaos", NAMESPACE, self.experiment.name);
        self.cluster.kube().delete(&object);
        self.cluster.kube().patch(&object, &json!({"metadata": {"finalizers": null}}));
    }

    /// Lines of shell in a pod's network.
    pub(crate) fn in_network_of(&self, name: &str, lines: &str) {
        self.cluster.in_network_of(NAMESPACE, name, lines);
    }

    /// What is declared for a pod, then what the daemon does about it, then that it did.
    fn declare(&self, name: &str, something: bool, daemon: &str) {
        let is_it = |it: &Value| it["metadata"]["name"] == name && (it["spec"] != json!({})) == something;
        let mut declared = self.recorded("podnetworkchaos", is_it);
        let owner = self.cluster.kube().get(&pod(NAMESPACE, name)).expect("a pod of ours");
        declared["metadata"]["ownerReferences"][0]["uid"] = owner["metadata"]["uid"].clone(); // else it is collected as garbage
        declared.as_object_mut().expect("an object").remove("status");
        let stored = self.cluster.kube().put(&declared);
        self.write_dump(name);
        self.in_network_of(name, &format!("dump={}; {daemon}", self.cluster.folder().display()));
        declared["status"] = json!({"observedGeneration": stored["metadata"]["generation"]});
        self.cluster.kube().put(&declared);
    }

    /// Where the recording has no kernel state, nobody asks for it.
    fn write_dump(&self, name: &str) {
        // What was recorded in both web pods is the same.
        let folder = format!("chaos-mesh-2.8.3/{}/1-during/shop_{}", self.experiment.recording, name.replace("web-1", "web-0"));
        for file in ["ipset-save.txt", "iptables-save.txt"] {
            if let Ok(text) = fs::read_to_string(fixture(&format!("{folder}/{file}"))) {
                fs::write(self.cluster.folder().join(file), self.here(&text)).expect("writing into a folder of ours");
            }
        }
    }

    /// The experiment when its status was first like this.
    fn object(&self, status: impl Fn(&Value) -> bool) -> Value {
        self.recorded("networkchaos", |it| status(&it["status"]))
    }

    /// The first that was seen of this kind and is like this, without what an API server sets.
    fn recorded(&self, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let path = fixture(&format!("recordings/{}/watch/{kind}.jsonl", self.experiment.recording));
        let text = fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{path}: {cause}"));
        let lines = text.lines().map(|it| serde_json::from_str::<Value>(it).expect("a line of JSON"));
        let object = lines.map(|mut line| line["watch"]["object"].take()).find(is_it);
        let object = object.unwrap_or_else(|| panic!("{path} has no such object"));
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

/// Whether this condition is true.
fn has(status: &Value, condition: &str) -> bool {
    status["conditions"].as_array().into_iter().flatten().any(|it| it["type"] == condition && it["status"] == "True")
}

fn fixture(path: &str) -> String {
    format!("{}/../tests/fixtures/{path}", env!("CARGO_MANIFEST_DIR"))
}
