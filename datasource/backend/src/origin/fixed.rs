//! What of a question is asked, and what is held against the answer, so that the datasource's own filters cannot be widened.
//!
//! Repeated values of one parameter are alternatives, so a fixed filter and a query's own on the same field cannot both be sent: where both are
//! plain words what they have in common is asked, else what is fixed is asked, and the rest is held against what comes. What is fixed is held
//! against every row in any case: the origin is not trusted with it.

use super::fault::{Error, Fault};
use crate::query::Pairs;
use chaoscope_model::event::Event;
use chaoscope_model::query::Filter;
use chaoscope_model::run::Run;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What every event tells of itself.
const EVENT_FIELDS: [&str; 7] = ["tool", "cluster", "kind", "namespace", "name", "reason", "type"];

/// What to ask and what to keep.
#[derive(Debug)]
pub(super) struct Narrowed {
    /// What to ask; `None`: nothing can pass, so nothing need be asked.
    pub(super) asked: Option<Pairs>,
    /// Of the datasource.
    fixed: Filter,
    /// Of the query, where the origin was not asked all of it.
    wanted: Filter,
    /// Whether a query's own filter must be held against rows here.
    here: bool,
    /// A field of which that cannot be done for events alone.
    beyond_events: Option<String>,
}

impl Narrowed {
    pub(super) fn of(filter: &Pairs, fixed: &Pairs) -> Result<Self, Error> {
        let (own, wanted) = (filter_of(fixed)?, filter_of(filter)?);
        let mut narrowed = Self { asked: None, fixed: own, wanted, here: false, beyond_events: None };
        narrowed.asked = narrowed.pairs(filter, fixed);
        Ok(narrowed)
    }

    fn pairs(&mut self, filter: &Pairs, fixed: &Pairs) -> Option<Pairs> {
        let fields: BTreeSet<&str> = filter.iter().chain(fixed).map(|(field, _)| field.as_str()).collect();
        let mut asked = Pairs::new();
        for field in fields {
            let of = |pairs: &Pairs| {
                let values = pairs.iter().filter(|(name, _)| name == field).map(|(_, value)| value.clone());
                values.partition::<BTreeSet<_>, _>(|value| value.starts_with('!'))
            };
            let ((unwanted_here, own), (unwanted, wanted)) = (of(fixed), of(filter));
            let values = self.alternatives(field, own, wanted)?;
            // What is not wanted only ever narrows.
            asked.extend(values.into_iter().chain(unwanted_here).chain(unwanted).map(|value| (field.to_owned(), value)));
        }
        asked.sort();
        asked.dedup();
        Some(asked)
    }

    /// What of two sets of alternatives is asked; `None`: nothing can pass both.
    fn alternatives(&mut self, field: &str, own: BTreeSet<String>, wanted: BTreeSet<String>) -> Option<BTreeSet<String>> {
        if own.is_empty() {
            return Some(wanted);
        }
        if wanted.is_empty() || own == wanted {
            return Some(own);
        }
        if single(field) && wanted.iter().all(|value| is_plain(value)) {
            let words = self.fixed.words(field);
            let both: BTreeSet<_> = wanted.into_iter().filter(|value| words.is_none_or(|words| words.matches(value))).collect();
            return if both.is_empty() { None } else { Some(both) };
        }
        self.here = true;
        if !EVENT_FIELDS.contains(&field) {
            self.beyond_events = Some(field.to_owned());
        }
        Some(own)
    }

    /// Whether a run passes.
    pub(super) fn run(&self, run: &Run) -> bool {
        self.fixed.matches_run(run) && (!self.here || self.wanted.matches_run(run))
    }

    /// Whether events can be told apart by what they say themselves.
    pub(super) fn for_events(self) -> Result<Self, Error> {
        match &self.beyond_events {
            Some(field) => {
                let remedy = "Take this filter out of the query, or write plain values that the datasource's settings allow.";
                Err(Error::Refused(Fault::new(
                    format!("{field}: the datasource's settings fix it, and events do not tell enough to narrow it further"),
                    remedy,
                )))
            }
            None => Ok(self),
        }
    }

    /// Whether an event passes, for an origin that was asked. What it says of targets, labels, phase and outcome is its run's, which is not
    /// here: that was asked, and cannot be widened by what was asked besides.
    pub(super) fn event(&self, event: &Event) -> bool {
        told(&self.fixed, event) && (!self.here || told(&self.wanted, event))
    }

    /// The same where everything is known.
    pub(super) fn event_of(&self, event: &Event, run: Option<&Run>) -> bool {
        self.fixed.matches_event(event, run) && self.wanted.matches_event(event, run)
    }

    /// Whether a run passes all that is asked, for an origin that was asked less.
    pub(super) fn whole_run(&self, run: &Run) -> bool {
        self.fixed.matches_run(run) && self.wanted.matches_run(run)
    }

    /// Whether a schedule passes, as far as a schedule has what is asked for.
    pub(super) fn schedule(&self, cluster: &str, kind: &str, namespace: &str, name: &str) -> bool {
        let values = [("cluster", cluster), ("kind", kind), ("namespace", namespace), ("name", name)];
        let pass = |filter: &Filter| values.iter().all(|(field, value)| filter.words(field).is_none_or(|words| words.matches(value)));
        pass(&self.fixed) && pass(&self.wanted)
    }
}

/// What an event itself tells is held against a filter.
fn told(filter: &Filter, event: &Event) -> bool {
    let own = [event.tool.as_str(), &event.cluster, &event.kind, &event.namespace, &event.name, &event.reason, event.severity.as_str()];
    let own = EVENT_FIELDS.into_iter().zip(own);
    let target = [("target_namespace", event.target_namespace.as_str()), ("target_pod", &event.target_pod)];
    let target = target.into_iter().filter(|_| !event.target_pod.is_empty());
    own.chain(target).all(|(field, value)| filter.words(field).is_none_or(|words| words.matches(value)))
}

/// Whether a run has one value of this field: of several, one that passes would not do.
fn single(field: &str) -> bool {
    matches!(field, "tool" | "cluster" | "kind" | "namespace" | "name" | "outcome" | "reason" | "type")
}

fn is_plain(value: &str) -> bool {
    !value.starts_with(['!', '~']) && !value.contains('*')
}

/// A filter that knows the present.
pub(super) fn filter_of(pairs: &Pairs) -> Result<Filter, Error> {
    let mut filter = Filter::at(Timestamp::now());
    for (field, value) in pairs {
        match filter.add(field, value) {
            Ok(true) => {}
            Ok(false) => return Err(Error::Refused(Fault::from(format!("there is no filter {field:?}")))),
            Err(refused) => return Err(Error::Refused(Fault::from(refused.to_string()))),
        }
    }
    Ok(filter)
}

/// The values of a field where they are plain words: what may be asked exactly.
pub(super) fn plain_values(pairs: &Pairs, field: &str) -> Option<Vec<String>> {
    let values: Vec<&String> = pairs.iter().filter(|(name, _)| name == field).map(|(_, value)| value).collect();
    (!values.is_empty() && values.iter().all(|value| is_plain(value))).then(|| values.into_iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &[(&str, &str)]) -> Pairs {
        text.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
    }

    fn asked(filter: &[(&str, &str)], fixed: &[(&str, &str)]) -> Option<String> {
        let asked = Narrowed::of(&pairs(filter), &pairs(fixed)).unwrap().asked?;
        Some(asked.iter().map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>().join("&"))
    }

    #[test]
    fn a_query_cannot_widen_what_is_fixed() {
        let shop = [("namespace", "shop")];
        assert_eq!(asked(&[], &shop).unwrap(), "namespace=shop");
        assert_eq!(asked(&[("namespace", "lab")], &shop), None, "nothing in common: nothing is asked");
        assert_eq!(asked(&[("namespace", "lab"), ("namespace", "shop")], &shop).unwrap(), "namespace=shop");
        assert_eq!(asked(&[("namespace", "~.*")], &shop).unwrap(), "namespace=shop");
        assert_eq!(asked(&[("namespace", "!shop")], &shop).unwrap(), "namespace=!shop&namespace=shop");
        assert_eq!(
            asked(&[("namespace", "shop"), ("namespace", "!lab")], &[("namespace", "!lab")]).unwrap(),
            "namespace=!lab&namespace=shop"
        );
        assert_eq!(asked(&[("namespace", "shop-a")], &[("namespace", "shop-*")]).unwrap(), "namespace=shop-a");
        assert_eq!(asked(&[("kind", "IOChaos")], &shop).unwrap(), "kind=IOChaos&namespace=shop");
        assert_eq!(asked(&[("target_pod", "a")], &[("target_pod", "b")]).unwrap(), "target_pod=b");
        let both = Narrowed::of(&pairs(&[("namespace", "~la.*")]), &pairs(&shop)).unwrap();
        assert!(!both.run(&crate::origin::values::tests::run("shop", "a")), "what the query does not want is taken away here");
    }

    proptest! {
        /// Whatever an editor writes: what is asked and kept passes the fixed filter, and the query's own.
        #[test]
        fn whatever_is_asked_the_fixed_filter_holds(
            fixed in proptest::collection::vec("[!~]?[ab*]{1,2}", 1..3),
            wanted in proptest::collection::vec("[!~]?[ab*]{1,2}", 0..3),
            namespaces in proptest::collection::vec("[ab]{1,2}", 1..6),
        ) {
            let of = |values: &[String]| values.iter().map(|value| ("namespace".to_owned(), value.clone())).collect::<Pairs>();
            let (fixed, wanted) = (of(&fixed), of(&wanted));
            let (Ok(narrowed), Ok(own), Ok(query)) = (Narrowed::of(&wanted, &fixed), filter_of(&fixed), filter_of(&wanted)) else { return Ok(()) };
            for namespace in namespaces {
                let run = crate::origin::values::tests::run(&namespace, "n");
                let sent = narrowed.asked.as_ref().is_some_and(|asked| filter_of(asked).unwrap().matches_run(&run));
                prop_assert_eq!(sent && narrowed.run(&run), own.matches_run(&run) && query.matches_run(&run));
            }
        }
    }
}
