//! Whose files are looked at: one process of every container, whoever told of it.
//!
//! Apart from the namespaces, where a runtime's list wins: a container that the runtime does not list, or of which it tells no process, has
//! files all the same, also on the host's network. Pure. To look at what another source tells of: a chain in [`dwellers`].

use super::containers::Container;
use super::processes::{Process, ProcessTable};
use super::sweep::Observed;
use chaoscope_model::Pod;
use std::collections::{BTreeMap, BTreeSet};

/// A container to look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dweller {
    /// The pod, where it is known.
    pub pod: Option<Pod>,
    /// The container's name, else its id.
    pub container: String,
    /// Whether that is its id, as nobody told its name.
    pub nameless: bool,
    /// The process whose files are the container's.
    pub pid: u32,
}

/// The runtime's containers first, then those that only control groups tell of, sandboxes among them: nothing certain sets those apart.
pub fn dwellers(
    namespaces: &[Observed],
    containers: &[Container],
    table: Option<&ProcessTable>,
    named: &dyn Fn(&str) -> Option<Pod>,
) -> Vec<Dweller> {
    let pod = |pod: &Pod| (*pod != Pod::default()).then(|| pod.clone());
    let listed = containers.iter().map(|container| Dweller {
        pod: pod(&container.pod),
        container: container.name.clone(),
        nameless: false,
        pid: container.pid,
    });
    let known: BTreeSet<&str> = containers.iter().map(|container| container.id.as_str()).collect();
    let untold = first_processes(table).into_iter().filter(|(id, _)| !known.contains(id)).map(|(id, process)| Dweller {
        pod: owner(namespaces, process, named),
        container: id.to_owned(),
        nameless: true,
        pid: process.pid,
    });
    listed.chain(untold).collect()
}

/// The oldest process of every container that control groups name. What joined it later may have a mount namespace of its own.
fn first_processes(table: Option<&ProcessTable>) -> BTreeMap<&str, &Process> {
    let mut first: BTreeMap<&str, &Process> = BTreeMap::new();
    for process in table.into_iter().flat_map(|table| &table.processes) {
        let Some(id) = process.cgroup.container_id.as_deref() else { continue };
        let oldest = first.entry(id).or_insert(process);
        if process.start_ticks < oldest.start_ticks {
            *oldest = process;
        }
    }
    first
}

/// By the pod's uid, with the name a runtime once gave it; without a uid, whose network namespace it is.
fn owner(namespaces: &[Observed], process: &Process, named: &dyn Fn(&str) -> Option<Pod>) -> Option<Pod> {
    if let Some(uid) = &process.cgroup.pod_uid {
        return named(uid).or_else(|| Some(Pod { uid: uid.clone(), ..Pod::default() }));
    }
    let mut namespaces = namespaces.iter().map(|observed| &observed.namespace);
    namespaces.find(|namespace| process.netns == Some(namespace.place.id))?.pod.clone()
}

#[cfg(test)]
mod tests {
    use super::super::processes::Cgroup;
    use super::*;

    fn process(pid: u32, start_ticks: u64, pod: Option<&str>, container: Option<&str>) -> Process {
        let cgroup = Cgroup { pod_uid: pod.map(Into::into), container_id: container.map(Into::into) };
        Process { pid, start_ticks, ppid: 1, comm: "app".into(), netns: None, pidns: None, mntns: None, cgroup, argv: vec![] }
    }

    #[test]
    fn every_container_is_looked_at_once_by_its_oldest_process() {
        let web = Pod { namespace: "shop".into(), name: "web-0".into(), uid: "u1".into() };
        let listed = [Container { id: "a".into(), name: "web".into(), pod: web.clone(), pid: 10 }];
        let processes = vec![
            process(1, 1, None, None),
            process(5, 90, Some("u2"), Some("c")),
            process(10, 20, Some("u1"), Some("a")),
            process(11, 30, Some("u1"), Some("b")),
            process(12, 40, Some("u2"), Some("c")),
            process(13, 50, None, Some("d")),
        ];
        let table = ProcessTable { processes, ..ProcessTable::default() };
        let named = |uid: &str| (uid == "u1").then(|| web.clone());
        let found = dwellers(&[], &listed, Some(&table), &named);
        let nameless = Pod { uid: "u2".into(), ..Pod::default() };
        let wanted = [(Some(&web), "web", 10), (Some(&web), "b", 11), (Some(&nameless), "c", 12), (None, "d", 13)];
        let found: Vec<_> = found.iter().map(|it| (it.pod.as_ref(), it.container.as_str(), it.pid)).collect();
        assert_eq!(found, wanted);
    }
}
