//! What of this instance works: [`Facts`], gathered by whoever runs, judged into a [`Report`] that `/api/v1/doctor` answers as JSON and the
//! command `doctor` prints; and `/readyz` ([`ready`]), which judges the same facts.
//!
//! To say one more thing: a field of [`Facts`], a function in [`judge`].

mod judge;
mod outline;
pub(super) mod ready;
pub(in crate::serve) mod routes;
mod rule;
mod sweeps;

pub use judge::report;
pub use routes::{Gather, routes};

use super::scrapers::Scraper;
use crate::cluster::discover::Served;
use crate::cluster::now::WatchNow;
use crate::journal::Status;
use crate::node::limits::Limitation;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What there is to know about a running instance. Unknown is `None`, and is said.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `cluster`, `standalone` or `replay`.
    pub role: &'static str,
    /// When this is; a replay's clock is the recording's.
    pub at: Timestamp,
    /// When the process began.
    pub since: Timestamp,
    /// API groups of chaos tools, and what of them the API server has; `None` where it was not asked.
    pub groups: Option<Vec<Group>>,
    /// How each watch does.
    pub watches: Vec<WatchNow>,
    /// Components of chaos tools that are asked for their metrics; `None` where none are.
    pub peers: Option<Vec<Peer>>,
    /// Nodes that have targets or a node role; `None` where this role knows of none.
    pub nodes: Option<Vec<Node>>,
    /// Sweeps of this host; `None` where this role makes none.
    pub sweeps: Option<Sweeps>,
    /// The journal.
    pub journal: Journal,
    /// Who scrapes `/metrics`.
    pub scrapers: Vec<Scraper>,
    /// What is still to come before the first answer is whole, as a recording that is being read; empty: nothing.
    pub pending: String,
}

/// An API group of a chaos tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name: `chaos-mesh.org`.
    pub name: String,
    /// What of it the API server has; nothing: it is not installed.
    pub served: Vec<Served>,
}

/// A component that is asked for its metrics.
#[derive(Clone, Debug)]
pub struct Peer {
    /// What it is: `controller-manager`, …
    pub what: String,
    /// Where it was asked.
    pub address: String,
    /// Whether it answered the last time.
    pub up: bool,
    /// Why not.
    pub reason: String,
    /// When it last answered.
    pub sampled_at: Option<Timestamp>,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether its node role is connected.
    pub connected: bool,
}

/// How the sweeps of this host go.
#[derive(Clone, Debug, Default)]
pub struct Sweeps {
    /// Time between two.
    pub every: Duration,
    /// When the last one that succeeded began.
    pub at: Option<Timestamp>,
    /// What it could not see.
    pub limitations: Vec<Limitation>,
    /// Why there was none since; empty: there was.
    pub failure: String,
}

/// How the journal does.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Where it is; empty: a temporary one, gone with the process.
    pub folder: String,
    /// What it says of itself.
    pub status: Status,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// It works.
    Good,
    /// It does not work, or it makes figures wrong.
    Bad,
    /// It cannot be told, or it may be meant so.
    Unsure,
}

impl Mark {
    /// The sign before a line.
    pub const fn sign(self) -> char {
        match self {
            Self::Good => '✔',
            Self::Bad => '✘',
            Self::Unsure => '?',
        }
    }
}

/// One thing and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Line {
    /// What it is about: `kinds`, `watches`, `rights`, `changes`, `peers`, `nodes`, `sweeps`, `journal`, `scrapes`.
    pub about: String,
    /// How it is.
    pub mark: Mark,
    /// What was found, in words.
    pub found: String,
    /// What would mend it, in words; empty where nothing needs mending.
    pub remedy: String,
    /// What to add to a role, as YAML, where rights are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// What of an instance works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Report {
    /// Its version.
    pub version: String,
    /// Its role.
    pub role: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whether nothing is bad.
    pub well: bool,
    /// One thing each.
    pub lines: Vec<Line>,
}
