//! Which container of a sweep is the one that a target names: by its name, or, where nobody on the node knows names, any of the pod's.

use super::judge::unknown;
use crate::node::processes::Helper;
use crate::node::sweep::{Files, Looked, Sweep};
use crate::tools::helpers::HelperKind;
use chaoscope_model::Pod;
use chaoscope_model::declared::DeclaredTarget;
use chaoscope_model::verdict::Judgement;

/// The containers of `pod` that one called `name` may be. Where names are known and this one is not among them, it does not run or was not
/// told of: nothing is known of it.
pub(super) fn called<'a>(pod: &Pod, name: &str, sweep: &'a Sweep) -> Result<Vec<&'a Looked>, Judgement> {
    let own: Vec<&Looked> = sweep.looked.iter().filter(|looked| !pod.uid.is_empty() && looked.pod == pod.uid).collect();
    let has_names = own.iter().any(|looked| !looked.nameless);
    let fits = |looked: &&Looked| if has_names { !looked.nameless && (name.is_empty() || looked.container == name) } else { true };
    let found: Vec<&Looked> = own.into_iter().filter(fits).collect();
    if found.is_empty() { Err(unknown("not_visited")) } else { Ok(found) }
}

/// What chaos did to the files of these containers of `pod`.
pub(super) fn files<'a>(pod: &Pod, containers: &[&Looked], sweep: &'a Sweep) -> Vec<&'a Files> {
    let own = |files: &&Files| files.pod.as_ref().is_some_and(|of| of.uid == pod.uid);
    let among = |files: &&Files| containers.iter().any(|looked| looked.container == files.container);
    sweep.mounts.iter().filter(own).filter(among).collect()
}

/// What a container is called; `None` where only its id is known.
pub(super) fn name<'a>(sweep: &'a Sweep, id: &str) -> Option<&'a str> {
    let residents = sweep.namespaces.iter().flat_map(|observed| &observed.namespace.containers);
    let found = residents.into_iter().find(|resident| resident.id == id && !resident.name.is_empty());
    found.map(|resident| resident.name.as_str())
}

/// The processes of one kind that act on `pod`.
pub(super) fn helpers<'a>(pod: &Pod, kind: HelperKind, sweep: &'a Sweep) -> impl Iterator<Item = &'a Helper> {
    let own = sweep.helpers.iter().filter(|(of, _)| of.as_ref().is_some_and(|of| !of.uid.is_empty() && of.uid == pod.uid));
    own.map(|(_, helper)| helper).filter(move |helper| helper.kind == kind)
}

/// Whether a process may act on the container called `name`: it does, or which one it acts on is not known.
pub(super) fn may_be(helper: &Helper, container: &str, sweep: &Sweep) -> bool {
    let known = helper.target.container_id.as_deref().and_then(|id| name(sweep, id));
    container.is_empty() || known.is_none_or(|known| known == container)
}

/// As the pod's objects call the experiment of a target.
pub(super) fn source(target: &DeclaredTarget) -> String {
    format!("{}/{}", target.experiment.namespace, target.experiment.name)
}
