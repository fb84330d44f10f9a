//! Target pods: where they are, whose they are, whether they are ready. Only those of open runs are asked for, so that the others cost nothing.
//!
//! Each pod a run names is fetched once, by name; in a namespace with an open run one watch then tells what changes, from which pods nobody
//! asked for are dropped unread. When the last run there ends, the watch is closed. [`extract`] reads a pod, [`follow`] one namespace.

pub mod extract;
mod follow;
mod names;
mod wanted;

pub use names::names;

use super::api::Api;
use super::now::WatchNow;
use crate::tools::resource::{Resource, What};
use chaoscope_model::observation::{PodSeen, TargetName};
use chaoscope_model::run::{Run, Target};
use follow::Follower;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wanted::Wanted;

/// What pods are in the API.
pub static PODS: Resource =
    Resource { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true, what: What::Pod, fields: "" };

/// Pods that show what is left are looked at for so long after the end.
const AFTERWARDS: SignedDuration = SignedDuration::from_mins(5);

/// Takes what is seen of pods. Waited for, as [`super::watch::Sink`] is.
pub trait PodSink: Send + Sync + 'static {
    /// A pod is new to us, changed in something we keep, or is gone. `object` is the whole pod; `None` where it is not there any more, or never
    /// was: its uid is then empty unless it was known before.
    fn pod(&self, pod: PodSeen, object: Option<Value>) -> impl Future<Output = ()> + Send;
}

/// The pods that are wanted; their watches end when this is dropped.
pub struct Pods {
    wanted: Arc<Wanted>,
    _tasks: JoinSet<()>,
}

impl Pods {
    /// Wants nothing yet. Limited to these namespaces, unless there are none.
    pub fn start<S: PodSink>(client: Client, namespaces: &[String], sink: &Arc<S>) -> Self {
        let (opener, opened) = mpsc::unbounded_channel(); // a namespace is in it once, until it is taken up
        let wanted = Arc::new(Wanted::new(namespaces, opener));
        let mut tasks = JoinSet::new();
        tasks.spawn(open(Api::new(client), Arc::clone(&wanted), Arc::clone(sink), opened));
        Self { wanted, _tasks: tasks }
    }

    /// The targets of an open run, all of them; those it had before and has not any more are let go. Targets that are no pods are passed over.
    pub fn want<'a>(&self, run: &str, targets: impl IntoIterator<Item = &'a TargetName>) {
        self.wanted.want(run, targets);
    }

    /// What a run that changed wants: its targets' pods while it is open.
    pub fn follow(&self, run: &Run) {
        let name = |target: &Target| TargetName { namespace: target.namespace.clone(), pod: target.pod.clone(), container: String::new() };
        let targets: Vec<TargetName> = run.targets.iter().map(name).collect();
        self.want(&run.id, &targets); // once, even where it has ended already
        match run.ended_at.and_then(|end| end.checked_add(AFTERWARDS).ok()) {
            _ if run.is_open() => {}
            Some(until) if shows_what_is_left(run) => self.wanted.release_at(&run.id, until),
            _ => self.release(&run.id),
        }
    }

    /// What follows from the time alone: pods of runs that ended long enough ago are let go.
    pub fn tick(&self, now: Timestamp) {
        self.wanted.release_until(now);
    }

    /// The run has ended. What it wanted and was not fetched yet still is.
    pub fn release(&self, run: &str) {
        self.wanted.want(run, []);
    }

    /// Whether every pod that is wanted was looked at, or cannot be.
    pub fn settled(&self) -> bool {
        self.wanted.settled()
    }

    /// How the watches do, all in one.
    pub fn status(&self) -> WatchNow {
        self.wanted.now()
    }
}

/// One task for each namespace that is opened.
async fn open<S: PodSink>(api: Api, wanted: Arc<Wanted>, sink: Arc<S>, mut opened: mpsc::UnboundedReceiver<String>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            namespace = opened.recv() => {
                let Some(namespace) = namespace else { return };
                let follower = Follower { api: api.clone(), namespace, wanted: Arc::clone(&wanted), sink: Arc::clone(&sink) };
                tasks.spawn(follower.run());
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// Whether the pods themselves show what is left of a run: the images of a pod-failure.
fn shows_what_is_left(run: &Run) -> bool {
    run.kind == "PodChaos" && run.action == "pod-failure"
}
