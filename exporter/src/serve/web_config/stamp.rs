//! Which version of a file was read, told by `stat` alone.
//!
//! Apart because noticing a change must be cheap (it is asked at every request) and must not miss one: a file written
//! twice within one tick of the kernel's clock looks the same both times, so a young file is never trusted.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How old a change must be before an unchanged `stat` means an unchanged file: longer than the coarsest clock of a file
/// system (two seconds on FAT; a kernel tick on the others).
const SETTLING: Duration = Duration::from_secs(3);

/// A file as it was at one time.
#[derive(Debug, Clone)]
pub(in super::super) struct Stamp {
    path: PathBuf,
    seen: Option<Identity>,
    settled: bool,
}

/// What changes when a file is written, replaced or renamed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The file as it is now; symbolic links are followed, as a mounted Kubernetes secret needs.
    pub(in super::super) fn of(path: &Path) -> Self {
        let seen = identity(path);
        let settled = seen.is_some_and(|identity| settled(identity.changed, SystemTime::now()));
        Self { path: path.to_path_buf(), seen, settled }
    }

    /// Whether the file is surely still the one of this stamp.
    pub(in super::super) fn holds(&self) -> bool {
        self.settled && identity(&self.path) == self.seen
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let stat = std::fs::metadata(path).ok()?;
    Some(Identity {
        device: stat.dev(),
        inode: stat.ino(),
        length: stat.len(),
        modified: (stat.mtime(), stat.mtime_nsec()),
        changed: (stat.ctime(), stat.ctime_nsec()),
    })
}

/// Whether a change at this time (seconds, nanoseconds) is old enough; one in the future never is.
fn settled((seconds, nanoseconds): (i64, i64), now: SystemTime) -> bool {
    let changed = Duration::new(seconds.try_into().unwrap_or(0), nanoseconds.try_into().unwrap_or(0));
    now.duration_since(SystemTime::UNIX_EPOCH + changed).is_ok_and(|age| age >= SETTLING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_young_file_is_not_trusted_and_an_old_one_is() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        assert!(settled((997, 0), now));
        assert!(!settled((997, 1), now));
        assert!(!settled((1001, 0), now), "a clock that went back proves nothing");
    }

    #[test]
    fn every_way_to_change_a_file_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yml");
        let stamp = || Stamp { settled: true, ..Stamp::of(&path) };
        std::fs::write(&path, "one").expect("written");
        let first = stamp();
        assert!(first.holds());
        std::fs::write(&path, "three").expect("written");
        assert!(!first.holds(), "written in place");

        let second = stamp();
        let other = folder.path().join("other");
        std::fs::write(&other, "seven").expect("written");
        std::fs::rename(&other, &path).expect("renamed");
        assert!(!second.holds(), "replaced");

        let third = stamp();
        std::fs::remove_file(&path).expect("removed");
        assert!(!third.holds(), "removed");
        assert!(!Stamp::of(&path).holds(), "what is not there is looked for again");
    }
}
