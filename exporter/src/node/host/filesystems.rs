//! Size and free space of the host's local file systems.
//!
//! Apart because it asks the file systems themselves, which a file system that does not answer makes dangerous: only
//! types known to be on local disks are asked, on paths that lead through nothing else (see `Root`).

use crate::node::bounded;
use crate::node::mounts::{Mount, MountError, Root, TABLE_LIMIT, is_on_disk, parse};
use rustix::fd::OwnedFd;
use rustix::fs::{StatVfs, StatVfsMountFlags, fstatvfs};

/// A mounted file system and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// Block device, as the mount table calls it.
    pub device: String,
    /// File system type.
    pub fs_type: String,
    /// Where the host has mounted it.
    pub point: String,
    /// Size in bytes.
    pub size: u64,
    /// Free bytes, those kept for root included.
    pub free: u64,
    /// Free bytes for everyone.
    pub available: u64,
    /// Number of inodes; 0 where there is no such limit.
    pub files: u64,
    /// Free inodes.
    pub files_free: u64,
    /// Whether it is mounted read-only.
    pub is_read_only: bool,
}

/// Most file systems that are shown: a host with more has them for containers.
const LIMIT: usize = 256;
/// What belongs to containers: the exclusions of `node_exporter`'s Helm chart.
const FOR_CONTAINERS: [&str; 6] = [
    "/run/containerd/",
    "/run/credentials/",
    "/var/lib/containerd/",
    "/var/lib/containers/storage/",
    "/var/lib/docker/",
    "/var/lib/kubelet/",
];

/// Those of process 1, which is the host's own even when we run in a container. Where its root is closed to us (no
/// `CAP_SYS_PTRACE`), our own root will do if both have the same mounts.
pub(super) fn read(proc: &OwnedFd) -> Result<Vec<Filesystem>, MountError> {
    let table = |name: &str| bounded::whole(proc, name, TABLE_LIMIT).map_err(|source| MountError::Table { pid: 1, source });
    let text = table("1/mountinfo")?;
    let mounts = parse(&text)?;
    let entry = |name: &str| bounded::directory(proc, name).map_err(|source| MountError::Root { pid: 1, source });
    let root = match Root::of(&entry("1")?, &mounts, 1) {
        Err(MountError::Root { .. }) if table("self/mountinfo")? == text => Root::of(&entry("self")?, &mounts, 1),
        other => other,
    }?;
    Ok(mounts.iter().filter(|mount| is_wanted(mount)).filter_map(|mount| filesystem(&root, mount)).take(LIMIT).collect())
}

fn is_wanted(mount: &Mount) -> bool {
    let made_up = ["/dev", "/proc", "/sys"]
        .iter()
        .any(|above| mount.point.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    is_on_disk(&mount.fs_type) && !made_up && !FOR_CONTAINERS.iter().any(|above| mount.point.starts_with(above))
}

/// None for a mount that cannot be reached, or that another one hides.
fn filesystem(root: &Root<'_>, mount: &Mount) -> Option<Filesystem> {
    let place = root.locate(&mount.point).ok()??;
    if place.mount.id != mount.id {
        return None;
    }
    let stat: StatVfs = fstatvfs(&place.handle).ok()?;
    let bytes = |blocks: u64| blocks.checked_mul(stat.f_frsize);
    Some(Filesystem {
        device: mount.source.clone(),
        fs_type: mount.fs_type.clone(),
        point: mount.point.clone(),
        size: bytes(stat.f_blocks)?,
        free: bytes(stat.f_bfree)?,
        available: bytes(stat.f_bavail)?,
        files: stat.f_files,
        files_free: stat.f_ffree,
        is_read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_disks_are_wanted_and_its_containers_are_not() {
        let at = |point: &str, fs_type: &str| Mount { id: 1, point: point.to_owned(), fs_type: fs_type.to_owned(), source: String::new() };
        for (point, fs_type, wanted) in [
            ("/", "ext4", true),
            ("/data", "xfs", true),
            ("/devices", "ext4", true),
            ("/var/lib/docker", "ext4", true),
            ("/var/lib/docker/overlay2/x/merged", "ext4", false),
            ("/var/lib/kubelet/pods/u/volume-subpaths/v/c/0", "ext4", false),
            ("/dev/shm", "ext4", false),
            ("/", "overlay", false),
            ("/mnt", "nfs4", false),
            ("/mnt", "fuse", false),
            ("/tmp", "tmpfs", false),
        ] {
            assert_eq!(is_wanted(&at(point, fs_type)), wanted, "{point} {fs_type}");
        }
    }
}
