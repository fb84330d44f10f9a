//! A real kernel with netem, prio and sfq: a command run inside user-mode-linux, see `tests/uml/run.sh`.
//!
//! A test that has to look from inside runs its own program there: `std::env::current_exe()` with `--exact NAME --ignored`.

use super::process::finish;
use std::process::{Command, Output};

/// Goes before a command: builds what chaos tools build in traffic control, see `tests/uml/netem.sh`.
pub const NETEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/uml/netem.sh");

/// Boots, runs `words` as root there, and answers what they said and their exit code; 124: took more than two minutes,
/// 125: the kernel did not come up, and standard error says why.
pub fn run(words: &[&str]) -> Output {
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/uml/run.sh");
    finish(Command::new(run).args(words))
}
