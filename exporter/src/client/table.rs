//! Runs and events as lines for a person. Pure.

use crate::serve::words::{self, Standing, alarm_since, full_name, lasted, plain, span, standing, state};
use chaoscope_model::event::{Event, Severity};
use chaoscope_model::run::Run;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use std::fmt::Write as _;

/// The table, newest first as the API answers; `now` is only for how long open runs have lasted.
pub(super) fn table(runs: &[Run], now: Timestamp) -> String {
    let clusters = runs.iter().any(|run| !run.cluster.is_empty());
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let mut head = vec!["", "STARTED", "STATE", "KIND", "EXPERIMENT", "LASTED", "TARGETS", "WHOM"];
    if clusters {
        head.insert(4, "CLUSTER");
    }
    table.set_header(head);
    for run in runs {
        let kind = if run.action.is_empty() { plain(&run.kind) } else { format!("{} {}", plain(&run.kind), plain(&run.action)) };
        let name = full_name(&run.namespace, &run.name);
        let mut row = vec![mark(run).to_owned(), second(run.started_at), state(run), kind, name];
        if clusters {
            row.insert(4, plain(&run.cluster));
        }
        row.extend([lasted(run, now), words::targets(run), words::names(run)]);
        table.add_row(row);
    }
    let mut out = String::new();
    for line in table.lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    for run in runs {
        if let Some(since) = alarm_since(run) {
            let name = full_name(&run.namespace, &run.name);
            let _ = writeln!(out, "\n! {name} is {} since {} ({})", state(run), second(since), span(now.duration_since(since)));
        }
    }
    out
}

/// One line for a run as it is now.
pub(super) fn run_line(run: &Run, now: Timestamp) -> String {
    let mut out = format!("{} {} {}: {}", clock(now), mark(run), title(run), state(run));
    if !run.targets.is_empty() {
        let _ = write!(out, ", {} ({})", words::targets(run), words::names(run));
    }
    let _ = write!(out, ", {}", lasted(run, now));
    out.push('\n');
    out
}

/// What a line calls a run: its kind and its experiment.
pub(super) fn title(run: &Run) -> String {
    format!("{} {}", plain(&run.kind), full_name(&run.namespace, &run.name))
}

/// One line for a run that was asked for as it was, and is not as it is now.
pub(super) fn left_line(title: &str, now: Timestamp) -> String {
    format!("{}   {title}: not as asked for any more\n", clock(now))
}

/// One line for an event.
pub(super) fn event_line(event: &Event) -> String {
    let mark = if event.severity == Severity::Warning { "!" } else { " " };
    let name = full_name(&event.namespace, &event.name);
    let mut out = format!("{} {mark} {} {name}: {}", clock(event.at), plain(&event.kind), plain(&event.reason));
    if !event.target_pod.is_empty() {
        let _ = write!(out, " {}", full_name(&event.target_namespace, &event.target_pod));
    }
    if !event.message.is_empty() {
        let _ = write!(out, ": {}", plain(&event.message));
    }
    out.push('\n');
    out
}

/// What asks for somebody is marked, not only said: `!` is wrong now, `x` went wrong, `*` goes on.
fn mark(run: &Run) -> &'static str {
    match standing(run) {
        Standing::Alarm => "!",
        Standing::Failed => "x",
        Standing::Open => "*",
        Standing::Ended => " ",
    }
}

/// To the second, UTC.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Time of day to the millisecond, UTC.
fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::words::tests::run;
    use chaoscope_model::run::{Outcome, Phase, Target, TargetState};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_table_says_what_runs_and_marks_what_is_wrong() {
        let target = Target { namespace: "shop".into(), pod: "web-0".into(), state: TargetState::Injected, ..Target::default() };
        let overdue = Run { expected_end_at: Some(at(10)), targets: vec![target], ..run("late", 0) }.at(at(400));
        let ended = Run {
            phase: Phase::Finished,
            outcome: Some(Outcome::Recovered),
            ended_at: Some(at(30)),
            action: String::new(),
            ..run("done", 0)
        };
        let wanted = "
    STARTED               STATE            KIND                    EXPERIMENT  LASTED      TARGETS     WHOM
 !  1970-01-01 00:00:00Z  overdue running  NetworkChaos partition  shop/late   6 min 40 s  1 injected  shop/web-0
    1970-01-01 00:00:00Z  recovered        NetworkChaos            shop/done   30 s        none

! shop/late is overdue running since 1970-01-01 00:00:10Z (6 min 30 s)
";
        assert_eq!(format!("\n{}", table(&[overdue.clone(), ended], at(400))), wanted);
        let elsewhere = Run { cluster: "west".into(), ..overdue };
        assert!(table(&[elsewhere], at(400)).contains("CLUSTER"));
    }

    #[test]
    fn a_change_is_one_line() {
        let mut changed = run("cut", 0);
        changed.name = "cut\nweb\u{1b}[2J".into();
        assert_eq!(run_line(&changed, at(5)), "00:00:05.000Z * NetworkChaos shop/cut\u{fffd}web\u{fffd}[2J: running, 5 s\n");
        assert_eq!(
            left_line(&title(&changed), at(5)),
            "00:00:05.000Z   NetworkChaos shop/cut\u{fffd}web\u{fffd}[2J: not as asked for any more\n"
        );
        let event = serde_json::json!({
            "key": "k", "run": null, "tool": "chaos-mesh", "cluster": "", "kind": "NetworkChaos", "namespace": "shop", "name": "cut", "uid": "u",
            "at": at(7), "precision": "ns", "type": "Warning", "reason": "Failed", "message": "no\nqdisc", "target_namespace": "shop",
            "target_pod": "web-0", "target_container": "", "attributes": {}, "announced": true,
        });
        let event: Event = serde_json::from_value(event).unwrap();
        assert_eq!(event_line(&event), "00:00:07.000Z ! NetworkChaos shop/cut: Failed shop/web-0: no\u{fffd}qdisc\n");
    }
}
