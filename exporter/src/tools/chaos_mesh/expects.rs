//! What must be found on the node while a target is injected: which side of a network fault has something declared at all, and which
//! processes a stress began.
//!
//! Sources: `controllers/chaosimpl/networkchaos/{partition,trafficcontrol}/impl.go`, `api/v1alpha1/stresschaos_types.go`. To say what is to be
//! found of one more kind: a variant of [`Expectation`] and an arm in [`expected`].

use super::fields::{Undecodable, at, text, text_or_empty, time};
use chaoscope_model::declared::{Expectation, Stressor};
use serde_json::Value;

/// What one record of an experiment makes expected. `selector`: which of the two found the target; `id`: the record's.
pub(super) fn expected(kind: &str, action: &str, object: &Value, selector: &str, id: &str) -> Result<Expectation, Undecodable> {
    // Its targets are in another cluster, whatever they are called.
    if text(object, "spec.remoteCluster")?.is_some_and(|cluster| !cluster.is_empty()) {
        return Ok(Expectation::Unsupported);
    }
    Ok(match kind {
        "NetworkChaos" => network(action, &text_or_empty(object, "spec.direction")?, selector),
        "IOChaos" => Expectation::Io,
        "HTTPChaos" => Expectation::Http,
        "DNSChaos" => Expectation::Dns,
        "StressChaos" => Expectation::Stress { processes: stressors(object, id)? },
        "PodChaos" if action == "pod-failure" => Expectation::PodFailure,
        _ => Expectation::Unsupported,
    })
}

/// A partition is declared on both sides, whatever its direction: one drops what leaves, the other what comes. Everything else is done on the
/// way out, so one way means one side, and the record of the other end says "injected" with nothing behind it.
fn network(action: &str, direction: &str, selector: &str) -> Expectation {
    match (action, selector, direction) {
        ("partition", "." | ".Target", _) | (_, ".", "" | "to" | "both") | (_, ".Target", "from" | "both") => Expectation::Network,
        (_, "." | ".Target", _) => Expectation::OtherEnd,
        _ => Expectation::Unsupported,
    }
}

/// Those the spec asks for. `stressngStressors` is accepted by Chaos Mesh and never run.
fn stressors(object: &Value, id: &str) -> Result<Vec<Stressor>, Undecodable> {
    let instance = at(object, "status.instances")?.and_then(|instances| instances.get(id)).unwrap_or(&Value::Null);
    let mut out = Vec::new();
    for (spec, helper, pid, start) in
        [("spec.stressors.cpu", "stress_ng", "uid", "startTime"), ("spec.stressors.memory", "mem_stress", "memoryUid", "memoryStartTime")]
    {
        // An id may hold dots, so the instance is looked up by hand and its fields one by one; of a stressor that is not used it says 1970.
        let began = if instance.is_null() { None } else { time(instance, start)?.filter(|at| at.as_second() > 0) };
        if at(object, spec)?.is_some() || began.is_some() {
            let pid = if instance.is_null() { None } else { text(instance, pid)?.and_then(|pid| pid.parse().ok()) };
            out.push(Stressor { helper: helper.to_owned(), pid, started_at: began });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn network(action: &str, direction: &str, selector: &str) -> Expectation {
        let object = json!({"spec": {"action": action, "direction": direction}});
        expected("NetworkChaos", action, &object, selector, "shop/web-0").unwrap()
    }

    #[test]
    fn one_way_faults_are_declared_on_one_side_and_partitions_on_both() {
        use Expectation::{Network, OtherEnd};
        for direction in ["", "to", "from", "both"] {
            assert_eq!([network("partition", direction, "."), network("partition", direction, ".Target")], [Network, Network]);
        }
        for action in ["delay", "netem", "loss", "duplicate", "corrupt", "bandwidth"] {
            for (direction, wanted) in
                [("", [Network, OtherEnd]), ("to", [Network, OtherEnd]), ("from", [OtherEnd, Network]), ("both", [Network, Network])]
            {
                assert_eq!([network(action, direction, "."), network(action, direction, ".Target")], wanted, "{action} {direction}");
            }
        }
        assert_eq!(network("delay", "to", "?"), Expectation::Unsupported);
        let remote = json!({"spec": {"remoteCluster": "far"}});
        assert_eq!(expected("NetworkChaos", "delay", &remote, ".", "shop/web-0"), Ok(Expectation::Unsupported));
    }

    /// Recording `stress-cpu` of Chaos Mesh 2.8.3.
    #[test]
    fn stressors_are_told_by_pid_and_start() {
        let instances =
            json!({"shop/web-0/web": {"memoryStartTime": "1970-01-01T00:00:00Z", "startTime": "2026-11-21T14:06:25Z", "uid": "25215"}});
        let object = json!({"spec": {"stressors": {"cpu": {"workers": 1}}}, "status": {"instances": instances}});
        let stressor =
            |pid, started: Option<&str>| Stressor { helper: "stress_ng".into(), pid, started_at: started.map(|at| at.parse().unwrap()) };
        let of = |id| expected("StressChaos", "cpu", &object, ".", id).unwrap();
        assert_eq!(of("shop/web-0/web"), Expectation::Stress { processes: vec![stressor(Some(25_215), Some("2026-11-21T14:06:25Z"))] });
        assert_eq!(of("shop/web-1/web"), Expectation::Stress { processes: vec![stressor(None, None)] }, "not begun yet");
        let both = json!({"spec": {"stressors": {"cpu": {}, "memory": {}}}});
        let Expectation::Stress { processes } = expected("StressChaos", "", &both, ".", "a/b/c").unwrap() else { panic!() };
        assert_eq!(processes.iter().map(|it| it.helper.as_str()).collect::<Vec<_>>(), ["stress_ng", "mem_stress"]);
    }

    #[test]
    fn kinds_that_leave_nothing_to_see_are_not_supported() {
        let of = |kind, action| expected(kind, action, &json!({"spec": {}}), ".", "a/b").unwrap();
        for (kind, action) in [
            ("PodChaos", "pod-kill"),
            ("PodChaos", "container-kill"),
            ("TimeChaos", ""),
            ("JVMChaos", "latency"),
            ("BlockChaos", "delay"),
            ("KernelChaos", ""),
            ("AWSChaos", "ec2-stop"),
            ("PhysicalMachineChaos", "clock"),
        ] {
            assert_eq!(of(kind, action), Expectation::Unsupported, "{kind}");
        }
        assert_eq!(
            [of("PodChaos", "pod-failure"), of("IOChaos", "latency"), of("HTTPChaos", "abort"), of("DNSChaos", "error")],
            [Expectation::PodFailure, Expectation::Io, Expectation::Http, Expectation::Dns]
        );
    }
}
