//! Rules of the roll: which nodes count as connected, and how often a verdict may change.

use super::super::line::Hello;
use super::*;
use chaoscope_model::verdict::{Judged, Judgement};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn line(number: u32) -> Arc<Line> {
    Arc::new(Line::new(Hello { connection: number.to_string(), at: at(0), cluster: String::new(), release: "0" }))
}

fn place(node: &str, open: bool, until: Option<Timestamp>) -> Place {
    Place { node: node.into(), open, until }
}

fn names(roll: &Roll, now: i64) -> Vec<(String, bool)> {
    roll.now(at(now)).nodes.iter().map(|node| (node.name.to_string(), node.connected_since.is_some())).collect()
}

#[test]
fn a_node_counts_as_silent_half_a_minute_after_its_connection_ended() {
    let mut roll = Roll::default();
    roll.place("u", [place("n1", true, None)].into(), at(0));
    assert_eq!(roll.contact("n1", at(1000)), Contact::Unused, "nobody compares with kernels here");
    roll.connect("n1", &line(1), "", at(1000));
    assert_eq!(roll.contact("n1", at(9000)), Contact::Connected);
    roll.hang_up("n1", "1", at(9000));
    assert_eq!(roll.contact("n1", at(9029)), Contact::Connected);
    assert_eq!(roll.contact("n1", at(9030)), Contact::Silent);
    assert!(roll.due(at(9029)).iter().eq(["u"]), "it was looked at when it connected");
    assert!(roll.due(at(9030)).iter().eq(["u"]), "and is again when it is silent");
    assert!(roll.due(at(9999)).is_empty());
}

#[test]
fn a_newer_connection_ends_the_older_one_whose_end_says_nothing_then() {
    let mut roll = Roll::default();
    let (old, new) = (line(1), line(2));
    roll.connect("n1", &old, "1", at(0));
    roll.connect("n1", &new, "2", at(5));
    roll.hang_up("n1", "1", at(6));
    assert_eq!(roll.contact("n1", at(9000)), Contact::Connected);
    let node = &roll.now(at(7)).nodes[0];
    assert_eq!((node.connected_since, node.heard_at, &*node.release), (Some(at(5)), Some(at(5)), "2"));
}

#[test]
fn nodes_are_shown_for_an_hour_and_as_long_as_they_are_needed() {
    let mut roll = Roll::default();
    roll.connect("gone", &line(1), "", at(0));
    roll.hang_up("gone", "1", at(10));
    roll.place("u", [place("needed", true, None), place("over", false, Some(at(300)))].into(), at(20));
    let shown = |name: &str| (name.to_owned(), false);
    assert_eq!(names(&roll, 3609), [shown("gone"), shown("needed")]);
    assert_eq!(roll.now(at(21)).nodes.iter().map(|node| node.awaited).collect::<Vec<_>>(), [false, true], "nobody waits for what is gone");
    assert_eq!(names(&roll, 3610), [shown("needed")]);
    assert!(roll.due(at(300)).contains("u"));
    roll.place("u", BTreeSet::new(), at(301));
    roll.forget(at(9000));
    assert!(roll.nodes.is_empty());
}

#[test]
fn what_flaps_is_told_a_few_times_and_then_every_ten_seconds() {
    let judged = |second: i64| JudgedAt {
        uid: "u".into(),
        node: "n".into(),
        judged: Judged { run: "r".into(), target: "t".into(), selector: ".".into(), judgement: Judgement::in_force() },
        residue: None,
        at: at(second),
    };
    let mut pace = Pace::default();
    let passed = (0..10).filter(|second| pace.pass(judged(*second), at(*second)).is_some()).count();
    assert_eq!(passed, 4);
    assert!(pace.due(at(9)).is_empty());
    let told = (10..60).flat_map(|second| pace.due(at(second))).map(|it| it.at).collect::<Vec<_>>();
    assert_eq!(told, [at(9)], "the newest, once");
    assert!(pace.held.is_empty() && pace.due(at(1000)).is_empty() && pace.until.is_empty());
}
