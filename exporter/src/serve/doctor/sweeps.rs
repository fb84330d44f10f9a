//! What the sweeps of this host say of it: when the last one was, and what it could not see.
//!
//! Apart from [`super::judge`], which is about a cluster and the journal: here is the one thing a host without rights must not keep quiet about.

use super::super::words::plain;
use super::judge::{ago, bad, good, unsure};
use super::{Facts, Line, Sweeps};
use jiff::SignedDuration;
use std::time::Duration;

/// How long a sweep itself may take, and then some.
const PATIENCE: Duration = Duration::from_secs(20);

/// A line for the last sweep, and one for each thing it could not see: bad where chaos may hide behind it.
pub(super) fn sweeps(facts: &Facts) -> Vec<Line> {
    let Some(sweeps) = &facts.sweeps else { return Vec::new() };
    let mut out = vec![last(facts, sweeps)];
    out.extend(sweeps.limitations.iter().map(|limitation| {
        let mark = if limitation.blinds { bad } else { unsure };
        mark("sweeps", plain(&limitation.what), &plain(&limitation.remedy))
    }));
    out
}

fn last(facts: &Facts, sweeps: &Sweeps) -> Line {
    let when = sweeps.at.map_or_else(|| "it never was".to_owned(), |at| format!("the last time was {}", ago(facts, at)));
    if !sweeps.failure.is_empty() {
        return bad("sweeps", format!("this host cannot be swept ({when}): {}", plain(&sweeps.failure)), "see the log");
    }
    let Some(at) = sweeps.at else {
        return unsure("sweeps", "this host has not been swept yet", "wait for the first sweep");
    };
    let longest = SignedDuration::try_from(sweeps.every.saturating_mul(3).saturating_add(PATIENCE)).unwrap_or(SignedDuration::MAX);
    if facts.at.duration_since(at) > longest {
        return bad("sweeps", format!("this host has not been swept since {}", ago(facts, at)), "is the host overloaded? see the log");
    }
    good("sweeps", format!("this host was swept {}", ago(facts, at)))
}

#[cfg(test)]
mod tests {
    use super::super::{Mark, report};
    use super::*;
    use crate::node::limits::Limitation;
    use jiff::Timestamp;

    fn facts(at: Option<i64>, failure: &str, limitations: Vec<Limitation>) -> Facts {
        let at = at.map(|second| Timestamp::from_second(second).unwrap());
        let sweeps = Sweeps { every: Duration::from_secs(2), at, limitations, failure: failure.into() };
        Facts { role: "standalone", at: Timestamp::from_second(1000).unwrap(), sweeps: Some(sweeps), ..Facts::default() }
    }

    #[test]
    fn what_blinds_is_bad_and_what_only_lacks_names_is_not() {
        let limitation = |what: &str, blinds| Limitation { what: what.into(), remedy: "run as root".into(), blinds };
        let facts = facts(Some(999), "", vec![limitation("namespaces cannot be entered", true), limitation("names may be missing", false)]);
        let lines = sweeps(&facts);
        let told: Vec<_> = lines.iter().map(|line| (line.mark, line.found.as_str(), line.remedy.as_str())).collect();
        let wanted = [
            (Mark::Good, "this host was swept 1 s ago", ""),
            (Mark::Bad, "namespaces cannot be entered", "run as root"),
            (Mark::Unsure, "names may be missing", "run as root"),
        ];
        assert_eq!(told, wanted);
        assert!(!report(&facts).well);
    }

    #[test]
    fn a_sweep_that_fails_hangs_or_is_still_to_come_is_said() {
        for (at, failure, mark, found) in [
            (None, "", Mark::Unsure, "this host has not been swept yet"),
            (None, "no", Mark::Bad, "this host cannot be swept (it never was): no"),
            (Some(990), "no", Mark::Bad, "this host cannot be swept (the last time was 10 s ago): no"),
            (Some(900), "", Mark::Bad, "this host has not been swept since 1 min 40 s ago"),
        ] {
            let lines = sweeps(&facts(at, failure, Vec::new()));
            assert_eq!(lines.iter().map(|line| (line.mark, line.found.as_str())).collect::<Vec<_>>(), [(mark, found)]);
        }
        assert_eq!(sweeps(&Facts::default()), [], "a cluster's role sweeps nothing");
    }
}
