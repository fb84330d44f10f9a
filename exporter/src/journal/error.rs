//! Why a journal does not do what it is asked.
//!
//! Apart because it knows SQLite's codes: which of them are about the disk, so that trying again makes sense.

use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a journal does not do what it is asked. One failure may be many callers' answer, so it can be cloned.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder cannot be made, or a file in it not be opened.
    #[error("{path}: {cause}")]
    Folder {
        /// What it is about.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Arc<std::io::Error>,
    },
    /// Another process owns the folder.
    #[error("{path} is in use by process {pid}: a journal has one owner; stop that one, or give another --journal.path")]
    Taken {
        /// The folder.
        path: PathBuf,
        /// The other process' id, or `unknown`.
        pid: String,
    },
    /// The folder is on a file system other machines share.
    #[error(
        "{path} is on a network file system ({name}), where SQLite's locks do not hold: put the journal on a local disk or a block volume"
    )]
    Remote {
        /// The folder.
        path: PathBuf,
        /// Which file system.
        name: &'static str,
    },
    /// A newer program wrote the file. Nothing in it was touched.
    #[error("{path} has version {found}, this program knows up to {known}: use the newer program, or another --journal.path")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// Our version.
        known: i32,
    },
    /// An older program wrote the file, and it was not brought up to date yet.
    #[error("{path} has the older version {found}: start the program once, it brings it up to date")]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
    },
    /// A line of what is imported cannot be taken.
    #[error("line {line}: {reason}")]
    Import {
        /// Which line, from 1.
        line: u64,
        /// Why.
        reason: String,
    },
    /// What is exported cannot be written.
    #[error("the export cannot be written: {0}")]
    Output(#[source] Arc<std::io::Error>),
    /// The file is another program's database. Nothing in it was touched.
    #[error("{path} is a database, but no journal of Chaoscope's: give another --journal.path")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The disk does not take it now; what matters is kept and tried again.
    #[error("the journal cannot be written now, changes are kept in memory: {reason}")]
    Failing {
        /// What SQLite said.
        reason: String,
    },
    /// SQLite does not do it.
    #[error("the journal: {0}")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    /// A value cannot be written as a row, or a row cannot be understood.
    #[error("the journal: {what}: {cause}")]
    Body {
        /// Which value.
        what: String,
        /// Why.
        #[source]
        cause: Arc<serde_json::Error>,
    },
    /// A question took as long as it may.
    #[error("the question took too long")]
    Late,
    /// Every connection was used as long as a question may wait.
    #[error("too many questions at once")]
    Busy,
    /// Who asked does not wait any more.
    #[error("nobody waits for the answer any more")]
    Gone,
    /// The journal is closed, or its writer is gone.
    #[error("the journal is closed")]
    Closed,
}

impl From<rusqlite::Error> for Error {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(cause))
    }
}

impl Error {
    pub(super) fn body(what: &str, cause: serde_json::Error) -> Self {
        Self::Body { what: what.to_owned(), cause: Arc::new(cause) }
    }

    pub(super) fn folder(path: &Path, cause: std::io::Error) -> Self {
        Self::Folder { path: path.to_owned(), cause: Arc::new(cause) }
    }

    pub(super) fn output(cause: std::io::Error) -> Self {
        Self::Output(Arc::new(cause))
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(cause) => cause.sqlite_error_code(),
            _ => None,
        }
    }

    /// The words of a failure that may be over later, because it is about the disk and not about what is to be stored.
    pub(super) fn of_the_disk(&self) -> Option<String> {
        use ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, OutOfMemory, PermissionDenied, ReadOnly,
            SystemIoFailure,
        };
        let disk = [
            CannotOpen,
            DatabaseBusy,
            DatabaseCorrupt,
            DatabaseLocked,
            DiskFull,
            NotADatabase,
            OutOfMemory,
            PermissionDenied,
            ReadOnly,
            SystemIoFailure,
        ];
        self.code().is_some_and(|code| disk.contains(&code)).then(|| self.to_string())
    }

    /// Whether the file itself is damaged.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }
}
