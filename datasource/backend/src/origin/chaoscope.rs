//! Chaoscope's own API as an origin: pages of runs and events until the question's limit, and what "Save & test" says of it.

use super::fault::{Error, Fault};
use super::fixed::Narrowed;
use super::http::Http;
use super::values::{self, Place};
use super::{Found, Health, Identity, Upcoming};
use crate::query::{List, Pairs, Question, Window};
use crate::settings::Settings;
use bytes::Bytes;
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use futures_util::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most rows the API gives at once.
const PAGE: usize = 1000;
/// Most pages of one question, whatever is on them.
const MOST_PAGES: usize = 50;
/// How far ahead the API looks.
const FURTHEST: SignedDuration = SignedDuration::from_hours(31 * 24 - 1);
/// What of a filter the API takes of what is to come; the rest is about runs only.
const SCHEDULE_FIELDS: [&str; 5] = ["tool", "cluster", "kind", "namespace", "name"];

/// Said where filters are written that nothing passes.
const OTHERS: &str = "There are runs, and none passes the fixed filters: are they as the runs have them? A run's cluster is what \
                      Chaoscope was told by --cluster-name, and empty otherwise.";

/// A Chaoscope.
pub struct Chaoscope {
    http: Http,
    fixed: Pairs,
}

/// A page of either list.
#[derive(Deserialize)]
struct Page<T> {
    #[serde(alias = "runs", alias = "events")]
    rows: Vec<T>,
    next: Option<String>,
}

/// What is to come, the soonest first.
#[derive(Deserialize)]
struct Due {
    upcoming: Vec<DueRun>,
    #[serde(default)]
    unknown: Vec<Untold>,
    #[serde(default)]
    truncated: bool,
}

#[derive(Deserialize)]
struct DueRun {
    #[serde(default)]
    cluster: String,
    #[serde(flatten)]
    upcoming: Upcoming,
}

/// A schedule of which nobody can tell when it is due.
#[derive(Deserialize)]
struct Untold {
    namespace: String,
    schedule: String,
    reason: String,
}

impl Chaoscope {
    /// Opens nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        Ok(Self { http: Http::new(settings)?, fixed: settings.fixed.clone() })
    }

    /// The stream of changes, of all that its token may see: it only says that it is worth asking again.
    pub async fn changes(&self) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.http.open("api/v1/stream").await
    }

    /// Runs that overlap the window.
    pub async fn runs(&self, question: &Question, who: &Identity) -> Result<Found<Arc<Run>>, Error> {
        let narrowed = Narrowed::of(&question.filter, &self.fixed)?;
        self.list("api/v1/runs", question, &narrowed, who, |run| narrowed.run(run)).await
    }

    /// Events in the window.
    pub async fn events(&self, question: &Question, who: &Identity) -> Result<Found<Arc<Event>>, Error> {
        let narrowed = Narrowed::of(&question.filter, &self.fixed)?.for_events()?;
        self.list("api/v1/events", question, &narrowed, who, |event| narrowed.event(event)).await
    }

    async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        question: &Question,
        narrowed: &Narrowed,
        who: &Identity,
        keep: impl Fn(&T) -> bool,
    ) -> Result<Found<Arc<T>>, Error> {
        let Some(asked) = &narrowed.asked else {
            let notices = vec!["Nothing asked for is within the datasource's own filters.".to_owned()];
            return Ok(Found { notices, ..Found::whole(Vec::new()) });
        };
        let until = self.http.deadline();
        let mut found = Found::whole(Vec::new());
        let mut cursor: Option<String> = None;
        for page in 0.. {
            let size = (question.limit.saturating_sub(found.items.len())).clamp(1, PAGE);
            let mut query = pairs_of(question.window);
            query.push(("limit".to_owned(), size.to_string()));
            query.extend(asked.iter().cloned());
            query.extend(cursor.take().map(|cursor| ("cursor".to_owned(), cursor)));
            let reply = match self.http.get(path, &query, who, until).await {
                Err(Error::TimedOut(_)) if !found.items.is_empty() => {
                    found.cut = true;
                    found.notices.push("Not all was found in time: ask for less time or with more filters.".to_owned());
                    break;
                }
                reply => reply?,
            };
            let got: Page<T> = self.http.read(&reply, who)?;
            found.items.extend(got.rows.into_iter().filter(&keep).map(Arc::new));
            cursor = got.next;
            if found.items.len() >= question.limit || cursor.is_none() {
                break;
            }
            if page + 1 == MOST_PAGES {
                found.notices.push(
                    "Most of what was found is filtered away here: use plain values in filters that the datasource's settings fix."
                        .to_owned(),
                );
                found.cut = true;
                break;
            }
        }
        found.cut |= cursor.is_some() || found.items.len() > question.limit;
        found.items.truncate(question.limit);
        found.notices.extend(self.http.clock());
        Ok(found)
    }

    /// What schedules will start in the window.
    pub async fn upcoming(&self, question: &Question, who: &Identity) -> Result<Found<Upcoming>, Error> {
        let narrowed = Narrowed::of(&question.filter, &self.fixed)?;
        let now = Timestamp::now();
        let window = Window { to: question.window.to.min(now.saturating_add(FURTHEST).unwrap_or(now)), ..question.window };
        let Some(asked) = narrowed.asked.as_ref().filter(|_| window.to >= now && window.from <= window.to) else {
            return Ok(Found::whole(Vec::new()));
        };
        let mut query = pairs_of(window);
        query.push(("limit".to_owned(), question.limit.clamp(1, PAGE).to_string()));
        query.extend(asked.iter().filter(|(field, _)| SCHEDULE_FIELDS.contains(&field.as_str())).cloned());
        let reply = self.http.get("api/v1/upcoming", &query, who, self.http.deadline()).await?;
        if reply.status == StatusCode::NOT_FOUND {
            let notice = "This Chaoscope is too old to tell what schedules will start.".to_owned();
            return Ok(Found { notices: vec![notice], ..Found::whole(Vec::new()) });
        }
        let due: Due = self.http.read(&reply, who)?;
        let keep = |it: &DueRun| {
            let at = it.upcoming.at;
            at >= window.from
                && at <= window.to
                && narrowed.schedule(&it.cluster, &it.upcoming.kind, &it.upcoming.namespace, &it.upcoming.schedule)
        };
        let mut found = Found::whole(due.upcoming.into_iter().filter(keep).map(|it| it.upcoming).collect::<Vec<_>>());
        found.cut = due.truncated || found.items.len() > question.limit;
        found.items.truncate(question.limit);
        found.items.reverse();
        if window.to < question.window.to {
            found.notices.push(format!("What is due after {} is not told.", window.to.strftime("%F %H:%M UTC")));
        }
        let untold: Vec<_> = due.unknown.iter().take(5).map(|it| format!("{}/{} ({})", it.namespace, it.schedule, it.reason)).collect();
        if !untold.is_empty() {
            found.notices.push(self.http.shown(&format!("Nobody can tell when these schedules are due: {}.", untold.join(", ")), who));
        }
        found.notices.extend(self.http.clock());
        Ok(found)
    }

    /// Values for a variable.
    pub async fn values(&self, list: &List, question: &Question, who: &Identity) -> Result<Found<String>, Error> {
        let question = Question { limit: values::LOOKED_AT, ..question.clone() };
        let mut found = values::found(list, self.runs(&question, who), self.events(&question, who)).await?;
        if values::place(list) == Place::Schedules {
            let due = self.upcoming(&ahead(&question), who).await.map_or_else(|_| Vec::new(), |found| found.items);
            found.items = values::with_schedules(found.items, &due);
        }
        Ok(values::bounded(found))
    }

    /// Whether queries will work: what is asked is what a panel asks.
    pub async fn check(&self, who: &Identity) -> Health {
        let to = Timestamp::now();
        let from = to.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(to);
        let question = Question { window: Window { from, to }, filter: Pairs::new(), limit: PAGE };
        let found = match self.runs(&question, who).await {
            Ok(found) => found,
            Err(error) => return self.not_ours(error, who).await,
        };
        let open = found.items.iter().filter(|run| run.is_open()).count();
        let more = if found.cut { "more than " } else { "" };
        let version = self.version(who).await.map_or_else(String::new, |version| format!(" {version}"));
        let message = format!("Chaoscope{version} answers: {more}{} runs in the last 24 h, {open} of them open.", found.items.len());
        let mut details = found.notices;
        let names = |of: fn(&Run) -> &str| {
            let names: BTreeSet<&str> = found.items.iter().map(|run| of(run)).filter(|name| !name.is_empty()).collect();
            names.into_iter().take(20).collect::<Vec<_>>().join(", ")
        };
        for (what, names) in [("clusters", names(|run| &run.cluster)), ("namespaces", names(|run| &run.namespace))] {
            if !names.is_empty() {
                details.push(format!("Seen with these credentials: {what} {names}."));
            }
        }
        if !self.fixed.is_empty() {
            let fixed: Vec<_> = self.fixed.iter().map(|(field, value)| format!("{field}={value}")).collect();
            details.push(format!("Fixed for every query: {}.", fixed.join(", ")));
            if found.items.is_empty() && self.has_others(&question, who).await {
                details.insert(0, OTHERS.to_owned());
            }
        }
        details.push("Every viewer of this datasource sees what these credentials see, unless identity is forwarded.".to_owned());
        Health { ok: true, message, details }
    }

    /// Whether there are runs that the fixed filters keep out.
    async fn has_others(&self, question: &Question, who: &Identity) -> bool {
        let question = Question { limit: 1, ..question.clone() };
        let Ok(all) = Narrowed::of(&Pairs::new(), &Pairs::new()) else { return false };
        self.list("api/v1/runs", &question, &all, who, |_: &Run| true).await.is_ok_and(|found| !found.items.is_empty())
    }

    async fn version(&self, who: &Identity) -> Option<String> {
        let reply = self.http.get("api/v1/openapi.json", &[], who, self.http.deadline()).await.ok()?;
        let contract: Value = self.http.read(&reply, who).ok()?;
        Some(self.http.shown(contract.pointer("/info/version")?.as_str()?, who))
    }

    /// Says what it is instead, where that can be told.
    async fn not_ours(&self, error: Error, who: &Identity) -> Health {
        if matches!(error, Error::Nonsense(_))
            && let Ok(reply) = self.http.get("api/common/config", &[], who, self.http.deadline()).await
            && let Ok(config) = self.http.read::<Value>(&reply, who)
            && config.get("security_mode").is_some()
        {
            let version = self.http.shown(config.get("version").and_then(Value::as_str).unwrap_or(""), who);
            let cause = format!("{} is a Chaos Dashboard {version}, and Chaoscope was chosen as origin", self.http.name());
            return Health::bad(&Error::Nonsense(Fault::new(cause, "Choose Chaos Dashboard as origin.")));
        }
        Health::bad(&error)
    }
}

/// From now on as far as the window reaches back, for what is to come.
fn ahead(question: &Question) -> Question {
    let to = question.window.to.max(Timestamp::now());
    let length = question.window.to.duration_since(question.window.from).max(SignedDuration::from_hours(24));
    Question { window: Window { from: to, to: to.saturating_add(length).unwrap_or(to) }, ..question.clone() }
}

fn pairs_of(window: Window) -> Pairs {
    vec![("from".to_owned(), window.from.to_string()), ("to".to_owned(), window.to.to_string())]
}
