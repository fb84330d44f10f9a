//! The names of all pods of a node, for a node that has no runtime socket to learn them from: listed and watched while its connection is there.
//!
//! Apart from the target pods (`wanted`), which are wanted by runs and not by nodes. Each such node costs the API server one watch of
//! its own pods, and only where it asks for it.

use super::PODS;
use crate::cluster::api::{self, Api, Change, Error, Line, Page, Part};
use crate::source::pause::Pause;
use chaoscope_model::Pod;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Objects of a page.
const PAGE: u32 = 500;
/// Most pods of a node that are told: several times what a kubelet runs.
const MOST: usize = 2048;
/// How long the server is asked to keep a watch open.
const OPEN: Duration = Duration::from_mins(5);
/// Changes that come within so long are told together.
const TOGETHER: Duration = Duration::from_millis(200);
/// How often it is looked whether the node is still there.
const LOOK: Duration = Duration::from_secs(10);

/// Pods of a node by uid, of all namespaces that are looked at.
type Known = Arc<Mutex<BTreeMap<String, BTreeMap<String, Pod>>>>;

/// Takes every pod of a node; answers whether that is still wanted. With nothing it is only asked.
type Names = dyn Fn(Option<Vec<Pod>>) -> bool + Send + Sync;

/// Tells every pod of a node, as often as that changes, as long as it is wanted. `namespaces`: only in these; empty: in all.
pub async fn names(api: &Api, namespaces: &[String], node: &str, tell: Arc<Names>) {
    let api = api.narrowed(&format!("spec.nodeName={node}"));
    let namespaces = if namespaces.is_empty() { vec![String::new()] } else { namespaces.to_vec() };
    // Nothing is told before each namespace was listed.
    let known: Known = Arc::default();
    let mut tasks = JoinSet::new();
    for namespace in &namespaces {
        let one = One {
            api: api.clone(),
            namespace: namespace.clone(),
            all: namespaces.len(),
            known: Arc::clone(&known),
            names: Arc::clone(&tell),
        };
        tasks.spawn(one.run());
    }
    tasks.join_all().await;
}

/// One namespace, or all.
struct One {
    api: Api,
    namespace: String,
    all: usize,
    known: Known,
    names: Arc<Names>,
}

impl One {
    async fn run(self) {
        let mut pause = Pause::default();
        while (self.names)(None) {
            if let Err(error) = self.once(&mut pause).await {
                tracing::debug!(%error, namespace = self.namespace, "The pods of a node cannot be followed; trying again.");
            }
            sleep(pause.next()).await;
        }
    }

    async fn once(&self, pause: &mut Pause) -> Result<(), Error> {
        let version = self.list().await?;
        pause.reset();
        let mut lines = self.api.watch(&PODS, &self.namespace, &version, OPEN.as_secs()).await?;
        loop {
            let Ok(told) = timeout(LOOK, lines.next()).await else {
                if !(self.names)(None) {
                    return Ok(());
                }
                continue;
            };
            let Some(told) = told? else { return Ok(()) };
            self.take(&told)?;
            // What follows at once is told with it.
            while let Ok(told) = timeout(TOGETHER, lines.next()).await {
                let Some(told) = told? else { break };
                self.take(&told)?;
            }
            self.tell();
        }
    }

    async fn list(&self) -> Result<String, Error> {
        let (mut part, mut pods) = (Part { limit: PAGE, token: None }, BTreeMap::new());
        loop {
            let bytes = self.api.list(&PODS, &self.namespace, &part).await?;
            let page = Page::parse(&bytes)?;
            pods.extend(page.items.iter().filter_map(|object| named(&api::identity(object))));
            part.token = page.token;
            if part.token.is_none() || pods.len() >= MOST {
                self.known().insert(self.namespace.clone(), pods);
                self.tell();
                return Ok(page.version);
            }
        }
    }

    fn take(&self, told: &Line) -> Result<(), Error> {
        let Line::Whole(line) = told else { return Ok(()) };
        let (object, gone) = match Change::parse(line) {
            Ok(Change::Failed(error)) => return Err(error),
            Ok(Change::Added(object) | Change::Modified(object)) => (object, false),
            Ok(Change::Deleted(object)) => (object, true),
            Ok(Change::Bookmark(_)) | Err(_) => return Ok(()),
        };
        let Some((uid, pod)) = named(&api::identity(object)) else { return Ok(()) };
        let mut known = self.known();
        let pods = known.entry(self.namespace.clone()).or_default();
        if gone {
            pods.remove(&uid);
        } else if pods.len() < MOST {
            pods.insert(uid, pod);
        }
        Ok(())
    }

    fn tell(&self) {
        let known = self.known();
        if known.len() == self.all {
            (self.names)(Some(known.values().flat_map(BTreeMap::values).take(MOST).cloned().collect()));
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, Pod>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(names: &api::Names) -> Option<(String, Pod)> {
    let pod = Pod { namespace: names.namespace.clone(), name: names.name.clone(), uid: names.uid.clone() };
    (!pod.uid.is_empty() && pod.is_named()).then(|| (pod.uid.clone(), pod))
}
