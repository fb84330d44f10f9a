//! The way in: objects as an API server or a recording gives them, decoded and observed.
//!
//! Apart from the path behind it because here is what may be wrong with an object: it is logged once, by uid, and stops nothing; its last
//! good version stays.

use super::Ingest;
use crate::cluster::index::Listed;
use crate::cluster::pods::{PodSink, extract};
use crate::cluster::watch::Sink;
use crate::tools::chaos_mesh::decode::{Decoding, decode, reference};
use crate::tools::resource::{Resource, What};
use chaoscope_model::observation::{Departure, Gone, Observation, PodSeen};
use jiff::Timestamp;
use lru::LruCache;
use serde_json::Value;
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

/// Objects remembered as bad, so that each is logged once.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// Takes objects in.
pub struct Intake {
    ingest: Ingest,
    decoding: Decoding,
    bad: Mutex<LruCache<String, ()>>,
}

impl Intake {
    /// Into this.
    pub fn new(ingest: Ingest, decoding: Decoding) -> Self {
        Self { ingest, decoding, bad: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// An object as it is now; whether it was understood.
    pub async fn there(&self, resource: &Resource, object: &Value, seen: Timestamp) -> bool {
        if resource.what == What::Pod {
            let pod = extract::pod(object, seen, false);
            let understood = pod.is_some();
            if let Some(pod) = pod {
                self.ingest.observe(Observation::Pod(Box::new(pod)), seen).await;
            }
            return understood;
        }
        match decode(resource.kind, object, seen, &self.decoding) {
            Ok(Some(observation)) => self.ingest.observe(observation, seen).await,
            Ok(None) => {}
            Err(error) => {
                self.tell(resource, object, &error);
                return false;
            }
        }
        true
    }

    /// An object that is gone; this is what it was last.
    pub async fn gone(&self, resource: &Resource, object: &Value, seen: Timestamp, how: Departure) {
        if resource.what == What::Pod {
            if let Some(pod) = extract::pod(object, seen, true) {
                self.ingest.observe(Observation::Pod(Box::new(pod)), seen).await;
            }
            return;
        }
        if how == Departure::Deleted {
            self.there(resource, object, seen).await; // its last state may never have been seen
        }
        if let Ok(about) = reference(resource.kind, object) {
            self.ingest.observe(Observation::Gone(Gone { about, seen, how }), seen).await;
        }
    }

    fn tell(&self, resource: &Resource, object: &Value, error: &dyn std::error::Error) {
        let field = |name: &str| object.get("metadata").and_then(|metadata| metadata.get(name)).and_then(Value::as_str).unwrap_or("");
        let (namespace, name, uid) = (field("namespace"), field("name"), field("uid"));
        let known = self.bad.lock().unwrap_or_else(PoisonError::into_inner).put(format!("{}/{uid}", resource.kind), ()).is_some();
        if !known {
            tracing::warn!(kind = resource.kind, namespace, name, uid, %error, "an object cannot be understood and is passed over");
        }
    }
}

impl Sink for Intake {
    async fn applied(&self, resource: &'static Resource, object: Value, seen: Timestamp) -> bool {
        self.there(resource, &object, seen).await
    }

    async fn deleted(&self, resource: &'static Resource, object: Value, seen: Timestamp) {
        self.gone(resource, &object, seen, Departure::Deleted).await;
    }

    async fn listed(&self, resource: &'static Resource, namespace: &str, uids: HashSet<String>, seen: Timestamp) {
        self.ingest.listed(Listed { kind: resource.kind.to_owned(), namespace: namespace.to_owned(), uids, seen }).await;
    }

    fn lost(&self, resource: &'static Resource, namespace: &str) {
        self.ingest.look(|index| index.lost(resource.kind, namespace));
    }
}

impl PodSink for Intake {
    async fn pod(&self, pod: PodSeen, _object: Option<Value>) {
        let seen = pod.seen;
        self.ingest.observe(Observation::Pod(Box::new(pod)), seen).await;
    }
}
