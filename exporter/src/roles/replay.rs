//! `chaoscope replay`: a recording told through the same path as a live watch, into a journal that goes with the process, and served on.
//!
//! Its clock is the recording's: now is the newest time anything in it was seen.

use super::runs::{Clocked, Runs};
use super::{Door, Failure, usage};
use crate::cluster::index::Listed;
use crate::cluster::now::{Now, Present, WatchNow};
use crate::cluster::pods::PODS;
use crate::cluster::slots::Plans;
use crate::config::Replay;
use crate::ingest::intake::Intake;
use crate::ingest::{Clock, Ingest};
use crate::recording::pace::Pace;
use crate::recording::read::Recording;
use crate::recording::{Change, Step};
use crate::scrape::{Detail, Sources};
use crate::source::Error;
use crate::tools::chaos_mesh::decode::reference;
use crate::tools::chaos_mesh::kinds::{RESOURCES, by_plural};
use crate::tools::resource::Resource;
use chaoscope_model::observation::Departure;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A recording that is told.
struct Told {
    ingest: Ingest,
    /// Whether all of it is in.
    whole: AtomicBool,
}

impl Present for Told {
    fn now(&self) -> Result<Arc<Now>, Error> {
        Ok(Arc::new(self.so_far()))
    }
}

impl Clocked for Told {
    fn clock(&self) -> Timestamp {
        self.ingest.clock()
    }

    fn watches(&self) -> Vec<WatchNow> {
        Vec::new()
    }

    fn so_far(&self) -> Now {
        self.ingest.now()
    }

    fn plans(&self) -> Plans {
        self.ingest.plans()
    }
}

/// Tells the recording, and serves until a signal.
pub async fn run(flags: Replay) -> Result<ExitCode, Failure> {
    let door = Door::open(&flags.web)?;
    let recording = Recording::open(&flags.told.path).map_err(usage)?;
    let (mut runs, restored) = Runs::temporary(&flags.api, &door)?;
    runs.cluster.clone_from(&flags.meaning.cluster_name);
    let zone = flags.meaning.time_zone.clone();
    let ingest = Ingest::start(&runs.cluster, runs.journal.clone(), &restored.states, Clock::Newest, zone);
    ingest.watched_by(Arc::new(|| RESOURCES.iter().map(known).collect()));
    let told = Arc::new(Told { ingest: ingest.clone(), whole: AtomicBool::new(false) });
    let intake = Intake::new(ingest, flags.meaning.decoding());
    let telling = tokio::spawn(tell(recording, Pace::new(flags.told.speed), intake, Arc::clone(&told)));
    let whole = Arc::clone(&told);
    runs.facts = Arc::new(move |facts| {
        if !whole.whole.load(Ordering::Relaxed) {
            "the recording is being read".clone_into(&mut facts.pending);
        }
    });
    runs.present = Some(Arc::clone(&told) as Arc<dyn Clocked>);
    let sources = Sources { cluster: Some(told as Arc<dyn Present>), detail: Detail::default(), ..Sources::default() };
    let done = runs.serve(door, sources, &flags.web, "replay").await;
    telling.abort();
    done
}

/// Every kind counts as watched: a recording that is silent about one says that there was nothing.
fn known(resource: &Resource) -> WatchNow {
    WatchNow { resource: resource.plural, up: true, listed_at: Some(Timestamp::UNIX_EPOCH), ..WatchNow::default() }
}

/// Tells every step in the order it was seen.
async fn tell(recording: Recording, mut pace: Pace, intake: Intake, told: Arc<Told>) {
    let (mut steps, mut faults) = (0_u64, 0_u64);
    let mut ticked = Timestamp::UNIX_EPOCH;
    told.ingest.events_listed();
    let mut recording = recording;
    loop {
        // Reading blocks, but only for a line, which is short against what becomes of it.
        let step = match tokio::task::block_in_place(|| recording.next()) {
            None => break,
            Some(Err(fault)) => {
                faults += 1;
                tracing::warn!(%fault, "a line of the recording is passed over");
                continue;
            }
            Some(Ok(step)) => step,
        };
        let seen = match &step {
            Step::Listed { seen, .. } | Step::Changed { seen, .. } => *seen,
        };
        tokio::time::sleep(pace.wait(seen)).await;
        take(&intake, &told.ingest, step).await;
        steps += 1;
        if seen.duration_since(ticked) >= SignedDuration::from_secs(1) {
            told.ingest.tick().await;
            ticked = seen;
        }
    }
    told.ingest.tick().await;
    told.ingest.settled().await;
    told.whole.store(true, Ordering::Relaxed);
    tracing::info!(steps, faults, now = %told.ingest.clock(), "the recording is told");
}

async fn take(intake: &Intake, ingest: &Ingest, step: Step) {
    match step {
        Step::Listed { resource, objects, seen } => {
            let Some(kind) = known_resource(&resource) else { return };
            for object in &objects {
                intake.there(kind, object, seen).await;
            }
            let uids = objects.iter().filter_map(|object| Some(reference(kind.kind, object).ok()?.uid)).collect();
            ingest.listed(Listed { kind: kind.kind.to_owned(), namespace: String::new(), uids, seen }).await;
        }
        Step::Changed { resource, change, object, seen } => {
            if let Some(kind) = known_resource(&resource) {
                changed(intake, kind, change, &object, seen).await;
            }
        }
    }
}

async fn changed(intake: &Intake, kind: &Resource, change: Change, object: &Value, seen: Timestamp) {
    match change {
        Change::Added | Change::Modified => {
            intake.there(kind, object, seen).await;
        }
        // Events only expire.
        Change::Deleted if kind.kind != "Event" => intake.gone(kind, object, seen, Departure::Deleted).await,
        Change::Absent if kind.kind != "Event" => intake.gone(kind, object, seen, Departure::Absent).await,
        Change::Deleted | Change::Absent => {}
    }
}

fn known_resource(plural: &str) -> Option<&'static Resource> {
    by_plural(plural).or_else(|| (plural == PODS.plural).then_some(&PODS))
}
