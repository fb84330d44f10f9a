//! Whether the journal's file is still where it was opened: one that was deleted takes every write, and is gone with the process.
//!
//! Apart from the recorder, which asks between two groups; SQLite does not notice, and nothing fails until the next start finds nothing.

use super::lock::Folder;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often to look: one stat(2).
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// The file, and what became of it.
pub(super) struct Presence {
    /// Ours until this is dropped.
    _folder: Arc<Folder>,
    path: PathBuf,
    /// Device and inode of what was opened; `None`: not known, and nothing is said.
    opened: Option<(u64, u64)>,
    looked: Instant,
    /// What is wrong with it; empty: nothing.
    pub(super) fault: String,
}

impl Presence {
    /// Notes which file was opened.
    pub(super) fn of(folder: Arc<Folder>) -> Self {
        let path = folder.place();
        let opened = std::fs::metadata(&path).ok().map(|data| (data.dev(), data.ino()));
        Self { _folder: folder, path, opened, looked: Instant::now(), fault: String::new() }
    }

    /// Looks again, unless that was just done. Answers whether it is otherwise than before, which is logged.
    pub(super) fn has_changed(&mut self) -> bool {
        if self.looked.elapsed() < EVERY {
            return false;
        }
        self.looked = Instant::now();
        let fault = self.opened.map_or_else(String::new, |opened| fault(&self.path, opened));
        if fault == self.fault {
            return false;
        }
        if fault.is_empty() {
            tracing::info!(path = %self.path.display(), "the journal is where it was again");
        } else {
            tracing::error!("{fault}: what is stored from now on is lost with this process; restart it, to begin a new journal");
        }
        self.fault = fault;
        true
    }
}

/// What is wrong with the file at a path; empty where nothing is, or where that cannot be told.
fn fault(path: &Path, opened: (u64, u64)) -> String {
    match std::fs::metadata(path) {
        Ok(data) if (data.dev(), data.ino()) == opened => String::new(),
        Ok(_) => format!("{} was replaced by another file while it was open", path.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => format!("{} was deleted or moved while it was open", path.display()),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_that_is_deleted_replaced_or_back_is_noticed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::take(Some(parent.path())).unwrap());
        let path = folder.file().unwrap();
        let mut presence = Presence::of(folder);
        let mut look = || {
            presence.looked = Instant::now().checked_sub(EVERY).unwrap();
            (presence.has_changed(), presence.fault.clone())
        };
        assert_eq!(look(), (false, String::new()));
        let aside = parent.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        let (changed, fault) = look();
        assert!(changed && fault.ends_with("journal.sqlite was deleted or moved while it was open"), "{fault}");
        assert!(!look().0, "it is said once");
        fs::write(&path, "").unwrap();
        assert!(look().1.contains("was replaced by another file"));
        fs::rename(&aside, &path).unwrap();
        assert_eq!(look(), (true, String::new()));
    }
}
