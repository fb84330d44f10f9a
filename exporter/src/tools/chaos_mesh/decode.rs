//! Objects of Chaos Mesh → observations: what each field means to us, from 2.5 to today's main (`api/v1alpha1`).
//!
//! A field of the wrong type is an error, and the object's last good version stays. To take in one more field: here, and in the model.

use super::expects::expected;
use super::fields::{Undecodable, at, conditions, count, integer, list, names, tag, text, text_or_empty, time};
use super::kinds::is_experiment;
use super::notice;
use super::pod_faults::pod_faults;
use super::spec;
use chaoscope_model::observation::{Desired, Object, Observation, Operation, Record, RecordPhase, Step};
use chaoscope_model::plan::{Place, Schedule, StatusCheck, Workflow, WorkflowNode};
use chaoscope_model::specification::{is_one_shot, parameters};
use chaoscope_model::{Parent, Reference, Tool};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the operator may add to decoding.
#[derive(Clone, Debug, Default)]
pub struct Decoding {
    /// Annotations that tell who started an experiment, first one wins; nothing else of the annotations is ever shown.
    pub started_by: Vec<String>,
}

/// Labels kept of an experiment, and their longest value (Kubernetes' own limit is 63).
const MOST_LABELS: usize = 32;
/// Targets kept of an experiment.
const MOST_RECORDS: usize = 10_000;

/// What an object tells; `None` for a kind that tells nothing.
pub fn decode(kind: &str, object: &Value, seen: Timestamp, decoding: &Decoding) -> Result<Option<Observation>, Undecodable> {
    Ok(Some(match kind {
        "Event" => return Ok(notice::decode(object, seen)?.map(|notice| Observation::Notice(Box::new(notice)))),
        "Schedule" => Observation::Schedule(Box::new(schedule(object)?)),
        "Workflow" => Observation::Workflow(Box::new(workflow(object)?)),
        "WorkflowNode" => Observation::WorkflowNode(Box::new(node(object)?)),
        "StatusCheck" => Observation::StatusCheck(Box::new(status_check(object)?)),
        "PodNetworkChaos" | "PodIOChaos" | "PodHttpChaos" => Observation::PodFaults(Box::new(pod_faults(kind, object)?)),
        "PhysicalMachine" | "RemoteCluster" => {
            Observation::Place(Box::new(Place { about: reference(kind, object)?, version: version(object)? }))
        }
        kind if is_experiment(kind) => Observation::Experiment(Box::new(experiment(kind, object, seen, decoding)?)),
        _ => return Ok(None),
    }))
}

/// Which object it is. Its kind is the watch's: items of a list may lack their own.
pub fn reference(kind: &str, object: &Value) -> Result<Reference, Undecodable> {
    Ok(Reference {
        kind: kind.to_owned(),
        namespace: text_or_empty(object, "metadata.namespace")?,
        name: text(object, "metadata.name")?.ok_or(Undecodable::Missing("metadata.name"))?,
        uid: text(object, "metadata.uid")?.ok_or(Undecodable::Missing("metadata.uid"))?,
    })
}

/// `metadata.resourceVersion`: a rising number in every API server so far, and since 1.35 by contract.
pub(super) fn version(object: &Value) -> Result<u64, Undecodable> {
    Ok(text(object, "metadata.resourceVersion")?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn experiment(kind: &str, object: &Value, seen: Timestamp, decoding: &Decoding) -> Result<Object, Undecodable> {
    let about = reference(kind, object)?;
    let held = conditions(object)?;
    let holds = |condition: &str| held.iter().any(|held| held == condition);
    let action = spec::action(kind, object)?;
    let annotated = |key: &str, value: &str| tag(object, "annotations", key) == Some(value);
    let desired = match text(object, "status.experiment.desiredPhase")?.as_deref() {
        Some("Run") => Some(Desired::Run),
        Some("Stop") => Some(Desired::Stop),
        _ => None,
    };
    let records = list(object, "status.experiment.containerRecords")?;
    if records.len() > MOST_RECORDS {
        return Err(Undecodable::Type { field: "status.experiment.containerRecords".to_owned(), expected: "a list of at most 10 000" });
    }
    Ok(Object {
        parent: parent(object, &about.namespace),
        about,
        tool: Tool::ChaosMesh,
        version: version(object)?,
        seen,
        created_at: time(object, "metadata.creationTimestamp")?,
        deletion_at: time(object, "metadata.deletionTimestamp")?,
        paused: annotated("experiment.chaos-mesh.org/pause", "true"),
        forced: annotated("chaos-mesh.chaos-mesh.org/cleanFinalizer", "forced"),
        desired,
        one_shot: is_one_shot(kind, &action),
        remote: text(object, "spec.remoteCluster")?.is_some_and(|cluster| !cluster.is_empty()),
        duration: text(object, "spec.duration")?.and_then(|text| duration(&text)),
        selected: holds("Selected"),
        all_injected: holds("AllInjected"),
        records: records.iter().map(|item| record(kind, &action, object, item)).collect::<Result<_, _>>()?,
        action,
        started_by: started_by(object, decoding),
        parameters: parameters(object),
        labels: labels(object),
    })
}

fn record(kind: &str, action: &str, object: &Value, item: &Value) -> Result<Record, Undecodable> {
    let id = text_or_empty(item, "id")?;
    let phase = match text_or_empty(item, "phase")?.as_str() {
        "Not Injected" => RecordPhase::NotInjected,
        "Not Injected/Wait" => RecordPhase::Applying,
        "Injected" => RecordPhase::Injected,
        "Injected/Wait" => RecordPhase::Recovering,
        _ => RecordPhase::Unknown,
    };
    let mut steps = Vec::new();
    for event in list(item, "events")? {
        let operation = match text_or_empty(event, "operation")?.as_str() {
            "Apply" => Operation::Apply,
            "Recover" => Operation::Recover,
            _ => continue,
        };
        let (Some(at), succeeded) = (time(event, "timestamp")?, text_or_empty(event, "type")? == "Succeeded") else { continue };
        steps.push(Step { at, operation, succeeded, message: text_or_empty(event, "message")? });
    }
    let injected = count(item, "injectedCount")?;
    let selector = text(item, "selectorKey")?.unwrap_or_else(|| ".".to_owned());
    Ok(Record {
        expects: expected(kind, action, object, &selector, &id)?,
        selector,
        target: spec::target(kind, &id),
        id,
        phase,
        // A record may be called injected by a release that does not count.
        injected: if matches!(phase, RecordPhase::Injected | RecordPhase::Recovering) { injected.max(1) } else { injected },
        recovered: count(item, "recoveredCount")?,
        steps,
    })
}

/// The schedule or the workflow that made an object: its owner, or what the label says.
fn parent(object: &Value, namespace: &str) -> Option<Parent> {
    let made_by = |kind: &str, name: &str, uid: &str| Parent {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
    };
    let owners = object.get("metadata").and_then(|metadata| metadata.get("ownerReferences")).and_then(Value::as_array);
    let field = |owner: &Value, key: &str| owner.get(key).and_then(Value::as_str).map(str::to_owned);
    let owned = owners.into_iter().flatten().find_map(|owner| {
        let kind = field(owner, "kind").filter(|kind| matches!(kind.as_str(), "Schedule" | "Workflow"))?;
        Some(made_by(&kind, &field(owner, "name")?, &field(owner, "uid")?))
    });
    let labelled = || tag(object, "labels", "chaos-mesh.org/workflow").map(|name| made_by("Workflow", name, ""));
    owned.or_else(labelled).or_else(|| tag(object, "labels", "managed-by").map(|name| made_by("Schedule", name, "")))
}

/// Who made it: an annotation the operator trusts, else the field manager that wrote it first.
fn started_by(object: &Value, decoding: &Decoding) -> Option<String> {
    let annotated = decoding.started_by.iter().find_map(|key| tag(object, "annotations", key));
    let managers = object.get("metadata").and_then(|metadata| metadata.get("managedFields")).and_then(Value::as_array);
    let manager = |entry: &'_ Value| {
        let own = entry.get("fieldsV1").and_then(|fields| fields.get("f:spec")).is_some();
        let name = entry.get("manager").and_then(Value::as_str)?.to_owned();
        Some((!own, entry.get("time").and_then(Value::as_str).unwrap_or("").to_owned(), name))
    };
    let first = || managers.into_iter().flatten().filter_map(manager).min().map(|(.., name)| name);
    annotated.map(str::to_owned).or_else(first).map(|text| chaoscope_model::shortened(&text, 128))
}

fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = object.get("metadata").and_then(|metadata| metadata.get("labels")).and_then(Value::as_object);
    let texts =
        labels.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), chaoscope_model::shortened(value.as_str()?, 63))));
    texts.take(MOST_LABELS).collect()
}

/// A duration as Go writes it: `1h30m`, `10s`, `1.5h`.
pub fn duration(text: &str) -> Option<SignedDuration> {
    text.parse().ok().filter(|duration: &SignedDuration| *duration < SignedDuration::from_hours(24 * 366 * 100))
}

/// What a schedule's children do, and for how long.
fn child(makes: &str, schedule: &Value) -> Result<(String, Option<SignedDuration>), Undecodable> {
    let child = spec::child(makes, schedule)?;
    let action = spec::action(makes, &child)?;
    let lasts = text(&child, "spec.duration")?.and_then(|text| duration(&text));
    let lasts = lasts.filter(|_| !is_one_shot(makes, &action));
    Ok((action, lasts))
}

fn schedule(object: &Value) -> Result<Schedule, Undecodable> {
    let makes = text_or_empty(object, "spec.type")?;
    // What its children do is an extra: where that makes no sense, its slots still do.
    let (action, duration) = child(&makes, object).unwrap_or((String::new(), None));
    Ok(Schedule {
        about: reference("Schedule", object)?,
        version: version(object)?,
        cron: text_or_empty(object, "spec.schedule")?,
        duration,
        makes,
        action,
        concurrency: text_or_empty(object, "spec.concurrencyPolicy")?,
        starting_deadline: integer(object, "spec.startingDeadlineSeconds")?,
        paused: tag(object, "annotations", "experiment.chaos-mesh.org/pause") == Some("true"),
        created_at: time(object, "metadata.creationTimestamp")?,
        last_at: time(object, "status.time")?,
        active: names(object, "status.active")?,
        deleting: at(object, "metadata.deletionTimestamp")?.is_some(),
    })
}

fn workflow(object: &Value) -> Result<Workflow, Undecodable> {
    let held = conditions(object)?;
    Ok(Workflow {
        about: reference("Workflow", object)?,
        version: version(object)?,
        entry: text_or_empty(object, "spec.entry")?,
        created_at: time(object, "metadata.creationTimestamp")?,
        started_at: time(object, "status.startTime")?,
        ended_at: time(object, "status.endTime")?,
        scheduled: held.iter().any(|held| held == "Scheduled"),
        accomplished: held.iter().any(|held| held == "Accomplished"),
        aborted: tag(object, "annotations", "workflow.chaos-mesh.org/abort") == Some("true"),
        deletion_at: time(object, "metadata.deletionTimestamp")?,
    })
}

fn node(object: &Value) -> Result<WorkflowNode, Undecodable> {
    let about = reference("WorkflowNode", object)?;
    let child = |kind: String, name: String| Reference { kind, namespace: about.namespace.clone(), name, uid: String::new() };
    let made = (text(object, "status.chaosResource.kind")?, text(object, "status.chaosResource.name")?);
    Ok(WorkflowNode {
        child: made.0.zip(made.1).map(|(kind, name)| child(kind, name)),
        about,
        version: version(object)?,
        workflow: text_or_empty(object, "spec.workflowName")?,
        template: text_or_empty(object, "spec.templateName")?,
        makes: text_or_empty(object, "spec.type")?,
        active_children: names(object, "status.activeChildren")?,
        finished_children: names(object, "status.finishedChildren")?,
        started_at: time(object, "spec.startTime")?,
        deadline_at: time(object, "spec.deadline")?,
        conditions: conditions(object)?,
    })
}

fn status_check(object: &Value) -> Result<StatusCheck, Undecodable> {
    Ok(StatusCheck {
        about: reference("StatusCheck", object)?,
        version: version(object)?,
        count: integer(object, "status.count")?.and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
        conditions: conditions(object)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decoded(spec: &Value, status: &Value) -> Object {
        let metadata = json!({"name": "a", "namespace": "shop", "uid": "u", "resourceVersion": "7"});
        let object = json!({"metadata": metadata, "spec": spec, "status": status});
        match decode("NetworkChaos", &object, Timestamp::UNIX_EPOCH, &Decoding::default()).unwrap() {
            Some(Observation::Experiment(object)) => *object,
            other => panic!("{other:?}"),
        }
    }

    fn conditions(selected: &str, injected: &str, recovered: &str) -> Value {
        json!([{"type": "AllRecovered", "status": recovered}, {"type": "Paused", "status": "False"},
               {"type": "Selected", "status": selected}, {"type": "AllInjected", "status": injected}])
    }

    #[test]
    fn without_records_each_release_claims_its_own_and_none_claims_a_selection() {
        for (release, claimed) in [("2.5", "True"), ("2.6", "True"), ("2.7", "False")] {
            let object =
                decoded(&json!({}), &json!({"conditions": conditions("False", claimed, claimed), "experiment": {"desiredPhase": "Run"}}));
            assert_eq!((object.selected, object.all_injected), (false, claimed == "True"), "{release}");
            assert!(object.records.is_empty() && object.desired == Some(Desired::Run), "{release}");
        }
    }

    #[test]
    fn a_record_of_2_6_has_all_of_its_events_and_one_of_2_7_the_newest_hundred() {
        for (release, count) in [("2.6", 250), ("2.7", 100)] {
            let mut events =
                vec![json!({"type": "Failed", "operation": "Apply", "message": "no", "timestamp": "2026-11-21T15:00:00Z"}); count - 1];
            events.push(json!({"type": "Succeeded", "operation": "Apply", "timestamp": "2026-11-21T15:10:00Z"}));
            let record = json!({"id": "shop/web-0", "selectorKey": ".", "phase": "Injected", "injectedCount": 2, "recoveredCount": 1, "events": events});
            let object = decoded(&json!({}), &json!({"experiment": {"desiredPhase": "Run", "containerRecords": [record]}}));
            let record = &object.records[0];
            assert_eq!((record.injected, record.recovered, record.phase), (2, 1, RecordPhase::Injected), "{release}");
            assert_eq!(record.steps.last().map(|step| step.at.to_string()).as_deref(), Some("2026-11-21T15:10:00Z"), "{release}");
        }
    }

    #[test]
    fn an_object_for_another_cluster_may_have_no_status_before_2_7() {
        let object = decoded(&json!({"remoteCluster": "far", "rate": {"rate": "1mbps"}}), &Value::Null);
        assert!(object.remote && !object.selected && object.desired.is_none() && object.records.is_empty());
        assert_eq!(object.parameters.get("rate.rate").map(String::as_str), Some("1mbps"), "netem's rate came with 2.7");
    }

    #[test]
    fn a_schedule_whose_child_makes_no_sense_still_has_its_slots() {
        let metadata = json!({"name": "a", "namespace": "shop", "uid": "u", "resourceVersion": "7"});
        for child in [json!({"networkChaos": 7}), json!({"networkChaos": {"action": [1]}})] {
            let mut spec = json!({"type": "NetworkChaos", "schedule": "@every 5m"});
            spec.as_object_mut().unwrap().extend(child.as_object().unwrap().clone());
            let schedule = schedule(&json!({"metadata": metadata, "spec": spec})).unwrap();
            assert_eq!((schedule.cron.as_str(), schedule.action.as_str(), schedule.duration), ("@every 5m", "", None), "{child}");
        }
    }
}
