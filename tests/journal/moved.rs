//! Export, import and verification.

use crate::build::{config, ended, event, events, open, record, run, runs, target, wait};
use chaoscope::journal::{Batch, Error, Journal, Moved, export, import, verify};
use chaoscope_model::event::Event;
use chaoscope_model::run::{Outcome, Run};
use chaoscope_model::time::Precision;
use jiff::Timestamp;
use std::path::Path;

/// A journal of everything there can be in one.
fn filled(folder: &Path) -> Journal {
    let journal = open(Some(folder));
    let mut over = ended(run("over", 1.0), 9.0, Outcome::Recovered);
    over.targets = vec![target("shop", "web-0", "n1")];
    let exact = Event { precision: Precision::Ns, replaces: Some("second".into()), announced: true, ..event("exact", "over", 2.5) };
    let alone = Event { run: None, ..event("alone", "", 3.0) };
    let batch = Batch {
        runs: vec![run("open", 0.0), over],
        events: vec![event("second", "over", 2.0), exact, alone, event("of-open", "open", 4.0)],
        states: vec![("fold".to_owned(), Some(vec![1, 2, 3]))],
        ..Batch::default()
    };
    wait(journal.record(batch)).unwrap();
    journal
}

fn exported(folder: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    export(folder, &mut out).unwrap();
    out
}

#[test]
fn what_is_exported_and_imported_is_the_same_and_importing_again_changes_nothing() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = filled(from.path());
    let lines = exported(from.path()); // while its owner goes on
    let two = open(Some(to.path()));
    let all = Moved { runs: 2, events: 3, new_runs: 2, new_events: 3, ..Moved::default() };
    assert_eq!(wait(import(&two, &mut lines.as_slice())).unwrap(), all);
    let everything = |journal: &Journal| {
        let runs = journal.runs(&runs(-10.0, 100.0), &|run| Some(run.clone())).unwrap().rows;
        (runs, journal.events(&events(-10.0, 100.0), &|_, _| true).unwrap().rows)
    };
    assert_eq!(everything(&one), everything(&two));
    assert_eq!(one.tally(), two.tally());
    let position = two.position();
    assert_eq!(wait(import(&two, &mut lines.as_slice())).unwrap(), Moved { new_runs: 0, new_events: 0, ..all });
    // The less exact statement is still known to be the same event.
    record(&two, &[], &[event("second", "over", 2.0)]).unwrap();
    assert_eq!(two.position(), position);
    let rest = |lines: &[u8]| lines.split(|byte| *byte == b'\n').skip(1).map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert_eq!(rest(&lines), rest(&exported(to.path())), "all but the id");
}

#[test]
fn what_is_no_export_is_refused_with_the_line() {
    let journal = open(None);
    let refused = |text: &[u8]| match wait(import(&journal, &mut &text[..])) {
        Err(Error::Import { line, reason }) => (line, reason),
        other => panic!("{other:?}"),
    };
    let header = "{\"chaoscope_journal\":1,\"journal\":\"x\"}\n";
    assert_eq!(refused(b"").0, 1);
    assert_eq!(refused(b"\xff\xfe\n").0, 1);
    assert_eq!(refused(b"{\"run\":{}}\n").0, 1);
    assert!(refused(b"{\"chaoscope_journal\":2}\n").1.contains("up to 1"));
    assert_eq!(refused(format!("{header}\n{{\"run\":{{}}}}\n").as_bytes()).0, 3);
    let endless = [header.as_bytes(), &vec![b'x'; 17 << 20]].concat();
    assert!(refused(&endless).1.contains("longer than"));
    assert_eq!(journal.status().runs, 0);
    assert_eq!(wait(import(&journal, &mut header.as_bytes())).unwrap(), Moved::default());
}

#[test]
fn a_whole_journal_is_whole_and_what_does_not_agree_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let journal = filled(folder.path());
    let report = verify(folder.path()).unwrap(); // while its owner goes on
    assert!(report.is_whole() && (report.runs, report.events) == (2, 3), "{report}");
    drop(journal);
    let file = folder.path().join("journal.sqlite");
    for (harm, named) in [
        ("UPDATE run SET body = '{' WHERE id = 'over'", "run over: EOF"),
        ("UPDATE run SET body = CAST(x'7bff' AS TEXT) WHERE id = 'over'", "run over: key must be"),
        ("UPDATE event SET body = replace(body, 'shop', CAST(x'ff' AS TEXT)) WHERE pk = 1", "event in row 1: invalid unicode"),
        ("UPDATE run SET started_at = 1 WHERE id = 'over'", "run over: its columns"),
        ("DELETE FROM term WHERE row = 1 AND span < 16", "run open: it is not found"),
        ("INSERT INTO term VALUES (1, 2, 3, 99)", "1 terms lead to nothing"),
        ("UPDATE event SET seq = (SELECT max(seq) FROM run) WHERE pk = 1", "is there twice"),
        ("UPDATE counter SET value = '0' WHERE family = 'runs'", "counter of runs shop/NetworkChaos/delay/recovered: 0, but 1"),
        ("UPDATE counter SET value = 'many' WHERE family = 'runs'", "its value cannot be understood"),
    ] {
        let copy = tempfile::tempdir().unwrap();
        let harmed = copy.path().join("journal.sqlite");
        std::fs::copy(&file, &harmed).unwrap();
        rusqlite::Connection::open(&harmed).unwrap().execute_batch(harm).unwrap();
        let report = verify(copy.path()).unwrap();
        assert!(!report.is_whole() && report.to_string().contains(named), "{harm}: {report}");
        // It still opens and answers what it can.
        let (journal, _) = Journal::open(&config(Some(copy.path()))).unwrap();
        let answered = journal.runs(&runs(-10.0, 100.0), &|run| Some(run.clone())).unwrap().rows.len();
        assert!((1..=2).contains(&answered), "{harm}");
        assert_eq!(journal.runs_as_json(&runs(-10.0, 100.0), None, Timestamp::now()).unwrap().rows.len(), answered, "{harm}");
        // And what can be understood can be moved.
        let (mut out, to) = (Vec::new(), open(None));
        let moved = export(copy.path(), &mut out).unwrap();
        assert_eq!(moved.left_out, u64::from(harm.contains("SET body")), "{harm}");
        assert_eq!(wait(import(&to, &mut out.as_slice())).unwrap().new_runs, moved.runs, "{harm}");
    }
}

#[test]
fn the_commands_move_a_journal_from_folder_to_folder_and_say_what_is_wrong() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let owner = filled(from.path());
    let file = to.path().join("lines");
    let journal = |what: &str, folder: &Path, file: Option<&Path>| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chaoscope"));
        command.args(["journal", what]).arg("--journal.path").arg(folder).args(file);
        let output = crate::process::finish(&mut command);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    assert_eq!(journal("export", from.path(), Some(&file)).0, 0);
    assert_eq!(std::fs::read(&file).unwrap(), exported(from.path()));
    assert_eq!(journal("export", &to.path().join("nothing"), Some(&file)).0, 1);
    assert_eq!(std::fs::read(&file).unwrap(), exported(from.path()), "what cannot be exported takes nothing's place");
    assert_eq!(journal("export", from.path(), Some(Path::new("/dev/null"))).0, 0);
    let (code, text) = journal("import", from.path(), Some(&file));
    assert!(code == 2 && text.contains(&format!("in use by process {}", std::process::id())), "{text}");
    let (made, never) = (to.path().join("journal"), ["--journal.retention", "forever"]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chaoscope"));
    command.args(["journal", "import"]).args(never).arg("--journal.path").arg(&made).arg(&file);
    assert_eq!(crate::process::succeed(&mut command), "2 runs, 2 of them new; 3 events, 3 of them new\n");
    let (code, text) = journal("verify", &made, None);
    assert!(code == 0 && text.ends_with("whole\n"), "{text}");
    assert_eq!(journal("verify", &to.path().join("nothing"), None).0, 3);
    std::fs::write(made.join("journal.sqlite"), "no database".repeat(100)).unwrap();
    assert_eq!(journal("verify", &made, None).0, 1);
    drop(owner);
}

#[test]
fn an_older_export_takes_nothing_back() {
    let (older, newer) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = open(Some(older.path()));
    let other = ended(run("b", 0.0), 5.0, Outcome::Forced);
    record(&journal, &[run("a", 0.0), other, run("same", 0.0)], &[]).unwrap();
    let old = exported(older.path());
    drop(journal);

    let journal = open(Some(newer.path()));
    let over = ended(run("a", 0.0), 9.0, Outcome::Recovered);
    let more = Run { targets: vec![target("shop", "web-0", "n1")], ..ended(run("b", 0.0), 5.0, Outcome::Recovered) };
    record(&journal, &[over.clone(), more.clone(), run("same", 0.0)], &[]).unwrap();
    let moved = wait(import(&journal, &mut old.as_slice())).unwrap();
    assert_eq!(moved, Moved { runs: 3, kept: 2, ..Moved::default() });
    assert_eq!((journal.run("a").unwrap(), journal.run("b").unwrap()), (Some(over.clone()), Some(more)));

    let new = exported(newer.path());
    let journal = open(Some(older.path()));
    assert_eq!(wait(import(&journal, &mut new.as_slice())).unwrap().kept, 0, "the newer one brings the older up to date");
    assert_eq!(journal.run("a").unwrap(), Some(over));
}
