//! The same facts give the same runs: every recording shuffled, doubled, and interrupted by restarts.

use crate::recording;
use chaoscope::cluster::index::{Changes, Index};
use chaoscope_model::observation::Observation;
use chaoscope_model::run::Run;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;

/// What a journal would hold: runs and events by key.
#[derive(Default)]
struct Kept {
    runs: BTreeMap<String, Run>,
    events: BTreeMap<String, bool>,
    states: BTreeMap<String, Vec<u8>>,
}

impl Kept {
    fn take(&mut self, index: &Index, changes: Changes) {
        self.runs.extend(changes.runs.into_iter().map(|run| (run.id.clone(), run)));
        for event in changes.events {
            event.replaces.map(|key| self.events.remove(&key));
            *self.events.entry(event.key).or_default() |= event.announced;
        }
        for (key, state) in changes.touched.iter().map(|uid| index.state(uid)) {
            match state {
                Some(state) => self.states.insert(key, state),
                None => self.states.remove(&key),
            };
        }
    }
}

fn told(observations: &[Observation], restarts: &[usize]) -> Kept {
    let (mut kept, mut index) = (Kept::default(), Index::new(""));
    for (place, observation) in observations.iter().enumerate() {
        if restarts.contains(&place) {
            index = Index::new("");
            assert_eq!(index.restore(kept.states.iter()), 0, "every state can be read again");
            let pods = observations[..place].iter().filter(|observation| matches!(observation, Observation::Pod(_)));
            for pod in pods {
                let changes = index.observe(pod.clone()); // they are not kept: the API server is asked again
                kept.take(&index, changes);
            }
        }
        let changes = index.observe(observation.clone());
        kept.take(&index, changes);
    }
    kept
}

fn runner(name: &str) -> TestRunner {
    let mut seed = [0; 32];
    name.bytes().enumerate().for_each(|(place, byte)| seed[place % 32] ^= byte);
    TestRunner::new_with_rng(Config { cases: 12, ..Config::default() }, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

#[test]
fn the_order_the_number_and_the_interruptions_do_not_matter() {
    for name in recording::names() {
        let observations = recording::observations(&name);
        let wanted = told(&observations, &[]);
        let orders = (0..observations.len()).collect::<Vec<_>>();
        let twice = [orders.clone(), orders].concat();
        let strategy = (Just(twice).prop_shuffle(), proptest::collection::vec(0..observations.len() * 2, 0..4));
        let case = |(order, restarts): (Vec<usize>, Vec<usize>)| {
            let shuffled: Vec<_> = order.into_iter().map(|place| observations[place].clone()).collect();
            let given = told(&shuffled, &restarts);
            for (id, run) in &wanted.runs {
                prop_assert_eq!(Some(run), given.runs.get(id), "{}", &name);
            }
            prop_assert_eq!(wanted.runs.len(), given.runs.len(), "{}", &name);
            Ok(())
        };
        runner(&name).run(&strategy, case).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn a_replay_tells_nothing_new() {
    for name in recording::names() {
        let observations = recording::observations(&name);
        let once = told(&observations, &[]);
        let doubled: Vec<_> = observations.iter().flat_map(|observation| [observation.clone(), observation.clone()]).collect();
        for (kind, again) in [
            ("the whole again", told(&[observations.clone(), observations.clone()].concat(), &[observations.len()])),
            ("each twice", told(&doubled, &[doubled.len() / 2])),
        ] {
            assert_eq!(once.runs, again.runs, "{name}: {kind}");
            assert_eq!(once.events, again.events, "{name}: {kind}");
        }
    }
}

/// What does not depend on how exactly times are known.
fn essence(kept: &Kept) -> Vec<String> {
    let of = |run: &Run| {
        let targets: Vec<_> = run.targets.iter().map(|target| (&target.id, target.state)).collect();
        format!("{} {} {:?} {:?} {} {targets:?}", run.name, run.ordinal, run.phase, run.outcome, run.stop_requested_at.is_some())
    };
    kept.runs.values().map(of).collect()
}

#[test]
fn without_kubernetes_events_the_runs_are_the_same_only_less_exact() {
    for name in recording::names() {
        let observations = recording::observations(&name);
        let silent: Vec<_> = observations.iter().filter(|observation| !matches!(observation, Observation::Notice(_))).cloned().collect();
        let (told, less) = (told(&observations, &[]), told(&silent, &[]));
        assert_eq!(essence(&told), essence(&less), "{name}");
        for (exact, rough) in told.runs.values().zip(less.runs.values()) {
            // The object is made some seconds before the controller, on a slow machine, says that it starts.
            assert!(exact.started_at.duration_since(rough.started_at).abs() <= jiff::SignedDuration::from_secs(5), "{name}");
        }
    }
}
