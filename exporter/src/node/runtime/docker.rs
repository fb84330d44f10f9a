//! Docker's Engine API over its unix socket: the containers of a Kubernetes node behind cri-dockerd, and those of a plain
//! Docker host.
//!
//! Paths carry no version: the engine then speaks its newest, and the few fields read here are the same in all of them
//! (`api/swagger.yaml` of moby). The parsers are pure on bytes. A new field is one line in [`Summary`] or [`State`].

use super::error::{Malformed, RuntimeError, one_line};
use super::limits::{MAX_CONTAINERS, checked_id, pid_of, sane_name};
use super::{Listed, Pod, http};
use hyper::StatusCode;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// What the `Host` header says; the engine ignores it, HTTP/1.1 wants one.
const HOST: &str = "docker";

/// One Docker engine.
pub(super) struct Docker {
    endpoint: PathBuf,
    /// Such as `docker 20.10.24`, from the `Server` header of the last list.
    version: Mutex<Option<String>>,
}

/// One entry of `GET /containers/json`.
#[derive(Deserialize)]
struct Summary {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "Names")]
    names: Option<Vec<String>>,
    #[serde(rename = "State")]
    state: Option<String>,
    #[serde(rename = "Labels")]
    labels: Option<Labels>,
}

/// The labels kubelet's Docker runtime writes (cri-dockerd, `core/docker_service.go`; Kubernetes, `pkg/kubelet/types`).
#[derive(Default, Deserialize)]
struct Labels {
    #[serde(rename = "io.kubernetes.docker.type")]
    kind: Option<String>,
    #[serde(rename = "io.kubernetes.sandbox.id")]
    sandbox: Option<String>,
    #[serde(rename = "io.kubernetes.container.name")]
    container: Option<String>,
    #[serde(rename = "io.kubernetes.pod.namespace")]
    namespace: Option<String>,
    #[serde(rename = "io.kubernetes.pod.name")]
    pod: Option<String>,
    #[serde(rename = "io.kubernetes.pod.uid")]
    uid: Option<String>,
}

/// The part of `GET /containers/<id>/json` that is read.
#[derive(Deserialize)]
struct Inspected {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "State")]
    state: State,
}

#[derive(Deserialize)]
struct State {
    #[serde(rename = "Pid")]
    pid: i64,
}

/// The list; of one that is too long only [`MAX_CONTAINERS`] + 1 entries are built.
struct List(Vec<Summary>);

impl Docker {
    pub(super) fn new(endpoint: PathBuf) -> Self {
        Self { endpoint, version: Mutex::default() }
    }

    pub(super) fn endpoint(&self) -> &Path {
        &self.endpoint
    }

    /// Every container, running or not, in one call; pods' sandboxes are left out.
    pub(super) async fn list(&self, deadline: Instant) -> Result<Vec<Listed>, RuntimeError> {
        let reply = http::get(&self.endpoint, HOST, "/containers/json?all=1", deadline).await?;
        if reply.status != StatusCode::OK {
            return Err(http::failed(&self.endpoint, reply.status, &reply.body));
        }
        if let Some(version) = reply.server.as_deref().and_then(parse_server) {
            *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Some(version);
        }
        parse_list(&reply.body).map_err(|e| RuntimeError::malformed(&self.endpoint, e))
    }

    /// The container's first process, in one call.
    pub(super) async fn pid(&self, id: &str, deadline: Instant) -> Result<Option<u32>, RuntimeError> {
        let reply = http::get(&self.endpoint, HOST, &format!("/containers/{id}/json"), deadline).await?;
        match reply.status {
            StatusCode::OK => parse_inspect(id, &reply.body).map_err(|e| RuntimeError::malformed(&self.endpoint, e)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(http::failed(&self.endpoint, status, &reply.body)),
        }
    }

    /// Such as `docker 20.10.24 at /run/docker.sock`.
    pub(super) fn describe(&self) -> String {
        let version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{} at {}", version.as_deref().unwrap_or("Docker engine"), self.endpoint.display())
    }
}

/// `Docker/20.10.24+dfsg1 (linux)` → `docker 20.10.24+dfsg1`.
fn parse_server(header: &str) -> Option<String> {
    let (name, rest) = header.split_once('/')?;
    let version = rest.split_whitespace().next()?;
    Some(one_line(&format!("{} {version}", name.to_lowercase())))
}

fn parse_list(body: &[u8]) -> Result<Vec<Listed>, Malformed> {
    let List(entries) = http::json(body)?;
    if entries.len() > MAX_CONTAINERS {
        return Err(Malformed::TooMany);
    }
    entries.into_iter().filter(|entry| !entry.is_sandbox()).map(of_entry).collect()
}

fn of_entry(entry: Summary) -> Result<Listed, Malformed> {
    let running = matches!(entry.state.as_deref(), Some("running" | "paused"));
    let labels = entry.labels.unwrap_or_default();
    let mut name = sane_name(labels.container);
    if name.is_empty() {
        name = own_name(entry.names.as_deref().unwrap_or_default());
    }
    Ok(Listed {
        id: checked_id(entry.id)?,
        name,
        pod: Pod { namespace: sane_name(labels.namespace), name: sane_name(labels.pod), uid: sane_name(labels.uid) },
        sandbox: labels.sandbox.filter(|id| !id.is_empty()).map_or(Ok(String::new()), checked_id)?,
        running,
    })
}

/// A container's own name has one slash, in front; names that other containers link to it by have two.
fn own_name(names: &[String]) -> String {
    let own = names.iter().filter_map(|name| name.strip_prefix('/')).find(|name| !name.contains('/'));
    sane_name(own.map(str::to_owned))
}

fn parse_inspect(id: &str, body: &[u8]) -> Result<Option<u32>, Malformed> {
    let inspected: Inspected = http::json(body)?;
    if inspected.id == id { pid_of(inspected.state.pid) } else { Err(Malformed::OtherContainer) }
}

impl Summary {
    fn is_sandbox(&self) -> bool {
        self.labels.as_ref().is_some_and(|labels| labels.kind.as_deref() == Some("podsandbox"))
    }
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = List;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of containers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List, A::Error> {
                let mut entries = Vec::new();
                while entries.len() <= MAX_CONTAINERS {
                    let Some(entry) = seq.next_element()? else {
                        return Ok(List(entries));
                    };
                    entries.push(entry);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(List(entries))
            }
        }
        from.deserialize_seq(Entries)
    }
}

#[cfg(fuzzing)]
pub(super) fn fuzz(data: &[u8]) {
    let _ = (parse_list(data), parse_inspect("c1", data), parse_server(&String::from_utf8_lossy(data)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Written after the shape of `GET /containers/json?all=1` of Docker 20.10, shortened: a pod's container, its sandbox,
    /// a plain one that another links to, and one that ended.
    const LIST: &str = r#"[
        {"Id":"aa","Names":["/k8s_app_web-0_shop_u-1_0"],"Image":"busybox","Created":1,"State":"running","Status":"Up","Ports":[],
         "Labels":{"io.kubernetes.container.name":"app","io.kubernetes.docker.type":"container","io.kubernetes.pod.name":"web-0",
                   "io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"u-1","io.kubernetes.sandbox.id":"ff"}},
        {"Id":"ff","Names":["/k8s_POD_web-0_shop_u-1_0"],"State":"running",
         "Labels":{"io.kubernetes.docker.type":"podsandbox","io.kubernetes.pod.uid":"u-1"}},
        {"Id":"bb","Names":["/front/db","/database"],"State":"paused","Labels":{}},
        {"Id":"cc","Names":["/done"],"State":"exited","Labels":null}]"#;

    #[test]
    fn pods_plain_and_ended_containers_are_read_and_sandboxes_left_out() {
        let listed = parse_list(LIST.as_bytes()).unwrap();
        let seen: Vec<_> = listed.iter().map(|c| (c.id.as_str(), c.name.as_str(), c.sandbox.as_str(), c.running)).collect();
        assert_eq!(seen, [("aa", "app", "ff", true), ("bb", "database", "", true), ("cc", "done", "", false)]);
        assert_eq!(listed[0].pod, Pod { namespace: "shop".to_owned(), name: "web-0".to_owned(), uid: "u-1".to_owned() });
        assert_eq!((&listed[1].pod, &listed[2].pod), (&Pod::default(), &Pod::default()));
    }

    #[test]
    fn the_number_of_containers_is_limited() {
        let many = |count: usize| format!("[{}]", vec![r#"{"Id":"aa"}"#; count].join(","));
        assert_eq!(parse_list(many(MAX_CONTAINERS).as_bytes()).unwrap().len(), MAX_CONTAINERS);
        for count in [MAX_CONTAINERS + 1, MAX_CONTAINERS + 2] {
            assert!(matches!(parse_list(many(count).as_bytes()), Err(Malformed::TooMany)));
        }
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for bad in ["", "{}", "[", r#"[{"Names":[]}]"#, r#"[{"Id":"../x"}]"#, r#"[{"Id":7}]"#, "null", "\u{0}"] {
            parse_list(bad.as_bytes()).unwrap_err();
        }
    }

    #[test]
    fn the_pid_is_that_of_the_container_asked_for() {
        let inspect =
            |id: &str, pid: &str| parse_inspect("aa", format!(r#"{{"Id":"{id}","State":{{"Pid":{pid},"Dead":false}}}}"#).as_bytes());
        assert_eq!(inspect("aa", "17").unwrap(), Some(17));
        assert_eq!(inspect("aa", "0").unwrap(), None);
        assert!(matches!(inspect("bb", "17"), Err(Malformed::OtherContainer)));
        for pid in ["-1", "4194305", "null", "99999999999999999999"] {
            inspect("aa", pid).unwrap_err();
        }
        parse_inspect("aa", br#"{"Id":"aa"}"#).unwrap_err();
    }

    #[test]
    fn the_server_header_names_the_engine() {
        assert_eq!(parse_server("Docker/20.10.24+dfsg1 (linux)").unwrap(), "docker 20.10.24+dfsg1");
        assert_eq!(parse_server("nginx"), None);
        assert_eq!(parse_server("x/"), None);
    }

    proptest! {
        #[test]
        fn damage_to_a_list_gives_a_value_or_an_error(at: usize, to: u8) {
            let mut bytes = LIST.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = parse_list(&bytes);
            let _ = parse_inspect("aa", &bytes);
        }
    }
}
