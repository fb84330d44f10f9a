//! What the cluster role was told, and so what there is to tell: everything with each connection and every five minutes, between that what
//! changed.
//!
//! Apart from the rounds, which find; here it is only compared with what was sent.

use super::Found;
use super::seen::Knew;
use crate::declared::Link;
use crate::source::pause::Pause;
use chaoscope_model::verdict::{Difference, Judged, Judgement, Report, Residue, Verdict};
use chaoscope_model::{Effect, plain, shortened};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often everything is told.
const EVERYTHING: Duration = Duration::from_mins(5);
/// Most residue that is told; effective first.
const MOST_RESIDUE: usize = 1_000;
/// Most verdicts of one report, and about how many bytes of texts it may have: the cluster role takes 4 096 and 1 MiB.
const MOST_VERDICTS: usize = 1_000;
const MOST_BYTES: usize = 384 << 10;
/// Longest text, in characters, that the cluster role takes.
const LONGEST: usize = 256;
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
    knew: Knew,
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
        let told = report.verdicts.clone();
        match send(link, report).await {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("The cluster role takes reports again.");
                }
                log(&told);
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
        let verdicts: BTreeMap<Key, Judgement> = settled.map(|it| (it.whose(), it.judgement.clone())).collect();
        let at = last.filter(|_| !complete).map_or_else(Instant::now, |sent| sent.at);
        let (residue, visited, knew) = (Arc::clone(&found.residue), found.visited.clone(), found.seen.knew());
        let sent = Sent { connection: connection.clone(), at, verdicts, residue, visited, knew };
        let last = last.filter(|_| !complete);
        let news = |key: &Key, judgement: &Judgement| last.is_none_or(|last| last.verdicts.get(key) != Some(judgement));
        let changed: Vec<_> = sent.verdicts.iter().filter(|(key, judgement)| news(key, judgement)).map(judged).collect();
        let residue = last.is_none_or(|last| last.residue != sent.residue).then(|| most(&sent.residue));
        // A pod that was clean before its run ended is news when it is clean afterwards.
        let again = |last: &Sent| last.knew != sent.knew && !sent.visited.is_empty();
        let visited = last.is_none_or(|last| last.visited != sent.visited || again(last));
        if !complete && changed.is_empty() && residue.is_none() && !visited {
            return None;
        }
        let visited = sent.visited.iter().cloned().collect();
        Some((Report { connection: connection.clone(), complete, verdicts: changed, residue, visited }, sent))
    }
}

/// Sends a report in as many parts as it needs.
async fn send(link: &Link, report: Report) -> Result<(), crate::declared::Error> {
    for part in parts(report) {
        link.report(&part).await?;
    }
    Ok(())
}

/// The first part says whether it is everything; what further parts tell is added to it.
fn parts(report: Report) -> Vec<Report> {
    let Report { connection, complete, verdicts, residue, visited } = report;
    let mut parts = vec![Report { connection, complete, verdicts: Vec::new(), residue, visited }];
    let mut size = 0;
    for judged in verdicts {
        let texts = judged.judgement.differences.iter().map(|it| it.parameter.len() + it.declared.len() + it.read.len() + 48);
        let more = texts.sum::<usize>() + judged.run.len() + judged.target.len() + 128;
        let last = parts.len() - 1;
        if !parts[last].verdicts.is_empty() && (size + more > MOST_BYTES || parts[last].verdicts.len() >= MOST_VERDICTS) {
            let (connection, visited) = (parts[last].connection.clone(), parts[last].visited.clone());
            parts.push(Report { connection, visited, ..Report::default() });
            size = 0;
        }
        size += more;
        let last = parts.len() - 1;
        parts[last].verdicts.push(judged);
    }
    parts
}

/// Text as the cluster role takes it: short, and without anything that steers a terminal.
fn clean(text: &str) -> String {
    shortened(&plain(text), LONGEST)
}

fn judged(((run, target, selector), judgement): (&Key, &Judgement)) -> Judged {
    let mut judgement = judgement.clone();
    for Difference { parameter, declared, read } in &mut judgement.differences {
        for text in [parameter, declared, read] {
            *text = clean(text);
        }
    }
    Judged { run: run.clone(), target: target.clone(), selector: selector.clone(), judgement }
}

fn most(residue: &[Residue]) -> Vec<Residue> {
    let mut out: Vec<_> = residue.to_vec();
    out.sort_by_key(|it| it.effect != Effect::Effective); // else in their order
    out.truncate(MOST_RESIDUE);
    let mut left = MOST_BYTES;
    out.retain_mut(|it| {
        for text in [&mut it.container, &mut it.netns, &mut it.object] {
            *text = clean(text);
        }
        let size = it.object.len() + it.container.len() + it.netns.len() + it.pod.name.len() + it.pod.namespace.len() + 384;
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    });
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
    fn many_verdicts_go_in_parts_of_clean_texts() {
        let difference = Difference { parameter: "rule".into(), declared: "x".repeat(9000), read: "a\u{1b}[2J".into() };
        let judgement = Judgement { differences: vec![difference; 16], ..Judgement::new(Verdict::Drifted, "rule") };
        let judged =
            |number: usize| Judged { run: "r".into(), target: format!("{number:04}"), selector: ".".into(), judgement: judgement.clone() };
        let mut found = found(Verdict::InForce, "", 2);
        found.judged = (0..2500).map(judged).collect();
        let (report, _) = Reporter::default().due(&found).unwrap();
        let parts = parts(report);
        assert!(parts[0].complete && parts[1..].iter().all(|part| !part.complete && part.residue.is_none()));
        assert!(parts.iter().all(|part| part.verdicts.len() <= MOST_VERDICTS && serde_json::to_vec(part).unwrap().len() < 1 << 20));
        assert_eq!(parts.iter().map(|part| part.verdicts.len()).sum::<usize>(), 2500);
        let shown = &parts[0].verdicts[0].judgement.differences[0];
        assert_eq!((shown.declared.len(), shown.read.as_str()), (256, "a\u{fffd}[2J"));
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
        assert!(sent(&mut reporter, &visited).is_none(), "no news");
        let mut ended = visited.clone();
        for _ in 0..2 {
            ended.seen.look(9, std::time::Duration::ZERO); // what is declared has changed
        }
        assert_eq!(sent(&mut reporter, &ended).unwrap().visited, ["u"], "clean after the change too");
        assert!(sent(&mut reporter, &ended).is_none(), "no news");
        let mut other = visited.clone();
        other.declared.connection = "8".into();
        assert!(sent(&mut reporter, &other).unwrap().complete, "another connection knows nothing");
    }
}
