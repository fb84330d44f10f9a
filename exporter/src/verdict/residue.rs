//! What of a sweep no open run declares: everything the survey found that is not accounted for ([`explained`]), whose it is ([`owner`]).
//!
//! Pure. From when on and until when it is called residue is told by `leftovers`. What is chaos-like at all, by `findings`.

mod explained;
mod owner;

use super::containers;
use super::findings::{Finding, Mark, Survey};
use crate::node::namespaces::Namespace;
use crate::node::sweep::Sweep;
use chaoscope_model::declared::DeclaredPod;
use chaoscope_model::verdict::Residue;
use chaoscope_model::{Pod, shortened};
use std::collections::BTreeMap;

/// Most characters of an object's text.
const OBJECT: usize = 256;

/// Everything chaos-like in a sweep that no open run declares, benign leftovers included; `first_seen` is the sweep's time.
/// `declared`: what is declared for the pods of this node, by uid; call it only when all of that has been told, for of a pod that is not
/// among it nothing is declared. Of what is in no pod's own network nothing ever is.
pub fn left_over(sweep: &Sweep, survey: &Survey, declared: &BTreeMap<String, DeclaredPod>) -> Vec<Residue> {
    let told = |pod: Option<&Pod>| pod.filter(|pod| !pod.uid.is_empty()).and_then(|pod| declared.get(&pod.uid));
    let mut out = Vec::new();
    for (observed, findings) in sweep.namespaces.iter().zip(&survey.namespaces).filter(|(_, findings)| !findings.is_empty()) {
        let namespace = &observed.namespace;
        let pod = told(namespace.pod.as_ref());
        let at_home = pod.filter(|_| namespace.primary);
        let (whose, netns) = place(namespace, pod);
        let rest = findings.iter().filter(|finding| !at_home.is_some_and(|pod| explained::is(pod, finding, None)));
        out.extend(rest.map(|finding| residue(sweep, finding, pod, (whose.clone(), String::new(), netns.clone()))));
    }
    for (whose, finding) in &survey.others {
        let pod = told(whose.as_ref());
        let (container, name) = container(sweep, &finding.mark);
        if !pod.is_some_and(|pod| explained::is(pod, finding, name)) {
            let netns = if whose.is_none() { surroundings(sweep, &finding.mark) } else { String::new() };
            out.push(residue(sweep, finding, pod, (named(whose.as_ref(), pod), container, netns)));
        }
    }
    out
}

fn residue(sweep: &Sweep, finding: &Finding, told: Option<&DeclaredPod>, (pod, container, netns): (Pod, String, String)) -> Residue {
    let owner::Owned { owner, experiment, run } = told.map_or_else(owner::Owned::unknown, |told| owner::of(told, finding));
    let Finding { effect, what, object, tool, .. } = finding;
    let (effect, what, object, tool) = (*effect, (*what).to_owned(), shortened(object, OBJECT), *tool);
    Residue { pod, container, netns, effect, owner, what, object, tool, experiment, run, first_seen: sweep.at }
}

/// The pod of a namespace, and what the namespace is called where that pod alone does not say which one it is.
fn place(namespace: &Namespace, told: Option<&DeclaredPod>) -> (Pod, String) {
    let pod = named(namespace.pod.as_ref(), told);
    let netns = if pod.is_named() && namespace.primary { String::new() } else { namespace.called() };
    (pod, netns)
}

/// A pod with the name it was declared by, where nobody on this node knows it.
fn named(pod: Option<&Pod>, told: Option<&DeclaredPod>) -> Pod {
    match (pod, told) {
        (Some(pod), _) if pod.is_named() => pod.clone(),
        (_, Some(told)) => told.pod.clone(),
        (pod, None) => pod.cloned().unwrap_or_default(),
    }
}

/// What the container is called, by its id where nobody knows its name; and the name alone.
fn container<'a>(sweep: &'a Sweep, mark: &'a Mark) -> (String, Option<&'a str>) {
    match mark {
        Mark::Process(_, _, Some(id)) => {
            let name = containers::name(sweep, id);
            (name.unwrap_or(id).to_owned(), name)
        }
        Mark::Volume(container, _) | Mark::Names(container) => {
            let nameless = sweep.looked.iter().any(|looked| looked.nameless && looked.container == *container);
            (container.clone(), Some(container.as_str()).filter(|_| !nameless))
        }
        _ => (String::new(), None),
    }
}

/// The network namespace a process of no pod is in.
fn surroundings(sweep: &Sweep, mark: &Mark) -> String {
    let Mark::Process(_, [pid, _], _) = mark else { return String::new() };
    let lives_in = sweep.helpers.iter().find(|(_, helper)| helper.pid == *pid).and_then(|(_, helper)| helper.lives_in);
    let mut namespaces = sweep.namespaces.iter().map(|observed| &observed.namespace);
    namespaces.find(|namespace| Some(namespace.place.id) == lives_in).map_or_else(String::new, Namespace::called)
}

#[cfg(test)]
mod tests;
