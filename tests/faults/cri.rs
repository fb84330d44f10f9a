//! What a scripted container runtime answers about the containers of one test.
//!
//! Apart because the tests of privileges and those of faults both need it.

use crate::messages::{Container, ContainerMetadata, ContainerStatus, ContainerStatusRequest, ContainerStatusResponse};
use crate::messages::{ListContainersResponse, VersionResponse};
use crate::scripted::Reply;
use prost::Message;

/// A container of a pod `shop/<pod>`; its id is 64 digits as every runtime's, made of `number`.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) number: u32,
    pub(crate) pod: String,
    pub(crate) pid: u32,
}

impl Declared {
    pub(crate) fn id(&self) -> String {
        format!("{:064x}", self.number)
    }

    /// The pod's uid.
    pub(crate) fn uid(&self) -> String {
        format!("0f3a2b1c-0000-4000-8000-{:012x}", self.number)
    }
}

/// A healthy runtime's answer.
pub(crate) fn answer(containers: &[Declared], asked: &str, message: &[u8]) -> Reply {
    let bytes = match asked {
        "Version" => {
            VersionResponse { runtime_name: "scripted".into(), runtime_version: "1".into(), ..VersionResponse::default() }.encode_to_vec()
        }
        "ListContainers" => ListContainersResponse { containers: containers.iter().map(listed).collect() }.encode_to_vec(),
        "ContainerStatus" => {
            let id = ContainerStatusRequest::decode(message).unwrap().container_id;
            let Some(container) = containers.iter().find(|container| container.id() == id) else {
                return Reply::Status(5, "no such container".into());
            };
            let info = format!(r#"{{"pid":{}}}"#, container.pid);
            let status = ContainerStatus { id, state: 1, ..ContainerStatus::default() };
            ContainerStatusResponse { status: Some(status), info: [("info".to_owned(), info)].into() }.encode_to_vec()
        }
        other => panic!("asked for {other}"),
    };
    Reply::Message(bytes)
}

fn listed(container: &Declared) -> Container {
    let label = |key: &str, value: &str| (format!("io.kubernetes.{key}"), value.to_owned());
    Container {
        id: container.id(),
        pod_sandbox_id: "sandbox".to_owned(),
        metadata: Some(ContainerMetadata { name: "app".to_owned(), attempt: 0 }),
        state: 1,
        labels: [
            label("container.name", "app"),
            label("pod.name", &container.pod),
            label("pod.namespace", "shop"),
            label("pod.uid", &container.uid()),
        ]
        .into(),
        ..Container::default()
    }
}
