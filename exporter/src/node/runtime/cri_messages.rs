//! What CRI v1 says: the few messages that are used, with only the fields that are read, and their parsers, pure on bytes.
//!
//! Written by hand so that the build needs no protobuf compiler. Field numbers: `pkg/apis/runtime/v1/api.proto` of the
//! Kubernetes cri-api repository, package `runtime.v1`. They are part of the wire format and cannot change within v1.
//! A list is taken apart entry by entry, so that the number of containers is limited before they are built.

use super::error::Malformed;
use super::limits::{MAX_CONTAINERS, checked_id, pid_of, sane_name};
use super::{Listed, Pod};
use bytes::{Buf, Bytes};
use prost::Message;
use std::collections::HashMap;

/// Largest entry of a list, in bytes. An object of the API server, whose metadata this repeats, is below 1.5 MiB
/// (etcd's `--max-request-bytes`); real entries are about 1 kB.
const MAX_ENTRY: usize = 2 << 20;

/// `VersionRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct VersionRequest {}

/// `VersionResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct VersionResponse {
    #[prost(string, tag = "2")]
    pub(super) runtime_name: String,
    #[prost(string, tag = "3")]
    pub(super) runtime_version: String,
}

/// `ListContainersRequest` without its filter: containers in every state.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListContainersRequest {}

/// `Container`, one entry of a `ListContainersResponse`, which holds nothing else (see [`parse_list`]).
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Container {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) pod_sandbox_id: String,
    #[prost(message, optional, tag = "3")]
    pub(super) metadata: Option<ContainerMetadata>,
    #[prost(enumeration = "ContainerState", tag = "6")]
    pub(super) state: i32,
    #[prost(map = "string, string", tag = "8")]
    pub(super) labels: HashMap<String, String>,
}

/// `ContainerMetadata`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerMetadata {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// `ContainerState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum ContainerState {
    Created = 0,
    Running = 1,
    Exited = 2,
    Unknown = 3,
}

/// `ContainerStatusRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerStatusRequest {
    #[prost(string, tag = "1")]
    pub(super) container_id: String,
    #[prost(bool, tag = "2")]
    pub(super) verbose: bool,
}

/// `ContainerStatusResponse`. `info` is free-form; containerd and CRI-O put one JSON text under the key `info`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerStatusResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<ContainerStatus>,
    #[prost(map = "string, string", tag = "2")]
    pub(super) info: HashMap<String, String>,
}

/// `ContainerStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerStatus {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(enumeration = "ContainerState", tag = "3")]
    pub(super) state: i32,
}

/// What a status says about the process.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Process {
    NotRunning,
    Pid(u32),
    /// It runs, but `info` holds no pid: an old CRI-O.
    Untold,
}

/// A `ListContainersResponse`: containers under field 1, whatever else skipped.
pub(super) fn parse_list(mut answer: Bytes) -> Result<Vec<Listed>, Malformed> {
    let mut listed = Vec::new();
    while answer.has_remaining() {
        let Some(entry) = next_entry(&mut answer)? else {
            continue;
        };
        if listed.len() == MAX_CONTAINERS {
            return Err(Malformed::TooMany);
        }
        listed.push(of_entry(Container::decode(entry).map_err(Malformed::Protobuf)?)?);
    }
    Ok(listed)
}

/// Takes one field off the front: its bytes if it is field 1 and length-delimited, `None` for any other.
/// Wire types: Protocol Buffers encoding, "Message Structure".
fn next_entry(answer: &mut Bytes) -> Result<Option<Bytes>, Malformed> {
    let varint = |from: &mut Bytes| prost::decode_length_delimiter(from).map_err(Malformed::Protobuf);
    let bad = |what: &'static str| Malformed::Protobuf(prost::DecodeError::new(what));
    let key = varint(answer)?;
    if key < 8 {
        return Err(bad("field number 0"));
    }
    let length = match key & 7 {
        0 => varint(answer).map(|_| 0)?,
        1 => 8,
        2 => varint(answer)?,
        5 => 4,
        _ => return Err(bad("unknown wire type")),
    };
    if length > answer.remaining() {
        return Err(bad("a field is cut off"));
    }
    let value = answer.split_to(length);
    match key {
        0x0a if length > MAX_ENTRY => Err(bad("an entry of more than 2 MiB")),
        0x0a => Ok(Some(value)),
        _ => Ok(None),
    }
}

fn of_entry(mut entry: Container) -> Result<Listed, Malformed> {
    let mut label = |key: &str| sane_name(entry.labels.remove(key));
    let pod =
        Pod { namespace: label("io.kubernetes.pod.namespace"), name: label("io.kubernetes.pod.name"), uid: label("io.kubernetes.pod.uid") };
    let mut name = label("io.kubernetes.container.name");
    if name.is_empty() {
        name = sane_name(entry.metadata.map(|metadata| metadata.name));
    }
    let sandbox = if entry.pod_sandbox_id.is_empty() { String::new() } else { checked_id(entry.pod_sandbox_id)? };
    let running = entry.state == ContainerState::Running as i32;
    Ok(Listed { id: checked_id(entry.id)?, name, pod, sandbox, running })
}

/// The part of `info` (and of CRI-O's page) that is read.
#[derive(serde::Deserialize)]
pub(super) struct Info {
    pid: Option<i64>,
}

impl Info {
    pub(super) fn process(&self) -> Result<Process, Malformed> {
        self.pid.map_or(Ok(Process::Untold), |pid| Ok(pid_of(pid)?.map_or(Process::NotRunning, Process::Pid)))
    }
}

/// A verbose `ContainerStatusResponse` about the container `id`.
pub(super) fn parse_status(id: &str, answer: Bytes) -> Result<Process, Malformed> {
    let answer = ContainerStatusResponse::decode(answer).map_err(Malformed::Protobuf)?;
    match answer.status {
        Some(status) if status.id == id => {
            // A container that has ended keeps its last pid in `info` (seen in CRI-O's source): only a running one has it.
            if status.state != ContainerState::Running as i32 {
                return Ok(Process::NotRunning);
            }
        }
        _ => return Err(Malformed::OtherContainer),
    }
    let Some(info) = answer.info.get("info") else {
        return Ok(Process::Untold);
    };
    serde_json::from_str::<Info>(info).map_err(Malformed::Json)?.process()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The whole list as a server writes it.
    #[derive(Clone, PartialEq, Message)]
    struct ListContainersResponse {
        #[prost(message, repeated, tag = "1")]
        containers: Vec<Container>,
        #[prost(uint64, tag = "2")]
        of_a_later_version: u64,
        #[prost(fixed32, tag = "3")]
        also_later: u32,
    }

    fn container(id: &str, name: &str) -> Container {
        let label = |key: &str, value: &str| (format!("io.kubernetes.{key}"), value.to_owned());
        Container {
            id: id.to_owned(),
            pod_sandbox_id: "5a".repeat(32),
            metadata: Some(ContainerMetadata { name: "by-metadata".to_owned() }),
            state: 1,
            labels: HashMap::from([
                label("container.name", name),
                label("pod.name", "web-0"),
                label("pod.namespace", "shop"),
                label("pod.uid", "u-1"),
            ]),
        }
    }

    fn list(containers: Vec<Container>) -> Bytes {
        ListContainersResponse { containers, of_a_later_version: 7, also_later: 9 }.encode_to_vec().into()
    }

    #[test]
    fn a_container_is_read_with_its_pod_and_unknown_fields_are_skipped() {
        let listed = parse_list(list(vec![container("c1", "app")])).unwrap();
        let pod = Pod { namespace: "shop".to_owned(), name: "web-0".to_owned(), uid: "u-1".to_owned() };
        let want = Listed { id: "c1".to_owned(), name: "app".to_owned(), pod, sandbox: "5a".repeat(32), running: true };
        assert_eq!(listed, [want]);
    }

    #[test]
    fn without_labels_the_metadata_names_the_container_and_only_running_is_running() {
        for (state, running) in [(0, false), (1, true), (2, false), (3, false), (99, false)] {
            let bare = Container { labels: HashMap::new(), state, ..container("c1", "") };
            let listed = parse_list(list(vec![bare])).unwrap().remove(0);
            assert_eq!((listed.name.as_str(), listed.running), ("by-metadata", running));
            assert_eq!(listed.pod, Pod::default());
        }
    }

    #[test]
    fn the_number_of_containers_and_the_shape_of_ids_are_limited() {
        let many = |count: usize| list((0..count).map(|n| container(&format!("c{n}"), "app")).collect());
        assert_eq!(parse_list(many(MAX_CONTAINERS)).unwrap().len(), MAX_CONTAINERS);
        assert!(matches!(parse_list(many(MAX_CONTAINERS + 1)), Err(Malformed::TooMany)));
        let long = "a".repeat(129);
        for id in ["", "../etc", "a b", "ä", long.as_str()] {
            assert!(matches!(parse_list(list(vec![container(id, "app")])), Err(Malformed::Id(_))), "{id}");
        }
        let sandbox = Container { pod_sandbox_id: "/".to_owned(), ..container("c1", "app") };
        assert!(matches!(parse_list(list(vec![sandbox])), Err(Malformed::Id(_))));
    }

    #[test]
    fn a_name_too_long_to_be_one_is_unknown() {
        let long = "n".repeat(254);
        let listed = parse_list(list(vec![container("c1", &long)])).unwrap().remove(0);
        assert_eq!(listed.name, "by-metadata");
    }

    #[test]
    fn every_cut_of_a_list_is_a_shorter_list_or_an_error_never_a_wrong_entry() {
        let whole = list(vec![container("c1", "app"), container("c2", "app")]);
        let all = parse_list(whole.clone()).unwrap();
        for end in 0..whole.len() {
            if let Ok(part) = parse_list(whole.slice(..end)) {
                assert!(all.starts_with(&part), "cut at {end}");
            }
        }
    }

    fn status(state: i32, info: Option<&str>) -> Bytes {
        let info = info.map(|text| ("info".to_owned(), text.to_owned()));
        let status = Some(ContainerStatus { id: "c1".to_owned(), state });
        ContainerStatusResponse { status, info: info.into_iter().collect() }.encode_to_vec().into()
    }

    #[test]
    fn the_pid_is_believed_of_a_running_container_only() {
        let says = |state, info| parse_status("c1", status(state, info)).unwrap();
        assert_eq!(says(1, Some(r#"{"sandboxID":"s","pid":4711,"runtimeSpec":{"a":[1]}}"#)), Process::Pid(4711));
        assert_eq!(says(1, Some(r#"{"pid":0}"#)), Process::NotRunning);
        assert_eq!(says(2, Some(r#"{"pid":4711}"#)), Process::NotRunning);
        assert_eq!(says(1, Some(r#"{"sandboxID":"s"}"#)), Process::Untold);
        assert_eq!(says(1, None), Process::Untold);
    }

    #[test]
    fn nonsense_about_a_pid_is_an_error() {
        for pid in ["-1", "4194305", "18446744073709551615", "1.5", "\"7\""] {
            let info = format!(r#"{{"pid":{pid}}}"#);
            parse_status("c1", status(1, Some(&info))).unwrap_err();
        }
        assert!(matches!(parse_status("c2", status(1, None)), Err(Malformed::OtherContainer)));
        assert!(matches!(parse_status("c1", Bytes::new()), Err(Malformed::OtherContainer)));
        assert!(matches!(parse_status("c1", Bytes::from_static(b"\x0a\xff")), Err(Malformed::Protobuf(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>) {
            let _ = parse_list(bytes.clone().into());
            let _ = parse_status("c1", bytes.into());
        }

        #[test]
        fn damage_to_a_list_gives_a_value_or_an_error(at: usize, to: u8) {
            let mut bytes = list(vec![container("c1", "app"), container("c2", "app")]).to_vec();
            let at = at % bytes.len();
            bytes[at] = to;
            for one in parse_list(bytes.into()).into_iter().flatten() {
                prop_assert!(crate::node::runtime::limits::is_id(&one.id));
            }
        }
    }
}
