//! What the manifests let Chaoscope do in a cluster: look, and ask about callers; and that the node role may nothing at all.
//!
//! Apart because it reads YAML. To allow more, change [`ALLOWED`], with the reason; for a new kind, the base role tells what is missing.
//! The chart's templates are not read here: `tests/manifests.rs` holds what they make equal to the base.

use crate::ROOT;
use crate::source::report;
use chaoscope::tools::chaos_mesh::kinds::{GROUP, RESOURCES};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rights besides looking: the file below `manifests/`, the verb, the resource. Both only ask who somebody is and what they may.
const ALLOWED: [(&str, &str, &str); 2] = [
    ("base/reviews.yaml", "create", "authentication.k8s.io/tokenreviews"),
    ("base/reviews.yaml", "create", "authorization.k8s.io/subjectaccessreviews"),
];

/// Every object of every file, and where it stands.
fn objects() -> Vec<(PathBuf, Value)> {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let objects = serde_saphyr::from_multiple::<Value>(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        objects.into_iter().map(move |object| (path.clone(), object)).collect::<Vec<_>>()
    };
    files(&ROOT.join("manifests")).into_iter().flat_map(read).collect()
}

/// Every right of every role: where it stands, the verb, `group/resource`.
fn rights() -> Vec<(PathBuf, String, String)> {
    let mut rights = Vec::new();
    let roles = |object: &Value| ["Role", "ClusterRole"].iter().any(|kind| object["kind"] == *kind);
    for (path, object) in objects().into_iter().filter(|(_, object)| roles(object)) {
        for rule in object["rules"].as_array().into_iter().flatten() {
            let words = |key: &str| -> Vec<String> {
                let words = rule[key].as_array().unwrap_or_else(|| panic!("{}: a rule without {key}", path.display()));
                words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
            };
            for (group, resource) in
                words("apiGroups").iter().flat_map(|it| words("resources").into_iter().map(move |resource| (it, resource)))
            {
                rights.extend(words("verbs").into_iter().map(|verb| (path.clone(), verb, format!("{group}/{resource}"))));
            }
        }
    }
    rights
}

/// The YAML files below a folder, less a chart's templates.
fn files(folder: &Path) -> Vec<PathBuf> {
    if folder.ends_with("templates") {
        return Vec::new();
    }
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    found.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect()
}

#[test]
fn the_manifests_let_chaoscope_look_and_no_more() {
    let rights = rights();
    assert!(rights.len() > 20, "only {} rights found: the roles moved", rights.len());
    let mut faults = Vec::new();
    for (path, verb, resource) in &rights {
        let file = path.strip_prefix(ROOT.join("manifests")).unwrap();
        let looks = ["get", "list", "watch"].contains(&verb.as_str());
        let allowed = ALLOWED.iter().any(|(where_, what, on)| Path::new(where_) == file && what == verb && on == resource);
        if resource.contains('*') || !(looks || allowed) {
            faults.push(format!("{}: {verb} {resource}", path.display()));
        }
    }
    report("a role may do more than look", &faults);
}

/// Where not the whole cluster is watched, a namespace's role is the cluster's, less what has no namespace.
#[test]
fn a_namespaces_role_is_the_clusters() {
    let of = |file: &str| -> BTreeSet<(String, String)> {
        let rights = rights().into_iter().filter(|(path, ..)| path.ends_with(file));
        rights.map(|(_, verb, resource)| (verb, resource)).collect()
    };
    let mut wanted = of("base/clusterrole.yaml");
    let all = wanted.len();
    wanted.retain(|(_, resource)| resource != "chaos-mesh.org/remoteclusters");
    assert_eq!(all - wanted.len(), 3);
    assert_eq!(of("watched-namespace/role.yaml"), wanted);
}

/// By itself or as one of a group that it is in.
#[test]
fn nothing_gives_the_node_role_a_right() {
    let groups = ["system:serviceaccounts", "system:serviceaccounts:chaoscope", "system:authenticated"];
    let (mut bindings, mut faults) = (0, Vec::new());
    for (path, object) in objects() {
        for subject in object["subjects"].as_array().into_iter().flatten() {
            bindings += 1;
            let name = subject["name"].as_str().unwrap();
            if name == "chaoscope-node" || name.ends_with(":chaoscope-node") || groups.contains(&name) {
                faults.push(format!("{}: {} {}", path.display(), object["kind"], object["metadata"]["name"]));
            }
        }
    }
    assert!(bindings >= 2, "only {bindings} subjects found: the bindings moved");
    report("node roles talk to no API server, and may nothing", &faults);
}

#[test]
fn the_base_role_covers_what_is_watched() {
    let wanted: BTreeSet<_> = RESOURCES.iter().map(|it| format!("{}/{}", it.group, it.plural)).chain(["/pods".to_owned()]).collect();
    for verb in ["get", "list", "watch"] {
        let given = rights().into_iter().filter(|(path, it, _)| path.ends_with("base/clusterrole.yaml") && it == verb);
        let given: BTreeSet<_> = given.map(|(_, _, resource)| resource).collect();
        assert_eq!(given, wanted, "{verb}: as in manifests/base/clusterrole.yaml, and as in exporter/src/tools/chaos_mesh/kinds.rs");
    }
    assert!(RESOURCES.iter().any(|it| it.group == GROUP));
}
