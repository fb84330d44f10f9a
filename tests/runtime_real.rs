//! The container runtime client against a real containerd and a real dockerd, each on a small host of its own
//! ([`World`]), running one tiny image made on the spot.
//!
//! What the client says is compared with what the kernel says (`/proc` of the same host) and what `ctr` says.
//! Needs root and the packages containerd, runc, containernetworking-plugins, docker.io, busybox-static, iproute2, util-linux.

use crate::messages::{
    ContainerConfig, ContainerMetadata, ContainerRequest, CreateContainerRequest, CreateContainerResponse, ImageSpec, LinuxContainerConfig,
    LinuxContainerSecurityContext, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceOption, Nothing, PodSandboxConfig,
    PodSandboxMetadata, RunPodSandboxRequest, RunPodSandboxResponse,
};
use crate::world::{IMAGE, World};
use crate::{chain, ids, short, soon};
use bytes::Bytes;
use chaoscope::node::runtime::{Listed, Pod, Runtime, RuntimeChoice, RuntimeError};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

const IMAGE_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/kube/image.sh");
const CONTAINERD: &str = "run/containerd/containerd.sock";
const NODE: i32 = 2;

/// containerd, with CRI on or off.
fn start_containerd(world: &mut World, cri: bool) {
    let folder = world.path("").display().to_string();
    let disabled = if cri { "" } else { r#""io.containerd.grpc.v1.cri""# };
    let config = format!(
        r#"
        version = 2
        root = "{folder}/containerd"
        state = "/run/containerd"
        disabled_plugins = [{disabled}]
        [grpc]
        address = "/run/containerd/containerd.sock"
        [plugins."io.containerd.internal.v1.opt"]
        path = "{folder}/opt"
        [plugins."io.containerd.grpc.v1.cri"]
        sandbox_image = "{IMAGE}"
        restrict_oom_score_adj = true # inside of a container, less than one's own is not allowed
        [plugins."io.containerd.grpc.v1.cri".containerd]
        snapshotter = "native" # the folder may lie on an overlay already
        [plugins."io.containerd.grpc.v1.cri".cni]
        bin_dir = "/usr/lib/cni"
        conf_dir = "{folder}/cni"
        "#
    );
    let network = json!({"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp",
        "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.244.0.0/24"}]]}}]});
    fs::create_dir_all(world.path("cni")).unwrap();
    fs::write(world.path("cni/10-pods.conflist"), network.to_string()).unwrap();
    fs::write(world.path("containerd.toml"), config).unwrap();
    world.spawn("containerd", &format!("containerd --config {folder}/containerd.toml"));
}

fn ctr(world: &World) -> Command {
    let mut ctr = Command::new("ctr");
    ctr.arg("--address").arg(world.root().join(CONTAINERD)).args(["--namespace", "k8s.io"]);
    ctr
}

fn import_image(world: &World) {
    let archive = fs::File::create(world.path("image.tar")).unwrap();
    assert!(Command::new(IMAGE_SCRIPT).args(["oci", IMAGE]).stdout(archive).status().unwrap().success());
    let mut import = ctr(world);
    import.args(["images", "import", "--snapshotter", "native"]).arg(world.path("image.tar")).stdout(Stdio::null());
    assert!(import.status().unwrap().success(), "{}", world.log("containerd"));
}

/// Waits until a socket answers `ready`.
async fn until<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(world: &World, daemon: &str, ready: impl Fn() -> F) -> T {
    let deadline = soon();
    loop {
        match ready().await {
            Ok(value) => return value,
            Err(e) => assert!(tokio::time::Instant::now() < deadline, "{e:?}\n{}", world.log(daemon)),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// The part of kubelet that makes pods.
struct Kubelet {
    grpc: tonic::client::Grpc<Channel>,
    cgroup: String,
}

struct Made {
    pod: Pod,
    sandbox: String,
    /// Container id by name.
    containers: BTreeMap<String, String>,
}

impl Kubelet {
    fn of(world: &World) -> Self {
        let socket = world.root().join(CONTAINERD);
        let connect = tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(socket).await?)) }
        });
        let channel = Endpoint::from_static("http://localhost").connect_with_connector_lazy(connect);
        Self { grpc: tonic::client::Grpc::new(channel), cgroup: world.cgroup().to_owned() }
    }

    async fn call<Q: prost::Message + 'static, A: prost::Message + Default + 'static>(&mut self, method: &str, request: Q) -> A {
        self.grpc.ready().await.unwrap();
        let path = format!("/runtime.v1.RuntimeService/{method}").parse().unwrap();
        let codec = tonic::codec::ProstCodec::<Q, A>::default();
        let answer = self.grpc.unary(tonic::Request::new(request), path, codec).await;
        answer.unwrap_or_else(|status| panic!("{method}: {status}")).into_inner()
    }

    /// A pod as kubelet would make it: labels, cgroup parent, and the container's pid namespace its own.
    async fn run_pod(&mut self, namespace: &str, name: &str, network: i32, containers: &[&str]) -> Made {
        let uid = format!("uid-of-{name}");
        let pod = Pod { namespace: namespace.to_owned(), name: name.to_owned(), uid: uid.clone() };
        let label = |key: &str, value: &str| (format!("io.kubernetes.{key}"), value.to_owned());
        let labels = [label("pod.name", name), label("pod.namespace", namespace), label("pod.uid", &uid)];
        let namespaces = NamespaceOption { network, pid: 1, ipc: 0 };
        let sandbox_config = PodSandboxConfig {
            metadata: Some(PodSandboxMetadata { name: name.to_owned(), uid: uid.clone(), namespace: namespace.to_owned() }),
            hostname: if network == NODE { String::new() } else { name.to_owned() },
            labels: labels.clone().into(),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: format!("/{}/kubepods/burstable/pod{uid}", self.cgroup),
                security_context: Some(LinuxSandboxSecurityContext { namespace_options: Some(namespaces) }),
            }),
        };
        let request = RunPodSandboxRequest { config: Some(sandbox_config.clone()) };
        let sandbox = self.call::<_, RunPodSandboxResponse>("RunPodSandbox", request).await.pod_sandbox_id;
        let mut made = Made { pod, sandbox, containers: BTreeMap::new() };
        for container in containers {
            let security = LinuxContainerSecurityContext { namespace_options: Some(namespaces) };
            let config = ContainerConfig {
                metadata: Some(ContainerMetadata { name: (*container).to_owned(), attempt: 0 }),
                image: Some(ImageSpec { image: IMAGE.to_owned() }),
                labels: labels.clone().into_iter().chain([label("container.name", container)]).collect(),
                linux: Some(LinuxContainerConfig { security_context: Some(security) }),
            };
            let (pod_sandbox_id, sandbox_config) = (made.sandbox.clone(), Some(sandbox_config.clone()));
            let request = CreateContainerRequest { pod_sandbox_id, config: Some(config), sandbox_config };
            let id = self.call::<_, CreateContainerResponse>("CreateContainer", request).await.container_id;
            self.call::<_, Nothing>("StartContainer", ContainerRequest { container_id: id.clone() }).await;
            made.containers.insert((*container).to_owned(), id);
        }
        made
    }
}

/// What the client must list for these pods, by id.
fn expected(pods: &[&Made]) -> BTreeMap<String, Listed> {
    let of_pod = |made: &Made| -> Vec<Listed> {
        let one = |(name, id): (&String, &String)| Listed {
            id: id.clone(),
            name: name.clone(),
            pod: made.pod.clone(),
            sandbox: made.sandbox.clone(),
            running: true,
        };
        made.containers.iter().map(one).collect()
    };
    pods.iter().flat_map(|made| of_pod(made)).map(|listed| (listed.id.clone(), listed)).collect()
}

fn by_id(listed: Vec<Listed>) -> BTreeMap<String, Listed> {
    listed.into_iter().map(|one| (one.id.clone(), one)).collect()
}

/// Container id → pid, as `ctr` has it.
fn tasks(world: &World) -> BTreeMap<String, u32> {
    let listing = ctr(world).args(["tasks", "ls"]).output().unwrap();
    assert!(listing.status.success());
    let text = String::from_utf8(listing.stdout).unwrap();
    let task = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some((words.next()?, words.next()?.parse().ok()?))
    };
    text.lines().skip(1).filter_map(task).collect()
}

fn netns(proc: &Path) -> PathBuf {
    fs::read_link(proc.join("ns/net")).unwrap()
}

#[tokio::test]
#[ignore = "needs root and a real containerd: run by make test"]
async fn a_real_containerd() {
    let mut world = World::start();
    start_containerd(&mut world, true);
    let root = world.root();
    until(&world, "containerd", || async { Runtime::find(RuntimeChoice::Auto, None, &root).ok_or("no socket yet") }).await;
    let runtime = Runtime::find(RuntimeChoice::Auto, None, &root).unwrap();
    assert_eq!(until(&world, "containerd", || runtime.list(soon())).await, [], "containerd without a pod");
    import_image(&world);
    let mut kubelet = Kubelet::of(&world);
    let web = kubelet.run_pod("shop", "web-0", 0, &["app", "proxy"]).await;
    let db = kubelet.run_pod("shop", "db-0", 0, &["app", "backup"]).await;
    let agent = kubelet.run_pod("kube-system", "agent", NODE, &["agent"]).await;

    let listed = by_id(runtime.list(soon()).await.unwrap());
    assert_eq!(listed, expected(&[&web, &db, &agent]));
    let version = Command::new("containerd").arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap().split_whitespace().nth(2).unwrap().to_owned();
    assert_eq!(runtime.describe(), format!("containerd {version} at {}", root.join(CONTAINERD).display()));
    check_pids(&world, &runtime, &[&web, &db, &agent]).await;
    check_the_end_of_containers(&world, &runtime, &mut kubelet, &web).await;
    check_restarts(&mut world, &runtime, &db.containers["app"]).await;
}

/// The pids against `ctr` and the kernel: cgroup, and which of them share a network namespace.
async fn check_pids(world: &World, runtime: &Runtime, pods: &[&Made]) {
    let by_ctr = tasks(world);
    let mut networks = Vec::new();
    for made in pods {
        let mut of_pod = Vec::new();
        for id in made.containers.values() {
            let pid = runtime.pid(id, soon()).await.unwrap().unwrap();
            assert_eq!(Some(&pid), by_ctr.get(id));
            let cgroup = fs::read_to_string(world.proc(pid).join("cgroup")).unwrap();
            let place = format!("/{}/kubepods/burstable/pod{}/{id}", world.cgroup(), made.pod.uid);
            assert!(cgroup.contains(&place), "{place} is not in {cgroup}");
            of_pod.push(netns(&world.proc(pid)));
        }
        assert!(of_pod.iter().all(|network| *network == of_pod[0]), "one network a pod");
        networks.push(of_pod.remove(0));
    }
    let node = netns(&world.proc(1));
    assert_eq!(networks.iter().map(|network| *network == node).collect::<Vec<_>>(), [false, false, true]);
    assert_ne!(networks[0], networks[1]);
    assert_eq!(runtime.pid(&pods[0].sandbox, soon()).await.unwrap(), None, "a sandbox is no container");
}

/// A stopped container is listed as not running, a removed one not at all; neither has a pid.
async fn check_the_end_of_containers(world: &World, runtime: &Runtime, kubelet: &mut Kubelet, web: &Made) {
    let (stopped, removed) = (&web.containers["app"], &web.containers["proxy"]);
    for id in [stopped, removed] {
        kubelet.call::<_, Nothing>("StopContainer", ContainerRequest { container_id: id.clone() }).await;
    }
    kubelet.call::<_, Nothing>("RemoveContainer", ContainerRequest { container_id: removed.clone() }).await;
    let listed = by_id(runtime.list(soon()).await.unwrap());
    assert_eq!((listed[stopped].running, &listed[stopped].pod), (false, &web.pod));
    assert!(!listed.contains_key(removed));
    for id in [stopped, removed] {
        assert_eq!(runtime.pid(id, soon()).await.unwrap(), None, "{}", world.log("containerd"));
    }
}

/// A containerd that stands still costs the deadline; one that was killed and started again is found by the same client.
async fn check_restarts(world: &mut World, runtime: &Runtime, id: &str) {
    let pid = runtime.pid(id, soon()).await.unwrap();
    world.pause("containerd");
    assert!(matches!(runtime.list(short()).await, Err(RuntimeError::Hung { .. })));
    assert!(matches!(runtime.pid(id, short()).await, Err(RuntimeError::Hung { .. })));
    world.resume("containerd");
    runtime.list(soon()).await.unwrap();

    world.kill("containerd");
    let mut error = runtime.list(soon()).await.unwrap_err();
    if matches!(error, RuntimeError::Garbage { .. }) {
        error = runtime.list(soon()).await.unwrap_err(); // the first call may still meet the dying connection
    }
    assert!(matches!(error, RuntimeError::Refused { .. }), "{}", chain(&error));
    start_containerd(world, true);
    let listed = until(world, "containerd", || runtime.list(soon())).await;
    assert!(listed.iter().any(|one| one.id == id && one.running));
    assert_eq!(runtime.pid(id, soon()).await.unwrap(), pid, "containers outlive containerd");
}

// ---- Docker ----

/// One request to Docker's API; the answer's JSON, or null where there is none.
async fn docker(world: &World, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Result<Value, String> {
    let stream = UnixStream::connect(world.root().join("run/docker.sock")).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", "docker").header("content-type", kind);
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    if status.is_success() { Ok(serde_json::from_str(&text).unwrap_or(Value::Null)) } else { Err(format!("{status} {text}")) }
}

async fn start_dockerd(world: &mut World) {
    let folder = world.path("").display().to_string();
    let cgroup = world.cgroup().to_owned();
    world.spawn(
        "dockerd",
        &format!(
            "dockerd --containerd /run/containerd/containerd.sock --host unix:///run/docker.sock --data-root {folder}/docker \
             --exec-root /run/docker --pidfile /run/docker.pid --storage-driver vfs --bridge none --iptables=false \
             --cgroup-parent /{cgroup} --oom-score-adjust 0 --live-restore"
        ),
    );
    until(world, "dockerd", || docker(world, Method::GET, "/_ping", "text/plain", Vec::new())).await;
}

/// Makes a container and, if wanted, starts it; returns its id.
async fn run(world: &World, name: &str, network: &str, labels: Value, command: &[&str]) -> String {
    let config = json!({"Image": IMAGE, "Cmd": command, "Labels": labels, "HostConfig": {"NetworkMode": network}});
    let path = format!("/containers/create?name={name}");
    let made = docker(world, Method::POST, &path, "application/json", config.to_string().into()).await.unwrap();
    let id = made["Id"].as_str().unwrap().to_owned();
    let started = docker(world, Method::POST, &format!("/containers/{id}/start"), "application/json", Vec::new()).await;
    started.unwrap_or_else(|e| panic!("{e}\n{}", world.log("dockerd")));
    id
}

#[tokio::test]
#[ignore = "needs root, a real containerd and a real dockerd: run by make test"]
async fn a_real_dockerd_behind_a_containerd_without_cri() {
    let mut world = World::start();
    start_containerd(&mut world, false);
    let root = world.root();
    let containerd = || async { Runtime::find(RuntimeChoice::Containerd, None, &root).unwrap().list(soon()).await };
    let not_cri = || async {
        match containerd().await {
            Err(RuntimeError::NotCriV1 { message, .. }) => Ok(message),
            other => Err(format!("{other:?}")),
        }
    };
    assert_eq!(until(&world, "containerd", not_cri).await, "unknown service runtime.v1.RuntimeService");
    start_dockerd(&mut world).await;
    let files = Command::new(IMAGE_SCRIPT).arg("rootfs").output().unwrap().stdout;
    let import = "/images/create?fromSrc=-&repo=localhost/busybox&tag=1";
    docker(&world, Method::POST, import, "application/x-tar", files).await.unwrap();

    let runtime = Runtime::find(RuntimeChoice::Auto, None, &root).unwrap();
    assert_eq!(runtime.list(soon()).await.unwrap(), [], "Docker without a container");
    let sleep = ["/bin/sleep", "2147483647"];
    let plain = run(&world, "plain", "none", json!({"com.example": "x"}), &sleep).await;
    let host = run(&world, "host", "host", json!({}), &sleep).await;
    let ended = run(&world, "ended", "none", json!({}), &["/bin/true"]).await;
    docker(&world, Method::POST, &format!("/containers/{ended}/wait"), "application/json", Vec::new()).await.unwrap();
    let kube = |kind: &str| {
        json!({"io.kubernetes.docker.type": kind, "io.kubernetes.sandbox.id": plain, "io.kubernetes.container.name": "app",
               "io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.uid": "u-1"})
    };
    let app = run(&world, "k8s_app_web-0_shop_u-1_0", "none", kube("container"), &sleep).await;
    run(&world, "k8s_POD_web-0_shop_u-1_0", "none", kube("podsandbox"), &sleep).await;

    let none = |id: &String, name: &str, running| {
        (id.clone(), Listed { id: id.clone(), name: name.into(), pod: Pod::default(), sandbox: String::new(), running })
    };
    let pod = Pod { namespace: "shop".into(), name: "web-0".into(), uid: "u-1".into() };
    let of_pod = Listed { id: app.clone(), name: "app".into(), pod, sandbox: plain.clone(), running: true };
    let want = [none(&plain, "plain", true), none(&host, "host", true), none(&ended, "ended", false), (app.clone(), of_pod)];
    assert_eq!(by_id(runtime.list(soon()).await.unwrap()), want.into());
    let version = docker(&world, Method::GET, "/version", "text/plain", Vec::new()).await.unwrap();
    let socket = root.join("run/docker.sock");
    assert_eq!(runtime.describe(), format!("docker {} at {}", version["Version"].as_str().unwrap(), socket.display()));

    check_docker_pids(&world, &runtime, &[&plain, &app], &host).await;
    for id in [&ended, &"ab".repeat(32)] {
        assert_eq!(runtime.pid(id, soon()).await.unwrap(), None);
    }
    check_docker_restarts(&mut world, &runtime, &plain).await;
}

async fn check_docker_pids(world: &World, runtime: &Runtime, own: &[&String], host: &String) {
    let node = netns(&world.proc(1));
    for id in own.iter().copied().chain([host]) {
        let pid = runtime.pid(id, soon()).await.unwrap().unwrap();
        let cgroup = fs::read_to_string(world.proc(pid).join("cgroup")).unwrap();
        assert!(cgroup.contains(&format!("/{}/{id}", world.cgroup())), "{id} is not in {cgroup}");
        assert_eq!(netns(&world.proc(pid)) == node, id == host);
    }
}

async fn check_docker_restarts(world: &mut World, runtime: &Runtime, id: &str) {
    let before = runtime.list(soon()).await.unwrap();
    let pid = runtime.pid(id, soon()).await.unwrap();
    world.pause("dockerd");
    assert!(matches!(runtime.list(short()).await, Err(RuntimeError::Hung { .. })));
    world.resume("dockerd");
    world.kill("dockerd");
    let error = runtime.list(soon()).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Refused { .. }), "{}", chain(&error));
    start_dockerd(world).await;
    let after = runtime.list(soon()).await.unwrap();
    assert_eq!(ids(&after).len(), ids(&before).len());
    assert_eq!(runtime.pid(id, soon()).await.unwrap(), pid, "containers outlive dockerd");
}
