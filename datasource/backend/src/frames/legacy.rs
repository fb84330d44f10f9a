//! What the plugin before this one showed: events in its columns, under its names, because saved panels address columns by them.

use super::look::clean;
use super::{Field, Frame, Values, events};
use chaoscope_model::event::Event;
use std::sync::Arc;

pub(super) fn frame(found: &[Arc<Event>]) -> Frame {
    let rows = events::newest_first(found);
    let text = |name: &str, title: &str, pick: fn(&Event) -> &str| {
        Field::of(name, &rows, Values::Text, |event| Some(clean(pick(event)))).with("displayName", title)
    };
    Frame::new(
        "events",
        vec![
            text("object_id", "Object ID", |event| &event.uid),
            text("namespace", "Namespace", |event| &event.namespace),
            text("name", "Name", |event| &event.name),
            text("kind", "Kind", |event| &event.kind),
            Field::of("created_at", &rows, Values::Time, |event| Some(event.at)).with("displayName", "Time").required(),
            text("type", "Type", |event| event.severity.as_str()),
            text("reason", "Reason", |event| &event.reason),
            text("message", "Message", |event| &event.message),
        ],
    )
}
