//! Events, the newest first: as a table, and as lines for Explore and the logs panel.

use super::look::{self, known};
use super::{Field, Frame, Values};
use chaoscope_model::event::{Event, Severity};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Events, the newest first.
pub(super) fn newest_first(events: &[Arc<Event>]) -> Vec<&Event> {
    let mut sorted: Vec<_> = events.iter().map(Arc::as_ref).collect();
    sorted.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| one.key.cmp(&other.key)));
    sorted
}

pub(super) fn table(events: &[Arc<Event>]) -> Frame {
    let rows = newest_first(events);
    let text =
        |name: &str, title: &str, pick: fn(&Event) -> &str| Field::of(name, &rows, Values::Text, |event| known(pick(event))).titled(title);
    let severity = text("type", "Type", |event| event.severity.as_str());
    let colours = look::mappings([("Normal", "green"), ("Warning", "orange")].into_iter());
    Frame::new(
        "events",
        vec![
            Field::of("time", &rows, Values::Time, |event| Some(event.at)).titled("Time").required(),
            severity.with("mappings", colours).with("custom", json!({"cellOptions": {"type": "color-text"}})),
            text("reason", "Reason", |event| &event.reason),
            text("message", "Message", |event| &event.message),
            text("kind", "Kind", |event| &event.kind),
            text("namespace", "Namespace", |event| &event.namespace),
            text("name", "Name", |event| &event.name),
            text("target_namespace", "Target namespace", |event| &event.target_namespace),
            text("target_pod", "Target pod", |event| &event.target_pod),
            text("target_container", "Target container", |event| &event.target_container),
            text("tool", "Tool", |event| event.tool.as_str()),
            text("cluster", "Cluster", |event| &event.cluster),
            text("run", "Run id", |event| event.run.as_deref().unwrap_or("")),
            text("uid", "Uid", |event| &event.uid),
        ],
    )
}

/// The columns of Grafana's `log-lines` contract: these names, in this order, nothing missing. Its version says 0.0, as the contract's own
/// writer does: another one would only matter to alert rules, which take no lines.
pub(super) fn logs(events: &[Arc<Event>]) -> Frame {
    let rows = newest_first(events);
    let body = |event: &&Event| {
        let reason = look::clipped(&event.reason, 256);
        Some(if event.message.is_empty() { reason } else { format!("{reason}: {}", look::clipped(&event.message, 8192)) })
    };
    let severity = |event: &&Event| Some(if event.severity == Severity::Warning { "warning" } else { "info" }.to_owned());
    let fields = vec![
        Field::of("timestamp", &rows, Values::Time, |event| Some(event.at)).required(),
        Field::of("body", &rows, Values::Text, body).required(),
        Field::of("severity", &rows, Values::Text, severity).required(),
        Field::of("id", &rows, Values::Text, |event| Some(look::clean(&event.key))).required(),
        Field::of("labels", &rows, Values::Json, |event| Some(labels(event))).required(),
    ];
    let frame = Frame::new("logs", fields);
    frame.with_meta("type", "log-lines").with_meta("typeVersion", json!([0, 0])).with_meta("preferredVisualisationType", "logs")
}

fn labels(event: &Event) -> Value {
    let all = [
        ("cluster", event.cluster.as_str()),
        ("kind", &event.kind),
        ("name", &event.name),
        ("namespace", &event.namespace),
        ("reason", &event.reason),
        ("run", event.run.as_deref().unwrap_or("")),
        ("target_container", &event.target_container),
        ("target_namespace", &event.target_namespace),
        ("target_pod", &event.target_pod),
        ("tool", event.tool.as_str()),
        ("type", event.severity.as_str()),
    ];
    let said = all.into_iter().filter_map(|(name, text)| known(text).map(|text| (name.to_owned(), Value::String(text))));
    Value::Object(said.collect::<Map<_, _>>())
}
