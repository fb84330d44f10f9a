//! A kind of object that an API server keeps: what it is called there, and what it is to us.
//!
//! Apart from the tools, because pods are watched the same way. To add a kind: a line in its tool's table.

use std::fmt;

/// A kind of object in the API.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its group; empty: Kubernetes' own first one.
    pub group: &'static str,
    /// The version we ask for.
    pub version: &'static str,
    /// Its name in paths and rights: `networkchaos`.
    pub plural: &'static str,
    /// Its name in objects: `NetworkChaos`.
    pub kind: &'static str,
    /// False: its objects belong to the cluster as a whole.
    pub namespaced: bool,
    /// What it is to us.
    pub what: What,
    /// Only objects whose fields are so; empty: all.
    pub fields: &'static str,
}

/// What a kind of object is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A declared fault: its applications are runs.
    Experiment,
    /// It makes experiments or workflows, again and again.
    Schedule,
    /// It makes experiments in an order.
    Workflow,
    /// One step of a workflow.
    WorkflowNode,
    /// It decides whether a workflow goes on.
    StatusCheck,
    /// What is declared for one pod.
    PodFaults,
    /// A machine or another cluster that faults can be applied to.
    Place,
    /// A Kubernetes Event. It expires: that it is gone says nothing.
    Notice,
    /// A target.
    Pod,
}

impl Resource {
    /// `apiVersion` of its objects: `chaos-mesh.org/v1alpha1`, `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The path of its objects, in one namespace or, with an empty one, everywhere.
    pub fn path(&self, namespace: &str) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let version = self.api_version();
        match namespace {
            "" => format!("{root}/{version}/{}", self.plural),
            _ => format!("{root}/{version}/namespaces/{namespace}/{}", self.plural),
        }
    }
}

/// `networkchaos.chaos-mesh.org`, `events`.
impl fmt::Display for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.plural)?;
        if self.group.is_empty() { Ok(()) } else { write!(out, ".{}", self.group) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEEP: Resource =
        Resource { group: "a.example", version: "v2", plural: "deeps", kind: "Deep", namespaced: true, what: What::Place, fields: "" };
    const FLAT: Resource = Resource { group: "", version: "v1", plural: "flats", kind: "Flat", ..DEEP };

    #[test]
    fn paths_are_those_of_the_api() {
        assert_eq!(DEEP.path(""), "/apis/a.example/v2/deeps");
        assert_eq!(DEEP.path("lab"), "/apis/a.example/v2/namespaces/lab/deeps");
        assert_eq!(FLAT.path(""), "/api/v1/flats");
        assert_eq!(FLAT.path("lab"), "/api/v1/namespaces/lab/flats");
        assert_eq!((DEEP.to_string(), FLAT.to_string()), ("deeps.a.example".into(), "flats".into()));
    }
}
