//! The datasource's front: its own checks (types, lints, unit tests, the bundle, a browser) and the archive that Grafana is given.
//!
//! What is checked in TypeScript is in `datasource/package.json`, in the browser in `tests/browser/`; here is what starts it, and what the
//! archive has to be.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "runs npm and the packing script; and a test that cannot go on fails"
)]

#[path = "front/archive.rs"]
mod archive;
#[path = "front/rules.rs"]
mod rules;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// `datasource/`.
fn plugin() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Runs a command in `datasource/` to its end; fails with all it said. Answers its standard output.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(plugin()).output();
    let output = output.unwrap_or_else(|cause| panic!("{program} does not start: {cause}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {}:\n{}{}", arguments.join(" "), said(&output.stdout), said(&output.stderr));
    said(&output.stdout)
}

/// The libraries, as the lock file has them, installed; and the folder for one test alone, because all write their bundles to one place.
fn installed() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (lock, stamp) = (plugin().join("package-lock.json"), plugin().join("node_modules/.installed-from"));
    let wanted = fs::read_to_string(lock).unwrap();
    if fs::read_to_string(&stamp).is_ok_and(|it| it == wanted) {
        return one;
    }
    run("npm", &["ci", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]);
    fs::write(stamp, wanted).unwrap();
    one
}

/// Types, lints, unit tests, bundle, and the editors in a browser, by keyboard.
#[test]
#[ignore = "needs npm and Chromium: run by make test"]
fn the_front_passes_its_own_checks() {
    let _one = installed();
    run("npm", &["run", "--silent", "check"]);
}
