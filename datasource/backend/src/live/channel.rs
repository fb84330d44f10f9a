//! A channel's path: the query it keeps current, written so that whoever subscribes needs nothing else.
//!
//! Grafana allows 160 characters of `A-z0-9_-/=.` for `ds/<uid>/<path>` (its `live.ParseChannel` and `isValidChannel`). What does not fit is
//! kept here by a number that nobody can guess, until the process ends: then the panel's next refresh makes a new channel.

use crate::query::parse::{self, Asked, Refused};
use crate::query::{Ask, Form, Query, Window};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest channel, in characters.
const LONGEST: usize = 160;
/// Queries too long for a path that are kept at once.
const KEPT: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Longest query that is kept, in bytes.
const LARGEST: usize = 64 << 10;
/// A panel is kept current if its right end is at most so far from now.
const NOW: SignedDuration = SignedDuration::from_mins(2);

/// What a channel keeps current.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    /// The query as it was saved.
    #[serde(rename = "q")]
    json: Value,
    /// How much time the panel shows, in milliseconds.
    #[serde(rename = "s")]
    span: u64,
    /// The panel's step, in milliseconds.
    #[serde(rename = "i")]
    interval: u64,
    /// The panel's width in points.
    #[serde(rename = "m", default, skip_serializing_if = "is_zero")]
    max_points: i64,
    /// Rows where the query does not say.
    #[serde(rename = "l")]
    limit: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands it over so
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Keys of a saved query that say nothing about its answer.
const IRRELEVANT: [&str; 9] =
    ["refId", "datasource", "datasourceId", "hide", "key", "stream", "intervalMs", "maxDataPoints", "matchDashboard"];

impl Topic {
    /// The topic of a query, if it can be kept current: one frame, up to now.
    pub fn of(query: &Query, saved: &Value, limit: usize, now: Timestamp) -> Option<Self> {
        let single = !matches!(query.ask, Ask::Timeline(_) | Ask::Values(_) | Ask::Legacy);
        if !query.stream || !single || query.question.window.to.duration_since(now).abs() > NOW {
            return None;
        }
        let mut json = saved.as_object()?.clone();
        json.retain(|key, value| !IRRELEVANT.contains(&key.as_str()) && !value.is_null());
        let span = query.question.window.to.duration_since(query.question.window.from);
        let max_points = i64::try_from(query.max_points).unwrap_or(i64::MAX);
        // Only a series has a step; the others then share a channel whatever the panels' widths.
        let series = matches!(query.ask, Ask::Active { form: Form::Series, .. });
        let interval = if series { u64::try_from(query.interval.as_millis()).unwrap_or(u64::MAX) } else { 0 };
        // Grafana moves both ends by themselves when it refreshes; a second more or less is the same panel.
        let span = u64::try_from(span.as_secs()).ok()?.saturating_mul(1000);
        let (max_points, limit) = (if series { max_points } else { 0 }, i64::try_from(limit).unwrap_or(i64::MAX));
        Some(Self { json: Value::Object(json), span, interval, max_points, limit })
    }

    /// The panel's step.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval)
    }

    /// Which kind of query it is, for the log.
    pub fn kind(&self) -> &str {
        self.json.get("queryType").and_then(Value::as_str).unwrap_or("runs")
    }

    /// The query with its window ending now.
    pub fn query(&self, now: Timestamp) -> Result<Query, Refused> {
        let span = SignedDuration::from_millis(i64::try_from(self.span).unwrap_or(i64::MAX));
        let from = now.checked_sub(span).map_err(|_| Refused("the channel's window is longer than time".to_owned()))?;
        let asked = Asked {
            ref_id: "live",
            window: Window { from, to: now },
            interval: self.interval().max(Duration::from_secs(1)),
            max_points: self.max_points.max(1),
            query_type: "",
            from_alert: false,
            limit: usize::try_from(self.limit).ok(),
        };
        parse::query(&asked, &self.json)
    }
}

/// Queries too long for a path, by number. One for all datasources: the number is random, so that nobody finds another's.
pub struct Topics {
    kept: Mutex<LruCache<String, (Owner, Topic)>>,
    seed: RandomState,
}

/// Organisation and uid of a datasource.
type Owner = (i64, String);

impl Default for Topics {
    fn default() -> Self {
        Self { kept: Mutex::new(LruCache::new(KEPT)), seed: RandomState::new() }
    }
}

impl Topics {
    /// The channel of a topic.
    pub fn channel(&self, org: i64, uid: &str, topic: Topic) -> Option<String> {
        let text = serde_json::to_vec(&topic).ok().filter(|text| text.len() <= LARGEST)?;
        let whole = format!("ds/{uid}/q/{}", URL_SAFE_NO_PAD.encode(&text));
        if whole.len() <= LONGEST {
            return Some(whole);
        }
        let owner = (org, uid.to_owned());
        // Two hashes with a key of this process: the same query has the same channel, and nobody outside can make one.
        let number = format!("{:016x}{:016x}", self.seed.hash_one((&owner, &text)), self.seed.hash_one((&text, &owner)));
        let short = format!("ds/{uid}/h/{number}");
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).put(number, (owner, topic));
        (short.len() <= LONGEST).then_some(short)
    }

    /// The topic of a path (a channel without `ds/<uid>/`).
    pub fn topic(&self, org: i64, uid: &str, path: &str) -> Option<Topic> {
        match path.split_once('/')? {
            ("q", text) if text.len() <= LONGEST => serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok(),
            ("h", number) => {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.get(number).filter(|(owner, _)| owner.0 == org && owner.1 == uid).map(|(_, topic)| topic.clone())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn topic(json: Value) -> Topic {
        Topic { json, span: 21_600_000, interval: 0, max_points: 0, limit: 1000 }
    }

    #[test]
    fn a_short_query_is_its_path() {
        let topics = Topics::default();
        let wanted = topic(json!({"queryType": "runs", "filters": {"target_namespace": ["shop"]}}));
        let channel = topics.channel(1, "chaoscope", wanted.clone()).unwrap();
        assert!(channel.len() <= LONGEST && channel.starts_with("ds/chaoscope/q/"), "{channel}");
        assert!(channel.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-/=.".contains(&byte)));
        let path = channel.strip_prefix("ds/chaoscope/").unwrap();
        assert_eq!(Topics::default().topic(2, "elsewhere", path), Some(wanted)); // another process, too
    }

    #[test]
    fn a_long_query_is_kept_for_its_datasource_alone() {
        let topics = Topics::default();
        let names: Vec<_> = (0..50).map(|number| format!("experiment-{number}")).collect();
        let wanted = topic(json!({"queryType": "runs", "filters": {"name": names}}));
        let channel = topics.channel(1, "a", wanted.clone()).unwrap();
        assert_eq!(topics.channel(1, "a", wanted.clone()).unwrap(), channel);
        assert_ne!(topics.channel(2, "a", wanted.clone()).unwrap(), channel);
        let path = channel.strip_prefix("ds/a/").unwrap();
        assert_eq!(topics.topic(1, "a", path), Some(wanted));
        assert_eq!((topics.topic(2, "a", path), topics.topic(1, "b", path), Topics::default().topic(1, "a", path)), (None, None, None));
    }

    #[test]
    fn what_is_no_path_of_ours_is_nobody() {
        let topics = Topics::default();
        for path in ["", "q", "q/", "q/!!", "q/bm90IGpzb24", "h/0", "x/1", "../q/e30"] {
            assert_eq!(topics.topic(1, "a", path), None, "{path}");
        }
    }
}
