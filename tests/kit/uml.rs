//! A real kernel with netem, prio and sfq: a command run inside user-mode-linux, see `tests/uml/run.sh`.
//!
//! A test that has to look from inside runs its own program there, see [`inside`].

use super::process::finish;
use std::env;
use std::process::{Command, Output};

/// Goes before a command: builds what chaos tools build in traffic control, see `tests/uml/netem.sh`.
pub const NETEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/uml/netem.sh");

/// Boots, runs `words` as root there, and answers what they said and their exit code; 124: took more than two minutes,
/// 125: the kernel did not come up, and standard error says why.
pub fn run(words: &[&str]) -> Output {
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/uml/run.sh");
    finish(Command::new(run).args(words))
}

/// Set inside only.
const INSIDE: &str = "CHAOSCOPE_TEST_INSIDE_UML";

/// Outside: boots, runs this one test there after `before`, requires that it ran and passed, and answers what it said. Inside: does `work`.
pub fn inside(name: &str, before: &[&str], work: impl FnOnce()) -> Option<String> {
    if env::var_os(INSIDE).is_some() {
        work();
        return None;
    }
    let (program, mark) = (env::current_exe().expect("this program"), format!("{INSIDE}=1"));
    let words = ["env", mark.as_str(), program.to_str().expect("a plain path"), "--exact", name, "--ignored", "--nocapture"];
    let output = run(&[before, &words[..]].concat());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("test result: ok. 1 passed"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    Some(said.into_owned())
}
