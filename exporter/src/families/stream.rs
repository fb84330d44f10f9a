//! `chaoscope_stream_*`: who is told of changes as they happen, and how those streams end.

use crate::exposition::{Exposition, Labels, Value};
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Stream;

impl Family for Stream {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(streams) = &world.streams else { return Ok(()) };
        let none = |value: u64| [(Labels::new(), Value::from(value))];
        out.gauge("chaoscope_stream_clients", "Streams of the API that are open.", none(streams.open))?;
        let ended = streams.ended.iter().map(|(reason, count)| (vec![("reason", (*reason).into())], *count));
        out.counter("chaoscope_stream_ended", "Streams that ended, by reason.", ended)?;
        out.counter("chaoscope_stream_refused", "Streams there was no room for.", none(streams.refused))?;
        let help = "How often a stream lagged so far behind that it went on from the journal.";
        out.counter("chaoscope_stream_caught_up", help, none(streams.caught_up))
    }
}
