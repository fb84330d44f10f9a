//! Containers made of a directory and a written mount table. Real namespaces, fuse mounts and /proc/kmsg are in `tests/processes.rs`.

use super::*;
use rustix::fs::{AtFlags, FileType, Mode, StatxFlags, mknodat, statx};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const PID: u32 = 42;
const OURS: &str = "search shop.svc\nnameserver 10.96.0.10\n";
const THEIRS: &str = "search shop.svc\nnameserver 10.96.77.3\n";

struct Container(TempDir);

impl Container {
    /// Process 42 with a root directory of its own, all of it on one file system of the type given.
    fn on(fs_type: &str) -> Self {
        let container = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(container.root().join("etc")).unwrap();
        fs::create_dir(container.entry()).unwrap();
        symlink(container.root(), container.entry().join("root")).unwrap();
        let id = statx(rustix::fs::CWD, container.root(), AtFlags::empty(), StatxFlags::MNT_ID).unwrap().stx_mnt_id;
        container.mountinfo(&format!("{id} 1 0:1 / / rw,relatime - {fs_type} src rw\n"));
        container
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }

    fn entry(&self) -> PathBuf {
        self.0.path().join(PID.to_string())
    }

    /// Adds lines to the mount table.
    fn mountinfo(&self, lines: &str) {
        let path = self.entry().join("mountinfo");
        let before = fs::read_to_string(&path).unwrap_or_else(|_| String::new());
        fs::write(path, before + lines).unwrap();
    }

    fn file(&self, path: &str, text: &str) -> &Self {
        fs::write(self.root().join(path.trim_start_matches('/')), text).unwrap();
        self
    }

    fn read(&self) -> ContainerMounts {
        read(self.0.path(), PID, Instant::now() + Duration::from_mins(1)).unwrap()
    }

    fn resolv_conf(&self) -> Result<ResolvConf, MountError> {
        self.read().resolv_conf
    }
}

#[test]
fn a_replaced_resolv_conf_is_told_from_a_restored_one() {
    let container = Container::on("ext4");
    assert_eq!(container.resolv_conf().unwrap(), ResolvConf::Untouched, "not even a resolv.conf");
    container.file("/etc/resolv.conf", OURS);
    assert_eq!(container.resolv_conf().unwrap(), ResolvConf::Untouched);
    assert!(is_clean(&container.read()));
    container.file("/etc/resolv.conf.chaos.bak", OURS).file("/etc/resolv.conf", THEIRS);
    assert_eq!(container.resolv_conf().unwrap(), ResolvConf::Replaced);
    container.file("/etc/resolv.conf", OURS);
    assert_eq!(container.resolv_conf().unwrap(), ResolvConf::Restored);
    assert!(!is_clean(&container.read()), "the copy is still there");
}

#[test]
fn symbolic_links_stay_in_the_container() {
    let container = Container::on("overlay");
    fs::write(container.0.path().join("outside"), THEIRS).unwrap();
    fs::create_dir(container.root().join("run")).unwrap();
    container.file("/etc/resolv.conf.chaos.bak", OURS).file("/run/resolv.conf", OURS);
    let link = container.root().join("etc/resolv.conf");
    let outside = container.0.path().join("outside");
    for (target, expected) in [
        (PathBuf::from("/run/resolv.conf"), ResolvConf::Restored),
        (PathBuf::from("../run/resolv.conf"), ResolvConf::Restored),
        (outside, ResolvConf::Replaced), // inside there is no such file
        (PathBuf::from("../../../../../../outside"), ResolvConf::Replaced),
    ] {
        symlink(&target, &link).unwrap();
        assert_eq!(container.resolv_conf().unwrap(), expected, "{}", target.display());
        fs::remove_file(&link).unwrap();
    }
    // had a link out been followed, it would have found the same servers as in the copy
    fs::write(container.0.path().join("outside"), OURS).unwrap();
    symlink(container.0.path().join("outside"), &link).unwrap();
    assert_eq!(container.resolv_conf().unwrap(), ResolvConf::Replaced);
    fs::remove_file(&link).unwrap();
    symlink("resolv.conf", &link).unwrap();
    assert!(matches!(container.resolv_conf(), Err(MountError::Open { .. })), "a link to itself");
}

#[test]
fn what_is_no_small_regular_file_is_not_opened() {
    let container = Container::on("ext4");
    container.file("/etc/resolv.conf", OURS);
    let copy = container.root().join("etc/resolv.conf.chaos.bak");
    let directory = fs::File::open(container.root().join("etc")).unwrap();
    mknodat(&directory, "resolv.conf.chaos.bak", FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert!(matches!(container.resolv_conf(), Err(MountError::NotAFile { .. })), "a fifo nobody writes to");
    fs::remove_file(&copy).unwrap();
    fs::create_dir(&copy).unwrap();
    assert!(matches!(container.resolv_conf(), Err(MountError::NotAFile { .. })), "a directory");
    fs::remove_dir(&copy).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&copy).unwrap();
    assert!(matches!(container.resolv_conf(), Err(MountError::NotAFile { .. })), "a socket");
    fs::remove_file(&copy).unwrap();
    fs::File::create(&copy).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(container.resolv_conf(), Err(MountError::TooLarge { limit: 65536, .. })), "a tebibyte of holes");
    fs::File::create(&copy).unwrap().set_len(64 * 1024).unwrap();
    assert_eq!(container.resolv_conf().unwrap(), ResolvConf::Replaced, "just as long as allowed");
}

#[test]
fn nothing_is_opened_where_it_might_wait() {
    for fs_type in ["fuse.rootfs", "nfs4", "9p", "proc"] {
        let container = Container::on(fs_type);
        container.file("/etc/resolv.conf", OURS).file("/etc/resolv.conf.chaos.bak", OURS);
        let Err(MountError::NotLocal { fs_type: found, .. }) = container.resolv_conf() else { panic!("opened on {fs_type}") };
        assert_eq!(found, fs_type);
    }
    let container = Container::on("ext4");
    container.file("/etc/resolv.conf", OURS).file("/etc/resolv.conf.chaos.bak", OURS);
    container.mountinfo("7 1 0:2 / /etc rw - fuse toda rw\n");
    assert!(matches!(container.resolv_conf(), Err(MountError::NotLocal { .. })), "toda on /etc itself");
    assert_eq!(container.read().toda, [TodaMount { point: "/etc".to_owned() }], "which is seen all the same");
    assert!(!is_clean(&container.read()));
}

#[test]
fn beside_a_mount_that_might_wait_no_link_is_followed() {
    let container = Container::on("ext4");
    container.file("/etc/resolv.conf", OURS).file("/etc/resolv.conf.chaos.bak", THEIRS);
    container.mountinfo("7 1 0:2 / /data rw - fuse toda rw\n");
    assert_eq!(container.resolv_conf().unwrap(), ResolvConf::Replaced);
    fs::remove_file(container.root().join("etc/resolv.conf")).unwrap();
    symlink("/data/resolv.conf", container.root().join("etc/resolv.conf")).unwrap();
    assert!(matches!(container.resolv_conf(), Err(MountError::Open { .. })));
}

#[test]
fn a_mount_that_is_not_in_the_table_is_not_trusted() {
    let container = Container::on("ext4");
    container.file("/etc/resolv.conf.chaos.bak", OURS);
    fs::write(container.entry().join("mountinfo"), "1 1 0:1 / / rw - ext4 src rw\n").unwrap();
    assert!(matches!(container.resolv_conf(), Err(MountError::Open { .. })));
    fs::write(container.entry().join("mountinfo"), "").unwrap();
    assert!(matches!(container.resolv_conf(), Err(MountError::NotLocal { .. })));
}

#[test]
fn a_process_that_is_gone_is_said_to_be() {
    let container = Container::on("ext4");
    let later = Instant::now() + Duration::from_mins(1);
    assert!(read(container.0.path(), 43, later).is_err_and(|error| matches!(error, MountError::Gone { .. })));
    fs::remove_file(container.entry().join("root")).unwrap();
    assert!(matches!(container.resolv_conf(), Err(MountError::Gone { pid: PID })));
    fs::remove_file(container.entry().join("mountinfo")).unwrap();
    assert!(matches!(read(container.0.path(), PID, later), Err(MountError::Gone { pid: PID })));
}

#[test]
fn a_table_without_end_is_refused() {
    let container = Container::on("ext4");
    fs::File::create(container.entry().join("mountinfo")).unwrap().set_len(TABLE_LIMIT as u64 + 1).unwrap();
    let later = Instant::now() + Duration::from_mins(1);
    assert!(matches!(read(container.0.path(), PID, later), Err(MountError::Table { pid: PID, .. })));
}

#[test]
fn nothing_is_begun_after_the_deadline() {
    let container = Container::on("ext4");
    assert!(matches!(read(container.0.path(), PID, Instant::now()), Err(MountError::Deadline { pid: PID })));
}

#[test]
fn reading_leaves_the_access_time() {
    use std::os::unix::fs::MetadataExt;
    let container = Container::on("ext4");
    container.file("/etc/resolv.conf", OURS).file("/etc/resolv.conf.chaos.bak", OURS);
    let copy = container.root().join("etc/resolv.conf.chaos.bak");
    let old = fs::FileTimes::new().set_accessed(std::time::UNIX_EPOCH);
    fs::File::options().write(true).open(&copy).unwrap().set_times(old).unwrap();
    container.resolv_conf().unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().atime(), 0);
}

/// Whether all was read and nothing was found. A harmless copy of `resolv.conf` is something.
fn is_clean(mounts: &ContainerMounts) -> bool {
    mounts.toda.is_empty() && matches!(mounts.resolv_conf, Ok(ResolvConf::Untouched))
}
