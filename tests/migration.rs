//! `chaoscope migrate-dashboard` as a person calls it. What is swapped is tested beside the code.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails, and runs the program")]

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

const OLD: &str =
    r#"{"title": "Shop",   "panels": [{"title": "Events", "datasource": {"type": "chaosmeshorg-datasource", "uid": "abc"}}]}"#;

/// Exit code, standard output, standard error.
fn migrate(words: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaoscope"));
    command.arg("migrate-dashboard").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn file(folder: &Path, text: &str) -> String {
    let path = folder.join("board.json");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_dashboard_goes_to_standard_output_and_what_changed_beside_it() {
    let (code, out, told) = migrate(&["-", "--uid", "chaoscope"], OLD);
    let wanted = OLD.replace("chaosmeshorg-datasource", "chaoscope-events-datasource").replace("abc", "chaoscope");
    assert_eq!((code, out), (0, wanted));
    assert!(
        told.starts_with("-: 2 changed\n")
            && told.contains("dashboard, \"Events\": uid abc → chaoscope")
            && told.contains("dashboard, \"Events\": type chaosmeshorg-datasource"),
        "{told}"
    );
    assert!(migrate(&["-"], OLD).2.contains("note: Grafana finds a datasource by its uid first: give Chaoscope's datasource the uid abc"));
}

#[test]
fn a_file_is_written_over_only_when_asked_and_keeps_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), OLD);
    assert_eq!(migrate(&[&path], "").0, 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), OLD);
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let (code, out, _) = migrate(&[&path, "--in-place"], "");
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(fs::read_to_string(&path).unwrap().contains("chaoscope-events-datasource"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let (code, _, told) = migrate(&[&path, "--in-place"], "");
    assert!(code == 0 && told.contains("nothing of the old plugin in it"), "{told}");
}

#[test]
fn what_is_no_dashboard_is_left_as_it_was_and_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["<html>", "[]", "", "{\"panels\": ["] {
        let path = file(folder.path(), text);
        let (code, out, told) = migrate(&[&path, "--in-place"], "");
        assert_eq!((code, out.as_str(), told.lines().count()), (1, "", 1), "{text}: {told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(migrate(&["/nowhere/board.json"], "").0, 1);
    assert_eq!(migrate(&["-", "--in-place"], OLD).0, 1);
    assert_eq!(migrate(&["-", "--uid", "no uid!"], OLD).0, 2);
}
