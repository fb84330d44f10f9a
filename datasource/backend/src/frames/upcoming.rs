//! What schedules will start, the soonest first.

use super::look::{self, known};
use super::{Field, Frame, Values};
use crate::origin::Upcoming;
use jiff::Timestamp;

/// What is due, the soonest first.
pub(super) fn soonest_first(found: &[Upcoming]) -> Vec<&Upcoming> {
    let mut sorted: Vec<_> = found.iter().collect();
    sorted.sort_by(|one, other| {
        one.at.cmp(&other.at).then_with(|| (&one.namespace, &one.schedule).cmp(&(&other.namespace, &other.schedule)))
    });
    sorted
}

pub(super) fn frame(found: &[Upcoming], now: Timestamp) -> Frame {
    let rows = soonest_first(found);
    let fields = vec![
        Field::of("at", &rows, Values::Time, |it| Some(it.at)).titled("Due").required(),
        Field::of("expected_end", &rows, Values::Time, |it| it.expected_end_at).titled("Expected end"),
        look::as_seconds(Field::of("in", &rows, Values::Number, |it| Some(look::seconds(now, it.at))).titled("In")),
        Field::of("kind", &rows, Values::Text, |it| known(&it.kind)).titled("Kind"),
        Field::of("action", &rows, Values::Text, |it| known(&it.action)).titled("Action"),
        Field::of("namespace", &rows, Values::Text, |it| known(&it.namespace)).titled("Namespace"),
        Field::of("schedule", &rows, Values::Text, |it| known(&it.schedule)).titled("Schedule"),
    ];
    Frame::new("upcoming", fields)
}
