//! The search for the next time of a line: forward, from months to seconds, each a step until it fits.
//!
//! The steps are those of the controller's evaluator, because around clock changes they decide the answer: months and days move on the
//! calendar, hours and below in elapsed time.

use super::Fields;
use jiff::civil::{self, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};

/// No line needs a tenth of that for its five years; a zone that left a whole day out could need it for ever.
const STEPS: u32 = 20_000;

/// A second on somebody's clocks.
struct Clock<'a> {
    at: i64,
    zone: &'a TimeZone,
    /// Whether the smaller fields were set to their least values, since a larger one moved.
    moved: bool,
    steps: u32,
}

/// What a search step came to: `None` when nothing can be found, else whether a larger field must be looked at anew.
type Step = Option<bool>;

/// The first time after `after` that fits.
pub(super) fn next(fields: &Fields, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut clock = Clock { at: after.as_second_floor() + 1, zone, moved: false, steps: 0 };
    let last = clock.civil()?.year().checked_add(5)?;
    while clock.civil()?.year() <= last {
        if clock.month(fields)? || clock.day(fields)? || clock.hour(fields)? || clock.minute(fields)? || clock.second(fields)? {
            continue;
        }
        return Timestamp::from_second(clock.at).ok();
    }
    None
}

/// A time without its part of a second.
pub(super) fn whole_second(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(at.as_second_floor()).ok()
}

trait Floor {
    /// Whole seconds, rounded down also before 1970.
    fn as_second_floor(&self) -> i64;
}

impl Floor for Timestamp {
    fn as_second_floor(&self) -> i64 {
        self.as_second() - i64::from(self.subsec_nanosecond() < 0)
    }
}

fn has(set: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| set & (1 << value) != 0)
}

impl Clock<'_> {
    fn offset(&self, at: i64) -> Option<i64> {
        Some(self.zone.to_offset(Timestamp::from_second(at).ok()?).seconds().into())
    }

    /// What the clocks show.
    fn civil(&self) -> Option<DateTime> {
        let shown = self.at.checked_add(self.offset(self.at)?)?;
        Some(TimeZone::UTC.to_datetime(Timestamp::from_second(shown).ok()?))
    }

    /// Moves to when the clocks show this. Where they never do, or do twice: to what the offset before, looked up as if the clocks showed
    /// UTC, gives (Go's `time.Date`).
    fn set(&mut self, shown: DateTime) -> Option<()> {
        let as_utc = TimeZone::UTC.to_timestamp(shown).ok()?.as_second();
        let guess = as_utc.checked_sub(self.offset(as_utc)?)?;
        self.at = as_utc.checked_sub(self.offset(guess)?)?;
        Some(())
    }

    fn step(&mut self) -> Option<()> {
        self.steps += 1;
        (self.steps <= STEPS).then_some(())
    }

    /// Sets what is smaller than a month, a day, … to its least value, once.
    fn round(&mut self, to: impl FnOnce(DateTime) -> DateTime) -> Option<()> {
        if !std::mem::replace(&mut self.moved, true) {
            self.set(to(self.civil()?))?;
        }
        self.step()
    }

    fn add(&mut self, span: Span) -> Option<()> {
        let shown = self.civil()?.checked_add(span).ok()?;
        self.set(shown)
    }

    fn month(&mut self, fields: &Fields) -> Step {
        while !has(fields.month, self.civil()?.month()) {
            self.round(|shown| shown.date().first_of_month().to_datetime(civil::Time::midnight()))?;
            self.add(1.month())?;
            if self.civil()?.month() == 1 {
                return Some(true);
            }
        }
        Some(false)
    }

    fn day(&mut self, fields: &Fields) -> Step {
        while !fields.has_day(self.civil()?) {
            self.round(|shown| shown.date().to_datetime(civil::Time::midnight()))?;
            self.add(1.day())?;
            // Where midnight was left out, or came twice: back to the beginning of the day, or forward to it.
            let hour = i64::from(self.civil()?.hour());
            self.at += 3600 * if hour > 12 { 24 - hour } else { -hour };
            if self.civil()?.day() == 1 {
                return Some(true);
            }
        }
        Some(false)
    }

    fn hour(&mut self, fields: &Fields) -> Step {
        while !has(fields.hour, self.civil()?.hour()) {
            self.round(|shown| shown.date().at(shown.hour(), 0, 0, 0))?;
            self.at += 3600;
            if self.civil()?.hour() == 0 {
                return Some(true);
            }
        }
        Some(false)
    }

    fn minute(&mut self, fields: &Fields) -> Step {
        while !has(fields.minute, self.civil()?.minute()) {
            if !std::mem::replace(&mut self.moved, true) {
                self.at -= self.at.rem_euclid(60);
            }
            self.step()?;
            self.at += 60;
            if self.civil()?.minute() == 0 {
                return Some(true);
            }
        }
        Some(false)
    }

    fn second(&mut self, fields: &Fields) -> Step {
        while !has(fields.second, self.civil()?.second()) {
            self.moved = true;
            self.step()?;
            self.at += 1;
            if self.civil()?.second() == 0 {
                return Some(true);
            }
        }
        Some(false)
    }
}

impl Fields {
    fn has_day(&self, shown: DateTime) -> bool {
        let (day, weekday) = (has(self.day, shown.day()), has(self.weekday, shown.weekday().to_sunday_zero_offset()));
        if self.both { day && weekday } else { day || weekday }
    }
}
