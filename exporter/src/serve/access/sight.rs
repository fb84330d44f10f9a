//! What may be seen, given what may be listed: the rules of `docs/access.md`, pure.
//!
//! Apart from who answers (`reviews`), so that each rule is a test of its own. To change who sees what, change it here.
//!
//! A caller sees a run whole if it may list the run's kind in the experiment's namespace; else those of its targets in whose namespaces it
//! may list pods; else nothing. An event about no target goes with all of them, because its message may name any. A run whose kind no API
//! server knows (tool `kernel`, or a tool without custom resources here) is seen by its targets alone, and whole by who may list pods
//! everywhere.

use crate::tools::chaos_mesh::kinds;
use chaoscope_model::Tool;
use chaoscope_model::event::Event;
use chaoscope_model::run::{Run, Target};

/// What a caller may list or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Resource {
    /// API group; empty for the core group.
    pub(super) group: &'static str,
    /// Its name in paths and rules.
    pub(super) plural: &'static str,
}

const PODS: Resource = Resource { group: "", plural: "pods" };
/// Who may list this everywhere may see what is said of Chaoscope itself, which is about the whole cluster.
pub(super) const INSTANCE: Resource = PODS;

/// Answers whether the caller may list a resource in a namespace; the empty namespace is all of them at once.
pub(super) type May<'a> = dyn Fn(Resource, &str) -> bool + 'a;

/// Applies the rules. `cluster` is the name of the cluster whose API server answers: its namespaces are not those of another cluster, whose
/// runs (an imported journal) are only for who may list everywhere.
pub(super) struct Rules<'a> {
    pub(super) cluster: &'a str,
    pub(super) may: &'a May<'a>,
}

impl Rules<'_> {
    /// The run with those targets only that may be seen.
    pub(super) fn see(&self, run: &Run) -> Option<Run> {
        let local = run.cluster == self.cluster;
        let kind = resource(run.tool, &run.kind);
        let whole = kind.map_or_else(|| self.everywhere(PODS), |kind| self.list(kind, &run.namespace, local));
        if whole {
            return Some(run.clone());
        }
        let sees = |target: &&Target| !target.namespace.is_empty() && self.list(PODS, &target.namespace, local);
        let targets: Vec<_> = run.targets.iter().filter(sees).cloned().collect();
        (!targets.is_empty()).then(|| Run { targets, ..bare(run) })
    }

    /// Whether objects of a kind may be listed in a namespace of this cluster.
    pub(super) fn sees_object(&self, tool: Tool, kind: &str, namespace: &str) -> bool {
        resource(tool, kind).is_some_and(|kind| self.list(kind, namespace, true))
    }

    /// Whether pods may be listed in a namespace of this cluster.
    pub(super) fn sees_pods(&self, namespace: &str) -> bool {
        self.list(PODS, namespace, true)
    }

    /// Whether an event may be seen: by its own object's kind, else by its run.
    pub(super) fn sees_event(&self, event: &Event, run: Option<&Run>) -> bool {
        let local = event.cluster == self.cluster;
        let own = match resource(event.tool, &event.kind) {
            Some(kind) => self.list(kind, &event.namespace, local),
            None => self.list(PODS, &event.target_namespace, local),
        };
        own || run.is_some_and(|run| self.see(run).is_some_and(|seen| concerns(event, &seen, run)))
    }

    /// Everywhere is asked first, so that one answer serves all namespaces.
    fn list(&self, resource: Resource, namespace: &str, local: bool) -> bool {
        self.everywhere(resource) || (local && !namespace.is_empty() && (self.may)(resource, namespace))
    }

    fn everywhere(&self, resource: Resource) -> bool {
        (self.may)(resource, "")
    }
}

/// What stands for a kind in the API server's rules; `None` where it knows no such kind.
fn resource(tool: Tool, kind: &str) -> Option<Resource> {
    match tool {
        Tool::ChaosMesh => {
            let known = kinds::by_kind(kind).filter(|known| known.group == kinds::GROUP)?;
            Some(Resource { group: known.group, plural: known.plural })
        }
        _ => None,
    }
}

/// A run without its targets.
fn bare(run: &Run) -> Run {
    Run { targets: Vec::new(), ..run.clone() }
}

/// Whether an event is about what is seen of a run: about a target that is seen. One about no target is about all of them, and its message may
/// name any (Chaos Mesh's `Failed` does): it is for who sees them all.
fn concerns(event: &Event, seen: &Run, whole: &Run) -> bool {
    let about_a_target = [&event.target_namespace, &event.target_pod, &event.target_container].iter().any(|name| !name.is_empty());
    let is_it = |target: &Target| {
        target.namespace == event.target_namespace
            && target.pod == event.target_pod
            && (event.target_container.is_empty() || target.container.is_empty() || target.container == event.target_container)
    };
    if about_a_target { seen.targets.iter().any(is_it) } else { seen.targets.len() == whole.targets.len() }
}

#[cfg(test)]
mod tests;
