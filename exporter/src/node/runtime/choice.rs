//! Which runtime to ask, and where it listens.
//!
//! Apart from the clients because this is what flags are parsed into. A new runtime's socket is one line in [`SOCKETS`].

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Which container runtime to ask; the flag `--runtime`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum RuntimeChoice {
    /// Whichever socket is there, the runtimes of Kubernetes first.
    #[default]
    Auto,
    /// None: containers are known by cgroup and namespace only.
    None,
    /// Anything that speaks CRI v1.
    Cri,
    /// containerd, by CRI v1.
    Containerd,
    /// CRI-O, by CRI v1.
    Crio,
    /// Docker's Engine API.
    Docker,
}

/// A unix socket named by the user; the flag `--runtime.endpoint`. Taken as it is, never below another root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(PathBuf);

/// Why a text is no [`Endpoint`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no socket: write unix:///path, with an absolute path")]
pub struct EndpointError(String);

/// What is spoken on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Cri,
    Docker,
}

/// Where runtimes listen unless told otherwise, in the order they are tried. Each is looked for below `/var` as well, for
/// hosts where `/var/run` is no link. Sources: the default configuration of containerd (`containerd config default`),
/// k3s, k0s and `MicroK8s` (their documentation), CRI-O (crio.conf(5), `listen`), cri-dockerd's `cri-docker.socket`, dockerd(8).
const SOCKETS: [(RuntimeChoice, &str); 7] = [
    (RuntimeChoice::Containerd, "/run/containerd/containerd.sock"),
    (RuntimeChoice::Containerd, "/run/k3s/containerd/containerd.sock"),
    (RuntimeChoice::Containerd, "/run/k0s/containerd.sock"),
    (RuntimeChoice::Containerd, "/var/snap/microk8s/common/run/containerd.sock"),
    (RuntimeChoice::Crio, "/run/crio/crio.sock"),
    (RuntimeChoice::Cri, "/run/cri-dockerd.sock"),
    (RuntimeChoice::Docker, "/run/docker.sock"),
];

impl Endpoint {
    /// The socket's path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let path = Path::new(text.strip_prefix("unix://").unwrap_or(text));
        if path.is_absolute() && !text.contains('\0') { Ok(Self(path.to_path_buf())) } else { Err(EndpointError(text.to_owned())) }
    }
}

impl RuntimeChoice {
    const fn protocol(self) -> Protocol {
        match self {
            Self::Docker => Protocol::Docker,
            _ => Protocol::Cri,
        }
    }

    /// Whether a socket of the family `other` answers this choice.
    const fn takes(self, other: Self) -> bool {
        match self {
            Self::Auto => true,
            Self::None => false,
            Self::Cri => matches!(other.protocol(), Protocol::Cri),
            Self::Containerd => matches!(other, Self::Containerd),
            Self::Crio => matches!(other, Self::Crio),
            Self::Docker => matches!(other, Self::Docker),
        }
    }

    /// The sockets to try in order, whether or not they exist.
    pub(super) fn sockets(self, endpoint: Option<&Endpoint>, root: &Path) -> Vec<(Protocol, PathBuf)> {
        match (self, endpoint) {
            (Self::None, _) => Vec::new(),
            (_, Some(endpoint)) => vec![(self.protocol_of(endpoint), endpoint.0.clone())],
            (_, None) => SOCKETS
                .iter()
                .filter(|(family, _)| self.takes(*family))
                .flat_map(|(family, path)| [(*path).to_owned(), format!("/var{path}")].map(|path| (family.protocol(), below(root, &path))))
                .collect(),
        }
    }

    /// What a named socket speaks: as chosen; with `auto`, Docker's API where the file is called so, else CRI.
    fn protocol_of(self, endpoint: &Endpoint) -> Protocol {
        let name = endpoint.0.file_name().map(|name| name.to_string_lossy().into_owned());
        match (self, name) {
            (Self::Auto, Some(name)) if name.starts_with("docker") || name.starts_with("podman") => Protocol::Docker,
            (choice, _) => choice.protocol(),
        }
    }
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_absolute_unix_sockets() {
        for good in ["unix:///run/a.sock", "/run/a.sock"] {
            assert_eq!(good.parse::<Endpoint>().unwrap().path(), Path::new("/run/a.sock"));
        }
        for bad in ["", "a.sock", "unix://a.sock", "tcp://127.0.0.1:1", "/a\0b"] {
            let error = bad.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains("unix:///path"), "{error}");
        }
    }

    #[test]
    fn each_choice_has_its_sockets_below_the_root() {
        let paths = |choice: RuntimeChoice| -> Vec<String> {
            let of = choice.sockets(None, Path::new("/host"));
            of.iter().map(|(_, path)| path.display().to_string()).collect()
        };
        assert!(paths(RuntimeChoice::None).is_empty());
        assert_eq!(paths(RuntimeChoice::Auto).len(), 14);
        assert_eq!(paths(RuntimeChoice::Cri).len(), 12);
        assert_eq!(paths(RuntimeChoice::Crio), ["/host/run/crio/crio.sock", "/host/var/run/crio/crio.sock"]);
        assert_eq!(paths(RuntimeChoice::Docker), ["/host/run/docker.sock", "/host/var/run/docker.sock"]);
    }

    #[test]
    fn a_named_socket_is_the_only_one_and_not_below_the_root() {
        let sockets = |choice: RuntimeChoice, path: &str| choice.sockets(Some(&path.parse().unwrap()), Path::new("/host")).pop().unwrap();
        assert_eq!(sockets(RuntimeChoice::Auto, "/x/docker.sock"), (Protocol::Docker, "/x/docker.sock".into()));
        assert_eq!(sockets(RuntimeChoice::Auto, "/x/cri-dockerd.sock").0, Protocol::Cri);
        assert_eq!(sockets(RuntimeChoice::Cri, "/x/docker.sock").0, Protocol::Cri);
        assert_eq!(sockets(RuntimeChoice::Docker, "/x/any").0, Protocol::Docker);
    }
}
