//! What is asked, typed: one [`Query`] for a panel, an alert rule, an annotation or a variable.
//!
//! Pure. How saved JSON becomes a query is in `parse`, what the old plugin saved in `legacy`, values that variables
//! leave in `variables`. Nothing here knows how an origin is reached.

mod legacy;
pub mod parse;
mod variables;

use jiff::Timestamp;
use std::time::Duration;

/// From when until when, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The left end of the panel.
    pub from: Timestamp,
    /// The right end of the panel.
    pub to: Timestamp,
}

/// `parameter=value` pairs in the API's language (`chaoscope_model::query::Filter`): sorted, without doubles.
pub type Pairs = Vec<(String, String)>;

/// Which runs or events: what an origin is asked, and what its answers are kept by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// From when until when.
    pub window: Window,
    /// Which of them.
    pub filter: Pairs,
    /// At most so many; what is left out is said.
    pub limit: usize,
}

/// One query of a request.
#[derive(Clone, Debug)]
pub struct Query {
    /// The panel's letter; the answer is keyed by it.
    pub ref_id: String,
    /// What is wanted of the runs or events found.
    pub ask: Ask,
    /// Which they are.
    pub question: Question,
    /// The panel's step: what one point of a series stands for.
    pub interval: Duration,
    /// Most points of a series.
    pub max_points: usize,
    /// Whether the panel is to be kept current over Grafana Live.
    pub stream: bool,
    /// What could not be used of what was saved, for a notice in the answer.
    pub notices: Vec<String>,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A table of runs.
    Runs,
    /// A table of events, or lines for Explore and the logs panel.
    Events {
        /// As log lines.
        logs: bool,
    },
    /// A state timeline.
    Timeline(Rows),
    /// How many runs are open.
    Active {
        /// Now, or over the window.
        form: Form,
        /// Labels to count by: names of `by` that [`parse`] allows; empty counts all together.
        by: Vec<String>,
    },
    /// A table of targets.
    Targets,
    /// Regions for annotations; as an annotation layer, or as a panel's own query (`dataTopic`).
    Annotations {
        /// With what schedules will start until the window's end.
        upcoming: bool,
        /// As a panel's query: the frame says that it annotates.
        topic: bool,
    },
    /// What schedules will start.
    Upcoming,
    /// Values of a variable or of an ad hoc filter.
    Values(List),
    /// What a `chaosmeshorg-datasource` query asks: its events, in its columns.
    Legacy,
}

/// One row of a state timeline is one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// An experiment's runs, one after another.
    Run,
    /// A target, with whatever hit it.
    Target,
}

/// Numbers now, or over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// At the window's end.
    Instant,
    /// A point per interval.
    Series,
}

/// What a variable may list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// Tools seen.
    Tools,
    /// Clusters seen.
    Clusters,
    /// Kinds.
    Kinds,
    /// Namespaces of experiments.
    Namespaces,
    /// Names of experiments.
    Experiments,
    /// Names of schedules.
    Schedules,
    /// Names of workflows.
    Workflows,
    /// A property of targets: `target_namespace`, `target_pod`, `target_node`, `target_workload`.
    Targets(String),
    /// Values of a filter's field (ad hoc filters): one of `chaoscope_model::query::FIELDS`.
    Field(String),
}

/// What an origin must be asked for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Needs {
    /// Runs that overlap the window.
    Runs,
    /// Events in the window.
    Events,
    /// What schedules will start.
    Upcoming,
    /// Values of a variable.
    Values,
    /// Runs, and what schedules will start.
    RunsAndUpcoming,
}

impl Ask {
    /// What the origin must be asked.
    pub const fn needs(&self) -> Needs {
        match self {
            Self::Runs | Self::Timeline(_) | Self::Active { .. } | Self::Targets | Self::Annotations { upcoming: false, .. } => Needs::Runs,
            Self::Annotations { upcoming: true, .. } => Needs::RunsAndUpcoming,
            Self::Events { .. } | Self::Legacy => Needs::Events,
            Self::Upcoming => Needs::Upcoming,
            Self::Values(_) => Needs::Values,
        }
    }
}
