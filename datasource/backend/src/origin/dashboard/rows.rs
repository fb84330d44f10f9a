//! What a Dashboard answers, row by row, and what its events' messages say: a [`Row`] becomes a notice of the model.
//!
//! A Dashboard keeps reason and message of a Kubernetes Event and drops its annotations, so the message is all there is to read. Its wording
//! is that of Chaos Mesh's recorder (2.5 to 2.8). Pure.

use chaoscope_model::event::Severity;
use chaoscope_model::observation::{Mark, News, Notice, Operation};
use chaoscope_model::specification::target;
use chaoscope_model::time::Moment;
use chaoscope_model::{Reference, Tool, shortened};
use jiff::{SignedDuration, Timestamp};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// Longest message and longest id of a target that are kept.
const LONGEST_MESSAGE: usize = 1024;
const LONGEST_ID: usize = 256;

/// An event as `/api/events` answers it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Row {
    /// Counts insertions: a Dashboard that restarts inserts what it finds again.
    pub(super) id: i64,
    pub(super) object_id: String,
    /// Whole seconds.
    pub(super) created_at: Timestamp,
    #[serde(default, deserialize_with = "text")]
    pub(super) namespace: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) kind: String,
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub(super) severity: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) reason: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) message: String,
}

/// One of a list of events: as it should be, or not.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Told {
    /// As it should be.
    Row(Row),
    /// Without a time or an object, or of other types.
    Other(IgnoredAny),
}

impl Told {
    pub(super) fn row(self) -> Option<Row> {
        match self {
            Self::Row(row) => Some(row),
            Self::Other(_) => None,
        }
    }
}

/// An experiment, an archive, a schedule or a workflow in a list. An archive has no status.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) uid: String,
    pub(super) namespace: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "known")]
    pub(super) created_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) status: String,
}

/// A time; a workflow that has not begun has an empty one.
fn known<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// A text; a column of the Dashboard's database may hold none.
fn text<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(input)?.unwrap_or_default())
}

impl Row {
    /// Whether it says that the object's finalizer is gone, and so the object.
    pub(super) fn is_removal(&self) -> bool {
        self.reason == "FinalizerInited" && self.message.ends_with("removed")
    }

    /// Whether it is the first thing ever said about an experiment.
    pub(super) fn is_first(&self) -> bool {
        self.reason == "FinalizerInited" && !self.is_removal()
    }

    /// Whether it is about an experiment, and not about what makes some.
    pub(super) fn is_of_experiment(&self) -> bool {
        !matches!(self.kind.as_str(), "Schedule" | "Workflow" | "WorkflowNode")
    }

    /// Whether it says anything about a run.
    pub(super) fn tells(&self) -> bool {
        matches!(self.reason.as_str(), "Applied" | "Recovered" | "Started" | "TimeUp" | "Paused" | "Deleted" | "FinalizerInited" | "Failed")
    }

    pub(super) fn about(&self) -> Reference {
        Reference { kind: self.kind.clone(), namespace: self.namespace.clone(), name: self.name.clone(), uid: self.object_id.clone() }
    }

    fn news(&self) -> News {
        let id = || self.message.rsplit_once(" chaos for ").map_or_else(String::new, |(_, id)| shortened(id.trim(), LONGEST_ID));
        match self.reason.as_str() {
            "Applied" => News::Applied { id: id() },
            "Recovered" => News::Recovered { id: id() },
            "Started" => News::Mark(Mark::Started),
            "TimeUp" => News::Mark(Mark::TimeUp),
            "Paused" => News::Mark(Mark::Paused),
            "Deleted" => News::Mark(Mark::Deleted),
            "FinalizerInited" if self.is_first() => News::Mark(Mark::Taken),
            "Failed" => {
                let (activity, reason) =
                    self.message.strip_prefix("Failed to ").and_then(|text| text.split_once(": ")).unwrap_or(("", &self.message));
                let operation = match activity {
                    "apply chaos" => Some(Operation::Apply),
                    "recover chaos" => Some(Operation::Recover),
                    _ => None,
                };
                News::Failed { operation, message: shortened(reason, LONGEST_MESSAGE) }
            }
            _ => News::Other,
        }
    }

    /// The notice it was. `rank` is its place among those of the same object and second: what came first counts as earlier.
    pub(super) fn notice(&self, rank: usize) -> Notice {
        let news = self.news();
        let id = match &news {
            News::Applied { id } | News::Recovered { id } => id.clone(),
            _ => String::new(),
        };
        let later = SignedDuration::from_micros(i64::try_from(rank.min(999_999)).unwrap_or(0));
        Notice {
            about: self.about(),
            tool: Tool::ChaosMesh,
            name: format!("dashboard.{}", self.id),
            at: Moment::exact(self.created_at.saturating_add(later).unwrap_or(self.created_at)),
            seen: self.created_at,
            target: target(&self.kind, &id),
            news,
            severity: if self.severity == "Warning" { Severity::Warning } else { Severity::Normal },
            reason: shortened(&self.reason, LONGEST_ID),
            message: shortened(&self.message, LONGEST_MESSAGE),
            attributes: if id.is_empty() { BTreeMap::new() } else { [("id".to_owned(), id)].into() },
            own: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(reason: &str, message: &str) -> News {
        let row = Row {
            id: 1,
            object_id: "u".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            namespace: "shop".to_owned(),
            name: "cut".to_owned(),
            kind: "NetworkChaos".to_owned(),
            severity: "Normal".to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        row.news()
    }

    #[test]
    fn messages_say_what_happened() {
        let id = "shop/web-0".to_owned();
        assert_eq!(news("Applied", "Successfully apply chaos for shop/web-0"), News::Applied { id: id.clone() });
        assert_eq!(news("Recovered", "Successfully recover chaos for shop/web-0"), News::Recovered { id });
        assert_eq!(news("FinalizerInited", "Finalizer has been inited"), News::Mark(Mark::Taken));
        assert_eq!(news("FinalizerInited", "Finalizer has been removed"), News::Other);
        let failed = |operation, message: &str| News::Failed { operation, message: message.to_owned() };
        assert_eq!(news("Failed", "Failed to apply chaos: a: b"), failed(Some(Operation::Apply), "a: b"));
        assert_eq!(news("Failed", "Failed to select targets: no pod is selected"), failed(None, "no pod is selected"));
        assert_eq!(news("Failed", ""), failed(None, ""));
        assert_eq!(news("Updated", "Successfully update records of resource"), News::Other);
    }

    #[test]
    fn a_list_may_lack_a_time() {
        let listed = |time: &str| {
            serde_json::from_str::<Listed>(&format!(r#"{{"uid":"u","namespace":"n","name":"m","created_at":{time}}}"#)).unwrap().created_at
        };
        let row: Row =
            serde_json::from_str(r#"{"id":1,"object_id":"u","created_at":"2026-11-21T14:00:00Z","message":null,"new":1}"#).unwrap();
        assert_eq!((row.message.as_str(), row.news()), ("", News::Other));
        assert!(listed("\"2026-11-21T14:00:00Z\"").is_some() && listed("\"\"").is_none() && listed("null").is_none());
    }

    #[test]
    fn a_target_is_a_pod_or_nothing() {
        let told = |kind: &str, id: &str| {
            let target = target(kind, id);
            format!("{}|{}|{}", target.namespace, target.pod, target.container)
        };
        assert_eq!(told("PodChaos", "shop/db-0/db"), "shop|db-0|db");
        assert_eq!(told("IOChaos", "shop/db-0/db//data"), "shop|db-0|db");
        assert_eq!(told("AWSChaos", "a/b"), "||");
        assert_eq!(told("BlockChaos", "a"), "||");
    }
}
