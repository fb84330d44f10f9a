//! The desk: the cluster role's side of the one connection of each node. What is declared for a node's pods goes out, what the node found
//! comes in and becomes observations.
//!
//! Pure parts are elsewhere: what is declared in `cluster/index/declared.rs`, what the cluster role judges itself in `verdict/apart.rs`. Here:
//! `line` is what goes out of one connection, `roll` which nodes there are and what each has to do with, `round` what is looked at again and
//! again, `report` what comes in. One task ([`Desk::tend`]) does for all nodes what follows
//! from changes and from time, so that an idle node costs nothing but its heartbeats.

mod line;
mod report;
mod roll;
mod round;

pub use line::{Ended, Hello, Line, Message};
pub use report::{Bad, MAX_BYTES, Refusal, check};

use crate::cluster::api::Api;
use crate::cluster::index::Index;
use crate::cluster::now::NodesNow;
use crate::cluster::pods;
use crate::ingest::Ingest;
use crate::journal::Journal;
use chaoscope_model::Pod;
use jiff::Timestamp;
use roll::Roll;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What the desk must be told about the rest.
pub struct Around {
    /// What is known.
    pub ingest: Ingest,
    /// What is remembered.
    pub journal: Journal,
    /// Name of the cluster.
    pub cluster: String,
    /// Whether everything that is declared is known: all was listed, and all pods of open runs were looked at.
    pub whole: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Asks for the pods of a node, where there is an API server; and in which namespaces only, empty: in all.
    pub pods: Option<(Api, Vec<String>)>,
}

/// Nodes and what they are told. One for the process.
pub struct Desk {
    around: Around,
    /// What connections' numbers begin with: no other process has it.
    birth: i128,
    roll: Mutex<Roll>,
    /// Somebody connected, or told something.
    work: Notify,
}

/// A connection; whoever drops it has hung up.
pub struct Call {
    desk: Arc<Desk>,
    node: Arc<str>,
    line: Arc<Line>,
}

impl Desk {
    /// Nobody is connected yet. What changes is noted from now on.
    pub fn new(around: Around) -> Arc<Self> {
        around.ingest.look(Index::note_changes);
        let birth = Timestamp::now().as_nanosecond();
        Arc::new(Self { around, birth, roll: Mutex::default(), work: Notify::new() })
    }

    /// A node connects; its older connection ends. `names`: it wants to know the names of all its pods.
    pub fn connect(self: &Arc<Self>, node: &str, names: bool, release: &str) -> Call {
        let now = self.around.ingest.clock();
        let mut roll = self.roll();
        let number = roll.next_number();
        let hello = Hello {
            connection: format!("{:x}-{number}", self.birth),
            at: now,
            cluster: self.around.cluster.clone(),
            release: env!("CARGO_PKG_VERSION"),
        };
        let line = Arc::new(Line::new(hello));
        let node = roll.connect(node, &line, release, now);
        drop(roll);
        self.work.notify_one();
        if let (true, Some((api, namespaces))) = (names, &self.around.pods) {
            let (api, namespaces, node, line) = (api.clone(), namespaces.clone(), Arc::clone(&node), Arc::downgrade(&line));
            tokio::spawn(async move {
                let tell = move |names: Option<Vec<Pod>>| line.upgrade().is_some_and(|line| names.is_none_or(|names| line.name(names)));
                pods::names(&api, &namespaces, &node, Arc::new(tell)).await;
            });
        }
        Call { desk: Arc::clone(self), node, line }
    }

    /// How the nodes are.
    pub fn nodes(&self) -> NodesNow {
        self.roll().now(self.around.ingest.clock())
    }

    fn roll(&self) -> MutexGuard<'_, Roll> {
        self.roll.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// What is to be told.
    pub fn line(&self) -> &Line {
        &self.line
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let now = self.desk.around.ingest.clock();
        self.desk.roll().hang_up(&self.node, self.line.connection(), now);
    }
}
