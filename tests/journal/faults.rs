//! What a journal survives: being killed, a full disk, a damaged file, a newer one, a second owner, a clock that is stepped back.

use crate::build::{at, config, ended, event, events, ids, keys, open, record, run, runs};
use crate::disk::SmallDisk;
use crate::process::{Running, until};
use chaoscope::journal::{Config, Error, Journal};
use chaoscope_model::run::{Outcome, Run};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Names of the files in a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn refused(folder: &Path) -> Error {
    Journal::open(&config(Some(folder))).err().expect("it is opened")
}

/// Says to its child process which folder to write to.
const WRITE_TO: &str = "CHAOSCOPE_TEST_WRITE_TO";

/// Not a test of its own: what `kill_9_loses_nothing_acknowledged` starts and kills. Writes as fast as it can, and says what is stored.
#[test]
fn writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(WRITE_TO) else { return };
    let journal = open(Some(Path::new(&folder)));
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let journal = journal.clone();
            std::thread::spawn(move || {
                for number in 0_u32.. {
                    let id = format!("{}-{thread}-{number}", std::process::id());
                    let run = ended(run(&id, f64::from(number)), f64::from(number + 1), Outcome::Recovered);
                    record(&journal, &[run], &[event(&id, &id, f64::from(number))]).unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "stored {id}").and_then(|()| out.flush()).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn kill_9_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 1..=5 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "faults::writes_until_it_is_killed", "--nocapture"]).env(WRITE_TO, folder.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stored = |line: String| line.split_once("stored ").map(|(_, id)| id.to_owned());
        acknowledged.extend(lines.by_ref().filter_map(|line| stored(line.unwrap())).take(100 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had still said. A last line may be torn; its record is not acknowledged then.
        let rest: Vec<_> = lines.map_while(Result::ok).filter_map(stored).collect();
        acknowledged.extend(rest.into_iter().rev().skip(1));
        let journal = open(Some(folder.path()));
        for id in &acknowledged {
            let run = journal.run(id).unwrap();
            assert!(run.is_some(), "round {round}: {id} was acknowledged and is not there");
        }
        let status = journal.status();
        assert!(status.runs >= acknowledged.len() as u64 && status.events == status.runs, "a batch is stored whole: {status:?}");
        let counted: u64 = journal.tally().counts(chaoscope::journal::Family::Runs).map(|(_, count)| count).sum();
        assert_eq!(counted, status.runs, "counters are stored with what they count");
    }
    assert_eq!(files(folder.path()).iter().filter(|name| name.contains("corrupt")).count(), 0);
}

#[test]
#[ignore = "needs root, to mount a small disk: run by make test"]
fn a_full_disk_stops_no_reader_and_loses_no_run_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(folder.path().join("disk"), 4);
    let journal = open(Some(&disk.0));
    record(&journal, &[run("before", 0.0)], &[event("before", "before", 0.0)]).unwrap();
    disk.fill();
    // As long as it takes to use up what the journal has still free in its own files.
    let id = |number: u32| format!("run-{number:06}");
    let failed = (0..100_000).find(|number| match record(&journal, &[run(&id(*number), 1.0)], &[event(&id(*number), &id(*number), 1.0)]) {
        Ok(()) => false,
        Err(Error::Failing { .. }) => true,
        Err(other) => panic!("{other}"),
    });
    let failed = failed.expect("a full disk");
    let is_failing = |record: Result<(), Error>| matches!(record, Err(Error::Failing { .. }));
    assert!(is_failing(record(&journal, &[run("during", 2.0)], &[event("during", "during", 2.0)])));
    assert!(is_failing(record(&journal, &[ended(run("during", 2.0), 3.0, Outcome::Forced)], &[])), "the newest state is what counts");
    assert!(ids(&journal, &runs(0.0, 0.0)).contains(&"before".to_owned()), "reads go on");
    let status = journal.status();
    assert!(status.failing && status.failures > 0 && status.pending >= 4 && status.dropped == 0, "{status:?}");
    disk.free();
    until(|| (!journal.status().failing).then_some(()), || format!("{:?}", journal.status()));
    assert_eq!(journal.status().pending, 0);
    assert_eq!(journal.run("during").unwrap(), Some(ended(run("during", 2.0), 3.0, Outcome::Forced)));
    assert_eq!(keys(&journal, &events(2.0, 2.0)), ["during"]);
    assert!((0..=failed).all(|number| journal.run(&id(number)).unwrap().is_some()), "what was refused is kept, too");
    record(&journal, &[run("after", 4.0)], &[]).unwrap();
    drop(journal);
    assert_eq!(ids(&open(Some(&disk.0)), &runs(4.0, 4.0))[0], "after");
}

#[test]
fn a_damaged_file_is_moved_aside_and_a_new_one_begins() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("not a database", |file| fs::write(file, "this is no database ".repeat(1000)).unwrap()),
        ("cut short", |file| fs::File::options().write(true).open(file).unwrap().set_len(20_000).unwrap()),
        ("pages overwritten", |file| {
            let file = fs::File::options().write(true).open(file).unwrap();
            (1..file.metadata().unwrap().size() / 4096).for_each(|page| file.write_all_at(&[0xA5; 512], page * 4096).unwrap());
        }),
    ];
    for (what, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(Some(folder.path()));
        let all: Vec<_> = (0..200).map(|number| run(&format!("run-{number}"), 0.0)).collect();
        record(&journal, &all, &[]).unwrap();
        let id = journal.position().0;
        drop(journal);
        let file = folder.path().join("journal.sqlite");
        damage(&file);
        let damaged = fs::read(&file).unwrap();
        let journal = open(Some(folder.path()));
        assert!(ids(&journal, &runs(0.0, 0.0)).is_empty() && journal.position().0 != id, "{what}: a new journal");
        record(&journal, &[run("a", 0.0)], &[]).unwrap();
        let aside: Vec<_> = files(folder.path()).into_iter().filter(|name| name.starts_with("journal.sqlite.corrupt-")).collect();
        let kept = aside.iter().find(|name| !name.ends_with("-wal") && !name.ends_with("-shm")).expect(what);
        assert!(fs::read(folder.path().join(kept)).unwrap() == damaged, "{what}: nothing is overwritten");
    }
}

#[test]
fn a_journal_of_a_newer_version_and_another_programs_database_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(Some(folder.path())));
    let file = folder.path().join("journal.sqlite");
    let database = rusqlite::Connection::open(&file).unwrap();
    database.pragma_update(None, "user_version", 7000).unwrap();
    database.close().unwrap();
    let before = (files(folder.path()), fs::read(&file).unwrap());
    let error = refused(folder.path());
    assert!(matches!(error, Error::Newer { found: 7000, .. }) && error.to_string().contains("newer"), "{error}");
    assert!((files(folder.path()), fs::read(&file).unwrap()) == before, "nothing is touched");

    fs::remove_file(&file).unwrap();
    let database = rusqlite::Connection::open(&file).unwrap();
    database.execute_batch("CREATE TABLE theirs(x); PRAGMA user_version = 1").unwrap();
    database.close().unwrap();
    let before = fs::read(&file).unwrap();
    assert!(matches!(refused(folder.path()), Error::Foreign { .. }));
    assert!(fs::read(&file).unwrap() == before);
}

#[test]
fn a_folder_has_one_owner_and_is_free_when_that_one_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "faults::writes_until_it_is_killed", "--nocapture"]).env(WRITE_TO, folder.path()).stdout(Stdio::null());
    let owner = Running::start(&mut command);
    let held = || fs::read_to_string(folder.path().join("journal.lock")).ok().filter(|pid| *pid == owner.pid().to_string());
    until(held, || "the owner takes the folder".to_owned());
    match refused(folder.path()) {
        Error::Taken { pid, .. } => assert_eq!(pid, owner.pid().to_string()),
        other => panic!("{other}"),
    }
    drop(owner);
    open(Some(folder.path()));
}

#[test]
fn positions_rise_and_nothing_is_pruned_when_the_clock_is_stepped_back() {
    let journal = Journal::open(&Config { retention: Some(Duration::from_hours(24 * 90)), ..config(None) }).unwrap().0;
    let now = Timestamp::now();
    let hours = |hours: i64| now + SignedDuration::from_hours(hours);
    let from = |id: &str, start: Timestamp, end: Timestamp| Run {
        started_at: start,
        ended_at: Some(end),
        ..ended(run(id, 0.0), 0.0, Outcome::Recovered)
    };
    // What ends before it began, and what happens next is years before what happened last.
    let runs = [from("future", hours(50_000), hours(50_001)), from("backwards", hours(1), hours(-1)), from("then", hours(-2), hours(-1))];
    let mut last = 0;
    for run in &runs {
        record(&journal, std::slice::from_ref(run), &[]).unwrap();
        let position = journal.position().1;
        assert!(position > last);
        last = position;
        assert_eq!(journal.run(&run.id).unwrap().as_ref(), Some(run));
    }
    assert_eq!(journal.status().runs, 3);
}

#[test]
fn what_is_too_old_is_pruned_with_its_events_and_an_open_run_never() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(Some(folder.path()));
    // All of it happened long before any retention.
    let old: Vec<_> = (0..2500).map(|number| ended(run(&format!("old-{number}"), 0.0), 10.0, Outcome::Recovered)).collect();
    let of_old: Vec<_> = old.iter().map(|run| event(&run.id, &run.id, 5.0)).collect();
    record(&journal, &old, &of_old).unwrap();
    let alone = chaoscope_model::event::Event { run: None, ..event("alone", "", 5.0) };
    record(&journal, &[run("open", 0.0)], &[event("open", "open", 5.0), alone.clone()]).unwrap();
    let fresh = Run { started_at: Timestamp::now(), ended_at: Some(Timestamp::now()), ..ended(run("fresh", 0.0), 0.0, Outcome::Recovered) };
    record(&journal, std::slice::from_ref(&fresh), &[]).unwrap();
    let (tally, position, bytes) = (journal.tally(), journal.position(), journal.status().bytes);
    drop(journal);

    let age = Timestamp::now().duration_since(at(0.0)) - SignedDuration::from_hours(1);
    let keep = Config { retention: Some(age.try_into().unwrap()), ..config(Some(folder.path())) };
    let journal = Journal::open(&keep).unwrap().0;
    until(|| (journal.status().runs == 2 && journal.status().events == 1).then_some(()), || format!("{:?}", journal.status()));
    assert_eq!(keys(&journal, &events(0.0, 10.0)), ["open"]);
    assert_eq!(ids(&journal, &runs(0.0, 10.0)), ["open"]);
    assert_eq!((journal.tally(), journal.position()), (tally.clone(), position.clone()), "counters and positions stay");
    assert!(journal.status().bytes < bytes / 4, "{} of {bytes} bytes", journal.status().bytes);
    assert!(journal.since(1, 10).unwrap().is_none(), "a position before what was pruned");
    assert!(journal.since(position.1 - 1, 10).unwrap().is_some());
    // A list tells of them anew.
    record(&journal, &old, &of_old).unwrap();
    record(&journal, &[], &[alone]).unwrap();
    assert_eq!((journal.status().runs, journal.status().events), (2, 1));
    assert_eq!((journal.tally(), journal.position()), (tally, position));
}

#[test]
fn beyond_a_size_the_oldest_ended_runs_go_first() {
    let most = 1 << 20;
    let journal = Journal::open(&Config { max_bytes: Some(most), ..config(None) }).unwrap().0;
    record(&journal, &[run("open", 0.0)], &[event("open", "open", 0.0)]).unwrap();
    let name = |number: u32| format!("run-{number}");
    for number in 0..3000 {
        let id = name(number);
        let (start, end) = (f64::from(number) + 1.0, f64::from(number) + 2.0);
        record(&journal, &[ended(run(&id, start), end, Outcome::Recovered)], &[event(&id, &id, start)]).unwrap();
    }
    until(|| (journal.status().bytes <= most && journal.status().runs < 3001).then_some(()), || format!("{:?}", journal.status()));
    assert!(
        journal.run("open").unwrap().is_some() && journal.run(&name(0)).unwrap().is_none() && journal.run(&name(2999)).unwrap().is_some()
    );
    assert_eq!(keys(&journal, &events(0.0, 0.0)), ["open"]);
}
