//! Recordings: a folder that holds what an API server said, line by line, so that it can be told again elsewhere.
//!
//! Apart from the live watch (`cluster`), because a recording knows files and nothing of a cluster. [`read`] gives the steps of a recording in
//! the order they were seen, [`write`] makes one, [`reduced`] decides what of an object may be written at all.
//!
//! ```text
//! PATH/timeline.jsonl            {at, step, text}: the first line tells when it began
//! PATH/initial/<resource>.json   a List, or an array: the objects that were there
//! PATH/watch/<resource>.jsonl    {seen, watch: {type, object}}: what happened to them, oldest first
//! ```
//!
//! `<resource>` is the plural of a kind; Events of the core group are `events.core`, and [`EVENTS`] to everybody else.

pub mod pace;
pub mod read;
pub mod reduced;
pub mod write;

use jiff::Timestamp;
use serde_json::Value;
use std::path::PathBuf;

/// The resource of Kubernetes Events.
pub const EVENTS: &str = "events";
/// What their file is called.
const EVENTS_FILE: &str = "events.core";
/// The same Events, by their other API: not read, since they would say everything twice.
const OTHER_EVENTS_FILE: &str = "events.events.k8s.io";
/// Folder of the lists.
const INITIAL: &str = "initial";
/// Folder of the changes.
const WATCH: &str = "watch";
/// When it began and ended.
const TIMELINE: &str = "timeline.jsonl";

/// What happened to an object. The first three are Kubernetes' own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new, or new to whoever watched.
    Added,
    /// It is another version.
    Modified,
    /// The watch said that it is gone.
    Deleted,
    /// A complete list did not have it any more: it is gone, and nobody saw when.
    Absent,
}

impl Change {
    /// Every value.
    const ALL: [Self; 4] = [Self::Added, Self::Modified, Self::Deleted, Self::Absent];

    /// The word in a recording.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
            Self::Absent => "ABSENT",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.as_str() == word)
    }
}

/// One thing a recording tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The objects of a resource that were there at the beginning: all of them.
    Listed {
        /// Plural of the kind.
        resource: String,
        /// The objects as the API server gave them.
        objects: Vec<Value>,
        /// When the recording began.
        seen: Timestamp,
    },
    /// Something happened to an object.
    Changed {
        /// Plural of the kind; [`EVENTS`] for Events.
        resource: String,
        /// What happened.
        change: Change,
        /// The object as the API server gave it.
        object: Value,
        /// When that was seen.
        seen: Timestamp,
    },
}

/// Something of a recording that cannot be used. The rest can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {reason}", .line.map_or_else(String::new, |line| format!(":{line}")))]
pub struct Fault {
    /// File, from the recording's folder.
    pub file: String,
    /// Line, from 1, where it is about a line.
    pub line: Option<u64>,
    /// What is wrong with it.
    pub reason: String,
}

/// Why there is no recording to read or to write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder cannot be opened.
    #[error("the recording {} cannot be opened: {cause}: name a folder that `chaoscope record` made", path.display())]
    Open {
        /// Which folder.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// There is a folder, but no recording in it.
    #[error("{} is no recording: it has neither a folder {WATCH} nor a folder {INITIAL}: name one that `chaoscope record` made", .0.display())]
    NotOne(PathBuf),
    /// A recording, but nothing in it.
    #[error("the recording {} is empty: it has no list in {INITIAL} and no change in {WATCH}; was anything recorded?", .0.display())]
    Empty(PathBuf),
    /// More files than any recording has.
    #[error("{} has more than {limit} files", path.display())]
    TooMany {
        /// Which folder.
        path: PathBuf,
        /// How many it may have.
        limit: usize,
    },
    /// There is something where the new recording would go.
    #[error("{} is there already and is not empty: name a new folder", .0.display())]
    NotEmpty(PathBuf),
    /// No name of a resource, so no name of a file either.
    #[error("{0:?} is no name of a resource")]
    Name(String),
    /// Something cannot be written.
    #[error("the recording's {file} cannot be written")]
    Write {
        /// File, from the recording's folder.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Whether this can be a file's name and is no path: `networkchaos`, `events.core`.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    (1..=100).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('.')
}
