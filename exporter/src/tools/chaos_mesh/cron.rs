//! A schedule's cron line, as Chaos Mesh's controller evaluates it: `robfig/cron` v3.0.1 with an optional field for seconds, descriptors and
//! time zones in the line (`api/v1alpha1/schedule_types.go`, `StandardCronParser`).
//!
//! Apart because it is that one evaluator, its corners included: Sunday is 0 and never 7, `*/2` is no star when days of month and of week
//! are combined, a time that a clock change leaves out is left out, and one that comes twice is taken twice. Libraries follow other
//! conventions. `tests/fixtures/cron/` holds what the evaluator itself answered. How times are found is in `walk`.

mod walk;

use super::decode;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

/// More than any line a person writes; longer ones are refused.
const LONGEST: usize = 1024;

/// Minutes after which every zone's clocks show the same again: offsets are whole quarters of an hour, everywhere and for decades.
const QUARTER: u32 = 15;

static UTC: TimeZone = TimeZone::UTC;

/// A line that is understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    kind: Kind,
    /// The zone the line itself names.
    zone: Option<TimeZone>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// So long after the last child.
    Every(SignedDuration),
    /// At certain times of the calendar.
    At(Fields),
}

/// Which seconds, minutes, … a line stands for, as sets of bits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fields {
    second: u64,
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    /// Whether a day must be in both sets, as where one of them is a star, or in one of them.
    both: bool,
}

/// Why a line is not understood. Chaos Mesh refuses the same lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too long.
    #[error("the line has more than {LONGEST} bytes")]
    Long,
    /// Not five or six fields.
    #[error("{0} fields, where five or six are wanted")]
    Count(usize),
    /// A field is not one.
    #[error("not a field: {0:?}")]
    Field(String),
    /// A word after `@`.
    #[error("unknown descriptor {0:?}")]
    Descriptor(String),
    /// A zone that is not known.
    #[error("unknown time zone {0:?}")]
    Zone(String),
}

/// The values a field may have, and their names.
struct Bounds {
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const SECONDS: Bounds = Bounds { least: 0, most: 59, names: &[] };
const HOURS: Bounds = Bounds { least: 0, most: 23, names: &[] };
const DAYS: Bounds = Bounds { least: 1, most: 31, names: &[] };
const MONTHS: Bounds =
    Bounds { least: 1, most: 12, names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] };
const WEEKDAYS: Bounds = Bounds { least: 0, most: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl Line {
    /// Reads a line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(Error::Long);
        }
        let (zone, text) = match text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) {
            Some(rest) => {
                let (name, rest) = rest.split_once(' ').ok_or_else(|| Error::Zone(rest.to_owned()))?;
                (named(name)?, rest.trim())
            }
            None => (None, text),
        };
        let kind = if text.starts_with('@') { descriptor(text)? } else { Kind::At(fields(text)?) };
        Ok(Self { kind, zone })
    }

    /// The first time after `after` that the line stands for. `zone` is the controller's; `None` where that is unknown and matters, or where
    /// there is no such time within five years.
    pub fn next(&self, after: Timestamp, zone: Option<&TimeZone>) -> Option<Timestamp> {
        match &self.kind {
            Kind::Every(interval) => walk::whole_second(after)?.checked_add(*interval).ok(),
            Kind::At(fields) => walk::next(fields, after, self.clocks(zone)?),
        }
    }

    /// Times after `from` up to `to`, at most `limit` of them, oldest first. Those of `@every` are counted from `from`. `None` where the
    /// time zone is unknown and matters.
    pub fn slots(&self, from: Timestamp, to: Timestamp, zone: Option<&TimeZone>, limit: usize) -> Option<Vec<Timestamp>> {
        self.clocks(zone)?;
        let times = std::iter::successors(self.next(from, zone), |time| self.next(*time, zone));
        Some(times.take_while(|time| *time <= to).take(limit).collect())
    }

    /// Whose clocks count: those the line names, the controller's, or anybody's where all clocks give the same answer.
    fn clocks<'a>(&'a self, controller: Option<&'a TimeZone>) -> Option<&'a TimeZone> {
        let anybody = match &self.kind {
            Kind::Every(_) => true,
            Kind::At(fields) => fields.anywhere(),
        };
        self.zone.as_ref().or(controller).or(anybody.then_some(&UTC))
    }

    /// Whether it can be told which times it stands for: not where the controller's time zone is unknown and matters.
    pub fn is_told(&self, zone: Option<&TimeZone>) -> bool {
        self.clocks(zone).is_some()
    }

    /// How long after the last child, for a line that counts from there; `None` for one that follows the calendar.
    pub fn interval(&self) -> Option<SignedDuration> {
        match &self.kind {
            Kind::Every(interval) => Some(*interval),
            Kind::At(_) => None,
        }
    }
}

impl Fields {
    /// Whether it stands for the same times in every zone: each hour of each day, and the same minutes of each quarter of an hour.
    fn anywhere(&self) -> bool {
        let all = |set: u64, bounds: &Bounds| set == bounds.all();
        let turned = (self.minute >> QUARTER) | (self.minute << (60 - QUARTER)) & SECONDS.all();
        let each_day = all(self.day, &DAYS) && all(self.weekday, &WEEKDAYS) && all(self.month, &MONTHS);
        each_day && all(self.hour, &HOURS) && turned == self.minute
    }
}

impl Bounds {
    fn all(&self) -> u64 {
        (self.least..=self.most).fold(0, |set, value| set | 1 << value)
    }

    fn number(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        named.map_or_else(|| text.parse().ok(), |at| Some(at as u32 + self.least))
    }

    /// The values of one piece between commas, and whether it counts as a star. `5/15` is from 5 on.
    fn piece(&self, text: &str) -> Option<(u64, bool)> {
        let (range, step) = text.split_once('/').map_or((text, None), |(range, step)| (range, Some(step)));
        let ends: Vec<&str> = range.split('-').collect();
        let star = ["*", "?"].contains(&ends[0]);
        let (start, end) = match ends[..] {
            _ if star => (self.least, self.most),
            [one] => (self.number(one)?, if step.is_some() { self.most } else { self.number(one)? }),
            [low, high] => (self.number(low)?, self.number(high)?),
            _ => return None,
        };
        let step: u64 = step.map_or(Some(1), |step| step.parse().ok())?;
        if start < self.least || end > self.most || start > end || step == 0 {
            return None;
        }
        let values = (start..=end).step_by(step.min(60) as usize).fold(0, |set, value| set | 1 << value);
        Some((values, star && step == 1))
    }

    fn field(&self, text: &str) -> Result<(u64, bool), Error> {
        let mut out = (0, false);
        for piece in text.split(',').filter(|piece| !piece.is_empty()) {
            let (values, star) = self.piece(piece).ok_or_else(|| Error::Field(text.to_owned()))?;
            out = (out.0 | values, out.1 || star);
        }
        Ok(out)
    }
}

fn fields(text: &str) -> Result<Fields, Error> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    if words.len() == 5 {
        words.insert(0, "0");
    }
    let [second, minute, hour, day, month, weekday] = words[..] else { return Err(Error::Count(words.len())) };
    let (day, every_day) = DAYS.field(day)?;
    let (weekday, every_weekday) = WEEKDAYS.field(weekday)?;
    Ok(Fields {
        second: SECONDS.field(second)?.0,
        minute: SECONDS.field(minute)?.0,
        hour: HOURS.field(hour)?.0,
        day,
        month: MONTHS.field(month)?.0,
        weekday,
        both: every_day || every_weekday,
    })
}

fn descriptor(text: &str) -> Result<Kind, Error> {
    let line = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let interval = text.strip_prefix("@every ").and_then(decode::duration);
            // Whole seconds, and at least one.
            let interval = interval.map(|it| SignedDuration::from_secs(it.as_secs().max(1)));
            return interval.map(Kind::Every).ok_or_else(|| Error::Descriptor(text.to_owned()));
        }
    };
    fields(line).map(Kind::At)
}

/// A zone by name, of the tables that are part of this program; `Local` is the controller's.
fn named(name: &str) -> Result<Option<TimeZone>, Error> {
    match name {
        "Local" => Ok(None),
        "" | "UTC" => Ok(Some(TimeZone::UTC)),
        _ => TimeZoneDatabase::bundled().get(name).map(Some).map_err(|_| Error::Zone(name.to_owned())),
    }
}

#[cfg(test)]
mod tests;
