//! Fixture trees laid out like /proc, and what `read` makes of them. Real processes are in `tests/processes.rs`.

use super::text::complete_lines;
use super::*;
use proptest::prelude::*;
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

const STRESS: &str = "stress-ng --cpu-load-slice 10 --cpu-method sqrt --cpu 1 --cpu-load 20";

/// A tree with one entry per process added; a namespace is a file, shared by hard links as nsfs shares its inodes.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for name in ["self", "sys", "1x", "-1"] {
            fs::create_dir(tree.0.path().join(name)).unwrap(); // what else is in /proc
        }
        fs::write(tree.0.path().join("uptime"), "1 1").unwrap();
        tree
    }

    fn add(&self, pid: u32, ppid: u32, comm: &str, netns: &str) -> PathBuf {
        let dir = self.0.path().join(pid.to_string());
        fs::create_dir_all(dir.join("ns")).unwrap();
        fs::write(dir.join("stat"), stat_line(pid, comm, "S", ppid, 0x0040_0000)).unwrap();
        fs::write(dir.join("cgroup"), "0::/\n").unwrap();
        for (kind, name) in [("net", netns), ("pid", "host"), ("mnt", "host")] {
            let namespace = self.0.path().join(format!("{kind}-{name}"));
            if !namespace.exists() {
                fs::write(&namespace, "").unwrap();
            }
            fs::hard_link(&namespace, dir.join("ns").join(kind)).unwrap();
        }
        dir
    }

    fn read(&self) -> ProcessTable {
        read(self.0.path(), later()).unwrap()
    }
}

fn later() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn stat_line(pid: u32, comm: &str, state: &str, ppid: u32, flags: u32) -> String {
    format!("{pid} ({comm}) {state} {ppid} 1 1 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 1 0 9{pid} 4096 1 18446744073709551615 1 1\n")
}

#[test]
fn a_process_is_read_with_its_namespaces() {
    let tree = Tree::new();
    tree.add(1, 0, "init", "host");
    tree.add(30, 1, "web server) S 1", "pod");
    tree.add(7, 1, "sidecar", "pod");
    let table = tree.read();
    let pids: Vec<u32> = table.processes.iter().map(|process| process.pid).collect();
    assert_eq!(pids, [1, 7, 30], "ascending, and nothing but processes");
    let [init, sidecar, web] = &table.processes[..] else { unreachable!() };
    assert_eq!((web.comm.as_str(), web.ppid, web.start_ticks), ("web server) S 1", 1, 930));
    assert!(web.netns.is_some() && web.netns == sidecar.netns && web.netns != init.netns);
    assert!(web.pidns.is_some() && web.pidns == init.pidns);
    assert_eq!((web.mntns, web.argv.len(), &web.cgroup), (None, 0, &Cgroup::default()), "not asked for");
    assert_eq!((table.unreadable, table.skipped, table.hidden), (0, 0, false));
}

#[test]
fn arguments_and_mounts_are_read_where_they_matter() {
    let tree = Tree::new();
    tree.add(1, 0, "init", "host");
    let id = "a".repeat(64);
    let stressor = tree.add(2, 1, "stress-ng", "host");
    fs::write(stressor.join("cmdline"), STRESS.replace(' ', "\0") + "\0").unwrap();
    let other = tree.add(3, 1, "httpd", "pod");
    fs::write(other.join("cgroup"), format!("0::/docker/{id}\n")).unwrap();
    fs::write(other.join("cmdline"), "httpd\0").unwrap();
    let table = tree.read();
    let [init, stressor, web] = &table.processes[..] else { panic!("{table:?}") };
    assert_eq!(stressor.argv, STRESS.split(' ').collect::<Vec<_>>());
    assert_eq!(web.cgroup.container_id, Some(id));
    assert!(web.argv.is_empty());
    assert!(web.mntns.is_some() && stressor.mntns.is_some() && init.mntns.is_none());
    assert_eq!(table.helpers().len(), 1);
}

#[test]
fn kernel_threads_and_zombies_are_left_out() {
    let tree = Tree::new();
    tree.add(1, 0, "init", "host");
    let rows = [("Z", 0x0040_0000), ("X", 0), ("S", KERNEL_THREAD | 0x40), ("I", KERNEL_THREAD)];
    for (pid, (state, flags)) in (10..).zip(rows) {
        let dir = tree.add(pid, 1, "dead", "host");
        fs::write(dir.join("stat"), stat_line(pid, "dead", state, 1, flags)).unwrap();
    }
    assert_eq!(tree.read().processes.len(), 1);
}

/// Its main thread ended and left the others to run: they are found by one of them, whose id opens its files as a process' does.
#[test]
fn a_dead_main_thread_does_not_hide_the_others() {
    let tree = Tree::new();
    tree.add(1, 0, "init", "host");
    let dead = |pid| stat_line(pid, "app", "Z", 1, 0).replace(" 20 0 1 0 ", " 20 0 3 0 ");
    let leader = tree.add(10, 1, "app", "pod");
    fs::write(leader.join("stat"), dead(10)).unwrap();
    fs::remove_dir_all(leader.join("ns")).unwrap(); // a dead one has none any more
    for thread in ["10", "11", "30"] {
        fs::create_dir_all(leader.join("task").join(thread)).unwrap();
    }
    // /proc opens a thread's id too, but does not list it; this tree's list cannot hide it, so it shows it twice at most.
    fs::write(tree.add(11, 1, "app", "pod").join("stat"), dead(11)).unwrap();
    tree.add(30, 1, "app", "pod");
    tree.add(20, 1, "other", "host");
    let table = tree.read();
    let pids: Vec<_> = table.processes.iter().map(|process| process.pid).collect();
    assert_eq!(pids, [1, 20, 30], "ascending, each once");
    assert_eq!(table.unreadable, 0);
}

#[test]
fn what_goes_while_we_look_is_no_error() {
    let tree = Tree::new();
    tree.add(1, 0, "init", "host");
    fs::remove_file(tree.add(2, 1, "gone-before-stat", "host").join("stat")).unwrap();
    fs::remove_file(tree.add(3, 1, "zombie-by-now", "host").join("ns/net")).unwrap();
    fs::remove_file(tree.add(4, 1, "no-cgroups-here", "host").join("cgroup")).unwrap();
    fs::remove_file(tree.add(5, 1, "no-pid-namespaces", "host").join("ns/pid")).unwrap();
    fs::remove_dir_all(tree.add(6, 1, "gone", "host")).unwrap();
    let table = tree.read();
    assert_eq!(table.processes.iter().map(|process| process.pid).collect::<Vec<_>>(), [1, 4, 5]);
    assert_eq!(table.processes[2].pidns, None);
    assert_eq!(table.unreadable, 0, "absent is not refused");
}

#[test]
fn a_deadline_gives_what_was_read_and_counts_the_rest() {
    let tree = Tree::new();
    for pid in 1..=3 {
        tree.add(pid, 0, "init", "host");
    }
    let table = read(tree.0.path(), Instant::now()).unwrap();
    assert_eq!((table.processes.len(), table.skipped), (0, 3));
}

#[test]
fn a_directory_that_is_no_procfs_is_an_error_and_not_an_empty_host() {
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(read(empty.path(), later()), Err(ProcessError::NotProcfs { .. })));
    let absent = empty.path().join("absent");
    let Err(error) = read(&absent, later()) else { panic!("read an absent directory") };
    assert!(matches!(error, ProcessError::List { source: Errno::NOENT, .. }), "{error:?}");
    assert!(error.to_string().contains("absent"));
}

#[test]
fn a_proc_without_process_1_hides_others() {
    let tree = Tree::new();
    tree.add(4711, 1, "mine", "host");
    assert!(tree.read().hidden);
}

#[test]
fn what_fills_its_buffer_is_cut_at_a_line() {
    let tree = Tree::new();
    let id = "a".repeat(64);
    let dir = tree.add(1, 0, "init", "host");
    let long = format!("5:cpu:/docker/{id}\n{}", format!("7:pids:/docker/{}\n", "b".repeat(64)).repeat(400));
    assert!(long.len() > FILE_LIMIT);
    fs::write(dir.join("cgroup"), long).unwrap();
    assert_eq!(tree.read().processes[0].cgroup.container_id, Some(id));
    assert_eq!(complete_lines(&[b'x'; FILE_LIMIT], FILE_LIMIT), b"");
}

#[test]
fn start_ticks_guard_a_pid() {
    let tree = Tree::new();
    tree.add(12, 1, "x", "host");
    assert_eq!(start_ticks(tree.0.path(), 12), Some(912));
    assert_eq!(start_ticks(tree.0.path(), 13), None);
    let own = std::process::id();
    let ticks = start_ticks(Path::new("/proc"), own);
    assert!(ticks.is_some());
    assert_eq!(ticks, start_ticks(Path::new("/proc"), own));
}

#[test]
fn this_process_is_in_the_real_table() {
    let table = read(Path::new("/proc"), later()).unwrap();
    let own = table.process(std::process::id()).unwrap();
    let netns = fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(format!("net:[{}]", own.netns.unwrap().ino), netns.to_string_lossy());
    assert_eq!(start_ticks(Path::new("/proc"), own.pid), Some(own.start_ticks));
    assert!(table.process(2).is_none_or(|second| second.comm != "kthreadd"), "kernel threads are left out");
}

#[test]
fn arguments_are_cut_and_titles_kept() {
    assert_eq!(parse_argv(b""), Vec::<String>::new());
    assert_eq!(parse_argv(b"\0"), Vec::<String>::new());
    assert_eq!(parse_argv(b"a\0\0b\0"), ["a", "", "b"]);
    assert_eq!(parse_argv(b"stress-ng-cpu [run]   \0"), ["stress-ng-cpu [run]   "]);
    let tree = Tree::new();
    let dir = tree.add(1, 0, "toda", "host");
    fs::write(dir.join("cmdline"), "toda\0--path\0/data\0".to_owned() + &"x".repeat(2 * ARGV_LIMIT)).unwrap();
    let argv = &tree.read().processes[0].argv;
    assert_eq!(argv.iter().map(String::len).sum::<usize>() + argv.len() - 1, ARGV_LIMIT);
}

#[test]
fn a_crowd_with_a_helpers_name_takes_no_more_than_its_share_of_memory() {
    let tree = Tree::new();
    let crowd = u32::try_from(ARGV_BUDGET / ARGV_LIMIT + 3).unwrap();
    for pid in 1..=crowd {
        fs::write(tree.add(pid, 0, "toda", "host").join("cmdline"), "x".repeat(ARGV_LIMIT)).unwrap();
    }
    let table = tree.read();
    let size: usize = table.processes.iter().flat_map(|process| &process.argv).map(|argument| argument.len() + size_of::<String>()).sum();
    let read = table.processes.iter().filter(|process| !process.argv.is_empty()).count();
    assert!(read > 0 && size <= ARGV_BUDGET, "{read} of {crowd}, {size} bytes");
    assert_eq!(table.skipped as usize + read, table.processes.len(), "what is left out is said");
}

#[test]
fn a_line_that_is_no_stat_is_refused() {
    for line in ["", "1", "1 (x", "1 (x)", "1 (x) S", "1 )x( S 1 1 1", "1 (x) S -1 1 1 0 -1 0", "(", ")", "()"] {
        assert_eq!(parse_stat(line.as_bytes()), None, "{line:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = parse_stat(&bytes);
        let total: usize = parse_argv(&bytes).iter().map(String::len).sum();
        prop_assert!(total <= 3 * bytes.len(), "each byte becomes at most one replacement character");
        prop_assert!(complete_lines(&bytes, 100).len() <= bytes.len());
    }

    #[test]
    fn any_name_is_read_back(comm in "[ -~\n]{0,15}", ppid in any::<u32>(), flags in any::<u32>()) {
        let stat = parse_stat(stat_line(5, &comm, "R", ppid, flags).as_bytes()).unwrap();
        prop_assert_eq!(stat, Stat { comm, is_dead: false, ppid, flags, threads: 1, start_ticks: 95 });
    }
}
