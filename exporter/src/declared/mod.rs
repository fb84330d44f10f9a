//! What the cluster role declares for the pods of this node: the node role's one connection, what was told by it, and what is told back.
//!
//! Apart from `cluster`, which knows the API server: a node asks nobody but the cluster role, over HTTP ([`crate::instance`]). What an event
//! says is in [`told`], what is kept of it in [`list`], the connection in [`link`]. To understand one more event: a variant of
//! [`told::Said`] and an arm in [`list::List::take`].

mod error;
mod link;
mod list;
mod told;

pub use error::Error;
pub use link::{Link, Listener, Times};
pub use list::{LONGEST_EVENT, MOST_NAMES, MOST_PODS, MOST_TARGETS};

use chaoscope_model::declared::DeclaredPod;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is declared for this node as far as it was told, and how the connection is.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Whom we ask.
    pub server: String,
    /// The name we ask under.
    pub node: String,
    /// Whether the connection is there and everything was told by it.
    pub connected: bool,
    /// Since when that is so, or is not any more; never connected: nothing.
    pub since: Option<Timestamp>,
    /// When something was told last, a heartbeat counts.
    pub last_message: Option<Timestamp>,
    /// Why there is no connection; empty: there is, or it is being made for the first time.
    pub failure: String,
    /// Number of the connection, as the cluster role says it; empty without one.
    pub connection: String,
    /// How much of it may be relied on.
    pub standing: Standing,
    /// Everything declared, by the pod's uid.
    pub pods: Arc<BTreeMap<String, DeclaredPod>>,
    /// Pods of which something was told that does not fit or is not understood: nothing is known of what is declared for them.
    pub unclear: Arc<BTreeSet<String>>,
    /// How often what is declared has changed: a reader sees whether it has seen this.
    pub version: u64,
}

/// How much what was told may be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was told yet.
    #[default]
    Untold,
    /// As it is, or was until a few minutes ago.
    Current,
    /// The connection has been lost for too long.
    Stale,
    /// For so long that nobody can be expected to come back: nothing is kept.
    Forgotten,
}

impl Declared {
    /// How many targets are declared.
    pub fn targets(&self) -> usize {
        self.pods.values().map(|pod| pod.targets.len()).sum()
    }
}
