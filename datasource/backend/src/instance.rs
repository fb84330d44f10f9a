//! One datasource as Grafana has it configured now ([`Instance`]): the origin its settings lead to, and what was answered lately; and all of
//! them ([`Instances`]).

use crate::cache::{self, Cache, Key};
use crate::frames::{self, Data, Frame};
use crate::origin::{Error, Fault, Found, Health, Identity, Origin};
use crate::query::parse::MOST_ROWS;
use crate::query::{Ask, List, Needs, Query, Question};
use crate::settings::{Product, Settings};
use crate::signal::{Listener, Signals};
use jiff::Timestamp;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Most datasources kept at once.
const MOST_INSTANCES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
/// What of a caller's identity goes along where it is forwarded.
const IDENTITY: [&str; 2] = ["authorization", "x-id-token"];

/// One configured datasource. Kept by (organisation, uid, time of the last change); a change makes a new one.
pub struct Instance {
    origin: Arc<Origin>,
    cache: Cache,
    settings: Settings,
    signals: Signals,
}

impl Instance {
    /// Opens nothing yet: a wrong address shows when it is asked.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let origin = Arc::new(Origin::new(&settings)?);
        let (open, cache) = (Arc::clone(&origin), Cache::new(settings.cache));
        let signals = Signals::new(Arc::new(move || open.changes()));
        Ok(Self { origin, cache, settings, signals })
    }

    /// The frames, from what was asked for at `since` or later.
    pub async fn answer_since(&self, query: &Query, since: Instant) -> Result<Vec<Frame>, Error> {
        let data = self.found(query, &Identity::default(), Some(since)).await?;
        Ok(self.shown(query, &data))
    }

    /// What was found, as it is shown now.
    pub fn shown(&self, query: &Query, data: &Data) -> Vec<Frame> {
        frames::answer(query, data, Timestamp::now(), self.settings.page.as_deref())
    }

    /// One more listener for changes at the origin.
    pub fn listen(&self) -> Listener {
        self.signals.listen()
    }

    /// What the origin has for a query.
    pub async fn data(&self, query: &Query, who: &Identity) -> Result<Data, Error> {
        self.found(query, who, None).await
    }

    async fn found(&self, query: &Query, who: &Identity, since: Option<Instant>) -> Result<Data, Error> {
        let list = match &query.ask {
            Ask::Values(list) => Some(list.clone()),
            _ => None,
        };
        let question = Question { limit: query.question.limit.clamp(1, MOST_ROWS), ..query.question.clone() };
        let who = self.forwarded(who);
        let key = Key::new(query.ask.needs(), list, &question, &who);
        let found = self.kept(key.clone(), since, &who).await?;
        let narrowed = cache::narrowed(&found, question.window);
        if !cache::lacks(&found, &narrowed) {
            return Ok(narrowed);
        }
        let exact = self.kept(key.exactly(question.window), since, &who).await?;
        Ok(Data::clone(&exact))
    }

    async fn kept(&self, key: Key, since: Option<Instant>, who: &Identity) -> Result<Arc<Data>, Error> {
        let (origin, place, who) = (Arc::clone(&self.origin), key.clone(), who.clone());
        self.cache.get(key, since, || async move { fetch(&origin, place.needs, place.list, &place.question, &who).await }).await
    }

    /// What "Save & test" says.
    pub async fn check(&self, who: &Identity) -> Health {
        self.origin.check(&self.forwarded(who)).await
    }

    /// Its settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What of a caller's headers goes along: what is asked for in the settings, and nothing else. Callers that send nothing share answers.
    fn forwarded(&self, who: &Identity) -> Identity {
        let mut headers = Vec::new();
        for (name, value) in &who.headers {
            let name = name.to_ascii_lowercase();
            if self.settings.forward_identity && IDENTITY.contains(&name.as_str()) && !value.is_empty() {
                headers.push((name, value.clone()));
            } else if name == "cookie" {
                let kept: Vec<&str> = value.split(';').map(str::trim).filter(|cookie| self.keeps(cookie)).collect();
                if !kept.is_empty() {
                    headers.push((name, kept.join("; ")));
                }
            }
        }
        headers.sort();
        Identity { headers }
    }

    fn keeps(&self, cookie: &str) -> bool {
        let name = cookie.split('=').next().unwrap_or("");
        self.settings.cookies.iter().any(|kept| kept == name)
    }
}

async fn fetch(origin: &Origin, needs: Needs, list: Option<List>, question: &Question, who: &Identity) -> Result<Data, Error> {
    Ok(match needs {
        Needs::Runs => Data::Runs(origin.runs(question, who).await?),
        Needs::Events => Data::Events(origin.events(question, who).await?),
        Needs::Upcoming => Data::Upcoming(origin.upcoming(question, who).await?),
        Needs::Values => match list {
            Some(list) => Data::Values(origin.values(&list, question, who).await?),
            None => Data::Values(Found::whole(Vec::new())),
        },
        Needs::RunsAndUpcoming => {
            let (runs, due) = tokio::join!(origin.runs(question, who), origin.upcoming(question, who));
            // What is to come is an extra: without it the runs are still worth showing.
            let due = due.unwrap_or_else(|error| Found {
                notices: vec![format!("What is to come is not shown: {error}.")],
                ..Found::whole(Vec::new())
            });
            Data::RunsAndUpcoming(runs?, due)
        }
    })
}

impl Origin {
    /// The origin settings lead to.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        Ok(match settings.product {
            Product::Chaoscope => Self::Chaoscope(crate::origin::chaoscope::Chaoscope::new(settings)?),
            Product::Dashboard => Self::Dashboard(crate::origin::dashboard::Dashboard::new(settings)?),
        })
    }
}

/// Which datasource: organisation and uid.
type Name = (i64, String);

/// Every datasource asked lately, each as it was last changed.
pub struct Instances(Mutex<LruCache<Name, (i64, Arc<Instance>)>>);

impl Default for Instances {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST_INSTANCES)))
    }
}

impl Instances {
    /// The datasource of an organisation as it was changed last; made of `settings` where it was changed since, or is new. `updated` is
    /// Grafana's time of the last change, in milliseconds.
    pub fn get(
        &self,
        org: i64,
        uid: &str,
        updated: i64,
        settings: impl FnOnce() -> Result<Settings, String>,
    ) -> Result<Arc<Instance>, Error> {
        let name = (org, uid.to_owned());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, instance)) = all.get(&name)
            && *known == updated
        {
            return Ok(Arc::clone(instance));
        }
        let settings = settings().map_err(|reason| Error::Refused(Fault::new(reason, "Change it in the datasource's settings.")))?;
        let instance = Arc::new(Instance::new(settings)?);
        all.put(name, (updated, Arc::clone(&instance)));
        Ok(instance)
    }
}

#[cfg(test)]
mod tests;
