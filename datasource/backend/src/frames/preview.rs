//! How many there are, and the first few, for the editor.

use super::{Data, events, look, runs, upcoming};
use crate::origin::Found;
use serde_json::{Value, json};

/// Rows shown of a preview.
const SHOWN: usize = 5;

/// `{total, cut, notices, rows}`: how many were found, whether there are more, and the first few in short (`title`, `at`, `state`).
pub fn preview(data: &Data) -> Value {
    match data {
        Data::Runs(found) | Data::RunsAndUpcoming(found, _) => {
            let rows = runs::newest_first(&found.items).into_iter().take(SHOWN).map(|run| {
                let state = run.outcome.map_or(run.phase.as_str(), |outcome| outcome.as_str());
                json!({"title": title(&run.kind, &look::experiment(run)), "at": run.started_at, "state": state, "id": look::clean(&run.id)})
            });
            summary(found, &rows.collect::<Vec<_>>())
        }
        Data::Events(found) => {
            let rows = events::newest_first(&found.items).into_iter().take(SHOWN).map(|event| {
                let about = title(&event.kind, &look::place(&event.namespace, &event.name));
                json!({"title": about, "at": event.at, "state": look::clipped(&event.reason, 256)})
            });
            summary(found, &rows.collect::<Vec<_>>())
        }
        Data::Upcoming(found) => {
            let rows = upcoming::soonest_first(&found.items).into_iter().take(SHOWN);
            let rows = rows
                .map(|it| json!({"title": title(&it.kind, &look::place(&it.namespace, &it.schedule)), "at": it.at, "state": "upcoming"}));
            summary(found, &rows.collect::<Vec<_>>())
        }
        Data::Values(found) => {
            let rows = found.items.iter().take(SHOWN).map(|value| json!({"title": look::clean(value)}));
            summary(found, &rows.collect::<Vec<_>>())
        }
    }
}

fn title(kind: &str, place: &str) -> String {
    format!("{} {place}", look::clipped(kind, 256))
}

fn summary<T>(found: &Found<T>, rows: &[Value]) -> Value {
    json!({"total": found.items.len(), "cut": found.cut, "notices": found.notices, "rows": rows})
}
