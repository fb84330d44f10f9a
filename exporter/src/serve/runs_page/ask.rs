//! What the page is asked for: the API's own parameters, and `last` for how far back. Pure.
//!
//! A form sends all its fields, also those that were left empty: these ask for nothing.

use super::timeline::Axis;
use chaoscope_model::query::{FIELDS, Filter, RunQuery};
use jiff::{SignedDuration, Timestamp};

/// How far back, unless it is asked for.
const USUAL: &str = "6h";
/// What can be chosen.
pub(super) const CHOICES: [(&str, &str); 5] =
    [("1h", "1 hour"), ("6h", "6 hours"), ("24h", "24 hours"), ("72h", "3 days"), ("168h", "7 days")];
/// Longest time that is shown.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);
/// Most parameters.
const MOST: usize = 200;
/// Fields of the form; a link may use every other parameter too.
pub(super) const SHOWN: [(&str, &str); 6] = [
    ("text", "Anywhere"),
    ("kind", "Kind"),
    ("namespace", "Namespace"),
    ("name", "Experiment"),
    ("target_namespace", "Target namespace"),
    ("target_pod", "Target pod"),
];

/// What is asked for.
#[derive(Debug)]
pub(super) struct Ask {
    /// What filters, as it was written.
    pub(super) pairs: Vec<(String, String)>,
    pub(super) filter: Filter,
    pub(super) axis: Axis,
    /// How far back, where that was chosen or left open; empty where `from` was given.
    pub(super) last: String,
    /// `from` and `to`, as they were written.
    times: Vec<(String, String)>,
}

impl Ask {
    /// Understands a query, or says what is wrong with it.
    pub(super) fn of(pairs: Vec<(String, String)>, now: Timestamp) -> Result<Self, String> {
        if pairs.len() > MOST {
            return Err(format!("more than {MOST} parameters"));
        }
        let mut out = Self {
            pairs: Vec::new(),
            filter: Filter::default(),
            axis: Axis { from: now, to: now },
            last: String::new(),
            times: Vec::new(),
        };
        let (mut from, mut to) = (None, None);
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "from" => from = Some(time(&name, &value)?),
                "to" => to = Some(time(&name, &value)?),
                "last" => out.last = value,
                _ if out.filter.add(&name, &value).map_err(|refused| refused.to_string())? => out.pairs.push((name, value)),
                _ => return Err(format!("there is no parameter {name:?}; allowed are from, to, last, text, {}", FIELDS.join(", "))),
            }
        }
        out.times.extend(from.map(|at| ("from".to_owned(), at.to_string())));
        out.times.extend(to.map(|at| ("to".to_owned(), at.to_string())));
        let to = to.unwrap_or(now);
        if from.is_some() {
            out.last.clear();
        } else if out.last.is_empty() {
            USUAL.clone_into(&mut out.last);
        }
        let from = match from {
            Some(from) => from,
            None => back(to, &out.last)?,
        };
        if from >= to || to.duration_since(from) > LONGEST {
            return Err("from must be before to, by no more than a year".to_owned());
        }
        out.axis = Axis { from, to };
        Ok(out)
    }

    /// The usual question, shown where another cannot be understood.
    pub(super) fn nothing(now: Timestamp) -> Self {
        let from = now.checked_sub(SignedDuration::from_hours(6)).unwrap_or(now);
        Self { pairs: Vec::new(), filter: Filter::default(), axis: Axis { from, to: now }, last: USUAL.to_owned(), times: Vec::new() }
    }

    /// The value of a field of the form.
    pub(super) fn value(&self, field: &str) -> &str {
        self.pairs.iter().find(|(name, _)| name == field).map_or("", |(_, value)| value)
    }

    /// What the form does not show: it must not be lost when the form is sent.
    pub(super) fn hidden(&self) -> Vec<(&str, &str)> {
        let mut shown: Vec<&str> = Vec::new();
        let pairs = self.pairs.iter().filter(|(name, _)| {
            let first = SHOWN.iter().any(|(field, _)| field == name) && !shown.contains(&name.as_str());
            shown.push(name);
            !first
        });
        pairs.chain(&self.times).map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The same question to the API: with its times for a list, without for a stream.
    pub(super) fn query(&self, times: bool) -> String {
        let bounds = [("from", self.axis.from), ("to", self.axis.to)];
        let bounds = bounds.into_iter().filter(|_| times).map(|(name, at)| (name.to_owned(), at.to_string()));
        let mut url = form_urlencoded::Serializer::new(String::new());
        url.extend_pairs(self.pairs.iter().cloned().chain(bounds));
        url.finish()
    }

    /// What to ask the journal.
    pub(super) fn runs(&self, limit: usize) -> RunQuery {
        RunQuery { from: self.axis.from, to: self.axis.to, limit, after: None, filter: self.filter.clone() }
    }
}

fn back(to: Timestamp, last: &str) -> Result<Timestamp, String> {
    let refused = || format!("last: {last:?} is no time such as 6h or 30m");
    let back: SignedDuration = last.parse().map_err(|_| refused())?;
    if back < SignedDuration::from_mins(1) {
        return Err(refused());
    }
    to.checked_sub(back).map_err(|_| refused())
}

/// RFC 3339, or milliseconds since 1970.
fn time(name: &str, value: &str) -> Result<Timestamp, String> {
    let milliseconds = || value.parse().ok().and_then(|number| Timestamp::from_millisecond(number).ok());
    value
        .parse()
        .ok()
        .or_else(milliseconds)
        .ok_or_else(|| format!("{name}: {value:?} is neither an RFC 3339 time nor milliseconds since 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(query: &[(&str, &str)]) -> Result<Ask, String> {
        let pairs = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ask::of(pairs.collect(), Timestamp::from_second(1_000_000).unwrap())
    }

    #[test]
    fn fields_left_empty_ask_for_nothing() {
        let asked = ask(&[("kind", ""), ("text", ""), ("last", "1h"), ("namespace", "shop")]).unwrap();
        assert_eq!(asked.query(false), "namespace=shop");
        assert_eq!((asked.axis.from.as_second(), asked.axis.to.as_second()), (1_000_000 - 3600, 1_000_000));
        assert_eq!(ask(&[]).unwrap().last, "6h");
        assert_eq!((asked.value("namespace"), asked.value("kind")), ("shop", ""));
    }

    #[test]
    fn what_the_form_does_not_show_is_kept() {
        let asked = ask(&[("kind", "A"), ("kind", "B&c"), ("phase", "running"), ("from", "990000000")]).unwrap();
        assert_eq!(asked.hidden(), [("kind", "B&c"), ("phase", "running"), ("from", "1970-01-12T11:00:00Z")]);
        assert_eq!(asked.last, "");
        assert_eq!(asked.query(true), "kind=A&kind=B%26c&phase=running&from=1970-01-12T11%3A00%3A00Z&to=1970-01-12T13%3A46%3A40Z");
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (query, wanted) in [
            (("nmae", "x"), "there is no parameter \"nmae\""),
            (("phase", "runing"), "is none of"),
            (("last", "soon"), "no time such as"),
            (("last", "0s"), "no time such as"),
            (("last", "9999999h"), "a year"),
            (("from", "yesterday"), "RFC 3339"),
            (("from", "2000-01-01T00:00:00Z"), "must be before"),
        ] {
            let error = ask(&[query]).unwrap_err();
            assert!(error.contains(wanted), "{query:?}: {error}");
        }
    }
}
