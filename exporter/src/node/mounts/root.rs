//! The root directory of another process, and the only way in which its files are opened.
//!
//! Apart because a container's files are the one thing we open that someone else has chosen. The rules, each against
//! something a container can do without any privilege:
//!
//! - Paths are resolved inside its root (`openat2`, `RESOLVE_IN_ROOT`): a symbolic link to `/etc/shadow` means its own.
//! - Nothing is walked through or opened on a file system that answers by another process or the network (fuse, NFS): it
//!   may never answer. That is also how a hung toda would take us along with its container.
//! - What is there is looked at first (`O_PATH`) and opened afterwards by that same handle: a device or fifo put in place
//!   of the file is never opened, not even in between.
//! - Only regular files on disk or in memory are read (not `/proc/kmsg`), never more than a limit, without waiting for a
//!   lease on them, and where possible without touching the access time.

use super::table::{Mount, is_readable, is_walkable};
use super::{MountError, bounded};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, StatxFlags, open, openat, openat2, statx};
use rustix::io::Errno;
use std::fs::File;
use std::io::ErrorKind;

/// The root directory of a process, with the mounts that it sees.
#[derive(Debug)]
pub(crate) struct Root<'m> {
    directory: OwnedFd,
    mounts: &'m [Mount],
}

/// A file that was looked at and not opened.
#[derive(Debug)]
pub(crate) struct Place<'m> {
    /// `O_PATH` handle.
    pub(crate) handle: OwnedFd,
    /// The mount it is on.
    pub(crate) mount: &'m Mount,
    file_type: FileType,
    size: u64,
}

impl<'m> Root<'m> {
    /// The root of the process whose /proc directory is `entry`. That it is opened by its link there keeps it the
    /// process's own even where the process has changed it.
    pub(crate) fn of(entry: &OwnedFd, mounts: &'m [Mount], pid: u32) -> Result<Self, MountError> {
        match openat(entry, "root", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(directory) => Ok(Self { directory, mounts }),
            Err(Errno::NOENT | Errno::SRCH) => Err(MountError::Gone { pid }),
            Err(source) => Err(MountError::Root { pid, source }),
        }
    }

    /// The regular file at `path`, all of it; None when there is nothing at that path.
    pub(crate) fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, MountError> {
        let Some(place) = self.locate(path)? else { return Ok(None) };
        let own = || path.to_owned();
        if place.file_type != FileType::RegularFile {
            return Err(MountError::NotAFile { path: own() });
        }
        if !is_readable(&place.mount.fs_type) {
            return Err(MountError::NotLocal { path: own(), fs_type: place.mount.fs_type.clone() });
        }
        if place.size > limit as u64 {
            return Err(MountError::TooLarge { path: own(), limit });
        }
        let file = reopened(&place.handle).map_err(|error| MountError::Open { path: own(), source: error.into() })?;
        bounded::rest(File::from(file), limit).map(Some).map_err(|source| match source.kind() {
            ErrorKind::FileTooLarge => MountError::TooLarge { path: own(), limit },
            _ => MountError::Open { path: own(), source },
        })
    }

    /// What is at the absolute `path`, without opening it; None when there is nothing.
    pub(crate) fn locate(&self, path: &str) -> Result<Option<Place<'m>>, MountError> {
        let failed = |error: Errno| MountError::Open { path: path.to_owned(), source: error.into() };
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let handle = match openat2(&self.directory, path, flags, Mode::empty(), self.how_to_walk(path)?) {
            Ok(handle) => handle,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(Errno::NOSYS) => return Err(MountError::Unsupported),
            Err(error) => return Err(failed(error)),
        };
        let wanted = StatxFlags::TYPE | StatxFlags::SIZE | StatxFlags::MNT_ID;
        let stat = statx(&handle, "", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, wanted).map_err(failed)?;
        if stat.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
            return Err(MountError::Unsupported);
        }
        // made after the table was read: whatever it is, it is not known
        let mount = self.mounts.iter().find(|mount| mount.id == stat.stx_mnt_id).ok_or_else(|| failed(Errno::STALE))?;
        Ok(Some(Place { handle, mount, file_type: FileType::from_raw_mode(stat.stx_mode.into()), size: stat.stx_size }))
    }

    /// Symbolic links may lead anywhere in the root, so they are followed only where every mount can be walked; otherwise
    /// the path itself must not lead through one that cannot.
    fn how_to_walk(&self, path: &str) -> Result<ResolveFlags, MountError> {
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        if !self.mounts.iter().any(|mount| mount.covers(path)) {
            return Err(MountError::NotLocal { path: path.to_owned(), fs_type: "an unknown file system".to_owned() });
        }
        let mut unsafe_mounts = self.mounts.iter().filter(|mount| !is_walkable(&mount.fs_type)).peekable();
        if unsafe_mounts.peek().is_none() {
            return Ok(inside);
        }
        match unsafe_mounts.find(|mount| mount.covers(path)) {
            None => Ok(inside | ResolveFlags::NO_SYMLINKS),
            Some(mount) => Err(MountError::NotLocal { path: path.to_owned(), fs_type: mount.fs_type.clone() }),
        }
    }
}

/// Opens for reading what a handle stands for. Keeping the access time is allowed only to the owner and `CAP_FOWNER`.
fn reopened(handle: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match open(&path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(CWD, &path, flags, Mode::empty()),
        other => other,
    }
}
