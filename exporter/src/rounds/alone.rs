//! While there is no connection, what is declared is what it was: one experiment may have recovered since, and the next one begun. So nothing new
//! is held against anybody then.
//!
//! Pure; apart from the rounds, which say when that is.

use chaoscope_model::verdict::{Judged, Judgement, Residue, Verdict};
use std::collections::HashSet;

/// What has come to be missing or drifted without a connection may have recovered: unknown. What held before and is found again stays.
pub(super) fn doubt(raw: &mut [Judged], held: &[Judged]) {
    let bad = |it: &&Judged| matches!(it.judgement.verdict, Verdict::Missing | Verdict::Drifted);
    let held: HashSet<_> = held.iter().filter(bad).map(|it| (it.whose(), it.judgement.verdict)).collect();
    for judged in raw {
        if bad(&&*judged) && !held.contains(&(judged.whose(), judged.judgement.verdict)) {
            judged.judgement = Judgement::new(Verdict::Unknown, "no_node");
        }
    }
}

/// Nothing becomes residue without a connection; what is, stays while it is found.
pub(super) fn known(found: &mut Vec<Residue>, residue: &[Residue]) {
    let key = |it: &Residue| (it.pod.uid.clone(), it.netns.clone(), it.container.clone(), it.what.clone(), it.object.clone());
    let known: HashSet<_> = residue.iter().map(key).collect();
    found.retain(|it| known.contains(&key(it)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(target: &str, verdict: Verdict) -> Judged {
        Judged { run: "r".into(), target: target.into(), selector: ".".into(), judgement: Judgement::new(verdict, "") }
    }

    #[test]
    fn alone_only_what_was_missing_or_drifted_before_still_is() {
        use Verdict::{Drifted, InForce, Missing, Unknown};
        let held = [judged("a", InForce), judged("b", Missing), judged("c", InForce), judged("d", Missing)];
        let mut raw = [judged("a", Missing), judged("b", Missing), judged("c", InForce), judged("d", Drifted), judged("e", Missing)];
        doubt(&mut raw, &held);
        assert_eq!(raw.each_ref().map(|it| it.judgement.verdict), [Unknown, Missing, InForce, Unknown, Unknown]);
        assert_eq!(raw[0].judgement.reason, "no_node");
    }
}
