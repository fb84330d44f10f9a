//! What the cluster role was told, and so what there is to tell: everything with each connection and every five minutes, between that what
//! changed.
//!
//! Apart from the rounds, which find; here it is only compared with what was sent.

use super::Found;
use crate::declared::Link;
use crate::source::pause::Pause;
use chaoscope_model::Effect;
use chaoscope_model::verdict::{Judged, Judgement, Report, Residue, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often everything is told.
const EVERYTHING: Duration = Duration::from_mins(5);
/// Most residue that is told; effective first.
const MOST_RESIDUE: usize = 1_000;
/// Most changed verdicts of one report that are logged.
const MOST_LOGGED: usize = 20;
/// Looks after a connection until everything is told: a verdict holds when two visits agree.
const LOOKS: u32 = 2;

/// Run, target and selector.
type Key = (String, String, String);

/// What was told, as far as it arrived.
#[derive(Default)]
pub(super) struct Reporter {
    sent: Option<Sent>,
    pause: Pause,
    /// Whether the last report did not arrive, and when to try again.
    again: Option<Instant>,
    failing: bool,
}

#[derive(Clone)]
struct Sent {
    connection: String,
    at: Instant,
    verdicts: BTreeMap<Key, Judgement>,
    residue: Arc<Vec<Residue>>,
    visited: BTreeSet<String>,
}

impl Reporter {
    /// How long until something is to be told again.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.again.map(|again| again.saturating_duration_since(Instant::now()))
    }

    /// Tells what there is to tell, if anything, and if the last failure is long enough ago.
    pub(super) async fn tell(&mut self, link: &Link, found: &Found) {
        if self.again.is_some_and(|again| again > Instant::now()) {
            return;
        }
        let Some((report, sent)) = self.due(found) else {
            self.again = None;
            return;
        };
        match link.report(&report).await {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("The cluster role takes reports again.");
                }
                log(&report.verdicts);
                self.pause.reset();
                (self.sent, self.again) = (Some(sent), None);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, remedy = error.remedy(), "The cluster role does not take reports; trying on.");
                }
                self.again = Some(Instant::now() + self.pause.next());
            }
        }
    }

    /// The report that is due, and what will have been told with it.
    fn due(&self, found: &Found) -> Option<(Report, Sent)> {
        let connection = &found.declared.connection;
        let last = self.sent.as_ref().filter(|sent| &sent.connection == connection);
        let complete = last.is_none_or(|sent| sent.at.elapsed() >= EVERYTHING);
        if complete && found.looks < LOOKS && !found.declared.pods.is_empty() {
            return None; // two visits first: what held before the connection was lost may not hold any more
        }
        // One visit alone says nothing; what was told before holds until the second.
        let settled = found.judged.iter().filter(|it| it.judgement.reason != "settling");
        let verdicts: BTreeMap<Key, Judgement> = settled.map(|it| (key(it), it.judgement.clone())).collect();
        let at = last.filter(|_| !complete).map_or_else(Instant::now, |sent| sent.at);
        let sent =
            Sent { connection: connection.clone(), at, verdicts, residue: Arc::clone(&found.residue), visited: found.visited.clone() };
        let last = last.filter(|_| !complete);
        let news = |key: &Key, judgement: &Judgement| last.is_none_or(|last| last.verdicts.get(key) != Some(judgement));
        let changed: Vec<_> = sent.verdicts.iter().filter(|(key, judgement)| news(key, judgement)).map(judged).collect();
        let residue = last.is_none_or(|last| last.residue != sent.residue).then(|| most(&sent.residue));
        let visited = last.is_none_or(|last| last.visited != sent.visited);
        if !complete && changed.is_empty() && residue.is_none() && !visited {
            return None;
        }
        let visited = sent.visited.iter().cloned().collect();
        Some((Report { connection: connection.clone(), complete, verdicts: changed, residue, visited }, sent))
    }
}

fn key(judged: &Judged) -> Key {
    (judged.run.clone(), judged.target.clone(), judged.selector.clone())
}

fn judged(((run, target, selector), judgement): (&Key, &Judgement)) -> Judged {
    Judged { run: run.clone(), target: target.clone(), selector: selector.clone(), judgement: judgement.clone() }
}

fn most(residue: &[Residue]) -> Vec<Residue> {
    let mut out: Vec<_> = residue.to_vec();
    out.sort_by_key(|it| it.effect != Effect::Effective); // else in their order
    out.truncate(MOST_RESIDUE);
    out
}

/// Says what is not as declared, for whoever reads the node's log.
fn log(verdicts: &[Judged]) {
    let odd = verdicts.iter().filter(|it| matches!(it.judgement.verdict, Verdict::Missing | Verdict::Drifted));
    for Judged { run, target, judgement, .. } in odd.take(MOST_LOGGED) {
        let verdict = judgement.verdict.as_str();
        tracing::warn!(run, target, verdict, reason = judgement.reason, "A declared fault is not as declared.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(verdict: Verdict, reason: &str, looks: u32) -> Found {
        let judgement = Judgement::new(verdict, reason);
        let judged = vec![Judged { run: "r".into(), target: "t".into(), selector: ".".into(), judgement }];
        let mut found = Found { judged, looks, ..Found::default() };
        found.declared.connection = "7".into();
        found.declared.pods = Arc::new([("u".to_owned(), chaoscope_model::declared::DeclaredPod::default())].into());
        found
    }

    fn sent(reporter: &mut Reporter, found: &Found) -> Option<Report> {
        let (report, sent) = reporter.due(found)?;
        reporter.sent = Some(sent);
        Some(report)
    }

    #[test]
    fn everything_is_told_first_and_then_what_changed() {
        let mut reporter = Reporter::default();
        assert!(sent(&mut reporter, &found(Verdict::InForce, "", 1)).is_none(), "one visit is none");
        let first = sent(&mut reporter, &found(Verdict::InForce, "", 2)).unwrap();
        assert!(first.complete && first.verdicts.len() == 1 && first.residue.as_ref().is_some_and(Vec::is_empty));
        assert!(sent(&mut reporter, &found(Verdict::InForce, "", 3)).is_none(), "no news");
        assert!(sent(&mut reporter, &found(Verdict::Unknown, "settling", 4)).is_none(), "what was told holds");
        let changed = sent(&mut reporter, &found(Verdict::Missing, "no_rule", 5)).unwrap();
        assert!(!changed.complete && changed.residue.is_none() && changed.verdicts[0].judgement.reason == "no_rule");
        let visited = Found { visited: ["u".to_owned()].into(), ..found(Verdict::Missing, "no_rule", 6) };
        let told = sent(&mut reporter, &visited).unwrap();
        assert_eq!((told.visited, told.verdicts.len()), (vec!["u".to_owned()], 0));
        let mut other = visited.clone();
        other.declared.connection = "8".into();
        assert!(sent(&mut reporter, &other).unwrap().complete, "another connection knows nothing");
    }
}
