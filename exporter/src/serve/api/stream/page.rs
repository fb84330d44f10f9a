//! A batch of changes as one caller is told of it: what may be seen, what was asked for, and what is asked for no more.
//!
//! Whether a run left the filter is seen from the run alone, not from what was sent: a client may hold it from a list, or from a stream before
//! this one. So one that does not pass the filter, and may have passed it earlier in its life, is said to have left, each time it changes.

use super::super::events::passes;
use super::{End, frame};
use crate::journal::Item;
use crate::serve::access::Viewer;
use axum::body::Bytes;
use chaoscope_model::query::Filter;
use chaoscope_model::run::Run;
use jiff::Timestamp;
use serde_json::json;

/// Bytes after which a chunk is sent; one event may make it longer.
pub(super) const CHUNK: usize = 16 << 10;

/// What a batch of changes is written with.
pub(super) struct Page {
    pub(super) viewer: Viewer,
    pub(super) filter: Filter,
    /// What of the filter lasts ([`Filter::lasting`]); `None`: the client holds no runs, so none leaves.
    pub(super) lasting: Option<Filter>,
    pub(super) journal: String,
    pub(super) now: Timestamp,
}

impl Page {
    /// May block.
    pub(super) fn write(mut self, items: Vec<(Option<u64>, Item)>) -> Result<Vec<Bytes>, End> {
        self.filter.now = Some(self.now);
        let (mut chunks, mut out) = (Vec::new(), Vec::new());
        for (seq, item) in items {
            let id = seq.map(|seq| frame::id(&self.journal, seq));
            self.item(&mut out, id.as_deref(), &item).map_err(|_| End::Broken)?;
            if out.len() >= CHUNK {
                chunks.push(std::mem::take(&mut out).into());
            }
        }
        if !out.is_empty() {
            chunks.push(out.into());
        }
        // What could not be asked was kept back: the client must not be moved past it.
        self.viewer.complete().map(|()| chunks).map_err(|_| End::Denied)
    }

    fn item(&self, out: &mut Vec<u8>, id: Option<&str>, item: &Item) -> serde_json::Result<()> {
        match item {
            Item::Run(run) => self.run(out, id, run),
            Item::Event(event, run) if passes(&self.viewer, &self.filter, event, run.as_deref()) => {
                frame::event(out, "event", id, &**event)
            }
            Item::Event(..) => Ok(()),
        }
    }

    /// Only what is seen decides: what is hidden must not be told by a run that leaves, either.
    fn run(&self, out: &mut Vec<u8>, id: Option<&str>, run: &Run) -> serde_json::Result<()> {
        let Some(seen) = self.viewer.see(run) else { return Ok(()) };
        if self.filter.matches_run(&seen) {
            return frame::event(out, "run", id, &seen.at(self.now));
        }
        let may_have_passed = self.lasting.as_ref().is_some_and(|lasting| lasting.matches_run(&seen));
        if may_have_passed { frame::event(out, "left", id, &json!({ "id": seen.id })) } else { Ok(()) }
    }
}
