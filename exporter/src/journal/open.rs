//! How a journal comes up: whose folder it is, whether the file is ours, of our version and whole, and then its writer and its readers.
//!
//! Apart from the handle, because most of it is about what may be wrong. A damaged file is moved aside, never overwritten; a newer one and
//! another program's are left alone.

use super::lock::Folder;
use super::recorder::Writer;
use super::retention::Limits;
use super::store::{Rows, Settling};
use super::tally::Tally;
use super::{Config, Error, Inner, Journal, Patience, Restored, query, schema};
use jiff::Timestamp;
use rusqlite::Connection;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use tokio::sync::{Semaphore, broadcast};

/// Batches that may wait for the writer; who comes later waits for a place.
const QUEUE: usize = 1024;
/// Changes a subscriber may be behind.
const HUB: usize = 4096;
/// What every SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

pub(super) fn open(config: &Config) -> Result<(Journal, Restored), Error> {
    let folder = Arc::new(Folder::take(config.folder.as_deref())?);
    let path = folder.file()?;
    let durable = config.folder.is_some();
    let connection = match whole(&path, durable) {
        Err(error) if error.is_damage() => {
            let aside = move_aside(&path)?;
            tracing::error!(%error, aside = %aside.display(), "the journal is damaged: it is moved aside, and a new one begins");
            whole(&folder.file()?, durable)?
        }
        other => other?,
    };
    let id: String = connection.query_row("SELECT value FROM meta WHERE key = 'journal'", [], |row| row.get(0))?;
    let restored = restore(&connection)?;
    let (hub, _) = broadcast::channel(HUB);
    let (inbox, asked) = mpsc::channel();
    let limits = Limits { age: config.retention, bytes: config.max_bytes };
    let readers = query::Readers::open(&path)?;
    let settling = Settling::after(config.settle, &connection)?;
    let writer = Writer::new(connection, asked, hub.clone(), limits, settling, Arc::clone(&folder))?;
    let told = writer.told();
    let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.serve());
    let thread = thread.map_err(|cause| Error::folder(&path, cause))?;
    let places = Arc::new(Semaphore::new(QUEUE));
    let inner = Inner { id, readers, told, hub, places, inbox: Some(inbox), writer: Some(thread), _folder: folder };
    Ok((Journal { inner: Arc::new(inner), patience: Patience::default() }, restored))
}

/// The file as a journal of today's version, found to be whole.
fn whole(path: &Path, durable: bool) -> Result<Connection, Error> {
    look(path)?;
    let mut connection = schema::writer(path)?;
    let found = schema::version(&connection)?;
    if found > schema::VERSION {
        return Err(Error::Newer { path: path.to_owned(), found, known: schema::VERSION });
    }
    if let Some(reason) = schema::damage(&connection)? {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(rusqlite::Error::SqliteFailure(code, Some(reason)).into());
    }
    schema::prepare(&mut connection, durable)?;
    Ok(connection)
}

/// Looks at the file's header without SQLite, which would write beside it. <https://www.sqlite.org/fileformat2.html#the_database_header>
pub(super) fn look(path: &Path) -> Result<(), Error> {
    let mut header = Vec::new();
    let read = File::open(path).and_then(|file| file.take(100).read_to_end(&mut header));
    read.map_err(|cause| Error::folder(path, cause))?;
    if header.is_empty() {
        return Ok(());
    }
    let number = |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes);
    let (Some(version), Some(application), true) = (number(60), number(68), header.starts_with(MAGIC)) else {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
        return Err(rusqlite::Error::SqliteFailure(code, Some("it does not begin as a database does".to_owned())).into());
    };
    match application {
        schema::APPLICATION if version > schema::VERSION => {
            Err(Error::Newer { path: path.to_owned(), found: version, known: schema::VERSION })
        }
        // 0 and 0: made, and not filled before its process ended.
        schema::APPLICATION | 0 if application != 0 || version == 0 => Ok(()),
        _ => Err(Error::Foreign { path: path.to_owned() }),
    }
}

/// Moves a damaged file out of the way, with what belongs to it.
fn move_aside(path: &Path) -> Result<PathBuf, Error> {
    let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%S.%fZ").to_string();
    let with = |suffix: &str, end: &str| PathBuf::from(format!("{}{end}{suffix}", path.display()));
    let aside = format!(".corrupt-{stamp}");
    for suffix in ["-wal", "-shm", ""] {
        let from = with(suffix, "");
        if from.exists() {
            std::fs::rename(&from, with(suffix, &aside)).map_err(|cause| Error::folder(&from, cause))?;
        }
    }
    Ok(with("", &aside))
}

fn restore(connection: &Connection) -> Result<Restored, Error> {
    let mut statement = connection.prepare("SELECT key, body FROM state")?;
    let states = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(Restored { states })
}

/// The counters as they were stored, and those whose value cannot be understood.
pub(super) fn stored_tally(connection: &Connection) -> Result<(Tally, Vec<String>), Error> {
    let (mut tally, mut faulty) = (Tally::default(), Vec::new());
    let mut statement = connection.prepare("SELECT family, labels, value FROM counter")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (family, labels, value): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if tally.restore(&family, &labels, &value).is_none() {
            faulty.push(format!("{family}{labels}"));
        }
    }
    Ok((tally, faulty))
}

/// How many rows there are.
pub(super) fn count(connection: &Connection) -> Result<Rows, Error> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok(Rows {
        runs: number("SELECT count(*) FROM run")?,
        events: number("SELECT count(*) FROM event")?,
        open: number("SELECT count(*) FROM run WHERE closed_at IS NULL")?,
    })
}
