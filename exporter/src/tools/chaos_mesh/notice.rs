//! Kubernetes Events of Chaos Mesh → notices (`controllers/utils/recorder`).
//!
//! The name of such an Event ends with its time in nanoseconds, in hexadecimal; its annotations say what the message says in a structured
//! form. Events of client-go's recorder (podiochaos, podhttpchaos, condition) have such a name too, and no annotations.

use super::fields::{Undecodable, text, text_or_empty, time};
use super::{reasons, spec};
use chaoscope_model::event::Severity;
use chaoscope_model::observation::{Mark, News, Notice, Operation, TargetName};
use chaoscope_model::time::Moment;
use chaoscope_model::{Reference, Tool, shortened};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// What every annotation of the recorder begins with.
const PREFIX: &str = "chaos-mesh.org/";
/// How far the name's time may be from the API server's before it is no time at all.
const CREDIBLE: SignedDuration = SignedDuration::from_hours(24);
const MOST_ATTRIBUTES: usize = 16;
/// As long as an id of a record may be, so that both name the same target.
const LONGEST_ATTRIBUTE: usize = super::fields::LONGEST;

/// What an Event tells; `None` when it is about an object of somebody else.
pub(super) fn decode(object: &Value, seen: Timestamp) -> Result<Option<Notice>, Undecodable> {
    if !text_or_empty(object, "involvedObject.apiVersion")?.starts_with(PREFIX) {
        return Ok(None);
    }
    let about = Reference {
        kind: text_or_empty(object, "involvedObject.kind")?,
        namespace: text_or_empty(object, "involvedObject.namespace")?,
        name: text_or_empty(object, "involvedObject.name")?,
        uid: text(object, "involvedObject.uid")?.ok_or(Undecodable::Missing("involvedObject.uid"))?,
    };
    let name = text(object, "metadata.name")?.ok_or(Undecodable::Missing("metadata.name"))?;
    let attributes = attributes(object);
    let attribute = |key: &str| attributes.get(key).cloned();
    let reason = text_or_empty(object, "reason")?;
    let warning = text_or_empty(object, "type")? == "Warning";
    let target = attribute("id").map_or_else(TargetName::default, |id| spec::target(&about.kind, &id));
    Ok(Some(Notice {
        at: moment(&name, object, seen)?,
        news: news(&attributes),
        target,
        about,
        tool: Tool::ChaosMesh,
        name,
        seen,
        severity: if warning { Severity::Warning } else { Severity::Normal },
        own: attributes.contains_key("type") && reasons::is_known(&reason),
        reason,
        message: text_or_empty(object, "message")?,
        attributes,
    }))
}

fn attributes(object: &Value) -> BTreeMap<String, String> {
    let annotations = object.get("metadata").and_then(|metadata| metadata.get("annotations")).and_then(Value::as_object);
    let own = annotations.into_iter().flatten().filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value.as_str()?)));
    own.take(MOST_ATTRIBUTES).map(|(key, value)| (key.to_owned(), shortened(value, LONGEST_ATTRIBUTE))).collect()
}

fn news(attributes: &BTreeMap<String, String>) -> News {
    let of = |key: &str| attributes.get(key).cloned().unwrap_or_else(String::new);
    match of("type").as_str() {
        "applied" => News::Applied { id: of("id") },
        "recovered" => News::Recovered { id: of("id") },
        "failed" => News::Failed {
            operation: match of("activity").as_str() {
                "apply chaos" => Some(Operation::Apply),
                "recover chaos" => Some(Operation::Recover),
                _ => None,
            },
            message: of("err"),
        },
        "started" => News::Mark(Mark::Started),
        "time-up" => News::Mark(Mark::TimeUp),
        "paused" => News::Mark(Mark::Paused),
        "deleted" => News::Mark(Mark::Deleted),
        "finalizer-inited" => News::Mark(Mark::Taken),
        _ => News::Other,
    }
}

/// The time in the name, where it is credible; else the seconds the Event has.
fn moment(name: &str, object: &Value, seen: Timestamp) -> Result<Moment, Undecodable> {
    let created = time(object, "metadata.creationTimestamp")?;
    let told = time(object, "lastTimestamp")?.or(time(object, "eventTime")?).or(created);
    let exact = name.rsplit_once('.').and_then(|(_, hex)| i128::from_str_radix(hex, 16).ok());
    let exact = exact.and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok());
    let near = told.unwrap_or(seen);
    let credible = exact.filter(|at| at.duration_since(near).abs() < CREDIBLE);
    Ok(credible.map(Moment::exact).or(told.map(Moment::second)).unwrap_or(Moment::seen(seen)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(name: &str) -> Value {
        json!({
            "metadata": {"name": name, "creationTimestamp": "2026-11-21T13:56:47Z", "annotations": {"chaos-mesh.org/type": "applied", "chaos-mesh.org/id": "shop/web-0"}},
            "involvedObject": {"apiVersion": "chaos-mesh.org/v1alpha1", "kind": "NetworkChaos", "namespace": "shop", "name": "cut", "uid": "u"},
            "reason": "Applied", "message": "m", "type": "Normal", "lastTimestamp": "2026-11-21T13:56:47Z",
        })
    }

    #[test]
    fn the_name_tells_the_time_to_the_nanosecond() {
        let notice = decode(&event("cut.18ea1403c835db21"), Timestamp::UNIX_EPOCH).unwrap().unwrap();
        assert_eq!(notice.at, Moment::exact("2026-11-21T13:56:47.936994081Z".parse().unwrap()));
        assert_eq!(notice.target.pod, "web-0");
    }

    #[test]
    fn a_name_that_tells_no_credible_time_is_not_believed() {
        for name in ["cut", "cut.zz", "cut.1", "cut.7fffffffffffffff", "cut.ffffffffffffffffffffffffffffffffffffff"] {
            let notice = decode(&event(name), Timestamp::UNIX_EPOCH).unwrap().unwrap();
            assert_eq!(notice.at, Moment::second("2026-11-21T13:56:47Z".parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn only_the_recorders_own_reasons_are_its_own() {
        let own = |object: &Value| decode(object, Timestamp::UNIX_EPOCH).unwrap().unwrap().own;
        let mut object = event("cut.18ea1403c835db21");
        assert!(own(&object));
        object["reason"] = json!("Forged-1");
        assert!(!own(&object));
        object["reason"] = json!("Applied");
        object["metadata"]["annotations"] = json!({});
        assert!(!own(&object), "client-go's recorder annotates nothing");
    }

    #[test]
    fn what_is_about_others_is_left_out() {
        let mut object = event("cut.18ea1403c835db21");
        object["involvedObject"]["apiVersion"] = json!("v1");
        assert_eq!(decode(&object, Timestamp::UNIX_EPOCH), Ok(None));
    }
}
