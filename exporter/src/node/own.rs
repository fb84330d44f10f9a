//! What this process itself costs, from its own entry in /proc.

use procfs::process::Process;

/// This process' figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Own {
    /// User and system time.
    pub cpu_seconds: f64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Virtual memory.
    pub virtual_bytes: u64,
    /// Open files; absent where it may not be listed (a program with file capabilities).
    pub open_fds: Option<u64>,
    /// The soft limit of open files.
    pub max_fds: Option<u64>,
    /// Start, in seconds since 1970.
    pub start_seconds: f64,
}

/// Reads them; `None` where /proc is not that of this process' pid namespace.
pub fn read() -> Option<Own> {
    let own = Process::myself().ok()?;
    let stat = own.stat().ok()?;
    let ticks = rustix::param::clock_ticks_per_second();
    let seconds = |count: u64| count as f64 / ticks as f64;
    let boot = procfs::boot_time_secs().ok()?;
    Some(Own {
        cpu_seconds: seconds(stat.utime + stat.stime),
        resident_bytes: stat.rss * rustix::param::page_size() as u64,
        virtual_bytes: stat.vsize,
        open_fds: own.fd_count().ok().map(|count| count as u64),
        max_fds: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        start_seconds: boot as f64 + seconds(stat.starttime),
    })
}
