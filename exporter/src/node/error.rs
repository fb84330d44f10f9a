//! Why a kernel read failed: one error for every source of a visit, so that counting, showing and mending are done once.
//!
//! To extend: a variant here, its label in [`ReadError::reason`] and, if a person can do something, a line in
//! [`ReadError::remedy`].

use rustix::io::Errno;
use rustix::thread::CapabilitySet;

/// Opening the list of legacy tables. No capability of a reader's helps here: the file is root's and of mode 0440
/// (`net/netfilter/x_tables.c`), so it takes root's group, or a way around modes.
pub(super) const NAMES: &str = "iptables names";

/// A kernel read that gave nothing. The value is kept in the sweep, so it is small and cloneable.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadError {
    /// The kernel said EPERM or EACCES.
    #[error("{call}: permission denied")]
    Permission {
        /// What was tried.
        call: &'static str,
        /// What the kernel said.
        #[source]
        errno: Errno,
    },
    /// The namespace, the process or the table was gone when it was asked for.
    #[error("{call}: gone")]
    Gone {
        /// What was tried.
        call: &'static str,
        /// What the kernel said.
        #[source]
        errno: Errno,
    },
    /// Any other answer of the kernel.
    #[error("{call}: the kernel refused")]
    Kernel {
        /// What was tried.
        call: &'static str,
        /// What the kernel said.
        #[source]
        errno: Errno,
    },
    /// The bytes are not what the kernel's headers promise.
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
    /// The state changed during each of several dumps, so none of them was whole.
    #[error("{0}: changed during every attempt to read it")]
    Interrupted(&'static str),
    /// More bytes than Chaoscope is willing to hold for one namespace.
    #[error("{what}: larger than {limit} bytes")]
    TooLarge {
        /// Which answer.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer did not come in time.
    #[error("{0}: no answer in time")]
    Timeout(&'static str),
}

impl ReadError {
    /// Sorts an errno under the call that brought it.
    pub fn of(call: &'static str, errno: Errno) -> Self {
        match errno {
            Errno::PERM | Errno::ACCESS => Self::Permission { call, errno },
            Errno::NOENT | Errno::SRCH | Errno::NODEV | Errno::STALE => Self::Gone { call, errno },
            Errno::AGAIN | Errno::TIMEDOUT => Self::Timeout(call),
            _ => Self::Kernel { call, errno },
        }
    }

    /// The `reason` label. One of [`REASONS`].
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Permission { .. } => "permission",
            Self::Gone { .. } => "gone",
            Self::Kernel { .. } => "kernel",
            Self::Malformed(_) => "malformed",
            Self::Interrupted(_) => "interrupted",
            Self::TooLarge { .. } => "too_large",
            Self::Timeout(_) => "timeout",
        }
    }

    /// The capability that this call takes, where it was refused.
    pub fn lacks(&self) -> Option<CapabilitySet> {
        let Self::Permission { call, .. } = self else { return None };
        match *call {
            "open namespace" => Some(CapabilitySet::SYS_PTRACE),
            "enter namespace" => Some(CapabilitySet::SYS_ADMIN),
            NAMES => None,
            _ => Some(CapabilitySet::NET_ADMIN),
        }
    }

    /// What a person can do about it, where there is something to do.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Permission { call, .. } => Some(match *call {
                "open namespace" => "add CAP_SYS_PTRACE (and share the host's process ids: hostPID)",
                "enter namespace" => "add CAP_SYS_ADMIN",
                NAMES => "run with group 0 (runAsGroup: 0), or add CAP_DAC_READ_SEARCH",
                _ => "add CAP_NET_ADMIN",
            }),
            Self::Malformed(_) => Some("this kernel answers in a way Chaoscope does not know: please report it with `uname -r`"),
            Self::Interrupted(_) => Some("something rewrites this state all the time; the next scrape tries again"),
            Self::TooLarge { .. } | Self::Timeout(_) | Self::Gone { .. } | Self::Kernel { .. } => None,
        }
    }
}

/// Every value [`ReadError::reason`] can give, so that all series exist from the first scrape on.
pub const REASONS: [&str; 7] = ["permission", "gone", "kernel", "malformed", "interrupted", "too_large", "timeout"];
