//! A sink that keeps a mirror of what it was told, and what a test needs around it: a runtime, a client, the watches.
//!
//! The mirror is right if it is what the server lists: [`World::is_mirrored`].

use crate::kit::kube::Kube;
use crate::kit::process::until;
use chaoscope::cluster::api::{Whereabouts, connect};
use chaoscope::cluster::now::WatchNow;
use chaoscope::cluster::pods::PodSink;
use chaoscope::cluster::watch::{Config, Sink, Watches};
use chaoscope::tools::chaos_mesh::kinds::{RESOURCES, by_plural};
use chaoscope::tools::resource::Resource;
use chaoscope_model::observation::PodSeen;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// What was told so far.
pub(crate) struct Mirror {
    /// Plural and uid → resourceVersion.
    pub(crate) objects: Mutex<BTreeMap<(String, String), String>>,
    /// Plural and name of what a watch said is deleted.
    pub(crate) deleted: Mutex<Vec<(String, String)>>,
    /// Plural and namespace of each complete list, and how many it had.
    pub(crate) listed: Mutex<Vec<(String, String, usize)>>,
    /// Pods in the order they were told.
    pub(crate) pods: Mutex<Vec<PodSeen>>,
    /// How many calls are under way.
    pub(crate) waiting: AtomicUsize,
    /// A call needs a permit, and gives it back.
    pub(crate) gate: Semaphore,
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            objects: Mutex::default(),
            deleted: Mutex::default(),
            listed: Mutex::default(),
            pods: Mutex::default(),
            waiting: AtomicUsize::new(0),
            gate: Semaphore::new(1000),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn key(resource: &Resource, object: &Value) -> (String, String) {
    (resource.plural.to_owned(), text(&object["metadata"]["uid"]))
}

impl Mirror {
    async fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _permit = self.gate.acquire().await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sink for Mirror {
    async fn applied(&self, resource: &'static Resource, object: Value, _: Timestamp) -> bool {
        self.pass().await;
        assert_eq!(object["kind"], if object.is_object() { Value::from(resource.kind) } else { Value::Null });
        let version = text(&object["metadata"]["resourceVersion"]);
        let key = key(resource, &object);
        if key.1.is_empty() {
            return false;
        }
        self.objects.lock().unwrap().insert(key, version);
        object["spec"].is_object() || resource.kind == "Event"
    }

    async fn deleted(&self, resource: &'static Resource, object: Value, _: Timestamp) {
        self.pass().await;
        self.objects.lock().unwrap().remove(&key(resource, &object));
        self.deleted.lock().unwrap().push((resource.plural.to_owned(), text(&object["metadata"]["name"])));
    }

    async fn listed(&self, resource: &'static Resource, namespace: &str, uids: HashSet<String>, _: Timestamp) {
        self.pass().await;
        // No test of a limited scope lists a kind again; so what is gone is not looked up by namespace.
        self.objects.lock().unwrap().retain(|(plural, uid), _| plural != resource.plural || !namespace.is_empty() || uids.contains(uid));
        self.listed.lock().unwrap().push((resource.plural.to_owned(), namespace.to_owned(), uids.len()));
    }
}

impl PodSink for Mirror {
    async fn pod(&self, pod: PodSeen, object: Option<Value>) {
        assert!(object.is_none_or(|it| it["kind"] == "Pod"));
        self.pods.lock().unwrap().push(pod);
    }
}

/// A server, its watches, and what they told.
pub(crate) struct World {
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) watches: Watches,
    _runtime: Arc<Runtime>,
}

pub(crate) fn runtime() -> Arc<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    Arc::new(runtime.expect("a runtime"))
}

pub(crate) fn client(runtime: &Runtime, kubeconfig: &Path) -> kube::Client {
    let whereabouts = Whereabouts { kubeconfig: Some(kubeconfig.to_owned()), context: None };
    runtime.block_on(connect(&whereabouts)).expect("a client")
}

/// What is asked for again is asked for soon.
pub(crate) fn config(namespaces: &[&str]) -> Config {
    Config { namespaces: namespaces.iter().map(|it| (*it).to_owned()).collect(), ask_again: Duration::from_secs(1) }
}

impl World {
    pub(crate) fn start(runtime: &Arc<Runtime>, kubeconfig: &Path, config: &Config) -> Self {
        Self::start_with(runtime, kubeconfig, config, Mirror::default())
    }

    pub(crate) fn start_with(runtime: &Arc<Runtime>, kubeconfig: &Path, config: &Config, mirror: Mirror) -> Self {
        let (mirror, client) = (Arc::new(mirror), client(runtime, kubeconfig));
        let _inside = runtime.enter();
        let watches = Watches::start(client, &RESOURCES, config, &mirror);
        Self { mirror, watches, _runtime: Arc::clone(runtime) }
    }

    pub(crate) fn until_ready(&self) {
        self.until("everything is listed", || self.watches.ready());
    }

    /// Waits for it; a failed test says how each watch does.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        until(|| is_so().then_some(()), || format!("{what}\n{:#?}", self.watches.status()));
    }

    pub(crate) fn status(&self, plural: &str) -> WatchNow {
        self.watches.status().into_iter().find(|it| it.resource == plural).expect("a kind that is watched")
    }

    pub(crate) fn until_up(&self, plural: &str) {
        self.until(&format!("{plural} is watched"), || self.status(plural).up);
    }

    pub(crate) fn until_reason(&self, plural: &str, reason: &str) {
        self.until(&format!("{plural} is {reason}"), || self.status(plural).reason == reason);
    }

    /// Waits until the mirror has just what the server has of a kind.
    pub(crate) fn until_mirrored(&self, kube: &Kube, plural: &str) {
        self.until(&format!("{plural} is mirrored"), || self.is_mirrored(kube, plural));
    }

    fn is_mirrored(&self, kube: &Kube, plural: &str) -> bool {
        let resource = by_plural(plural).expect("a kind");
        let (status, list) = kube.call(Method::GET, &resource.path(""), None);
        assert_eq!(status, 200, "{list}");
        let version = |item: &Value| (text(&item["metadata"]["uid"]), text(&item["metadata"]["resourceVersion"]));
        let there: BTreeMap<_, _> = list["items"].as_array().expect("items").iter().map(version).collect();
        let mirror = self.mirror.objects.lock().unwrap();
        let ours = mirror.iter().filter(|((kind, _), _)| kind == plural).map(|((_, uid), version)| (uid.clone(), version.clone()));
        ours.collect::<BTreeMap<_, _>>() == there
    }

    pub(crate) fn deleted(&self, plural: &str) -> Vec<String> {
        let deleted = self.mirror.deleted.lock().unwrap();
        deleted.iter().filter(|(kind, _)| kind == plural).map(|(_, name)| name.clone()).collect()
    }

    /// How many each complete list of a kind had.
    pub(crate) fn listed(&self, plural: &str) -> Vec<usize> {
        let listed = self.mirror.listed.lock().unwrap();
        listed.iter().filter(|(kind, _, _)| kind == plural).map(|(_, _, count)| *count).collect()
    }
}
