//! What is not there any more, and how that is known: lists that lack it, after Events had a moment to tell how it ended.
//!
//! Absence alone ends nothing: only a complete list of that kind and scope does, and only what was there before it.

use super::{Changes, Index, Listed};
use chaoscope_model::Reference;
use chaoscope_model::history::History;
use chaoscope_model::observation::{Departure, Gone};
use chaoscope_model::run::{Outcome, Phase, Run};
use jiff::{SignedDuration, Timestamp};

/// How long a list waits for the Events that tell how what it lacks has ended, when Events come …
const SHORT: SignedDuration = SignedDuration::from_secs(3);
/// … and when it is not known that they do.
const LONG: SignedDuration = SignedDuration::from_secs(30);
/// An experiment of which only Events are known is gone if its kind's list does not show it after so long.
const UNSEEN: SignedDuration = SignedDuration::from_mins(1);

impl Index {
    /// Applies the lists that waited long enough.
    pub(super) fn settle(&mut self, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        let patience = if self.events { SHORT } else { LONG };
        let due = |listed: &Listed| now.duration_since(listed.seen) >= patience;
        let (due, waiting): (Vec<Listed>, _) = std::mem::take(&mut self.waiting).into_iter().partition(due);
        self.waiting = waiting;
        for listed in due {
            let lacks = |about: &Reference| {
                about.kind == listed.kind
                    && (listed.namespace.is_empty() || about.namespace == listed.namespace)
                    && !listed.uids.contains(&about.uid)
            };
            let before = |history: &&History| history.gone().is_none() && history.last_there() < listed.seen;
            let open = self.experiments.values().map(|entry| &entry.history).filter(before);
            let gone = open.map(History::about).filter(|about| lacks(about)).cloned().collect::<Vec<_>>();
            for about in gone {
                changes.merge(self.depart(&Gone { about, seen: listed.seen, how: Departure::Absent }));
            }
        }
        changes
    }

    /// Ends the orphans whose kind's list does not show them.
    pub(super) fn bury(&mut self, now: Timestamp) -> Vec<Run> {
        let (experiments, listed) = (&self.experiments, &self.listed);
        let known = |run: &Run| [run.namespace.as_str(), ""].iter().any(|scope| listed.contains(&(run.kind.clone(), (*scope).to_owned())));
        self.orphans.retain(|run| !experiments.contains_key(&run.uid));
        let (due, left) = std::mem::take(&mut self.orphans).into_iter().partition(|run| self.events && known(run));
        self.orphans = left;
        let due: Vec<Run> = due;
        due.into_iter().map(|run| Run { phase: Phase::Finished, outcome: Some(Outcome::Lost), ended_at: Some(now), ..run }).collect()
    }

    /// An experiment known from Events only, which its kind's list should have shown by now.
    pub(super) fn unseen(&self, history: &History, now: Timestamp) -> Option<Gone> {
        let about = history.about();
        let listed = |scope: &str| self.listed.contains(&(about.kind.clone(), scope.to_owned()));
        let due = history.latest().is_none() && history.gone().is_none() && now.duration_since(history.first_seen()) > UNSEEN;
        (due && (listed("") || listed(&about.namespace))).then(|| Gone { about: about.clone(), seen: now, how: Departure::Absent })
    }
}
