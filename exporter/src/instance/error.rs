//! Why a running Chaoscope could not be asked, or did not answer: each with what can be done about it.

use reqwest::StatusCode;
use std::error::Error as _;
use std::io;
use std::path::PathBuf;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be understood.
    #[error("{text:?} is no address of a server: {reason}")]
    Address {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that was named cannot be used.
    #[error("{what} {} cannot be used: {reason}", path.display())]
    File {
        /// What it is for.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nobody whose certificates are trusted.
    #[error("this host has no certificates to trust")]
    NoRoots,
    /// TLS cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
    /// The connection failed.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable {
        /// Whom we asked.
        server: String,
        /// What failed.
        reason: String,
        /// What kind of failure that is.
        cause: Cause,
    },
    /// The answer says no.
    #[error("{server} answered {status}{}", if detail.is_empty() { String::new() } else { format!(": {detail}") })]
    Status {
        /// Whom we asked.
        server: String,
        /// The status.
        status: StatusCode,
        /// What it says about it.
        detail: String,
    },
    /// The answer is not Chaoscope's.
    #[error("{server} answered, but not as a Chaoscope does: {reason}")]
    Stranger {
        /// Whom we asked.
        server: String,
        /// What is odd.
        reason: String,
    },
    /// Experiments of several kinds have the name.
    #[error("{what} is the name of experiments of several kinds: {kinds}")]
    Ambiguous {
        /// Namespace and name.
        what: String,
        /// The kinds.
        kinds: String,
    },
    /// Standard output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Kinds of failed connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nobody listens there.
    Refused,
    /// The name is not known.
    Name,
    /// TLS was not agreed on.
    Tls,
    /// No answer in time.
    Time,
    /// The connection ended within the answer.
    Broken,
    /// Anything else.
    Other,
}

impl Error {
    /// A request that failed before there was an answer, or within one.
    pub(crate) fn unreachable(server: &str, error: &reqwest::Error) -> Self {
        let cause = Cause::of(error);
        let mut reason = String::new();
        let mut source = error.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            if !reason.ends_with(&text) {
                reason += if reason.is_empty() { "" } else { ": " };
                reason += &text;
            }
            source = inner.source();
        }
        if cause == Cause::Time {
            "no answer in time".clone_into(&mut reason);
        }
        Self::Unreachable { server: server.to_owned(), reason, cause }
    }

    /// What can be done about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Address { .. } => "write --server http://HOST:PORT",
            Self::File { .. } | Self::Output(_) => "",
            Self::Ambiguous { .. } => "name one with --kind",
            Self::NoRoots => "name the server's own with --tls.ca-file",
            Self::Setup(_) => "see --tls.ca-file",
            Self::Unreachable { cause, .. } => cause.remedy(),
            Self::Status { status, .. } => match status.as_u16() {
                401 => "name a file with a valid token: --token-file",
                403 => "this token may not see that; ask whoever runs the server",
                404 => "is it a Chaoscope with an API (cluster, standalone or replay; the node role has none)? see --server",
                429 | 503 => "it is busy; try again",
                300..=399 => "give the address it points to as --server",
                400 => "see --help",
                _ => "see the server's log",
            },
            Self::Stranger { .. } => "is something else at this address, such as a proxy's login page? see --server",
        }
    }

    /// Whether it is about how we were called, and not about the server.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Address { .. } | Self::File { .. } | Self::NoRoots | Self::Ambiguous { .. } => true,
            Self::Status { status, .. } => *status == StatusCode::BAD_REQUEST,
            _ => false,
        }
    }

    /// Whether asking again later may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            _ => false,
        }
    }
}

impl Cause {
    fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Time;
        }
        let mut source = error.source();
        while let Some(inner) = source {
            if is_tls(inner) {
                return Self::Tls;
            }
            if inner.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
                return Self::Refused;
            }
            // The connector's own error has no type that could be asked.
            if inner.to_string().contains("dns error") {
                return Self::Name;
            }
            source = inner.source();
        }
        if error.is_body() || error.is_decode() || error.is_request() && !error.is_connect() { Self::Broken } else { Self::Other }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Refused => "nobody listens there: is it running? in a cluster: kubectl port-forward it, or see --server",
            Self::Name => "the name is not known here: see --server",
            Self::Tls => "does it speak TLS (https) or not (http)? is its certificate for this name, and by whom --tls.ca-file names?",
            Self::Time => "give it more time with --timeout, or see its log",
            Self::Broken => "if it serves TLS, write https://; else see its log",
            Self::Other => "see --server",
        }
    }
}

/// Whether TLS's own error is in there. It comes wrapped in I/O errors, whose source is that of what they wrap.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner))
}
