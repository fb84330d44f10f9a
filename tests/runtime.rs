//! The container runtime client against runtimes that misbehave on purpose, and (in `runtime_real.rs`) against a real
//! containerd and a real dockerd.
//!
//! A further fault is one more [`Reply`] or one more script; a further runtime is one more section here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests: a failure is a panic, real tools are run"
)]

#[path = "kit/runtime_messages.rs"]
mod messages;
#[path = "kit/runtime_scripted.rs"]
mod scripted;
#[path = "kit/runtime_world.rs"]
mod world;

mod runtime_real;

use chaoscope::node::runtime::{Endpoint, Listed, MAX_CONTAINERS, Pod, Runtime, RuntimeChoice, RuntimeError};
use messages::{
    Container, ContainerMetadata, ContainerStatus, ContainerStatusRequest, ContainerStatusResponse, ListContainersResponse, VersionResponse,
};
use prost::Message;
use scripted::{Reply, Scripted};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

const LIST: &str = "ListContainers";
const STATUS: &str = "ContainerStatus";

/// Long enough for any answer that comes at all.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// A deadline that is meant to pass.
fn short() -> Instant {
    Instant::now() + Duration::from_millis(150)
}

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("r.sock");
    (folder, socket)
}

fn ask(choice: RuntimeChoice, socket: &Path) -> Runtime {
    let endpoint: Endpoint = format!("unix://{}", socket.display()).parse().unwrap();
    Runtime::find(choice, Some(&endpoint), Path::new("/nowhere")).unwrap()
}

fn ids(listed: &[Listed]) -> Vec<&str> {
    listed.iter().map(|container| container.id.as_str()).collect()
}

/// The whole chain of causes in one line.
fn chain(error: &RuntimeError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

// ---- CRI ----

fn container(id: &str, state: i32) -> Container {
    let label = |key: &str, value: &str| (format!("io.kubernetes.{key}"), value.to_owned());
    Container {
        id: id.to_owned(),
        pod_sandbox_id: "sandbox-1".to_owned(),
        metadata: Some(ContainerMetadata { name: "app".to_owned(), attempt: 3 }),
        state,
        created_at: 1_700_000_000_000_000_000,
        labels: [label("container.name", "app"), label("pod.name", "web-0"), label("pod.namespace", "shop"), label("pod.uid", "u-1")]
            .into(),
        annotations: [("io.kubernetes.container.restartCount".to_owned(), "3".to_owned())].into(),
        ..Container::default()
    }
}

fn list(containers: Vec<Container>) -> Reply {
    Reply::Message(ListContainersResponse { containers }.encode_to_vec())
}

fn version() -> Reply {
    let version = VersionResponse { runtime_name: "scripted".into(), runtime_version: "v7.1".into(), ..VersionResponse::default() };
    Reply::Message(version.encode_to_vec())
}

fn status(message: &[u8], state: i32, info: Option<&str>) -> Reply {
    let request = ContainerStatusRequest::decode(message).unwrap();
    assert!(request.verbose, "without verbose there is no info");
    let status = ContainerStatus { id: request.container_id, state, ..ContainerStatus::default() };
    let info = info.map(|info| ("info".to_owned(), info.to_owned())).into_iter().collect();
    Reply::Message(ContainerStatusResponse { status: Some(status), info }.encode_to_vec())
}

/// A healthy runtime with these containers, all with process 4711.
fn healthy(containers: Vec<Container>) -> impl Fn(&str, &[u8]) -> Reply + Send + Sync + 'static {
    move |asked, message| match asked {
        "Version" => version(),
        LIST => list(containers.clone()),
        STATUS => status(message, 1, Some(r#"{"sandboxID":"s","pid":4711,"removing":false}"#)),
        other => panic!("asked for {other}"),
    }
}

#[tokio::test]
async fn cri_lists_in_one_call_and_tells_a_pid_in_one() {
    let (_folder, socket) = folder();
    let server = Scripted::start(&socket, healthy(vec![container("c1", 1), container("c2", 2)]));
    let runtime = ask(RuntimeChoice::Cri, &socket);
    assert_eq!(runtime.describe(), format!("CRI runtime at {}", socket.display()));
    let listed = runtime.list(soon()).await.unwrap();
    let pod = Pod { namespace: "shop".into(), name: "web-0".into(), uid: "u-1".into() };
    let want = Listed { id: "c1".into(), name: "app".into(), pod, sandbox: "sandbox-1".into(), running: true };
    assert_eq!(listed, [want.clone(), Listed { id: "c2".into(), running: false, ..want }]);
    runtime.list(soon()).await.unwrap();
    assert_eq!((server.calls(LIST), server.calls("Version"), server.calls(STATUS)), (2, 1, 0));
    assert_eq!(runtime.pid("c1", soon()).await.unwrap(), Some(4711));
    assert_eq!((server.calls(LIST), server.calls("Version"), server.calls(STATUS)), (2, 1, 1));
    assert_eq!(runtime.describe(), format!("scripted 7.1 at {}", socket.display()));
}

#[tokio::test]
async fn two_thousand_containers_fit_and_ten_thousand_and_one_do_not() {
    let (_folder, socket) = folder();
    let count = Arc::new(AtomicUsize::new(2_000));
    let now = Arc::clone(&count);
    let many = move |asked: &str, _: &[u8]| match asked {
        "Version" => version(),
        _ => list((0..now.load(Ordering::Relaxed)).map(|n| container(&format!("{n:064}"), 1)).collect()),
    };
    let _server = Scripted::start(&socket, many);
    let runtime = ask(RuntimeChoice::Cri, &socket);
    assert_eq!(runtime.list(soon()).await.unwrap().len(), 2_000);
    count.store(MAX_CONTAINERS + 1, Ordering::Relaxed);
    let error = runtime.list(soon()).await.unwrap_err();
    assert!(matches!(error, RuntimeError::TooMany { .. }), "{}", chain(&error));
}

#[tokio::test]
async fn crio_without_a_pid_in_its_status_is_asked_by_http_on_the_same_socket() {
    let (_folder, socket) = folder();
    let script = |asked: &str, message: &[u8]| match asked {
        STATUS => {
            let ended = ContainerStatusRequest::decode(message).unwrap().container_id == "ended";
            status(message, if ended { 2 } else { 1 }, Some(r#"{"sandboxID":"s","runtimeSpec":{}}"#))
        }
        "GET /containers/c1 crio" => Reply::Http(200, r#"{"name":"k8s_app","pid":815,"labels":{}}"#.into()),
        "GET /containers/zero crio" => Reply::Http(200, r#"{"pid":0}"#.into()),
        "GET /containers/none crio" => Reply::Http(200, r#"{"name":"k8s_app"}"#.into()),
        "GET /containers/gone crio" => Reply::Http(404, "can't find the container".into()),
        "GET /containers/broken crio" => Reply::Http(200, r#"{"pid":"#.into()),
        "GET /containers/failing crio" => Reply::Http(500, "state is\nnil".into()),
        other => panic!("asked for {other}"),
    };
    let server = Scripted::start(&socket, script);
    let runtime = ask(RuntimeChoice::Crio, &socket);
    assert_eq!(runtime.pid("c1", soon()).await.unwrap(), Some(815));
    for none in ["zero", "gone"] {
        assert_eq!(runtime.pid(none, soon()).await.unwrap(), None, "{none}");
    }
    let pages = server.calls("GET");
    assert_eq!(runtime.pid("ended", soon()).await.unwrap(), None);
    assert_eq!(server.calls("GET"), pages, "the page of an ended container still shows its last pid");
    assert!(matches!(runtime.pid("none", soon()).await, Err(RuntimeError::NoPid { .. })));
    assert!(matches!(runtime.pid("broken", soon()).await, Err(RuntimeError::Garbage { .. })));
    let failing = runtime.pid("failing", soon()).await.unwrap_err().to_string();
    assert!(failing.ends_with("refused: HTTP 500: state is nil"), "{failing}");
}

#[tokio::test]
async fn a_runtime_that_tells_no_pid_and_has_no_page_says_so() {
    let (_folder, socket) = folder();
    let script = |asked: &str, message: &[u8]| match asked {
        STATUS => status(message, 1, None),
        _ => Reply::Cut,
    };
    let _server = Scripted::start(&socket, script);
    let error = ask(RuntimeChoice::Cri, &socket).pid("c1", soon()).await.unwrap_err();
    assert!(matches!(error, RuntimeError::NoPid { .. }), "{}", chain(&error));
}

#[tokio::test]
async fn answers_that_cannot_be_read_are_errors_and_the_next_good_one_is_read() {
    let (_folder, socket) = folder();
    let turn = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&turn);
    let script = move |asked: &str, _: &[u8]| match (asked, now.load(Ordering::Relaxed)) {
        ("Version", _) => version(),
        (_, 0) => Reply::Message(b"\x0a\x7fnot a container".to_vec()),
        (_, 1) => Reply::Raw(vec![0, 0, 0, 1, 0, 1, 2, 3]), // announces 256 bytes, sends 3
        (_, 2) => Reply::Raw(vec![0, 0]),                   // ends within the prefix
        (_, 3) => Reply::Raw(vec![]),                       // no message at all
        (_, 4) => Reply::Raw(vec![1, 0, 0, 0, 1, 9]),       // says it is compressed
        (_, 5) => Reply::Cut,
        (_, 6) => list(vec![container("../../etc/passwd", 1)]),
        _ => list(vec![container("c1", 1)]),
    };
    let _server = Scripted::start(&socket, script);
    let runtime = ask(RuntimeChoice::Cri, &socket);
    for fault in 0..7 {
        turn.store(fault, Ordering::Relaxed);
        let error = runtime.list(soon()).await.unwrap_err();
        assert!(matches!(error, RuntimeError::Garbage { .. }), "{fault}: {}", chain(&error));
        assert_eq!(error.endpoint(), socket);
        assert!(error.remedy().contains("--runtime=docker"));
    }
    turn.store(7, Ordering::Relaxed);
    assert_eq!(ids(&runtime.list(soon()).await.unwrap()), ["c1"]);
}

#[tokio::test]
async fn an_oversized_answer_is_refused_by_its_announcement() {
    let (_folder, socket) = folder();
    let announce = |bytes: u32| Reply::Raw([&[0][..], &bytes.to_be_bytes(), &[0; 100]].concat());
    let script = move |asked: &str, _: &[u8]| match asked {
        LIST => announce((16 << 20) + 1),
        _ => announce((4 << 20) + 1),
    };
    let _server = Scripted::start(&socket, script);
    let runtime = ask(RuntimeChoice::Cri, &socket);
    let texts = [runtime.list(soon()).await.unwrap_err(), runtime.pid("c1", soon()).await.unwrap_err()].map(|e| chain(&e));
    assert!(texts[0].ends_with("is larger than 16 MiB"), "{}", texts[0]);
    assert!(texts[1].ends_with("is larger than 4 MiB"), "{}", texts[1]);
}

#[tokio::test]
async fn a_runtime_with_only_an_older_cri_is_told_apart() {
    let (_folder, socket) = folder();
    let _server = Scripted::start(&socket, |_, _| Reply::Status(12, "unknown service runtime.v1.RuntimeService".into()));
    let error = ask(RuntimeChoice::Containerd, &socket).list(soon()).await.unwrap_err();
    assert!(matches!(error, RuntimeError::NotCriV1 { .. }), "{}", chain(&error));
    assert!(error.to_string().ends_with("does not offer CRI v1: unknown service runtime.v1.RuntimeService"), "{error}");
    assert!(error.remedy().contains("disabled_plugins"));
}

#[tokio::test]
async fn what_the_runtime_does_not_know_or_does_not_run_has_no_pid() {
    let (_folder, socket) = folder();
    let script = |asked: &str, message: &[u8]| {
        assert_eq!(asked, STATUS);
        let id = ContainerStatusRequest::decode(message).unwrap().container_id;
        match id.as_str() {
            "unknown" => Reply::Status(5, "an error occurred when try to find container".into()),
            "cri-dockerd" => Reply::Status(2, "Error response from daemon: No such container: cri-dockerd".into()),
            "failing" => Reply::Status(2, "failed to get container spec".into()),
            "ended" => status(message, 2, Some(r#"{"pid":4711}"#)),
            "created" => status(message, 0, Some(r#"{"pid":0}"#)),
            _ => status(b"\x0a\x05other\x10\x01", 1, Some(r#"{"pid":4711}"#)),
        }
    };
    let server = Scripted::start(&socket, script);
    let runtime = ask(RuntimeChoice::Cri, &socket);
    for none in ["unknown", "cri-dockerd", "ended", "created"] {
        assert_eq!(runtime.pid(none, soon()).await.unwrap(), None, "{none}");
    }
    let failing = runtime.pid("failing", soon()).await.unwrap_err().to_string();
    assert!(failing.ends_with("refused: Unknown: failed to get container spec"), "{failing}");
    assert!(matches!(runtime.pid("mixed-up", soon()).await, Err(RuntimeError::Garbage { .. })));
    let calls = server.calls("");
    assert_eq!(runtime.pid("../../x", soon()).await.unwrap(), None);
    assert_eq!(server.calls(""), calls, "what cannot be an id is not sent");
}

#[tokio::test]
async fn a_call_that_hangs_costs_its_deadline_and_holds_up_no_other() {
    let (_folder, socket) = folder();
    let script = |asked: &str, message: &[u8]| match asked {
        LIST => Reply::Never,
        _ if ContainerStatusRequest::decode(message).unwrap().container_id == "slow" => Reply::Never,
        _ => status(message, 1, Some(r#"{"pid":4711}"#)),
    };
    let server = Scripted::start(&socket, script);
    let runtime = ask(RuntimeChoice::Cri, &socket);
    let error = runtime.list(short()).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Hung { .. }), "{}", chain(&error));

    let others = async {
        server.asked(STATUS, 1).await; // the slow one is under way
        let ids: Vec<String> = (1..8).map(|n| format!("c{n}")).collect();
        futures_util::future::join_all(ids.iter().map(|id| runtime.pid(id, soon()))).await
    };
    tokio::select! {
        slow = runtime.pid("slow", soon()) => panic!("the hanging call returned first: {slow:?}"),
        pids = others => assert!(pids.len() == 7 && pids.into_iter().all(|pid| pid.unwrap() == Some(4711))),
    }
}

#[tokio::test]
async fn a_version_that_never_comes_does_not_lose_the_list() {
    let (_folder, socket) = folder();
    let script = |asked: &str, _: &[u8]| if asked == LIST { list(vec![container("c1", 1)]) } else { Reply::Never };
    let server = Scripted::start(&socket, script);
    let runtime = ask(RuntimeChoice::Cri, &socket);
    for _ in 0..2 {
        assert_eq!(ids(&runtime.list(soon()).await.unwrap()), ["c1"]);
    }
    assert_eq!(server.calls("Version"), 1, "asked once a connection");
}

#[tokio::test]
async fn a_runtime_that_died_is_found_again_when_it_is_back() {
    let (_folder, socket) = folder();
    let server = Scripted::start(&socket, healthy(vec![container("c1", 1)]));
    let runtime = ask(RuntimeChoice::Cri, &socket);
    runtime.list(soon()).await.unwrap();
    server.die().await;

    // The first call may still meet the dying connection.
    let mut error = runtime.list(soon()).await.unwrap_err();
    if matches!(error, RuntimeError::Garbage { .. }) {
        error = runtime.list(soon()).await.unwrap_err();
    }
    assert!(matches!(error, RuntimeError::Refused { .. }), "{}", chain(&error));
    assert!(matches!(runtime.pid("c1", soon()).await, Err(RuntimeError::Refused { .. })));

    std::fs::remove_file(&socket).unwrap();
    let error = runtime.list(soon()).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Absent { .. }), "{}", chain(&error));
    assert!(error.remedy().contains("--runtime.endpoint") && error.remedy().contains("mount"));

    let server = Scripted::start(&socket, healthy(vec![container("c2", 1)]));
    assert_eq!(ids(&runtime.list(soon()).await.unwrap()), ["c2"]);
    assert_eq!(runtime.pid("c2", soon()).await.unwrap(), Some(4711));
    assert_eq!(server.calls("Version"), 1, "another connection may be another version");
}

#[tokio::test]
async fn dying_in_the_middle_of_a_call_is_an_error() {
    let (_folder, socket) = folder();
    let server = Scripted::start(&socket, |_, _| Reply::Never);
    let runtime = ask(RuntimeChoice::Cri, &socket);
    let death = async {
        server.asked(LIST, 1).await;
        server.die().await;
    };
    let (answer, ()) = tokio::join!(runtime.list(soon()), death);
    let error = answer.unwrap_err();
    assert!(matches!(error, RuntimeError::Garbage { .. }), "{}", chain(&error));
}

#[tokio::test]
async fn sockets_that_are_none_of_ours_are_told_apart() {
    let (folder, socket) = folder();
    // Speaks HTTP/1.1 only, as Docker does, and closes at what it cannot read.
    let docker = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in docker.incoming() {
            let _ = std::io::Write::write_all(&mut stream.unwrap(), b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let error = ask(RuntimeChoice::Cri, &socket).list(soon()).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Garbage { .. }), "{}", chain(&error));

    // A plain file.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for choice in [RuntimeChoice::Cri, RuntimeChoice::Docker] {
        assert!(matches!(ask(choice, &file).list(soon()).await, Err(RuntimeError::Refused { .. })));
    }

    // A path longer than a socket address holds.
    let long = folder.path().join("l".repeat(120));
    for choice in [RuntimeChoice::Cri, RuntimeChoice::Docker] {
        let error = ask(choice, &long).list(soon()).await.unwrap_err();
        assert!(matches!(error, RuntimeError::Unreachable { .. }), "{}", chain(&error));
    }
}

#[tokio::test]
async fn a_listener_that_never_accepts_costs_the_deadline_only() {
    for choice in [RuntimeChoice::Cri, RuntimeChoice::Docker] {
        let (_folder, socket) = folder();
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let error = ask(choice, &socket).list(short()).await.unwrap_err();
        assert!(matches!(error, RuntimeError::Hung { .. }), "{}", chain(&error));
    }
}

#[tokio::test]
async fn a_listener_whose_queue_is_full_is_hung() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    for choice in [RuntimeChoice::Cri, RuntimeChoice::Docker] {
        let (_folder, path) = folder();
        let listener = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&listener, 0).unwrap();
        let _waiting = std::os::unix::net::UnixStream::connect(&path).unwrap(); // fills the queue of one
        let error = ask(choice, &path).list(soon()).await.unwrap_err();
        assert!(matches!(error, RuntimeError::Hung { .. }), "{}", chain(&error));
    }
}

#[test]
fn a_socket_we_may_not_open_is_denied() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, socket) = folder();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let asked = move |choice| {
        if rustix::process::geteuid().is_root() {
            // Only this thread: uid 0 may open anything.
            rustix::thread::set_thread_uid(rustix::fs::Uid::from_raw(65_534)).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ask(choice, &socket).list(soon())).unwrap_err()
    };
    for choice in [RuntimeChoice::Cri, RuntimeChoice::Docker] {
        let asked = asked.clone();
        let error = std::thread::spawn(move || asked(choice)).join().unwrap();
        assert!(matches!(error, RuntimeError::Denied { .. }), "{}", chain(&error));
        assert!(error.remedy().contains("uid 0"));
    }
}

// ---- Docker ----

const DOCKER_LIST: &str = "GET /containers/json?all=1 docker";

fn docker_list() -> Reply {
    let of_a_pod = r#"{"Id":"aa","Names":["/k8s_app_web-0_shop_u-1_0"],"State":"running","Labels":{
        "io.kubernetes.docker.type":"container","io.kubernetes.sandbox.id":"ff","io.kubernetes.container.name":"app",
        "io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"u-1"}}"#;
    let sandbox = r#"{"Id":"ff","Names":["/k8s_POD"],"State":"running","Labels":{"io.kubernetes.docker.type":"podsandbox"}}"#;
    let plain = r#"{"Id":"bb","Names":["/db"],"State":"running","Labels":{"com.example":"x"}}"#;
    let ended = r#"{"Id":"cc","Names":["/job"],"State":"exited","Labels":{}}"#;
    Reply::Http(200, format!("[{of_a_pod},{sandbox},{plain},{ended}]"))
}

#[tokio::test]
async fn docker_lists_in_one_call_and_tells_a_pid_in_one() {
    let (_folder, socket) = folder();
    let script = |asked: &str, _: &[u8]| match asked {
        DOCKER_LIST => docker_list(),
        "GET /containers/bb/json docker" => Reply::Http(200, r#"{"Id":"bb","State":{"Running":true,"Pid":42}}"#.into()),
        "GET /containers/cc/json docker" => Reply::Http(200, r#"{"Id":"cc","State":{"Running":false,"Pid":0}}"#.into()),
        "GET /containers/dd/json docker" => Reply::Http(404, r#"{"message":"No such container: dd"}"#.into()),
        "GET /containers/ee/json docker" => Reply::Http(500, r#"{"message":"boom"}"#.into()),
        other => panic!("asked for {other}"),
    };
    let server = Scripted::start(&socket, script);
    let runtime = ask(RuntimeChoice::Docker, &socket);
    assert_eq!(runtime.describe(), format!("Docker engine at {}", socket.display()));
    let listed = runtime.list(soon()).await.unwrap();
    assert_eq!(server.calls(""), 1);
    assert_eq!(runtime.describe(), format!("docker 20.10.24 at {}", socket.display()));
    let pod = Pod { namespace: "shop".into(), name: "web-0".into(), uid: "u-1".into() };
    let plain =
        |id: &str, name: &str, running| Listed { id: id.into(), name: name.into(), pod: Pod::default(), sandbox: String::new(), running };
    let app = Listed { id: "aa".into(), name: "app".into(), pod, sandbox: "ff".into(), running: true };
    assert_eq!(listed, [app, plain("bb", "db", true), plain("cc", "job", false)]);
    assert_eq!(runtime.pid("bb", soon()).await.unwrap(), Some(42));
    assert_eq!(server.calls(""), 2);
    assert_eq!(runtime.pid("cc", soon()).await.unwrap(), None);
    assert_eq!(runtime.pid("dd", soon()).await.unwrap(), None);
    let error = runtime.pid("ee", soon()).await.unwrap_err().to_string();
    assert!(error.ends_with(r#"refused: HTTP 500: {"message":"boom"}"#), "{error}");
}

#[tokio::test]
async fn docker_answers_that_cannot_be_read_are_errors_and_the_next_good_one_is_read() {
    let (_folder, socket) = folder();
    let turn = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&turn);
    let script = move |_: &str, _: &[u8]| match now.load(Ordering::Relaxed) {
        0 => Reply::Http(200, "not json".into()),
        1 => Reply::Http(200, r#"[{"Id":"aa""#.into()),
        2 => Reply::HttpShort("[".into()),
        3 => Reply::HttpEndless,
        4 => Reply::Never,
        5 => Reply::Http(503, "starting".into()),
        _ => docker_list(),
    };
    let _server = Scripted::start(&socket, script);
    let runtime = ask(RuntimeChoice::Docker, &socket);
    for fault in 0..6 {
        turn.store(fault, Ordering::Relaxed);
        let error = runtime.list(if fault == 4 { short() } else { soon() }).await.unwrap_err();
        let right = match fault {
            0..=2 => matches!(error, RuntimeError::Garbage { .. }),
            3 => matches!(error, RuntimeError::TooLarge { .. }),
            4 => matches!(error, RuntimeError::Hung { .. }),
            _ => matches!(error, RuntimeError::Failed { .. }),
        };
        assert!(right, "{fault}: {}", chain(&error));
        assert_eq!(error.endpoint(), socket);
    }
    turn.store(6, Ordering::Relaxed);
    assert_eq!(ids(&runtime.list(soon()).await.unwrap()), ["aa", "bb", "cc"]);
}

#[tokio::test]
async fn a_docker_engine_that_died_is_found_again_when_it_is_back() {
    let (_folder, socket) = folder();
    let server = Scripted::start(&socket, |_, _| docker_list());
    let runtime = ask(RuntimeChoice::Docker, &socket);
    runtime.list(soon()).await.unwrap();
    server.die().await;
    assert!(matches!(runtime.list(soon()).await, Err(RuntimeError::Refused { .. })));
    std::fs::remove_file(&socket).unwrap();
    assert!(matches!(runtime.list(soon()).await, Err(RuntimeError::Absent { .. })));
    let _server = Scripted::start(&socket, |_, _| docker_list());
    assert_eq!(runtime.list(soon()).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_slow_docker_call_holds_up_no_other() {
    let (_folder, socket) = folder();
    let script = |asked: &str, _: &[u8]| match asked {
        "GET /containers/slow/json docker" => Reply::Never,
        _ => Reply::Http(200, r#"{"Id":"bb","State":{"Pid":42}}"#.into()),
    };
    let server = Scripted::start(&socket, script);
    let runtime = ask(RuntimeChoice::Docker, &socket);
    let others = async {
        server.asked("GET /containers/slow", 1).await;
        futures_util::future::join_all((0..7).map(|_| runtime.pid("bb", soon()))).await
    };
    tokio::select! {
        slow = runtime.pid("slow", soon()) => panic!("the hanging call returned first: {slow:?}"),
        pids = others => assert!(pids.len() == 7 && pids.into_iter().all(|pid| pid.unwrap() == Some(42))),
    }
}

// ---- Finding ----

fn at(root: &TempDir, path: &str) -> PathBuf {
    root.path().join(path)
}

#[tokio::test]
async fn auto_finds_nothing_until_a_runtime_starts() {
    let root = TempDir::new().unwrap();
    let find = || Runtime::find(RuntimeChoice::Auto, None, root.path());
    assert!(find().is_none());
    assert!(Runtime::find(RuntimeChoice::None, None, root.path()).is_none());
    let _server = Scripted::start(&at(&root, "run/k3s/containerd/containerd.sock"), healthy(vec![container("c1", 1)]));
    assert_eq!(ids(&find().unwrap().list(soon()).await.unwrap()), ["c1"]);
}

#[tokio::test]
async fn a_runtime_asked_for_by_name_is_missed_by_name() {
    let root = TempDir::new().unwrap();
    for (choice, path) in [
        (RuntimeChoice::Containerd, "run/containerd/containerd.sock"),
        (RuntimeChoice::Crio, "run/crio/crio.sock"),
        (RuntimeChoice::Docker, "run/docker.sock"),
    ] {
        let error = Runtime::find(choice, None, root.path()).unwrap().list(soon()).await.unwrap_err();
        assert!(matches!(error, RuntimeError::Absent { .. }), "{}", chain(&error));
        assert_eq!(error.endpoint(), at(&root, path));
    }
}

#[tokio::test]
async fn a_socket_seen_below_two_paths_is_asked_once() {
    let root = TempDir::new().unwrap();
    let server = Scripted::start(&at(&root, "run/crio/crio.sock"), healthy(vec![]));
    std::fs::create_dir(at(&root, "var")).unwrap();
    std::os::unix::fs::symlink("../run", at(&root, "var/run")).unwrap();
    let runtime = Runtime::find(RuntimeChoice::Auto, None, root.path()).unwrap();
    assert_eq!(runtime.list(soon()).await.unwrap(), []);
    assert_eq!(server.calls(LIST), 1);
}

#[tokio::test]
async fn a_docker_host_is_found_behind_its_own_containerd() {
    let root = TempDir::new().unwrap();
    let behind = Scripted::start(&at(&root, "run/docker.sock"), |_, _| docker_list());
    let disabled = |_: &str, _: &[u8]| Reply::Status(12, "unknown service runtime.v1.RuntimeService".into());
    for empty in [false, true] {
        let containerd = at(&root, "run/containerd/containerd.sock");
        let _front = if empty { Scripted::start(&containerd, healthy(vec![])) } else { Scripted::start(&containerd, disabled) };
        let runtime = Runtime::find(RuntimeChoice::Auto, None, root.path()).unwrap();
        assert_eq!(ids(&runtime.list(soon()).await.unwrap()), ["aa", "bb", "cc"]);
        assert!(runtime.describe().contains(behind.socket().to_str().unwrap()), "{}", runtime.describe());
    }
}

#[tokio::test]
async fn kubernetes_own_runtime_is_preferred_and_not_replaced_when_it_fails() {
    let root = TempDir::new().unwrap();
    let path = at(&root, "run/containerd/containerd.sock");
    let filled = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&filled);
    let pods = move |asked: &str, _: &[u8]| match asked {
        "Version" => version(),
        _ => list(if now.load(Ordering::Relaxed) { vec![container("c1", 1)] } else { vec![] }),
    };
    let front = Scripted::start(&path, pods);
    let behind = Scripted::start(&at(&root, "run/docker.sock"), |_, _| docker_list());
    let runtime = Runtime::find(RuntimeChoice::Auto, None, root.path()).unwrap();
    assert_eq!(runtime.list(soon()).await.unwrap().len(), 3, "no pod yet");
    filled.store(true, Ordering::Relaxed);
    assert_eq!(ids(&runtime.list(soon()).await.unwrap()), ["c1"]);
    assert_eq!((front.calls(LIST), behind.calls("GET")), (2, 1), "one call a list once there are pods");
    front.die().await;
    for _ in 0..3 {
        let error = runtime.list(soon()).await.unwrap_err();
        assert_eq!(error.endpoint(), path, "Docker's containers would look like every pod gone");
    }
    assert_eq!(behind.calls("GET"), 1);
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(runtime.list(soon()).await, Err(RuntimeError::Absent { .. })));
    assert_eq!(runtime.list(soon()).await.unwrap().len(), 3, "and then the host has changed");
}

#[tokio::test]
async fn docker_settled_on_stays_while_the_containerd_before_it_is_down() {
    let root = TempDir::new().unwrap();
    let _behind = Scripted::start(&at(&root, "run/docker.sock"), |_, _| docker_list());
    let front = Scripted::start(&at(&root, "run/containerd/containerd.sock"), healthy(vec![]));
    let runtime = Runtime::find(RuntimeChoice::Auto, None, root.path()).unwrap();
    assert_eq!(runtime.list(soon()).await.unwrap().len(), 3);
    front.die().await;
    assert_eq!(runtime.list(soon()).await.unwrap().len(), 3);
}
