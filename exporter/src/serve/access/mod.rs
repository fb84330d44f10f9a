//! Who may see what of the API: nobody is asked, a token is, or Kubernetes is.
//!
//! One [`Access`] for the process, one [`Viewer`] for each request; `/metrics` and health do not come by here (`docs/access.md`).

mod denied;

pub use denied::Denied;

use axum::http::HeaderMap;
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use std::path::PathBuf;

/// Who is asked.
#[derive(Clone)]
pub enum Mode {
    /// Nobody: every caller sees everything.
    None,
    /// The callers' tokens are those of these files, one a line; a token sees everything.
    Token {
        /// Read again when they change.
        files: Vec<PathBuf>,
    },
    /// The API server behind this client: who a caller is, and what it may list.
    Kubernetes(kube::Client),
}

/// How callers are told apart.
#[derive(Clone)]
pub struct Config {
    /// Who is asked.
    pub mode: Mode,
}

/// Knows callers. Cheap to clone.
#[derive(Clone)]
pub struct Access;

impl Access {
    /// Reads what it needs.
    pub fn open(_config: Config) -> Result<Self, Error> {
        Ok(Self)
    }

    /// The caller of a request, by its `Authorization: Bearer`.
    #[allow(clippy::unused_async)]
    pub async fn viewer(&self, _headers: &HeaderMap) -> Result<Viewer, Denied> {
        Ok(Viewer)
    }
}

/// One caller: what it may see. Cheap to clone.
#[derive(Clone)]
pub struct Viewer;

impl Viewer {
    /// The run with those targets only that the caller may see; `None`: for this caller there is no such run. May block: not for async threads.
    pub fn see(&self, run: &Run) -> Option<Run> {
        Some(run.clone())
    }

    /// Whether the caller may see an event; `run` is its run, whole, where it has one. May block: not for async threads.
    pub fn sees_event(&self, _event: &Event, _run: Option<&Run>) -> bool {
        true
    }

    /// Whether every question of [`Self::see`] and [`Self::sees_event`] was answered so far. Ask after a query and before answering it:
    /// what could not be asked was kept back, so the answer may lack something and must be this error instead.
    pub fn complete(&self) -> Result<(), Denied> {
        Ok(())
    }

    /// The same caller, looked at again: for answers that go on for long (a stream asks every minute).
    #[allow(clippy::unused_async)]
    pub async fn renewed(&self) -> Result<Self, Denied> {
        Ok(self.clone())
    }
}

/// Why callers cannot be told apart. For the start of the program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {}
