//! Objects for a test's API server: created, replaced, deleted, fed from a recording; and the resource definitions of Chaos Mesh's kinds.
//!
//! The definitions are of our own writing: scope, short names and the `status` subresource are as Chaos Mesh has them, the schema takes
//! anything. To add a kind: a line in [`KINDS`].

use super::super::process::until;
use super::Kube;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

/// Kind, and whether its status is written by a request of its own.
pub const KINDS: [(&str, bool); 23] = [
    ("AWSChaos", false),
    ("AzureChaos", false),
    ("BlockChaos", false),
    ("DNSChaos", false),
    ("GCPChaos", false),
    ("HTTPChaos", false),
    ("IOChaos", false),
    ("JVMChaos", false),
    ("KernelChaos", false),
    ("NetworkChaos", false),
    ("PhysicalMachineChaos", false),
    ("PodChaos", false),
    ("StressChaos", false),
    ("TimeChaos", false),
    ("Schedule", false),
    ("Workflow", true),
    ("WorkflowNode", true),
    ("StatusCheck", true),
    ("PhysicalMachine", false),
    ("PodNetworkChaos", true),
    ("PodIOChaos", true),
    ("PodHttpChaos", true),
    ("RemoteCluster", true),
];

/// `apiVersion` of Chaos Mesh's kinds.
pub const CHAOS_MESH: &str = "chaos-mesh.org/v1alpha1";

/// `NetworkChaos` is `networkchaos`, `Schedule` is `schedules`.
fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    if kind.ends_with("chaos") { kind } else { format!("{kind}s") }
}

/// A namespaced object of Chaos Mesh with an empty `spec`.
pub fn chaos(kind: &str, namespace: &str, name: &str) -> Value {
    json!({"apiVersion": CHAOS_MESH, "kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": {}})
}

/// A pod with one container; nothing ever starts it.
pub fn pod(namespace: &str, name: &str) -> Value {
    let container = json!({"name": "main", "image": "localhost/none:1"});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name}, "spec": {"containers": [container]}})
}

/// The definition of a kind of [`KINDS`].
pub fn definition(kind: &str) -> Value {
    let (_, status) = KINDS.iter().find(|(name, _)| *name == kind).unwrap_or_else(|| panic!("{kind} is none of KINDS"));
    let (plural, singular) = (plural(kind), kind.to_lowercase());
    let scope = if kind == "RemoteCluster" { "Cluster" } else { "Namespaced" };
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut version = json!({"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": open}});
    if *status {
        version["subresources"] = json!({"status": {}});
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.chaos-mesh.org")},
        "spec": {"group": "chaos-mesh.org", "scope": scope, "versions": [version],
                 "names": {"kind": kind, "plural": plural, "singular": singular, "listKind": format!("{kind}List")}},
    })
}

impl Kube {
    /// Defines every kind of Chaos Mesh, and waits until each is served.
    pub fn define_all(&self) {
        self.define(&KINDS.map(|(kind, _)| kind));
    }

    /// Defines these kinds, and waits until each is served.
    pub fn define(&self, kinds: &[&str]) {
        for kind in kinds {
            self.create(&definition(kind));
        }
        for kind in kinds {
            let path = format!("/apis/{CHAOS_MESH}/{}", plural(kind));
            until(|| (self.call(Method::GET, &path, None).0 == 200).then_some(()), || format!("{kind} is served"));
        }
    }

    /// A namespace; fine if it is there.
    pub fn namespace(&self, name: &str) {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let (status, answer) = self.call(Method::POST, "/api/v1/namespaces", Some(&object));
        assert!([201, 409].contains(&status), "namespace {name}: {answer}");
    }

    /// Creates an object, and its status where that is a request of its own. Answers it as stored.
    pub fn create(&self, object: &Value) -> Value {
        let (status, answer) = self.call(Method::POST, &folder_of(object), Some(object));
        assert_eq!(status, 201, "{object}: {answer}");
        self.with_status(object, answer)
    }

    /// Creates an object or replaces what is there.
    pub fn put(&self, object: &Value) -> Value {
        let Some(stored) = self.get(object) else { return self.create(object) };
        let mut wanted = object.clone();
        wanted["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
        if wanted["kind"] == "Pod" {
            wanted["spec"] = stored["spec"].clone(); // nothing may change there
        }
        let (status, answer) = self.call(Method::PUT, &path_of(object), Some(&wanted));
        assert_eq!(status, 200, "{wanted}: {answer}");
        self.with_status(object, answer)
    }

    fn with_status(&self, object: &Value, mut stored: Value) -> Value {
        let kind = object["kind"].as_str().expect("a kind");
        let apart = kind == "Pod" || KINDS.contains(&(kind, true));
        if !apart || object["status"].is_null() || !stored["metadata"]["name"].is_string() {
            return stored;
        }
        stored["status"] = object["status"].clone();
        let (status, answer) = self.call(Method::PUT, &format!("{}/status", path_of(object)), Some(&stored));
        assert_eq!(status, 200, "status of {object}: {answer}");
        answer
    }

    /// The object of this kind, namespace and name; `None`: there is none.
    pub fn get(&self, object: &Value) -> Option<Value> {
        let (status, answer) = self.call(Method::GET, &path_of(object), None);
        assert!([200, 404].contains(&status), "{object}: {answer}");
        (status == 200).then_some(answer)
    }

    /// Merges `patch` into the object of this kind, namespace and name.
    pub fn patch(&self, object: &Value, patch: &Value) -> Value {
        let (status, answer) = self.call(Method::PATCH, &path_of(object), Some(patch));
        assert_eq!(status, 200, "{patch}: {answer}");
        answer
    }

    /// Asks for an object's deletion; with a finalizer it stays.
    pub fn delete(&self, object: &Value) {
        let now = json!({"gracePeriodSeconds": 0});
        let (status, answer) = self.call(Method::DELETE, &path_of(object), Some(&now));
        assert!([200, 202, 404].contains(&status), "{object}: {answer}");
    }

    /// Gives a user these rules, in one namespace or, with none, everywhere.
    pub fn allow(&self, user: &str, namespace: Option<&str>, rules: &Value) {
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let metadata = namespace.map_or(json!({"name": user}), |it| json!({"name": user, "namespace": it}));
        let version = "rbac.authorization.k8s.io/v1";
        self.put(&json!({"apiVersion": version, "kind": kind, "metadata": metadata, "rules": rules}));
        self.put(&json!({
            "apiVersion": version, "kind": format!("{kind}Binding"), "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": user},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }));
    }

    /// Does again, as fast as it goes, what a recording saw: its pods, then every change in order. Kinds must be defined before.
    ///
    /// Uids and the times an API server sets are its own, and whoever refers to a uid refers to the new one.
    pub fn feed(&self, recording: &Path) {
        let mut uids: HashMap<String, String> = HashMap::new();
        let mut namespaces = BTreeSet::new();
        for change in changes(recording) {
            let mut text = change["object"].to_string();
            for (old, new) in &uids {
                text = text.replace(old, new);
            }
            let object: Value = serde_json::from_str(&text).expect("still JSON");
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
            if !namespace.is_empty() && namespaces.insert(namespace.clone()) {
                self.namespace(&namespace);
            }
            self.feed_one(change["type"].as_str().expect("a type"), object, &mut uids);
        }
    }

    fn feed_one(&self, what: &str, mut object: Value, uids: &mut HashMap<String, String>) {
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        let old = metadata.remove("uid");
        let leaving = metadata.remove("deletionTimestamp").is_some();
        for set_by_server in ["resourceVersion", "generation", "creationTimestamp", "deletionGracePeriodSeconds", "managedFields"] {
            metadata.remove(set_by_server);
        }
        let there = self.get(&object);
        if what == "DELETED" {
            if there.is_some_and(|it| it["metadata"]["finalizers"].is_array()) {
                self.patch(&object, &json!({"metadata": {"finalizers": null}}));
            }
            return self.delete(&object);
        }
        if there.is_none() && leaving {
            return; // its finalizers are gone, and so is it
        }
        let stored = self.put(&object);
        let new = stored["metadata"]["uid"].as_str().expect("a uid").to_owned();
        if let Some(old) = old.as_ref().and_then(Value::as_str) {
            uids.insert(old.to_owned(), new);
        }
        if leaving && object["kind"] != "Pod" && stored["metadata"]["deletionTimestamp"].is_null() {
            self.delete(&object);
        }
    }
}

/// Every `{type, object}` of a recording in the order they were seen, the pods that were there before first. Leases, and the second
/// showing of events, are left out.
fn changes(recording: &Path) -> Vec<Value> {
    let pods = fs::read_to_string(recording.join("initial/pods.json")).map_or(Value::Null, |it| serde_json::from_str(&it).expect("JSON"));
    let pods = pods["items"].as_array().cloned().unwrap_or_default().into_iter().map(|mut pod| {
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        json!({"type": "ADDED", "object": pod})
    });
    let mut lines = Vec::new();
    assert!(recording.is_dir(), "{} is no recording", recording.display());
    // Without the folder, nothing was seen.
    for file in fs::read_dir(recording.join("watch")).into_iter().flatten() {
        let file = file.expect("an entry");
        if ["leases.jsonl", "events.events.k8s.io.jsonl"].iter().any(|it| file.file_name() == *it) {
            continue;
        }
        let text = fs::read_to_string(file.path()).expect("reading a recording");
        lines.extend(text.lines().map(|it| serde_json::from_str::<Value>(it).expect("a line of JSON")));
    }
    lines.sort_by_key(|it| it["seen"].as_str().expect("a time").to_owned());
    pods.chain(lines.into_iter().map(|mut it| it["watch"].take())).collect()
}

/// Where objects like this one are created and listed.
fn folder_of(object: &Value) -> String {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let version = word(&object["apiVersion"]).expect("an apiVersion");
    let plural = plural(object["kind"].as_str().expect("a kind"));
    let root = if version.contains('/') { "/apis" } else { "/api" };
    let namespace = word(&object["metadata"]["namespace"]).map(|it| format!("/namespaces/{it}"));
    format!("{root}/{version}{}/{plural}", namespace.unwrap_or_default())
}

/// Where this object is.
fn path_of(object: &Value) -> String {
    format!("{}/{}", folder_of(object), object["metadata"]["name"].as_str().expect("a name"))
}
