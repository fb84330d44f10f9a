//! The host itself: load, CPUs, memory, network, disks, file systems, pressure. An optional source, off by default, for a
//! site too small to run `node_exporter` beside Chaoscope; the families are in `families/node.rs`.
//!
//! Apart from the rest of `node/` because nothing here knows of chaos. Each part is a `Result` of its own: a kernel without
//! one of the files, or a missing capability, takes away that part only. To add a part: a field of `Host`, a pure parser
//! in `text` and its family.
//!
//! The procfs crate reads what it reads safely and exactly (network devices, disks). The rest is parsed here: its load is
//! single precision, its CPUs lose their numbers when one is off line, and its memory and pressure parsers panic on odd text.

mod filesystems;
mod source;
mod text;

pub use filesystems::Filesystem;
pub use source::HostSource;

use super::bounded;
use super::mounts::MountError;
use procfs::net::DeviceStatus;
use procfs::{DiskStat, FromBufRead};
use rustix::fd::OwnedFd;
use rustix::fs::CWD;
use rustix::io::Errno;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the host said of itself at one moment.
#[derive(Debug)]
pub struct Host {
    /// When it was read, in seconds since 1970.
    pub time: Result<f64, HostError>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Result<[f64; 3], HostError>,
    /// Processor times and the time of boot.
    pub processors: Result<Processors, HostError>,
    /// Fields of `meminfo` by their kernel names, in bytes, as far as this kernel has them; see [`MEMORY`].
    pub memory: Result<Vec<(&'static str, u64)>, HostError>,
    /// Network devices of the host's own namespace (process 1's) by name, without the host's ends of pods.
    pub network: Result<Vec<DeviceStatus>, HostError>,
    /// Whole disks; no partitions, loop devices or RAM disks.
    pub disks: Result<Vec<DiskStat>, HostError>,
    /// File systems on local block devices, as process 1 sees them.
    pub filesystems: Result<Vec<Filesystem>, HostError>,
    /// Time lost waiting for each resource; empty on a kernel without pressure stall information.
    pub pressure: Result<Vec<Pressure>, HostError>,
    /// What the kernel is called.
    pub uname: Uname,
}

/// What `/proc/stat` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Processors {
    /// One entry per processor that is on line. The kernel may set a processor's idle and iowait times back a little.
    pub times: Vec<ProcessorTime>,
    /// When the host booted, in seconds since 1970.
    pub boot_time: f64,
}

/// Where one processor's time went.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessorTime {
    /// The kernel's number of it.
    pub number: u32,
    /// Seconds since boot by mode, as many as this kernel tells; the modes are those of [`MODES`].
    pub seconds: Vec<(&'static str, f64)>,
}

/// Waiting for one resource since boot.
#[derive(Clone, Debug, PartialEq)]
pub struct Pressure {
    /// `cpu`, `io` or `memory`.
    pub resource: &'static str,
    /// Seconds in which at least one process waited.
    pub waiting: f64,
    /// Seconds in which all processes waited; None for `cpu`, where it means nothing for a whole host.
    pub stalled: Option<f64>,
}

/// uname(2), of the namespace we run in: in a container without the host's network the node name is the pod's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uname {
    /// Operating system.
    pub sysname: String,
    /// Kernel release.
    pub release: String,
    /// Kernel build.
    pub version: String,
    /// Hardware.
    pub machine: String,
    /// Host name.
    pub nodename: String,
    /// NIS domain.
    pub domainname: String,
}

/// Why a part of the host is not known.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file cannot be read.
    #[error("cannot read {file} of the host")]
    Read {
        /// Its path below the procfs.
        file: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A file is not what proc(5) says.
    #[error("{file} of the host is not understood")]
    Format {
        /// Its path below the procfs.
        file: &'static str,
    },
    /// The mounts of process 1 cannot be read, or its root not be entered.
    #[error("cannot look at the file systems of the host")]
    Mounts(#[source] MountError),
    /// The clock is before 1970.
    #[error("the clock is before 1970")]
    Clock,
}

/// The modes of a processor in the order of `/proc/stat`. Time of guests is part of `user` and `nice` there already.
pub const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
/// The fields of `/proc/meminfo` that are read.
pub const MEMORY: [&str; 7] = ["MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree"];
const PRESSURE: [(&str, &str); 3] = [("cpu", "pressure/cpu"), ("io", "pressure/io"), ("memory", "pressure/memory")];
/// Most that is read of one file; `/proc/stat` of a host with 8 192 processors has about 1 MiB.
const FILE_LIMIT: usize = 4 * 1024 * 1024;

/// Reads the host through its procfs. An error means that there is none. Blocks, but for local disks only.
pub fn read(procfs: &Path) -> Result<Host, HostError> {
    let proc = bounded::directory(CWD, procfs).map_err(|error| HostError::Read { file: "the procfs", source: error.into() })?;
    Ok(Host {
        time: SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs_f64()).map_err(|_| HostError::Clock),
        load: parsed(&proc, "loadavg", text::load),
        processors: parsed(&proc, "stat", |stat| text::processors(stat, rustix::param::clock_ticks_per_second())),
        memory: parsed(&proc, "meminfo", text::memory),
        network: parsed(&proc, "1/net/dev", network),
        disks: parsed(&proc, "diskstats", disks),
        filesystems: filesystems::read(&proc).map_err(HostError::Mounts),
        pressure: PRESSURE.iter().filter_map(|(resource, file)| pressure(&proc, resource, file).transpose()).collect(),
        uname: uname(),
    })
}

fn parsed<T>(proc: &OwnedFd, file: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, HostError> {
    let bytes = bounded::whole(proc, file, FILE_LIMIT).map_err(|source| HostError::Read { file, source })?;
    parse(&String::from_utf8_lossy(&bytes)).ok_or(HostError::Format { file })
}

/// None where the kernel has no pressure stall information: built without (no file), or switched off (no answer).
fn pressure(proc: &OwnedFd, resource: &'static str, file: &'static str) -> Result<Option<Pressure>, HostError> {
    let has_stalled = resource != "cpu";
    match parsed(proc, file, |text| text::pressure(text, has_stalled)) {
        Ok((waiting, stalled)) => Ok(Some(Pressure { resource, waiting, stalled })),
        Err(HostError::Read { source, .. }) if is_absent(&source) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error())
}

fn network(text: &str) -> Option<Vec<DeviceStatus>> {
    let devices = procfs::net::InterfaceDeviceStatus::from_buf_read(text.as_bytes()).ok()?;
    let mut devices: Vec<_> = devices.0.into_values().filter(|device| !text::is_pods_end(&device.name)).collect();
    devices.sort_by(|one, other| one.name.cmp(&other.name));
    Some(devices)
}

fn disks(text: &str) -> Option<Vec<DiskStat>> {
    let disks = procfs::DiskStats::from_buf_read(text.as_bytes()).ok()?;
    Some(disks.0.into_iter().filter(|disk| text::is_whole_disk(&disk.name)).collect())
}

fn uname() -> Uname {
    let uname = rustix::system::uname();
    let text = |field: &std::ffi::CStr| field.to_string_lossy().into_owned();
    Uname {
        sysname: text(uname.sysname()),
        release: text(uname.release()),
        version: text(uname.version()),
        machine: text(uname.machine()),
        nodename: text(uname.nodename()),
        domainname: text(uname.domainname()),
    }
}

#[cfg(test)]
mod tests;
