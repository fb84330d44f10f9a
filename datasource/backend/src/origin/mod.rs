//! Where runs come from, asked over HTTP: Chaoscope itself (`chaoscope`) or a Chaos Dashboard (`dashboard`).
//!
//! Both answer in the model's words, so that nothing behind here knows which it was. How a request is made, limited and repeated is in
//! `http` (and whom it trusts in `tls`); what a failure means and what to do about it in `fault`; what of a question is asked and what is held
//! against the answer in `fixed`.

pub mod chaoscope;
pub mod dashboard;
mod fault;
mod fixed;
pub mod http;
mod tls;
mod values;

pub use fault::{Error, Fault};

use crate::query::{List, Question};
use bytes::Bytes;
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What was found.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The newest first.
    pub items: Vec<T>,
    /// Whether the limit left something out.
    pub cut: bool,
    /// What a reader should know (`a Dashboard keeps events for a week`), for a notice in the answer.
    pub notices: Vec<String>,
}

/// A run that a schedule will start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upcoming {
    /// When it is due.
    pub at: Timestamp,
    /// When its duration says it ends; of a one-shot action never.
    #[serde(default)]
    pub expected_end_at: Option<Timestamp>,
    /// Kind of the experiment it starts.
    pub kind: String,
    /// What it does; empty where the kind says all.
    #[serde(default)]
    pub action: String,
    /// Namespace of the schedule.
    pub namespace: String,
    /// Name of the schedule.
    pub schedule: String,
}

/// On whose behalf an origin is asked: what is sent besides the datasource's own credentials. Empty unless identity is forwarded.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Headers, by lower-case name. They hold secrets: no `Debug`.
    pub headers: Vec<(String, String)>,
}

/// What "Save & test" says.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether queries will work.
    pub ok: bool,
    /// One sentence: what was found, or the cause.
    pub message: String,
    /// What to do about it, and details, for the person at the editor.
    pub details: Vec<String>,
}

impl Health {
    /// Queries will not work, for this reason.
    pub(crate) fn bad(error: &Error) -> Self {
        Self {
            ok: false,
            message: error.to_string(),
            details: vec![error.remedy().to_owned()].into_iter().filter(|text| !text.is_empty()).collect(),
        }
    }
}

impl<T> Found<T> {
    /// What was found, whole.
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, cut: false, notices: Vec::new() }
    }
}

/// A stream that is being opened.
pub type Opening = BoxFuture<'static, Result<BoxStream<'static, Result<Bytes, Error>>, Error>>;

/// One of the origins.
pub enum Origin {
    /// Chaoscope's own API.
    Chaoscope(chaoscope::Chaoscope),
    /// A Chaos Dashboard.
    Dashboard(dashboard::Dashboard),
}

impl Origin {
    /// Runs that overlap the window.
    pub async fn runs(&self, question: &Question, who: &Identity) -> Result<Found<Arc<Run>>, Error> {
        match self {
            Self::Chaoscope(origin) => origin.runs(question, who).await,
            Self::Dashboard(origin) => origin.runs(question, who).await,
        }
    }

    /// Events in the window.
    pub async fn events(&self, question: &Question, who: &Identity) -> Result<Found<Arc<Event>>, Error> {
        match self {
            Self::Chaoscope(origin) => origin.events(question, who).await,
            Self::Dashboard(origin) => origin.events(question, who).await,
        }
    }

    /// What schedules will start in the window.
    pub async fn upcoming(&self, question: &Question, who: &Identity) -> Result<Found<Upcoming>, Error> {
        match self {
            Self::Chaoscope(origin) => origin.upcoming(question, who).await,
            Self::Dashboard(origin) => origin.upcoming(question, who).await,
        }
    }

    /// Values for a variable, sorted, without doubles.
    pub async fn values(&self, list: &List, question: &Question, who: &Identity) -> Result<Found<String>, Error> {
        match self {
            Self::Chaoscope(origin) => origin.values(list, question, who).await,
            Self::Dashboard(origin) => origin.values(list, question, who).await,
        }
    }

    /// A stream that says when something changed; `None`: this origin has none.
    pub fn changes(self: &Arc<Self>) -> Option<Opening> {
        match &**self {
            Self::Chaoscope(_) => {
                let origin = Arc::clone(self);
                Some(Box::pin(async move {
                    match &*origin {
                        Self::Chaoscope(chaoscope) => chaoscope.changes().await,
                        Self::Dashboard(_) => Err(Error::Refused("a Dashboard has no stream".into())),
                    }
                }))
            }
            Self::Dashboard(_) => None,
        }
    }

    /// Whether queries will work, and if not, why.
    pub async fn check(&self, who: &Identity) -> Health {
        match self {
            Self::Chaoscope(origin) => origin.check(who).await,
            Self::Dashboard(origin) => origin.check(who).await,
        }
    }
}

#[cfg(test)]
pub(crate) use values::tests::run as tests_run;
