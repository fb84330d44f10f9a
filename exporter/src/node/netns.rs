//! Entering network namespaces: the only file that changes a thread's namespace.
//!
//! `setns(2)` moves one thread. A [`Traveller`] belongs to a dedicated std thread, never to an async task or a blocking pool, and
//! goes home when it is dropped. It keeps nothing of the namespaces it visited: an open socket or namespace fd would pin them.

use super::error::ReadError;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, CWD, Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::path::Path;

/// A namespace as the kernel identifies it: device and inode of its nsfs file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NsId {
    /// Device of the nsfs mount.
    pub dev: u64,
    /// Inode number; unique while the namespace lives, reused afterwards.
    pub ino: u64,
}

/// Follows `path` (such as `/proc/1/ns/net`) and says which namespace it stands for.
pub fn identify(path: &Path) -> Result<NsId, ReadError> {
    let stat = fs::stat(path).map_err(|errno| ReadError::of("open namespace", errno))?;
    Ok(NsId { dev: stat.st_dev, ino: stat.st_ino })
}

/// Opens the namespace file at `path` and makes sure that it still is the namespace that was found there.
pub fn open(path: &Path, expected: NsId) -> Result<OwnedFd, ReadError> {
    let fd =
        fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| ReadError::of("open namespace", errno))?;
    let stat = fs::fstat(&fd).map_err(|errno| ReadError::of("open namespace", errno))?;
    if (NsId { dev: stat.st_dev, ino: stat.st_ino }) != expected {
        return Err(ReadError::Gone { call: "open namespace", errno: rustix::io::Errno::STALE });
    }
    Ok(fd)
}

/// A thread that visits network namespaces.
pub struct Traveller {
    home: OwnedFd,
    /// `/proc/thread-self/net`, opened as a path only. Each lookup below it is answered for the namespace the thread is in
    /// at that moment, and the handle pins none: it saves two path walks a visit.
    proc_net: OwnedFd,
}

impl Traveller {
    /// Remembers the calling thread's own namespace. Call on the thread that will travel.
    pub fn new() -> Result<Self, ReadError> {
        let open = |path: &str, flags| {
            // Whatever the reason, it is our own place that is not there, not the one to visit: never `Gone`.
            let failed = |errno| match ReadError::of("open own namespace", errno) {
                ReadError::Gone { call, errno } => ReadError::Kernel { call, errno },
                other => other,
            };
            fs::openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty()).map_err(failed)
        };
        Ok(Self {
            home: open("/proc/thread-self/ns/net", OFlags::RDONLY)?,
            proc_net: open("/proc/thread-self/net", OFlags::PATH | OFlags::DIRECTORY)?,
        })
    }

    /// Moves the calling thread into `namespace`.
    pub fn enter(&self, namespace: impl AsFd) -> Result<(), ReadError> {
        enter(namespace)
    }

    /// The directory whose files describe the namespace the thread is in.
    pub fn proc_net(&self) -> &OwnedFd {
        &self.proc_net
    }
}

impl Drop for Traveller {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and nothing needs to be: the thread ends right after.
        let _ = enter(&self.home);
    }
}

#[allow(clippy::disallowed_methods)] // the one place: see the head of this file
fn enter(namespace: impl AsFd) -> Result<(), ReadError> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|errno| ReadError::of("enter namespace", errno))
}
