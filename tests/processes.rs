//! Processes, helper processes and mounts against the real kernel: containers made by `unshare`, helpers that are called what
//! a chaos tool calls them, a fuse mount that nobody answers.
//!
//! What needs root makes all of it itself, in namespaces and control groups of its own that end with the test. It takes
//! Debian's util-linux, dash and busybox-static, `/dev/fuse`, and a writable control group hierarchy.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests run real programs, and a missing part is a failed test"
)]

#[path = "kit/container.rs"]
mod container;

use chaoscope::node::mounts::{self, MountError, ResolvConf, TodaMount};
use chaoscope::node::processes::{self, Helper};
use chaoscope::tools::helpers::HelperKind;
use chaoscope_model::Tool;
use container::{Container, Group, PATIENCE, Running, Tools, in_time, table, until};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const OURS: &str = "nameserver 10.96.0.10\n";
const THEIRS: &str = "nameserver 10.96.77.3\n";

#[test]
#[ignore = "needs root: run by make test"]
fn helpers_of_a_container_are_found_once_each_and_tied_to_it() {
    let tools = Tools::new();
    let daemon = Group::new("dddddddd-0000-4000-8000-00000000c4a0", &format!("{:d<64}", std::process::id()));
    let container = Container::new(None); // after the daemon's group: with it end the processes in both
    let worker = tools.path("stress-ng-cpu");
    let stress = ["-c", "\"$1\" 600 & wait", "stress-ng", worker.to_str().unwrap()];
    let _stress = tools.start(&container.group, &container, &["pid"], "stress-ng", &stress);
    let memory = ["-c", "\"$0\" -c 'sleep 600; :' x --size 1MB --client 1", tools.path("memStress").to_str().unwrap(), "--size", "1MB"]
        .map(str::to_owned);
    let memory: Vec<&str> = memory.iter().map(String::as_str).collect();
    let _memory = tools.start(&container.group, &container, &["pid"], "memStress", &memory);
    let _toda = tools.start(
        &daemon,
        &container,
        &["pid", "mount"],
        "toda",
        &["-c", "sleep 600; :", "toda", "--path", "/data", "--verbose", "info"],
    );
    let mut tproxy = tools.start(&daemon, &container, &["net", "pid"], "tproxy", &["-i", "-vv"]);
    let proxy = format!("unshare --net '{}' -c 'sleep 600; :' x --proxy --ipc-path=/tmp/x.sock &\n", tools.path("tproxy").display());
    tproxy.0.stdin.as_mut().unwrap().write_all(proxy.as_bytes()).unwrap();

    let mine = || {
        let table = table();
        let here = Some(container.namespace("pid"));
        let mut found = table.helpers();
        found.retain(|helper| table.process(helper.pid).is_some_and(|process| process.pidns == here));
        let workers = table.processes.iter().filter(|process| process.pidns == here && !process.argv.is_empty()).count();
        // five tools, one worker of stress-ng, one of memStress
        (found.len() == 5 && workers == 7).then_some(found)
    };
    let mut found = until("five helpers and their workers", mine);
    found.sort_by_key(|helper| helper.kind);
    let netns = Some(container.namespace("net"));
    let expected = [
        (HelperKind::Tproxy, netns, false),
        (HelperKind::TproxyProxy, netns, true),
        (HelperKind::Toda, None, true),
        (HelperKind::StressNg, None, true),
        (HelperKind::MemStress, None, true),
    ];
    for (helper, (kind, netns, active)) in found.iter().zip(expected) {
        let Helper { pid, parent, start_ticks, lives_in, .. } = *helper;
        let tool = Tool::ChaosMesh;
        assert_eq!(*helper, Helper { kind, tool, pid, parent, start_ticks, netns, lives_in, target: container.cgroup.clone(), active });
        assert_eq!(processes::start_ticks(Path::new("/proc"), pid), Some(start_ticks));
    }

    drop(container);
    until("no helper of the container that is gone", || found.iter().all(|helper| table().process(helper.pid).is_none()).then_some(()));
}

#[test]
fn a_zombie_and_a_process_that_is_gone_are_not_in_the_table() {
    let mut child = Running::start(&mut Command::new("true"));
    let pid = child.0.id();
    until("a zombie", || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ").then_some(()));
    assert_eq!(table().process(pid), None, "a zombie has no namespaces");
    let zombie = mounts::read(Path::new("/proc"), pid, Instant::now() + PATIENCE);
    assert!(zombie.is_err_and(|error| matches!(error, MountError::Gone { .. })));
    child.0.wait().unwrap();
    assert_eq!(table().process(pid), None);
    assert_eq!(processes::start_ticks(Path::new("/proc"), pid), None);
}

#[test]
#[ignore = "needs root: run by make test"]
fn without_ptrace_namespaces_are_counted_as_unseen_and_the_rest_is_read() {
    let container = Container::new(Some("/data"));
    let pid = container.pid;
    let (table, mounts) = in_time(move || {
        let mut sets = capabilities(None).unwrap(); // of this thread alone
        for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
            set.remove(CapabilitySet::SYS_PTRACE);
        }
        set_capabilities(None, sets).unwrap();
        let until = Instant::now() + PATIENCE;
        (processes::read(Path::new("/proc"), until).unwrap(), mounts::read(Path::new("/proc"), pid, until).unwrap())
    });
    let init = table.process(pid).unwrap();
    assert_eq!((init.netns, init.pidns, init.mntns), (None, None, None), "it has a capability that we have not");
    assert_eq!((&init.cgroup, init.comm.as_str()), (&container.cgroup, "busybox"));
    // Process 1 is not counted: its namespace tells only which one is the host's.
    let unseen = table.processes.iter().filter(|process| process.netns.is_none() && process.pid != 1).count();
    assert_eq!(table.unreadable as usize, unseen);
    assert_eq!(mounts.toda, [TodaMount { point: "/data".to_owned() }]);
    assert!(matches!(mounts.resolv_conf, Err(MountError::Root { .. })), "{mounts:?}");
}

#[test]
#[ignore = "needs root: run by make test"]
fn replaced_name_servers_are_seen_in_a_container() {
    let container = Container::new(None);
    let (file, copy) = (container.path("/etc/resolv.conf"), container.path("/etc/resolv.conf.chaos.bak"));
    let mounts = container.mounts();
    assert!(mounts.toda.is_empty() && matches!(mounts.resolv_conf, Ok(ResolvConf::Untouched)));
    fs::copy(&file, &copy).unwrap();
    fs::write(&file, THEIRS).unwrap();
    assert_eq!(container.mounts().resolv_conf.unwrap(), ResolvConf::Replaced);
    fs::write(&file, OURS).unwrap();
    assert_eq!(container.mounts().resolv_conf.unwrap(), ResolvConf::Restored);
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_container_cannot_make_us_open_what_is_not_its_own_plain_file() {
    let container = Container::new(None);
    let copy = container.path("/etc/resolv.conf.chaos.bak");
    for target in ["/proc/kmsg", "/proc/1/root/proc/kmsg"] {
        symlink(target, &copy).unwrap();
        let answer = container.mounts().resolv_conf;
        assert!(matches!(answer, Err(MountError::NotLocal { .. } | MountError::Open { .. })), "{target}: {answer:?}");
        fs::remove_file(&copy).unwrap();
    }
    // /etc/hostname of the host exists; in the container it does not
    for target in ["/etc/hostname", "../../../../etc/hostname"] {
        assert!(Path::new("/etc/hostname").exists());
        symlink(target, &copy).unwrap();
        assert_eq!(container.mounts().resolv_conf.unwrap(), ResolvConf::Untouched, "{target}");
        fs::remove_file(&copy).unwrap();
    }
    mknodat(CWD, &copy, FileType::CharacterDevice, Mode::RUSR, makedev(1, 5)).unwrap(); // /dev/zero
    assert!(matches!(container.mounts().resolv_conf, Err(MountError::NotAFile { .. })));
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_toda_that_hangs_is_seen_and_not_waited_for() {
    for (point, is_in_the_way) in [("/data", false), ("/etc", true)] {
        let container = Container::new(Some(point));
        let mounts = container.mounts();
        assert_eq!(mounts.toda, [TodaMount { point: point.to_owned() }]);
        assert_eq!(matches!(mounts.resolv_conf, Err(MountError::NotLocal { .. })), is_in_the_way, "{mounts:?}");
        assert!(is_in_the_way || matches!(mounts.resolv_conf, Ok(ResolvConf::Untouched)));
    }
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_link_into_a_file_system_that_hangs_is_not_followed() {
    let container = Container::new(Some("/data"));
    symlink("/data/resolv.conf", container.path("/etc/resolv.conf.chaos.bak")).unwrap();
    assert!(matches!(container.mounts().resolv_conf, Err(MountError::Open { .. })));
}
