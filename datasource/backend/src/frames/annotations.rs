//! Annotations: a region per run, from its true start to its true end; a tick for what happens at once and for what schedules will start.
//!
//! One frame, because Grafana merges several. Its columns are found by name, so they have no titles. As a panel's own query the frame also
//! holds what a layer's code would work out: whether it is a region, its colour, and tags as a list.

use super::look::{self, clipped, escaped};
use super::upcoming::soonest_first;
use super::{Field, Frame, Values, links, narrative};
use crate::origin::Upcoming;
use crate::query::Query;
use chaoscope_model::run::{Outcome, Phase, Run};
use jiff::Timestamp;
use serde_json::json;
use std::mem::take;
use std::sync::Arc;

/// One annotation.
struct Mark {
    time: Timestamp,
    end: Option<Timestamp>,
    title: String,
    text: String,
    tags: Vec<String>,
    id: String,
    state: &'static str,
    colour: &'static str,
}

pub(super) fn frame(query: &Query, topic: bool, runs: &[Arc<Run>], due: &[Upcoming], now: Timestamp, page: Option<&str>) -> Frame {
    let open_end = query.question.window.to.min(now);
    let mut marks: Vec<_> = runs.iter().map(|run| of_run(run, open_end, now, page)).collect();
    marks.extend(soonest_first(due).into_iter().map(of_upcoming));
    marks.sort_by(|one, other| one.time.cmp(&other.time).then_with(|| one.id.cmp(&other.id)));
    let mut fields = shared(&mut marks);
    if !topic {
        return Frame::new("annotations", fields);
    }
    if let Some(tags) = fields.iter_mut().find(|field| field.name == "tags") {
        *tags = Field::of("tags", &marks, Values::Json, |it| Some(json!(it.tags))).required();
    }
    fields.push(Field::of("color", &marks, Values::Text, |it| Some(it.colour.to_owned())).required());
    fields.push(Field::of("isRegion", &marks, Values::Flag, |it| Some(it.end.is_some())).required());
    Frame::new("annotations", fields).with_meta("dataTopic", "annotations")
}

/// Takes the marks' texts, which are most of an answer.
fn shared(marks: &mut [Mark]) -> Vec<Field> {
    let (time, end) =
        (Field::of("time", marks, Values::Time, |it| Some(it.time)).required(), Field::of("timeEnd", marks, Values::Time, |it| it.end));
    let mut text = |name, take: fn(&mut Mark) -> String| {
        Field::new(name, Values::Text(marks.iter_mut().map(|it| Some(take(it))).collect())).required()
    };
    vec![
        time,
        end,
        text("title", |it| take(&mut it.title)),
        text("text", |it| take(&mut it.text)),
        text("tags", |it| it.tags.join(",")),
        text("id", |it| take(&mut it.id)),
        text("newState", |it| it.state.to_owned()),
    ]
}

fn of_run(run: &Run, open_end: Timestamp, now: Timestamp, page: Option<&str>) -> Mark {
    let link = page.map_or_else(String::new, |page| format!("<br>{}", links::of_run(page, run)));
    let once = run.outcome == Some(Outcome::Completed);
    let end = Some(run.ended_at.unwrap_or(open_end)).filter(|end| !once && *end > run.started_at);
    Mark {
        time: run.started_at,
        end,
        title: narrative::title(run),
        text: narrative::text(run, now) + &link,
        tags: tags(run, now),
        id: clipped(&run.id, 128),
        state: state(run),
        colour: run.outcome.map_or_else(|| look::of_phase(run.phase), look::of_outcome),
    }
}

/// The words by which Grafana colours what alerts say: red while it runs, yellow on the way there and back, green when all went well.
const fn state(run: &Run) -> &'static str {
    match (run.outcome, run.phase) {
        (Some(Outcome::Recovered | Outcome::Completed), _) => "ok",
        (Some(_), _) | (None, Phase::Finished) => "nodata",
        (None, Phase::Running) => "alerting",
        (None, Phase::Selecting | Phase::Injecting | Phase::Recovering) => "pending",
    }
}

/// A tag is in a list with commas between.
fn tag(text: &str) -> String {
    escaped(text, 128).replace(',', " ").trim().to_owned()
}

fn tags(run: &Run, now: Timestamp) -> Vec<String> {
    let state = run.outcome.map_or(run.phase.as_str(), |outcome| outcome.as_str());
    let attention = super::runs::attention(run, now).unwrap_or("");
    let all = [run.tool.as_str(), &run.cluster, &run.kind, &run.action, &run.namespace, state, attention];
    all.into_iter().map(tag).filter(|tag| !tag.is_empty()).collect()
}

fn of_upcoming(due: &Upcoming) -> Mark {
    let id = format!("upcoming/{}/{}/{}", clipped(&due.namespace, 256), clipped(&due.schedule, 256), due.at);
    let place = look::place(&due.namespace, &due.schedule);
    let tags = ["upcoming", &due.kind, &due.action, &due.namespace];
    Mark {
        time: due.at,
        end: due.expected_end_at.filter(|end| *end > due.at),
        title: format!("{} due", escaped(format!("{} {}", due.kind, due.action).trim(), 256)),
        text: format!("schedule {} will start it", escaped(&place, 520)),
        tags: tags.into_iter().map(tag).filter(|tag| !tag.is_empty()).collect(),
        id,
        state: "nodata",
        colour: "blue",
    }
}
