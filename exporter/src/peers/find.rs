//! Who is asked: addresses that were given, and whoever a [`Finder`] finds.
//!
//! Apart from asking, because who knows the components (the API server) is elsewhere and only has to implement [`Finder`].

use hyper::Uri;
use hyper::http::uri::PathAndQuery;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A part of Chaos Mesh that has metrics, by its label `app.kubernetes.io/component`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// Its controllers.
    ControllerManager,
    /// Its web page and API.
    Dashboard,
    /// Its DNS server, for `DNSChaos`.
    DnsServer,
    /// What injects on a node. Asked by that node's own role only: each answer costs it three processes per container.
    Daemon,
}

impl Component {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::ControllerManager, Self::Dashboard, Self::DnsServer, Self::Daemon];

    /// As its label says.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ControllerManager => "controller-manager",
            Self::Dashboard => "chaos-dashboard",
            Self::DnsServer => "chaos-dns-server",
            Self::Daemon => "chaos-daemon",
        }
    }
}

impl FromStr for Component {
    type Err = Wrong;

    /// The label's value, with or without `chaos-`.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let known = |component: &Self| text == component.as_str() || Some(text) == component.as_str().strip_prefix("chaos-");
        Self::ALL.into_iter().find(known).ok_or_else(|| Wrong::Component(text.to_owned()))
    }
}

/// One process that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What the label `peer` says: the pod's name, else host and port. Unique among those who are asked at once.
    pub name: String,
    /// The pod's namespace, where it is known.
    pub namespace: String,
    /// What it is.
    pub component: Component,
    /// Where its page is: `http://HOST:PORT/PATH`.
    pub url: Uri,
}

/// Why an address is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// No such component.
    #[error("{0:?} is none of controller-manager, dashboard, dns-server, daemon")]
    Component(String),
    /// Not COMPONENT=URL.
    #[error("write COMPONENT=URL, such as controller-manager=http://127.0.0.1:10080/metrics")]
    Form,
    /// Not an address of a page.
    #[error("{0:?} is no address: write http://HOST:PORT/PATH (the components' metrics are plain HTTP)")]
    Url(String),
}

impl Peer {
    /// Somebody at a given address.
    pub fn at(component: Component, address: &str) -> Result<Self, Wrong> {
        let url = url(address)?;
        let name = url.authority().map(ToString::to_string).unwrap_or_default();
        Ok(Self { name, namespace: String::new(), component, url })
    }
}

impl FromStr for Peer {
    type Err = Wrong;

    /// `COMPONENT=URL`.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let (component, address) = text.split_once('=').ok_or(Wrong::Form)?;
        Self::at(component.parse()?, address)
    }
}

/// The address of a page; without a path it is `/metrics`.
pub(super) fn url(text: &str) -> Result<Uri, Wrong> {
    let wrong = || Wrong::Url(text.to_owned());
    let url: Uri = text.parse().map_err(|_| wrong())?;
    let plain = url.scheme_str() == Some("http") && url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    match url.path_and_query().map(PathAndQuery::as_str) {
        _ if !plain => Err(wrong()),
        None | Some("/") => format!("{}/metrics", text.trim_end_matches('/')).parse().map_err(|_| wrong()),
        Some(_) => Ok(url),
    }
}

/// What [`Finder::find`] will give.
pub type Finding<'a> = Pin<Box<dyn Future<Output = Result<Vec<Peer>, Lost>> + Send + 'a>>;

/// Who knows where components are now.
pub trait Finder: Send + Sync {
    /// Everybody who can be asked; those who cannot (not ready, no port) are left out.
    fn find(&self) -> Finding<'_>;
}

/// Why nobody was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot find the components of Chaos Mesh: {0}")]
pub struct Lost(pub String);

/// What a finder found, for a while: asking the API server costs it a look at every pod there is.
pub(super) struct Known {
    finder: Arc<dyn Finder>,
    last: Mutex<Option<(Instant, Vec<Peer>)>>,
}

/// How long what was found holds.
const HOLDS: Duration = Duration::from_mins(1);

impl Known {
    pub(super) fn new(finder: Arc<dyn Finder>) -> Self {
        Self { finder, last: Mutex::default() }
    }

    /// What was found less than a minute ago, or is found now. Stops at `until`.
    pub(super) async fn find(&self, until: Instant) -> Result<Vec<Peer>, Lost> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, peers)) = last.filter(|(at, _)| at.elapsed() < HOLDS) {
            return Ok(peers);
        }
        let found = tokio::time::timeout_at(until.into(), self.finder.find()).await;
        let peers = found.unwrap_or_else(|_| Err(Lost("no answer in time".to_owned())))?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), peers.clone()));
        Ok(peers)
    }

    /// Somebody did not answer: it may be gone, and another one be there in its stead.
    pub(super) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Each address once, and no name twice: where two would have one, their namespaces tell them apart, or else their addresses.
pub(super) fn unique(peers: Vec<Peer>) -> Vec<Peer> {
    let mut kept: Vec<Peer> = Vec::new();
    for peer in peers {
        if !kept.iter().any(|other| other.url == peer.url) {
            kept.push(peer);
        }
    }
    rename_repeated(&mut kept, |peer| format!("{}/{}", peer.namespace, peer.name));
    rename_repeated(&mut kept, |peer| peer.url.to_string());
    kept
}

fn rename_repeated(peers: &mut [Peer], other: impl Fn(&Peer) -> String) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for peer in &*peers {
        *counts.entry(peer.name.clone()).or_default() += 1;
    }
    for peer in peers.iter_mut().filter(|peer| counts[&peer.name] > 1) {
        peer.name = other(peer);
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}", self.component.as_str(), self.name, self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let peer: Peer = "controller-manager=http://10.0.0.1:10080/metrics".parse().unwrap();
        assert_eq!((peer.name.as_str(), peer.component), ("10.0.0.1:10080", Component::ControllerManager));
        for (text, url) in [
            ("dashboard=http://dash:2334", "http://dash:2334/metrics"),
            ("chaos-dashboard=http://dash:2334/", "http://dash:2334/metrics"),
            ("dns-server=http://[::1]:9153/m?x=1", "http://[::1]:9153/m?x=1"),
        ] {
            assert_eq!(text.parse::<Peer>().unwrap().url, url, "{text}");
        }
        for text in [
            "",
            "dashboard",
            "dashboard=",
            "x=http://a",
            "dashboard=https://a:1",
            "dashboard=a:1",
            "dashboard=http://u:p@a",
            "daemon=/metrics",
        ] {
            assert!(text.parse::<Peer>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_unique_and_nobody_is_asked_twice() {
        let peer = |namespace: &str, port: u16| {
            let peer = Peer::at(Component::Dashboard, &format!("http://10.0.0.1:{port}/metrics")).unwrap();
            Peer { name: "chaos-dashboard-0".into(), namespace: namespace.into(), ..peer }
        };
        let names = |peers| unique(peers).into_iter().map(|peer| peer.name).collect::<Vec<_>>();
        assert_eq!(names(vec![peer("a", 1), peer("a", 1)]), ["chaos-dashboard-0"]);
        assert_eq!(names(vec![peer("a", 1), peer("b", 2)]), ["a/chaos-dashboard-0", "b/chaos-dashboard-0"]);
        assert_eq!(names(vec![peer("a", 1), peer("a", 2)]), ["http://10.0.0.1:1/metrics", "http://10.0.0.1:2/metrics"]);
    }
}
