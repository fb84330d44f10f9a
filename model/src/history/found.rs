//! What was found about targets while a run was open, and what was left after it: kept by run, target and selector, so that of several looks
//! the latest counts, whatever the order they are told in; and the events that tell of changes.
//!
//! Apart from records and announcements, which are the tool's own words: here others looked. Nothing of it changes when a run began or ended.

use super::History;
use super::derive::LONGEST_ID;
use crate::event::{Event, Severity};
use crate::experiment::shortened;
use crate::observation::{JudgedAt, Left, TargetName};
use crate::time::Moment;
use crate::verdict::{Difference, Judgement, Verdict};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Looks kept of one target, the newest ones: enough to tell since when a verdict holds.
const MOST_LOOKS: usize = 16;
/// Targets of which something is kept, over all runs of one experiment.
const MOST: usize = 20_000;

/// What was found about one target of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Found {
    run: String,
    selector: String,
    id: String,
    /// Oldest first.
    looks: Vec<Look>,
    /// The same for what was left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left: Vec<(Timestamp, Left)>,
}

/// One look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    at: Timestamp,
    judgement: Judgement,
}

impl Look {
    /// Of looks at one moment the order is that of the words, so that it does not matter which came first.
    fn order(&self) -> (Timestamp, Verdict, &str, &[Difference]) {
        (self.at, self.judgement.verdict, &self.judgement.reason, &self.judgement.differences)
    }
}

/// What became of a fact.
enum Kept {
    /// It was known.
    Known,
    /// It is kept, and changes nothing that is told.
    Quiet,
    /// It is told; with what was left before.
    News(Left),
}

/// What is known of a target by others than the tool.
pub(super) struct Known<'a> {
    pub(super) judgement: Option<&'a Judgement>,
    pub(super) since: Option<Timestamp>,
    pub(super) left: Option<Left>,
}

impl History {
    /// Takes in what was found; gives the events of it. `None`: it was known.
    pub fn judged(&mut self, judged: &JudgedAt) -> Option<Vec<Event>> {
        let of = &judged.judged;
        let key = (of.run.as_str(), of.selector.as_str(), of.target.as_str());
        let place = self.found.binary_search_by(|found| found.key().cmp(&key));
        let place = place.unwrap_or_else(|place| {
            let (run, selector, id) = (of.run.clone(), of.selector.clone(), of.target.clone());
            self.found.insert(place, Found { run, selector, id, looks: Vec::new(), left: Vec::new() });
            place
        });
        let found = &mut self.found[place];
        let kept = match judged.residue {
            Some(left) => found.leave(judged.at, left),
            None => found.look(judged.at, &of.judgement),
        };
        let event = match (kept, judged.residue) {
            (Kept::Known, _) => return None,
            (Kept::Quiet, _) => None,
            (Kept::News(before), Some(left)) => Some(residue_words(left, before)),
            (Kept::News(_), None) => Some(verdict_words(&of.judgement)),
        };
        let event = event.map(|words| self.found_row(judged, words));
        self.forget_found();
        Some(event.into_iter().collect())
    }

    /// What was found last about a target of a run.
    pub fn judgement(&self, run: &str, selector: &str, id: &str) -> Option<&Judgement> {
        self.known(run, selector, id)?.judgement
    }

    /// What is known of a target of a run.
    pub(super) fn known(&self, run: &str, selector: &str, id: &str) -> Option<Known<'_>> {
        let id = shortened(id, LONGEST_ID);
        let place = self.found.binary_search_by(|found| found.key().cmp(&(run, selector, &id))).ok()?;
        let found = &self.found[place];
        let judgement = found.looks.last().map(|look| &look.judgement);
        let same = |look: &&Look| judgement.is_some_and(|now| now.verdict == look.judgement.verdict);
        let since = found.looks.iter().rev().take_while(same).last().map(|look| look.at);
        Some(Known { judgement, since, left: found.left.last().map(|(_, left)| *left) })
    }

    /// Lets go of the oldest runs' targets where there are too many.
    fn forget_found(&mut self) {
        while self.found.len() > MOST {
            let oldest = self.found.iter().enumerate().min_by_key(|(_, found)| found.latest()).map(|(place, _)| place);
            oldest.map(|place| self.found.remove(place));
        }
    }

    fn found_row(&self, judged: &JudgedAt, words: Words) -> Event {
        let of = &judged.judged;
        let same = |id: &str, selector: &str| selector == of.selector && shortened(id, LONGEST_ID) == of.target;
        let target = self.tracks.iter().find(|track| same(&track.id, &track.selector)).map(|track| &track.target);
        let what = if judged.residue.is_some() { "residue" } else { "verdict" };
        let key = format!("{}|{}|{}|{what}|{}|{}", self.about.uid, of.selector, of.target, of.run, judged.at.as_nanosecond());
        let mut event = self.row(key, Moment::seen(judged.at), target.unwrap_or(&TargetName::default()));
        event.run = Some(of.run.clone());
        (event.severity, event.message) = (words.severity, words.message);
        words.reason.clone_into(&mut event.reason);
        event.attributes.insert("id".to_owned(), of.target.clone());
        let mut add = |key: String, value: &str| {
            if !value.is_empty() {
                event.attributes.insert(key, value.to_owned());
            }
        };
        add("node".to_owned(), &judged.node);
        if judged.residue.is_none() {
            add("verdict".to_owned(), of.judgement.verdict.as_str());
            add("verdict_reason".to_owned(), &of.judgement.reason);
            for it in &of.judgement.differences {
                add(format!("declared.{}", it.parameter), &it.declared);
                add(format!("read.{}", it.parameter), &it.read);
            }
        }
        event
    }
}

impl Found {
    fn key(&self) -> (&str, &str, &str) {
        (&self.run, &self.selector, &self.id)
    }

    fn latest(&self) -> Option<Timestamp> {
        self.looks.last().map(|look| look.at).max(self.left.last().map(|(at, _)| *at))
    }

    /// Keeps a look. News: the verdict is another one than before.
    fn look(&mut self, at: Timestamp, judgement: &Judgement) -> Kept {
        let look = Look { at, judgement: judgement.clone() };
        let Err(place) = self.looks.binary_search_by(|known| known.order().cmp(&look.order())) else { return Kept::Known };
        let before = place.checked_sub(1).and_then(|place| self.looks.get(place));
        let newest = place == self.looks.len();
        let changed = match before {
            Some(before) => before.judgement.verdict != judgement.verdict,
            None => judgement.verdict != Verdict::Unknown,
        };
        self.looks.insert(place, look);
        while self.looks.len() > MOST_LOOKS {
            self.looks.remove(0);
        }
        if newest && changed { Kept::News(Left::None) } else { Kept::Quiet }
    }

    /// Keeps what is left. News: it is something else than before.
    fn leave(&mut self, at: Timestamp, left: Left) -> Kept {
        let Err(place) = self.left.binary_search(&(at, left)) else { return Kept::Known };
        let before = place.checked_sub(1).and_then(|place| self.left.get(place)).map(|(_, left)| *left);
        let newest = place == self.left.len();
        self.left.insert(place, (at, left));
        while self.left.len() > MOST_LOOKS {
            self.left.remove(0);
        }
        let before = before.unwrap_or(Left::None);
        if newest && before != left { Kept::News(before) } else { Kept::Quiet }
    }
}

/// What an event says.
struct Words {
    reason: &'static str,
    severity: Severity,
    message: String,
}

fn verdict_words(judgement: &Judgement) -> Words {
    let because = if judgement.reason.is_empty() { String::new() } else { format!(" ({})", judgement.reason) };
    let (reason, severity, message) = match judgement.verdict {
        Verdict::InForce => ("InForce", Severity::Normal, "Configured as declared".to_owned()),
        Verdict::Drifted => ("Drifted", Severity::Warning, "Not as declared".to_owned()),
        Verdict::Missing => ("Missing", Severity::Warning, format!("Declared, and not there{because}")),
        Verdict::Unknown => ("Unknown", Severity::Normal, format!("Whether it is there cannot be told{because}")),
    };
    let apart = judgement.differences.iter().map(difference).collect::<Vec<_>>().join("; ");
    let message = if apart.is_empty() { message } else { format!("{message}: {apart}") };
    Words { reason, severity, message: shortened(&message, 1024) }
}

/// `delay is 100µs, declared 100ms`.
fn difference(it: &Difference) -> String {
    let or = |text: &str| if text.is_empty() { "nothing".to_owned() } else { text.to_owned() };
    format!("{} is {}, declared {}", it.parameter, or(&it.read), or(&it.declared))
}

fn residue_words(left: Left, before: Left) -> Words {
    let (reason, severity, message) = match (left, before) {
        (Left::Effective, _) => ("ResidueFound", Severity::Warning, "Still acts on the target after the end"),
        (Left::Benign, Left::Effective) => {
            ("ResidueGone", Severity::Normal, "What acted on the target after the end is gone; what is left changes nothing")
        }
        (Left::Benign, _) => ("ResidueFound", Severity::Normal, "Something is left on the target after the end, and changes nothing"),
        (Left::None, _) => ("ResidueGone", Severity::Normal, "Nothing is left on the target any more"),
    };
    Words { reason, severity, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Reference, Tool};
    use crate::verdict::Judged;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn look(second: i64, verdict: Verdict, reason: &str) -> JudgedAt {
        let judged = Judged { run: "r".into(), target: "t".into(), selector: ".".into(), judgement: Judgement::new(verdict, reason) };
        JudgedAt { uid: "u".into(), node: "n".into(), judged, residue: None, at: at(second) }
    }

    fn left(second: i64, left: Left) -> JudgedAt {
        JudgedAt { residue: Some(left), ..look(second, Verdict::Unknown, "") }
    }

    fn history() -> History {
        History::new("", Tool::ChaosMesh, Reference { uid: "u".into(), ..Reference::default() }, at(0))
    }

    fn told(facts: &[JudgedAt]) -> (Vec<String>, History) {
        let mut history = history();
        let events = facts.iter().filter_map(|fact| history.judged(fact)).flatten();
        (events.map(|event| event.reason).collect(), history)
    }

    fn known(history: &History) -> (Option<(Verdict, String)>, Option<Timestamp>, Option<Left>) {
        let known = history.known("r", ".", "t").unwrap();
        (known.judgement.map(|it| (it.verdict, it.reason.clone())), known.since, known.left)
    }

    #[test]
    fn a_verdict_is_news_when_it_is_another_one_and_the_first_unknown_is_none() {
        let facts = [
            look(1, Verdict::Unknown, "settling"),
            look(2, Verdict::InForce, ""),
            look(3, Verdict::InForce, ""),
            look(4, Verdict::Missing, "no_rule"),
            look(5, Verdict::Missing, "no_chain"),
            look(6, Verdict::Unknown, "read_failed"),
            left(7, Left::None),
            left(8, Left::Effective),
            left(9, Left::Benign),
            left(10, Left::None),
        ];
        let (events, history) = told(&facts);
        assert_eq!(events, ["InForce", "Missing", "Unknown", "ResidueFound", "ResidueGone", "ResidueGone"]);
        assert_eq!(known(&history), (Some((Verdict::Unknown, "read_failed".into())), Some(at(6)), Some(Left::None)));
        assert_eq!(known(&told(&facts[..5]).1).1, Some(at(4)), "since when it is missing, whatever for");
    }

    #[test]
    fn the_order_and_the_number_of_looks_change_nothing() {
        let facts = [
            look(1, Verdict::InForce, ""),
            look(2, Verdict::Missing, "no_rule"),
            look(2, Verdict::Drifted, "delay"),
            look(3, Verdict::Missing, "no_chain"),
            left(4, Left::Effective),
            left(5, Left::None),
        ];
        let wanted = known(&told(&facts).1);
        for turn in 0..facts.len() {
            let mut other = facts.to_vec();
            other.rotate_left(turn);
            other.reverse();
            other.extend(facts.clone());
            assert_eq!(known(&told(&other).1), wanted);
        }
        let (_, mut history) = told(&facts);
        assert!(facts.iter().all(|fact| history.judged(fact).is_none()), "a replay is no news");
        let kept: History = serde_json::from_str(&serde_json::to_string(&history).unwrap()).unwrap();
        assert_eq!(known(&kept), wanted);
    }

    #[test]
    fn only_the_newest_looks_are_kept() {
        let looks: Vec<_> = (0..100).map(|second| look(second, Verdict::Drifted, if second % 2 == 0 { "delay" } else { "loss" })).collect();
        let (events, history) = told(&looks);
        assert_eq!((events.len(), history.found[0].looks.len()), (1, MOST_LOOKS));
    }

    #[test]
    fn what_differs_is_in_the_event_with_what_was_declared() {
        let mut fact = look(1, Verdict::Drifted, "delay");
        let difference = |parameter: &str, declared: &str, read: &str| Difference {
            parameter: parameter.into(),
            declared: declared.into(),
            read: read.into(),
        };
        fact.judged.judgement.differences = vec![difference("delay", "100ms", "100µs"), difference("loss", "", "5%")];
        let event = history().judged(&fact).unwrap().remove(0);
        assert_eq!(event.message, "Not as declared: delay is 100µs, declared 100ms; loss is 5%, declared nothing");
        assert_eq!((&*event.attributes["declared.delay"], &*event.attributes["read.loss"]), ("100ms", "5%"));
        assert!(!event.attributes.contains_key("declared.loss") && event.severity == Severity::Warning);
        assert_eq!((event.run.as_deref(), event.at), (Some("r"), at(1)));
    }
}
