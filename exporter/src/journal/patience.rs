//! How long a question to the journal may take, and whether somebody still waits for its answer.
//!
//! Apart because it knows nothing of rows: whoever reads many of them asks here between two. A thread cannot be stopped from outside.

use super::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long an answer may take. Clones are of the same question.
#[derive(Clone, Debug, Default)]
pub struct Patience {
    /// `None`: as long as it takes.
    until: Option<Instant>,
    gone: Arc<AtomicBool>,
}

/// Who waits for an answer: dropping it is leaving.
#[derive(Debug)]
pub struct Asker(Arc<AtomicBool>);

impl Patience {
    /// From now on so long.
    pub fn of(budget: Duration) -> Self {
        Self { until: Instant::now().checked_add(budget), gone: Arc::default() }
    }

    /// Who waits; when it is dropped, nobody does.
    pub fn asker(&self) -> Asker {
        Asker(Arc::clone(&self.gone))
    }

    /// [`Error::Gone`] when nobody waits any more.
    pub fn wanted(&self) -> Result<(), Error> {
        if self.gone.load(Ordering::Relaxed) { Err(Error::Gone) } else { Ok(()) }
    }

    /// How much longer; `None`: as long as it takes.
    pub(super) fn left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Whether the time is over.
    pub(super) fn over(&self) -> bool {
        self.left() == Some(Duration::ZERO)
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
