//! `/proc/PID/mountinfo` → mounts, and what each type of file system means to someone about to open a file on it.
//!
//! Apart because it is pure, and because both containers and the host's own file systems need it. Types are listed by what
//! is known to be harmless: a type nobody listed is not touched. To allow one: add it to the list whose comment fits.

use super::MountError;
use procfs::process::MountInfo;

/// A mount as a process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Its number, unique while it exists.
    pub(crate) id: u64,
    /// Where it is, from the process's root directory.
    pub(crate) point: String,
    /// Type with subtype, such as `ext4` or `fuse.sshfs`.
    pub(crate) fs_type: String,
    /// What the file system calls its source: a device, a name, or nothing.
    pub(crate) source: String,
}

/// On a block device of this machine.
const ON_DISK: [&str; 13] =
    ["bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "squashfs", "vfat", "xfs", "zfs"];
/// In memory, or on top of other local file systems (hostfs is user-mode Linux's view of its host).
const IN_MEMORY: [&str; 6] = ["aufs", "hostfs", "overlay", "ramfs", "rootfs", "tmpfs"];
/// Made up by the kernel. A path may lead through them, but to open a file there can have effects (`/proc/kmsg`).
const MADE_UP: [&str; 16] = [
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "securityfs",
    "sysfs",
    "tracefs",
];

/// Whether the file system has a device whose size and free space mean something.
pub(crate) fn is_on_disk(fs_type: &str) -> bool {
    ON_DISK.contains(&fs_type)
}

/// Whether files on it can be opened and read without waiting for another process or the network, and without effects.
pub(super) fn is_readable(fs_type: &str) -> bool {
    is_on_disk(fs_type) || IN_MEMORY.contains(&fs_type)
}

/// Whether a path can be walked through it without waiting for another process or the network.
pub(super) fn is_walkable(fs_type: &str) -> bool {
    is_readable(fs_type) || MADE_UP.contains(&fs_type)
}

impl Mount {
    /// Whether a path, taken without symbolic links, leads through this mount or to it.
    pub(crate) fn covers(&self, path: &str) -> bool {
        self.point == "/" || path.strip_prefix(self.point.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Reads a mount table, all of it or none: half a table would show too few mounts.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<Mount>, MountError> {
    let text = String::from_utf8_lossy(text);
    text.lines().zip(1..).map(|(line, number)| parse_line(line).ok_or(MountError::Line { line: number })).collect()
}

fn parse_line(line: &str) -> Option<Mount> {
    let info = MountInfo::from_line(line).ok()?;
    Some(Mount {
        id: info.mnt_id.try_into().ok()?,
        point: unescaped(info.mount_point.to_str()?),
        fs_type: unescaped(&info.fs_type),
        source: unescaped(&info.mount_source.unwrap_or_else(String::new)),
    })
}

/// The kernel writes blank, tab, line feed, `\` and `#` as `\` and three octal digits (`mangle` in `fs/proc_namespace.c`).
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(u8::is_ascii);
        if let (Some(code), Some(rest)) = (code, part.get(3..)) {
            plain.push(char::from(code));
            plain.push_str(rest);
        } else {
            plain.push('\\');
            plain.push_str(part);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A web container's table, after a Chaos Mesh 2.8.3 recording (scenario io-latency), shortened, with the line added
    /// that this Linux shows for `mount -t fuse … toda /data` (there was no toda in the recording), and a name with a blank.
    const CONTAINER: &str = "\
305 190 0:113 / / rw,relatime - overlay overlay rw,lowerdir=/snapshots/2/fs,upperdir=/snapshots/366/fs,workdir=/snapshots/366/work
306 305 0:115 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
307 305 0:116 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
326 305 254:0 /sandboxes/fc6336692a1b/resolv.conf /etc/resolv.conf rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
340 305 254:0 /pods/fd351c6e/data /__chaosfs__data__ rw,relatime - ext4 /dev/vda rw,discard
341 305 0:39 / /data rw,relatime - fuse toda rw,user_id=0,group_id=0,default_permissions,allow_other
342 305 0:40 / /my\\040files\\011\\134 rw,relatime - fuse.sshfs me@host:/home rw,user_id=0
343 305 0:41 / /empty rw,relatime -  none rw
";

    #[test]
    fn a_containers_table_is_read() {
        let mounts = parse(CONTAINER.as_bytes()).unwrap();
        let shown: Vec<_> =
            mounts.iter().map(|mount| (mount.id, mount.point.as_str(), mount.fs_type.as_str(), mount.source.as_str())).collect();
        assert_eq!(shown[0], (305, "/", "overlay", "overlay"));
        assert_eq!(shown[3], (326, "/etc/resolv.conf", "ext4", "/dev/vda"));
        assert_eq!(shown[5], (341, "/data", "fuse", "toda"));
        assert_eq!(shown[6], (342, "/my files\t\\", "fuse.sshfs", "me@host:/home"));
        assert_eq!(shown[7], (343, "/empty", "", ""));
        assert_eq!(super::super::toda(&mounts).iter().map(|mount| mount.point.as_str()).collect::<Vec<_>>(), ["/data"]);
    }

    #[test]
    fn this_process_has_a_root() {
        let mounts = parse(&std::fs::read("/proc/self/mountinfo").unwrap()).unwrap();
        assert!(mounts.iter().any(|mount| mount.point == "/"));
    }

    #[test]
    fn half_a_table_is_no_table() {
        for (cut, line) in [("305 190 0:113 / / rw,relatime", 1), ("nonsense", 1), ("\n", 1)] {
            assert!(matches!(parse(cut.as_bytes()), Err(MountError::Line { line: at }) if at == line), "{cut:?}");
        }
        let cut = CONTAINER.rfind("- ").unwrap();
        assert!(matches!(parse(&CONTAINER.as_bytes()[..cut]), Err(MountError::Line { line: 8 })));
    }

    #[test]
    fn a_mount_covers_what_is_below_it() {
        let at = |point: &str| Mount { id: 1, point: point.to_owned(), fs_type: String::new(), source: String::new() };
        for (point, path, covers) in [
            ("/", "/etc/resolv.conf", true),
            ("/etc", "/etc/resolv.conf", true),
            ("/etc/resolv.conf", "/etc/resolv.conf", true),
            ("/etc/resolv.conf", "/etc/resolv.conf.chaos.bak", false),
            ("/et", "/etc/resolv.conf", false),
            ("/data", "/etc/resolv.conf", false),
            ("", "/etc/resolv.conf", true),
        ] {
            assert_eq!(at(point).covers(path), covers, "{point} {path}");
        }
    }

    #[test]
    fn only_listed_types_are_touched() {
        for fs_type in ["fuse", "fuse.sshfs", "fuseblk", "nfs4", "cifs", "9p", "virtiofs", "autofs", "ceph", "tomorrowfs", ""] {
            assert!(!is_walkable(fs_type), "{fs_type}");
        }
        for fs_type in ["proc", "sysfs", "debugfs", "devtmpfs"] {
            assert!(is_walkable(fs_type) && !is_readable(fs_type), "{fs_type}");
        }
        assert!(is_readable("overlay") && !is_on_disk("overlay"));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn near_tables_parse_or_are_refused(at in 0..CONTAINER.len(), byte in any::<u8>(), cut in 0..CONTAINER.len()) {
            let mut bytes = CONTAINER.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = parse(&bytes);
            let _ = parse(&bytes[..cut]);
        }

        #[test]
        fn unescaping_never_grows(text in "[\\\\0-7a-z é]{0,40}") {
            prop_assert!(unescaped(&text).len() <= text.len());
        }
    }
}
