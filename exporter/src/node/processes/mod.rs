//! One walk over /proc: every process of the host with its namespaces, its control group and, where its name is that
//! of a chaos tool, its arguments.
//!
//! Apart from `super::mounts`, which looks into single containers: this one touches every process, so it is kept to as
//! few system calls as possible (ten; 12 to 20 µs of processor time on a 2-core virtual machine). What is found is turned
//! into pods and containers by `cgroup`, into helper processes by `helpers`; what a chaos tool's process looks like is in
//! `tools/helpers.rs`. To read one more file of each process: a field of `Process` and a line in `Walk::visit`.

mod cgroup;
mod helpers;
mod text;

pub use cgroup::Cgroup;
pub use helpers::Helper;

use crate::node::bounded;
use crate::node::netns::NsId;
use crate::tools::helpers::is_candidate;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, openat, statat};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::time::Instant;
use text::{Stat, parse_argv, parse_stat};

/// A process of the host, as its entry in /proc shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id, in the pid namespace of the procfs that was read.
    pub pid: u32,
    /// When it started, in clock ticks since boot: with the pid it names the process for ever (field 22 of `stat`).
    pub start_ticks: u64,
    /// Parent's process id; 0 when the parent is outside of the pid namespace.
    pub ppid: u32,
    /// Command name, at most 15 bytes: what the program is called, or calls itself.
    pub comm: String,
    /// Network namespace; None when refused.
    pub netns: Option<NsId>,
    /// Pid namespace; None when refused.
    pub pidns: Option<NsId>,
    /// Mount namespace; read only for processes in a container and for those whose arguments are read.
    pub mntns: Option<NsId>,
    /// Pod and container.
    pub cgroup: Cgroup,
    /// Arguments, the program first, cut at 4 KiB; read only where the name is that of a chaos tool's program, and only
    /// 2 MiB in one walk.
    pub argv: Vec<String>,
}

/// What one walk saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessTable {
    /// Every process but kernel threads and zombies, by ascending pid. Where only the main thread is dead, a thread stands for the process,
    /// with its own id.
    pub processes: Vec<Process>,
    /// Processes whose namespaces (or whole entry) we may not see: without `CAP_SYS_PTRACE`, all but our own user's. Process 1 is not
    /// counted, for its namespaces are the host's own.
    pub unreadable: u32,
    /// Processes not visited because time was up, and those whose arguments were one too many for the memory they may take.
    pub skipped: u32,
    /// Whether /proc keeps other users' processes from us altogether (mounted with `hidepid`, no `CAP_SYS_PTRACE`):
    /// then what is not in the table may still exist.
    pub hidden: bool,
    /// Whether kernel threads are among the processes: only the pid namespace of the host itself has them.
    pub kernel_threads: bool,
}

impl ProcessTable {
    /// Whether no process of this pid namespace is missing, nor the namespaces of one.
    pub const fn is_complete(&self) -> bool {
        self.unreadable == 0 && self.skipped == 0 && !self.hidden
    }
}

/// Why there is no process table.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The directory cannot be opened or listed.
    #[error("cannot list the processes in {}", path.display())]
    List {
        /// The procfs directory.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
    /// A directory without a single process is no procfs.
    #[error("{} shows no process: it is not a procfs", path.display())]
    NotProcfs {
        /// The directory.
        path: PathBuf,
    },
    /// One process could not be read for a reason that will hit the others too, such as too many open files.
    #[error("cannot read process {pid}")]
    Process {
        /// The process.
        pid: u32,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
}

/// Longest part of an argument list that is read: every helper's telling options come first.
const ARGV_LIMIT: usize = 4096;
/// Most memory the arguments of one walk may take: any container may run thousands of processes with a helper's name.
/// Enough for 30 000 stress-ng workers.
const ARGV_BUDGET: usize = 2 * 1024 * 1024;
/// More than `stat` (about 52 numbers) and `cgroup` (one line per hierarchy) ever need; a line cut off here is not used.
const FILE_LIMIT: usize = 16 * 1024;
/// The most processes a kernel can have: `PID_MAX_LIMIT` of `include/linux/threads.h`.
const PROCESS_LIMIT: usize = 4 * 1024 * 1024;
/// `PF_KTHREAD` of `include/linux/sched.h`, in field 9 of `stat`.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// Walks `procfs` until all is seen or `until` is reached. Blocks; call it on a thread that may.
/// A process that ends in between is left out and is no error.
pub fn read(procfs: &Path, until: Instant) -> Result<ProcessTable, ProcessError> {
    let list = |source| ProcessError::List { path: procfs.to_owned(), source };
    let root = openat(CWD, procfs, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(list)?;
    let pids = pids(&root).map_err(list)?;
    let first = *pids.first().ok_or_else(|| ProcessError::NotProcfs { path: procfs.to_owned() })?;
    let table = ProcessTable { hidden: first != 1, ..ProcessTable::default() };
    let mut walk = Walk { root, buffer: vec![0; FILE_LIMIT], argv_left: ARGV_BUDGET, table };
    for (visited, &pid) in pids.iter().enumerate() {
        if Instant::now() >= until {
            walk.table.skipped += (pids.len() - visited) as u32;
            break;
        }
        match walk.visit(pid, true) {
            Err(Errno::ACCESS | Errno::PERM) => walk.table.unreadable += 1,
            Err(source) if !is_gone(source) => return Err(ProcessError::Process { pid, source }),
            _ => {}
        }
    }
    // A thread that stands for its process is not in its place.
    walk.table.processes.sort_unstable_by_key(|process| process.pid);
    walk.table.processes.dedup_by_key(|process| process.pid);
    Ok(walk.table)
}

/// When the process started, in clock ticks since boot; None when there is none of this pid. Two equal answers mean that
/// the pid was not reused in between.
pub fn start_ticks(procfs: &Path, pid: u32) -> Option<u64> {
    let mut buffer = [0; 1024];
    let stat = bounded::once(CWD, procfs.join(pid.to_string()).join("stat"), &mut buffer).ok()?;
    Some(parse_stat(stat)?.start_ticks)
}

/// Every number in the directory, ascending.
fn pids(root: &OwnedFd) -> rustix::io::Result<Vec<u32>> {
    let mut space = [MaybeUninit::uninit(); 16 * 1024];
    let mut entries = RawDir::new(root, &mut space);
    let mut pids: Vec<u32> = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        pids.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
        if pids.len() >= PROCESS_LIMIT {
            break;
        }
    }
    pids.sort_unstable();
    Ok(pids)
}

/// What one walk carries from process to process.
struct Walk {
    root: OwnedFd,
    buffer: Vec<u8>,
    argv_left: usize,
    table: ProcessTable,
}

impl Walk {
    /// Reads one process into the table, unless it is a kernel thread or a zombie, which has no namespaces any more. For one whose main
    /// thread alone is dead (`leads`: `pid` may be one) another thread stands.
    fn visit(&mut self, pid: u32, leads: bool) -> rustix::io::Result<()> {
        let entry = bounded::directory(&self.root, pid.to_string())?;
        let stat = parse_stat(bounded::once(&entry, "stat", &mut self.buffer)?).ok_or(Errno::INVAL)?;
        self.table.kernel_threads |= stat.flags & KERNEL_THREAD != 0;
        if stat.is_dead && stat.threads > 1 && leads {
            return self.survivor(&entry, pid);
        }
        if stat.is_dead || stat.flags & KERNEL_THREAD != 0 {
            return Ok(());
        }
        let netns = namespace(&entry, "ns/net")?.ok_or(Errno::NOENT)?.seen();
        let pidns = namespace(&entry, "ns/pid")?.and_then(Sight::seen);
        let cgroup = match bounded::once(&entry, "cgroup", &mut self.buffer) {
            Ok(text) => cgroup::parse(text::complete_lines(text, FILE_LIMIT)),
            Err(error) if is_gone(error) => Cgroup::default(), // a kernel without control groups
            Err(error) => return Err(error),
        };
        let candidate = is_candidate(&stat.comm);
        let in_container = cgroup.container_id.is_some() || cgroup.pod_uid.is_some();
        let mntns = if candidate || in_container { namespace(&entry, "ns/mnt")?.and_then(Sight::seen) } else { None };
        let argv = if candidate { self.argv(&entry)? } else { Vec::new() };
        self.table.unreadable += u32::from(netns.is_none() && pid != 1);
        let Stat { comm, ppid, start_ticks, .. } = stat;
        self.table.processes.push(Process { pid, start_ticks, ppid, comm, netns, pidns, mntns, cgroup, argv });
        Ok(())
    }

    /// Reads the first thread that is alive. The ids of threads open entries of /proc as those of processes do, though it does not list them.
    fn survivor(&mut self, entry: &OwnedFd, leader: u32) -> rustix::io::Result<()> {
        let threads = pids(&openat(entry, "task", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)?;
        let before = self.table.processes.len();
        for thread in threads.into_iter().filter(|thread| *thread != leader) {
            match self.visit(thread, false) {
                Err(error) if !is_gone(error) => return Err(error),
                _ if self.table.processes.len() > before => break,
                _ => {}
            }
        }
        Ok(())
    }

    /// The arguments, as long as there is memory for them. The kernel takes them from anonymous memory only (since 4.17),
    /// so that no process can make us wait for a file system of its own.
    fn argv(&mut self, entry: &OwnedFd) -> rustix::io::Result<Vec<String>> {
        let limit = self.buffer.len().min(ARGV_LIMIT);
        let argv = match bounded::once(entry, "cmdline", &mut self.buffer[..limit]) {
            Ok(text) => parse_argv(text),
            Err(error) if is_gone(error) || matches!(error, Errno::ACCESS | Errno::PERM) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let size = argv.iter().map(|argument| argument.capacity() + size_of::<String>()).sum();
        let Some(left) = self.argv_left.checked_sub(size) else {
            self.table.skipped += 1;
            return Ok(Vec::new());
        };
        self.argv_left = left;
        Ok(argv)
    }
}

/// A namespace link that exists.
enum Sight {
    Seen(NsId),
    Refused,
}

impl Sight {
    fn seen(self) -> Option<NsId> {
        match self {
            Self::Seen(id) => Some(id),
            Self::Refused => None,
        }
    }
}

/// The namespace behind a link; None when there is no such link: the process is gone, or the kernel has no such namespaces.
fn namespace(entry: impl AsFd, link: &str) -> rustix::io::Result<Option<Sight>> {
    match statat(entry, link, AtFlags::empty()) {
        Ok(stat) => Ok(Some(Sight::Seen(NsId { dev: stat.st_dev, ino: stat.st_ino }))),
        Err(Errno::ACCESS | Errno::PERM) => Ok(Some(Sight::Refused)),
        Err(error) if is_gone(error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::SRCH)
}

/// Fuzzing: `stat`, `cmdline` and `cgroup`.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let _ = (parse_stat(data), parse_argv(data), cgroup::parse(text::complete_lines(data, FILE_LIMIT)));
}

#[cfg(test)]
mod tests;
