//! Rights that are missing, and the rule that would give them: what an administrator can paste into a role. Pure.

use super::{Line, Mark};
use crate::cluster::now::WatchNow;
use std::collections::BTreeMap;

/// One line for each namespace (or the whole cluster) in which something may not be watched.
pub(super) fn missing_rights(watches: &[WatchNow]) -> Vec<Line> {
    let mut scopes: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for watch in watches.iter().filter(|watch| watch.reason == "forbidden") {
        let resources = scopes.entry(&watch.namespace).or_default().entry(group(watch.resource)).or_default();
        if !resources.contains(&watch.resource) {
            resources.push(watch.resource);
        }
    }
    let line = |(namespace, groups): (&str, BTreeMap<&str, Vec<&str>>)| {
        let names: Vec<_> = groups.values().flatten().copied().collect();
        let (place, remedy) = match namespace {
            "" => (String::new(), "add this rule to our ClusterRole".to_owned()),
            namespace => (format!(" in {namespace}"), format!("add this rule to our Role in {namespace}")),
        };
        Line {
            about: "rights".to_owned(),
            mark: Mark::Bad,
            found: format!("no right to list and watch {}{place}", names.join(", ")),
            remedy,
            rule: Some(groups.into_iter().map(rule).collect()),
        }
    };
    scopes.into_iter().map(line).collect()
}

/// The API group of a resource we watch: Kubernetes' own two are in the core group, the rest is the chaos tool's.
fn group(resource: &str) -> &'static str {
    match resource {
        "pods" | "events" | "nodes" | "namespaces" => "",
        _ => "chaos-mesh.org",
    }
}

fn rule((group, mut resources): (&str, Vec<&str>)) -> String {
    resources.sort_unstable();
    format!("- apiGroups: [\"{group}\"]\n  resources: [{}]\n  verbs: [get, list, watch]\n", resources.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forbidden(resource: &'static str, namespace: &str) -> WatchNow {
        WatchNow { resource, namespace: namespace.into(), reason: "forbidden".into(), ..WatchNow::default() }
    }

    #[test]
    fn a_rule_per_group_and_a_line_per_role() {
        let lines =
            missing_rights(&[forbidden("podchaos", ""), forbidden("events", ""), forbidden("networkchaos", ""), forbidden("pods", "shop")]);
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0].rule.as_deref(),
            Some(
                "- apiGroups: [\"\"]\n  resources: [events]\n  verbs: [get, list, watch]\n\
                 - apiGroups: [\"chaos-mesh.org\"]\n  resources: [networkchaos, podchaos]\n  verbs: [get, list, watch]\n"
            )
        );
        assert_eq!(
            (lines[1].found.as_str(), lines[1].remedy.as_str()),
            ("no right to list and watch pods in shop", "add this rule to our Role in shop")
        );
        assert_eq!(missing_rights(&[WatchNow { up: true, ..WatchNow::default() }]), []);
    }
}
