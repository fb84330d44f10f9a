//! Why a caller gets no answer, as a problem's parts (RFC 9457): [`Denied`].
//!
//! Apart because whoever writes answers needs it and nothing else of access.

use axum::http::StatusCode;

/// No answer for this caller.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denied {
    /// No token came, or one that nobody knows.
    #[error("{0}")]
    Unknown(String),
    /// Whoever could tell cannot be asked now.
    #[error("{0}")]
    Unavailable(String),
}

impl Denied {
    /// 401 or 503.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unknown(_) => StatusCode::UNAUTHORIZED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What it is, the same for every case of its status.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "A token is needed",
            Self::Unavailable(_) => "Access cannot be checked now",
        }
    }

    /// The cause and the remedy, for a person. Holds nothing secret.
    pub fn detail(&self) -> String {
        self.to_string()
    }

    /// Value of the `WWW-Authenticate` header that belongs to the answer, if one does (RFC 6750).
    pub const fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Unknown(_) => Some("Bearer realm=\"chaoscope\""),
            Self::Unavailable(_) => None,
        }
    }
}
