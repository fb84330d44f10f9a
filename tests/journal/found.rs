//! What a query finds: exactly what its own `matches` says, whatever SQL narrowed, page after page.

use crate::build::{at, event, open, record, run, target};
use chaoscope::journal::{Journal, Page};
use chaoscope_model::event::{Event, Severity};
use chaoscope_model::query::{EventQuery, Filter, RunQuery};
use chaoscope_model::run::{Outcome, Phase, Run};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Times of every scale, and some that are equal.
fn time() -> impl Strategy<Value = f64> {
    prop_oneof![select(vec![0.0, 1.0, 16.0, 3600.0]), (0.0..100.0), (0.0..100_000.0), (0.0..8_000_000.0)]
}

fn word() -> impl Strategy<Value = &'static str> {
    select(vec!["", "a", "b", "c"])
}

prop_compose! {
    fn any_run()(
        started in time(), length in time(), open in any::<bool>(), words in vec(word(), 4), targets in vec((word(), word(), word(), word()), 0..3),
        phase in select(Phase::ALL.to_vec()), outcome in select(Outcome::ALL.to_vec()), step_back in 0..20,
    ) -> Run {
        let mut run = run("?", started);
        // Now and then the clock was stepped back while it ran.
        let length = if step_back == 0 { -length } else { length };
        if !open {
            run.ended_at = Some(at(started + length));
            run.outcome = Some(outcome);
        }
        run.phase = phase;
        (run.kind, run.namespace, run.name) = (words[0].into(), words[1].into(), words[2].into());
        run.labels = [("team".to_owned(), words[3].to_owned())].into();
        run.targets = targets.iter().map(|(namespace, pod, node, workload)| {
            let mut target = target(namespace, pod, node);
            target.workload = (*workload).to_owned();
            target
        }).collect();
        run
    }
}

prop_compose! {
    fn any_event()(at_seconds in time(), of in 0..40_usize, words in vec(word(), 5), warning in any::<bool>()) -> Event {
        let mut event = event("?", &format!("run-{of}"), at_seconds);
        if of % 5 == 0 {
            event.run = None;
        }
        event.severity = if warning { Severity::Warning } else { Severity::Normal };
        (event.reason, event.namespace, event.name) = (words[0].into(), words[1].into(), words[2].into());
        (event.target_namespace, event.target_pod) = (words[3].into(), words[4].into());
        event
    }
}

/// One `parameter=value`, that the index can look up, or cannot.
fn asked() -> impl Strategy<Value = (&'static str, String)> {
    let free = select(vec!["kind", "namespace", "name", "target_namespace", "target_pod", "target_node", "target_workload", "reason"]);
    let shape = (word(), select(vec!["", "", "", "!", "*", "~"])).prop_map(|(word, shape)| match shape {
        "*" => format!("{word}*"),
        shape => format!("{shape}{word}"),
    });
    prop_oneof![
        6 => (free, shape),
        1 => (Just("phase"), select(Phase::ALL.to_vec()).prop_map(|phase| phase.as_str().to_owned())),
        1 => (Just("outcome"), select(vec!["", "recovered", "!recovered", "forced"]).prop_map(str::to_owned)),
        1 => (Just("type"), select(vec!["Normal", "Warning", "!Warning"]).prop_map(str::to_owned)),
        1 => (Just("label"), word().prop_map(|word| format!("team={word}"))),
        1 => (Just("text"), select(vec!["a", "100MS", "none"]).prop_map(str::to_owned)),
    ]
}

prop_compose! {
    fn any_question()(from in time(), length in time(), asked in vec(asked(), 0..4), limit in 1..8_usize) -> RunQuery {
        let mut filter = Filter::default();
        for (field, value) in &asked {
            assert!(filter.add(field, value).unwrap());
        }
        RunQuery { from: at(from), to: at(from + length), limit, after: None, filter }
    }
}

/// All pages of an answer; each full but the last.
fn all<T>(limit: usize, mut ask: impl FnMut(Option<chaoscope_model::query::Position>) -> Page<T>) -> Vec<T> {
    let (mut rows, mut after) = (vec![], None);
    loop {
        let page = ask(after);
        let full = page.rows.len() == limit;
        rows.extend(page.rows);
        after = page.next;
        assert!(full || after.is_none());
        if after.is_none() {
            return rows;
        }
    }
}

/// Not everybody sees everything: some runs not at all, of others not the first target.
fn seen(run: &Run) -> Option<Run> {
    let mut run = run.clone();
    if run.namespace == "c" {
        return None;
    }
    if run.namespace == "b" && !run.targets.is_empty() {
        run.targets.remove(0);
    }
    Some(run)
}

fn seen_event(event: &Event, run: Option<&Run>) -> bool {
    event.namespace != "c" && run.is_none_or(|run| run.kind != "c")
}

fn check_runs(journal: &Journal, runs: &[Run], query: &RunQuery) -> Result<(), TestCaseError> {
    let found = all(query.limit, |after| journal.runs(&RunQuery { after, ..query.clone() }, &seen).unwrap());
    let seen = runs.iter().enumerate().filter_map(|(row, run)| Some((row, seen(run)?)));
    let mut wanted: Vec<_> = seen.filter(|(_, run)| query.matches(run)).collect();
    wanted.sort_by_key(|(row, run)| std::cmp::Reverse((run.started_at, *row)));
    let wanted: Vec<_> = wanted.into_iter().map(|(_, run)| run).collect();
    prop_assert_eq!(found, wanted, "{:?}", query);
    Ok(())
}

/// What is answered without being understood is what would have been answered had it been.
fn check_json(journal: &Journal, runs: &[Run], query: &RunQuery) -> Result<(), TestCaseError> {
    let now = at(4_000_000.0);
    for see in [None, Some(&seen as &dyn Fn(&Run) -> Option<Run>)] {
        let found = all(query.limit, |after| journal.runs_as_json(&RunQuery { after, ..query.clone() }, see, now).unwrap());
        let shown = runs.iter().enumerate().filter_map(|(row, run)| Some((row, see.map_or_else(|| Some(run.clone()), |see| see(run))?)));
        let mut wanted: Vec<_> = shown.filter(|(_, run)| query.matches(run)).collect();
        wanted.sort_by_key(|(row, run)| std::cmp::Reverse((run.started_at, *row)));
        let wanted: Vec<_> = wanted.into_iter().map(|(_, run)| serde_json::to_string(&run.at(now)).unwrap()).collect();
        prop_assert_eq!(found.iter().map(|run| run.get()).collect::<Vec<_>>(), wanted, "{:?}", query);
    }
    Ok(())
}

fn check_events(journal: &Journal, runs: &[Run], events: &[Event], query: &RunQuery) -> Result<(), TestCaseError> {
    let RunQuery { from, to, limit, after, filter } = query.clone();
    let query = EventQuery { from, to, limit, after, filter };
    let found = all(limit, |after| journal.events(&EventQuery { after, ..query.clone() }, &seen_event).unwrap());
    let of = |event: &Event| runs.iter().find(|run| Some(&run.id) == event.run.as_ref());
    let mut wanted: Vec<_> =
        events.iter().enumerate().filter(|(_, event)| query.matches(event, of(event)) && seen_event(event, of(event))).collect();
    wanted.sort_by_key(|(row, event)| std::cmp::Reverse((event.at, *row)));
    prop_assert_eq!(found, wanted.into_iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(), "{:?}", query);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sql_narrows_and_matches_decides(
        before in vec(any_run(), 1..40), after in vec(any_run(), 0..40), events in vec(any_event(), 0..60), questions in vec(any_question(), 12),
    ) {
        let name = |(index, run): (usize, &Run)| Run { id: format!("run-{index}"), ..run.clone() };
        let before: Vec<_> = before.iter().enumerate().map(name).collect();
        let after: Vec<_> = after.iter().enumerate().map(name).collect();
        let events: Vec<_> = events.into_iter().enumerate().map(|(index, event)| Event { key: format!("event-{index}"), ..event }).collect();
        let journal = open(None);
        record(&journal, &before, &events).unwrap();
        // Some of the runs have become others, and some are new.
        record(&journal, &after, &[]).unwrap();
        let mut runs = before;
        for (index, run) in after.into_iter().enumerate() {
            if index < runs.len() { runs[index] = run } else { runs.push(run) }
        }
        let open: Vec<_> = runs.iter().filter(|run| run.is_open()).cloned().collect();
        prop_assert_eq!(journal.open_runs().unwrap(), open);
        for query in &questions {
            check_runs(&journal, &runs, query)?;
            check_json(&journal, &runs, query)?;
            check_events(&journal, &runs, &events, query)?;
        }
    }
}

#[test]
fn times_beyond_what_the_file_holds_are_still_found() {
    let journal = open(None);
    let far = Run { started_at: "3000-01-01T00:00:00Z".parse().unwrap(), ..run("far", 0.0) };
    record(&journal, &[far], &[]).unwrap();
    let query = RunQuery { from: jiff::Timestamp::MIN, to: jiff::Timestamp::MAX, ..crate::build::runs(0.0, 0.0) };
    assert_eq!(crate::build::ids(&journal, &query), ["far"]);
}
