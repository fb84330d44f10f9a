//! What pods may and need, in every variant: no more than is promised, variables the program knows, and one image.

use crate::render::{VARIANTS, helm, key, kustomize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;

/// Every object of every variant, with where it is from.
fn all() -> Vec<(String, Value)> {
    let kustomized = VARIANTS.iter().flat_map(|(folder, _)| kustomize(folder).into_iter().map(move |it| ((*folder).to_owned(), it)));
    let charted = VARIANTS.iter().filter_map(|(_, values)| *values);
    let charted = charted.flat_map(|values| helm(values).into_iter().map(move |it| (format!("helm {values:?}"), it)));
    kustomized.chain(charted).collect()
}

/// The pods of every variant: from where, whose, and the pod's spec.
fn pods() -> Vec<(String, String, Value)> {
    let all = all().into_iter().filter(|(_, object)| object["spec"]["template"]["spec"]["containers"].is_array());
    let pods: Vec<_> =
        all.map(|(from, it)| (format!("{from}: {}", key(&it)), component(&it), it["spec"]["template"]["spec"].clone())).collect();
    assert!(pods.len() >= 2 * (2 * VARIANTS.len() - 1), "only {} pods are made", pods.len());
    pods
}

/// `node`, `cluster`, `second`, or nothing for what is of the demo.
fn component(object: &Value) -> String {
    object["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"].as_str().unwrap_or_default().to_owned()
}

/// The names of a list's entries.
fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().map(|it| it["name"].as_str().unwrap()).collect()
}

#[test]
#[ignore = "needs kubectl and helm, built by tests/deploy/build.sh: run by make test"]
fn no_pod_may_more_than_it_needs() {
    for (whose, component, pod) in pods() {
        for gone in ["hostNetwork", "hostIPC", "initContainers", "ephemeralContainers"] {
            assert!(pod[gone].is_null(), "{whose}: {gone}");
        }
        let [container] = &pod["containers"].as_array().unwrap()[..] else { panic!("{whose}: more than one container") };
        let security = &container["securityContext"];
        assert!(security["privileged"].is_null() || security["privileged"] == false, "{whose}");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{whose}");
        assert_eq!(security["readOnlyRootFilesystem"], true, "{whose}");
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{whose}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{whose}");
        assert!(
            !container["resources"]["requests"]["memory"].is_null() && !container["resources"]["limits"]["memory"].is_null(),
            "{whose}"
        );
        if component == "node" {
            is_a_node(&whose, &pod, container);
        } else {
            assert!(pod["hostPID"].is_null() && security["capabilities"]["add"].is_null(), "{whose}");
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{whose}");
            assert!(pod["volumes"].as_array().into_iter().flatten().all(|it| it["hostPath"].is_null()), "{whose}");
        }
    }
}

fn is_a_node(whose: &str, pod: &Value, container: &Value) {
    assert_eq!(pod["hostPID"], true, "{whose}");
    assert_eq!(pod["automountServiceAccountToken"], false, "{whose}");
    assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]), "{whose}");
    // Only of uid 0 does Kubernetes make added capabilities effective, and only group 0 may read the list of legacy tables.
    let security = &pod["securityContext"];
    assert_eq!((&security["runAsUser"], &security["runAsGroup"]), (&json!(0), &json!(0)), "{whose}");
    assert_eq!(container["securityContext"]["capabilities"]["add"], json!(["NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"]), "{whose}");
    let folders = pod["volumes"].as_array().unwrap().iter().filter_map(|it| it["hostPath"]["path"].as_str());
    for folder in folders {
        assert!(["/run", "/run/netns", "/var/snap/microk8s/common/run"].contains(&folder), "{whose}: {folder}");
    }
    for mount in container["volumeMounts"].as_array().unwrap() {
        assert_eq!(mount["readOnly"], true, "{whose}: {mount}");
        // Mounts of the host's that are not let go pin other containers' files.
        let of_host = !["token", "ca"].iter().any(|name| mount["name"] == *name);
        assert_eq!(mount["mountPropagation"] == "HostToContainer", of_host, "{whose}: {mount}");
    }
    // A token for the cluster role, never one that opens the API server.
    let token = pod["volumes"].as_array().unwrap().iter().find(|it| it["name"] == "token").unwrap();
    let audiences = token["projected"]["sources"].as_array().map(|it| it[0]["serviceAccountToken"]["audience"].clone());
    assert!(audiences == Some(json!("chaoscope")) || token["secret"]["items"][0]["key"] == "node", "{whose}: {token}");
}

/// What `chaoscope <command> --help` says it reads.
fn variables(command: &str) -> BTreeSet<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_chaoscope")).args([command, "--help"]).output().unwrap();
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    let names = help.split("[env: ").skip(1).map(|rest| rest.split(['=', ']']).next().unwrap().to_owned());
    names.collect()
}

#[test]
#[ignore = "needs kubectl and helm, built by tests/deploy/build.sh: run by make test"]
fn the_program_knows_every_variable_it_is_given() {
    // In the cluster role's pod also the commands that ask it are run.
    let cluster = variables("cluster").into_iter().chain(variables("doctor")).collect();
    let known = [("node", variables("node")), ("cluster", cluster)];
    assert!(known.iter().all(|(_, names)| names.len() > 10), "{known:?}");
    for (whose, component, pod) in pods().into_iter().filter(|(_, component, _)| !component.is_empty()) {
        let container = &pod["containers"][0];
        // Else Kubernetes would add variables of its own that begin with CHAOSCOPE_.
        assert_eq!(pod["enableServiceLinks"], false, "{whose}");
        let command = if component == "node" { "node" } else { "cluster" };
        assert_eq!((&container["args"], &container["command"]), (&json!([command]), &Value::Null), "{whose}");
        let known = &known.iter().find(|(name, _)| *name == command).unwrap().1;
        let mut before = BTreeSet::new();
        for variable in container["env"].as_array().unwrap() {
            let name = variable["name"].as_str().unwrap();
            assert!(known.contains(name) || name == "POD_NAMESPACE", "{whose}: {name} is no flag of {command}");
            // A variable may use only those before it.
            for used in variable["value"].as_str().unwrap_or_default().split("$(").skip(1) {
                let used = used.split(')').next().unwrap();
                assert!(before.contains(used), "{whose}: {name} uses {used}, which comes later or never");
            }
            assert!(before.insert(name), "{whose}: {name} twice");
        }
        let (volumes, mounts) = (names(&pod["volumes"]), names(&container["volumeMounts"]));
        let claimed = if command == "cluster" { &["journal"][..] } else { &[] };
        let there: BTreeSet<_> = volumes.iter().chain(claimed).copied().collect();
        assert_eq!(mounts, there, "{whose}: volumes and mounts");
    }
}

#[test]
#[ignore = "needs kubectl and helm, built by tests/deploy/build.sh: run by make test"]
fn images_have_the_programs_version_or_one_of_their_own() {
    let ours = [concat!("chaoscope:", env!("CARGO_PKG_VERSION")), concat!("chaoscope-grafana:", env!("CARGO_PKG_VERSION"))];
    for (whose, component, pod) in pods() {
        let image = pod["containers"][0]["image"].as_str().unwrap();
        let (name, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{whose}: {image} has no version"));
        assert!(ours.contains(&image) || !name.starts_with("chaoscope"), "{whose}: {image}");
        assert!(component.is_empty() || image == ours[0], "{whose}: {image}");
        assert!(tag.trim_start_matches('v').split('.').count() == 3, "{whose}: {image} may change under us");
    }
}

/// The second cluster role is the first under another name, on another node, without nodes of its own.
#[test]
#[ignore = "needs kubectl, built by tests/deploy/build.sh: run by make test"]
fn the_second_replica_is_as_the_first() {
    let objects = kustomize("overlays/second-replica");
    let find = |kind: &str, name: &str| objects.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name).unwrap().clone();
    let (first, mut second) = (find("StatefulSet", "chaoscope-cluster"), find("StatefulSet", "chaoscope-second"));
    let affinity = second["spec"]["template"]["spec"].as_object_mut().unwrap().remove("affinity").unwrap();
    assert!(affinity["podAntiAffinity"].to_string().contains("\"cluster\""));
    let of_nodes = ["POD_NAMESPACE", "CHAOSCOPE_API_NODE_ACCOUNT"];
    let mut first = first;
    let env = first.pointer_mut("/spec/template/spec/containers/0/env").unwrap().as_array_mut().unwrap();
    env.retain(|it| !of_nodes.contains(&it["name"].as_str().unwrap()));
    let renamed =
        first.to_string().replace("chaoscope-cluster", "chaoscope-second").replace("component\":\"cluster", "component\":\"second");
    let renamed = renamed.replace("\"serviceName\":\"chaoscope\"", "\"serviceName\":\"chaoscope-second\"");
    assert_eq!(second, serde_json::from_str::<Value>(&renamed).unwrap());
    let selector = find("Service", "chaoscope-second")["spec"]["selector"]["app.kubernetes.io/component"].clone();
    assert_eq!(selector, "second");
    assert_eq!(find("Service", "chaoscope")["spec"]["selector"]["app.kubernetes.io/component"], "cluster");
}

/// The policies that hold for a pod of each component, by name.
#[test]
#[ignore = "needs kubectl, built by tests/deploy/build.sh: run by make test"]
fn every_pod_of_ours_has_its_policy() {
    let objects = kustomize("overlays/network-policy");
    let policies: Vec<_> = objects.iter().filter(|it| it["kind"] == "NetworkPolicy").collect();
    let of = |component: &str| -> Vec<&str> {
        let selects = |policy: &&&Value| {
            let selector = &policy["spec"]["podSelector"];
            assert_eq!(selector["matchLabels"]["app.kubernetes.io/name"], "chaoscope");
            let label = selector["matchLabels"]["app.kubernetes.io/component"].as_str();
            let words = selector["matchExpressions"][0]["values"].as_array().cloned().unwrap_or_default();
            label == Some(component) || words.contains(&json!(component))
        };
        policies.iter().filter(selects).map(|it| it["metadata"]["name"].as_str().unwrap()).collect()
    };
    assert_eq!(of("cluster"), ["chaoscope-cluster"]);
    assert_eq!(of("second"), ["chaoscope-cluster"]);
    assert_eq!(of("node"), ["chaoscope-node"]);
    for policy in policies {
        for rule in policy["spec"]["ingress"].as_array().unwrap() {
            assert!(!rule["from"].as_array().unwrap().is_empty(), "everybody may come in: {policy}");
            assert_eq!(rule["ports"], json!([{"port": 10765, "protocol": "TCP"}]));
        }
    }
}

/// Whatever selects pods or Services selects some; a typing error would select none, and nobody would say so.
#[test]
#[ignore = "needs kubectl and helm, built by tests/deploy/build.sh: run by make test"]
fn selectors_select() {
    let of = |object: &Value, at: &str| object.pointer(at).and_then(Value::as_object).cloned();
    let mut selectors = 0;
    for (from, objects) in VARIANTS.iter().map(|(folder, _)| (folder, kustomize(folder))) {
        let pods: Vec<_> = objects.iter().filter_map(|it| of(it, "/spec/template/metadata/labels")).collect();
        let services: Vec<_> = objects.iter().filter(|it| it["kind"] == "Service").filter_map(|it| of(it, "/metadata/labels")).collect();
        for object in &objects {
            let (selector, among) = match object["kind"].as_str().unwrap() {
                "Service" => (of(object, "/spec/selector"), &pods),
                "ServiceMonitor" => (of(object, "/spec/selector/matchLabels"), &services),
                "PodMonitor" | "DaemonSet" | "StatefulSet" | "Deployment" => (of(object, "/spec/selector/matchLabels"), &pods),
                _ => continue,
            };
            let selector = selector.unwrap_or_else(|| panic!("{from}: {} selects by nothing", key(object)));
            let selected = among.iter().filter(|labels| selector.iter().all(|(name, value)| labels.get(name) == Some(value)));
            assert_eq!(selected.count(), 1, "{from}: {}", key(object));
            selectors += 1;
        }
    }
    assert!(selectors > 40, "only {selectors}");
}
