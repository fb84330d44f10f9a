//! Visits many namespaces on a few dedicated threads.
//!
//! Threads are started for each sweep and end with it: a parked thread would pin the last namespace it was in, even without a file
//! descriptor. They look at the deadline between visits; what was not reached is reported as such, not as empty.

use super::error::ReadError;
use super::netns::NsId;
use super::visit::{Plan, Reading, Visitor};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A namespace to visit, and the ways in.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which namespace must be found there.
    pub id: NsId,
    /// Files that stand for it, such as `/proc/PID/ns/net` of several processes: the first that still leads there is used.
    pub paths: Vec<PathBuf>,
}

/// What became of one place.
#[derive(Clone, Debug)]
pub struct Visit {
    /// What was read, or why it could not be entered.
    pub reading: Result<Reading, ReadError>,
    /// How long the stay took.
    pub took: Duration,
}

/// Below this number of places one thread is faster than starting a second.
const ALONE: usize = 8;

/// Visits every place once. The answer has one element for each place, in order; `None` when the deadline came first.
pub fn visit_all(places: &[Place], threads: usize, plan: Plan, until: Instant) -> Vec<Option<Visit>> {
    let next = AtomicUsize::new(0);
    let threads = if places.len() < ALONE { 1 } else { threads.clamp(1, places.len()) };
    let mut visits: Vec<Option<Visit>> = Vec::new();
    visits.resize_with(places.len(), || None);
    thread::scope(|scope| {
        let work = || travel(places, &next, plan, until);
        let travellers: Vec<_> =
            (0..threads).filter_map(|_| thread::Builder::new().name("sweep".to_owned()).spawn_scoped(scope, work).ok()).collect();
        for traveller in travellers {
            for (at, visit) in traveller.join().unwrap_or_else(|_| Vec::new()) {
                visits[at] = Some(visit);
            }
        }
    });
    visits
}

/// One thread: takes the next place until there is none or time is up.
fn travel(places: &[Place], next: &AtomicUsize, plan: Plan, until: Instant) -> Vec<(usize, Visit)> {
    let mut visitor = Visitor::new(plan);
    let mut done = Vec::new();
    while Instant::now() < until {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(place) = places.get(at) else { break };
        let start = Instant::now();
        let reading = match &mut visitor {
            Ok(visitor) => enter(visitor, place),
            Err(error) => Err(error.clone()),
        };
        done.push((at, Visit { reading, took: start.elapsed() }));
    }
    done
}

/// Tries the ways in, one after the other, as long as they turn out to be gone.
fn enter(visitor: &mut Visitor, place: &Place) -> Result<Reading, ReadError> {
    let mut last = ReadError::Gone { call: "open namespace", errno: rustix::io::Errno::NOENT };
    for path in &place.paths {
        match visitor.visit(path, place.id) {
            Err(error @ ReadError::Gone { .. }) => last = error,
            outcome => return outcome,
        }
    }
    Err(last)
}
