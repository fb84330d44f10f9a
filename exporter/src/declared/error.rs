//! Why the connection to the cluster role is not there, each with what can be done about it.

use crate::instance;

/// Why there is no connection, or no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It could not be asked, or its answer says no.
    #[error(transparent)]
    Asked(#[from] instance::Error),
    /// It ended the stream.
    #[error("the cluster role has ended the connection")]
    Ended,
    /// Nothing more came, not even a heartbeat.
    #[error("nothing came by the connection for {0} s")]
    Silent(u64),
    /// It did not tell everything in time.
    #[error("the cluster role has not told everything declared within {0} s")]
    NotReady(u64),
    /// An event has no end.
    #[error("an event has more than {0} bytes")]
    TooLong(usize),
    /// An event makes no sense.
    #[error("an event {event:?} cannot be read: {reason}")]
    Odd {
        /// Which.
        event: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It knows this connection no more.
    #[error("the cluster role knows this connection no more")]
    Superseded,
    /// There is nobody to report to.
    #[error("not connected")]
    Unconnected,
}

impl Error {
    /// What can be done about it; empty: nothing but to wait.
    pub fn remedy(&self) -> &'static str {
        let Self::Asked(error) = self else { return "" };
        match error {
            instance::Error::Address { .. } => "write --cluster.url=http://HOST:PORT, or https://",
            instance::Error::NoRoots => "name the cluster role's own with --cluster.ca-file",
            instance::Error::Setup(_) => "see --cluster.ca-file",
            instance::Error::Unreachable { cause, .. } => match cause {
                instance::Cause::Refused => "nobody listens there: is the cluster role running? see --cluster.url",
                instance::Cause::Name => "the name is not known here: see --cluster.url",
                instance::Cause::Tls => "does it speak TLS (https) or not (http)? see --cluster.ca-file for whom is trusted",
                _ => "see --cluster.url, and the cluster role's log",
            },
            instance::Error::Status { status, .. } => match status.as_u16() {
                401 => "name a file with a token it accepts: --cluster.token-file",
                403 => "a token acts for its own node only: see --node-name, and the cluster role's --api.node-account",
                404 => "is it a chaoscope cluster of this release? see --cluster.url",
                409 => "is another process connected under the same --node-name?",
                300..=399 => "give the address it points to as --cluster.url",
                _ => "see the cluster role's log",
            },
            instance::Error::Stranger { .. } => "is something else at this address? see --cluster.url",
            _ => "",
        }
    }

    /// Whether this is the answer to a report by a connection that is over.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Asked(instance::Error::Status { status, .. }) if status.as_u16() == 409)
    }

    /// Whether it is about the flags, and will not mend by itself.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Asked(error) if error.is_usage())
    }
}
