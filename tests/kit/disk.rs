//! A small disk of a test's own, that can be filled: a tmpfs, for which root is needed.
//!
//! Apart, because the journal alone and the whole program are both tried on one.

use super::process::succeed;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// A file system of a few MiB; unmounted when dropped.
pub struct SmallDisk(pub PathBuf);

impl SmallDisk {
    /// Makes the folder and mounts it there.
    pub fn mount(at: PathBuf, mebibytes: u32) -> Self {
        fs::create_dir(&at).unwrap();
        succeed(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"]).arg(&at));
        Self(at)
    }

    /// Leaves no room.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Takes back what [`Self::fill`] took.
    pub fn free(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
