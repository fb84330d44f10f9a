//! The folder a journal is in: made if need be, held by one process, on a file system that can hold it.
//!
//! Apart because it is about the folder, not about what is in it. To extend: a file system that must not be used is a row of [`REMOTE`].

use super::Error;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// File systems whose locks and shared memory other machines do not see, or see late: `f_type` of statfs(2), as in linux/magic.h and in
/// each file system's own sources.
const REMOTE: [(u32, &str); 14] = [
    (0x0000_6969, "NFS"),
    (0x0000_517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB 2"),
    (0x00C3_6400, "Ceph"),
    (0x0102_1997, "9p"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x7461_636F, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x0BD0_0BD0, "Lustre"),
    (0x0000_564C, "NCP"),
    (0x4750_4653, "GPFS"),
];
/// FUSE: what is behind it cannot be told; much of it is local.
const FUSE: u32 = 0x6573_5546;

/// A folder that is ours until this is dropped. A lock is let go when a process ends, whatever way.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
    _temporary: Option<tempfile::TempDir>,
}

impl Folder {
    /// Takes a folder, or makes a temporary one.
    pub(super) fn take(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            let temporary = tempfile::Builder::new().prefix("chaoscope-").tempdir();
            let temporary = temporary.map_err(|cause| Error::folder(&std::env::temp_dir(), cause))?;
            let path = temporary.path().to_owned();
            return Ok(Self { _lock: lock(&path)?, path, _temporary: Some(temporary) });
        };
        let failed = |cause| Error::folder(path, cause);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let kind = rustix::fs::statfs(path).map_err(|cause| failed(cause.into()))?.f_type;
        // The magic numbers have 32 bits, whatever the word's width and sign.
        let kind = (kind & 0xFFFF_FFFF).unsigned_abs() as u32;
        if let Some(name) = remote(kind) {
            return Err(Error::Remote { path: path.to_owned(), name });
        }
        if kind == FUSE {
            tracing::warn!(path = %path.display(), "the journal is on FUSE: if that is a network file system, it may be damaged");
        }
        Ok(Self { _lock: lock(path)?, path: path.to_owned(), _temporary: None })
    }

    /// Where the journal's file is.
    pub(super) fn place(&self) -> PathBuf {
        self.path.join("journal.sqlite")
    }

    /// The journal's file; made if there is none, for its owner alone.
    pub(super) fn file(&self) -> Result<PathBuf, Error> {
        let path = self.place();
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        made.map_err(|cause| Error::folder(&path, cause))?;
        Ok(path)
    }
}

/// The name of a file system that must not hold a journal.
fn remote(kind: u32) -> Option<&'static str> {
    REMOTE.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("journal.lock");
    let failed = |cause| Error::folder(&path, cause);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            // For whoever comes second and asks who was first; the lock holds without it, also where the disk is full.
            let told = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            if let Err(cause) = told {
                tracing::warn!(path = %path.display(), %cause, "cannot write who holds the journal");
            }
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let told = file.take(20).read_to_string(&mut pid).is_ok() && !pid.is_empty();
            Err(Error::Taken { path: folder.to_owned(), pid: if told { pid } else { "unknown".to_owned() } })
        }
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_magic_and_local_ones_are_not() {
        for (magic, name) in [(0x6969, "NFS"), (0xFF53_4D42, "CIFS"), (0xFE53_4D42, "SMB 2"), (0x0102_1997, "9p"), (0x00C3_6400, "Ceph")] {
            assert_eq!(remote(magic), Some(name));
        }
        // ext4, xfs, btrfs, tmpfs, overlayfs, zfs
        for magic in [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0x2FC1_2FC1] {
            assert_eq!(remote(magic), None, "{magic:x}");
        }
    }

    #[test]
    fn a_second_owner_is_told_who_the_first_is() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("made/here");
        let first = Folder::take(Some(&path)).unwrap();
        let said = Folder::take(Some(&path)).unwrap_err().to_string();
        assert!(said.contains(&std::process::id().to_string()), "{said}");
        let mode = |path: &Path| std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(path).unwrap()) & 0o777;
        assert_eq!((mode(&path), mode(&first.file().unwrap())), (0o700, 0o600));
        drop(first);
        Folder::take(Some(&path)).unwrap();
    }
}
