//! What a sweep could not see, in words, with the remedy: shown on the status page and by the commands, and the reason why `check` may
//! answer "could not tell".

use super::bounded;
use super::error::ReadError;
use super::mounts::MountError;
use super::names::Names;
use super::processes::{Cgroup, ProcessError, ProcessTable};
use super::runtime::RuntimeError;
use super::sweep::{Fate, Observed, Skip};
use rustix::fs::CWD;
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities as own};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// Something that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limitation {
    /// What is not known.
    pub what: String,
    /// What would show it.
    pub remedy: String,
    /// Whether chaos may hide behind it; otherwise only names are missing.
    pub blinds: bool,
}

fn limitation(what: impl Into<String>, remedy: impl Into<String>) -> Limitation {
    Limitation { what: what.into(), remedy: remedy.into(), blinds: true }
}

/// What a full view needs: the capability, what is missing without it, and its name.
const NEEDED: [(CapabilitySet, &str, &str); 3] = [
    (CapabilitySet::SYS_ADMIN, "network namespaces cannot be entered", "CAP_SYS_ADMIN"),
    (CapabilitySet::NET_ADMIN, "ipsets and packet filter rules cannot be read", "CAP_NET_ADMIN"),
    (CapabilitySet::SYS_PTRACE, "namespaces and mounts of processes of other users cannot be seen", "CAP_SYS_PTRACE"),
];
/// What to do where the kernel refuses although the capability is there: a security module, or a process of a foreign user namespace.
const REFUSED: &str = "let the security module allow it (AppArmor: unconfined, SELinux: spc_t), and run in the host's user namespace";
/// What to do when time was up.
const LATE: &str = "give the scrape more time";

/// Whether this thread lacks `capability`. Where that cannot be told it does not: the refusal itself is then shown.
fn lacks(capability: CapabilitySet) -> bool {
    own(None).is_ok_and(|sets| !sets.effective.contains(capability))
}

/// Capabilities a full view needs and this process lacks. What follows from one of them is said here, and nowhere else again.
pub fn capabilities() -> Vec<Limitation> {
    let root = if geteuid().is_root() { "" } else { "run as root, or " };
    let missing = NEEDED.into_iter().filter(|(capability, ..)| lacks(*capability));
    missing.map(|(_, what, name)| limitation(what, format!("{root}add {name}"))).collect()
}

/// A runtime that gave no list. /proc tells of the containers all the same; where it does not, that is a limitation of its own.
pub fn runtime(error: &RuntimeError) -> Limitation {
    let limitation = limitation(format!("names of pods may be missing: {}", chain(error)), error.remedy());
    Limitation { blinds: false, ..limitation }
}

/// A runtime that listed these containers and told no process of theirs. Blinds where /proc shows none either.
pub fn containers(error: &RuntimeError, unanswered: &[String], table: Option<&ProcessTable>) -> Limitation {
    let processes = table.map_or(&[][..], |table| &table.processes);
    let shown: BTreeSet<&str> = processes.iter().filter_map(|process| process.cgroup.container_id.as_deref()).collect();
    let lost = unanswered.iter().filter(|id| !shown.contains(id.as_str())).count();
    if lost == 0 {
        return runtime(error);
    }
    limitation(format!("no process known of {}: {}", counted(lost, "container", "s"), chain(error)), error.remedy())
}

/// Processes that could not be read.
pub fn processes(answer: &Result<ProcessTable, ProcessError>) -> Vec<Limitation> {
    let table = match answer {
        Ok(table) => table,
        Err(error) => {
            return vec![limitation(format!("no processes seen: {}", chain(error)), "check --path.procfs and the limit of open files")];
        }
    };
    let mut out = Vec::new();
    if (table.unreadable > 0 || table.hidden) && !lacks(CapabilitySet::SYS_PTRACE) {
        let whose = if table.hidden { "some processes".to_owned() } else { counted(table.unreadable as usize, "process", "es") };
        out.push(limitation(format!("namespaces not known: {whose}"), REFUSED));
    }
    if table.skipped > 0 {
        out.push(limitation(format!("not looked at before the deadline: {}", counted(table.skipped as usize, "process", "es")), LATE));
    }
    out
}

/// That `procfs` shows only the processes of some pid namespace: the host's own is the one with kernel threads.
///
/// Blinds when its first process is in our own control group or in a container, that is, when it is our pod's namespace. Otherwise it is
/// that of a whole machine which itself is a container, such as a node of kind.
pub fn horizon(table: &ProcessTable, procfs: &Path) -> Option<Limitation> {
    if table.kernel_threads || table.hidden || table.skipped > 0 {
        return None;
    }
    let group = |process: &str| bounded::whole(CWD, procfs.join(process).join("cgroup").to_str()?, GROUP_LIMIT).ok();
    let first = table.processes.first().filter(|first| first.pid == 1);
    let contained = first.is_none_or(|first| first.cgroup != Cgroup::default()) || group("1") == group("self");
    Some(Limitation {
        blinds: contained,
        ..limitation("only processes of one pid namespace are seen, not all of the host", "share the host's process ids (hostPID)")
    })
}

/// Why the processes seen are too few for chaos not to hide among the others; `None` for a full view.
pub fn narrowed(answer: &Result<ProcessTable, ProcessError>, procfs: &Path) -> Option<String> {
    let table = match answer {
        Ok(table) => table,
        Err(error) => return Some(error.to_string()),
    };
    if table.unreadable > 0 || table.hidden {
        return Some("processes of other users may not be seen".to_owned());
    }
    if table.skipped > 0 {
        return Some(format!("{} not looked at", counted(table.skipped as usize, "process", "es")));
    }
    horizon(table, procfs).filter(|limitation| limitation.blinds).map(|limitation| limitation.what)
}

/// Most of a `cgroup` file that is compared; one line for each hierarchy.
const GROUP_LIMIT: usize = 16 * 1024;

/// What a folder of names does not tell: all where it cannot be listed, else the names that could not be looked at and those that are no
/// namespaces. The latter blind only where no namespace is seen but files that one could be mounted on.
pub fn names(directory: &Path, answer: &io::Result<Names>) -> Vec<Limitation> {
    let folder = directory.display();
    let names = match answer {
        Ok(names) => names,
        Err(error) => {
            let what = format!("named network namespaces are not known: cannot list {folder}: {}", chain(error));
            return vec![limitation(what, "check --path.netns and the limit of open files")];
        }
    };
    let mut out = Vec::new();
    if let Some((name, error)) = names.refused.first() {
        let what = format!("{} in {folder} not looked at: {name}: {}", counted(names.refused.len(), "name", "s"), chain(error));
        out.push(limitation(what, REFUSED));
    }
    let foreign = names.files.len() + names.others.len();
    if let Some(name) = names.files.first().or(names.others.first()) {
        let blinds = names.found.is_empty() && !names.files.is_empty();
        let what = format!("no network namespace behind {} in {folder}: {name}", counted(foreign, "name", "s"));
        let remedy = if blinds {
            "where it is one on the host, mount the folder with mountPropagation: HostToContainer; else remove it"
        } else {
            "remove it, where it is no namespace on the host either"
        };
        out.push(Limitation { blinds, ..limitation(what, remedy) });
    }
    out
}

/// Namespaces that could not be read, in whole or in part: one line for each source and reason.
pub fn visits(namespaces: &[Observed]) -> Vec<Limitation> {
    let mut errors: BTreeMap<(&str, &str), (usize, &ReadError)> = BTreeMap::new();
    let mut deadline = 0;
    for observed in namespaces {
        let found: Vec<(&str, &ReadError)> = match &observed.fate {
            Fate::Read(reading, _) => reading.errors().collect(),
            Fate::Failed(error) => vec![("namespace", error)],
            Fate::Skipped(skip) => {
                deadline += usize::from(*skip == Skip::Deadline);
                Vec::new()
            }
        };
        for (source, error) in found.into_iter().filter(|(_, error)| !error.lacks().is_some_and(lacks)) {
            errors.entry((source, error.reason())).or_insert((0, error)).0 += 1;
        }
    }
    let mut out: Vec<_> = errors
        .into_iter()
        .map(|((source, _), (count, error))| {
            let remedy = if error.lacks().is_some() { REFUSED } else { error.remedy().unwrap_or("the next sweep tries again") };
            limitation(format!("{source} unknown in {}: {}", counted(count, "namespace", "s"), chain(error)), remedy)
        })
        .collect();
    if deadline > 0 {
        out.push(limitation(format!("not reached before the deadline: {}", counted(deadline, "namespace", "s")), LATE));
    }
    out
}

/// Containers whose files could not be looked at.
#[derive(Default)]
pub struct Unseen {
    count: usize,
    first: Option<(String, &'static str)>,
}

impl Unseen {
    /// The value, or a note that there is none. A container that ended meanwhile is nothing to note, and what a missing capability hides
    /// was said before.
    pub fn note<T>(&mut self, answer: Result<T, MountError>) -> Option<T> {
        let error = match answer {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let refused = error.is_refused();
        let said = refused && lacks(CapabilitySet::SYS_PTRACE);
        if !said && !matches!(error, MountError::Gone { .. }) {
            self.count += 1;
            let remedy = match error {
                MountError::Deadline { .. } => LATE,
                _ if refused => REFUSED,
                _ => "look into the container by hand",
            };
            self.first.get_or_insert_with(|| (chain(&error), remedy));
        }
        None
    }

    /// What was noted.
    pub fn limitation(self) -> Option<Limitation> {
        let (first, remedy) = self.first?;
        Some(limitation(format!("files of {} not known: {first}", counted(self.count, "container", "s")), remedy))
    }
}

/// `1 namespace`, `2 namespaces`.
fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { more })
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::names::Named;
    use super::super::netns::NsId;
    use super::super::processes::Process;
    use super::*;
    use std::fs;

    /// What `horizon` says where process 1 and this one are in these control groups.
    fn blinds(first: &str, own: &str, cgroup: Cgroup) -> bool {
        let folder = tempfile::tempdir().unwrap();
        for (process, group) in [("1", first), ("self", own)] {
            fs::create_dir(folder.path().join(process)).unwrap();
            fs::write(folder.path().join(process).join("cgroup"), format!("0::{group}\n")).unwrap();
        }
        let first =
            Process { pid: 1, start_ticks: 1, ppid: 0, comm: "init".into(), netns: None, pidns: None, mntns: None, cgroup, argv: vec![] };
        let table = ProcessTable { processes: vec![first], ..ProcessTable::default() };
        assert_eq!(horizon(&ProcessTable { kernel_threads: true, ..table.clone() }, folder.path()), None, "the host itself");
        horizon(&table, folder.path()).unwrap().blinds
    }

    #[test]
    fn a_pods_own_pid_namespace_blinds_and_that_of_a_machine_in_a_container_does_not() {
        let sandbox = Cgroup { container_id: Some("a".repeat(64)), pod_uid: None };
        assert!(blinds("/", "/", Cgroup::default()), "we are process 1, or beside it");
        assert!(blinds("/../pause", "/", sandbox), "a pod that shares its process ids");
        assert!(!blinds("/../../init.scope", "/", Cgroup::default()), "a node that is itself a container");
    }

    #[test]
    fn a_leftover_among_names_blinds_only_where_no_namespace_is_seen() {
        let said = |names: Names| names_of(&Ok(names));
        let lab = || Named { name: "lab".into(), id: NsId { dev: 4, ino: 2 }, path: "/run/netns/lab".into() };
        let files = || vec!["old".to_owned()];
        let alone = said(Names { files: files(), ..Names::default() });
        assert_eq!(alone.iter().map(|limitation| limitation.blinds).collect::<Vec<_>>(), [true]);
        assert!(alone[0].remedy.contains("HostToContainer"), "{alone:?}");
        for names in [
            Names { files: files(), found: vec![lab()], ..Names::default() },
            Names { others: files(), ..Names::default() }, // a folder is never what a namespace is mounted on
        ] {
            let beside = said(names);
            assert_eq!(beside.iter().map(|limitation| limitation.blinds).collect::<Vec<_>>(), [false]);
            assert!(beside[0].what.ends_with(": old") && beside[0].remedy.starts_with("remove it"), "{beside:?}");
        }
        let refused = vec![("shut".to_owned(), ReadError::of("look at a name", rustix::io::Errno::ACCESS))];
        let refused = said(Names { refused, found: vec![lab()], ..Names::default() });
        assert!(refused.len() == 1 && refused[0].blinds && refused[0].what.contains("shut"), "{refused:?}");
        assert_eq!(said(Names { found: vec![lab()], ..Names::default() }), []);
        let missing = names_of(&Err(io::ErrorKind::NotFound.into()));
        assert!(missing.len() == 1 && missing[0].blinds && missing[0].what.contains("/nope"), "{missing:?}");
    }

    fn names_of(answer: &io::Result<Names>) -> Vec<Limitation> {
        names(Path::new("/nope"), answer)
    }
}
