//! That the program starts with what the pods are given: its variables, files and sockets' places, in a folder instead of a container's root.
//!
//! The API server is real; what is mounted is made here, with the names the manifests have.

use crate::kit::http::free_address;
use crate::kit::kube::Kube;
use crate::kit::process::{Running, succeed, until};
use crate::render::kustomize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Variants in which the pods' variables differ, and whether the cluster role speaks TLS in it.
const STARTED: [(&str, bool); 6] = [
    ("base", false),
    ("overlays/namespaced", false),
    ("overlays/open", false),
    ("overlays/token-auth", false),
    ("overlays/tls", true),
    ("overlays/without-socket", false),
];

/// What is below the folder in place of the container's root.
fn root(objects: &[Value]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let certificate = rcgen::generate_simple_self_signed(vec!["chaoscope.chaoscope".to_owned()]).unwrap();
    write("etc/chaoscope/tls/tls.crt", &certificate.cert.pem());
    write("etc/chaoscope/tls/ca.crt", &certificate.cert.pem());
    write("etc/chaoscope/tls/tls.key", &certificate.signing_key.serialize_pem());
    for map in objects.iter().filter(|it| it["metadata"]["name"] == "chaoscope-web") {
        let text = map["data"]["web.yml"].as_str().unwrap();
        write("etc/chaoscope/web/web.yml", &text.replace("/etc/chaoscope", &folder.path().join("etc/chaoscope").display().to_string()));
    }
    write("var/run/secrets/chaoscope/token", "not-asked-for");
    for (file, text) in [("callers", "alice\nbob\n"), ("own", "own"), ("node", "secret-of-nodes"), ("nodes", "* secret-of-nodes\n")] {
        write(&format!("var/run/secrets/chaoscope-tokens/{file}"), text);
    }
    for empty in ["host/run", "run/netns", "var/lib/chaoscope"] {
        fs::create_dir_all(folder.path().join(empty)).unwrap();
    }
    folder
}

/// A pod's variables as its container would see them, with paths below the folder.
fn variables(pod: &Value, root: &Path) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for variable in pod["containers"][0]["env"].as_array().unwrap() {
        let field = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
            Some("metadata.namespace") => Some("chaoscope"),
            Some("spec.nodeName") => Some("node-1"),
            Some(other) => panic!("{other} is not known here"),
            None => None,
        };
        let mut value = field.or(variable["value"].as_str()).unwrap().to_owned();
        for (name, of) in &all {
            value = value.replace(&format!("$({name})"), of);
        }
        let below = |path: &str| {
            let mounted = ["/var/", "/etc/", "/host"].iter().any(|top| path.starts_with(top));
            if mounted { format!("{}{path}", root.display()) } else { path.to_owned() }
        };
        let value = value.split(',').map(below).collect::<Vec<_>>().join(",");
        all.insert(variable["name"].as_str().unwrap().to_owned(), value);
    }
    all
}

/// Starts a pod's program and waits until its probes are content.
fn starts(what: &str, objects: &[Value], kind: &str, kubeconfig: &Path, tls: bool) {
    let root = root(objects);
    let pod =
        &objects.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] != "chaoscope-second").unwrap()["spec"]["template"]["spec"];
    let (address, log) = (free_address(), root.path().join("log"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaoscope"));
    command.args(pod["containers"][0]["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()));
    command.envs(variables(pod, root.path())).env("CHAOSCOPE_WEB_LISTEN_ADDRESS", format!(":{}", address.port()));
    command.env("CHAOSCOPE_KUBECONFIG", kubeconfig).env("CHAOSCOPE_PATH_NETNS", root.path().join("run/netns"));
    let mut running = Running::start(command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()));
    for probe in ["livenessProbe", "readinessProbe"] {
        let get = &pod["containers"][0][probe]["httpGet"];
        assert_eq!(get["scheme"] == "HTTPS", tls, "{what}: {probe}");
        let said = || format!("{what}: {kind}'s {probe}\n{}", fs::read_to_string(&log).unwrap());
        until(
            || {
                assert!(!running.has_ended(), "{} ended", said());
                ask(root.path(), address, get["path"].as_str().unwrap(), tls).then_some(())
            },
            said,
        );
    }
    // A command run in the pod, as by kubectl exec, is let in with what the pod has. (With accounts that takes a token the kubelet makes.)
    let given = variables(pod, root.path());
    if kind == "StatefulSet" && !tls && given["CHAOSCOPE_API_AUTH"] != "kubernetes" {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaoscope"));
        succeed(command.args(["runs", "--server"]).arg(format!("http://{address}")).envs(given));
    }
}

/// Whether an answer is 200; with TLS, from whoever has the certificate's name.
fn ask(root: &Path, address: SocketAddr, path: &str, tls: bool) -> bool {
    let (scheme, port) = (if tls { "https" } else { "http" }, address.port());
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--noproxy", "*", "--max-time", "10", "--output", "/dev/null"]).arg("--cacert");
    curl.arg(root.join("etc/chaoscope/tls/ca.crt")).args(["--resolve", &format!("chaoscope.chaoscope:{port}:127.0.0.1")]);
    curl.arg(format!("{scheme}://chaoscope.chaoscope:{port}{path}")).status().unwrap().success()
}

#[test]
#[ignore = "needs an API server, kubectl and curl: run by make test"]
fn the_program_starts_with_what_pods_are_given() {
    let kube = Kube::start();
    kube.define_all();
    let kubeconfig = kube.kubeconfig();
    for (folder, tls) in STARTED {
        let objects = kustomize(folder);
        starts(folder, &objects, "StatefulSet", &kubeconfig, tls);
        starts(folder, &objects, "DaemonSet", &kubeconfig, false);
    }
}
