//! Why a caller gets no answer, as a problem's parts (RFC 9457): [`Denied`].
//!
//! Apart because whoever writes answers needs it and nothing else of access.

use super::bearer::Absent;
use axum::http::StatusCode;

/// No answer for this caller. What it says holds nothing secret.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denied {
    /// No token came, or one that nobody knows.
    #[error("{0}")]
    Unknown(String),
    /// Who it is, is known; it may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// Whoever could tell cannot be asked now.
    #[error("{0}")]
    Unavailable(String),
}

impl Denied {
    /// A request without a token; `remedy` says where tokens come from.
    pub(super) fn absent(absent: Absent, remedy: &str) -> Self {
        let problem = match absent {
            Absent::Missing => "The request has no Authorization header.",
            Absent::Malformed => "The Authorization header is not of the form `Bearer TOKEN`, or there are two of them.",
        };
        Self::Unknown(format!("{problem} {remedy}"))
    }

    /// A token that nobody knows; `remedy` says which are known.
    pub(super) fn unknown_token(remedy: &str) -> Self {
        Self::Unknown(format!("The token is not known, or not any more. {remedy}"))
    }

    /// 401, 403 or 503.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unknown(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What it is, the same for every case of its status.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "A token is needed",
            Self::Forbidden(_) => "This token may not do that",
            Self::Unavailable(_) => "Access cannot be checked now",
        }
    }

    /// The cause and the remedy, for a person.
    pub fn detail(&self) -> String {
        self.to_string()
    }

    /// Value of the `WWW-Authenticate` header that belongs to the answer, if one does (RFC 6750, section 3).
    pub const fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Unknown(_) => Some("Bearer realm=\"chaoscope\""),
            Self::Forbidden(_) | Self::Unavailable(_) => None,
        }
    }
}
