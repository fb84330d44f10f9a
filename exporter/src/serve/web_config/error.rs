//! What can be wrong with the addresses and the web configuration: one clear line each, naming place and remedy.
//!
//! Apart because every file of the web configuration raises it. A new kind of fault is a variant; a new wrong value of a
//! known key is a call of [`Section::wrong`]. No message holds a value of a secret key.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// The cause below a [`WebError`], whatever its crate.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// Why the server cannot start, or why a changed web configuration is not taken over.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// A listen address that cannot be understood.
    #[error("listen address {address:?}: {problem}; write HOST:PORT, :PORT or [IPV6]:PORT")]
    Address {
        /// As given.
        address: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A listen address whose host name has no address.
    #[error("listen address {address:?}: the host name cannot be resolved; use an IP address or :PORT")]
    Resolve {
        /// As given.
        address: String,
        /// The resolver's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel refused to listen.
    #[error("cannot listen on {address:?}: {remedy}")]
    Listen {
        /// As given.
        address: String,
        /// What to try.
        remedy: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The web configuration file itself cannot be read.
    #[error("web config {}: cannot be read; check that it exists and that this user may read it", file.display())]
    Unreadable {
        /// The web configuration file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The web configuration is not of the documented form.
    #[error("web config {}, line {line}: {problem}", file.display())]
    Form {
        /// The web configuration file.
        file: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong there, and what is allowed.
        problem: String,
    },
    /// A key whose value cannot be used.
    #[error("web config {}: {key}: {problem}; {remedy}", file.display())]
    Key {
        /// The web configuration file.
        file: PathBuf,
        /// The key with its section, as `tls_server_config.min_version`.
        key: String,
        /// What is wrong with it.
        problem: String,
        /// What to write instead.
        remedy: String,
        /// What refused it, if it was not Chaoscope itself.
        #[source]
        source: Option<Cause>,
    },
}

impl WebError {
    /// The error and its causes in one line, as the program prints and logs it.
    pub fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line.replace(['\n', '\r'], " ")
    }
}

/// Where in the web configuration one is, for error messages.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    /// The web configuration file.
    pub(super) file: &'a Path,
    /// The key of the section, as `rate_limit`.
    pub(super) name: &'static str,
}

impl Section<'_> {
    /// The value of `key` cannot be used.
    pub(super) fn wrong(self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) -> WebError {
        self.failed(key, problem, remedy, None)
    }

    /// The value of `key` cannot be used, because of `source`.
    pub(super) fn failed(self, key: &str, problem: impl Into<String>, remedy: impl Into<String>, source: Option<Cause>) -> WebError {
        WebError::Key {
            file: self.file.to_path_buf(),
            key: if key.is_empty() { self.name.to_owned() } else { format!("{}.{key}", self.name) },
            problem: problem.into(),
            remedy: remedy.into(),
            source,
        }
    }
}

/// A value of the file as a message may repeat it: short and without blanks. Anything else may be a secret that slipped into
/// another key by wrong indentation, and is told by its length alone.
pub(super) fn shown(value: &str) -> String {
    const LONGEST: usize = 160;
    if value.len() <= LONGEST && value.chars().all(|c| !c.is_whitespace() && !c.is_control()) {
        format!("{value:?}")
    } else {
        format!("a text of {} characters", value.chars().count())
    }
}
