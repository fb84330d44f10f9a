//! A sweep of this host as the node role makes it, what is declared for a container made here, and what is said of both.

use super::container::{Container, PATIENCE};
use chaoscope::node::sweep::Sweep;
use chaoscope::node::sweeper::{Config, Sweeper};
use chaoscope::source::Source;
use chaoscope::verdict::{Survey, judge, left_over};
use chaoscope_model::declared::{DeclaredPod, DeclaredTarget, EndedRun, Expectation, Stage};
use chaoscope_model::verdict::{Owner, Residue};
use chaoscope_model::{Effect, Pod, Reference};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Everything there is on this host, without a runtime: pods are told by control groups.
pub fn sweep() -> Arc<Sweep> {
    let config = Config { procfs: "/proc".into(), named: "/nonexistent".into(), threads: 1, host_network: false, members: true };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Sweeper::new(config, Box::new(|| None)).read(Duration::ZERO, Instant::now() + PATIENCE)).unwrap()
}

/// What is declared for the pod of a container: so far nothing.
pub fn declared(container: &Container) -> DeclaredPod {
    let uid = container.cgroup.pod_uid.clone().unwrap();
    DeclaredPod { pod: Pod { namespace: "shop".into(), name: "web-0".into(), uid }, ..DeclaredPod::default() }
}

pub fn experiment(kind: &str, name: &str) -> Reference {
    Reference { kind: kind.into(), namespace: "shop".into(), name: name.into(), uid: String::new() }
}

/// Injected, in the container `web`.
pub fn target(kind: &str, name: &str, expects: Expectation) -> DeclaredTarget {
    DeclaredTarget {
        run: "r".into(),
        target: "shop/web-0/web".into(),
        selector: ".".into(),
        experiment: experiment(kind, name),
        container: "web".into(),
        stage: Stage::Injected,
        injected_at: None,
        expects,
    }
}

pub fn ended(kind: &str, name: &str) -> EndedRun {
    EndedRun { run: "r".into(), experiment: experiment(kind, name), ended_at: Timestamp::now() }
}

/// Verdict and reason of the only target.
pub fn told(declared: &DeclaredPod, sweep: &Sweep) -> (&'static str, String) {
    let judged = judge([declared], sweep);
    let [one] = &judged[..] else { panic!("{judged:?}") };
    (one.judgement.verdict.as_str(), one.judgement.reason.clone())
}

/// What is left over on the declared pod.
pub fn left(declared: &DeclaredPod, sweep: &Sweep) -> Vec<Residue> {
    let all = BTreeMap::from([(declared.pod.uid.clone(), declared.clone())]);
    left_over(sweep, &Survey::of(sweep), &all).into_iter().filter(|residue| residue.pod.uid == declared.pod.uid).collect()
}

/// Effect, owner and what it is, of each; where they are of that run, else as unknown.
pub fn shown(residue: &[Residue]) -> Vec<(Effect, Owner, &str)> {
    residue.iter().map(|it| (it.effect, it.owner, it.what.as_str())).collect()
}
