//! The wanted pods of one namespace: fetched by name, then followed by one watch.
//!
//! The order matters: first where a watch would begin, then the pods, then the watch; so nothing happens unseen in between. Many pods at once
//! are read from the list instead, page by page.

use super::extract;
use super::wanted::Wanted;
use super::{PODS, PodSink};
use crate::cluster::api::{self, Api, Change, Error, Line, Lines, Page, Part};
use crate::source::pause::{Pause, between};
use chaoscope_model::observation::PodSeen;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep;

/// More than so many pods are not fetched one by one.
const ONE_BY_ONE: usize = 20;
/// Objects of a page.
const PAGE: u32 = 500;
/// How long the server is asked to keep a watch open.
const OPEN: (Duration, Duration) = (Duration::from_mins(4), Duration::from_mins(5));
/// A watch that was open for so long was a good one; an earlier one is not opened again at once.
const GOOD: Duration = Duration::from_secs(1);
/// Not asked for again earlier, where it is not allowed.
const FORBIDDEN: Duration = Duration::from_secs(30);

/// The task of one namespace.
pub(super) struct Follower<S> {
    pub(super) api: Api,
    pub(super) namespace: String,
    pub(super) wanted: Arc<Wanted>,
    pub(super) sink: Arc<S>,
}

/// What was seen last of each pod that is there.
type Known = HashMap<String, PodSeen>;

/// How a watch ended.
enum Ended {
    /// Nothing is wanted in the namespace any more, and it is closed.
    Done,
    /// The server closed it.
    Closed {
        /// Whether it told anything before.
        heard: bool,
    },
}

impl<S: PodSink> Follower<S> {
    /// Goes on until nothing is wanted there any more.
    pub(super) async fn run(self) {
        let changed = self.wanted.changed(&self.namespace);
        let (mut known, mut pause) = (Known::new(), Pause::default());
        // Whoever finds that nothing is wanted any more has closed the namespace, and another task may have opened it since.
        while let Err(error) = self.follow(&mut known, &changed, &mut pause).await {
            self.wanted.failed(&self.namespace, &error);
            let wait = pause.next();
            sleep(if matches!(error, Error::Forbidden(_)) { FORBIDDEN.max(wait) } else { wait }).await;
            if self.wanted.close_if_unwanted(&self.namespace) {
                return;
            }
            self.wanted.begin_anew(&self.namespace);
        }
    }

    /// Fetches and follows until nothing is wanted there any more; an error says why that ended early.
    async fn follow(&self, known: &mut Known, changed: &Notify, pause: &mut Pause) -> Result<(), Error> {
        let mut version = self.version().await?;
        self.fetch(known).await?;
        self.wanted.complete(&self.namespace);
        if self.wanted.close_if_done(&self.namespace) {
            return Ok(());
        }
        loop {
            let (began, seconds) = (Instant::now(), between(OPEN.0, OPEN.1).as_secs());
            let mut lines = self.api.watch(&PODS, &self.namespace, &version, seconds).await?;
            let Ended::Closed { heard } = self.watch(&mut lines, &mut version, known, changed).await? else { return Ok(()) };
            let good = began.elapsed() >= GOOD;
            if heard || good {
                pause.reset();
            }
            if !good {
                sleep(pause.next()).await;
            }
        }
    }

    /// Where a watch would begin now.
    async fn version(&self) -> Result<String, Error> {
        let bytes = self.api.list(&PODS, &self.namespace, &Part { limit: 1, token: None }).await?;
        Ok(Page::parse(&bytes)?.version)
    }

    /// One watch, until it is closed or nothing is wanted any more.
    async fn watch(&self, lines: &mut Lines, version: &mut String, known: &mut Known, changed: &Notify) -> Result<Ended, Error> {
        let mut heard = false;
        loop {
            tokio::select! {
                () = changed.notified() => {
                    self.fetch(known).await?;
                    known.retain(|name, _| self.wanted.is_wanted(&self.namespace, name));
                    if self.wanted.close_if_done(&self.namespace) {
                        return Ok(Ended::Done);
                    }
                }
                line = lines.next() => {
                    let Some(line) = line? else { return Ok(Ended::Closed { heard }) };
                    heard = true;
                    self.line(&line, version, known).await?;
                }
            }
        }
    }

    async fn line(&self, line: &Line, version: &mut String, known: &mut Known) -> Result<(), Error> {
        let Line::Whole(line) = line else { return Ok(()) };
        let (object, gone) = match Change::parse(line) {
            Ok(Change::Failed(error)) => return Err(error),
            Ok(Change::Bookmark(reached)) => {
                *version = reached;
                return Ok(());
            }
            Ok(Change::Added(object) | Change::Modified(object)) => (object, false),
            Ok(Change::Deleted(object)) => (object, true),
            Err(_) => return Ok(()),
        };
        let names = api::identity(object);
        if !names.resource_version.is_empty() {
            *version = names.resource_version;
        }
        if self.wanted.is_wanted(&self.namespace, &names.name) {
            self.read(object, gone, known).await;
        }
        Ok(())
    }

    /// Fetches what was not fetched yet.
    async fn fetch(&self, known: &mut Known) -> Result<(), Error> {
        let mut fresh = self.wanted.fresh(&self.namespace);
        if fresh.len() > ONE_BY_ONE {
            self.fetch_from_list(&mut fresh, known).await?;
            for name in fresh {
                self.absent(&name, known).await;
            }
            return Ok(());
        }
        for name in fresh {
            match self.api.get(&format!("{}/{name}", PODS.path(&self.namespace))).await? {
                Some(object) => self.see(object, false, known).await,
                None => self.absent(&name, known).await,
            }
            self.wanted.fetched(&self.namespace, &name);
        }
        Ok(())
    }

    /// Takes those of `fresh` that are there out of it.
    async fn fetch_from_list(&self, fresh: &mut HashSet<String>, known: &mut Known) -> Result<(), Error> {
        let mut part = Part { limit: PAGE, token: None };
        loop {
            let bytes = self.api.list(&PODS, &self.namespace, &part).await?;
            let page = Page::parse(&bytes)?;
            for object in &page.items {
                let name = api::identity(object).name;
                if fresh.remove(&name) {
                    self.read(object, false, known).await;
                    self.wanted.fetched(&self.namespace, &name);
                }
            }
            part.token = page.token;
            if part.token.is_none() || fresh.is_empty() {
                return Ok(());
            }
        }
    }

    async fn read(&self, object: &RawValue, gone: bool, known: &mut Known) {
        match api::object(object, PODS.kind, PODS.version) {
            Some(object) => self.see(object, gone, known).await,
            None => self.wanted.counted(Timestamp::now(), false),
        }
    }

    /// A pod as it is now, or was last: told if that is news.
    async fn see(&self, object: Value, gone: bool, known: &mut Known) {
        let seen = Timestamp::now();
        let pod = extract::pod(&object, seen, gone);
        self.wanted.counted(seen, pod.is_some());
        let Some(pod) = pod else { return };
        let before = known.remove(&pod.name);
        if let Some(other) = before.as_ref().filter(|before| before.uid != pod.uid) {
            self.sink.pod(PodSeen { seen, gone: true, ..other.clone() }, None).await;
        }
        if !pod.gone {
            known.insert(pod.name.clone(), pod.clone());
        }
        if before.is_none_or(|before| PodSeen { seen, ..before } != pod) {
            self.sink.pod(pod, Some(object)).await;
        }
    }

    /// A pod that is not there.
    async fn absent(&self, name: &str, known: &mut Known) {
        let seen = Timestamp::now();
        self.wanted.counted(seen, true);
        let before = known.remove(name);
        let gone = before.map_or_else(|| extract::absent(&self.namespace, name, seen), |before| PodSeen { seen, gone: true, ..before });
        self.sink.pod(gone, None).await;
        self.wanted.fetched(&self.namespace, name);
    }
}
