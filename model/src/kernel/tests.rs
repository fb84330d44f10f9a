//! Sweeps in words, and what must hold for any of them.

use super::*;
use crate::run::{Outcome, Phase, TargetState};
use proptest::prelude::*;

const BOOT: &str = "5f0c3c1e";
const LAB: Netns = Netns { device: 4, inode: 7 };
const WEB: Netns = Netns { device: 4, inode: 8 };

/// What a journal would hold after the changes of all sweeps.
#[derive(Clone, Debug, Default, PartialEq)]
struct Store {
    runs: BTreeMap<String, Run>,
    kept: BTreeMap<String, Open>,
    events: Vec<Event>,
}

impl Store {
    fn take(&mut self, changes: Changes) {
        self.runs.extend(changes.runs.into_iter().map(|run| (run.id.clone(), run)));
        self.events.extend(changes.events);
        for (id, open) in changes.kept {
            match open {
                Some(open) => self.kept.insert(id, open),
                None => self.kept.remove(&id),
            };
        }
    }

    fn only(&self) -> &Run {
        assert_eq!(self.runs.len(), 1, "{:#?}", self.runs);
        self.runs.values().next().unwrap()
    }

    fn reasons(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.reason.as_str()).collect()
    }

    /// After a restart.
    fn resume(&self) -> KernelHistory {
        let kept = self.kept.values().map(|open| serde_json::from_slice(&serde_json::to_vec(open).unwrap()).unwrap());
        KernelHistory::new(BOOT, "").resume(kept.collect::<Vec<_>>(), None)
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn fault(place: Netns, key: &str, delay: &str) -> Fault {
    Fault {
        place: Some(place),
        source: Source::Tc,
        key: key.to_owned(),
        kind: Kind::Netem,
        action: "delay".to_owned(),
        parameters: BTreeMap::from([("delay".to_owned(), delay.to_owned())]),
        looks_like: None,
        home: String::new(),
        target: Target { netns: "lab".to_owned(), node: "one".to_owned(), ..Target::default() },
    }
}

/// A sweep that read both namespaces in full.
fn sweep(second: i64, faults: Vec<Fault>) -> Sweep {
    let read = [LAB, WEB].map(|netns| (Some(netns), Source::Tc)).into();
    Sweep { began: at(second), at: at(second), read, present: Some([LAB, WEB].into()), faults }
}

/// A sweep in which everything failed.
fn failed(second: i64) -> Sweep {
    Sweep { began: at(second), at: at(second), ..Sweep::default() }
}

fn after(history: &mut KernelHistory, sweeps: &[Sweep]) -> Store {
    let mut store = Store::default();
    for sweep in sweeps {
        store.take(history.sweep(sweep));
    }
    store
}

fn all(sweeps: &[Sweep]) -> Store {
    after(&mut KernelHistory::new(BOOT, ""), sweeps)
}

#[test]
fn a_fault_that_comes_and_goes_is_one_run() {
    let store =
        all(&[sweep(0, vec![]), sweep(2, vec![fault(LAB, "a", "100ms")]), sweep(4, vec![fault(LAB, "a", "100ms")]), sweep(6, vec![])]);
    let run = store.only();
    assert_eq!((run.kind.as_str(), run.name.as_str(), run.baseline, run.phase), ("netem", "lab", false, Phase::Finished));
    assert_eq!((run.started_at, run.injected_at, run.outcome), (at(2), Some(at(2)), Some(Outcome::Recovered)));
    assert_eq!((run.ended_at, run.recovered_at, run.ended_after), (Some(at(6)), Some(at(6)), Some(at(4))));
    assert_eq!((run.targets[0].state, run.targets[0].id.as_str()), (TargetState::Recovered, "4:7"));
    assert_eq!(store.reasons(), ["Applied", "Recovered"]);
    assert!(store.kept.is_empty() && run.precision.values().all(|precision| precision.as_str() == "seen"));
}

#[test]
fn what_the_first_look_finds_is_baseline() {
    let store = all(&[sweep(0, vec![fault(LAB, "a", "100ms")])]);
    assert_eq!((store.only().baseline, store.only().injected_at, store.reasons()), (true, None, vec!["Found"]));
    // Also where only the second look could read.
    let store = all(&[Sweep { present: Some([LAB, WEB].into()), ..failed(0) }, sweep(2, vec![fault(LAB, "a", "100ms")])]);
    assert!(store.only().baseline);
    // In a namespace that was not there before, it is new.
    let first = Sweep { read: [(Some(WEB), Source::Tc)].into(), present: Some([WEB].into()), ..failed(0) };
    assert!(!all(&[first, sweep(2, vec![fault(LAB, "a", "100ms")])]).only().baseline);
}

#[test]
fn a_changed_parameter_is_an_event_and_no_new_run() {
    let store = all(&[sweep(0, vec![]), sweep(2, vec![fault(LAB, "a", "100ms")]), sweep(4, vec![fault(LAB, "a", "250ms")])]);
    assert_eq!(store.only().parameters["delay"], "250ms");
    let event = &store.events[1];
    assert_eq!((event.reason.as_str(), event.message.as_str()), ("Changed", "delay: 100ms → 250ms"));
    assert_eq!((event.attributes["old.delay"].as_str(), event.attributes["new.delay"].as_str()), ("100ms", "250ms"));
    assert_eq!(event.run.as_deref(), Some(store.only().id.as_str()));
}

#[test]
fn a_failed_read_ends_nothing() {
    let mut history = KernelHistory::new(BOOT, "");
    let mut store = after(&mut history, &[sweep(0, vec![]), sweep(2, vec![fault(LAB, "a", "100ms")]), failed(4)]);
    // Another source, another namespace, an incomplete list of namespaces: none of them tells of this one.
    for read in [(Some(LAB), Source::Nft), (Some(WEB), Source::Tc), (None, Source::Processes)] {
        store.take(history.sweep(&Sweep { read: [read].into(), present: Some([LAB].into()), ..failed(6) }));
    }
    assert!(store.only().is_open());
    store.take(history.sweep(&sweep(8, vec![])));
    let run = store.only();
    assert_eq!((run.ended_at, run.ended_after), (Some(at(8)), Some(at(2))), "nobody saw it after the second");
}

#[test]
fn a_namespace_that_is_gone_takes_its_faults_with_it() {
    let gone = Sweep { present: Some([WEB].into()), ..failed(4) };
    let store = all(&[sweep(0, vec![]), sweep(2, vec![fault(LAB, "a", "100ms")]), gone]);
    let run = store.only();
    assert_eq!((run.outcome, run.ended_at, run.recovered_at), (Some(Outcome::Recovered), Some(at(4)), None));
    assert_eq!((run.targets[0].state, store.reasons()), (TargetState::Gone, vec!["Applied", "NamespaceGone"]));
}

#[test]
fn another_pod_with_the_same_inode_is_another_run() {
    let of = |uid: &str| Fault { home: uid.to_owned(), ..fault(LAB, "a", "100ms") };
    let store =
        all(&[sweep(0, vec![]), sweep(2, vec![of("")]), sweep(4, vec![of("one")]), sweep(6, vec![of("")]), sweep(8, vec![of("two")])]);
    let open: Vec<_> = store.runs.values().map(|run| (run.started_at, run.is_open())).collect();
    assert!(open.len() == 2 && open.contains(&(at(2), false)) && open.contains(&(at(8), true)), "{open:?}");
}

#[test]
fn names_come_late_and_stay() {
    let mut named = fault(LAB, "a", "100ms");
    (named.target.pod, named.target.namespace, named.looks_like) = ("web-0".into(), "shop".into(), Some(Tool::Krkn));
    let store = all(&[sweep(0, vec![fault(LAB, "a", "100ms")]), sweep(2, vec![named]), sweep(4, vec![fault(LAB, "a", "100ms")])]);
    let run = store.only();
    assert_eq!((run.targets[0].pod.as_str(), run.labels["looks_like"].as_str(), store.events.len()), ("web-0", "krkn", 1));
}

#[test]
fn a_restart_goes_on_and_what_ended_meanwhile_is_lost() {
    let mut store = all(&[sweep(0, vec![]), sweep(2, vec![fault(LAB, "a", "100ms"), fault(WEB, "b", "1s")])]);
    let ids: Vec<String> = store.runs.keys().cloned().collect();
    let mut history = store.resume();
    store.take(history.sweep(&failed(99)));
    store.take(history.sweep(&sweep(100, vec![fault(LAB, "a", "100ms"), fault(LAB, "c", "3s")])));
    store.take(history.sweep(&sweep(102, vec![])));
    let of = |key: &str| store.runs.values().find(|run| run.parameters["delay"] == key).unwrap();
    assert_eq!((of("100ms").outcome, of("100ms").ended_at), (Some(Outcome::Recovered), Some(at(102))));
    assert_eq!((of("1s").outcome, of("1s").ended_after, of("1s").ended_at), (Some(Outcome::Lost), Some(at(2)), Some(at(100))));
    assert!(of("3s").baseline, "it may have begun at any time while nobody looked");
    assert!(ids.iter().all(|id| store.runs.contains_key(id)) && store.runs.len() == 3);
}

#[test]
fn the_last_look_before_a_restart_is_the_lower_bound_unless_the_place_was_not_read() {
    let mut history = KernelHistory::new(BOOT, "");
    let part = Sweep { read: [(Some(LAB), Source::Tc)].into(), faults: vec![fault(LAB, "a", "100ms")], ..failed(50) };
    let store = after(&mut history, &[sweep(0, vec![]), sweep(2, vec![fault(LAB, "a", "100ms"), fault(WEB, "b", "1s")]), part]);
    let mut resumed = KernelHistory::new(BOOT, "").resume(store.kept.values().cloned(), Some(at(50)));
    let ends: BTreeSet<_> = resumed.sweep(&sweep(100, vec![])).runs.into_iter().map(|run| run.ended_after).collect();
    assert_eq!(ends, [Some(at(2)), Some(at(50))].into());
}

#[test]
fn another_boot_ends_everything() {
    let store = all(&[sweep(0, vec![]), sweep(2, vec![fault(LAB, "a", "100ms")])]);
    let ended = |booted| store.resume().abandon(booted, at(100)).runs[0].ended_at;
    assert_eq!((ended(Some(at(60))), ended(None), ended(Some(at(1)))), (Some(at(60)), Some(at(100)), Some(at(100))));
    let run = store.resume().abandon(None, at(100)).runs.remove(0);
    assert_eq!((run.outcome, run.id.as_str()), (Some(Outcome::Lost), store.only().id.as_str()));
    let orphan = KernelHistory::orphan(store.only().clone(), at(9)).runs.remove(0);
    assert_eq!((orphan.outcome, orphan.ended_after, orphan.ended_at), (Some(Outcome::Lost), Some(at(2)), Some(at(9))));
}

#[test]
fn a_clock_set_back_ends_no_run_before_its_start() {
    let store = all(&[sweep(100, vec![]), sweep(102, vec![fault(LAB, "a", "100ms")]), sweep(50, vec![])]);
    let run = store.only();
    assert_eq!((run.started_at, run.ended_at, run.ended_after), (at(102), Some(at(102)), Some(at(102))));
}

#[test]
fn too_many_faults_of_one_place_leave_the_others_alone() {
    let many = |from: usize| (from..MOST_IN_A_PLACE + 9).map(|number| fault(LAB, &format!("{number:04}"), "1s"));
    let mut history = KernelHistory::new(BOOT, "");
    let faults: Vec<_> = many(0).chain([fault(WEB, "b", "1s")]).collect();
    let changes = history.sweep(&sweep(0, faults));
    assert_eq!((changes.left_out, history.open()), (9, MOST_IN_A_PLACE + 1));
    let changes = history.sweep(&sweep(2, many(1).collect()));
    assert_eq!((history.open(), changes.left_out), (MOST_IN_A_PLACE - 1, 9), "those that are runs stay runs");
}

/// Any look at two namespaces: which of them could be read, whether the list was complete, and what was there.
fn any_sweep() -> impl Strategy<Value = (bool, bool, bool, Vec<(bool, u8, u8)>)> {
    (any::<bool>(), any::<bool>(), any::<bool>(), prop::collection::vec((any::<bool>(), 0..3_u8, 0..2_u8), 0..4))
}

fn build(at: Timestamp, (lab, web, whole, faults): (bool, bool, bool, Vec<(bool, u8, u8)>)) -> Sweep {
    let readable = [(lab, LAB), (web, WEB)].into_iter().filter(|(readable, _)| *readable).map(|(_, netns)| netns);
    let read: BTreeSet<_> = readable.map(|netns| (Some(netns), Source::Tc)).collect();
    let faults =
        faults.into_iter().map(|(is_lab, key, delay)| fault(if is_lab { LAB } else { WEB }, &key.to_string(), &format!("{delay}s")));
    let faults = faults.filter(|fault| read.contains(&(fault.place, fault.source))).collect();
    Sweep { began: at, at, read, present: whole.then(|| [LAB, WEB].into()), faults }
}

fn any_sweeps() -> impl Strategy<Value = Vec<Sweep>> {
    prop::collection::vec(any_sweep(), 1..12)
        .prop_map(|looks| (0..).step_by(10).zip(looks).map(|(second, look)| build(at(second), look)).collect())
}

proptest! {
    #[test]
    fn the_same_sweep_again_changes_nothing(sweeps in any_sweeps()) {
        let mut history = KernelHistory::new(BOOT, "");
        for sweep in &sweeps {
            history.sweep(sweep);
            let again = history.sweep(sweep);
            prop_assert!(again.is_empty(), "{again:#?}");
        }
    }

    #[test]
    fn failed_sweeps_in_between_change_no_run_and_no_event(sweeps in any_sweeps()) {
        let with_failures: Vec<_> = sweeps.iter().flat_map(|sweep| [failed(sweep.at.as_second() - 5), sweep.clone()]).collect();
        let (plain, failing) = (all(&sweeps), all(&with_failures));
        prop_assert_eq!((plain.runs, plain.events), (failing.runs, failing.events));
    }

    #[test]
    fn what_is_open_is_kept_and_nothing_else(sweeps in any_sweeps()) {
        let store = all(&sweeps);
        let open: BTreeSet<_> = store.runs.values().filter(|run| run.is_open()).map(|run| &run.id).collect();
        prop_assert_eq!(open, store.kept.keys().collect());
        for (id, open) in &store.kept {
            prop_assert_eq!(&store.runs[id], &open.run);
        }
    }

    #[test]
    fn a_restart_at_any_moment_ends_and_begins_nothing(sweeps in any_sweeps(), cut in 0..12_usize) {
        let (before, later) = sweeps.split_at(cut.min(sweeps.len()));
        let mut store = all(before);
        store.take(after_restart(&store, later));
        let plain = all(&sweeps);
        // Runs of before the restart are the same but for the word of an end that nobody saw; what came later has a start of its own.
        for (id, run) in plain.runs.iter().filter(|(id, _)| all(before).runs.contains_key(*id)) {
            let other = &store.runs[id];
            prop_assert_eq!((run.started_at, run.ended_at, run.is_open()), (other.started_at, other.ended_at, other.is_open()));
        }
        prop_assert_eq!(plain.runs.len(), store.runs.len());
    }
}

fn after_restart(store: &Store, later: &[Sweep]) -> Changes {
    let mut history = store.resume();
    let mut out = Changes::default();
    for sweep in later {
        let changes = history.sweep(sweep);
        out.runs.extend(changes.runs);
        out.kept.extend(changes.kept);
    }
    out
}
