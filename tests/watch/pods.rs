//! Target pods: only those of open runs are asked for, whatever else there is.
//!
//! Apart from the watches of chaos objects, since they are asked for otherwise.

use crate::front::{Front, Weather};
use crate::kit::kube::objects::pod;
use crate::kit::kube::{Kube, Options};
use crate::kit::process::until;
use crate::world::{Mirror, client, runtime};
use chaoscope::cluster::pods::Pods;
use chaoscope_model::observation::{PodSeen, TargetName};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use tokio::runtime::Runtime;

fn target(namespace: &str, pod: &str) -> TargetName {
    TargetName { namespace: namespace.into(), pod: pod.into(), container: "main".into() }
}

struct Watched {
    mirror: Arc<Mirror>,
    pods: Pods,
}

impl Watched {
    fn start(runtime: &Runtime, kubeconfig: &Path, namespaces: &[String]) -> Self {
        let (mirror, client) = (Arc::new(Mirror::default()), client(runtime, kubeconfig));
        let _inside = runtime.enter();
        let pods = Pods::start(client, namespaces, &mirror);
        Self { mirror, pods }
    }

    /// Waits until the last that was told of this pod is so.
    fn until(&self, name: &str, is_so: impl Fn(&PodSeen) -> bool) -> PodSeen {
        let last = || self.mirror.pods.lock().unwrap().iter().rev().find(|it| it.name == name).cloned();
        until(|| last().filter(&is_so), || format!("{name} is so, not {:?}\n{:?}", last(), self.pods.status()))
    }

    fn told(&self) -> usize {
        self.mirror.pods.lock().unwrap().len()
    }
}

fn owned(namespace: &str, name: &str, node: &str) -> Value {
    let mut pod = pod(namespace, name);
    pod["metadata"]["labels"] = json!({"pod-template-hash": "5d4f9c"});
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f9c", "uid": "u", "controller": true}]);
    pod["spec"]["nodeName"] = node.into();
    pod
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn pods_nobody_asked_for_cost_nothing() {
    let (kube, runtime) = (Kube::start(), runtime());
    let spaces = ["lab", "shop", "idle"];
    for namespace in spaces {
        kube.namespace(namespace);
    }
    thread::scope(|scope| {
        for namespace in spaces {
            let kube = &kube;
            scope.spawn(move || (0..600).for_each(|number| drop(kube.create(&pod(namespace, &format!("other-{number}"))))));
        }
    });
    kube.create(&owned("lab", "web-0", "node-1"));
    let front = Front::start(&kube, &runtime);
    let watched = Watched::start(&runtime, &kube.kubeconfig_via(front.address()), &[]);
    watched.pods.want("run-1", &[target("lab", "web-0"), target("", ""), target("lab", "missing-0")]);
    watched.pods.want("run-2", &[target("lab", "web-0")]);
    let web = watched.until("web-0", |it| !it.gone);
    assert_eq!((&*web.node, &*web.workload_kind, &*web.workload, web.ready), ("node-1", "Deployment", "web", None));
    assert!(web.created_at.is_some() && !web.uid.is_empty());
    assert_eq!(watched.until("missing-0", |it| it.gone).uid, "".into());
    until(|| (front.count(&["/lab/pods?watch=1"]) == 1).then_some(()), || "lab is watched".into());
    assert_eq!((front.asked().len(), front.count(&["/lab/pods?limit=1"]), front.count(&["/lab/pods/"])), (4, 1, 2), "{:?}", front.asked());

    // 600 others change: not one request, not one word.
    let told = watched.told();
    for number in 0..600 {
        kube.patch(&pod("lab", &format!("other-{number}")), &json!({"metadata": {"labels": {"changed": "yes"}}}));
    }
    let mut ready = owned("lab", "web-0", "node-1");
    ready["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    kube.put(&ready);
    watched.until("web-0", |it| it.ready == Some(true));
    assert_eq!((front.asked().len(), watched.told()), (4, told + 1));

    // More than twenty at once are read from the list, with the pods of all namespaces left alone but those.
    let many: Vec<_> = (0..100).map(|number| target("shop", &format!("other-{number}"))).collect();
    watched.pods.want("run-3", &many);
    until(|| (watched.told() == told + 1 + 100).then_some(()), || format!("all are told, not {}", watched.told()));
    until(|| (front.count(&["/shop/pods?watch=1"]) == 1).then_some(()), || "shop is watched".into());
    assert!(front.count(&["/shop/pods?limit=500"]) <= 2 && front.count(&["/shop/pods/"]) == 0, "{:?}", front.asked());
    assert_eq!(front.count(&["/idle/"]) + front.count(&["/api/v1/pods"]), 0);
    assert_eq!(watched.pods.status().objects, 2 + 100);

    // The last run in a namespace closes its watch: what changes there is not told, and the next run fetches again.
    watched.pods.release("run-1");
    watched.pods.release("run-2");
    until(|| (front.open("/lab/pods") == 0).then_some(()), || "the watch of lab is closed".into());
    assert_eq!((watched.pods.status().objects, front.open("/shop/pods")), (100, 1));
    let before = front.count(&["/lab/"]);
    watched.pods.want("run-4", &[target("lab", "web-0")]);
    until(|| (front.count(&["/lab/"]) == before + 3).then_some(()), || "it is fetched again".into());
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn a_pod_that_is_deleted_or_replaced_is_told_even_if_nobody_looked() {
    let (kube, runtime) = (Kube::start(), runtime());
    kube.namespace("lab");
    for name in ["watched-0", "replaced-0", "deleted-0", "kept-0"] {
        kube.create(&owned("lab", name, "node-1"));
    }
    let front = Front::start(&kube, &runtime);
    let watched = Watched::start(&runtime, &kube.kubeconfig_via(front.address()), &["lab".to_owned()]);
    let targets = ["watched-0", "replaced-0", "deleted-0", "kept-0"].map(|name| target("lab", name));
    watched.pods.want("run-1", targets.iter().chain(&[target("elsewhere", "x")]));
    let old = targets.each_ref().map(|it| watched.until(&it.pod, |pod| !pod.gone).uid);

    kube.delete(&pod("lab", "watched-0"));
    assert_eq!(watched.until("watched-0", |it| it.gone).uid, old[0]);

    front.turn(Weather::Down);
    until(|| (watched.pods.status().reason == "failing").then_some(()), || "it is down".into());
    kube.delete(&pod("lab", "replaced-0"));
    kube.delete(&pod("lab", "deleted-0"));
    kube.create(&owned("lab", "replaced-0", "node-2"));
    front.turn(Weather::Fair);
    let deleted = watched.until("deleted-0", |it| it.gone);
    assert_eq!((&*deleted.uid, &*deleted.node), (&*old[2], "node-1"));
    let replaced = watched.until("replaced-0", |it| !it.gone && it.uid != old[1]);
    assert_eq!(&*replaced.node, "node-2");
    let told = watched
        .mirror
        .pods
        .lock()
        .unwrap()
        .iter()
        .filter(|it| it.name == "replaced-0")
        .map(|it| (it.uid == old[1], it.gone))
        .collect::<Vec<_>>();
    assert_eq!(told, [(true, false), (true, true), (false, false)]);
    assert_eq!(
        watched.mirror.pods.lock().unwrap().iter().filter(|it| it.name == "kept-0").count(),
        1,
        "what did not change is not told again"
    );
    until(|| watched.pods.status().up.then_some(()), || format!("{:?}", watched.pods.status()));
    assert_eq!(front.count(&["elsewhere"]), 0);
}

#[test]
#[ignore = "needs Go, for the API server of the tests: run by make test"]
fn a_namespace_whose_pods_are_forbidden_costs_only_itself() {
    let tokens = vec![("reader-token".to_owned(), "reader".to_owned())];
    let (kube, runtime) = (Kube::start_with(&Options { flags: vec![], tokens }), runtime());
    for namespace in ["lab", "vault"] {
        kube.namespace(namespace);
        kube.create(&owned(namespace, "web-0", namespace));
    }
    kube.allow("reader", Some("lab"), &json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]));
    let watched = Watched::start(&runtime, &kube.kubeconfig_of("reader-token"), &[]);
    watched.pods.want("run-1", &[target("vault", "web-0"), target("lab", "web-0")]);
    assert_eq!(&*watched.until("web-0", |it| !it.gone).node, "lab");
    until(|| (watched.pods.status().reason == "forbidden").then_some(()), || format!("{:?}", watched.pods.status()));
    watched.pods.release("run-1");
    kube.allow("reader", Some("vault"), &json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]));
    watched.pods.want("run-2", &[target("vault", "web-0")]);
    watched.until("web-0", |it| &*it.node == "vault");
}
