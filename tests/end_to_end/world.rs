//! The cluster of this test: its images, its workload, Prometheus, Chaoscope as the manifests deploy it, and how each is asked.
//!
//! Images hold the programs as they are on this host with the libraries and the loader they ask for (`ldd`), so nothing is compiled a second
//! time; the published image holds one static program instead. Chaoscope's is stripped of what debuggers read.

use crate::kit::cluster::Cluster;
use crate::kit::http::percent;
use crate::kit::process::{PATIENCE, finish, succeed, until};
use crate::mesh::{Experiment, NAMESPACE};
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the Services are: overlay/kustomization.yaml, prometheus.yaml.
const CHAOSCOPE: &str = "http://10.96.0.65:10765";
const PROMETHEUS: &str = "http://10.96.0.90:9090";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/end_to_end");

pub(crate) struct World {
    pub(crate) cluster: Cluster,
    /// Asks from the node.
    client: Client,
    /// Of a service account that may look at pods of the workload.
    token: String,
}

impl World {
    /// The cluster, Chaos Mesh's kinds, the workload, and Prometheus: everything but Chaoscope.
    pub(crate) fn start() -> Self {
        let cluster = Cluster::start();
        let rootfs = tempfile::tempdir().expect("a temporary folder");
        program(Path::new(env!("CARGO_BIN_EXE_chaoscope")), &rootfs.path().join("chaoscope"));
        cluster.image("localhost/chaoscope:1", &rootfs.path().join("chaoscope"), &["/bin/chaoscope"]);
        program(Path::new("/usr/bin/prometheus"), &rootfs.path().join("prometheus"));
        cluster.image("localhost/prometheus:1", &rootfs.path().join("prometheus"), &["/bin/prometheus"]);

        cluster.kube().define_all();
        for file in ["shop.yaml", "prometheus.yaml"] {
            cluster.kubectl(&["apply", "--filename", &format!("{FOLDER}/{file}")]);
        }
        for (namespace, what) in [("shop", "statefulset/web"), ("shop", "statefulset/client"), ("monitoring", "deployment/prometheus")] {
            rolled_out(&cluster, namespace, what);
        }
        let client = Client::builder().tls_certs_only([]).no_proxy().timeout(PATIENCE);
        let client = cluster.inside(|| client.build().expect("a client"));
        let token = cluster.kubectl(&["create", "token", "reader", "--namespace=shop", "--audience=chaoscope", "--duration=1h"]);
        Self { cluster, client, token: token.trim().to_owned() }
    }

    /// `kubectl apply -k`, and until all of it runs. The journal's folder is what a provisioner would have made.
    pub(crate) fn deploy(&self) {
        self.cluster.on_node(&["install", "--directory", "--owner=65532", "--group=65532", "--mode=0700", "/var/lib/chaoscope"]);
        self.cluster.kubectl(&["apply", "--kustomize", &format!("{FOLDER}/overlay")]);
        self.until_deployed();
    }

    /// Waits until both roles are ready, as often as they are told to begin again.
    pub(crate) fn until_deployed(&self) {
        for what in ["daemonset/chaoscope-node", "statefulset/chaoscope-cluster"] {
            rolled_out(&self.cluster, "chaoscope", what);
        }
        self.discover();
    }

    /// Tells Prometheus what its discovery of pods would: a target for each port of each container.
    fn discover(&self) {
        let pods = self.cluster.list("pods");
        let targets: Vec<_> = pods.iter().flat_map(targets_of).collect();
        let folder = self.cluster.folder().join("var/lib/targets"); // the node's /var/lib/targets
        fs::write(folder.join("new"), Value::from(targets).to_string()).expect("writing into a folder of ours");
        fs::rename(folder.join("new"), folder.join("pods.json")).expect("renaming a file of ours");
    }

    /// `kubectl delete -k`, which waits for all of it to be gone.
    pub(crate) fn undeploy(&self) {
        self.cluster.kubectl(&["delete", "--kustomize", &format!("{FOLDER}/overlay"), "--timeout=120s"]);
    }

    /// What the Prometheus of the cluster answers, once `accept` likes it.
    pub(crate) fn metric(&self, expression: &str, accept: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        until(
            || Some(self.query(expression)).filter(|it| accept(it)),
            || format!("{expression}: {:?}\n{}", self.query(expression), self.logs()),
        )
    }

    /// Waits until an expression has one series, or several, all of this value.
    pub(crate) fn metric_is(&self, expression: &str, value: f64) {
        let text = value.to_string();
        self.metric(expression, |series| !series.is_empty() && series.iter().all(|it| it["value"][1] == *text));
    }

    fn query(&self, expression: &str) -> Vec<Value> {
        let url = format!("{PROMETHEUS}/api/v1/query?query={}", percent(expression));
        let Ok((200, mut answer)) = self.get(&url, None) else { return Vec::new() };
        serde_json::from_value(answer["data"]["result"].take()).expect("an instant vector")
    }

    /// The runs of an experiment, as the owner of the pods sees them.
    pub(crate) fn runs(&self, experiment: &Experiment) -> Vec<Value> {
        let url = format!("{CHAOSCOPE}/api/v1/runs?kind=NetworkChaos&namespace={NAMESPACE}&name={}", experiment.name);
        let (status, mut answer) = self.get(&url, Some(&self.token)).expect("the Service of the cluster role answers");
        assert_eq!(status, 200, "{answer}");
        serde_json::from_value(answer["runs"].take()).expect("runs")
    }

    /// The one run of an experiment, once `accept` likes it.
    pub(crate) fn run(&self, experiment: &Experiment, accept: impl Fn(&Value) -> bool) -> Value {
        let only = || <[Value; 1]>::try_from(self.runs(experiment)).ok().map(|[run]| run);
        until(|| only().filter(&accept), || format!("one run: {:#?}\n{}", self.runs(experiment), self.logs()))
    }

    /// A field of each target of the one run, once they are these: `[("web-0", "in_force"), …]`, by name.
    pub(crate) fn targets(&self, experiment: &Experiment, field: &str, wanted: &[(&str, &str)]) {
        self.run(experiment, |run| {
            let targets = run["targets"].as_array().into_iter().flatten();
            let mut found: Vec<_> = targets.filter_map(|it| Some((it["pod"].as_str()?, it[field].as_str()?))).collect();
            found.sort_unstable();
            found == wanted
        });
    }

    /// The pods that an experiment's events of this reason are about, oldest first.
    pub(crate) fn events(&self, experiment: &Experiment, reason: &str) -> Vec<String> {
        let url = format!("{CHAOSCOPE}/api/v1/events?namespace={NAMESPACE}&name={}&reason={reason}", experiment.name);
        let (status, answer) = self.get(&url, Some(&self.token)).expect("the Service of the cluster role answers");
        assert_eq!(status, 200, "{answer}");
        let events = answer["events"].as_array().expect("events").iter().rev();
        events.map(|it| it["target_pod"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// `chaoscope gate`, as a pipeline of the pods' owner would run it: its exit code, and what it said.
    pub(crate) fn gate(&self, experiment: &Experiment, until: &str, wait: &str) -> (i32, String) {
        let token = self.cluster.folder().join("reader.token");
        fs::write(&token, &self.token).expect("writing into a folder of ours");
        let mut command = self.cluster.beside_node(Path::new(env!("CARGO_BIN_EXE_chaoscope")));
        command
            .args(["gate", "--server", CHAOSCOPE, "--kind=NetworkChaos", "-n", NAMESPACE, "-e", experiment.name])
            .arg("--token-file")
            .arg(token);
        let output = finish(command.args(["--until", until, "--wait", wait]));
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// The status of an answer of Chaoscope's API without a token.
    pub(crate) fn anonymously(&self, path: &str) -> u16 {
        self.get(&format!("{CHAOSCOPE}{path}"), None).expect("the Service of the cluster role answers").0
    }

    fn get(&self, url: &str, token: Option<&str>) -> reqwest::Result<(u16, Value)> {
        let request = self.client.get(url);
        let answer = token.into_iter().fold(request, RequestBuilder::bearer_auth).send()?;
        let status = answer.status().as_u16();
        let text = answer.text()?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Waits until the client reaches a web pod, which between two callers is deaf for a moment.
    pub(crate) fn until_served(&self) {
        until(|| self.is_served().then_some(()), || format!("the client reaches a web pod\n{}", self.logs()));
    }

    /// Whether the client reaches a web pod.
    pub(crate) fn is_served(&self) -> bool {
        let web = self.cluster.address(NAMESPACE, "web-0");
        let ask = format!("busybox nc -w 2 {web} 8080 </dev/null || true");
        self.cluster.in_network_of(NAMESPACE, "client-0", &ask) == "hello\n"
    }

    /// Everything in the networks of the workload's pods that Chaoscope reads, without counters.
    pub(crate) fn networks(&self) -> Vec<String> {
        let read = "ipset save; iptables-legacy-save; ip6tables-legacy-save; nft list ruleset; tc qdisc show; \
                    cat /proc/net/ip_tables_names /proc/net/ip6_tables_names";
        let pods = ["client-0", "web-0", "web-1"].map(|pod| self.cluster.in_network_of(NAMESPACE, pod, read));
        let lasting = |text: String| {
            let lines = text.lines().filter(|it| !it.starts_with('#')).map(|it| it.split(" [").next().unwrap_or_default().to_owned());
            lines.collect::<Vec<_>>().join("\n")
        };
        pods.map(lasting).to_vec()
    }

    /// What a deployment could leave behind: objects that are in no namespace, ours in all others, and the node's mounts and networks.
    pub(crate) fn traces(&self) -> BTreeSet<String> {
        let kinds = |namespaced: &str| {
            let kinds = self.cluster.kubectl(&["api-resources", "--verbs=list", "--output=name", namespaced]);
            kinds.split_whitespace().collect::<Vec<_>>().join(",")
        };
        let everywhere = self.cluster.kubectl(&["get", &kinds("--namespaced=false"), "--output=name"]);
        let label = "--selector=app.kubernetes.io/name=chaoscope";
        let ours = self.cluster.kubectl(&["get", &kinds("--namespaced=true"), "--all-namespaces", label, "--output=name"]);
        let node = self.cluster.on_node(&["sh", "-c", "cut -d' ' -f5 /proc/1/mountinfo; ls /run/netns"]);
        everywhere.lines().chain(ours.lines()).chain(node.lines()).map(str::to_owned).collect()
    }

    /// What to read when something did not come to pass.
    pub(crate) fn logs(&self) -> String {
        let commands: [&[&str]; 3] = [
            &["get", "pods", "--all-namespaces", "--output=wide"],
            &["logs", "--namespace=chaoscope", "--tail=20", "daemonset/chaoscope-node"],
            &["logs", "--namespace=chaoscope", "--tail=20", "statefulset/chaoscope-cluster"],
        ];
        let said = commands.map(|words| String::from_utf8_lossy(&self.cluster.try_kubectl(words).stdout).into_owned());
        let targets = self.get(&format!("{PROMETHEUS}/api/v1/targets"), None);
        format!("{}Prometheus: {targets:?}", said.join("\n"))
    }
}

/// The labels of Prometheus' discovery of pods that matter here.
fn targets_of(pod: &Value) -> Vec<Value> {
    let label = |name: &str| pod["metadata"]["labels"][format!("app.kubernetes.io/{name}")].clone();
    let ports = pod["spec"]["containers"].as_array().into_iter().flatten().flat_map(|it| it["ports"].as_array().into_iter().flatten());
    let target = |port: &Value| {
        json!({
            "targets": [format!("{}:{}", pod["status"]["podIP"].as_str().unwrap_or_default(), port["containerPort"])],
            "labels": {
                "__meta_kubernetes_namespace": pod["metadata"]["namespace"], "__meta_kubernetes_pod_name": pod["metadata"]["name"],
                "__meta_kubernetes_pod_node_name": pod["spec"]["nodeName"], "__meta_kubernetes_pod_container_port_name": port["name"],
                "__meta_kubernetes_pod_label_app_kubernetes_io_name": label("name"),
                "__meta_kubernetes_pod_label_app_kubernetes_io_component": label("component"),
            },
        })
    };
    let mut targets: Vec<_> = ports.map(target).collect();
    for target in &mut targets {
        target["labels"].as_object_mut().expect("an object").retain(|_, value| value.is_string());
    }
    targets
}

fn rolled_out(cluster: &Cluster, namespace: &str, what: &str) {
    let output = cluster.try_kubectl(&["rollout", "status", what, "--namespace", namespace, "--timeout=180s"]);
    if !output.status.success() {
        let pods = cluster.kubectl(&["describe", "pods", "--namespace", namespace]);
        let logs = cluster.try_kubectl(&["logs", "--namespace", namespace, "--tail=20", what]);
        panic!("{what} does not run: {output:?}\n{pods}\n{logs:?}");
    }
}

/// A root file system with this program in `/bin` and what it is linked with.
fn program(from: &Path, root: &Path) {
    let name = from.file_name().expect("a program has a name");
    for folder in ["bin", "tmp"] {
        fs::create_dir_all(root.join(folder)).expect("a folder of ours");
    }
    succeed(Command::new("strip").arg("-o").arg(root.join("bin").join(name)).arg(from));
    // `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`; the kernel's own has no path.
    let linked = succeed(Command::new("ldd").arg(from));
    let libraries = linked.split_whitespace().filter(|it| it.starts_with('/')).map(PathBuf::from);
    for library in libraries {
        let to = root.join(library.strip_prefix("/").expect("it begins so"));
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder of ours");
        fs::copy(&library, to).expect("copying a library");
    }
}
