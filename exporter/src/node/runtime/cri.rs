//! The Container Runtime Interface, version 1, as containerd, CRI-O and cri-dockerd offer it.
//!
//! Only what is asked; what the answers mean is read in `cri_messages.rs`, and how a call travels is in `grpc.rs`.
//! A new call is one constant here and one message there.

use super::cri_messages::{
    ContainerStatusRequest, Info, ListContainersRequest, Process, VersionRequest, VersionResponse, parse_list, parse_status,
};
use super::error::{RuntimeError, one_line};
use super::grpc::Socket;
use super::limits::MAX_ANSWER;
use super::{Listed, http};
use hyper::StatusCode;
use prost::Message;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const VERSION: &str = "/runtime.v1.RuntimeService/Version";
const LIST_CONTAINERS: &str = "/runtime.v1.RuntimeService/ListContainers";
const CONTAINER_STATUS: &str = "/runtime.v1.RuntimeService/ContainerStatus";

/// Largest answer of one status call, in bytes: gRPC's own default. A verbose status repeats a container's environment and
/// mounts, usually 4 kB.
const MAX_STATUS: usize = 4 << 20;

/// How long the answer of `Version` is waited for, beside a list that is already there.
const VERSION_PATIENCE: Duration = Duration::from_millis(250);

/// One runtime that speaks CRI.
pub(super) struct Cri {
    socket: Socket,
    version: Mutex<Version>,
}

#[derive(Default)]
struct Version {
    /// The connection it was asked on, counted from 1.
    connection: u64,
    /// Such as `containerd 1.6.20`, once known.
    text: Option<String>,
}

impl Cri {
    pub(super) fn new(endpoint: PathBuf) -> Self {
        Self { socket: Socket::new(endpoint), version: Mutex::default() }
    }

    pub(super) fn endpoint(&self) -> &Path {
        self.socket.endpoint()
    }

    /// Every container, running or not, in one call. The first list of each connection asks for the version, too.
    pub(super) async fn list(&self, deadline: Instant) -> Result<Vec<Listed>, RuntimeError> {
        let answer = self.socket.call(LIST_CONTAINERS, ListContainersRequest {}, MAX_ANSWER, deadline).await?;
        let Some(answer) = answer else {
            return Err(RuntimeError::Failed { endpoint: self.endpoint().to_path_buf(), message: "no list".to_owned() });
        };
        let listed = parse_list(answer).map_err(|e| RuntimeError::malformed(self.endpoint(), e))?;
        self.learn_version(deadline.min(Instant::now() + VERSION_PATIENCE)).await;
        Ok(listed)
    }

    /// The container's first process, in one call (two where the status holds no pid).
    pub(super) async fn pid(&self, id: &str, deadline: Instant) -> Result<Option<u32>, RuntimeError> {
        let request = ContainerStatusRequest { container_id: id.to_owned(), verbose: true };
        let Some(answer) = self.socket.call(CONTAINER_STATUS, request, MAX_STATUS, deadline).await? else { return Ok(None) };
        match parse_status(id, answer).map_err(|e| RuntimeError::malformed(self.endpoint(), e))? {
            Process::NotRunning => Ok(None),
            Process::Pid(pid) => Ok(Some(pid)),
            Process::Untold => self.pid_by_http(id, deadline).await,
        }
    }

    /// Such as `containerd 1.6.20 at /run/containerd/containerd.sock`.
    pub(super) fn describe(&self) -> String {
        let version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{} at {}", version.text.as_deref().unwrap_or("CRI runtime"), self.endpoint().display())
    }

    /// CRI-O serves an inspection page over HTTP/1.1 on the same socket; it tells the pid of a container whose CRI status
    /// does not (`server/inspect.go` of CRI-O). It goes on telling it after the exit, so it is asked about running ones only.
    async fn pid_by_http(&self, id: &str, deadline: Instant) -> Result<Option<u32>, RuntimeError> {
        let no_pid = || RuntimeError::NoPid { endpoint: self.endpoint().to_path_buf() };
        let reply = match http::get(self.endpoint(), "crio", &format!("/containers/{id}"), deadline).await {
            Err(RuntimeError::Garbage { .. }) => return Err(no_pid()), // gRPC only: not CRI-O
            other => other?,
        };
        match reply.status {
            StatusCode::OK => {
                let process = http::json::<Info>(&reply.body).and_then(|info| info.process());
                match process.map_err(|e| RuntimeError::malformed(self.endpoint(), e))? {
                    Process::Pid(pid) => Ok(Some(pid)),
                    Process::NotRunning => Ok(None),
                    Process::Untold => Err(no_pid()),
                }
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(http::failed(self.endpoint(), status, &reply.body)),
        }
    }

    /// Asks for name and version, once a connection; without an answer in time the old text stands.
    async fn learn_version(&self, deadline: Instant) {
        let connection = self.socket.connections();
        {
            let mut version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
            if version.connection == connection {
                return;
            }
            version.connection = connection;
        }
        let Ok(Some(answer)) = self.socket.call(VERSION, VersionRequest {}, MAX_STATUS, deadline).await else { return };
        if let Ok(told) = VersionResponse::decode(answer) {
            let text = one_line(&format!("{} {}", told.runtime_name, told.runtime_version.trim_start_matches('v')));
            self.version.lock().unwrap_or_else(PoisonError::into_inner).text = Some(text);
        }
    }
}
