//! What older releases call things, and what they are called today; pure.
//!
//! Names changed in Chaos Mesh 2.7.1 (the sidecar's metrics got the prefix all others had) and in CoreDNS 1.7; the label `controller`
//! came to workqueues with controller-runtime 0.20 (Chaos Mesh 2.8). To follow one more change: a row, or an arm in [`labels`].

/// (old, today's), as whole names of samples.
const RENAMED: [(&str, &str); 10] = [
    ("chaos_mesh_templates", "chaos_controller_manager_chaos_mesh_templates"),
    ("chaos_mesh_template_load_failed_total", "chaos_controller_manager_chaos_mesh_template_load_failed_total"),
    ("chaos_mesh_template_not_exist_total", "chaos_controller_manager_chaos_mesh_template_not_exist_total"),
    ("chaos_mesh_config_templates", "chaos_controller_manager_chaos_mesh_config_templates"),
    ("chaos_mesh_config_name_duplicate_total", "chaos_controller_manager_chaos_mesh_config_name_duplicate_total"),
    ("chaos_mesh_injection_configs", "chaos_controller_manager_chaos_mesh_injection_configs"),
    ("chaos_mesh_inject_required_total", "chaos_controller_manager_chaos_mesh_inject_required_total"),
    ("coredns_dns_request_count_total", "coredns_dns_requests_total"),
    ("coredns_dns_response_rcode_count_total", "coredns_dns_responses_total"),
    ("coredns_panic_count_total", "coredns_panics_total"),
];

/// Today's name of a family or sample.
pub(super) fn name(told: &str) -> &str {
    RENAMED.iter().find(|(old, _)| *old == told).map_or(told, |(_, today)| today)
}

/// Adds the labels that today's pages have and this one's release had not.
pub(super) fn labels(family: &str, labels: &mut Vec<(String, String)>) {
    if family.starts_with("workqueue_") && !labels.iter().any(|(name, _)| name == "controller") {
        let queue = labels.iter().find(|(name, _)| name == "name").map(|(_, value)| value.clone());
        labels.extend(queue.map(|queue| ("controller".to_owned(), queue)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::find::Component;
    use crate::peers::wanted;

    #[test]
    fn every_new_name_is_wanted_and_no_old_one() {
        for (old, today) in RENAMED {
            let known = |name| Component::ALL.into_iter().any(|component| wanted::find(component, name).is_some());
            assert!(known(today) && !known(old), "{old} {today}");
            assert_eq!((name(old), name(today)), (today, today));
        }
    }

    #[test]
    fn a_queue_of_an_old_release_gets_its_controller() {
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut old = vec![label("name", "podchaos-pipeline")];
        labels("workqueue_depth", &mut old);
        assert_eq!(old, [label("name", "podchaos-pipeline"), label("controller", "podchaos-pipeline")]);
        let mut today = vec![label("controller", "a"), label("name", "b")];
        labels("workqueue_depth", &mut today);
        assert_eq!(today, [label("controller", "a"), label("name", "b")]);
        let mut other = vec![label("name", "chaos-mesh")];
        labels("leader_election_master_status", &mut other);
        assert_eq!(other, [label("name", "chaos-mesh")]);
    }
}
