//! `/proc/PID/cgroup` → which pod and which container a process belongs to.
//!
//! Apart from the walk because it is pure and has a table of shapes of its own. To teach it a runtime: a row in the
//! tests, and an arm in `container_id` where the id is not simply the 64 hex digits after the last `-`.

/// The pod and the container a process belongs to, as its control group names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cgroup {
    /// Uid of the pod, with dashes. A static pod's is 32 hex digits without. None outside of Kubernetes, and for a
    /// container beside us in our own pod when our control group namespace hides the pod's part of the path.
    pub pod_uid: Option<String>,
    /// Id of the container: 64 hex digits. None for host processes and for a pod's processes outside its containers.
    pub container_id: Option<String>,
}

/// Length of a container id in every runtime: 256 bits in hex.
const CONTAINER_ID_LENGTH: usize = 64;

/// Reads the lines `hierarchy:controllers:path`. With control groups v1 the hierarchies may disagree, as a chaos daemon
/// moves a stressor only where it wants it limited: the line that names a container wins, and of those cpu's, then memory's.
pub(super) fn parse(text: &[u8]) -> Cgroup {
    text.split(|&byte| byte == b'\n')
        .filter_map(|line| parse_line(&String::from_utf8_lossy(line)))
        .min_by_key(|(rank, found)| (found.container_id.is_none(), found.pod_uid.is_none(), *rank))
        .map(|(_, found)| found)
        .unwrap_or_default()
}

fn parse_line(line: &str) -> Option<(u8, Cgroup)> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let rank = match controllers {
        _ if controllers.split(',').any(|name| name == "cpu") => 0,
        "memory" => 1,
        "name=systemd" => 2,
        "" => 3, // v2; beside v1 hierarchies often only "/"
        _ => 4,
    };
    Some((rank, parse_path(path)))
}

/// From the outside in: the innermost pod counts (kind and k3s put a whole node into a container), and of its path
/// the first container (what a container starts inside itself is still that container).
/// `:` is a separator too: `kubepods-pod….slice:cri-containerd:…` is what containerd makes of a systemd path it was not told is one.
fn parse_path(path: &str) -> Cgroup {
    let mut found = Cgroup::default();
    for part in path.split(['/', ':']) {
        if let Some(uid) = pod_uid(part) {
            found = Cgroup { pod_uid: Some(uid), container_id: None };
        } else if found.container_id.is_none() {
            found.container_id = container_id(part).map(str::to_owned);
        }
    }
    found
}

/// `pod<uid>` (cgroupfs driver) or `kubepods[-burstable|-besteffort]-pod<uid with _>.slice` (systemd driver).
fn pod_uid(part: &str) -> Option<String> {
    let name = part.strip_suffix(".slice").unwrap_or(part);
    let uid = match name.strip_prefix("pod") {
        Some(uid) => uid,
        None => name.rsplit_once("-pod")?.1,
    };
    is_uid(uid).then(|| uid.replace('_', "-"))
}

fn is_uid(uid: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match uid.len() {
        32 => uid.bytes().all(is_hex),
        36 => uid.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => matches!(byte, b'-' | b'_'),
            _ => is_hex(byte),
        }),
        _ => false,
    }
}

/// `<id>`, `<runtime>-<id>` or `<runtime>-<id>.scope`; not the scope of conmon, which watches a container from outside.
fn container_id(part: &str) -> Option<&str> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let (runtime, id) = name.rsplit_once('-').unwrap_or(("", name));
    let is_id = id.len() == CONTAINER_ID_LENGTH && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_id && !runtime.ends_with("conmon")).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UID: &str = "2bda744d-6754-4783-92c4-3ffe3010f8a5";
    const UID_: &str = "2bda744d_6754_4783_92c4_3ffe3010f8a5";
    const STATIC: &str = "0f6c2dcbd4a4f0b1a6c1f1a4a3d0e9f7";
    const ID: &str = "a96ecbb6f38bd4538441de84305132d088095988aa5b5c934fa3d6e86921aaea";
    const NODE: &str = "f77d98de5e48edf73bfe58b0a2260406daa6e1ad0fab07dfc1992d57c4f42d40";

    /// Path with {uid}, {uid_}, {static}, {id}, {node} filled in; expected pod, expected container.
    const PATHS: &[(&str, Option<&str>, Option<&str>)] = &[
        // Kubernetes, cgroupfs driver; the first is from a Chaos Mesh 2.8.3 recording (scenario stress-cpu)
        ("/kubepods/pod{uid}/{id}", Some(UID), Some(ID)),
        ("/kubepods/burstable/pod{uid}/{id}", Some(UID), Some(ID)),
        ("/kubepods/besteffort/pod{uid}/{id}", Some(UID), Some(ID)),
        ("/kubepods/burstable/pod{static}/{id}", Some(STATIC), Some(ID)),
        ("/kubepods/burstable/pod{uid}/crio-{id}", Some(UID), Some(ID)),
        // Kubernetes, systemd driver
        ("/kubepods.slice/kubepods-pod{uid_}.slice/cri-containerd-{id}.scope", Some(UID), Some(ID)),
        ("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{uid_}.slice/cri-containerd-{id}.scope", Some(UID), Some(ID)),
        ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid_}.slice/crio-{id}.scope", Some(UID), Some(ID)),
        ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{static}.slice/docker-{id}.scope", Some(STATIC), Some(ID)),
        // containerd told cgroupfs while the kubelet says systemd
        ("/system.slice/containerd.service/kubepods-burstable-pod{uid_}.slice:cri-containerd:{id}", Some(UID), Some(ID)),
        // the pod's own processes, and CRI-O's watcher
        ("/kubepods/burstable/pod{uid}", Some(UID), None),
        ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid_}.slice/crio-conmon-{id}.scope", Some(UID), None),
        // Docker and podman without Kubernetes
        ("/docker/{id}", None, Some(ID)),
        ("/system.slice/docker-{id}.scope", None, Some(ID)),
        ("/machine.slice/libpod-{id}.scope", None, Some(ID)),
        ("/machine.slice/libpod-{id}.scope/container", None, Some(ID)),
        ("/libpod_parent/libpod-{id}", None, Some(ID)),
        ("/machine.slice/libpod-conmon-{id}.scope", None, None),
        ("/system.slice/nerdctl-{id}.scope", None, Some(ID)),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope/container", None, Some(ID)),
        // a node in a container: kind (v1, v2), k3d; and that node's own processes
        ("/docker/{node}/kubelet/kubepods/burstable/pod{uid}/{id}", Some(UID), Some(ID)),
        (
            "/system.slice/docker-{node}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{uid_}.slice/cri-containerd-{id}.scope",
            Some(UID),
            Some(ID),
        ),
        ("/docker/{node}/k3s/kubepods/besteffort/pod{uid}/{id}", Some(UID), Some(ID)),
        ("/docker/{node}/kubelet/kubepods/burstable/pod{uid}", Some(UID), None),
        ("/system.slice/docker-{node}.scope/init.scope", None, Some(NODE)),
        // seen from inside a control group namespace: a pod elsewhere, a container beside us
        ("/../../kubepods-besteffort-pod{uid_}.slice/cri-containerd-{id}.scope", Some(UID), Some(ID)),
        ("/../cri-containerd-{id}.scope", None, Some(ID)),
        // groups made inside a container
        ("/kubepods/burstable/pod{uid}/{id}/init.scope", Some(UID), Some(ID)),
        ("/kubepods/burstable/pod{uid}/{id}/docker/{node}", Some(UID), Some(ID)),
        // neither
        ("/", None, None),
        ("/system.slice/containerd.service", None, None),
        ("/user.slice/user-0.slice/session-1.scope", None, None),
        ("/podium/pod-of-whales/default/demo", None, None),
        ("/kubepods/burstable/podnot-a-uid/short", None, None),
        ("/docker/{id}0", None, None),
    ];

    fn filled(path: &str) -> String {
        path.replace("{uid}", UID).replace("{uid_}", UID_).replace("{static}", STATIC).replace("{id}", ID).replace("{node}", NODE)
    }

    #[test]
    fn every_known_path_names_its_pod_and_container() {
        for (path, pod, container) in PATHS {
            let found = parse(format!("0::{}\n", filled(path)).as_bytes());
            assert_eq!(found.pod_uid.as_deref(), *pod, "{path}");
            assert_eq!(found.container_id.as_deref(), *container, "{path}");
        }
    }

    #[test]
    fn v1_takes_the_line_that_names_a_container_and_prefers_cpu() {
        let pod = filled("/kubepods/pod{uid}/{id}");
        let daemon = format!("/kubepods/pod{UID}/{NODE}");
        let hybrid = format!("9:name=systemd:/\n4:memory:{pod}\n1:cpu:{pod}\n0::/\n");
        assert_eq!(parse(hybrid.as_bytes()).container_id.as_deref(), Some(ID));
        // a stressor moved to its target in cpu and memory only
        let moved = format!("9:name=systemd:{daemon}\n8:pids:{daemon}\n4:memory:{pod}\n2:cpu,cpuacct:{pod}\n0::/\n");
        assert_eq!(parse(moved.as_bytes()).container_id.as_deref(), Some(ID));
        let memory_only = format!("9:name=systemd:{daemon}\n8:pids:{daemon}\n4:memory:{pod}\n");
        assert_eq!(parse(memory_only.as_bytes()).container_id.as_deref(), Some(ID));
    }

    #[test]
    fn garbage_names_nothing() {
        for text in ["", "\n\n", "0::", "no colons", "0:", "\u{0}:\u{0}:\u{0}"] {
            assert_eq!(parse(text.as_bytes()), Cgroup::default(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_value(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
            let found = parse(&bytes);
            prop_assert!(found.container_id.is_none_or(|id| id.len() == CONTAINER_ID_LENGTH));
            prop_assert!(found.pod_uid.is_none_or(|uid| is_uid(&uid)));
        }

        #[test]
        fn a_known_path_survives_any_neighbour_line(noise in "[^\n]{0,80}", at in any::<bool>()) {
            let line = format!("1:cpu:{}", filled("/kubepods/pod{uid}/{id}"));
            let text = if at { format!("{noise}\n{line}") } else { format!("{line}\n{noise}") };
            prop_assert_eq!(parse(text.as_bytes()).container_id, Some(ID.to_owned()));
        }
    }
}
