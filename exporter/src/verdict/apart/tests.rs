//! Rules of what the cluster role judges itself: pod-failure on its way out, and whose a replaced image is.

use super::*;
use chaoscope_model::run::{Run, Target};
use serde_json::json;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn run(name: &str) -> Run {
    let target = json!({ "id": "shop/web-0", "namespace": "shop", "pod": "web-0", "container": "", "netns": "", "node": "n1", "workload": "",
        "workload_kind": "", "role": "selected", "state": "injected", "precision": {}, "message": "" });
    let run = json!({ "id": "r", "tool": "chaos-mesh", "cluster": "c", "kind": "PodChaos", "action": "pod-failure", "namespace": "shop",
        "name": name, "uid": "u", "ordinal": 1, "phase": "running", "started_at": at(0), "baseline": false, "precision": {},
        "parameters": {}, "labels": {}, "targets": [target] });
    serde_json::from_value(run).unwrap()
}

fn failed(container: &str, annotation: &str, replaced: bool) -> FailedContainer {
    FailedContainer { container: container.into(), annotation: annotation.into(), replaced }
}

fn standing<'a>(run: &'a Run, known: Option<&'a Judgement>, failed: &'a [FailedContainer]) -> Standing<'a> {
    let target: &Target = &run.targets[0];
    let expects = &Expectation::PodFailure;
    Standing { run, target, selector: ".", expects, site: None, remote: false, known, failed: Some(failed) }
}

fn reason(run: &Run, failed: &[FailedContainer]) -> String {
    let found = judge(&standing(run, None, failed), Contact::Unused).unwrap();
    format!("{} {}", found.verdict.as_str(), found.reason)
}

#[test]
fn a_pod_that_is_put_back_is_recovering_until_its_record_says_so() {
    let own = [failed("web", "chaos-mesh-fail-pod-failure-web-normal-image", true)];
    assert_eq!((reason(&run("fail"), &own), reason(&run("fail"), &[])), ("in_force ".into(), "missing not_replaced".into()));
    let stopping = Run { phase: Phase::Recovering, ..run("fail") };
    let mut one = run("fail");
    one.targets[0].state = TargetState::Recovering;
    for run in [stopping, one] {
        assert_eq!((reason(&run, &own), reason(&run, &[])), ("unknown recovering".into(), "unknown recovering".into()));
    }
}

#[test]
fn a_first_missing_waits_for_a_second_look() {
    let (run, in_force, missing) = (run("fail"), Judgement::in_force(), Judgement::new(Verdict::Missing, NOT_REPLACED));
    let mut doubts = Doubts::default();
    let mut look =
        |known: Option<&Judgement>, found: &Judgement, now| doubts.pass(&standing(&run, known, &[]), "u", found.clone(), at(now));
    assert_eq!(look(None, &missing, 0).reason, "settling");
    assert_eq!(look(None, &in_force, 1), in_force);
    assert_eq!(look(Some(&in_force), &missing, 2), in_force, "it was back in between");
    assert_eq!(look(Some(&in_force), &missing, 3), in_force);
    assert_eq!(look(Some(&in_force), &missing, 4), missing);
    assert_eq!(look(Some(&missing), &missing, 5), missing);
    let gone = Judgement::new(Verdict::Missing, "pod_gone");
    assert_eq!(look(Some(&in_force), &gone, 6), gone, "nothing puts that right");
    assert_eq!((doubts.due(at(1)).len(), doubts.due(at(4)).len(), doubts.due(at(100)).len()), (0, 1, 0));
    assert!(doubts.since.is_empty());
}

#[test]
fn an_annotation_is_of_the_experiment_whose_whole_name_it_has() {
    let other = [failed("web", "chaos-mesh-pf-2-pod-failure-web-normal-image", true)];
    assert_eq!(reason(&run("pf"), &other), "missing not_replaced");
    assert_eq!(reason(&run("pf-2"), &other), "in_force ");
    let nested = [failed("web", "chaos-mesh-pf-pod-failure-x-pod-failure-web-normal-image", true)];
    assert_eq!(reason(&run("pf"), &nested), "missing not_replaced");
    let short = [failed("web", "web-init-image", true)];
    assert_eq!((reason(&run("pf"), &short), reason(&run(&"long".repeat(12)), &short)), ("missing not_replaced".into(), "in_force ".into()));
    let over = Run { outcome: Some(chaoscope_model::run::Outcome::Recovered), ..run("pf") };
    assert_eq!(left(&standing(&over, None, &other)), Some(Left::None));
}

#[test]
fn every_container_of_the_pod_is_to_have_another_image() {
    let own = failed("web", "chaos-mesh-fail-pod-failure-web-normal-image", true);
    let init = failed("setup", "chaos-mesh-fail-pod-failure-setup-init-image", true);
    let untouched = failed("log", "", false);
    assert_eq!(reason(&run("fail"), &[own.clone(), init.clone()]), "in_force ");
    let (run, some) = (run("fail"), [own, init, untouched]);
    let found = judge(&standing(&run, None, &some), Contact::Unused).unwrap();
    assert_eq!((found.reason.as_str(), found.differences.len(), &*found.differences[0].parameter), (NOT_REPLACED, 1, "image of log"));
}
