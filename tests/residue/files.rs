//! toda's mount, replaced name servers and tproxy's proxy, each made for real and taken away again.

use super::container::{Container, Group, Tools, table, until};
use super::world::{declared, ended, left, shown, sweep, target, told};
use chaoscope::tools::helpers::HelperKind;
use chaoscope_model::Effect;
use chaoscope_model::declared::{Applied, DeclaredPod, Expectation, HttpFault, IoFault};
use chaoscope_model::verdict::Owner;
use std::fs;
use std::io::Write;
use std::process::Command;

fn applied<T>(spec: T) -> Applied<T> {
    Applied { generation: 1, observed: 1, failure: String::new(), incomplete: String::new(), spec }
}

fn daemon() -> Group {
    Group::new("dddddddd-0000-4000-8000-00000000c4a1", &format!("{:d<64}", std::process::id()))
}

#[test]
#[ignore = "needs root: run by make test"]
fn an_io_fault_takes_its_mount_and_its_process() {
    let (tools, daemon) = (Tools::new(), daemon());
    let container = Container::new(Some("/data"));
    let fault = |volume: &str| vec![IoFault { source: "shop/slow".into(), container: "web".into(), volume: volume.into() }];
    let slow = |volume| DeclaredPod {
        io: Some(applied(fault(volume))),
        targets: vec![target("IOChaos", "slow", Expectation::Io)],
        ..declared(&container)
    };
    assert_eq!(told(&slow("/data"), &sweep()), ("missing", "no_process".to_owned()), "a mount that nobody answers");
    let toda = tools.start(&daemon, &container, &["pid", "mount"], "toda", &["-c", "sleep 600; :", "toda", "--path", "/data"]);
    let alive = || sweep().helpers.iter().any(|(_, helper)| helper.kind == HelperKind::Toda && helper.parent == toda.0.id()).then_some(());
    until("toda", alive);
    let now = sweep();
    assert_eq!(told(&slow("/data"), &now), ("in_force", String::new()));
    assert_eq!(left(&slow("/data"), &now), []);
    assert_eq!(told(&slow("/other"), &now), ("missing", "no_mount".to_owned()));
    let over = DeclaredPod { ended: vec![ended("IOChaos", "slow")], ..declared(&container) };
    let mine = |what| (Effect::Effective, Owner::EndedRun, what);
    assert_eq!(shown(&left(&over, &now)), [mine("helper"), mine("mount")]);

    let gone = Command::new("nsenter").args(["-t", &container.pid.to_string(), "-m", "-r", "/busybox", "umount", "-l", "/data"]).status();
    assert!(gone.unwrap().success());
    assert_eq!(told(&slow("/data"), &sweep()), ("missing", "no_mount".to_owned()));
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_dns_fault_is_its_replaced_name_servers() {
    let container = Container::new(None);
    let dns = DeclaredPod { targets: vec![target("DNSChaos", "dns", Expectation::Dns)], ..declared(&container) };
    let over = DeclaredPod { ended: vec![ended("DNSChaos", "dns")], ..declared(&container) };
    let (file, copy) = (container.path("/etc/resolv.conf"), container.path("/etc/resolv.conf.chaos.bak"));
    let own = fs::read(&file).unwrap();
    let not_replaced = ("missing", "not_replaced".to_owned());
    let now = sweep();
    assert_eq!((told(&dns, &now), left(&over, &now)), (not_replaced.clone(), vec![]));
    fs::copy(&file, &copy).unwrap();
    fs::write(&file, "nameserver 10.96.77.3\n").unwrap();
    let now = sweep();
    assert_eq!((told(&dns, &now), left(&dns, &now)), (("in_force", String::new()), vec![]));
    assert_eq!(shown(&left(&over, &now)), [(Effect::Effective, Owner::EndedRun, "mount")]);
    fs::write(&file, own).unwrap();
    let now = sweep();
    assert_eq!(told(&dns, &now), not_replaced);
    assert_eq!(shown(&left(&over, &now)), [(Effect::Benign, Owner::EndedRun, "mount")]);
    // what cannot be looked at is not missing
    fs::remove_file(&copy).unwrap();
    fs::create_dir(&copy).unwrap();
    assert_eq!(told(&dns, &sweep()), ("unknown", "read_failed".to_owned()));
}

const RULES: &str = "iptables-legacy -t mangle -N DIVERT; iptables-legacy -t mangle -A DIVERT -j MARK --set-mark 1
iptables-legacy -t mangle -A DIVERT -j ACCEPT; iptables-legacy -t mangle -A PREROUTING -p tcp -m socket -j DIVERT
iptables-legacy -t mangle -A PREROUTING -p tcp -j TPROXY --tproxy-mark 0x1/0x1 --on-port 1500";
const BRIDGE: &str = "0a1b2c3d-4e5fb1";

#[test]
#[ignore = "needs root: run by make test"]
fn an_http_fault_takes_its_proxy_its_bridge_and_its_rules() {
    let (tools, daemon) = (Tools::new(), daemon());
    let container = Container::new(None);
    let http = DeclaredPod {
        http: Some(applied(vec![HttpFault { source: "shop/abort".into(), port: 80 }])),
        targets: vec![target("HTTPChaos", "abort", Expectation::Http)],
        ..declared(&container)
    };
    let missing = |reason: &str| ("missing", reason.to_owned());
    let mut tproxy = tools.start(&daemon, &container, &["net", "pid"], "tproxy", &["-i", "-vv"]);
    let uid = &http.pod.uid;
    let helper = |kind: HelperKind| {
        let found =
            sweep().helpers.iter().find(|(pod, helper)| helper.kind == kind && pod.as_ref().is_some_and(|pod| pod.uid == *uid))?.1.pid;
        Some(found)
    };
    until("tproxy", || helper(HelperKind::Tproxy));
    assert_eq!(told(&http, &sweep()), missing("no_proxy"), "idle, it proves nothing");
    let proxy = format!("unshare --net '{}' -c 'sleep 600; :' x --proxy --ipc-path=/tmp/x.sock &\n", tools.path("tproxy").display());
    tproxy.0.stdin.as_mut().unwrap().write_all(proxy.as_bytes()).unwrap();
    let pid = until("the proxy", || helper(HelperKind::TproxyProxy));
    assert_eq!(told(&http, &sweep()), missing("no_bridge"));
    container.run(&format!("ip link set lo up; ip link add {BRIDGE} type bridge; ip link set {BRIDGE} up"));
    assert_eq!(told(&http, &sweep()), missing("no_rule"));
    let inside = |line: &str| {
        let output = Command::new("nsenter").arg(format!("--net=/proc/{pid}/ns/net")).args(["sh", "-euc", line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    };
    inside(RULES);
    let now = sweep();
    assert_eq!((told(&http, &now), left(&http, &now)), (("in_force", String::new()), vec![]));
    inside("iptables-legacy -t mangle -D PREROUTING -p tcp -j TPROXY --tproxy-mark 0x1/0x1 --on-port 1500");
    assert_eq!(told(&http, &sweep()), missing("no_rule"));
    container.run(&format!("ip link del {BRIDGE}"));
    assert_eq!(told(&http, &sweep()), missing("no_bridge"));
    let over = DeclaredPod { ended: vec![ended("HTTPChaos", "abort")], ..declared(&container) };
    let found = left(&over, &sweep());
    let mut effects = shown(&found);
    effects.sort();
    assert_eq!(effects, [(Effect::Effective, Owner::EndedRun, "helper"), (Effect::Benign, Owner::EndedRun, "helper")]);
    assert!(table().process(pid).is_some());
}
