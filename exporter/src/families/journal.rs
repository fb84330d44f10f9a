//! `chaoscope_journal_*`: how full the journal is, and how well it writes.

use super::seconds;
use crate::exposition::{Exposition, Labels, Value};
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Journal;

impl Family for Journal {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(counted) = &world.journal else { return Ok(()) };
        let it = &counted.status;
        let none = |value: Value| [(Labels::new(), value)];
        out.gauge("chaoscope_journal_size_bytes", "Bytes of the journal's file that hold something.", none(it.bytes.into()))?;
        out.gauge("chaoscope_journal_runs", "Runs in the journal.", none(it.runs.into()))?;
        out.gauge("chaoscope_journal_open_runs", "Runs in the journal that have not ended.", none(it.open_runs.into()))?;
        out.gauge("chaoscope_journal_events", "Events in the journal.", none(it.events.into()))?;
        let time = |at: Option<jiff::Timestamp>| at.map(|at| (Labels::new(), seconds(at)));
        out.gauge("chaoscope_journal_oldest_timestamp_seconds", "Start of the oldest run, or time of the oldest event.", time(it.oldest))?;
        out.gauge("chaoscope_journal_last_commit_timestamp_seconds", "When something was stored last.", time(it.last_commit_at))?;
        let commits = [(Labels::new(), &it.commit_seconds)];
        out.histogram("chaoscope_journal_commit_duration_seconds", "How long it took to store what had come.", commits)?;
        out.counter("chaoscope_journal_commit_failures", "Transactions that failed.", none(it.failures.into()))?;
        out.gauge("chaoscope_journal_failing", "Whether the last transaction failed.", none(it.failing.into()))?;
        out.gauge("chaoscope_journal_pending", "Changes that wait for the disk.", none(it.pending.into()))?;
        out.counter("chaoscope_journal_dropped", "Changes there was no room for while the disk failed.", none(it.dropped.into()))?;
        out.counter("chaoscope_journal_refused", "Batches that cannot be stored, whatever the disk does.", none(it.refused.into()))?;
        let help = "Whether there are too many series to count by, so that new ones are left out.";
        out.gauge("chaoscope_journal_counters_full", help, none(it.tally_full.into()))
    }
}
