//! Why a question got no answer, as Grafana is told: a status that its panels and alert rules know, and a text.
//!
//! The text is what parsing and origins say, which name causes and never secrets. To tell a new kind of failure: its status in [`From`].

use crate::origin::{Error, Fault};
use crate::query::parse::Refused;
use grafana_plugin_sdk::pluginv2::DataResponse;
use std::future::Future;
use tokio_util::task::AbortOnDropHandle;

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// As in HTTP.
    pub(super) status: u16,
    /// The word for metrics.
    pub(super) outcome: &'static str,
    /// For the person at the panel.
    pub(super) text: String,
}

impl Failure {
    /// The question is at fault.
    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self { status: 400, outcome: "refused", text: text.into() }
    }

    /// We are at fault.
    pub(super) fn internal(text: impl Into<String>) -> Self {
        Self { status: 500, outcome: "internal", text: text.into() }
    }

    /// As the answer to one query.
    pub(super) fn response(self) -> DataResponse {
        DataResponse { frames: Vec::new(), error: self.text, json_meta: Vec::new(), status: self.status.into() }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::refused(refused.0)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (status, outcome) = match &error {
            Error::Refused(_) => (400, "refused"),
            Error::Unauthenticated(_) => (401, "unauthenticated"),
            Error::Forbidden(_) => (403, "forbidden"),
            Error::Busy(_) => (429, "busy"),
            Error::Unreachable(_) => (502, "unreachable"),
            Error::Failed(_) => (502, "failed"),
            Error::Nonsense(_) => (502, "nonsense"),
            Error::TimedOut(_) => (504, "timed_out"),
        };
        let Fault { cause, remedy } = error.fault();
        let text = if remedy.is_empty() { cause.clone() } else { format!("{cause}. {remedy}") };
        Self { status, outcome, text }
    }
}

/// Runs `work` as a task of its own: a panic in it is this failure and no more, and it stops when the caller goes away.
pub(super) async fn alone<T: Send + 'static>(work: impl Future<Output = Result<T, Failure>> + Send + 'static) -> Result<T, Failure> {
    match AbortOnDropHandle::new(tokio::spawn(work)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::internal("the datasource's backend failed at this; Grafana's log says where")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_failures_keep_their_meaning() {
        let cases = [
            (Error::Refused("a".into()), 400),
            (Error::Unauthenticated("a".into()), 401),
            (Error::Forbidden("a".into()), 403),
            (Error::Busy("a".into()), 429),
            (Error::Unreachable("a".into()), 502),
            (Error::Nonsense("a".into()), 502),
            (Error::Failed("a".into()), 502),
            (Error::TimedOut("a".into()), 504),
        ];
        for (error, status) in cases {
            let response = Failure::from(error.clone()).response();
            assert_eq!((response.status, &*response.error), (status, "a"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_one_failure() {
        let failed = alone::<()>(async { panic!("a secret") }).await.unwrap_err();
        assert_eq!(failed.status, 500);
        assert!(!failed.text.contains("secret"));
    }

    #[tokio::test]
    async fn work_stops_when_its_caller_goes_away() {
        let (held, mut gone) = tokio::sync::oneshot::channel::<()>();
        let work = alone::<()>(async move {
            let _held = held;
            std::future::pending().await
        });
        tokio::select! {
            _ = work => unreachable!(),
            () = tokio::task::yield_now() => {}
        }
        assert!((&mut gone).await.is_err());
    }
}
