//! A network namespace of a test's own, held by a sleeping process, as a pod's is held by its pause container.
//!
//! Needs `CAP_SYS_ADMIN`.

use super::process::{Running, finish, succeed, until};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

/// A namespace with `lo` up; its process is killed when this is dropped, and with it goes all that was made there.
#[derive(Debug)]
pub struct Netns {
    holder: Running,
}

impl Netns {
    /// A new, empty one. Its process ends by itself after ten minutes, should the test be killed.
    pub fn new() -> Self {
        let holder = Running::start(Command::new("unshare").args(["--net", "sleep", "600"]));
        let new = Self { holder };
        let ours = inode(Path::new("/proc/self/ns/net"));
        until(|| (inode(&new.path()) != ours).then_some(()), || "unshare --net made a namespace (it needs CAP_SYS_ADMIN)".to_owned());
        new.run(&["ip", "link", "set", "lo", "up"]);
        new
    }

    /// The process that holds it.
    pub fn pid(&self) -> u32 {
        self.holder.pid()
    }

    /// `/proc/<pid>/ns/net`.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.pid()).into()
    }

    /// Its inode, as `ip netns` and `lsns` know it.
    pub fn inode(&self) -> u64 {
        inode(&self.path()).expect("the holder is alive")
    }

    /// Runs a tool inside and panics, with all it said, unless it succeeds. Answers its standard output.
    pub fn run(&self, words: &[&str]) -> String {
        succeed(&mut self.command(words))
    }

    /// Runs a tool inside, whatever its exit code.
    pub fn try_run(&self, words: &[&str]) -> Output {
        finish(&mut self.command(words))
    }

    /// Runs several lines of shell inside; the first failing one is a failed test.
    pub fn script(&self, lines: &str) -> String {
        self.run(&["sh", "-euc", lines])
    }

    /// A command that will run inside, to add to.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).args(words);
        command
    }

    /// Runs `work` on a new thread inside; the thread ends with it, so nothing stays there.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(self.path()).expect("the holder is alive");
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("entering a namespace of ours (it needs CAP_SYS_ADMIN)");
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// Moves the calling thread into the namespace at `path` for good; what it starts then is in there too.
pub fn move_into(path: &Path) {
    let namespace = File::open(path).expect("a namespace to move into");
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("entering a namespace (it needs CAP_SYS_ADMIN)");
}

/// None: no such process any more.
fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|it| it.ino())
}
