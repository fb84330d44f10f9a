//! What a sweep could not see, in words, with the remedy: shown on the status page and by the commands, and the reason why `check` may
//! answer "could not tell".

use super::error::ReadError;
use super::mounts::MountError;
use super::processes::{ProcessError, ProcessTable};
use super::runtime::RuntimeError;
use super::sweep::{Fate, Observed, Skip};
use rustix::thread::{CapabilitySet, capabilities as own};
use serde::Serialize;
use std::collections::BTreeMap;

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

/// Capabilities a full view needs and this process lacks.
pub fn capabilities() -> Vec<Limitation> {
    let Ok(sets) = own(None) else { return Vec::new() };
    let needed = [
        (CapabilitySet::SYS_ADMIN, "network namespaces cannot be entered", "CAP_SYS_ADMIN"),
        (CapabilitySet::NET_ADMIN, "ipsets and packet filter rules cannot be read", "CAP_NET_ADMIN"),
        (CapabilitySet::SYS_PTRACE, "namespaces and mounts of other users' processes cannot be seen", "CAP_SYS_PTRACE"),
    ];
    let missing = needed.into_iter().filter(|(capability, ..)| !sets.effective.contains(*capability));
    missing.map(|(_, what, name)| limitation(what, format!("run as root, or add {name}"))).collect()
}

/// A runtime that gave nothing, or not all.
pub fn runtime(error: &RuntimeError) -> Limitation {
    let limitation = limitation(format!("names of pods may be missing: {}", chain(error)), error.remedy());
    Limitation { blinds: false, ..limitation }
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
    if table.unreadable > 0 || table.hidden {
        let whose = if table.hidden { "some processes".to_owned() } else { counted(table.unreadable as usize, "process", "es") };
        out.push(limitation(format!("namespaces not known: {whose}"), "run as root, or add CAP_SYS_PTRACE"));
    }
    if table.skipped > 0 {
        out.push(limitation(
            format!("not looked at before the deadline: {}", counted(table.skipped as usize, "process", "es")),
            "give the scrape more time",
        ));
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
        for (source, error) in found {
            errors.entry((source, error.reason())).or_insert((0, error)).0 += 1;
        }
    }
    let mut out: Vec<_> = errors
        .into_iter()
        .map(|((source, _), (count, error))| {
            limitation(
                format!("{source} unknown in {}: {}", counted(count, "namespace", "s"), chain(error)),
                error.remedy().unwrap_or("the next sweep tries again"),
            )
        })
        .collect();
    if deadline > 0 {
        out.push(limitation(
            format!("not reached before the deadline: {}", counted(deadline, "namespace", "s")),
            "give the scrape more time",
        ));
    }
    out
}

/// Containers whose files could not be looked at.
#[derive(Default)]
pub struct Unseen {
    count: usize,
    first: Option<String>,
}

impl Unseen {
    /// The value, or a note that there is none. A container that ended meanwhile is nothing to note.
    pub fn note<T>(&mut self, answer: Result<T, MountError>) -> Option<T> {
        match answer {
            Ok(value) => return Some(value),
            Err(MountError::Gone { .. }) => {}
            Err(error) => {
                self.count += 1;
                self.first.get_or_insert_with(|| chain(&error));
            }
        }
        None
    }

    /// What was noted.
    pub fn limitation(self) -> Option<Limitation> {
        let first = self.first?;
        Some(limitation(
            format!("files of {} not known: {first}", counted(self.count, "container", "s")),
            "run as root, or add CAP_SYS_PTRACE",
        ))
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
