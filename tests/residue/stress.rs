//! Stressors: real processes in a container's control group, begun as chaos-daemon begins them.

use super::container::{Container, Running, Tools, until};
use super::world::{declared, ended, left, shown, sweep, target, told};
use chaoscope::node::sweep::Sweep;
use chaoscope::tools::helpers::HelperKind;
use chaoscope::verdict::{Agreement, judge};
use chaoscope_model::Effect;
use chaoscope_model::declared::{DeclaredPod, Expectation, Stressor};
use chaoscope_model::verdict::Owner;
use jiff::{SignedDuration, Timestamp};
use std::process::Command;

/// The wrapper; in the group of `container` and in the pid namespace of `of`.
fn start(tools: &Tools, container: &Container, of: &Container) -> Running {
    tools.start(&container.group, of, &["pid"], "stress-ng", &["-c", "sleep 600; :", "stress-ng", "--cpu", "1"])
}

/// As the object tells it: the wrapper's pid, and whole seconds.
fn burning(container: &Container, wrapper: &Running, started_at: Timestamp) -> DeclaredPod {
    let started_at = started_at.round(jiff::Unit::Second).unwrap();
    let processes = vec![Stressor { helper: "stress_ng".into(), pid: Some(wrapper.0.id()), started_at: Some(started_at) }];
    DeclaredPod { targets: vec![target("StressChaos", "burn", Expectation::Stress { processes })], ..declared(container) }
}

/// The tool's own pid.
fn tool(sweep: &Sweep, wrapper: &Running) -> Option<u32> {
    let own = |helper: &&chaoscope::node::processes::Helper| helper.kind == HelperKind::StressNg && helper.parent == wrapper.0.id();
    sweep.helpers.iter().map(|(_, helper)| helper).find(own).map(|helper| helper.pid)
}

#[test]
#[ignore = "needs root: run by make test"]
fn stressors_that_are_gone_while_the_record_says_injected_are_missing() {
    let (tools, container) = (Tools::new(), Container::new(None));
    let began = Timestamp::now();
    let wrapper = start(&tools, &container, &container);
    let pid = until("a stressor", || tool(&sweep(), &wrapper));
    let declared = burning(&container, &wrapper, began);
    let now = sweep();
    assert_eq!(told(&declared, &now), ("in_force", String::new()));
    assert_eq!(left(&declared, &now), []);
    // another one's run is over: what is there is its residue
    let over = DeclaredPod { targets: vec![], ended: vec![ended("StressChaos", "burn")], ..declared.clone() };
    assert_eq!(shown(&left(&over, &now)), [(Effect::Effective, Owner::EndedRun, "helper")]);
    // begun at another time than told
    let later = burning(&container, &wrapper, began - SignedDuration::from_secs(60));
    assert_eq!(told(&later, &now), ("unknown", "clock".to_owned()), "the same one; a clock was set");

    let mut agreement = Agreement::default();
    for second in 0..2 {
        agreement.visit(judge([&declared], &now), began + SignedDuration::from_secs(second));
    }
    assert_eq!(agreement.now()[0].judgement.verdict.as_str(), "in_force");
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    until("the stressor is gone", || tool(&sweep(), &wrapper).is_none().then_some(()));
    let now = sweep();
    assert_eq!(told(&declared, &now), ("missing", "no_process".to_owned()));
    for (second, verdict) in [(2, "in_force"), (3, "missing")] {
        let held = agreement.visit(judge([&declared], &now), began + SignedDuration::from_secs(second));
        assert_eq!(held[0].judgement.verdict.as_str(), verdict);
    }
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_stressor_in_another_container_has_drifted() {
    let tools = Tools::new();
    let (container, other) = (Container::new(None), Container::new(None));
    let began = Timestamp::now();
    let wrapper = start(&tools, &other, &other);
    until("a stressor", || tool(&sweep(), &wrapper));
    assert_eq!(told(&burning(&container, &wrapper, began), &sweep()), ("drifted", "container".to_owned()));
}
