//! Every variant against a real API server, by server-side dry run with strict validation.
//!
//! Definitions of our own (`tests/fixtures/crds`) stand in for those of the Prometheus operator and of `OpenShift`. That `AppArmor`, `SELinux`,
//! security context constraints and network policies do what they say is not shown here: nothing enforces them.

use crate::kit::kube::Kube;
use crate::kit::process::{finish, succeed, until};
use crate::render::{ROOT, VARIANTS, helm_text, kustomize_text, tool};
use reqwest::Method;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::NamedTempFile;

/// An API server with the definitions and the namespaces that a dry run needs, for it makes none.
fn server() -> (Kube, PathBuf) {
    let kube = Kube::start();
    let kubeconfig = kube.kubeconfig();
    succeed(kubectl(&kubeconfig).args(["apply", "--server-side", "-f"]).arg(ROOT.join("tests/fixtures/crds")));
    let served = [
        ("monitoring.coreos.com", "podmonitors"),
        ("monitoring.coreos.com", "servicemonitors"),
        ("monitoring.coreos.com", "prometheusrules"),
        ("security.openshift.io", "securitycontextconstraints"),
    ];
    for (group, plural) in served {
        let path = format!("/apis/{group}/v1/{plural}");
        until(|| (kube.call(Method::GET, &path, None).0 == 200).then_some(()), || format!("{plural} are served"));
    }
    for namespace in ["chaoscope", "shop", "chaos-mesh"] {
        kube.namespace(namespace);
    }
    (kube, kubeconfig)
}

fn kubectl(kubeconfig: &PathBuf) -> Command {
    let mut command = tool("kubectl");
    command.env("KUBECONFIG", kubeconfig);
    command
}

/// `kubectl apply` of these objects, changing nothing.
fn dry_run(kubeconfig: &PathBuf, objects: &str) -> Output {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(objects.as_bytes()).unwrap();
    let mut command = kubectl(kubeconfig);
    command.args(["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f"]).arg(file.path());
    finish(&mut command)
}

/// Everything at once, with names, images and limits of one's own.
const ALL_OF_THE_CHART: &[&str] = &[
    "name=chaos",
    "image.repository=registry.example:5000/team/chaoscope",
    "image.tag=edge",
    "image.pullPolicy=Always",
    "imagePullSecrets[0].name=registry",
    "api.auth=token",
    "api.tokensSecret=mine",
    "cluster.clusterName=prod",
    "cluster.namespaces={shop}",
    "cluster.env.CHAOSCOPE_JOURNAL_RETENTION=30d",
    "cluster.storage.size=10Gi",
    "cluster.storage.className=fast",
    "cluster.resources.limits.cpu=1",
    "cluster.tolerations[0].operator=Exists",
    "cluster.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key=disk",
    "cluster.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator=Exists",
    "cluster.priorityClassName=high",
    "cluster.podAnnotations.team=chaos",
    "secondReplica.enabled=true",
    "node.env.CHAOSCOPE_SOURCE_HOST=true",
    "node.env.CHAOSCOPE_SWEEP_THREADS=1",
    "node.microk8s=true",
    "node.maxUnavailable=3",
    "node.priorityClassName=system-node-critical",
    "prometheusAnnotations.enabled=true",
    "prometheusOperator.enabled=true",
    "prometheusOperator.release=",
    "prometheusOperator.labels.team=chaos",
    "networkPolicy.enabled=true",
    "networkPolicy.monitoringNamespace=observability",
    "grafana.enabled=true",
    "openshift.enabled=true",
    "tls.enabled=true",
    "tls.secretName=mine-tls",
];

#[test]
#[ignore = "needs an API server, kubectl and helm, built by tests/kube and tests/deploy: run by make test"]
fn an_api_server_takes_everything_that_can_be_made() {
    let (_kube, kubeconfig) = server();
    let kustomized = VARIANTS.iter().map(|(folder, _)| ((*folder).to_owned(), kustomize_text(folder)));
    let charted = VARIANTS.iter().filter_map(|(_, values)| *values).chain([ALL_OF_THE_CHART]);
    let charted = charted.map(|values| (format!("helm {values:?}"), helm_text(values)));
    for (what, objects) in kustomized.chain(charted) {
        let output = dry_run(&kubeconfig, &objects);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        let made = objects.lines().filter(|line| line.starts_with("kind: ")).count();
        assert_eq!(said.matches("(server dry run)").count(), made, "{what}: {said}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("Warning"), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// That the test above can fail: one letter too many, a value that is none, a capability that contradicts.
#[test]
#[ignore = "needs an API server and kubectl, built by tests/kube and tests/deploy: run by make test"]
fn an_api_server_refuses_what_is_wrong() {
    let (_kube, kubeconfig) = server();
    let wrong = [
        ("base", "hostPID: true", "hostPIDs: true", "hostPIDs"),
        ("base", "runAsUser: 65532", "runAsUser: nobody", "runAsUser"),
        ("base", "maxUnavailable: 10%", "maxUnavailable: some", "maxUnavailable"),
        ("base", "privileged: false", "privileged: true", "allowPrivilegeEscalation"),
        ("overlays/prometheus-operator", "honorLabels: true", "honourLabels: true", "honourLabels"),
        ("overlays/openshift", "allowHostPID: true", "allowHostPid: true", "allowHostPid"),
    ];
    for (folder, right, mistake, named) in wrong {
        let text = kustomize_text(folder);
        assert!(text.contains(right), "{folder} has no {right:?}");
        let output = dry_run(&kubeconfig, &text.replace(right, mistake));
        assert!(!output.status.success(), "{mistake:?} was taken");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(named), "{mistake:?}: {said}");
    }
}

#[test]
#[ignore = "needs an API server, kubectl and helm, built by tests/kube and tests/deploy: run by make test"]
fn helm_installs_and_says_what_to_do_next() {
    let (_kube, kubeconfig) = server();
    let chart = ROOT.join("manifests/helm/chaoscope");
    let install = |values: &[&str]| {
        let mut command = tool("helm");
        command.env("KUBECONFIG", &kubeconfig).args(["install", "chaoscope", "--namespace=chaoscope", "--dry-run=server"]).arg(&chart);
        succeed(command.args(values.iter().flat_map(|value| ["--set", value])))
    };
    let said = install(&[]);
    for hint in ["pod-security.kubernetes.io/enforce=privileged", "create token", "/chaoscope doctor", "Nothing scrapes it yet"] {
        assert!(said.contains(hint), "{hint:?} in {said}");
    }
    let said = install(&["api.auth=none", "prometheusAnnotations.enabled=true"]);
    assert!(said.contains("Whoever reaches it sees every run") && !said.contains("Nothing scrapes it yet"), "{said}");
    // As a release, once, for real: what is taken in a dry run is taken.
    let mut command = tool("helm");
    command.env("KUBECONFIG", &kubeconfig).args(["install", "chaoscope", "--namespace=chaoscope"]).arg(&chart);
    succeed(&mut command);
    let mut command = tool("helm");
    succeed(command.env("KUBECONFIG", &kubeconfig).args(["uninstall", "chaoscope", "--namespace=chaoscope"]));
    let left = succeed(kubectl(&kubeconfig).args(["get", "daemonsets,statefulsets,services,clusterroles", "-A", "-o", "name"]));
    assert!(!left.contains("chaoscope"), "{left}");
}
