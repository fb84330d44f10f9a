//! What a caller asks for: parameters of a query string become a [`RunQuery`], an [`EventQuery`] or a [`Filter`]. Pure.
//!
//! What filters is in the model; here are time, page and cursor, and what is allowed where. How they are told to programs is in
//! `openapi.rs`, which must say the same.

use super::cursor::{self, Cursor};
use super::pairs::pairs;
use super::problem::Problem;
use crate::serve::outlook::{self, Span};
use chaoscope_model::query::{EventQuery, FIELDS, Filter, Position, RunQuery};
use jiff::fmt::temporal::Pieces;
use jiff::{SignedDuration, Timestamp};

/// Rows of a page without a word about it.
pub(super) const LIMIT: usize = 100;
/// Most rows of a page.
pub(super) const MOST: usize = 1000;
/// From when, without a word about it: so long before `to`.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// How far ahead is looked without a word about it.
pub(super) const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// How far ahead can be looked.
pub(super) const FARTHEST: SignedDuration = SignedDuration::from_hours(31 * 24);
/// The last millisecond a journal can keep: 2262-04-11.
pub(super) const LAST_MILLISECOND: i64 = i64::MAX / 1_000_000;

/// One page of one question.
#[derive(Debug)]
pub(super) struct Asked {
    from: Timestamp,
    to: Timestamp,
    limit: usize,
    after: Option<Position>,
    filter: Filter,
    /// What the cursor to the next page belongs to.
    question: String,
}

/// The parameters of a page, besides those that filter.
#[derive(Default)]
struct Page {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    limit: Option<usize>,
    cursor: Option<String>,
}

impl Asked {
    /// Understands a query string. `route` and `journal` are what its cursors belong to; `now` is the present.
    pub(super) fn parse(query: Option<&str>, route: &str, journal: &str, now: Timestamp) -> Result<Self, Problem> {
        let pairs = pairs(query)?;
        let (mut filter, mut page) = (Filter::at(now), Page::default());
        for (name, value) in &pairs {
            if !filter.add(name, value)? && !page.add(name, value)? {
                return Err(unknown(name, &["from", "to", "limit", "cursor"], &[&FIELDS[..], &["text"]].concat()));
            }
        }
        let question = cursor::question(route, journal, &pairs);
        let cursor = page.cursor.as_deref().filter(|text| !text.is_empty()).map(|text| Cursor::parse(text, &question)).transpose()?;
        let to = cursor.map(|cursor| cursor.to).or(page.to).unwrap_or_else(|| kept(now));
        let from = cursor.map(|cursor| cursor.from).or(page.from);
        let from = from.unwrap_or_else(|| kept(to.saturating_sub(WINDOW).unwrap_or(Timestamp::UNIX_EPOCH)));
        if from > to {
            return Err(Problem::parameter("from", format!("from: {from} is after {to}, which is the `to` of this question")));
        }
        let after = cursor.map(|cursor| cursor.after);
        Ok(Self { from, to, limit: page.limit.unwrap_or(LIMIT), after, filter, question })
    }

    /// The question about runs.
    pub(super) fn runs(&self) -> RunQuery {
        RunQuery { from: self.from, to: self.to, limit: self.limit, after: self.after, filter: self.filter.clone() }
    }

    /// The question about events.
    pub(super) fn events(&self) -> EventQuery {
        EventQuery { from: self.from, to: self.to, limit: self.limit, after: self.after, filter: self.filter.clone() }
    }

    /// The cursor to the page that begins at a position.
    pub(super) fn next(&self, after: Option<Position>) -> Option<String> {
        Cursor { from: self.from, to: self.to, after: after? }.text(&self.question)
    }
}

impl Page {
    /// One more parameter. `Ok(false)`: it is none of a page.
    fn add(&mut self, name: &str, value: &str) -> Result<bool, Problem> {
        let twice = match name {
            "from" => self.from.replace(time(name, value)?).is_some(),
            "to" => self.to.replace(time(name, value)?).is_some(),
            "limit" => self.limit.replace(limit(value)?).is_some(),
            "cursor" => self.cursor.replace(value.to_owned()).is_some(),
            _ => return Ok(false),
        };
        if twice { Err(Problem::parameter(name, format!("{name}: only once"))) } else { Ok(true) }
    }
}

/// What filters a stream, and from where it goes on where the parameter says so.
pub(super) fn stream(query: Option<&str>) -> Result<(Filter, Option<String>), Problem> {
    let (mut filter, mut last) = (Filter::default(), None);
    for (name, value) in pairs(query)? {
        if filter.add(&name, &value)? {
            continue;
        }
        if name != "last_event_id" {
            return Err(unknown(&name, &["last_event_id"], &[&FIELDS[..], &["text"]].concat()));
        }
        if last.replace(value).is_some() {
            return Err(Problem::parameter(&name, "last_event_id: only once"));
        }
    }
    Ok((filter, last))
}

/// How far to look ahead, and at what. What was due before the present is no question: `from` is never before it.
pub(super) fn ahead(query: Option<&str>, now: Timestamp) -> Result<(Span, Filter), Problem> {
    let (mut filter, mut page) = (Filter::at(now), Page::default());
    for (name, value) in pairs(query)? {
        let known = match name.as_str() {
            "from" | "to" | "limit" => page.add(&name, &value)?,
            field => outlook::FIELDS.contains(&field) && filter.add(field, &value)?,
        };
        if !known {
            return Err(unknown(&name, &["from", "to", "limit"], &outlook::FIELDS));
        }
    }
    let farthest = now.saturating_add(FARTHEST).unwrap_or(Timestamp::MAX);
    let from = page.from.unwrap_or(now).max(now);
    let to = page.to.unwrap_or_else(|| from.saturating_add(AHEAD).unwrap_or(farthest).min(farthest));
    if to > farthest {
        return Err(Problem::parameter("to", format!("to: {to} is too far ahead: nothing is said of what is due after {farthest}")));
    }
    if from > to {
        return Err(Problem::parameter("from", format!("from: {from}, or the present if that is later, is after {to}, which is `to`")));
    }
    Ok((Span { now, from, to, limit: page.limit.unwrap_or(LIMIT) }, filter))
}

/// Refuses every parameter: for routes that have none.
pub(super) fn none(query: Option<&str>) -> Result<(), Problem> {
    match pairs(query)?.first() {
        Some((name, _)) => Err(Problem::parameter(name, format!("there is no parameter {name:?}: this address takes none"))),
        None => Ok(()),
    }
}

fn unknown(name: &str, others: &[&str], fields: &[&str]) -> Problem {
    let allowed = [others, fields].concat().join(", ");
    Problem::parameter(name, format!("there is no parameter {name:?}; allowed are {allowed}"))
}

fn limit(value: &str) -> Result<usize, Problem> {
    let number = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten();
    let allowed = number.filter(|number| (1..=MOST).contains(number));
    allowed.ok_or_else(|| Problem::parameter("limit", format!("limit: {value:?} is no number from 1 to {MOST}")))
}

/// RFC 3339, or milliseconds since 1970.
fn time(name: &str, value: &str) -> Result<Timestamp, Problem> {
    let refused =
        |why: &str| Problem::parameter(name, format!("{name}: {value:?} {why}; allowed are RFC 3339 and milliseconds since 1970"));
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let milliseconds = value.parse().ok().filter(|milliseconds| (0..=LAST_MILLISECOND).contains(milliseconds));
        return milliseconds.and_then(|it| Timestamp::from_millisecond(it).ok()).ok_or_else(|| refused("is too far in the future"));
    }
    value.parse().ok().or_else(|| last_days(value)).map(kept).ok_or_else(|| refused("is no time"))
}

/// The last days of the year 9999 are RFC 3339, but not always a [`Timestamp`].
fn last_days(value: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(value).ok()?;
    let whole = pieces.time().is_some() && pieces.offset().is_some() && pieces.date().year() == 9999;
    whole.then_some(Timestamp::MAX)
}

/// The nearest time a journal can keep: nothing was before 1970, nothing will be after 2262.
fn kept(at: Timestamp) -> Timestamp {
    let last = Timestamp::from_millisecond(LAST_MILLISECOND).unwrap_or(Timestamp::MAX);
    at.clamp(Timestamp::UNIX_EPOCH, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T14:00:00Z".parse().unwrap()
    }

    fn asked(query: &str) -> Result<Asked, Problem> {
        Asked::parse(Some(query), "runs", "j", now())
    }

    #[test]
    fn the_last_hour_unless_told_otherwise() {
        let default = asked("").unwrap();
        assert_eq!((default.to, default.from, default.limit), (now(), "2026-11-21T13:00:00Z".parse().unwrap(), LIMIT));
        let before = asked("to=2026-11-20T12:00:00%2B02:00").unwrap();
        assert_eq!(before.from, "2026-11-20T09:00:00Z".parse().unwrap(), "an hour before what was asked for");
        let milliseconds = asked("from=0&to=1500").unwrap();
        assert_eq!((milliseconds.from, milliseconds.to), (Timestamp::UNIX_EPOCH, Timestamp::from_millisecond(1500).unwrap()));
        let far = asked("from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:60Z").unwrap();
        assert_eq!((far.from, far.to.as_millisecond()), (Timestamp::UNIX_EPOCH, LAST_MILLISECOND));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_allowed() {
        for (query, name, allowed) in [
            ("nmae=x", "nmae", "from, to, limit, cursor, tool"),
            ("limit=0", "limit", "1 to 1000"),
            ("limit=1001", "limit", "1 to 1000"),
            ("limit=+5", "limit", "1 to 1000"),
            ("limit=", "limit", "1 to 1000"),
            ("limit=5&limit=5", "limit", "only once"),
            ("from=yesterday", "from", "RFC 3339"),
            ("from=9223372036855", "from", "future"),
            ("to=", "to", "RFC 3339"),
            ("from=-5", "from", "RFC 3339"),
            ("from=2&to=1", "from", "is after"),
            ("cursor=abc", "cursor", "begin without it"),
            ("cursor=&cursor=", "cursor", "only once"),
            ("phase=runing", "phase", "selecting"),
            ("name=%FF", "name", "UTF-8"),
        ] {
            let problem = asked(query).expect_err(query);
            assert_eq!(problem.status().as_u16(), 400);
            assert!(problem.detail().contains(allowed), "{query}: {}", problem.detail());
            assert_eq!(problem.about(), Some(name), "{query}");
        }
    }

    #[test]
    fn a_cursor_keeps_the_times_of_the_first_page() {
        let first = asked("name=web&limit=5").unwrap();
        let row = Position { at: now(), row: 7 };
        let cursor = first.next(Some(row)).unwrap();
        assert_eq!(first.next(None), None);
        assert_eq!(asked("cursor=").unwrap().after, None, "no cursor is the beginning");
        let later = now() + SignedDuration::from_hours(5);
        let next = |query: String| Asked::parse(Some(&query), "runs", "j", later);
        let second = next(format!("cursor={cursor}&name=web&limit=50")).unwrap();
        assert_eq!((second.from, second.to, second.after, second.limit), (first.from, first.to, Some(row), 50));
        assert!(next(format!("cursor={cursor}&name=db")).is_err(), "another question");
        assert!(Asked::parse(Some(&format!("cursor={cursor}&name=web")), "events", "j", later).is_err());
        assert!(Asked::parse(Some(&format!("cursor={cursor}&name=web")), "runs", "k", later).is_err(), "another journal");
    }

    #[test]
    fn the_next_day_unless_told_otherwise_and_no_more_than_a_month() {
        let of = |query: &str| ahead(Some(query), now());
        let later = |hours| now() + SignedDuration::from_hours(hours);
        let span = |query| of(query).map(|(span, _)| (span.from, span.to, span.limit)).unwrap();
        assert_eq!(span(""), (now(), later(24), LIMIT));
        assert_eq!(span("from=2026-11-21T16:00:00Z&limit=5"), (later(2), later(26), 5));
        assert_eq!(span("from=0&to=2026-12-22T14:00:00Z"), (now(), later(31 * 24), LIMIT), "what has been is no question");
        assert_eq!(span("from=2026-12-22T13:00:00Z"), (later(31 * 24 - 1), later(31 * 24), LIMIT));
        for (query, name, allowed) in [
            ("to=2026-12-22T14:00:01Z", "to", "after 2026-12-22T14:00:00Z"),
            ("to=2026-11-21T13:59:59Z", "from", "or the present"),
            ("from=2027-11-21T14:00:00Z", "from", "is after"),
            ("target_pod=web-0", "target_pod", "from, to, limit, tool, cluster, kind, namespace, name"),
            ("text=web", "text", "allowed are"),
            ("cursor=", "cursor", "allowed are"),
            ("limit=0", "limit", "1 to 1000"),
            ("name=~(", "name", "regular expression"),
        ] {
            let problem = of(query).expect_err(query);
            assert!(problem.detail().contains(allowed), "{query}: {}", problem.detail());
            assert_eq!((problem.status().as_u16(), problem.about()), (400, Some(name)), "{query}");
        }
        assert!(of("kind=!PodChaos&name=cut-*&namespace=~shop|lab").unwrap().1.words("name").is_some());
    }

    #[test]
    fn a_stream_takes_filters_and_a_position() {
        let (filter, last) = stream(Some("kind=NetworkChaos&last_event_id=j.7")).unwrap();
        assert!(!filter.is_empty());
        assert_eq!(last.as_deref(), Some("j.7"));
        assert!(stream(Some("from=0")).unwrap_err().detail().contains("last_event_id, tool"));
        assert!(stream(Some("last_event_id=a&last_event_id=b")).is_err());
        assert!(none(Some("x=1")).is_err() && none(Some("")).is_ok() && none(None).is_ok());
    }
}
