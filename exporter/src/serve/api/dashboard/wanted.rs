//! What these routes can be asked: the dashboard's parameters, read as the dashboard reads them. Pure.
//!
//! Values are exact; empty ones ask for nothing; unknown parameters are ignored (the Grafana plugin sends its whole query). It differs in one:
//! a `limit` that is no number is 400, which the dashboard answers with 500.

use super::super::pairs::pairs;
use super::failure::Failure;
use chaoscope_model::Reference;
use chaoscope_model::query::{EventQuery, Filter};
use jiff::{SignedDuration, Timestamp};

/// Most events of one answer. The dashboard has no limit, and can be made to answer with all it ever stored.
pub(super) const MOST_EVENTS: usize = 20_000;

/// What is asked of any of these routes; `None`: not asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) uid: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) kind: Option<String>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    limit: Option<i64>,
    /// `podNamespaceList`, of labels and annotations.
    pub(super) pod_namespaces: Option<String>,
}

impl Wanted {
    /// Understands a query string. The first of several values counts, as there.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Failure> {
        let mut wanted = Self::default();
        for (name, value) in pairs(query)?.into_iter().rev().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "object_id" => wanted.uid = Some(value),
                "namespace" => wanted.namespace = Some(value),
                "name" => wanted.name = Some(value),
                "kind" => wanted.kind = Some(value),
                "start" => wanted.start = value.parse().ok(),
                "end" => wanted.end = value.parse().ok(),
                // A panel whose limit was emptied sends this word.
                "limit" if value == "null" => wanted.limit = None,
                "limit" => wanted.limit = Some(value.parse().map_err(|_| Failure::bad(format!("limit: {value:?} is no number")))?),
                "podNamespaceList" => wanted.pod_namespaces = Some(value),
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// Whether an object is asked for: by namespace, name and kind.
    pub(super) fn takes(&self, about: &Reference) -> bool {
        let passes = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        passes(&self.namespace, &about.namespace) && passes(&self.name, &about.name) && passes(&self.kind, &about.kind)
    }

    /// The question to the journal; `None`: nothing can pass. Times are cut to whole seconds and include both.
    pub(super) fn events(&self) -> Option<EventQuery> {
        let limit = match self.limit {
            None | Some(..0) => MOST_EVENTS, // as there: a negative limit is none
            Some(limit) => usize::try_from(limit).unwrap_or(MOST_EVENTS).min(MOST_EVENTS),
        };
        let mut filter = Filter::default();
        let asked = [("namespace", &self.namespace), ("name", &self.name), ("kind", &self.kind), ("tool", &Some("chaos-mesh".to_owned()))];
        for (parameter, value) in asked.into_iter().filter_map(|(parameter, value)| Some((parameter, value.as_deref()?))) {
            // No object has a name with what would be a pattern.
            let plain = !value.contains('*') && !value.starts_with(['!', '~']);
            if !plain || !filter.add(parameter, value).is_ok_and(|known| known) {
                return None;
            }
        }
        let last = Timestamp::from_second(i64::MAX / 1_000_000_000).unwrap_or(Timestamp::MAX);
        let whole = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at).clamp(Timestamp::UNIX_EPOCH, last);
        let from = self.start.map_or(Timestamp::UNIX_EPOCH, whole);
        let to = self.end.map_or(last, |end| whole(end).saturating_add(SignedDuration::from_nanos(999_999_999)).unwrap_or(last));
        (limit > 0 && from <= to).then_some(EventQuery { from, to, limit, after: None, filter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(query: &str) -> Wanted {
        Wanted::parse(Some(query)).unwrap()
    }

    #[test]
    fn the_plugins_whole_query_is_understood() {
        let query = "refId=A&datasource=%7B%7D&object_id=&namespace=shop&kind=NetworkChaos&limit=25&hide=false\
                     &start=2026-11-21T13:00:00.500Z&end=2026-11-21T14:00:00.250Z";
        let query = wanted(query).events().unwrap();
        assert_eq!(query.limit, 25);
        assert_eq!(query.from.to_string(), "2026-11-21T13:00:00Z");
        assert_eq!(query.to.to_string(), "2026-11-21T14:00:00.999999999Z", "the whole of the last second");
        assert_eq!(query.filter.words("namespace").unwrap().exact(), Some(vec!["shop"]));
    }

    #[test]
    fn limits_and_times_are_read_as_the_dashboard_reads_them() {
        let limit = |query| wanted(query).events().map(|query| query.limit);
        assert_eq!(limit("limit=3"), Some(3));
        assert_eq!(limit("limit=0"), None, "nothing");
        assert_eq!(limit("limit=-1"), Some(MOST_EVENTS));
        assert_eq!(limit("limit=null"), Some(MOST_EVENTS));
        assert_eq!(limit("limit=9999999999"), Some(MOST_EVENTS));
        assert!(Wanted::parse(Some("limit=nonsense")).is_err());
        assert_eq!(wanted("start=yesterday"), Wanted::default());
        assert_eq!(limit("start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z"), None);
        assert!(limit("start=-009999-01-01T00:00:00Z&end=9999-01-01T00:00:00Z").is_some());
    }

    #[test]
    fn values_are_exact() {
        assert!(wanted("name=*").events().is_none() && wanted("namespace=~.*").events().is_none());
        let about = Reference { kind: "PodChaos".into(), namespace: "shop".into(), name: "a".into(), uid: "u".into() };
        assert!(wanted("namespace=shop&kind=PodChaos").takes(&about) && wanted("").takes(&about));
        assert!(!wanted("name=b").takes(&about));
    }
}
