//! What a variable may list, out of runs, events and schedules. Pure, but for [`found`], which waits for what it was given.

use super::{Error, Found, Upcoming};
use crate::query::List;
use chaoscope_model::event::Event;
use chaoscope_model::query::closed;
use chaoscope_model::run::{Run, Target};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

/// Most values of a list: more are no menu.
pub(super) const MOST: usize = 1000;
/// Runs or events looked at for a list.
pub(super) const LOOKED_AT: usize = 5000;

/// Where the values of a list are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: the words are known.
    Known,
    /// In runs.
    Runs,
    /// In runs, and in what schedules will start.
    Schedules,
    /// In events.
    Events,
}

pub(super) fn place(list: &List) -> Place {
    match list {
        List::Schedules => Place::Schedules,
        List::Field(field) if field == "reason" => Place::Events,
        List::Field(field) if field != "tool" && closed(field).is_some() => Place::Known,
        _ => Place::Runs,
    }
}

/// The values of a list: known, or in whichever of runs and events has them; the other is not asked for.
pub(super) async fn found(
    list: &List,
    runs: impl Future<Output = Result<Found<Arc<Run>>, Error>>,
    events: impl Future<Output = Result<Found<Arc<Event>>, Error>>,
) -> Result<Found<String>, Error> {
    Ok(match place(list) {
        Place::Known => Found::whole(known(list)),
        Place::Events => {
            let found = events.await?;
            Found { items: of_events(&found.items), cut: found.cut, notices: found.notices }
        }
        Place::Runs | Place::Schedules => {
            let found = runs.await?;
            Found { items: of_runs(list, &found.items), cut: found.cut, notices: found.notices }
        }
    })
}

/// No more than a menu holds.
pub(super) fn bounded(mut found: Found<String>) -> Found<String> {
    found.cut |= found.items.len() > MOST;
    found.items.truncate(MOST);
    found
}

/// The words of a list that is known without asking.
pub(super) fn known(list: &List) -> Vec<String> {
    let List::Field(field) = list else { return Vec::new() };
    closed(field).into_iter().flatten().filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Values in runs.
pub(super) fn of_runs(list: &List, runs: &[Arc<Run>]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for run in runs {
        match list {
            List::Tools => add(&mut found, run.tool.as_str()),
            List::Clusters => add(&mut found, &run.cluster),
            List::Kinds => add(&mut found, &run.kind),
            List::Namespaces => add(&mut found, &run.namespace),
            List::Experiments => add(&mut found, &run.name),
            List::Schedules => parent(&mut found, run, "Schedule"),
            List::Workflows => parent(&mut found, run, "Workflow"),
            List::Targets(field) => run.targets.iter().for_each(|target| add(&mut found, of_target(target, field))),
            List::Field(field) => of_field(&mut found, run, field),
        }
    }
    sorted(found)
}

fn of_field(found: &mut BTreeSet<String>, run: &Run, field: &str) {
    match field {
        "tool" => add(found, run.tool.as_str()),
        "cluster" => add(found, &run.cluster),
        "kind" => add(found, &run.kind),
        "namespace" => add(found, &run.namespace),
        "name" => add(found, &run.name),
        "label" => run.labels.iter().for_each(|(key, value)| add(found, &format!("{key}={value}"))),
        field => run.targets.iter().for_each(|target| add(found, of_target(target, field))),
    }
}

fn of_target<'t>(target: &'t Target, field: &str) -> &'t str {
    match field {
        "target_namespace" => &target.namespace,
        "target_pod" => &target.pod,
        "target_node" => &target.node,
        "target_workload" => &target.workload,
        _ => "",
    }
}

/// A workflow's node may be what made the experiment: its workflow is not said then.
fn parent(found: &mut BTreeSet<String>, run: &Run, kind: &str) {
    if let Some(parent) = run.parent.as_ref().filter(|parent| parent.kind == kind) {
        add(found, &parent.name);
    }
}

/// Reasons in events.
pub(super) fn of_events(events: &[Arc<Event>]) -> Vec<String> {
    sorted(events.iter().map(|event| event.reason.clone()).filter(|reason| !reason.is_empty()).collect())
}

/// With the names of schedules that will start something.
pub(super) fn with_schedules(values: Vec<String>, upcoming: &[Upcoming]) -> Vec<String> {
    sorted(values.into_iter().chain(upcoming.iter().map(|upcoming| upcoming.schedule.clone())).collect())
}

fn add(found: &mut BTreeSet<String>, value: &str) {
    if !value.is_empty() {
        found.insert(value.to_owned());
    }
}

fn sorted(found: BTreeSet<String>) -> Vec<String> {
    found.into_iter().collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// A run of that namespace and name.
    pub(crate) fn run(namespace: &str, name: &str) -> Run {
        let target = json!({
            "id": "shop/web-0", "namespace": "shop", "pod": "web-0", "container": "", "netns": "", "node": "n1", "workload": "web",
            "workload_kind": "StatefulSet", "role": "selected", "state": "injected", "precision": {}, "message": "",
        });
        let parent = json!({"kind": "Schedule", "namespace": namespace, "name": "nightly", "uid": "s"});
        let names = json!({
            "id": format!("{namespace}/{name}"), "tool": "chaos-mesh", "cluster": "blue", "kind": "PodChaos", "action": "",
            "namespace": namespace, "name": name, "uid": "u", "ordinal": 1, "phase": "running", "started_at": "2026-11-21T14:00:00Z",
        });
        let mut run =
            json!({"baseline": false, "precision": {}, "parent": parent, "parameters": {}, "labels": {"team": "one"}, "targets": [target]});
        run.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
        serde_json::from_value(run).unwrap()
    }

    #[test]
    fn each_list_has_its_values_once() {
        let runs = [Arc::new(run("shop", "b")), Arc::new(run("shop", "a")), Arc::new(run("lab", "a"))];
        let of = |list: &List| of_runs(list, &runs).join(" ");
        assert_eq!(of(&List::Tools), "chaos-mesh");
        assert_eq!(of(&List::Clusters), "blue");
        assert_eq!(of(&List::Namespaces), "lab shop");
        assert_eq!(of(&List::Experiments), "a b");
        assert_eq!(of(&List::Schedules), "nightly");
        assert_eq!(of(&List::Workflows), "");
        assert_eq!(of(&List::Targets("target_workload".to_owned())), "web");
        assert_eq!(of(&List::Field("label".to_owned())), "team=one");
        assert_eq!(of(&List::Field("target_node".to_owned())), "n1");
        assert_eq!(place(&List::Field("phase".to_owned())), Place::Known);
        assert!(known(&List::Field("phase".to_owned())).contains(&"stuck".to_owned()));
    }
}
