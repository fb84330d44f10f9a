//! What is told of objects that cannot be read.

use super::*;
use crate::cluster::index::Listed;

fn listed(kind: &str, namespace: &str) -> Listed {
    Listed { kind: kind.into(), namespace: namespace.into(), uids: [].into(), seen: Timestamp::UNIX_EPOCH }
}

/// What is told of the three objects of a pod: whether there is one, and what of it is not known.
fn told(index: &Index) -> [Option<String>; 3] {
    let pod = Pod { namespace: "shop".into(), name: "web-0".into(), uid: "u".into() };
    let mut declared = DeclaredPod { pod, ..DeclaredPod::default() };
    index.faults().add(&mut declared);
    [declared.network.map(|it| it.incomplete), declared.io.map(|it| it.incomplete), declared.http.map(|it| it.incomplete)]
}

#[test]
fn that_a_pod_has_no_object_is_told_only_where_its_kind_is_known() {
    let mut index = Index::new("c");
    let unsure = || Some(NOT_WATCHED.to_owned());
    assert_eq!(told(&index), [unsure(), unsure(), unsure()]);
    index.listed(listed("PodNetworkChaos", ""));
    index.listed(listed("PodIOChaos", "shop"));
    index.listed(listed("PodHttpChaos", "other"));
    assert_eq!(told(&index), [None, None, unsure()]);
    index.lost("PodNetworkChaos", "");
    index.lost("PodIOChaos", "other");
    assert_eq!(told(&index), [unsure(), None, unsure()]);
    index.listed(listed("PodNetworkChaos", ""));
    assert_eq!(told(&index), [None, None, unsure()]);
}
