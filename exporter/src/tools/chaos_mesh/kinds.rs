//! The kinds of objects Chaos Mesh has, and the Kubernetes Events about them: one line each.
//!
//! Sources: `api/v1alpha1/*_types.go` and `config/crd/bases` of 2.5 to 2.8; they differ in fields, not in kinds. To add a kind: a line in
//! [`RESOURCES`], and how its objects are read beside this file.

use crate::tools::resource::{Resource, What};

/// The group of Chaos Mesh's kinds.
pub const GROUP: &str = "chaos-mesh.org";
/// The only version there ever was.
pub const VERSION: &str = "v1alpha1";

/// Everything to watch. Events come last: what they are about is best known before.
pub static RESOURCES: [Resource; 24] = [
    kind("awschaos", "AWSChaos", What::Experiment),
    kind("azurechaos", "AzureChaos", What::Experiment),
    kind("blockchaos", "BlockChaos", What::Experiment),
    kind("dnschaos", "DNSChaos", What::Experiment),
    kind("gcpchaos", "GCPChaos", What::Experiment),
    kind("httpchaos", "HTTPChaos", What::Experiment),
    kind("iochaos", "IOChaos", What::Experiment),
    kind("jvmchaos", "JVMChaos", What::Experiment),
    kind("kernelchaos", "KernelChaos", What::Experiment),
    kind("networkchaos", "NetworkChaos", What::Experiment),
    kind("physicalmachinechaos", "PhysicalMachineChaos", What::Experiment),
    kind("podchaos", "PodChaos", What::Experiment),
    kind("stresschaos", "StressChaos", What::Experiment),
    kind("timechaos", "TimeChaos", What::Experiment),
    kind("schedules", "Schedule", What::Schedule),
    kind("workflows", "Workflow", What::Workflow),
    kind("workflownodes", "WorkflowNode", What::WorkflowNode),
    kind("statuschecks", "StatusCheck", What::StatusCheck),
    kind("podnetworkchaos", "PodNetworkChaos", What::PodFaults),
    kind("podiochaos", "PodIOChaos", What::PodFaults),
    kind("podhttpchaos", "PodHttpChaos", What::PodFaults),
    kind("physicalmachines", "PhysicalMachine", What::Place),
    Resource { namespaced: false, ..kind("remoteclusters", "RemoteCluster", What::Place) },
    Resource {
        group: "",
        version: "v1",
        fields: "involvedObject.apiVersion=chaos-mesh.org/v1alpha1",
        ..kind("events", "Event", What::Notice)
    },
];

const fn kind(plural: &'static str, kind: &'static str, what: What) -> Resource {
    Resource { group: GROUP, version: VERSION, plural, kind, namespaced: true, what, fields: "" }
}

/// The kind with this name in objects.
pub fn by_kind(kind: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.kind == kind)
}

/// Whether objects of this kind are experiments.
pub fn is_experiment(kind: &str) -> bool {
    by_kind(kind).is_some_and(|resource| resource.what == What::Experiment)
}

/// The kind with this name in paths.
pub fn by_plural(plural: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.plural == plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fourteen_kinds_are_faults_and_one_kind_has_no_namespace() {
        assert_eq!(RESOURCES.iter().filter(|it| it.what == What::Experiment).count(), 14);
        let flat: Vec<_> = RESOURCES.iter().filter(|it| !it.namespaced).map(|it| it.kind).collect();
        assert_eq!(flat, ["RemoteCluster"]);
        for resource in &RESOURCES {
            let kind = resource.kind.to_lowercase();
            assert!([kind.clone(), format!("{kind}s")].contains(&resource.plural.to_owned()), "{resource}");
            assert_eq!((by_kind(resource.kind), by_plural(resource.plural)), (Some(resource), Some(resource)));
        }
    }
}
