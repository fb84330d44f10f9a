//! When a verdict holds: once two visits in a row say the same. Until then what held before goes on holding, at first `unknown` because
//! nothing was seen twice yet, so that neither a moment between two steps of a tool nor a restart of ours cries wolf.
//!
//! Pure. Residue has a rule of its own (`leftovers`).

use super::judge::unknown;
use chaoscope_model::verdict::{Judged, Judgement};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What holds, from visit to visit.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    targets: BTreeMap<Target, Opinion>,
    last: Option<Timestamp>,
    held: Vec<Judged>,
}

/// Run, record and selector.
type Target = (String, String, String);

/// What is thought of one target.
#[derive(Clone, Debug)]
struct Opinion {
    holds: Judgement,
    /// What the last visit said, where that is something else.
    other: Option<Judgement>,
}

impl Agreement {
    /// Takes in what one visit, made at `at`, says of everything declared. A target it says nothing of is not declared any more. A visit
    /// of the same time as the one before is the same visit, which cannot agree with itself. Answers all that holds now.
    pub fn visit(&mut self, raw: Vec<Judged>, at: Timestamp) -> Vec<Judged> {
        let is_new = self.last.replace(at) != Some(at);
        let mut before = std::mem::take(&mut self.targets);
        for Judged { run, target, selector, judgement } in raw {
            let target = (run, target, selector);
            let opinion = match before.remove(&target) {
                Some(opinion) if is_new => opinion.heard(judgement),
                Some(opinion) => opinion,
                None => Opinion::new(judgement),
            };
            self.targets.insert(target, opinion);
        }
        let judged = |((run, target, selector), opinion): (&Target, &Opinion)| Judged {
            run: run.clone(),
            target: target.clone(),
            selector: selector.clone(),
            judgement: opinion.holds.clone(),
        };
        self.held = self.targets.iter().map(judged).collect();
        self.held.clone()
    }

    /// All that holds, ordered by run, record and selector.
    pub fn now(&self) -> &[Judged] {
        &self.held
    }
}

impl Opinion {
    fn new(first: Judgement) -> Self {
        Self { holds: unknown("settling"), other: Some(first) }
    }

    /// What is said twice in a row holds. For another verdict it takes the verdict twice, whatever the reasons; for another reason of the
    /// same verdict, that reason. Figures of what holds are always the last ones.
    fn heard(self, said: Judgement) -> Self {
        let same = |one: &Judgement| one.verdict == said.verdict && one.reason == said.reason;
        let twice = |before: &Judgement| before.verdict == said.verdict && (self.holds.verdict != said.verdict || same(before));
        if same(&self.holds) || self.other.as_ref().is_some_and(twice) {
            Self { holds: said, other: None }
        } else {
            Self { holds: self.holds, other: Some(said) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::judge::missing;
    use super::*;
    use chaoscope_model::verdict::{Difference, Verdict};
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn judged(target: &str, judgement: Judgement) -> Judged {
        Judged { run: "r".into(), target: target.into(), selector: ".".into(), judgement }
    }

    /// What holds of one target after each of the visits.
    fn held(said: &[Judgement]) -> Vec<(Verdict, String)> {
        let mut agreement = Agreement::default();
        let visits = said.iter().zip(1..).map(|(said, second)| agreement.visit(vec![judged("a", said.clone())], at(second)));
        visits.map(|held| (held[0].judgement.verdict, held[0].judgement.reason.clone())).collect()
    }

    fn holds(verdict: Verdict, reason: &str) -> (Verdict, String) {
        (verdict, reason.to_owned())
    }

    #[test]
    fn two_visits_make_a_verdict_and_one_does_not() {
        let good = Judgement::in_force;
        let gone = || missing("no_chain", "chain", "INPUT/a");
        let (settling, fine, lost) =
            (holds(Verdict::Unknown, "settling"), holds(Verdict::InForce, ""), holds(Verdict::Missing, "no_chain"));
        assert_eq!(held(&[good(), good()]), [settling.clone(), fine.clone()]);
        assert_eq!(
            held(&[gone(), good(), good(), gone(), good(), gone(), gone()]),
            [settling.clone(), settling.clone(), fine.clone(), fine.clone(), fine.clone(), fine.clone(), lost]
        );
        // a failed read is no news at once, and not for ever none
        let failed = || unknown("read_failed");
        let blind = holds(Verdict::Unknown, "read_failed");
        assert_eq!(
            held(&[good(), good(), failed(), good(), failed(), failed()]),
            [settling, fine.clone(), fine.clone(), fine.clone(), fine, blind]
        );
    }

    #[test]
    fn another_reason_takes_it_twice_and_another_verdict_takes_any_reason() {
        let (chain, rule) = (missing("no_chain", "", ""), missing("no_rule", "", ""));
        let (settling, no_chain, no_rule) =
            (holds(Verdict::Unknown, "settling"), holds(Verdict::Missing, "no_chain"), holds(Verdict::Missing, "no_rule"));
        let said = [chain.clone(), rule.clone(), chain.clone(), rule.clone(), chain.clone(), chain];
        assert_eq!(held(&said), [settling, no_rule.clone(), no_rule.clone(), no_rule.clone(), no_rule, no_chain]);
    }

    #[test]
    fn figures_are_the_last_ones() {
        let drifted = |read: &str| Judgement {
            differences: vec![Difference { parameter: "delay".into(), declared: "1s".into(), read: read.into() }],
            ..Judgement::new(Verdict::Drifted, "delay")
        };
        let mut agreement = Agreement::default();
        for (second, read) in (1..).zip(["2s", "3s", "4s"]) {
            agreement.visit(vec![judged("a", drifted(read))], at(second));
        }
        assert_eq!(agreement.now()[0].judgement, drifted("4s"));
    }

    #[test]
    fn the_same_visit_told_twice_does_not_agree_with_itself() {
        let mut agreement = Agreement::default();
        agreement.visit(vec![judged("a", Judgement::in_force())], at(1));
        let held = agreement.visit(vec![judged("a", Judgement::in_force())], at(1));
        assert_eq!(held[0].judgement.reason, "settling");
        // the clock was set back: a visit all the same
        assert_eq!(agreement.visit(vec![judged("a", Judgement::in_force())], at(0))[0].judgement, Judgement::in_force());
    }

    #[test]
    fn what_is_not_declared_any_more_is_forgotten() {
        let mut agreement = Agreement::default();
        for second in 1..3 {
            agreement.visit(vec![judged("a", Judgement::in_force()), judged("b", Judgement::in_force())], at(second));
        }
        let held = agreement.visit(vec![judged("b", Judgement::in_force())], at(3));
        assert_eq!((held.len(), held[0].target.as_str()), (1, "b"));
        let held = agreement.visit(vec![judged("a", Judgement::in_force())], at(4));
        assert_eq!(held[0].judgement.reason, "settling", "it begins anew");
    }

    fn judgements() -> impl Strategy<Value = Judgement> {
        prop_oneof![
            Just(Judgement::in_force()),
            prop_oneof![Just("no_chain"), Just("no_rule")].prop_map(|reason| missing(reason, "", "")),
            prop_oneof![Just("read_failed"), Just("not_visited")].prop_map(unknown),
        ]
    }

    proptest! {
        /// Whatever is said: what holds was said by the last two visits, or held before; one visit alone never changes a verdict.
        #[test]
        fn a_verdict_changes_only_where_two_visits_agree(said in prop::collection::vec(judgements(), 1..24)) {
            let held = held(&said);
            prop_assert_eq!(&held[0], &holds(Verdict::Unknown, "settling"));
            for at in 1..said.len() {
                let verdict_twice = said[at - 1].verdict == said[at].verdict;
                if held[at].0 != held[at - 1].0 {
                    prop_assert!(verdict_twice && held[at].0 == said[at].verdict);
                }
                if verdict_twice && said[at - 1].reason == said[at].reason {
                    prop_assert_eq!(&held[at], &holds(said[at].verdict, &said[at].reason));
                }
            }
        }

        /// Targets do not know of one another, in whatever order they are told.
        #[test]
        fn each_target_stands_alone(said in prop::collection::vec((judgements(), judgements(), any::<bool>()), 1..12)) {
            let (mut both, mut one) = (Agreement::default(), Agreement::default());
            for (second, (a, b, swapped)) in (1..).zip(said) {
                let mut raw = vec![judged("a", a.clone()), judged("b", b)];
                if swapped {
                    raw.reverse();
                }
                let (both, one) = (both.visit(raw, at(second)), one.visit(vec![judged("a", a)], at(second)));
                prop_assert_eq!(&both[0], &one[0]);
            }
        }
    }
}
