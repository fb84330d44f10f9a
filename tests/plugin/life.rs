//! The process: how it starts, says so, and ends.

use crate::BINARY;
use crate::grafana_host::{Host, context, question};
use crate::origin::{Origin, Reply};
use crate::process::{Running, finish, until};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

/// As a host starts it, and until it says where it listens.
fn started() -> (Running, String, BufReader<std::process::ChildStdout>) {
    let (read, write) = std::io::pipe().unwrap();
    let mut command = Command::new(BINARY);
    command.env_clear().env("grafana_plugin_type", "datasource").stdout(write).stderr(Stdio::null());
    let running = Running::start(&mut command);
    drop(command);
    let mut reader = BufReader::new(std::process::ChildStdout::from(std::os::fd::OwnedFd::from(read)));
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (running, line, reader)
}

/// Sends one of `kill`'s signals.
fn signal(name: &str, pid: u32) {
    assert!(finish(Command::new("kill").args([name, &pid.to_string()])).status.success());
}

#[test]
fn the_handshake_is_one_exact_line() {
    let (mut running, line, mut rest) = started();
    let parts: Vec<_> = line.strip_suffix('\n').unwrap().split('|').collect();
    let [core, app, network, address, protocol] = parts[..] else { panic!("{line:?}") };
    assert_eq!((core, app, network, protocol), ("1", "2", "tcp", "grpc"), "{line:?}");
    let address: SocketAddr = address.parse().unwrap();
    assert!(address.ip().is_loopback());
    TcpStream::connect(address).unwrap();
    // Nothing else, ever: a host throws it away.
    signal("-TERM", running.pid());
    let mut more = String::new();
    rest.read_to_string(&mut more).unwrap();
    assert_eq!(more, "");
    assert!(running.wait().success());
}

#[test]
fn signals_end_it_with_success() {
    for name in ["-TERM", "-INT"] {
        let (mut running, _, _) = started();
        signal(name, running.pid());
        assert!(running.wait().success(), "{name}");
    }
}

/// A host that keeps its connection open does not hold it.
#[test]
fn an_open_connection_does_not_keep_it() {
    let (mut running, line, _) = started();
    let address = line.split('|').nth(3).unwrap().to_owned();
    let idle = TcpStream::connect(address).unwrap();
    signal("-TERM", running.pid());
    assert!(running.wait().success());
    drop(idle);
}

#[test]
fn by_hand_it_explains_itself() {
    let run = |args: &[&str], cookie: Option<&str>| {
        let mut command = Command::new(BINARY);
        command.args(args).env_clear();
        if let Some(cookie) = cookie {
            command.env("grafana_plugin_type", cookie);
        }
        let output = finish(&mut command);
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for cookie in [None, Some("panel")] {
        let (code, stdout, stderr) = run(&[], cookie);
        assert_eq!((code, &*stdout), (Some(1), ""));
        assert!(stderr.contains("Grafana starts this program"), "{stderr}");
    }
    let version = format!("gpx_chaoscope {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"], None), (Some(0), version.clone(), String::new()));
    assert_eq!(run(&["--version"], Some("datasource")).1, version);
    let (code, stdout, _) = run(&["--help"], None);
    assert!(code == Some(0) && stdout.contains("log_level"), "{stdout}");
}

#[test]
#[ignore = "needs Go: run by make test"]
fn a_real_host_starts_pings_and_stops_it() {
    let host = Host::start(BINARY, &[]);
    assert_eq!(host.started["protocol"], 2);
    host.call("ping", json!({}));
    let stopped = host.call("stop", json!({}));
    assert_eq!((&stopped["graceful"], &stopped["code"]), (&json!(true), &json!(0)), "{stopped}");
    // Three in a row are new processes each time, and none is killed.
    for _ in 0..3 {
        host.call("start", json!({}));
        host.call("ping", json!({}));
        assert_eq!(host.call("stop", json!({}))["graceful"], true);
    }
}

/// Grafana looks each second, and starts again what has ended.
#[test]
#[ignore = "needs Go: run by make test"]
fn killed_it_can_be_started_again() {
    let host = Host::start(BINARY, &[]);
    signal("-KILL", host.pid().try_into().unwrap());
    until(|| host.has_exited().then_some(()), || "the host sees that it ended".to_owned());
    assert!(host.try_call("ping", json!({})).is_err());
    let again = host.call("start", json!({}));
    assert_ne!(again["pid"], host.started["pid"]);
    host.call("ping", json!({}));
    assert_eq!(host.call("stop", json!({}))["graceful"], true);
}

#[test]
#[ignore = "needs Go: run by make test"]
fn a_host_reads_its_log_lines() {
    let host = Host::start(BINARY, &[("GF_PLUGIN_LOG_LEVEL", "loud")]);
    host.call("stop", json!({}));
    let output = host.call("output", json!({}));
    let line = output["stderr"].as_str().unwrap().lines().next().unwrap_or_default();
    let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{output}"));
    assert_eq!((&line["@level"], &line["@module"]), (&json!("warn"), &json!("chaoscope_datasource::plugin::log")));
    // Had the host not understood it, it would stand there at debug and as one text.
    let log = output["log"].as_str().unwrap();
    let understood = log.lines().filter_map(|it| serde_json::from_str::<serde_json::Value>(it).ok());
    let understood: Vec<_> = understood.filter(|it| it["@level"] == "warn" && it["variable"] == "GF_PLUGIN_LOG_LEVEL").collect();
    assert_eq!(understood.len(), 1, "{log}");
}

#[test]
#[ignore = "needs Go: run by make test"]
fn what_needs_no_datasource_answers() {
    let host = Host::start(BINARY, &[]);
    let nobody = json!({ "noSettings": true });
    let health = host.call("health", json!({ "context": nobody }));
    assert_eq!(health["status"], "OK", "{health}");
    let metrics = host.call("metrics", json!({ "context": nobody }));
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("chaoscope_datasource_build_info{version="), "{metrics}");
    assert!(metrics.contains("# TYPE chaoscope_datasource_stream_packets_total counter"), "{metrics}");
    let keys = host.call("resource", json!({ "context": nobody, "method": "GET", "path": "tag-keys", "url": "tag-keys" }));
    assert_eq!((&keys["status"], &keys["body"][0]), (&json!(200), &json!({ "text": "tool" })), "{keys}");
    assert_eq!(keys["headers"]["Content-Type"], json!(["application/json"]));
    let nothing = host.call("resource", json!({ "context": nobody, "method": "GET", "path": "nothing", "url": "nothing" }));
    assert_eq!(nothing["status"], 404, "{nothing}");
    let refused = host.call("publish", json!({ "context": context("http://127.0.0.1:1"), "path": "x", "data": "{}" }));
    assert_eq!(refused["status"], "PERMISSION_DENIED");
}

/// An image with nothing in it: no shell, no `/etc`, no `/proc`, no certificates. What the linker of this build asks for is there, which is
/// nothing for a static one.
#[test]
#[ignore = "needs root and Go: run by make test"]
fn it_answers_in_an_empty_root() {
    let root = std::env::temp_dir().join(format!("chaoscope-root-{}", std::process::id()));
    fs::create_dir_all(&root).unwrap();
    // Lines as `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`.
    let needed = String::from_utf8(finish(Command::new("ldd").arg(BINARY)).stdout).unwrap();
    for library in needed.split_whitespace().filter(|word| word.starts_with('/')) {
        let place = root.join(&library[1..]);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(library, place).unwrap();
    }
    fs::copy(BINARY, root.join("gpx_chaoscope")).unwrap();
    let start = root.with_extension("sh");
    fs::write(&start, format!("#!/bin/sh\nexec chroot {} /gpx_chaoscope\n", root.display())).unwrap();
    fs::set_permissions(&start, fs::Permissions::from_mode(0o755)).unwrap();

    let origin = Origin::start(|_| Reply::Json(200, "{\"runs\":[],\"next\":null}".to_owned()));
    let host = Host::start(start.to_str().unwrap(), &[]);
    let query = json!({ "queryType": "runs", "filters": {} });
    let queries = [question("A", &query, 1_795_255_200_000)];
    let answer = host.call("query", json!({ "context": context(&origin.url), "queries": queries }));
    assert_eq!(answer["A"]["status"], 200, "{answer}");
    // Without CA files an https address is refused, with the remedy, and nothing else fails.
    let queries = [question("A", &query, 1_795_255_200_000)];
    let mut other = context("https://127.0.0.1:1");
    other["uid"] = "other".into();
    let answer = host.call("query", json!({ "context": other, "queries": queries }));
    assert!(answer["A"]["error"].as_str().unwrap().contains("no CA files"), "{answer}");
    assert_eq!(host.call("stop", json!({}))["graceful"], true);
    fs::remove_file(start).unwrap();
    fs::remove_dir_all(root).unwrap();
}
