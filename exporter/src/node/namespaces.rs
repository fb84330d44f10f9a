//! From containers, processes and named namespaces to the distinct network namespaces of this host and who lives in each.
//!
//! All containers of a pod share one namespace, so it is read once. Host-network pods live in the host's, which is recognised by its
//! inode. [`group`] is pure.

use super::containers::Container;
use super::netns::{self, NsId};
use super::processes::ProcessTable;
use super::visits::Place;
use chaoscope_model::Pod;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

/// One network namespace.
#[derive(Clone, Debug, Serialize)]
pub struct Namespace {
    /// Which it is and how to get in.
    #[serde(skip)]
    pub place: Place,
    /// Inode number, as `lsns` shows it.
    pub inode: u64,
    /// Its file name in `/run/netns`, where it has one.
    pub name: Option<String>,
    /// Whether it is the host's own.
    pub host: bool,
    /// The pod it belongs to.
    pub pod: Option<Pod>,
    /// Containers living in it.
    pub containers: Vec<Resident>,
}

/// A container in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Resident {
    /// Its name; empty when only the cgroup told of it.
    pub name: String,
    /// The runtime's id.
    pub id: String,
    /// Its first process.
    pub pid: u32,
}

impl Namespace {
    /// The `netns` label: empty for a pod whose name is known, else the name in `/run/netns`, else the inode.
    pub fn label(&self) -> String {
        match (&self.pod, &self.name) {
            (Some(pod), _) if pod.is_named() => String::new(),
            (_, Some(name)) => name.clone(),
            _ => self.inode.to_string(),
        }
    }

    /// What a person would call it: `namespace/pod`, a name, or an inode.
    pub fn title(&self) -> String {
        match &self.pod {
            Some(pod) if pod.is_named() => format!("{}/{}", pod.namespace, pod.name),
            _ if self.host => "host".to_owned(),
            _ => match (self.containers.first(), &self.name) {
                (Some(container), _) if !container.name.is_empty() => container.name.clone(),
                (_, Some(name)) => name.clone(),
                _ => format!("netns {}", self.inode),
            },
        }
    }
}

/// A namespace with a name of its own, under `/run/netns`.
#[derive(Clone, Debug)]
pub struct Named {
    /// File name.
    pub name: String,
    /// Which namespace it is.
    pub id: NsId,
    /// Where it is mounted.
    pub path: PathBuf,
}

/// The most named namespaces that are looked at.
const LIMIT: usize = 65_536;

/// Lists the named namespaces in `directory`. A missing directory means there are none; a file that is no namespace is skipped.
pub fn named(directory: &Path) -> io::Result<Vec<Named>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut out: Vec<Named> = entries
        .take(LIMIT)
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let name = super::netlink::name(entry.file_name().as_encoded_bytes());
            Some(Named { name, id: netns::identify(&path).ok()?, path })
        })
        .collect();
    out.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(out)
}

/// Everything [`group`] looks at.
pub struct Sources<'a> {
    /// Running containers with the namespace of each.
    pub containers: Vec<(Container, NsId)>,
    /// The process table, where it could be read.
    pub processes: Option<&'a ProcessTable>,
    /// Named namespaces.
    pub named: Vec<Named>,
    /// The host's namespace, where it could be told.
    pub host: Option<NsId>,
    /// The procfs that pids refer to.
    pub procfs: &'a Path,
    /// The pod of a uid, if it was ever named.
    pub pod: &'a dyn Fn(&str) -> Option<Pod>,
}

/// Puts every distinct namespace together once, ordered by pod and name.
pub fn group(sources: Sources<'_>) -> Vec<Namespace> {
    let file = |pid: u32| sources.procfs.join(format!("{pid}/ns/net"));
    let mut found: BTreeMap<NsId, Namespace> = BTreeMap::new();
    for (container, id) in sources.containers {
        let place = enter(&mut found, id, file(container.pid));
        place.containers.push(Resident { name: container.name, id: container.id, pid: container.pid });
        if container.pod != Pod::default() {
            place.pod.get_or_insert(container.pod);
        }
    }
    if let Some(table) = sources.processes {
        by_process(&mut found, table, &file, sources.pod);
    }
    for named in sources.named {
        // Named files are the way in of last resort: a process' own file needs no mount to be shared with us.
        enter(&mut found, named.id, named.path).name = Some(named.name);
    }
    if let Some(host) = sources.host.and_then(|id| found.get_mut(&id)) {
        (host.host, host.pod) = (true, None);
    }
    let mut out: Vec<Namespace> = found.into_values().collect();
    for namespace in &mut out {
        namespace.containers.sort();
    }
    out.sort_by_cached_key(|namespace| (namespace.pod.is_none(), namespace.title(), namespace.inode));
    out
}

/// The most ways into one namespace that are kept.
const WAYS: usize = 4;

fn enter(found: &mut BTreeMap<NsId, Namespace>, id: NsId, path: PathBuf) -> &mut Namespace {
    let namespace = found.entry(id).or_insert_with(|| Namespace {
        place: Place { id, paths: Vec::new() },
        inode: id.ino,
        name: None,
        host: false,
        pod: None,
        containers: Vec::new(),
    });
    if namespace.place.paths.len() < WAYS {
        namespace.place.paths.push(path);
    }
    namespace
}

/// Namespaces that only processes tell of. Of several pods with a process in one namespace (a chaos daemon's helper keeps its own
/// cgroup) the one that was there first owns it.
fn by_process(
    found: &mut BTreeMap<NsId, Namespace>,
    table: &ProcessTable,
    file: &dyn Fn(u32) -> PathBuf,
    pod: &dyn Fn(&str) -> Option<Pod>,
) {
    let mut oldest: HashMap<NsId, (u64, &str)> = HashMap::new();
    let mut living: Vec<(NsId, Resident)> = Vec::new();
    for process in &table.processes {
        let Some(id) = process.netns else { continue };
        enter(found, id, file(process.pid));
        if let Some(uid) = process.cgroup.pod_uid.as_deref() {
            let first = oldest.entry(id).or_insert((process.start_ticks, uid));
            if process.start_ticks < first.0 {
                *first = (process.start_ticks, uid);
            }
        }
        if let Some(container) = &process.cgroup.container_id {
            living.push((id, Resident { name: String::new(), id: container.clone(), pid: process.pid }));
        }
    }
    for (id, (_, uid)) in &oldest {
        if let Some(namespace) = found.get_mut(id).filter(|namespace| namespace.pod.is_none()) {
            namespace.pod = Some(pod(uid).unwrap_or_else(|| Pod { uid: (*uid).to_owned(), ..Pod::default() }));
        }
    }
    // Containers that the runtime did not list: without a runtime, all of them. A runtime's list wins, as it leaves out sandboxes.
    for (id, resident) in living {
        let Some(namespace) = found.get_mut(&id) else { continue };
        let listed = namespace.containers.iter().any(|known| !known.name.is_empty());
        if !listed && !namespace.containers.iter().any(|known| known.id == resident.id) {
            namespace.containers.push(resident);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::processes::{Cgroup, Process};
    use super::*;

    const HOST: NsId = NsId { dev: 4, ino: 1 };
    const WEB: NsId = NsId { dev: 4, ino: 2 };

    fn process(pid: u32, netns: NsId, pod: Option<&str>, container: Option<&str>) -> Process {
        Process {
            pid,
            start_ticks: u64::from(pid),
            ppid: 1,
            comm: "x".into(),
            netns: Some(netns),
            pidns: None,
            mntns: None,
            cgroup: Cgroup { pod_uid: pod.map(Into::into), container_id: container.map(Into::into) },
            argv: vec![],
        }
    }

    fn container(id: &str, name: &str, pid: u32) -> Container {
        let pod = Pod { namespace: "shop".into(), name: "web-0".into(), uid: "u1".into() };
        Container { id: id.into(), name: name.into(), pod, pid }
    }

    fn grouped(containers: Vec<(Container, NsId)>, processes: Vec<Process>, named: Vec<Named>) -> Vec<Namespace> {
        let table = ProcessTable { processes, ..ProcessTable::default() };
        let sources = Sources { containers, processes: Some(&table), named, host: Some(HOST), procfs: Path::new("/proc"), pod: &|_| None };
        group(sources)
    }

    #[test]
    fn containers_of_a_pod_are_one_namespace() {
        let containers = vec![(container("a", "web", 10), WEB), (container("b", "sidecar", 11), WEB)];
        let processes =
            vec![process(1, HOST, None, None), process(9, WEB, Some("u1"), Some("pause")), process(10, WEB, Some("u1"), Some("a"))];
        let found = grouped(containers, processes, vec![]);
        assert_eq!(found.iter().map(Namespace::title).collect::<Vec<_>>(), ["shop/web-0", "host"]);
        let names: Vec<_> = found[0].containers.iter().map(|container| container.name.as_str()).collect();
        assert_eq!(names, ["sidecar", "web"], "the sandbox is not a container");
        assert_eq!(found[0].label(), "", "a named pod needs no netns label");
    }

    #[test]
    fn host_network_pods_do_not_own_the_host() {
        let found = grouped(vec![(container("a", "proxy", 10), HOST)], vec![process(10, HOST, Some("u1"), Some("a"))], vec![]);
        assert_eq!((found.len(), found[0].host, found[0].pod.is_none()), (1, true, true));
    }

    #[test]
    fn without_a_runtime_the_oldest_process_tells_the_pod() {
        let processes = vec![process(5, WEB, Some("u1"), Some("pause")), process(50, WEB, Some("daemon"), Some("d"))];
        let found = grouped(vec![], processes, vec![]);
        assert_eq!(found[0].pod.as_ref().map(|pod| pod.uid.as_str()), Some("u1"));
        assert_eq!(found[0].label(), "2", "a pod without a name is told by its inode");
    }

    #[test]
    fn a_named_namespace_needs_no_process() {
        let named = Named { name: "lab".into(), id: WEB, path: "/run/netns/lab".into() };
        let found = grouped(vec![], vec![], vec![named]);
        assert_eq!((found[0].title(), found[0].label()), ("lab".into(), "lab".into()));
    }
}
