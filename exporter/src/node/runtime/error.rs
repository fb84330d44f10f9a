//! What can go wrong between us and a container runtime, and what a person can do about it.
//!
//! Apart from the clients because CRI and Docker fail in the same ways, and because the status page shows
//! [`RuntimeError::remedy`] beside the failure. A new way to fail is one variant here and one arm in `remedy`.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Why a runtime did not answer. Every variant names the socket that was asked.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is no such socket.
    #[error("no container runtime socket at {}", endpoint.display())]
    Absent {
        /// The socket asked.
        endpoint: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The socket is there, but no process listens on it.
    #[error("nobody listens on {}", endpoint.display())]
    Refused {
        /// The socket asked.
        endpoint: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// We may not open the socket.
    #[error("not allowed to open {}", endpoint.display())]
    Denied {
        /// The socket asked.
        endpoint: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Connecting failed in another way.
    #[error("cannot connect to {}", endpoint.display())]
    Unreachable {
        /// The socket asked.
        endpoint: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The runtime took the call and did not answer before the deadline.
    #[error("{} did not answer in time", endpoint.display())]
    Hung {
        /// The socket asked.
        endpoint: PathBuf,
    },
    /// The socket speaks gRPC, but not `runtime.v1`.
    #[error("{} does not offer CRI v1: {message}", endpoint.display())]
    NotCriV1 {
        /// The socket asked.
        endpoint: PathBuf,
        /// What the runtime said.
        message: String,
    },
    /// The runtime answered that it cannot.
    #[error("{} refused: {message}", endpoint.display())]
    Failed {
        /// The socket asked.
        endpoint: PathBuf,
        /// The status and the runtime's own words, cut to [`MAX_MESSAGE`] characters.
        message: String,
    },
    /// The answer broke off, or is not what the protocol allows.
    #[error("the answer of {} cannot be read", endpoint.display())]
    Garbage {
        /// The socket asked.
        endpoint: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The answer is beyond a limit of ours; nothing of it was kept.
    #[error("the answer of {} is larger than {} MiB", endpoint.display(), limit >> 20)]
    TooLarge {
        /// The socket asked.
        endpoint: PathBuf,
        /// The limit in bytes.
        limit: usize,
    },
    /// More containers than we keep; nothing of the list was kept.
    #[error("{} lists more than {} containers", endpoint.display(), super::MAX_CONTAINERS)]
    TooMany {
        /// The socket asked.
        endpoint: PathBuf,
    },
    /// The runtime knows the container but tells its process id in no way we know.
    #[error("{} tells no process id", endpoint.display())]
    NoPid {
        /// The socket asked.
        endpoint: PathBuf,
    },
}

/// What is wrong with an answer that arrived whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("not the protobuf message expected")]
    Protobuf(#[source] prost::DecodeError),
    #[error("not the JSON expected")]
    Json(#[source] serde_json::Error),
    #[error("{0:?} is no container id")]
    Id(String),
    #[error("it speaks of another container")]
    OtherContainer,
    #[error("{0} is no process id")]
    Pid(i64),
    #[error("it lists more than {} containers", super::MAX_CONTAINERS)]
    TooMany,
}

/// Longest part of a runtime's own message that is kept, in characters: one line on a status page.
pub const MAX_MESSAGE: usize = 200;

impl RuntimeError {
    /// What a person can do about it, as one or two sentences.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Absent { .. } => {
                "Start the runtime, or mount the host's folder of that socket into this container, or name another socket \
                 with --runtime.endpoint=unix:///path; --runtime=none does without names."
            }
            Self::Refused { .. } => "The runtime is stopped or still starting. Once it runs it is found without a restart.",
            Self::Denied { .. } => {
                "Run as uid 0 or in the group that owns the socket (and allow it where SELinux or AppArmor confines us); \
                 --runtime=none does without names."
            }
            Self::Unreachable { .. } => "The path must be a unix socket and at most 107 bytes long; see --runtime.endpoint.",
            Self::Hung { .. } => "The runtime is overloaded, stopped or wedged; its own log says more.",
            Self::NotCriV1 { .. } => {
                "CRI v1 needs containerd 1.6, CRI-O 1.20 or cri-dockerd 0.3.0 or newer, with containerd's cri plugin not in \
                 disabled_plugins; a Docker host wants --runtime=docker."
            }
            Self::Failed { .. } => "The runtime's own log says more.",
            Self::Garbage { .. } => {
                "The runtime ended in the middle, or the socket speaks another protocol: --runtime=cri and --runtime=docker \
                 say which."
            }
            Self::TooLarge { .. } | Self::TooMany { .. } => "Remove exited containers that nobody needs any more.",
            Self::NoPid { .. } => "Update the runtime; where Docker is behind cri-dockerd, use --runtime=docker.",
        }
    }

    /// The socket that was asked.
    pub fn endpoint(&self) -> &Path {
        match self {
            Self::Absent { endpoint, .. }
            | Self::Refused { endpoint, .. }
            | Self::Denied { endpoint, .. }
            | Self::Unreachable { endpoint, .. }
            | Self::Hung { endpoint }
            | Self::NotCriV1 { endpoint, .. }
            | Self::Failed { endpoint, .. }
            | Self::Garbage { endpoint, .. }
            | Self::TooLarge { endpoint, .. }
            | Self::TooMany { endpoint }
            | Self::NoPid { endpoint } => endpoint,
        }
    }

    /// A failed `connect(2)`. `WouldBlock` is what a unix socket says when the listener's queue is full (unix(7)).
    pub(super) fn connecting(endpoint: &Path, source: io::Error) -> Self {
        let endpoint = endpoint.to_path_buf();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Absent { endpoint, source },
            io::ErrorKind::ConnectionRefused => Self::Refused { endpoint, source },
            io::ErrorKind::PermissionDenied => Self::Denied { endpoint, source },
            io::ErrorKind::WouldBlock => Self::Hung { endpoint },
            _ => Self::Unreachable { endpoint, source },
        }
    }

    /// An answer that arrived but makes no sense.
    pub(super) fn malformed(endpoint: &Path, source: Malformed) -> Self {
        let endpoint = endpoint.to_path_buf();
        match source {
            Malformed::TooMany => Self::TooMany { endpoint },
            source => Self::Garbage { endpoint, source: Box::new(source) },
        }
    }
}

/// A runtime's own words, fit for one line: no control characters, at most [`MAX_MESSAGE`] characters.
pub(super) fn one_line(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(MAX_MESSAGE).map(printable).collect()
}
