//! Why the API server does not give what it is asked for, as far as it decides what to do next.
//!
//! To add a cause: a variant, its reason in [`Error::reason`], and where it is recognised in [`Error::of`].

use super::lines;
use hyper::Response;
use hyper::header::RETRY_AFTER;
use kube::client::Body;
use serde::Deserialize;
use std::time::Duration;

/// Most bytes of a refusal that are read, and characters that are told.
const MAX_REFUSAL: usize = 64 << 10;
const MAX_TOLD: usize = 300;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such kind, or no such object.
    #[error("there is no such kind or object")]
    Missing,
    /// Not allowed to.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// Not known to the server: a token that is wrong or not valid any more.
    #[error("unauthorized: {0}")]
    Unauthorized(String),
    /// The version or the page asked for is too old: list anew.
    #[error("the server does not know any more what happened since: {0}")]
    Expired(String),
    /// Asked to come back later.
    #[error("told to come back later: {message}")]
    Busy {
        /// When, if it said so.
        after: Option<Duration>,
        /// What it said.
        message: String,
    },
    /// Any other refusal.
    #[error("HTTP status {status}: {message}")]
    Failing {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The connection was refused, cut, or is not to be trusted.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// Nothing came for too long.
    #[error("no answer")]
    Silent,
    /// The answer is longer than we read.
    #[error("an answer of more than {0} bytes")]
    TooLarge(usize),
    /// The answer is not what it should be.
    #[error("an answer that is not understood: {0}")]
    Malformed(String),
    /// No way to the server is configured.
    #[error("no way to an API server: {0}: name a kubeconfig with --kubeconfig, or run in a pod that has a service account")]
    Config(String),
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    message: String,
}

impl Error {
    /// One word for metrics and pages.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Forbidden(_) => "forbidden",
            Self::Unauthorized(_) => "unauthorized",
            Self::Expired(_) => "expired",
            Self::Busy { .. } => "throttled",
            Self::Failing { .. } | Self::TooLarge(_) | Self::Malformed(_) => "failing",
            Self::Unreachable(_) | Self::Silent | Self::Config(_) => "unreachable",
        }
    }

    /// What this refusal means.
    pub(super) async fn of(answer: Response<Body>) -> Self {
        let status = answer.status().as_u16();
        let after = answer.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
        // What cannot be read to its end is told as far as it came; the status says enough.
        let body = lines::beginning(answer.into_body(), MAX_REFUSAL).await;
        let message = match serde_json::from_slice::<Status>(&body) {
            Ok(told) => told.message,
            Err(_) => String::from_utf8_lossy(&body).into_owned(),
        };
        Self::with_code(status, &message, after)
    }

    /// What a status code means, of an answer or inside of a watch.
    pub fn with_code(status: u16, message: &str, after: Option<Duration>) -> Self {
        let message = told(message);
        match status {
            401 => Self::Unauthorized(message),
            403 => Self::Forbidden(message),
            404 => Self::Missing,
            410 => Self::Expired(message),
            429 | 503 => Self::Busy { after, message },
            _ => Self::Failing { status, message },
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        let text = chain(&error);
        match error {
            kube::Error::Auth(_) => Self::Unauthorized(text),
            _ => Self::Unreachable(text),
        }
    }
}

/// One line of at most [`MAX_TOLD`] characters.
fn told(text: &str) -> String {
    text.trim().chars().map(|it| if it.is_control() { ' ' } else { it }).take(MAX_TOLD).collect()
}

/// What an error says, and what those below it say besides.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    // An error may be its own source; nobody nests eight deep.
    for _ in 0..8 {
        let Some(cause) = below else { break };
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        below = cause.source();
    }
    told(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_to_do() {
        let reason = |code| Error::with_code(code, "", None).reason();
        let codes = [401, 403, 404, 410, 429, 500, 503, 504].map(reason);
        assert_eq!(codes, ["unauthorized", "forbidden", "missing", "expired", "throttled", "failing", "throttled", "failing"]);
    }

    #[test]
    fn what_is_told_is_one_short_line() {
        let Error::Forbidden(message) = Error::with_code(403, &format!(" a\nb{}", "c".repeat(1000)), None) else { panic!() };
        assert!(message.starts_with("a bccc") && message.chars().count() == MAX_TOLD, "{message}");
    }
}
