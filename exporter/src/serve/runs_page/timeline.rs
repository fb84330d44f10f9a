//! When runs were, as bars on one axis of time. Pure: positions in per cent of the width, so that a page of any width shows them.

use super::super::words::span;
use chaoscope_model::run::{Outcome, Run};
use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use std::fmt::Write as _;

/// Narrowest piece of a bar, in per cent: what lasted a second must be seen on an axis of a week.
const NARROWEST: f64 = 0.35;
/// Most marks of an axis.
const MOST_MARKS: i64 = 8;
/// Distances of marks, in minutes.
const STEPS: [i64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080];

/// The time that is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// A mark of the axis.
#[derive(Debug, PartialEq)]
pub(super) struct Mark {
    /// Where, in per cent.
    pub(super) x: String,
    /// `12:00`, or the day at midnight; UTC.
    pub(super) text: String,
}

/// A piece of a bar.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    /// `begin`, `force`, `end` or `lost`: what happened meanwhile.
    pub(super) what: &'static str,
    pub(super) x: String,
    pub(super) width: String,
}

/// A run on the axis.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) pieces: Vec<Piece>,
    /// Where it should have ended, or should end.
    pub(super) due: Option<String>,
    /// The same in words, for who does not see.
    pub(super) label: String,
}

impl Axis {
    fn percent(self, at: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64().max(1.0);
        (at.duration_since(self.from).as_secs_f64() / whole * 100.0).clamp(0.0, 100.0)
    }

    /// Marks at round times (UTC), neither at the very edges nor too many.
    pub(super) fn marks(self) -> Vec<Mark> {
        let minutes = self.to.duration_since(self.from).as_mins();
        let longest = (minutes / MOST_MARKS / 1440 + 1) * 1440; // beyond a week per mark, whole days
        let step = STEPS.into_iter().find(|step| minutes / step <= MOST_MARKS).unwrap_or(longest) * 60;
        let first = self.from.as_second().div_euclid(step) * step + step;
        let mut out = Vec::new();
        let mut at = Timestamp::from_second(first);
        while let Ok(now) = at
            && now < self.to
        {
            let x = self.percent(now);
            if (3.0..=96.0).contains(&x) {
                let local = now.to_zoned(TimeZone::UTC);
                let text = if local.hour() == 0 && local.minute() == 0 { local.strftime("%b %-d") } else { local.strftime("%H:%M") };
                out.push(Mark { x: format!("{x:.2}"), text: text.to_string() });
            }
            at = now.checked_add(step.seconds());
        }
        out
    }

    /// A run as a bar. It begins and ends light, while targets are injected and recovered, and is dark in between.
    pub(super) fn bar(self, run: &Run) -> Bar {
        let end = run.ended_at.unwrap_or(self.to).max(run.started_at);
        let known_until = run.ended_after.filter(|_| run.outcome == Some(Outcome::Lost)).map_or(end, |at| at.clamp(run.started_at, end));
        let stop = run.stop_requested_at.map_or(known_until, |at| at.clamp(run.started_at, known_until));
        let injected = run.injected_at.or_else(|| run.targets.iter().filter_map(|target| target.injected_at).min());
        let force = injected.map_or(stop, |at| at.clamp(run.started_at, stop));
        let pieces = [("begin", run.started_at, force), ("force", force, stop), ("end", stop, known_until), ("lost", known_until, end)];
        let mut pieces: Vec<_> =
            pieces.into_iter().filter(|(_, from, to)| to > from).map(|(what, from, to)| self.piece(what, from, to)).collect();
        if pieces.is_empty() {
            pieces.push(self.piece("force", run.started_at, run.started_at));
        }
        let due = run.expected_end_at.filter(|at| (self.from..=self.to).contains(at)).map(|at| format!("{:.2}", self.percent(at)));
        Bar { pieces, due, label: label(run, end) }
    }

    fn piece(self, what: &'static str, from: Timestamp, to: Timestamp) -> Piece {
        let (x, end) = (self.percent(from).min(100.0 - NARROWEST), self.percent(to));
        Piece { what, x: format!("{x:.2}"), width: format!("{:.2}", (end - x).max(NARROWEST)) }
    }
}

/// `12:00:05 to 12:01:00, in force after 2 s`.
fn label(run: &Run, end: Timestamp) -> String {
    let clock = |at: Timestamp| at.strftime("%H:%M:%SZ").to_string();
    let mut out = match run.ended_at {
        Some(_) => format!("{} to {}", clock(run.started_at), clock(end)),
        None => format!("since {}", clock(run.started_at)),
    };
    let mut add = |what: &str, time: Option<SignedDuration>| {
        if let Some(time) = time {
            let _ = write!(out, ", {what} {}", span(time));
        }
    };
    add("injected after", run.injected_at.map(|at| at.duration_since(run.started_at)));
    add("recovered within", run.recovered_at.and_then(|at| Some(at.duration_since(run.stop_requested_at?))));
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::words::tests::run;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pieces(axis: Axis, run: &Run) -> Vec<String> {
        axis.bar(run).pieces.iter().map(|piece| format!("{} {}+{}", piece.what, piece.x, piece.width)).collect()
    }

    #[test]
    fn a_bar_is_light_where_it_begins_and_ends() {
        let axis = Axis { from: at(0), to: at(1000) };
        let whole = Run {
            injected_at: Some(at(200)),
            stop_requested_at: Some(at(600)),
            recovered_at: Some(at(700)),
            ended_at: Some(at(700)),
            expected_end_at: Some(at(600)),
            outcome: Some(Outcome::Recovered),
            ..run("a", 100)
        };
        assert_eq!(pieces(axis, &whole), ["begin 10.00+10.00", "force 20.00+40.00", "end 60.00+10.00"]);
        let bar = axis.bar(&whole);
        assert_eq!(bar.due.as_deref(), Some("60.00"));
        assert_eq!(bar.label, "00:01:40Z to 00:11:40Z, injected after 1 min 40 s, recovered within 1 min 40 s");
        assert_eq!(pieces(axis, &run("open", 900)), ["begin 90.00+10.00"], "not injected so far");
        let lost = Run {
            ended_after: Some(at(500)),
            ended_at: Some(at(700)),
            outcome: Some(Outcome::Lost),
            injected_at: Some(at(100)),
            ..run("a", 100)
        };
        assert_eq!(pieces(axis, &lost), ["force 10.00+40.00", "lost 50.00+20.00"]);
    }

    #[test]
    fn a_bar_stays_on_its_axis_and_can_be_seen() {
        let axis = Axis { from: at(1_000_000), to: at(1_604_800) };
        let long = Run { injected_at: Some(at(20)), ..run("long", 10) };
        assert_eq!(pieces(axis, &long), ["begin 0.00+0.35", "force 0.00+100.00"]);
        let short = Run { ended_at: Some(at(1_604_799)), outcome: Some(Outcome::Completed), ..run("a", 1_604_799) };
        assert_eq!(pieces(axis, &short), ["force 99.65+0.35"]);
        // Times that make no sense: it ended before it began.
        let odd = Run { ended_at: Some(at(5)), stop_requested_at: Some(at(1)), injected_at: Some(at(2)), ..run("odd", 1_100_000) };
        assert_eq!(pieces(axis, &odd).len(), 1);
    }

    #[test]
    fn marks_are_at_round_times_and_few() {
        let marks = |hours: i64| {
            let axis = Axis { from: at(1_767_225_600 - 1800), to: at(1_767_225_600 - 1800 + hours * 3600) };
            axis.marks().into_iter().map(|mark| mark.text).collect::<Vec<_>>()
        };
        assert_eq!(marks(6), ["Jan 1", "01:00", "02:00", "03:00", "04:00", "05:00"]);
        for hours in [0, 1, 3, 24, 168, 24 * 365, 24 * 365 * 50] {
            assert!(marks(hours).len() <= 9, "{hours} {:?}", marks(hours));
        }
        assert!(marks(1).len() >= 4 && marks(168).len() >= 4);
    }
}
