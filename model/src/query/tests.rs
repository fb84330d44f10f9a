//! What passes a filter, and what is refused.

use super::*;
use crate::event::Severity;
use crate::experiment::Tool;
use crate::run::{Outcome, Phase};
use crate::time::Precision;
use std::collections::BTreeMap;

fn filter(pairs: &[(&str, &str)]) -> Filter {
    let mut filter = Filter::default();
    for (parameter, value) in pairs {
        assert!(filter.add(parameter, value).unwrap(), "{parameter} is a parameter");
    }
    filter
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn target(namespace: &str, pod: &str, node: &str) -> Target {
    let workload = pod.trim_end_matches("-0").to_owned();
    Target {
        id: format!("{namespace}/{pod}"),
        namespace: namespace.into(),
        pod: pod.into(),
        node: node.into(),
        workload,
        ..Target::default()
    }
}

fn run() -> Run {
    Run {
        id: Run::id_of("", "u1", 1),
        tool: Tool::ChaosMesh,
        cluster: "prod".into(),
        kind: "NetworkChaos".into(),
        action: "delay".into(),
        namespace: "shop".into(),
        name: "slow-web".into(),
        uid: "u1".into(),
        ordinal: 1,
        phase: Phase::Injecting,
        outcome: None,
        started_at: at(1000),
        injected_at: None,
        stop_requested_at: None,
        recovered_at: None,
        expected_end_at: Some(at(1060)),
        ended_at: None,
        ended_after: None,
        baseline: false,
        stuck_since: None,
        overdue_since: None,
        precision: crate::Few::new(),
        parent: Some(crate::Parent { kind: "Schedule".into(), namespace: "shop".into(), name: "nightly".into(), uid: "u0".into() }),
        started_by: None,
        parameters: BTreeMap::from([("delay.latency".into(), "100ms".into())]),
        labels: BTreeMap::from([("team".into(), "a".into()), ("tier".into(), "web".into())]),
        targets: vec![target("shop", "web-0", "node-1"), target("lab", "db-0", "node-2")],
    }
}

fn event() -> Event {
    Event {
        key: "k".into(),
        run: Some(run().id),
        tool: Tool::ChaosMesh,
        cluster: "prod".into(),
        kind: "NetworkChaos".into(),
        namespace: "shop".into(),
        name: "slow-web".into(),
        uid: "u1".into(),
        at: at(1001),
        precision: Precision::S,
        severity: Severity::Warning,
        reason: "Failed".into(),
        message: "unable to set tcs for pod web-0".into(),
        target_namespace: String::new(),
        target_pod: String::new(),
        target_container: String::new(),
        attributes: BTreeMap::new(),
        announced: true,
        replaces: None,
    }
}

#[test]
fn every_parameter_is_about_what_its_name_says() {
    for (parameter, yes, no) in [
        ("tool", "chaos-mesh", "krkn"),
        ("cluster", "prod", "test"),
        ("kind", "Network*", "PodChaos"),
        ("namespace", "shop", "lab"),
        ("name", "~slow-.+", "web"),
        ("phase", "injecting", "running"),
        ("outcome", "", "recovered"),
        ("target_namespace", "lab", "other"),
        ("target_pod", "db-0", "db"),
        ("target_node", "node-2", "node-3"),
        ("target_workload", "web", "slow-web"),
        ("label", "team=a", "team=b"),
        ("text", "SLOW", "fast"),
        ("text", "100ms", "10s"),
        ("text", "SL*-we", "we*slow"),
        ("text", "~W.B$", "~^slow$"),
        ("text", "!fast", "!Slow"),
        ("text", "nightly", "weekly"),
        ("text", "u1", "u2"),
    ] {
        assert!(filter(&[(parameter, yes)]).matches_run(&run()), "{parameter}={yes}");
        assert!(!filter(&[(parameter, no)]).matches_run(&run()), "{parameter}={no}");
        if yes != "100ms" {
            assert!(filter(&[(parameter, yes)]).matches_event(&event(), Some(&run())), "event, {parameter}={yes}");
        }
        assert!(!filter(&[(parameter, no)]).matches_event(&event(), Some(&run())), "event, {parameter}={no}");
    }
    for (parameter, yes, no) in [("reason", "Failed", "Applied"), ("type", "Warning", "Normal"), ("text", "set tcs", "flush")] {
        assert!(filter(&[(parameter, yes)]).matches_event(&event(), None), "{parameter}={yes}");
        assert!(!filter(&[(parameter, no)]).matches_event(&event(), None), "{parameter}={no}");
    }
}

#[test]
fn text_is_found_in_any_value_and_repeated_values_are_alternatives() {
    let run_passes = |values: &[&str]| filter(&values.iter().map(|value| ("text", *value)).collect::<Vec<_>>()).matches_run(&run());
    assert!(run_passes(&["fast", "slow"]) && run_passes(&["lab/db", "!fast"]));
    assert!(!run_passes(&["fast", "weekly"]) && !run_passes(&["slow", "!db-0"]));
    let attributes = BTreeMap::from([("field".to_owned(), "qlen".to_owned())]);
    let event = Event { attributes, target_namespace: "shop".into(), target_pod: "web-0".into(), ..event() };
    let event_passes = |value: &str| filter(&[("text", value)]).matches_event(&event, Some(&run()));
    assert!(event_passes("QLEN") && event_passes("nightly") && event_passes("!db"), "what another target is called is no matter of it");
    assert!(!event_passes("!qlen") && !event_passes("db"));
}

#[test]
fn what_is_hidden_keeps_no_run_away() {
    let seen = Run { targets: vec![target("shop", "web-0", "node-1")], ..run() };
    let asked = filter(&[("text", "!db-0")]);
    assert!(asked.may_match_run(&run()) && asked.matches_run(&seen) && !asked.matches_run(&run()));
    assert!(!filter(&[("text", "fast")]).may_match_run(&run()));
}

#[test]
fn one_and_the_same_target_must_pass_all_that_is_asked() {
    let both = |namespace, pod| filter(&[("target_namespace", namespace), ("target_pod", pod)]).matches_run(&run());
    assert!(both("shop", "web-0") && both("lab", "db-0"));
    assert!(!both("shop", "db-0"), "the namespace of one target and the pod of another");
    assert!(filter(&[("target_pod", "web-0"), ("target_pod", "x")]).matches_run(&run()), "repeated: alternatives");
    let about_web = Event { target_namespace: "shop".into(), target_pod: "web-0".into(), ..event() };
    assert!(filter(&[("target_node", "node-1")]).matches_event(&about_web, Some(&run())));
    assert!(!filter(&[("target_node", "node-2")]).matches_event(&about_web, Some(&run())), "the node of another target of its run");
    assert!(filter(&[("target_pod", "web-0")]).matches_event(&about_web, None), "an event tells its pod itself");
}

#[test]
fn stuck_and_overdue_depend_on_the_present() {
    let asked = |word, now| Filter { now: Some(at(now)), ..filter(&[("phase", word)]) }.matches_run(&run());
    assert!(!asked("stuck", 1300), "300 s are not yet too long");
    assert!(asked("stuck", 1301) && asked("injecting", 1301), "it is stuck besides being in its phase");
    assert!(!asked("!stuck", 1301) && asked("!stuck", 1300));
    assert!(!asked("overdue", 1180) && asked("overdue", 1181));
    assert_eq!(filter(&[("phase", "stuck")]).words("phase").unwrap().exact(), None, "no index has it");
    assert!(filter(&[("phase", "stuck")]).matches_run(&run().at(at(2000))), "a run may have been told the present before");
    assert!(!filter(&[("phase", "stuck")]).matches_run(&run()));
    let ended = Run { outcome: Some(Outcome::Recovered), phase: Phase::Finished, ..run() };
    assert!(!Filter { now: Some(at(9000)), ..filter(&[("phase", "overdue")]) }.matches_run(&ended));
}

#[test]
fn what_lasts_of_a_filter_is_what_a_run_cannot_come_to_fail() {
    for (parameter, value) in [
        ("phase", "running"),
        ("phase", "!injecting"),
        ("outcome", "recovered"),
        ("label", "team=b"),
        ("text", "weekly"),
        ("text", "!slow"),
        ("name", "!slow-web"),
        ("target_node", "!node-*"),
        ("target_workload", "~"),
        ("target_pod", "!~.+"),
    ] {
        let asked = filter(&[(parameter, value)]);
        assert!(!asked.matches_run(&run()) && asked.lasting().matches_run(&run()), "{parameter}={value} may have been so");
    }
    for (parameter, value) in [
        ("tool", "!chaos-mesh"),
        ("cluster", "test"),
        ("kind", "!NetworkChaos"),
        ("namespace", "lab"),
        ("name", "web"),
        ("target_pod", "db-1"),
        ("target_node", "~node-[3-9]"),
    ] {
        let asked = filter(&[(parameter, value), ("phase", "running"), ("text", "weekly")]);
        assert!(!asked.lasting().matches_run(&run()), "{parameter}={value} was never so");
    }
}

#[test]
fn after_its_turns_a_run_is_stuck_and_overdue_and_not_before() {
    let phases = [Phase::Selecting, Phase::Injecting, Phase::Running, Phase::Recovering];
    let open = phases.map(|phase| Run { phase, stop_requested_at: Some(at(1050)), ..run() });
    assert_eq!(open[1].turns(), [Some(at(1300)), Some(at(1180))]);
    assert_eq!((open[2].turns(), open[3].turns()), ([None, Some(at(1180))], [Some(at(1350)), None]));
    let ended = Run { outcome: Some(Outcome::Recovered), phase: Phase::Finished, ..run() };
    assert_eq!(ended.turns(), [None, None]);
    for run in open {
        for now in 1000..1400 {
            let turned = run.turns().map(|turn| turn.is_some_and(|turn| at(now) > turn));
            let derived = run.clone().at(at(now));
            assert_eq!(turned, [derived.stuck_since.is_some(), derived.overdue_since.is_some()], "{:?} at {now}", run.phase);
        }
    }
}

#[test]
fn hiding_targets_never_makes_a_run_pass() {
    let seen = Run { targets: vec![target("shop", "web-0", "node-1")], ..run() };
    for pair in [("target_pod", "db-0"), ("target_pod", "!web-0"), ("text", "db-0"), ("target_namespace", "lab")] {
        assert!(filter(&[pair]).matches_run(&run()), "{pair:?}");
        assert!(!filter(&[pair]).matches_run(&seen), "{pair:?}");
    }
}

#[test]
fn what_cannot_be_understood_is_refused_with_what_is_allowed() {
    let mut filter = Filter::default();
    assert_eq!(filter.add("name", "~(").unwrap_err().to_string(), "name: not a regular expression: unclosed group");
    let refused = filter.add("phase", "runing").unwrap_err().to_string();
    assert!(refused.contains("selecting, injecting") && refused.contains("stuck, overdue"), "{refused}");
    assert!(filter.add("outcome", "!recovered").unwrap());
    assert!(filter.add("label", "team").is_err());
    assert_eq!(filter.add("nmae", "x"), Ok(false));
    assert!(filter.add("name", &"ä".repeat(LONGEST_VALUE)).unwrap(), "characters are counted, not bytes");
    assert!(filter.add("name", &"x".repeat(LONGEST_VALUE + 1)).is_err());
    assert!(filter.add("text", &"x".repeat(LONGEST_VALUE + 1)).is_err());
}

#[test]
fn there_is_a_limit_to_everything() {
    let mut filter = Filter::default();
    for _ in 0..MOST_EXPRESSIONS {
        filter.add("name", "~a+").unwrap();
    }
    let refused = filter.add("kind", "!~b").unwrap_err();
    assert!(refused.to_string().contains("regular expressions"), "{refused}");
    for parameter in ["namespace", "text"] {
        (0..MOST_VALUES).for_each(|_| assert!(filter.add(parameter, "a*").unwrap()));
        assert!(filter.add(parameter, "a").is_err(), "{parameter}");
    }
}

#[test]
fn a_run_belongs_to_the_times_it_overlaps() {
    let query = |from, to| RunQuery { from: at(from), to: at(to), limit: 1, after: None, filter: Filter::default() };
    let ended = Run { ended_at: Some(at(1100)), ..run() };
    assert!(query(1100, 1200).matches(&ended) && query(900, 1000).matches(&ended), "both ends are included");
    assert!(!query(1101, 1200).matches(&ended) && !query(900, 999).matches(&ended));
    assert!(query(5000, 6000).matches(&run()), "an open run goes on");
}
