//! Child processes that do not outlive their test.
//!
//! Apart because every part of the kit starts one.

use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take to come up, to answer, or to show. Generous: it only ever ends a test that has failed.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A running program; killed, by its own pid, when dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts `command` with nothing on its standard input.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|cause| panic!("{command:?} does not start: {cause}")))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.0.wait().expect("waiting for a child of ours")
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("asking for a child of ours").is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it ended before, which is what we want.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `command` to its end and panics, with all it said, unless it succeeds. Answers its standard output.
pub fn succeed(command: &mut Command) -> String {
    let output = finish(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs `command` to its end, whatever its exit code.
pub fn finish(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output();
    output.unwrap_or_else(|cause| panic!("{command:?} does not start: {cause}"))
}

/// Asks again and again until there is an answer; after [`PATIENCE`], panics with what `why` says.
pub fn until<T>(mut ask: impl FnMut() -> Option<T>, why: impl FnOnce() -> String) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {}", why());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Copies a program so that it can be run at once. The copy is made by another process: were it open for writing here, a child that
/// another test starts at that moment would inherit it, and running it would fail with "text file busy".
pub fn copy_program(from: &str, to: &std::path::Path) {
    succeed(Command::new("cp").arg(from).arg(to));
}
