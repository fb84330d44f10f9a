//! Schedules as they are seen, second by second, and what their slots come to. Times are seconds after a full hour.

use super::*;
use crate::cluster::now::Phase;
use chaoscope_model::observation::Object;
use chaoscope_model::{Parent, Reference, Tool};

const HOUR: i64 = 1_793_275_200; // 2026-10-29T12:00:00Z

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(HOUR + second).unwrap()
}

fn schedule(cron: &str, last: Option<i64>) -> Schedule {
    let about = Reference { kind: "Schedule".into(), namespace: "shop".into(), name: "cut".into(), uid: "u".into() };
    let (cron, makes, concurrency) = (cron.to_owned(), "NetworkChaos".to_owned(), "Forbid".to_owned());
    Schedule { about, cron, makes, concurrency, created_at: Some(at(0)), last_at: last.map(at), ..Schedule::default() }
}

#[expect(clippy::unnecessary_wraps, reason = "as whoever knows children answers")]
fn none(_: &Schedule) -> Option<Vec<Child>> {
    Some(Vec::new())
}

fn unknown(_: &Schedule) -> Option<Vec<Child>> {
    None
}

fn slots() -> Slots {
    Slots::new(None, &BTreeMap::new())
}

/// What comes after `now`, up to `until`.
fn upcoming(slots: &Slots, now: i64, until: i64) -> Vec<String> {
    let due = |due: Due<'_>| format!("{} {}", due.schedule.about.name, due.at.as_second() - HOUR);
    slots.plans().upcoming(at(now), at(now), at(until)).map(due).collect()
}

/// (missed, forbidden) after these sights of one schedule and ticks up to `end`.
fn judged(sights: &[(i64, Schedule)], end: i64, children: Children<'_>) -> (u64, u64) {
    let mut slots = slots();
    for second in 0..=end {
        for (_, schedule) in sights.iter().filter(|(seen, _)| *seen == second) {
            slots.see(&Arc::new(schedule.clone()), at(second), children);
        }
        slots.tick(at(second), children);
    }
    let count = slots.count("u");
    (count.missed, count.forbidden)
}

/// As in the recording `schedule`: every ten seconds a child of four; its time is noted up to two seconds late.
#[test]
fn a_schedule_that_does_what_it_should_misses_nothing() {
    let line = "@every 10s";
    let mut sights = vec![(0, schedule(line, None))];
    sights.extend((1..=6).map(|run| (run * 10 + run % 3, schedule(line, Some(run * 10)))));
    assert_eq!(judged(&sights, 66, &none), (0, 0));
    sights.truncate(5); // its controller dies after the fourth
    assert_eq!(judged(&sights, 66, &none), (2, 0), "slots at 50 and 60, the latter five seconds ago");
    assert_eq!(judged(&sights, 64, &none), (1, 0));
}

#[test]
fn slots_that_pass_while_it_is_paused_are_not_missed() {
    let line = "@every 10s";
    let paused = Schedule { paused: true, ..schedule(line, Some(10)) };
    // Resumed at 48: the controller makes the child of slot 20 at once, and counts anew from there.
    let sights = [
        (0, schedule(line, None)),
        (10, schedule(line, Some(10))),
        (14, paused),
        (48, schedule(line, Some(10))),
        (49, schedule(line, Some(48))),
    ];
    assert_eq!(judged(&sights, 60, &none), (0, 0));
    assert_eq!(judged(&sights, 63, &none), (1, 0), "58 passed");
}

#[test]
fn a_slot_with_an_active_child_is_forbidden_and_not_missed() {
    let child = |_: &Schedule| Some(vec![Child { created_at: at(10), ended_at: Some(at(25)) }]);
    let sights = |concurrency: &str| {
        let last = |last| Schedule { concurrency: concurrency.into(), ..schedule("@every 10s", last) };
        [(0, last(None)), (10, last(Some(10)))]
    };
    assert_eq!(judged(&sights("Forbid"), 30, &child), (0, 1));
    assert_eq!(judged(&sights(""), 30, &child), (0, 1), "Forbid is the default");
    assert_eq!(judged(&sights("Forbid"), 35, &child), (1, 1), "at 30 it had ended");
    assert_eq!(judged(&sights("Allow"), 30, &child), (1, 0));
    assert_eq!(judged(&sights("Forbid"), 35, &unknown), (0, 0), "nobody can tell");
    assert_eq!(judged(&sights("Allow"), 35, &unknown), (2, 0));
}

/// A conflict may keep the controller from noting when it made a child.
#[test]
fn a_child_is_enough() {
    let child = |_: &Schedule| Some(vec![Child { created_at: at(10), ended_at: None }]);
    assert_eq!(judged(&[(0, schedule("@every 10s", None))], 16, &child), (0, 0));
}

/// As in the recording `schedule-forbid`: with a deadline shorter than its interval it never fires.
#[test]
fn a_schedule_that_never_fires_misses_every_slot() {
    let never = Schedule { starting_deadline: Some(5), ..schedule("@every 6s", None) };
    assert_eq!(judged(&[(0, never.clone())], 40, &none), (5, 0));
    let mut slots = slots();
    slots.see(&Arc::new(never.clone()), at(0), &none);
    assert_eq!(slots.now(&[], &[], &[])[0].next_at, Some(at(6)), "past, and staying so");
    assert!(upcoming(&slots, 20, 100).is_empty());
    slots.see(&Arc::new(Schedule { starting_deadline: Some(6), ..never }), at(20), &none);
    assert_eq!(upcoming(&slots, 20, 31), ["cut 24", "cut 30"]);
}

#[test]
fn lines_of_the_calendar_need_the_zone_unless_all_clocks_agree() {
    // Five to and on the hour.
    let sights = [(10, schedule("*/5 * * * *", None))];
    assert_eq!(judged(&sights, 359, &none), (0, 0));
    assert_eq!(judged(&sights, 360, &none), (1, 0), "a minute late is missed");
    let sights = [(10, schedule("10 * * * *", None))];
    assert_eq!(judged(&sights, 3600, &none), (0, 0), "in which zone?");
    let mut known = Slots::new(Some(TimeZone::UTC), &BTreeMap::new());
    known.see(&Arc::new(sights[0].1.clone()), at(10), &none);
    known.tick(at(3600), &none);
    assert_eq!(known.count("u").missed, 1);
    assert_eq!(known.now(&[], &[], &[])[0].next_at, Some(at(600)));
}

#[test]
fn what_was_stored_is_not_counted_again() {
    let dead = Arc::new(schedule("@every 10s", Some(10)));
    let mut first = slots();
    first.see(&dead, at(12), &none);
    first.tick(at(40), &none);
    assert_eq!(first.count("u").missed, 2);
    first.tick(at(39), &none); // a clock that steps back
    first.tick(at(40), &none);
    let states: BTreeMap<_, _> = first.states().into_iter().map(|(key, state)| (key, state.unwrap())).collect();
    assert_eq!(first.states(), []);
    let mut second = Slots::new(None, &states);
    second.see(&dead, at(41), &none);
    assert_eq!(second.count("u").missed, 2);
    second.tick(at(60), &none);
    assert_eq!(second.count("u").missed, 4, "40 and 50 passed, whoever looked");
    second.gone("u");
    assert_eq!(second.states(), [("slots/u".to_owned(), None)]);
    assert_eq!(Slots::new(None, &BTreeMap::from([("slots/u".to_owned(), b"?".to_vec())])).count("u"), Count::default());
}

#[test]
fn what_a_list_lacks_is_forgotten_where_the_list_was_made() {
    let mut slots = Slots::new(None, &BTreeMap::from([("slots/old".to_owned(), serde_json::to_vec(&Count::default()).unwrap())]));
    slots.see(&Arc::new(schedule("@every 10s", None)), at(0), &none);
    slots.states();
    slots.retain("other", |_| false);
    slots.retain("shop", |uid| uid == "u");
    assert_eq!((slots.now(&[], &[], &[]).len(), slots.states()), (1, vec![]));
    slots.retain("shop", |_| false);
    assert_eq!((slots.now(&[], &[], &[]).len(), slots.states()), (0, vec![("slots/u".to_owned(), None)]));
    slots.retain("", |_| false);
    assert_eq!(slots.states(), [("slots/old".to_owned(), None)]);
}

#[test]
fn nothing_is_judged_that_passed_before_the_first_look() {
    assert_eq!(judged(&[(100, schedule("@every 10s", None))], 114, &none), (0, 0));
    assert_eq!(judged(&[(100, schedule("@every 10s", None))], 115, &none), (1, 0));
}

#[test]
fn children_that_come_are_merged_by_time() {
    let mut slots = slots();
    let named = |name: &str, schedule: Schedule| {
        let about = Reference { name: name.into(), uid: name.into(), ..schedule.about };
        Arc::new(Schedule { about, ..schedule })
    };
    slots.see(&named("a", schedule("@every 30s", Some(20))), at(21), &none);
    slots.see(&named("b", schedule("* * * * *", Some(0))), at(21), &none);
    slots.see(&named("c", Schedule { paused: true, ..schedule("* * * * *", None) }), at(21), &none);
    slots.see(&named("d", schedule("0 9 * * *", None)), at(21), &none);
    assert_eq!(upcoming(&slots, 21, 120), ["a 50", "b 60", "a 80", "a 110", "b 120"]);
    let asked = |now, from| slots.plans().upcoming(at(now), at(from), at(81)).map(|due| due.at).collect::<Vec<_>>();
    assert_eq!(asked(21, 60), [at(60), at(80)], "what is due at the beginning belongs to it");
    assert_eq!(asked(60, 60), [at(80)], "but what is due now has come");
    let unmet = named("e", schedule("@every 10s", Some(0)));
    slots.see(&unmet, at(21), &none);
    assert!(!upcoming(&slots, 1010, 1020).iter().any(|due| due.starts_with('e')), "given up after a hundred");
    let mut plans = slots.plans();
    plans.retain(|schedule| schedule.about.name == "b");
    let counted: Vec<_> = plans.upcoming(at(61), at(61), at(121)).map(|due| due.counted).collect();
    assert_eq!(counted, [Counted::Calendar]);
}

#[test]
fn a_schedule_that_runs_says_why_its_slots_are_not_known() {
    let mut slots = slots();
    let lines = [("clock", "0 9 * * *", false), ("idle", "0 9 * * *", true), ("odd", "every day", false), ("fine", "@every 1h", false)];
    for (name, line, paused) in lines {
        let schedule = Schedule { paused, ..schedule(line, None) };
        let about = Reference { name: name.into(), uid: name.into(), ..schedule.about };
        slots.see(&Arc::new(Schedule { about, ..schedule }), at(0), &none);
    }
    let told = |slots: &Slots| slots.plans().unknown().map(|(of, why)| (of.about.name.clone(), why)).collect::<Vec<_>>();
    assert_eq!(told(&slots), [("clock".to_owned(), Unknown::TimeZone), ("odd".to_owned(), Unknown::Cron)]);
    slots.set_zone(TimeZone::UTC);
    assert_eq!(told(&slots), [("odd".to_owned(), Unknown::Cron)]);
}

#[test]
fn a_finished_child_is_not_active_and_an_unwatched_kind_is_unknown() {
    let object = |phase, run: Option<i64>| {
        let parent = Some(Parent { kind: "Schedule".into(), uid: "u".into(), ..Parent::default() });
        let about = Reference { kind: "NetworkChaos".into(), ..Reference::default() };
        let object = Object { parent, ..object(about) };
        ExperimentNow { object: Arc::new(object), run: None, phase, upstream_phase: "", gone_at: run.map(at) }
    };
    let experiments = [object(Phase::Running, None), object(Phase::Finished, None), object(Phase::Running, Some(9))];
    let listed = WatchNow { resource: "networkchaos", listed_at: Some(at(0)), ..WatchNow::default() };
    let mut slots = slots();
    slots.see(&Arc::new(schedule("@every 10s", None)), at(0), &none);
    assert_eq!(slots.now(&experiments, &[], &[])[0].active, None);
    assert_eq!(slots.now(&experiments, &[], &[listed])[0].active, Some(1));
}

fn object(about: Reference) -> Object {
    Object {
        about,
        tool: Tool::ChaosMesh,
        version: 1,
        seen: at(0),
        created_at: Some(at(1)),
        deletion_at: None,
        paused: false,
        forced: false,
        desired: None,
        one_shot: false,
        remote: false,
        action: String::new(),
        duration: None,
        selected: true,
        all_injected: true,
        records: Vec::new(),
        parent: None,
        started_by: None,
        parameters: BTreeMap::new(),
        labels: BTreeMap::new(),
    }
}
