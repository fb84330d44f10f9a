//! The right that is missing, as a rule to add: what is told where a kind is forbidden. Found from refusals; nothing is asked for it.

use crate::tools::resource::Resource;

/// What we ever do with a kind.
pub const VERBS: [&str; 3] = ["get", "list", "watch"];

/// The rule to add to a `ClusterRole` or, for one namespace, to a `Role` there; one line of YAML.
pub fn rule(resource: &Resource) -> String {
    format!("{{apiGroups: [{:?}], resources: [{}], verbs: [{}]}}", resource.group, resource.plural, VERBS.join(", "))
}

/// Where it has to be added.
pub fn place(namespace: &str) -> String {
    if namespace.is_empty() { "a ClusterRole".to_owned() } else { format!("a Role in the namespace {namespace}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::chaos_mesh::kinds::by_plural;

    #[test]
    fn rules_are_yaml_that_can_be_pasted() {
        let rule = |plural| rule(by_plural(plural).unwrap());
        assert_eq!(rule("podchaos"), r#"{apiGroups: ["chaos-mesh.org"], resources: [podchaos], verbs: [get, list, watch]}"#);
        assert_eq!(rule("events"), r#"{apiGroups: [""], resources: [events], verbs: [get, list, watch]}"#);
        assert_eq!((place(""), place("lab")), ("a ClusterRole".into(), "a Role in the namespace lab".into()));
    }
}
