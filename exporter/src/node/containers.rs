//! Which containers run on this host, with the process id of each: one list a sweep, one status call for each *new* container.
//!
//! The id → pid pairs are kept in an LRU cache together with the process' start time, so that a pid the kernel gave to somebody else is
//! noticed and asked for again. Names of pods are remembered by uid: they never change, and a runtime that is down for a moment
//! should not make its pods nameless.

use super::processes::start_ticks;
use super::runtime::{Listed, Runtime, RuntimeError};
use chaoscope_model::Pod;
use futures_util::{StreamExt as _, stream};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use tokio::time::Instant;

/// A running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The runtime's id.
    pub id: String,
    /// Its name in the pod; on a plain Docker host the container's own name.
    pub name: String,
    /// The pod it belongs to; all empty without Kubernetes.
    pub pod: Pod,
    /// Its first process.
    pub pid: u32,
}

/// Containers remembered over sweeps; a node runs a few hundred.
const CONTAINERS: NonZeroUsize = NonZeroUsize::new(8192).unwrap();
/// Pod names remembered over sweeps.
const PODS: NonZeroUsize = NonZeroUsize::new(8192).unwrap();
/// Status calls at once.
const AT_ONCE: usize = 8;

/// Looks for the runtime; asked again at each sweep as long as there is none, because it may start later.
pub type Find = Box<dyn Fn() -> Option<Runtime> + Send + Sync>;

/// Asks the runtime, and remembers.
pub struct Containers {
    find: Find,
    runtime: OnceLock<Runtime>,
    procfs: PathBuf,
    pids: Mutex<LruCache<String, Process>>,
    pods: Mutex<LruCache<String, Pod>>,
}

#[derive(Clone, Copy)]
struct Process {
    pid: u32,
    start_ticks: u64,
}

/// What one look at the runtime gave.
#[derive(Debug, Default)]
pub struct Roster {
    /// Running containers whose process is known.
    pub containers: Vec<Container>,
    /// How many status calls were needed.
    pub asked: usize,
    /// The first status call that failed.
    pub failure: Option<RuntimeError>,
    /// Ids of the running containers whose status call failed.
    pub unanswered: Vec<String>,
}

impl Containers {
    /// Without a runtime there are no containers to list; namespaces are then found in /proc alone.
    pub fn new(find: Find, procfs: &Path) -> Self {
        Self {
            find,
            runtime: OnceLock::new(),
            procfs: procfs.to_owned(),
            pids: Mutex::new(LruCache::new(CONTAINERS)),
            pods: Mutex::new(LruCache::new(PODS)),
        }
    }

    /// Which runtime is asked, for people. Empty when none is known.
    pub fn describe(&self) -> String {
        self.runtime.get().map_or_else(String::new, Runtime::describe)
    }

    /// Whether there is a runtime.
    pub fn has_runtime(&self) -> bool {
        self.runtime().is_some()
    }

    fn runtime(&self) -> Option<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Some(runtime);
        }
        let found = (self.find)()?;
        Some(self.runtime.get_or_init(|| found))
    }

    /// Lists the running containers. `None` without a runtime.
    pub async fn read(&self, until: Instant) -> Option<Result<Roster, RuntimeError>> {
        let runtime = self.runtime()?;
        let listed = match runtime.list(until).await {
            Ok(listed) => listed,
            Err(error) => return Some(Err(error)),
        };
        self.remember(listed.iter().map(|listed| &listed.pod));
        Some(Ok(self.pids(runtime, listed, until).await))
    }

    /// The pod of this uid, if a runtime ever named it.
    pub fn pod(&self, uid: &str) -> Option<Pod> {
        lock(&self.pods).get(uid).cloned()
    }

    /// Keeps the names of these pods. Names never change, so it does not matter who told of one.
    pub fn remember<'a>(&self, named: impl Iterator<Item = &'a Pod>) {
        let mut pods = lock(&self.pods);
        for pod in named.filter(|pod| !pod.uid.is_empty() && pod.is_named()) {
            pods.get_or_insert_ref(pod.uid.as_str(), || pod.clone());
        }
    }

    async fn pids(&self, runtime: &Runtime, listed: Vec<Listed>, until: Instant) -> Roster {
        let mut roster = Roster::default();
        let mut unknown = Vec::new();
        for listed in listed.into_iter().filter(|listed| listed.running) {
            match self.known(&listed.id) {
                Some(pid) => roster.containers.push(container(listed, pid)),
                None => unknown.push(listed),
            }
        }
        roster.asked = unknown.len();
        let answers = stream::iter(unknown).map(|listed| async { (runtime.pid(&listed.id, until).await, listed) });
        let mut answers = answers.buffer_unordered(AT_ONCE);
        while let Some((answer, listed)) = answers.next().await {
            match answer {
                Ok(Some(pid)) if self.learn(&listed.id, pid) => roster.containers.push(container(listed, pid)),
                Ok(_) => {} // ended between the list and the status call
                Err(error) => {
                    roster.unanswered.push(listed.id);
                    roster.failure = roster.failure.or(Some(error));
                }
            }
        }
        roster
    }

    /// The cached pid, if the process that had it still has it.
    fn known(&self, id: &str) -> Option<u32> {
        let mut pids = lock(&self.pids);
        let process = *pids.get(id)?;
        if start_ticks(&self.procfs, process.pid) == Some(process.start_ticks) {
            return Some(process.pid);
        }
        pids.pop(id);
        None
    }

    /// Whether the process of this container is still the one that was told of.
    pub fn is_alive(&self, id: &str) -> bool {
        self.known(id).is_some()
    }

    fn learn(&self, id: &str, pid: u32) -> bool {
        let Some(start_ticks) = start_ticks(&self.procfs, pid) else { return false };
        lock(&self.pids).put(id.to_owned(), Process { pid, start_ticks });
        true
    }
}

fn container(listed: Listed, pid: u32) -> Container {
    Container { id: listed.id, name: listed.name, pod: listed.pod, pid }
}

/// A poisoned lock holds a cache that is still a cache.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
