//! netns

/// A namespace as the kernel identifies it: device and inode of its nsfs file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NsId {
    /// Device of the nsfs mount.
    pub dev: u64,
    /// Inode number; unique while the namespace lives, reused afterwards.
    pub ino: u64,
}
