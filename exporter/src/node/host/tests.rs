//! A tree laid out like /proc, and this very host.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

const NET_DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
  eth0: 1001 11 1 2 0 0 0 0 2002 22 3 4 0 0 0 0
veth0a1b: 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5
    lo: 7 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
";
const DISKSTATS: &str = "\
   7       0 loop0 1 0 2 0 0 0 0 0 0 0 0
 254       0 vda 100 1 2048 30 200 2 4096 40 0 1500 70 0 0 0 0 5 6
 254       1 vda1 90 1 2000 30 200 2 4096 40 0 1400 70
";

/// A host whose root directory is an empty one on the file system the tests run on.
fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    let path = tree.path();
    for directory in ["1/net", "pressure", "root/hidden"] {
        fs::create_dir_all(path.join(directory)).unwrap();
    }
    symlink(path.join("root"), path.join("1/root")).unwrap();
    let id = rustix::fs::statx(CWD, path, rustix::fs::AtFlags::empty(), rustix::fs::StatxFlags::MNT_ID).unwrap().stx_mnt_id;
    let files = [
        ("loadavg", "0.08 1.70 2.00 1/2 3\n".to_owned()),
        ("stat", "cpu 1 2 3 4\ncpu0 100 0 0 200 0 0 0 0 0 0\nbtime 1700000000\n".to_owned()),
        ("meminfo", "MemTotal: 2048 kB\nMemFree: 1024 kB\n".to_owned()),
        ("diskstats", DISKSTATS.to_owned()),
        ("1/net/dev", NET_DEV.to_owned()),
        ("1/mountinfo", format!("{id} 1 254:0 / / rw - ext4 /dev/vda rw\n999999 {id} 254:1 / /hidden rw - xfs /dev/vdb rw\n")),
        ("pressure/cpu", "some avg10=0 avg60=0 avg300=0 total=2500000\nfull avg10=0 avg60=0 avg300=0 total=0\n".to_owned()),
        ("pressure/io", "some avg10=0 avg60=0 avg300=0 total=1000000\nfull avg10=0 avg60=0 avg300=0 total=500000\n".to_owned()),
    ];
    for (name, text) in files {
        fs::write(path.join(name), text).unwrap();
    }
    tree
}

#[test]
fn each_part_of_a_host_is_read() {
    let tree = tree();
    let host = read(tree.path()).unwrap();
    assert_eq!(host.load.ok(), Some([0.08, 1.7, 2.0]));
    assert_eq!(host.processors.ok().map(|found| found.boot_time), Some(1_700_000_000.0));
    assert_eq!(host.memory.unwrap(), [("MemTotal", 2_097_152), ("MemFree", 1_048_576)]);
    let network = host.network.unwrap();
    assert_eq!(
        network.iter().map(|device| (device.name.as_str(), device.recv_bytes, device.sent_drop)).collect::<Vec<_>>(),
        [("eth0", 1001, 4), ("lo", 7, 0)]
    );
    let disks = host.disks.unwrap();
    assert_eq!(
        disks.iter().map(|disk| (disk.name.as_str(), disk.sectors_read, disk.time_in_progress)).collect::<Vec<_>>(),
        [("vda", 2048, 1500)]
    );
    let pressure = host.pressure.unwrap();
    assert_eq!(
        pressure,
        [Pressure { resource: "cpu", waiting: 2.5, stalled: None }, Pressure { resource: "io", waiting: 1.0, stalled: Some(0.5) }]
    );
    assert!(host.time.unwrap() > 1.7e9);
    assert_eq!(host.uname.sysname, "Linux");
}

#[test]
fn a_hidden_file_system_is_left_out_and_a_seen_one_is_measured() {
    let tree = tree();
    let filesystems = read(tree.path()).unwrap().filesystems.unwrap();
    let [root] = &filesystems[..] else { panic!("{filesystems:?}") };
    assert_eq!((root.point.as_str(), root.device.as_str(), root.fs_type.as_str()), ("/", "/dev/vda", "ext4"));
    let stat = rustix::fs::statvfs(tree.path()).unwrap();
    assert_eq!((root.size, root.files), (stat.f_blocks * stat.f_frsize, stat.f_files));
    assert!(root.available <= root.free && root.free <= root.size && root.size > 0);
}

#[test]
fn a_part_that_fails_takes_no_other_with_it() {
    let tree = tree();
    fs::write(tree.path().join("meminfo"), "nonsense").unwrap();
    fs::remove_file(tree.path().join("1/net/dev")).unwrap();
    fs::remove_file(tree.path().join("1/mountinfo")).unwrap();
    fs::write(tree.path().join("pressure/io"), "some\n").unwrap();
    let host = read(tree.path()).unwrap();
    assert!(matches!(host.memory, Err(HostError::Format { file: "meminfo" })));
    assert!(matches!(host.network, Err(HostError::Read { file: "1/net/dev", .. })));
    assert!(matches!(host.filesystems, Err(HostError::Mounts(MountError::Table { .. }))));
    assert!(matches!(host.pressure, Err(HostError::Format { file: "pressure/io" })));
    assert!(host.load.is_ok() && host.processors.is_ok() && host.disks.is_ok());
}

#[test]
fn without_pressure_information_there_is_none() {
    let tree = tree();
    fs::remove_dir_all(tree.path().join("pressure")).unwrap();
    assert_eq!(read(tree.path()).unwrap().pressure.unwrap(), []);
    assert!(is_absent(&Errno::OPNOTSUPP.into()) && is_absent(&Errno::NOENT.into()) && !is_absent(&Errno::ACCESS.into()));
}

#[test]
fn without_a_procfs_there_is_no_host() {
    assert!(matches!(read(Path::new("/nonexistent")), Err(HostError::Read { .. })));
}

#[test]
fn this_host_is_read() {
    let host = read(Path::new("/proc")).unwrap();
    let memory = host.memory.unwrap();
    assert_eq!(memory.iter().map(|(name, _)| *name).collect::<Vec<_>>(), MEMORY);
    assert!(memory[0].1 > memory[1].1);
    let processors = host.processors.unwrap();
    assert_eq!(processors.times[0].seconds.len(), MODES.len());
    assert!(processors.boot_time < host.time.unwrap());
    assert!(host.load.is_ok() && host.disks.is_ok() && host.pressure.is_ok());
    assert!(host.network.unwrap().iter().any(|device| device.name == "lo"));
}
