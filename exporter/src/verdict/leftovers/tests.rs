//! Visits by hand: when something becomes residue, and when it is gone.

use super::super::fixture::{at, empty, looked, pod, sweep};
use super::*;
use crate::node::error::ReadError;
use crate::node::sweep::Complete;
use chaoscope_model::verdict::Owner;
use chaoscope_model::{Pod, Tool};
use proptest::prelude::*;

type Spoil = fn(&mut Sweep);

fn left(what: &str, object: &str, second: i64) -> Residue {
    let (container, effect) = (if matches!(what, "mount" | "helper") { "web" } else { "" }.to_owned(), Effect::Effective);
    let (owner, tool, what, object) = (Owner::Unknown, Tool::ChaosMesh, what.into(), object.into());
    Residue {
        pod: pod(),
        container,
        netns: String::new(),
        effect,
        owner,
        what,
        object,
        tool,
        experiment: None,
        run: None,
        first_seen: at(second),
    }
}

/// A sweep in which every source answered.
fn whole() -> Sweep {
    sweep(empty())
}

/// One in which none did.
fn blind() -> Sweep {
    let refused = || ReadError::of("netlink", rustix::io::Errno::PERM);
    let mut sweep =
        sweep(crate::node::visit::Reading { tc: Err(refused()), sets: Err(refused()), legacy: Err(refused()), nft: Err(refused()) });
    sweep.complete = Complete::default();
    sweep.looked = vec![crate::node::sweep::Looked { mounts: false, resolv_conf: false, ..looked("web") }];
    sweep
}

const ALL: [(&str, &str); 8] = [
    ("qdisc", "netem 1: dev eth0 parent root"),
    ("filter", "u32 dev eth0 parent 1: redirect to ifb0"),
    ("rule", "legacy ipv4 filter INPUT/a_ -j DROP"),
    ("chain", "nft ipv4 filter INPUT/a_"),
    ("set", "a_net_tgt"),
    ("helper", "stress_ng (pid 5)"),
    ("mount", "toda at /data in web"),
    ("mount", "resolv.conf replaced in web"),
];

#[test]
fn two_visits_of_one_moment_are_one() {
    let mut leftovers = Leftovers::default();
    let moment = at(0) + SignedDuration::from_millis(900);
    leftovers.visit(vec![left("rule", "legacy ipv4 filter INPUT/a_", 0)], &whole(), at(0));
    leftovers.visit(vec![left("rule", "legacy ipv4 filter INPUT/a_", 0)], &whole(), moment);
    assert!(leftovers.visit(vec![], &blind(), at(40)).is_empty(), "nobody has seen it again");
    assert_eq!(leftovers.visit(vec![left("rule", "legacy ipv4 filter INPUT/a_", 42)], &whole(), at(42)).len(), 1);
}

#[test]
fn it_takes_two_visits_and_the_time_of_grace() {
    let mut leftovers = Leftovers::default();
    let mut visit = |second: i64| leftovers.visit(vec![left("qdisc", "netem", second)], &whole(), at(second)).to_vec();
    assert!(visit(100).is_empty() && visit(102).is_empty() && visit(129).is_empty());
    let shown = visit(130);
    assert_eq!((shown.len(), shown[0].first_seen), (1, at(100)));
    // after a long time without a visit, one alone is not enough
    let mut leftovers = Leftovers::default();
    assert!(leftovers.visit(vec![left("set", "a", 0)], &whole(), at(500)).is_empty(), "a first visit");
    assert!(leftovers.visit(vec![left("set", "a", 0)], &whole(), at(500)).is_empty(), "the same visit");
    assert_eq!(leftovers.visit(vec![left("set", "a", 501)], &whole(), at(501)).len(), 1);
    assert_eq!(leftovers.now()[0].first_seen, at(0));
}

#[test]
fn what_a_visit_does_not_show_is_gone_only_where_it_could_have() {
    for (what, object) in ALL {
        let mut leftovers = Leftovers::default();
        for second in [0, 40] {
            leftovers.visit(vec![left(what, object, second)], &whole(), at(second));
        }
        assert_eq!(leftovers.visit(vec![], &blind(), at(42)).len(), 1, "{what} {object}: nothing was read");
        let mut elsewhere = blind();
        (elsewhere.namespaces, elsewhere.looked) = (vec![], vec![]);
        assert_eq!(leftovers.visit(vec![], &elsewhere, at(44)).len(), 1, "{what} {object}: the pod was not looked for");
        let mut gone = elsewhere;
        gone.complete = Complete { processes: true, namespaces: true };
        assert!(leftovers.clone().visit(vec![], &gone, at(46)).is_empty(), "{what} {object}: the pod is gone");
        assert!(leftovers.visit(vec![], &whole(), at(46)).is_empty(), "{what} {object}: it is gone");
        // and begins anew
        assert!(leftovers.visit(vec![left(what, object, 48)], &whole(), at(48)).is_empty());
    }
}

#[test]
fn a_sweep_of_other_pods_says_nothing_of_this_one() {
    for (what, object) in ALL {
        let mut leftovers = Leftovers::default();
        for second in [0, 40] {
            leftovers.visit(vec![left(what, object, second)], &whole(), at(second));
        }
        let mut others = whole();
        others.complete.namespaces = false;
        assert!(leftovers.clone().visit(vec![], &others, at(42)).is_empty(), "{what} {object}: this pod was among them");
        others.namespaces[0].namespace.pod = Some(Pod { uid: "u2".into(), ..pod() });
        others.looked[0].pod = "u2".into();
        assert_eq!(leftovers.visit(vec![], &others, at(42)).len(), 1, "{what} {object}");
    }
}

#[test]
fn each_source_answers_for_its_own() {
    let failed: [(&str, Spoil); 6] = [
        ("netem 1: dev eth0 parent root", |sweep| reading(sweep).tc = refused()),
        ("a_net_tgt", |sweep| reading(sweep).sets = refused()),
        ("legacy ipv4 filter INPUT/a_ -j DROP", |sweep| reading(sweep).legacy = refused()),
        ("nft ipv4 filter INPUT/a_", |sweep| reading(sweep).nft = refused()),
        ("toda at /data in web", |sweep| sweep.looked[0].mounts = false),
        ("resolv.conf replaced in web", |sweep| sweep.looked[0].resolv_conf = false),
    ];
    for (kept, spoil) in failed {
        let mut leftovers = Leftovers::default();
        for second in [0, 40] {
            leftovers.visit(ALL.map(|(what, object)| left(what, object, second)).to_vec(), &whole(), at(second));
        }
        let mut sweep = whole();
        spoil(&mut sweep);
        let left: Vec<_> = leftovers.visit(vec![], &sweep, at(42)).iter().map(|residue| residue.object.as_str()).collect();
        let wanted: Vec<_> = ALL
            .iter()
            .map(|(_, object)| *object)
            .filter(|object| *object == kept || (kept.starts_with("netem") && object.starts_with("u32")))
            .collect();
        assert_eq!(left.len(), wanted.len(), "{left:?}");
        assert!(wanted.iter().all(|object| left.contains(object)), "{left:?}");
    }
}

fn reading(sweep: &mut Sweep) -> &mut crate::node::visit::Reading {
    let Fate::Read(reading, _) = &mut sweep.namespaces[0].fate else { panic!("it was read") };
    reading
}

fn refused<T>() -> Result<T, ReadError> {
    Err(ReadError::of("netlink", rustix::io::Errno::PERM))
}

#[test]
fn whose_it_is_may_be_told_later() {
    let mut leftovers = Leftovers::default();
    leftovers.visit(vec![left("qdisc", "netem", 0)], &whole(), at(0));
    let told = Residue { owner: Owner::EndedRun, run: Some("r".into()), ..left("qdisc", "netem", 31) };
    let shown = leftovers.visit(vec![told.clone()], &whole(), at(31));
    assert_eq!(shown, [Residue { first_seen: at(0), ..told }]);
}

#[test]
fn a_pod_that_only_a_uid_names_is_found_again_by_its_namespace() {
    let mut unnamed = whole();
    unnamed.namespaces[0].namespace.pod = Some(Pod { uid: "u1".into(), ..Pod::default() });
    let found = |second| Residue { pod: Pod { uid: "u1".into(), ..Pod::default() }, netns: "7".into(), ..left("qdisc", "netem", second) };
    let mut leftovers = Leftovers::default();
    for second in [0, 40] {
        leftovers.visit(vec![found(second)], &unnamed, at(second));
    }
    assert_eq!(leftovers.now().len(), 1);
    assert!(leftovers.visit(vec![], &unnamed, at(42)).is_empty());
}

#[test]
fn there_is_a_most_and_what_is_effective_comes_first() {
    let mut leftovers = Leftovers::default();
    for second in [0, 40] {
        let benign = (0..MOST + 5).map(|number| Residue { effect: Effect::Benign, ..left("set", &format!("{number:06}"), second) });
        let found = benign.chain([left("qdisc", "netem", second)]).collect();
        leftovers.visit(found, &whole(), at(second));
    }
    assert_eq!((leftovers.now().len(), leftovers.now()[0].what.as_str()), (MOST, "qdisc"));
    assert!(leftovers.full);
    leftovers.visit(vec![], &whole(), at(42));
    assert!(!leftovers.full);
}

proptest! {
    /// Over any visits: shown is only what was found since its first sight at every visit that could have shown it, by two at least, and for
    /// the time of grace; and all of that is shown.
    #[test]
    fn what_is_shown_was_there_for_long_enough(visits in prop::collection::vec((any::<bool>(), any::<bool>(), 1_i64..20), 1..40)) {
        let mut leftovers = Leftovers::default();
        let (mut now, mut since, mut times) = (0, None, 0);
        for (found, seen, pause) in visits {
            now += pause;
            if found {
                times += 1;
                since.get_or_insert(now);
            } else if seen {
                (since, times) = (None, 0);
            }
            let sweep = if seen { whole() } else { blind() };
            let found = if found { vec![left("qdisc", "netem", now)] } else { vec![] };
            let shown = leftovers.visit(found, &sweep, at(now)).to_vec();
            let due = times >= 2 && since.is_some_and(|since| now - since >= 30);
            prop_assert_eq!(shown.len(), usize::from(due));
            prop_assert!(shown.iter().all(|residue| Some(residue.first_seen) == since.map(at)));
        }
    }
}
