//! A Chaos Dashboard as an origin: its events, its lists and its archive become runs.
//!
//! Files: `gather` (what is asked), `refusal` (its status codes), `rows` (what it answers, and what messages say), `fold` (rows → runs),
//! `detail` (specifications). A Dashboard filters little and exactly, so what is asked is narrowed only where that is exact, and all filters are
//! held against what comes.

mod detail;
mod fold;
mod gather;
mod refusal;
mod rows;
#[cfg(test)]
mod tests;

use super::fault::Error;
use super::fixed::Narrowed;
use super::http::Http;
use super::values;
use super::{Found, Health, Identity, Upcoming};
use crate::query::{List, Pairs, Question, Window};
use crate::settings::Settings;
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use detail::Detail;
use jiff::Timestamp;
use lru::LruCache;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

/// Specifications remembered: they do not change.
const MOST_DETAILS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// A Chaos Dashboard.
pub struct Dashboard {
    http: Http,
    fixed: Pairs,
    cluster: String,
    details: Mutex<LruCache<String, Arc<Detail>>>,
    /// The present.
    now: fn() -> Timestamp,
}

impl Dashboard {
    /// Opens nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let details = Mutex::new(LruCache::new(MOST_DETAILS));
        Ok(Self {
            http: Http::new(settings)?,
            fixed: settings.fixed.clone(),
            cluster: settings.cluster.clone(),
            details,
            now: Timestamp::now,
        })
    }

    /// Runs that overlap the window.
    pub async fn runs(&self, question: &Question, who: &Identity) -> Result<Found<Arc<Run>>, Error> {
        let narrowed = Narrowed::of(&question.filter, &self.fixed)?;
        let Some(mut gathered) = self.gather(question.window, &narrowed, who).await? else { return Ok(Found::whole(Vec::new())) };
        let Window { from, to } = question.window;
        gathered.detailed(self, |run| run.overlaps(from, to), who).await;
        let runs = gathered.objects.values().flat_map(|known| known.runs(&self.cluster, gathered.now)).map(|run| run.at(gathered.now));
        let mut items: Vec<_> = runs.filter(|run| run.overlaps(from, to) && narrowed.whole_run(run)).map(Arc::new).collect();
        items.sort_by(|one, other| (Reverse(one.started_at), &one.id).cmp(&(Reverse(other.started_at), &other.id)));
        let cut = gathered.cut || items.len() > question.limit;
        items.truncate(question.limit);
        Ok(Found { items, cut, notices: gathered.notices })
    }

    /// Events in the window.
    pub async fn events(&self, question: &Question, who: &Identity) -> Result<Found<Arc<Event>>, Error> {
        let narrowed = Narrowed::of(&question.filter, &self.fixed)?;
        let Some(mut gathered) = self.gather(question.window, &narrowed, who).await? else { return Ok(Found::whole(Vec::new())) };
        let Window { from, to } = question.window;
        if question.filter.iter().chain(&self.fixed).any(|(field, _)| field == "label" || field == "text") {
            gathered.detailed(self, |run| run.overlaps(from, to), who).await;
        }
        let mut items = Vec::new();
        for known in gathered.objects.values() {
            let (runs, events) = known.events(&self.cluster, gathered.now, question.window);
            let run_of = |event: &Event| runs.iter().find(|run| Some(&run.id) == event.run.as_ref());
            items.extend(events.into_iter().filter(|event| narrowed.event_of(event, run_of(event))).map(Arc::new));
        }
        items.sort_by(|one, other| (Reverse(one.at), &other.key).cmp(&(Reverse(other.at), &one.key)));
        let cut = gathered.cut || items.len() > question.limit;
        items.truncate(question.limit);
        Ok(Found { items, cut, notices: gathered.notices })
    }

    /// A Dashboard does not tell when schedules are due.
    #[allow(clippy::unused_async, reason = "the other origin asks")]
    pub async fn upcoming(&self, _: &Question, _: &Identity) -> Result<Found<Upcoming>, Error> {
        let notice = "A Chaos Dashboard does not tell what schedules will start; Chaoscope does.".to_owned();
        Ok(Found { notices: vec![notice], ..Found::whole(Vec::new()) })
    }

    /// Values for a variable: out of lists where they have them, else out of runs.
    pub async fn values(&self, list: &List, question: &Question, who: &Identity) -> Result<Found<String>, Error> {
        let routes: &[&str] = match list {
            List::Tools => return Ok(Found::whole(vec!["chaos-mesh".to_owned()])),
            List::Clusters => return Ok(Found::whole(Some(self.cluster.clone()).into_iter().filter(|name| !name.is_empty()).collect())),
            List::Kinds | List::Namespaces | List::Experiments => &["api/experiments", "api/archives"],
            List::Field(field) if ["kind", "namespace", "name"].contains(&field.as_str()) => &["api/experiments", "api/archives"],
            List::Schedules => &["api/schedules", "api/archives/schedules"],
            List::Workflows => &["api/workflows", "api/archives/workflows"],
            _ => return self.values_of_rows(list, question, who).await,
        };
        let narrowed = Narrowed::of(&question.filter, &self.fixed)?;
        let Some(asked) = &narrowed.asked else { return Ok(Found::whole(Vec::new())) };
        let (mut found, mut notices, until) = (BTreeSet::new(), Vec::new(), self.http.deadline());
        for route in routes {
            let listed = match self.list(route, asked, who, until).await {
                Err(error) if route.starts_with("api/archives") => {
                    notices.push(format!("The archive did not answer, so what is gone is not listed: {error}."));
                    continue;
                }
                listed => listed?,
            };
            for listed in listed {
                if narrowed.schedule(&self.cluster, &listed.kind, &listed.namespace, &listed.name) {
                    found.insert(match list {
                        List::Kinds => listed.kind,
                        List::Namespaces => listed.namespace,
                        List::Field(field) if field == "kind" => listed.kind,
                        List::Field(field) if field == "namespace" => listed.namespace,
                        _ => listed.name,
                    });
                }
            }
        }
        let cut = found.len() > values::MOST;
        Ok(Found { items: found.into_iter().filter(|value| !value.is_empty()).take(values::MOST).collect(), cut, notices })
    }

    async fn values_of_rows(&self, list: &List, question: &Question, who: &Identity) -> Result<Found<String>, Error> {
        let question = Question { limit: values::LOOKED_AT, ..question.clone() };
        let (runs, events) = (Box::pin(self.runs(&question, who)), Box::pin(self.events(&question, who)));
        values::found(list, runs, events).await.map(values::bounded)
    }

    /// Whether queries will work. Its configuration is open to everybody, so it proves nothing about the token: events are asked for.
    pub async fn check(&self, who: &Identity) -> Health {
        let version = match self.version(who).await {
            Ok(version) => version,
            Err(error) => return Health::bad(&error),
        };
        let to = (self.now)();
        let from = to.saturating_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(to);
        let question = Question { window: Window { from, to }, filter: Pairs::new(), limit: 1000 };
        let found = match self.runs(&question, who).await {
            Ok(found) => found,
            Err(error) => return Health::bad(&error),
        };
        let open = found.items.iter().filter(|run| run.is_open()).count();
        let more = if found.cut { "more than " } else { "" };
        let message = format!("Chaos Dashboard {version} answers: {more}{} runs in the last 24 h, {open} of them open.", found.items.len());
        let mut details = found.notices;
        details.extend(self.is_chaoscope(who).await);
        if !self.fixed.is_empty() {
            let fixed: Vec<_> = self.fixed.iter().map(|(field, value)| format!("{field}={value}")).collect();
            details.push(format!("Fixed for every query: {}.", fixed.join(", ")));
        }
        details.push("A Dashboard keeps events for a week (TTL_EVENT) and tells times in whole seconds.".to_owned());
        details.push("Every viewer of this datasource sees what these credentials see, unless identity is forwarded.".to_owned());
        Health { ok: true, message, details }
    }
}
