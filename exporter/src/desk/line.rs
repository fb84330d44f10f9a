//! One node's connection, as far as what goes out: [`Line`], the messages that wait to be sent.
//!
//! Of each pod only the newest state waits, so a node that reads slowly costs what is declared for it, not what changed. What a pod was told
//! to be is kept as a digest: nothing unchanged is sent twice.

use chaoscope_model::Pod;
use chaoscope_model::declared::DeclaredPod;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What a node is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The first one.
    Hello(Hello),
    /// A pod, as it is declared now.
    Pod(Box<DeclaredPod>),
    /// Nothing is declared any more for the pod of this uid.
    Gone(String),
    /// Every pod of the node.
    Names(Vec<Pod>),
    /// All is told: what was not told is not declared.
    Ready,
    /// The connection is over, and why.
    End(Ended),
}

/// The first message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hello {
    /// Number of this connection: reports repeat it.
    pub connection: String,
    /// What time it is here.
    pub at: Timestamp,
    /// Name of the cluster.
    pub cluster: String,
    /// Who speaks.
    pub release: &'static str,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The node connected anew.
    Replaced,
    /// The server stops.
    Stopping,
    /// The caller may not go on, or that could not be found out.
    Denied,
    /// It lasted as long as one may.
    Aged,
}

impl Ended {
    /// The word in the last message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Stopping => "stopping",
            Self::Denied => "denied",
            Self::Aged => "aged",
        }
    }
}

/// Messages that wait for one connection.
#[derive(Debug)]
pub struct Line {
    connection: String,
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    hello: Option<Hello>,
    /// By uid; `None`: gone.
    pods: BTreeMap<String, Option<Box<DeclaredPod>>>,
    names: Option<Vec<Pod>>,
    /// What is or will be told of each pod, digested.
    told: BTreeMap<String, u64>,
    named: Option<u64>,
    ready: Ready,
    ended: Option<Ended>,
}

/// Whether the node was told that all is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ready {
    #[default]
    No,
    Due,
    Said,
}

impl Line {
    pub(super) fn new(hello: Hello) -> Self {
        let connection = hello.connection.clone();
        let waiting = Waiting { hello: Some(hello), ..Waiting::default() };
        Self { connection, waiting: Mutex::new(waiting), wake: Notify::new() }
    }

    /// Its number.
    pub fn connection(&self) -> &str {
        &self.connection
    }

    /// The next message, when there is one. After [`Message::End`] nothing comes.
    pub async fn next(&self) -> Message {
        loop {
            let woken = self.wake.notified();
            if let Some(message) = self.waiting().take() {
                return message;
            }
            woken.await;
        }
    }

    /// Everything declared for the pods of the node now; gives how many pods that is.
    pub(super) fn tell(&self, pods: BTreeMap<String, DeclaredPod>) -> usize {
        let mut waiting = self.waiting();
        let count = pods.len();
        let gone: Vec<String> = waiting.told.keys().filter(|uid| !pods.contains_key(*uid)).cloned().collect();
        for uid in gone {
            waiting.told.remove(&uid);
            waiting.pods.insert(uid, None);
        }
        for (uid, pod) in pods {
            let digest = digest(&pod);
            if waiting.told.insert(uid.clone(), digest) != Some(digest) {
                waiting.pods.insert(uid, Some(Box::new(pod)));
            }
        }
        drop(waiting);
        self.wake.notify_one();
        count
    }

    /// Every pod of the node, where that was asked for. Gives whether the connection goes on.
    pub(super) fn name(&self, pods: Vec<Pod>) -> bool {
        let mut waiting = self.waiting();
        let digest = digest(&pods);
        if waiting.named.replace(digest) != Some(digest) {
            waiting.names = Some(pods);
            self.wake.notify_one();
        }
        waiting.ended.is_none()
    }

    /// All is told.
    pub(super) fn ready(&self) {
        let mut waiting = self.waiting();
        if waiting.ready == Ready::No {
            waiting.ready = Ready::Due;
            drop(waiting);
            self.wake.notify_one();
        }
    }

    /// It is over.
    pub fn end(&self, ended: Ended) {
        self.waiting().ended.get_or_insert(ended);
        self.wake.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner) // plain values: none is half written
    }
}

impl Waiting {
    fn take(&mut self) -> Option<Message> {
        if let Some(hello) = self.hello.take() {
            return Some(Message::Hello(hello));
        }
        if let Some(ended) = self.ended {
            return Some(Message::End(ended));
        }
        if let Some((uid, pod)) = self.pods.pop_first() {
            return Some(pod.map_or(Message::Gone(uid), Message::Pod));
        }
        if let Some(names) = self.names.take() {
            return Some(Message::Names(names));
        }
        (self.ready == Ready::Due).then(|| {
            self.ready = Ready::Said;
            Message::Ready
        })
    }
}

/// The same for values that are written alike.
fn digest(value: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(value).unwrap_or_else(|_| Vec::new()).hash(&mut hasher); // maps with text keys and numbers alone cannot fail
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        let hello = Hello { connection: "1".into(), at: Timestamp::UNIX_EPOCH, cluster: String::new(), release: "0" };
        Line::new(hello)
    }

    fn pod(uid: &str, generation: i64) -> (String, DeclaredPod) {
        let network = chaoscope_model::declared::Applied { generation, ..Default::default() };
        let pod = Pod { namespace: "lab".into(), name: uid.into(), uid: uid.into() };
        (uid.to_owned(), DeclaredPod { pod, network: Some(network), ..DeclaredPod::default() })
    }

    fn all(line: &Line) -> Vec<String> {
        let word = |message| match message {
            Message::Hello(_) => "hello".to_owned(),
            Message::Pod(pod) => format!("{}@{}", pod.pod.uid, pod.network.map_or(0, |network| network.generation)),
            Message::Gone(uid) => format!("-{uid}"),
            Message::Names(names) => format!("names {}", names.len()),
            Message::Ready => "ready".to_owned(),
            Message::End(ended) => ended.as_str().to_owned(),
        };
        std::iter::from_fn(|| line.waiting().take()).take(20).map(word).collect()
    }

    #[test]
    fn nothing_unchanged_is_told_and_of_changes_only_the_last() {
        let line = line();
        line.tell([pod("a", 1), pod("b", 1)].into());
        line.ready();
        assert_eq!(all(&line), ["hello", "a@1", "b@1", "ready"]);
        line.tell([pod("a", 1), pod("b", 1)].into());
        line.ready();
        assert!(all(&line).is_empty());
        line.tell([pod("a", 2), pod("b", 1)].into());
        line.tell([pod("a", 3), pod("b", 1)].into());
        assert_eq!(all(&line), ["a@3"]);
        line.tell([pod("a", 4), pod("b", 1)].into());
        line.tell([pod("b", 1)].into());
        assert_eq!(all(&line), ["-a"]);
        line.name(vec![Pod::default()]);
        line.name(vec![Pod::default()]);
        assert_eq!(all(&line), ["names 1"]);
    }

    #[tokio::test]
    async fn the_end_comes_before_what_waits_and_stays() {
        let line = line();
        line.tell([pod("a", 1)].into());
        line.end(Ended::Replaced);
        line.end(Ended::Stopping);
        assert!(matches!(line.next().await, Message::Hello(_)));
        assert_eq!(line.next().await, Message::End(Ended::Replaced));
        assert_eq!(line.next().await, Message::End(Ended::Replaced));
    }
}
