//! `chaoscope record`: what a live cluster says of chaos, written down so that it can be replayed elsewhere.
//!
//! It watches as the cluster role does, and understands what it writes only as far as it must know which pods are targets.

use super::{Failure, later, shutdown, usage};
use crate::cluster::api::connect;
use crate::cluster::pods::{PODS, PodSink, Pods};
use crate::cluster::watch::{self, Sink, Watches};
use crate::config::Record;
use crate::ingest::intake::Intake;
use crate::ingest::{Clock, Ingest};
use crate::journal::{self, Journal};
use crate::recording::write::Writer;
use crate::recording::{Change, Error};
use crate::tools::chaos_mesh::decode::Decoding;
use crate::tools::chaos_mesh::kinds::RESOURCES;
use crate::tools::resource::Resource;
use anyhow::Context as _;
use chaoscope_model::observation::PodSeen;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Writes what watches see.
struct Scribe {
    intake: Intake,
    book: Mutex<Book>,
    /// Writing failed.
    broken: Notify,
}

struct Book {
    /// `None` once it is finished.
    writer: Option<Writer>,
    failure: Option<Error>,
    /// What was written of each object that is there: enough to say later that it is absent.
    known: BTreeMap<(&'static str, String), Value>,
}

/// Records until a signal.
pub async fn run(flags: Record) -> Result<ExitCode, Failure> {
    let client = connect(&flags.server.whereabouts()).await.map_err(usage)?;
    let asked = shutdown().map_err(later)?;
    let writer = Writer::create(&flags.recorded.path, Timestamp::now()).map_err(usage)?;
    let config = journal::Config { folder: None, retention: None, max_bytes: None, settle: std::time::Duration::ZERO };
    let (journal, restored) = Journal::open(&config).context("cannot open a temporary journal").map_err(later)?;
    let ingest = Ingest::start("", journal, &restored.states, Clock::System, None);
    let intake = Intake::new(ingest.clone(), Decoding::default());
    let book = Book { writer: Some(writer), failure: None, known: BTreeMap::new() };
    let scribe = Arc::new(Scribe { intake, book: Mutex::new(book), broken: Notify::new() });
    let namespaces = flags.server.namespaces;
    let watching = watch::Config { namespaces: namespaces.clone(), ..watch::Config::default() };
    let watches = Watches::start(client.clone(), &RESOURCES, &watching, &scribe);
    let pods = Arc::new(Pods::start(client, &namespaces, &scribe));
    let wanting = Arc::downgrade(&pods);
    ingest.followed_by(Arc::new(move |run| wanting.upgrade().into_iter().for_each(|pods| pods.follow(run))));
    tracing::info!(folder = %flags.recorded.path.display(), "recording; stop with ctrl-c");
    tokio::select! {
        () = asked => {}
        () = scribe.broken.notified() => {}
    }
    drop((watches, pods));
    let (writer, failure) = {
        let mut book = scribe.book();
        (book.writer.take(), book.failure.take())
    };
    if let Some(failure) = failure {
        return Err(later(anyhow::Error::new(failure).context("the recording is incomplete")));
    }
    if let Some(writer) = writer {
        let tally = writer.finish(Timestamp::now()).map_err(later)?;
        tracing::info!(changes = tally.changes, left_out = tally.left_out, "recorded");
    }
    Ok(ExitCode::SUCCESS)
}

impl Scribe {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one change; the first failure ends the recording.
    fn write(&self, resource: &'static str, change: Change, object: &Value, seen: Timestamp) {
        let mut book = self.book();
        let Some(writer) = book.writer.as_mut() else { return };
        if let Err(failure) = writer.change(resource, change, object, seen) {
            (book.failure, book.writer) = (Some(failure), None);
            self.broken.notify_one();
            return;
        }
        let key = (resource, identity(object, "uid"));
        if matches!(change, Change::Deleted | Change::Absent) {
            book.known.remove(&key);
        } else if resource != "events" {
            book.known.insert(key, remains(object));
        }
    }

    fn is_known(&self, resource: &'static str, object: &Value) -> bool {
        self.book().known.contains_key(&(resource, identity(object, "uid")))
    }
}

impl Sink for Scribe {
    async fn applied(&self, resource: &'static Resource, object: Value, seen: Timestamp) -> bool {
        let change = if self.is_known(resource.plural, &object) { Change::Modified } else { Change::Added };
        self.write(resource.plural, change, &object, seen);
        self.intake.applied(resource, object, seen).await
    }

    async fn deleted(&self, resource: &'static Resource, object: Value, seen: Timestamp) {
        self.write(resource.plural, Change::Deleted, &object, seen);
        self.intake.deleted(resource, object, seen).await;
    }

    async fn listed(&self, resource: &'static Resource, namespace: &str, uids: HashSet<String>, seen: Timestamp) {
        let gone: Vec<Value> = {
            let book = self.book();
            let here = |object: &&Value| namespace.is_empty() || identity(object, "namespace") == namespace;
            let of = book.known.iter().filter(|((plural, uid), _)| *plural == resource.plural && !uids.contains(uid));
            of.map(|(_, object)| object).filter(here).cloned().collect()
        };
        for object in gone {
            self.write(resource.plural, Change::Absent, &object, seen);
        }
        self.intake.listed(resource, namespace, uids, seen).await;
    }
}

impl PodSink for Scribe {
    async fn pod(&self, pod: PodSeen, object: Option<Value>) {
        let (gone, seen) = (pod.gone, pod.seen);
        match &object {
            Some(object) if gone => self.write(PODS.plural, Change::Deleted, object, seen),
            Some(object) => {
                let change = if self.is_known(PODS.plural, object) { Change::Modified } else { Change::Added };
                self.write(PODS.plural, change, object, seen);
            }
            None if !pod.uid.is_empty() => {
                let object = json!({"kind": "Pod", "metadata": {"namespace": pod.namespace, "name": pod.name, "uid": pod.uid}});
                self.write(PODS.plural, Change::Absent, &object, seen);
            }
            None => {}
        }
        self.intake.pod(pod, object).await;
    }
}

fn identity(object: &Value, field: &str) -> String {
    object.get("metadata").and_then(|metadata| metadata.get(field)).and_then(Value::as_str).map_or_else(String::new, str::to_owned)
}

/// What is left of an object to say that it is absent.
fn remains(object: &Value) -> Value {
    let field = |name: &str| identity(object, name);
    json!({
        "apiVersion": object.get("apiVersion"), "kind": object.get("kind"),
        "metadata": {"namespace": field("namespace"), "name": field("name"), "uid": field("uid")},
    })
}
