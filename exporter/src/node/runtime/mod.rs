//! The container runtime of this host: which containers there are, whose they are, and their process ids.
//!
//! Apart from the rest of `node` because it is the only place that asks a daemon instead of the kernel. [`Cri`] and
//! [`Docker`] speak to one socket each; [`Runtime`] decides which of them to ask. A further runtime's socket is one line in
//! `choice.rs`; a further protocol is one file with `list` and `pid`, and one variant of [`Client`].

mod choice;
mod cri;
mod cri_messages;
mod docker;
mod error;
mod grpc;
mod http;
mod limits;

pub use chaoscope_model::Pod;
pub use choice::{Endpoint, EndpointError, RuntimeChoice};
pub use error::{MAX_MESSAGE, RuntimeError};
pub use limits::{MAX_ANSWER, MAX_CONTAINERS};

use choice::Protocol;
use cri::Cri;
use docker::Docker;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;

/// Fuzzing: `ListContainersResponse` and `ContainerStatusResponse`.
#[cfg(fuzzing)]
pub fn fuzz_cri(data: &[u8]) {
    let answer = bytes::Bytes::copy_from_slice(data);
    let _ = (cri_messages::parse_list(answer.clone()), cri_messages::parse_status("c1", answer));
}

/// Fuzzing: Docker's list and inspect.
#[cfg(fuzzing)]
pub fn fuzz_docker(data: &[u8]) {
    docker::fuzz(data);
}

/// A container as its runtime lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The runtime's full id.
    pub id: String,
    /// The container's name in its pod; without a pod, its own. Empty when unknown.
    pub name: String,
    /// The pod it belongs to; all empty outside of Kubernetes.
    pub pod: Pod,
    /// Id of the pod's sandbox; empty when there is none.
    pub sandbox: String,
    /// Whether it has a process now. One that ended still tells its pod's name by uid.
    pub running: bool,
}

/// The runtime of this host, kept over scrapes. Connects by itself, also after the runtime died and came back; may be asked
/// by several tasks at once.
pub struct Runtime {
    /// In the order they are tried; most of these sockets do not exist.
    clients: Vec<Client>,
    /// Which of them last listed a container, or [`UNSETTLED`].
    settled: AtomicUsize,
}

const UNSETTLED: usize = usize::MAX;

enum Client {
    Cri(Cri),
    Docker(Docker),
}

impl Runtime {
    /// The runtime chosen; `None` when none is wanted, or when `auto` finds no socket (ask again later: a runtime may start).
    ///
    /// `root` is put before the usual paths, for a container that sees the host's `/run` elsewhere; `endpoint` is taken as it
    /// is. Nothing is asked yet.
    pub fn find(choice: RuntimeChoice, endpoint: Option<&Endpoint>, root: &Path) -> Option<Self> {
        let clients: Vec<Client> = choice.sockets(endpoint, root).into_iter().map(Client::new).collect();
        let runtime = Self { clients, settled: AtomicUsize::new(UNSETTLED) };
        let searching = choice == RuntimeChoice::Auto && endpoint.is_none();
        let found = if searching { !runtime.present().is_empty() } else { !runtime.clients.is_empty() };
        found.then_some(runtime)
    }

    /// Every container of this host, running or not, in no order.
    ///
    /// One call to the runtime. Only where several sockets exist, and the first ones have no container or no CRI (a Docker
    /// host's own containerd), the next is asked, too. CRI is asked for its version once a connection.
    pub async fn list(&self, deadline: Instant) -> Result<Vec<Listed>, RuntimeError> {
        let settled = self.settled.load(Ordering::Relaxed);
        let mut empty = false;
        let mut failure = None;
        for index in self.to_ask(settled) {
            match self.clients[index].list(deadline).await {
                Ok(listed) if listed.is_empty() => empty = true,
                Ok(listed) => {
                    self.settled.store(index, Ordering::Relaxed);
                    return Ok(listed);
                }
                Err(error) if is_passed_over(&error, index, settled) => failure = failure.or(Some(error)),
                Err(error) => {
                    if matches!(error, RuntimeError::Absent { .. }) {
                        self.settled.store(UNSETTLED, Ordering::Relaxed);
                    }
                    return Err(error);
                }
            }
        }
        failure.filter(|_| !empty).map_or(Ok(Vec::new()), Err)
    }

    /// The first process of the container `id`, as numbered in the runtime's pid namespace, in one call.
    /// `None`: there is no such container, or it does not run.
    pub async fn pid(&self, id: &str, deadline: Instant) -> Result<Option<u32>, RuntimeError> {
        if !limits::is_id(id) {
            return Ok(None);
        }
        match self.current() {
            Some(client) => client.pid(id, deadline).await,
            None => Ok(None),
        }
    }

    /// Which runtime it is and where, such as `containerd 1.6.20 at /run/containerd/containerd.sock`; for the status page.
    pub fn describe(&self) -> String {
        self.current().map_or_else(String::new, Client::describe)
    }

    /// The client that knows the containers listed last.
    fn current(&self) -> Option<&Client> {
        let settled = self.settled.load(Ordering::Relaxed);
        let first = || self.present().first().copied().unwrap_or(0);
        self.clients.get(if settled == UNSETTLED { first() } else { settled })
    }

    /// The clients whose sockets exist, each socket once: `/var/run` is mostly a link to `/run`.
    fn present(&self) -> Vec<usize> {
        let mut seen = Vec::new();
        let mut present = Vec::new();
        for (index, client) in self.clients.iter().enumerate() {
            let Ok(socket) = std::fs::metadata(client.endpoint()) else {
                continue;
            };
            let identity = (socket.dev(), socket.ino());
            if !seen.contains(&identity) {
                seen.push(identity);
                present.push(index);
            }
        }
        present
    }

    /// Those present, and in any case the one settled on, or else the first: its failure is worth telling.
    fn to_ask(&self, settled: usize) -> Vec<usize> {
        let mut ask = self.present();
        if settled != UNSETTLED && !ask.contains(&settled) {
            ask.push(settled);
            ask.sort_unstable();
        }
        if ask.is_empty() && !self.clients.is_empty() {
            ask.push(0);
        }
        ask
    }
}

impl Client {
    fn new((protocol, socket): (Protocol, PathBuf)) -> Self {
        match protocol {
            Protocol::Cri => Self::Cri(Cri::new(socket)),
            Protocol::Docker => Self::Docker(Docker::new(socket)),
        }
    }

    fn endpoint(&self) -> &Path {
        match self {
            Self::Cri(cri) => cri.endpoint(),
            Self::Docker(docker) => docker.endpoint(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Cri(cri) => cri.describe(),
            Self::Docker(docker) => docker.describe(),
        }
    }

    async fn list(&self, deadline: Instant) -> Result<Vec<Listed>, RuntimeError> {
        match self {
            Self::Cri(cri) => cri.list(deadline).await,
            Self::Docker(docker) => docker.list(deadline).await,
        }
    }

    async fn pid(&self, id: &str, deadline: Instant) -> Result<Option<u32>, RuntimeError> {
        match self {
            Self::Cri(cri) => cri.pid(id, deadline).await,
            Self::Docker(docker) => docker.pid(id, deadline).await,
        }
    }
}

/// Whether the next socket is asked after this failure: where there is no CRI behind this one, or when another was settled
/// on already. A runtime that merely fails is not replaced by another one's containers.
const fn is_passed_over(error: &RuntimeError, index: usize, settled: usize) -> bool {
    let nothing_there = matches!(error, RuntimeError::NotCriV1 { .. } | RuntimeError::Absent { .. });
    index != settled && (nothing_there || (settled != UNSETTLED && index < settled))
}
