//! What one sweep saw: plain values, made by [`super::sweeper`] and read by verdicts, families and pages.
//!
//! To add something a sweep sees: a field of [`Sweep`].

use super::boot;
use super::error::ReadError;
use super::limits::Limitation;
use super::mounts::ResolvConf;
use super::namespaces::Namespace;
use super::processes::Helper;
use super::visit::Reading;
use crate::exposition::Distribution;
use chaoscope_model::Pod;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// What one sweep saw.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// When it began.
    pub at: jiff::Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Which runtime was asked; empty without one.
    pub runtime: String,
    /// How each part went.
    pub parts: Vec<Part>,
    /// Every namespace found, with what became of it.
    pub namespaces: Vec<Observed>,
    /// Of what everything was found, so that what is not there is gone.
    pub complete: Complete,
    /// Processes whose namespaces may not be seen: what lives in them is not among `namespaces`.
    pub unreadable: u32,
    /// Helper processes of chaos tools, with the pod they act on where it is known.
    pub helpers: Vec<(Option<Pod>, Helper)>,
    /// What chaos did to containers' files; containers without any are left out.
    pub mounts: Vec<Files>,
    /// Containers whose files were to be looked at, those with nothing in `mounts` among them.
    pub looked: Vec<Looked>,
    /// When this host was booted, as exact as the kernel's clock of starts; `None` where it does not tell.
    pub booted: Option<jiff::Timestamp>,
    /// What could not be seen, and what would show it.
    pub limitations: Vec<Limitation>,
    /// How long visits took, over all sweeps of this process.
    pub durations: Distribution,
}

/// Of what a sweep found everything there is, as far as this pid namespace and the folder of names reach. What is not among it then is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Complete {
    /// Processes.
    pub processes: bool,
    /// Network namespaces with a process or a name. One that only an open file holds is nobody's, and never found.
    pub namespaces: bool,
}

/// What chaos did to one container's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Files {
    /// The pod, where it is known.
    pub pod: Option<Pod>,
    /// The container's name, else its id.
    pub container: String,
    /// Volumes toda is mounted over.
    pub toda: Vec<String>,
    /// What became of its `resolv.conf`; absent where it could not be looked at.
    pub resolv_conf: Option<ResolvConf>,
}

/// Whether one container's files could be looked at, so that nothing found is nothing there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Uid of the pod; empty where it is unknown.
    pub pod: String,
    /// The container's name, else its id.
    pub container: String,
    /// Whether that is its id, as nobody told its name.
    pub nameless: bool,
    /// Whether its mounts were read.
    pub mounts: bool,
    /// Whether its `resolv.conf` was.
    pub resolv_conf: bool,
}

/// A part of a sweep that can fail on its own.
#[derive(Clone, Debug)]
pub struct Part {
    /// `runtime`, `processes`, `namespaces` or `mounts`.
    pub source: &'static str,
    /// How long it took.
    pub took: Duration,
    /// Why it gave nothing, or too little to rely on.
    pub failure: Option<String>,
}

/// A namespace and what became of it.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Which one.
    pub namespace: Namespace,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a namespace in a sweep.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It was entered and read, each source with a result of its own.
    Read(Box<Reading>, Duration),
    /// It could not be entered.
    Failed(ReadError),
    /// It was left out.
    Skipped(Skip),
}

/// Why a namespace was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It is the host's own.
    HostNetwork,
    /// The deadline came first.
    Deadline,
    /// It was gone when its turn came.
    Gone,
}

impl Skip {
    /// All reasons, for the label `reason`.
    pub const ALL: [Self; 3] = [Self::HostNetwork, Self::Deadline, Self::Gone];

    /// The `reason` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostNetwork => "host_network",
            Self::Deadline => "deadline",
            Self::Gone => "gone",
        }
    }
}

impl Sweep {
    /// One that begins now.
    pub(super) fn begun(runtime: String, procfs: &Path) -> Self {
        let at = jiff::Timestamp::now();
        Self {
            at,
            took: Duration::ZERO,
            runtime,
            parts: Vec::new(),
            namespaces: Vec::new(),
            complete: Complete::default(),
            unreadable: 0,
            helpers: Vec::new(),
            mounts: Vec::new(),
            looked: Vec::new(),
            booted: boot::began(procfs, at),
            limitations: Vec::new(),
            durations: Distribution::default(),
        }
    }

    /// Whether chaos may hide behind something that could not be seen.
    pub fn is_blind(&self) -> bool {
        self.limitations.iter().any(|limitation| limitation.blinds)
    }
}

impl Observed {
    /// What was read, if it was.
    pub fn reading(&self) -> Option<&Reading> {
        match &self.fate {
            Fate::Read(reading, _) => Some(reading),
            _ => None,
        }
    }
}
