//! Watches: everything the API server has of the kinds we know, listed and then followed, handed on object by object.
//!
//! Each kind, in each namespace where it is limited to some, is one task ([`follow`]) with its own failures: what is missing, forbidden or
//! broken costs only itself and shows in [`Watches::status`]. No object is kept; what becomes of them is up to a [`Sink`]. To follow one more
//! kind: a line in its tool's table.

mod board;
mod follow;
pub mod rights;

use super::api::Api;
use super::now::WatchNow;
use crate::tools::resource::Resource;
use board::Board;
use follow::Follower;
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;
use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

/// Pages that may be in memory at once.
const PAGES: usize = 3;

/// Takes what watches see. Calls for one kind and namespace come one after another, in the server's order; different ones come at once.
///
/// A call is waited for: while it waits, its watch reads no further, and at last the server's own buffers hold back. So a slow sink slows
/// watches, and memory does not grow.
pub trait Sink: Send + Sync + 'static {
    /// An object as it is now; after a list begins anew, every object comes again. Answers whether it was understood: one that was not is
    /// counted, and stops nothing.
    fn applied(&self, resource: &'static Resource, object: Value, seen: Timestamp) -> impl Future<Output = bool> + Send;

    /// An object is gone; this is what it was last. Not called for events: those only expire.
    fn deleted(&self, resource: &'static Resource, object: Value, seen: Timestamp) -> impl Future<Output = ()> + Send;

    /// A list of this kind is complete, in one namespace or, with an empty one, everywhere: of that kind and scope, whatever has none of these
    /// uids is gone. Not called for events, nor while an object was without a uid.
    fn listed(
        &self,
        resource: &'static Resource,
        namespace: &str,
        uids: HashSet<String>,
        seen: Timestamp,
    ) -> impl Future<Output = ()> + Send;

    /// A kind cannot be listed now, in one namespace or, with an empty one, everywhere; said again with each try. A list ends it.
    fn lost(&self, _resource: &'static Resource, _namespace: &str) {}
}

/// How to watch.
#[derive(Clone, Debug)]
pub struct Config {
    /// Only these namespaces; empty: the whole cluster.
    pub namespaces: Vec<String>,
    /// How often a kind that is missing or forbidden is asked for again.
    pub ask_again: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { namespaces: Vec::new(), ask_again: Duration::from_secs(30) }
    }
}

/// Running watches; they end when this is dropped.
pub struct Watches {
    board: Arc<Board>,
    _tasks: JoinSet<()>,
}

impl Watches {
    /// Begins to watch, on the runtime this is called on.
    pub fn start<S: Sink>(client: Client, resources: &'static [Resource], config: &Config, sink: &Arc<S>) -> Self {
        let scopes = scopes(resources, &config.namespaces);
        let board = Arc::new(Board::new(scopes.iter().map(|(resource, namespace)| (*resource, namespace.clone()))));
        let (api, pages) = (Api::new(client), Arc::new(Semaphore::new(PAGES)));
        let mut tasks = JoinSet::new();
        let mut turn = Arc::default();
        for (at, (resource, namespace)) in scopes.iter().enumerate() {
            if at == 0 || scopes[at - 1].0 != *resource {
                turn = Arc::new(Mutex::new(()));
            }
            let Some(namespace) = namespace else { continue };
            let follower = Follower {
                api: api.clone(),
                resource,
                namespace: namespace.clone(),
                sink: Arc::clone(sink),
                board: Arc::clone(&board),
                slot: at,
                pages: Arc::clone(&pages),
                turn: Arc::clone(&turn),
                ask_again: config.ask_again,
            };
            tasks.spawn(follower.run());
        }
        Self { board, _tasks: tasks }
    }

    /// How each watch does, in the order of the kinds.
    pub fn status(&self) -> Vec<WatchNow> {
        self.board.now()
    }

    /// Whether the first list of everything that exists and is allowed is in. Once true, it stays so.
    pub fn ready(&self) -> bool {
        self.board.ready()
    }

    /// Done when [`Self::ready`].
    pub async fn until_ready(&self) {
        self.board.until_ready().await;
    }
}

/// What is watched where; `None`: not at all, since it belongs to no namespace and we are limited to some.
fn scopes(resources: &'static [Resource], namespaces: &[String]) -> Vec<(&'static Resource, Option<String>)> {
    let scopes = resources.iter().flat_map(|resource| match (namespaces, resource.namespaced) {
        ([], _) => vec![(resource, Some(String::new()))],
        (_, false) => vec![(resource, None)],
        (_, true) => namespaces.iter().map(|namespace| (resource, Some(namespace.clone()))).collect(),
    });
    scopes.collect()
}
