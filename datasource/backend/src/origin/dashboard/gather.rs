//! What is asked of a Dashboard for one window: events around it, what is there, what is archived; then the whole story of objects whose story
//! begins or ends outside, and specifications.

use super::Dashboard;
use super::detail::Detail;
use super::fold::Known;
use super::rows::{Listed, Row, Told};
use crate::origin::Identity;
use crate::origin::fault::Error;
use crate::origin::fixed::{Narrowed, plain_values};
use crate::query::{Pairs, Window};
use chaoscope_model::run::Run;
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use tokio::time::Instant;

/// How far around a window events are asked for: most runs begin and end within.
const AROUND: SignedDuration = SignedDuration::from_hours(1);
/// Most events asked for at once, the newest ones; about 10 MiB.
const MOST_EVENTS: usize = 30_000;
/// Most objects whose whole story is asked for, and most specifications, of one question.
const MOST_OBJECTS: usize = 64;
/// Archived objects that may have run through a window without an event near it, of a window in the past.
const MOST_ARCHIVED: usize = 16;
/// Most namespaces asked one by one.
const MOST_NAMESPACES: usize = 8;
/// Requests at the same time.
const AT_ONCE: usize = 4;

/// What a Dashboard told.
pub(super) struct Gathered {
    /// By uid.
    pub(super) objects: BTreeMap<String, Known>,
    /// When it was asked.
    pub(super) now: Timestamp,
    pub(super) cut: bool,
    pub(super) notices: Vec<String>,
}

impl Dashboard {
    /// Everything about the objects that may have something in a window; `None`: nothing can pass.
    pub(super) async fn gather(&self, window: Window, narrowed: &Narrowed, who: &Identity) -> Result<Option<Gathered>, Error> {
        let Some(asked) = &narrowed.asked else { return Ok(None) };
        let (now, until) = ((self.now)(), self.http.deadline());
        let around = Window {
            from: window.from.saturating_sub(AROUND).unwrap_or(window.from),
            to: window.to.saturating_add(AROUND).unwrap_or(window.to).min(now),
        };
        let rows = self.rows_around(around, asked, who, until);
        let (rows, live, archived) =
            tokio::join!(rows, self.list("api/experiments", asked, who, until), self.list("api/archives", asked, who, until));
        let mut gathered = Gathered { objects: BTreeMap::new(), now, cut: rows.is_cut(), notices: Vec::new() };
        gathered.take(rows.rows?, live?);
        match archived {
            Ok(archived) => gathered.take_archived(archived),
            Err(error) => gathered.notices.push(format!("The archive did not answer, so it may not be known what is gone: {error}.")),
        }
        gathered.complete(self, around, who, until).await;
        // What is only in a list, and has no story near the window, is of no use.
        gathered.objects.retain(|_, known| !known.rows.is_empty() || known.live.is_some());
        if gathered.cut {
            gathered.notices.push(format!("The Dashboard has more than {MOST_EVENTS} events around this time: the oldest are left out."));
        }
        gathered.notices.extend(self.http.clock());
        Ok(Some(gathered))
    }

    async fn rows_around(&self, around: Window, asked: &Pairs, who: &Identity, until: Instant) -> Rows {
        let second = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at).to_string();
        let range = [
            ("start", second(around.from)),
            ("end", second(around.to.saturating_add(SignedDuration::from_secs(1)).unwrap_or(around.to))),
            ("limit", MOST_EVENTS.to_string()),
        ];
        let range: Pairs = range.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let (mut all, mut most) = (Vec::new(), 0);
        for narrowing in narrowings(asked) {
            let query: Pairs = narrowing.into_iter().chain(range.iter().cloned()).collect();
            match self.rows(&query, who, until).await {
                Ok(rows) => {
                    most = most.max(rows.len());
                    all.extend(rows);
                }
                Err(error) => return Rows { rows: Err(error), most },
            }
        }
        Rows { rows: Ok(all), most }
    }

    async fn rows(&self, query: &Pairs, who: &Identity, until: Instant) -> Result<Vec<Row>, Error> {
        let reply = self.http.get("api/events", query, who, until).await?;
        let all: Vec<Told> = self.read(&reply, who)?;
        let (told, rows) = (all.len(), all.into_iter().filter_map(Told::row).collect::<Vec<_>>());
        // One that cannot be read costs itself; where none can, it is said why.
        if rows.is_empty() && told > 0 { self.read(&reply, who) } else { Ok(rows) }
    }

    /// A list, narrowed where that is exact.
    pub(super) async fn list(&self, route: &str, asked: &Pairs, who: &Identity, until: Instant) -> Result<Vec<Listed>, Error> {
        let mut all = Vec::new();
        for narrowing in narrowings(asked) {
            let reply = self.http.get(route, &narrowing, who, until).await?;
            all.extend(self.read::<Vec<Listed>>(&reply, who)?);
        }
        Ok(all)
    }

    async fn detail(&self, known: &Known, uid: &str, who: &Identity, until: Instant) -> Option<Arc<Detail>> {
        if let Some(detail) = self.details.lock().unwrap_or_else(PoisonError::into_inner).get(uid) {
            return Some(Arc::clone(detail));
        }
        let route = if known.live.is_some() { "api/experiments" } else { "api/archives" };
        let namespace = vec![("namespace".to_owned(), known.about()?.namespace)];
        let reply = self.http.get(&format!("{route}/{uid}"), &namespace, who, until).await.ok()?;
        let detail = Arc::new(Detail::of(&self.http.read::<Value>(&reply, who).ok()?)?);
        self.details.lock().unwrap_or_else(PoisonError::into_inner).put(uid.to_owned(), Arc::clone(&detail));
        Some(detail)
    }
}

/// Events, and how many came at most at once.
struct Rows {
    rows: Result<Vec<Row>, Error>,
    most: usize,
}

impl Rows {
    const fn is_cut(&self) -> bool {
        self.most >= MOST_EVENTS
    }
}

/// What a Dashboard can filter by, exactly: one question for each namespace, with kind and name where there is one of each.
fn narrowings(asked: &Pairs) -> Vec<Pairs> {
    let one =
        |field: &str| plain_values(asked, field).filter(|values| values.len() == 1).map(|mut values| (field.to_owned(), values.remove(0)));
    let rest: Pairs = ["kind", "name"].into_iter().filter_map(one).collect();
    match plain_values(asked, "namespace").filter(|values| values.len() <= MOST_NAMESPACES) {
        Some(namespaces) => namespaces
            .into_iter()
            .map(|namespace| std::iter::once(("namespace".to_owned(), namespace)).chain(rest.clone()).collect())
            .collect(),
        None => vec![rest],
    }
}

impl Gathered {
    fn take(&mut self, rows: Vec<Row>, live: Vec<Listed>) {
        for row in rows {
            self.objects.entry(row.object_id.clone()).or_default().rows.push(row);
        }
        for listed in live {
            let known = self.objects.entry(listed.uid.clone()).or_default();
            known.live = Some(listed);
        }
    }

    fn take_archived(&mut self, archived: Vec<Listed>) {
        for listed in archived {
            let known = self.objects.entry(listed.uid.clone()).or_default();
            known.archived = Some(listed);
        }
    }

    /// Objects whose story is not whole, those that may matter most first.
    fn broken_off(&self, around: Window) -> Vec<(String, String)> {
        let past = around.to < self.now.saturating_sub(SignedDuration::from_mins(1)).unwrap_or(self.now);
        let mut unfinished = Vec::new();
        let mut archived = Vec::new();
        for (uid, known) in self.objects.iter().filter(|(_, known)| known.is_experiment()) {
            let Some(about) = known.about() else { continue };
            let older = known.created_at().is_none_or(|at| at < around.from);
            let begins = known.rows.iter().any(super::rows::Row::is_first);
            let ends = !past || known.rows.iter().any(super::rows::Row::is_removal);
            let place = (Reverse(known.created_at()), uid.clone(), about.namespace);
            match (&known.live, known.rows.is_empty()) {
                (_, false) if (older && !begins) || !ends => unfinished.push(place),
                (Some(live), true) if older && (past || !matches!(live.status.as_str(), "finished" | "paused")) => unfinished.push(place),
                (None, true) if older && past => archived.push(place),
                _ => {}
            }
        }
        unfinished.sort();
        archived.sort();
        unfinished
            .into_iter()
            .take(MOST_OBJECTS)
            .chain(archived.into_iter().take(MOST_ARCHIVED))
            .map(|(_, uid, namespace)| (uid, namespace))
            .collect()
    }

    async fn complete(&mut self, dashboard: &Dashboard, around: Window, who: &Identity, until: Instant) {
        let ask = |(uid, namespace): (String, String)| async move {
            let query = [("object_id", uid.clone()), ("namespace", namespace)].map(|(name, value)| (name.to_owned(), value)).to_vec();
            (uid, dashboard.rows(&query, who, until).await)
        };
        let answers: Vec<_> = futures_util::stream::iter(self.broken_off(around)).map(ask).buffer_unordered(AT_ONCE).collect().await;
        let mut failures = 0;
        for (uid, rows) in answers {
            match rows {
                Ok(rows) => self.objects.entry(uid).or_default().rows.extend(rows),
                Err(_) => failures += 1,
            }
        }
        if failures > 0 {
            self.notices.push(format!("Of {failures} experiments that began or ended outside this time the Dashboard did not tell more."));
        }
    }

    /// Adds specifications of the objects that have runs of interest.
    pub(super) async fn detailed(&mut self, dashboard: &Dashboard, wanted: impl Fn(&Run) -> bool, who: &Identity) {
        let until = dashboard.http.deadline();
        let listed = self.objects.iter().filter(|(_, known)| known.live.is_some() || known.archived.is_some());
        let of_interest = listed.filter(|(_, known)| known.runs("", self.now).iter().any(&wanted));
        let mut uids: Vec<_> = of_interest.map(|(uid, known)| (Reverse(known.created_at()), uid.clone())).collect();
        uids.sort();
        let objects = &self.objects;
        let ask = |(_, uid): (Reverse<Option<Timestamp>>, String)| async move {
            let detail = match objects.get(&uid) {
                Some(known) => dashboard.detail(known, &uid, who, until).await,
                None => None,
            };
            (uid, detail)
        };
        let answers: Vec<_> =
            futures_util::stream::iter(uids.into_iter().take(MOST_OBJECTS)).map(ask).buffer_unordered(AT_ONCE).collect().await;
        for (uid, detail) in answers {
            if let Some(known) = self.objects.get_mut(&uid) {
                known.detail = detail;
            }
        }
    }
}
