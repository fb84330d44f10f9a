//! What chaos does to a container's files: toda's fuse mounts (`IOChaos`) and the replaced `resolv.conf` (`DNSChaos`).
//!
//! Apart from `super::processes`, which asks every process the same few things: here one container is looked into, and
//! its files belong to someone who may wish us ill. `table` reads the mount table, `root` is the only place that opens
//! a file of a container and says how, `resolv_conf` compares. To recognise another mount: a predicate beside `toda`.

mod resolv_conf;
mod root;
mod table;

pub use resolv_conf::ResolvConf;
pub(crate) use root::Root;
pub(crate) use table::{Mount, is_on_disk, parse};

use super::bounded;
use rustix::fs::CWD;
use rustix::io::Errno;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Instant;

/// What was found in one container.
#[derive(Debug)]
pub struct ContainerMounts {
    /// Mounts of toda that are there now, in the order they were made.
    pub toda: Vec<TodaMount>,
    /// Whether the name servers were replaced. On its own because it needs `CAP_SYS_PTRACE` and Linux 5.8, the mounts do not.
    pub resolv_conf: Result<ResolvConf, MountError>,
}

/// A volume that an `IOChaos` acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TodaMount {
    /// Where it is mounted, in the container.
    pub point: String,
}

/// Why a container's mounts or a file of it are not known.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The process ended; look for another one of the container.
    #[error("process {pid} is gone")]
    Gone {
        /// The process.
        pid: u32,
    },
    /// Not begun, as there was no time left.
    #[error("no time left to look into process {pid}")]
    Deadline {
        /// The process.
        pid: u32,
    },
    /// The mount table cannot be read, or has more than 8 MiB.
    #[error("cannot read the mount table of process {pid}")]
    Table {
        /// The process.
        pid: u32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A line of the mount table is not what proc(5) says.
    #[error("line {line} of the mount table is not understood")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// The root directory is closed to us: that takes `CAP_SYS_PTRACE`.
    #[error("cannot enter the root directory of process {pid}")]
    Root {
        /// The process.
        pid: u32,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
    /// The kernel cannot keep us inside of the root directory (openat2, Linux 5.6) or tell a file's mount (statx, 5.8).
    #[error("this kernel cannot open a container's files safely: Linux 5.8 is needed")]
    Unsupported,
    /// Opening the file could wait for another process or for the network, or have effects of its own.
    #[error("{path} is on {fs_type}, and only files on local disks and in memory are opened")]
    NotLocal {
        /// Path in the container.
        path: String,
        /// File system type.
        fs_type: String,
    },
    /// A directory, device, socket or fifo is in its place.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// Path in the container.
        path: String,
    },
    /// Longer than such a file is.
    #[error("{path} has more than {limit} bytes")]
    TooLarge {
        /// Path in the container.
        path: String,
        /// The most that is read.
        limit: usize,
    },
    /// The file is there, but cannot be opened or read.
    #[error("cannot read {path}")]
    Open {
        /// Path in the container.
        path: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl MountError {
    /// Whether the kernel said EPERM or EACCES.
    pub fn is_refused(&self) -> bool {
        match self {
            Self::Root { source, .. } => matches!(*source, Errno::PERM | Errno::ACCESS),
            Self::Table { source, .. } | Self::Open { source, .. } => source.kind() == ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

/// Most of a mount table that is read: `fs.mount-max` (100 000 by default) lines of ordinary length.
pub(crate) const TABLE_LIMIT: usize = 8 * 1024 * 1024;

/// Looks into the container that process `pid` of `procfs` is in. Blocks; call it on a thread that may. `until` is
/// honoured before each step; a step is a few dozen system calls at most, none of which waits for anything but local disks.
pub fn read(procfs: &Path, pid: u32, until: Instant) -> Result<ContainerMounts, MountError> {
    let in_time = || if Instant::now() < until { Ok(()) } else { Err(MountError::Deadline { pid }) };
    in_time()?;
    let entry = bounded::directory(CWD, procfs.join(pid.to_string())).map_err(|error| table_error(pid, error.into()))?;
    let text = bounded::whole(&entry, "mountinfo", TABLE_LIMIT).map_err(|error| table_error(pid, error))?;
    let mounts = parse(&text)?;
    let resolv_conf = in_time().and_then(|()| resolv_conf::read(&Root::of(&entry, &mounts, pid)?));
    Ok(ContainerMounts { toda: toda(&mounts), resolv_conf })
}

/// toda mounts itself with `fsname=toda` and no subtype (its `src/mount_injector.rs`).
fn toda(mounts: &[Mount]) -> Vec<TodaMount> {
    let is_toda = |mount: &&Mount| mount.source == "toda" && (mount.fs_type == "fuse" || mount.fs_type.starts_with("fuse."));
    mounts.iter().filter(is_toda).map(|mount| TodaMount { point: mount.point.clone() }).collect()
}

fn table_error(pid: u32, source: io::Error) -> MountError {
    let is_srch = source.raw_os_error() == Some(Errno::SRCH.raw_os_error());
    // InvalidInput is EINVAL: the answer for a zombie, which has no mount namespace any more (fs/proc_namespace.c)
    if is_srch || matches!(source.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) {
        return MountError::Gone { pid };
    }
    MountError::Table { pid, source }
}

/// Fuzzing: `mountinfo`, and two versions of `resolv.conf` with a zero byte between.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let _ = parse(data).map(|mounts| (toda(&mounts).len(), mounts.iter().any(|mount| mount.covers("/etc/resolv.conf"))));
    resolv_conf::fuzz(data);
}

#[cfg(test)]
mod tests;
