//! The journal's file: its tables, how a connection to it is set up, and how an older one becomes today's.
//!
//! Apart from what is read and written, because a released script in [`MIGRATIONS`] never changes. To extend: append one; it runs once, in
//! a transaction, and whoever meets a higher `user_version` than this program knows leaves the file alone. What a row is found by
//! ([`super::term`]) is part of the schema: changing it needs a script that makes those rows anew.

use rusqlite::{Connection, OpenFlags, Result, Row};
use std::path::Path;
use std::time::Duration;

/// "CHSC": `application_id` of the file, so that nobody else's database is taken for a journal.
pub(super) const APPLICATION: i32 = 0x4348_5343;

/// What makes an empty file version 1, version 1 version 2, ….
///
/// Times are unix nanoseconds, cut to what 64 bits hold (1677 to 2262). `run.closed_at` is when a run with an outcome ended: what retention
/// goes by. `event.key` is the first 16 bytes of the key's SHA-256. `event.run` is a run's id and no reference: an
/// event may come before its run. `run.settles_at` is when the outcome of a run that is not counted yet may be, `run.counted` the outcome it
/// was counted with.
const MIGRATIONS: [&str; 3] = [
    "
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE run(pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL UNIQUE, started_at INTEGER NOT NULL,
  ended_at INTEGER, closed_at INTEGER, body TEXT NOT NULL) STRICT;
CREATE INDEX run_open ON run(pk) WHERE closed_at IS NULL;
CREATE INDEX run_closed ON run(closed_at) WHERE closed_at IS NOT NULL;
CREATE TABLE event(pk INTEGER PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, key BLOB NOT NULL UNIQUE, replaces TEXT, at INTEGER NOT NULL,
  run TEXT, body TEXT NOT NULL) STRICT;
CREATE INDEX event_replaces ON event(replaces) WHERE replaces IS NOT NULL;
CREATE TABLE term(term INTEGER NOT NULL, span INTEGER NOT NULL, at INTEGER NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY(term, span, at, row)) STRICT, WITHOUT ROWID;
CREATE TABLE state(key TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE counter(family TEXT NOT NULL, labels TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(family, labels)) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('journal', lower(hex(randomblob(8)))), ('floor', 0), ('horizon', NULL);
",
    "
ALTER TABLE run ADD COLUMN settles_at INTEGER;
ALTER TABLE run ADD COLUMN counted TEXT;
UPDATE run SET counted = CASE WHEN json_valid(body) THEN body ->> '$.outcome' END WHERE closed_at IS NOT NULL;
CREATE INDEX run_unsettled ON run(settles_at) WHERE settles_at IS NOT NULL;
",
    // A run that ended is answered as it is stored, so what targets have since is written into those that lack it.
    "
UPDATE run SET body = json_set(body, '$.targets', json((SELECT json_group_array(json(
  json_insert(target.value, '$.verdict_reason', '', '$.verdict_since', NULL, '$.residue', NULL))) FROM json_each(run.body, '$.targets') AS target)))
WHERE CASE WHEN json_valid(body) THEN json_array_length(body, '$.targets') > 0 AND body ->> '$.targets[0].verdict_reason' IS NULL END;
",
];

/// The version this program writes: how many scripts there are.
pub(super) const VERSION: i32 = 3;
const _: () = assert!(MIGRATIONS.len() == VERSION as usize, "each script makes one version");

/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 64;
/// What the writer may keep of the file in memory, in KiB: the inner pages of each index, and most of what a group changes. What a group
/// changes beyond that goes into the WAL before its commit, where it must go anyway.
const WRITER_KIB: i32 = 4 * 1024;
/// The same for each connection that reads; the system keeps the rest.
const READER_KIB: i32 = 4 * 1024;
/// Pages in the WAL (16 MiB) after which they are moved into the file: often enough for a short WAL, seldom enough for a burst.
const CHECKPOINT_PAGES: i32 = 4096;

/// The one connection that writes; nothing is written yet.
pub(super) fn writer(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    common(&connection, WRITER_KIB)?;
    Ok(connection)
}

/// Makes a writer ready to write. `durable`: a commit is on the disk when it returns.
pub(super) fn prepare(connection: &mut Connection, durable: bool) -> Result<()> {
    if version(connection)? == 0 {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "OFF" })?;
    connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    migrate(connection)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    common(&connection, READER_KIB)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn common(connection: &Connection, cache_kib: i32) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "trusted_schema", false)
}

/// Version of the schema; 0: the file is empty.
pub(super) fn version(connection: &Connection) -> Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// What is stored as JSON in a column: bytes, because where the file is damaged it may be no text.
pub(super) fn json<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8]> {
    Ok(row.get_ref(column)?.as_bytes()?)
}

/// What is wrong with the file, if anything.
pub(super) fn damage(connection: &Connection) -> Result<Option<String>> {
    let first: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(Some(first).filter(|first| first != "ok"))
}

/// Brings the schema up to [`VERSION`].
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let from = usize::try_from(version(connection)?).unwrap_or(0);
    for (script, version) in MIGRATIONS.iter().zip(1_i32..).skip(from) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(script)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn runs_stored_before_verdicts_had_reasons_are_answered_like_the_others() {
        let mut connection = Connection::open_in_memory().unwrap();
        for script in &MIGRATIONS[..2] {
            connection.execute_batch(script).unwrap();
        }
        connection.pragma_update(None, "user_version", 2).unwrap();
        let target = |pod: &str| {
            json!({"id": pod, "namespace": "shop", "pod": pod, "container": "", "netns": "", "node": "", "workload": "", "workload_kind": "",
                "role": "", "state": "recovered", "injected_at": null, "recovered_at": null, "precision": {}, "message": "", "verdict": null})
        };
        let old = json!({"id": "a", "targets": [target("web-0"), target("web-1")]}).to_string();
        for (seq, body) in [(1, old.as_str()), (2, "no JSON"), (3, r#"{"targets":[]}"#)] {
            connection.execute("INSERT INTO run(id, seq, started_at, body) VALUES (?1, ?2, 0, ?3)", (seq.to_string(), seq, body)).unwrap();
        }
        migrate(&mut connection).unwrap();
        let body = |seq: i64| -> String { connection.query_row("SELECT body FROM run WHERE seq = ?1", [seq], |row| row.get(0)).unwrap() };
        let stored: Value = serde_json::from_str(&body(1)).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
        let today = serde_json::to_value(chaoscope_model::run::Target::default()).unwrap();
        assert_eq!(keys(&stored["targets"][1]), keys(&today));
        assert_eq!(stored["targets"][1]["pod"], "web-1");
        assert_eq!((body(2).as_str(), body(3).as_str()), ("no JSON", r#"{"targets":[]}"#));
    }
}
