//! `rate_limit`: at most one request per `interval` in the long run, `burst` of them at once.
//!
//! Apart because it is the only part with a notion of time; [`Limiter::allows`] is told the time, so its tests need none.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::{Section, WebError, shown};
use super::file::RateSection;

/// A token bucket, kept as the time at which it will be full again (the "generic cell rate algorithm" of ITU-T I.371).
pub(super) struct Limiter {
    interval: Duration,
    /// How far ahead of now the bucket's full time may lie: `interval × (burst − 1)`.
    tolerance: Duration,
    full_at: Mutex<Option<Instant>>,
}

impl Limiter {
    /// A full bucket of `burst` requests that gains one each `interval`.
    fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, tolerance: interval.saturating_mul(burst.saturating_sub(1)), full_at: Mutex::new(None) }
    }

    /// Whether a request at `now` may pass; if so it is counted.
    pub(super) fn allows(&self, now: Instant) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = full_at.map_or(now, |full| full.max(now));
        if full.duration_since(now) > self.tolerance {
            return false;
        }
        // A time no clock can hold would mean an interval of centuries: then nothing more passes.
        *full_at = full.checked_add(self.interval).or(*full_at);
        true
    }
}

/// The limiter asked for; none without the section or with an interval of 0.
pub(super) fn limiter(section: Option<RateSection>, file: &std::path::Path) -> Result<Option<Limiter>, WebError> {
    let Some(section) = section else {
        return Ok(None);
    };
    let at = Section { file, name: "rate_limit" };
    let text = section.interval.as_deref().unwrap_or("0");
    let Some(interval) = go_duration(text) else {
        return Err(at.wrong(
            "interval",
            format!("{} is not a duration", shown(text)),
            "write a number with a unit (ns, us, ms, s, m, h), as 1s or 250ms",
        ));
    };
    if interval.is_zero() {
        return Ok(None);
    }
    match section.burst.map(u32::try_from) {
        Some(Ok(burst)) if burst > 0 => Ok(Some(Limiter::new(interval, burst))),
        _ => Err(at.wrong("burst", "not a count of requests", "write how many may come at once, at least 1")),
    }
}

/// A duration as Go's `time.ParseDuration` writes it: decimal numbers with units, one after another, as `1m30s`; or `0`.
/// Negative ones are no durations here.
fn go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let seconds = number.parse::<f64>().ok()? * unit_seconds(unit)?;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = after;
        if rest.is_empty() {
            return Some(total);
        }
    }
}

/// The length of Go's units, in seconds.
fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_as_go_writes_them() {
        for (text, milliseconds) in
            [("0", 0), ("0s", 0), ("1s", 1000), ("250ms", 250), ("1.5h", 5_400_000), ("1m30s", 90_000), (".5s", 500)]
        {
            assert_eq!(go_duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "1", "s", "1 s", "-1s", "1x", "1.2.3s", "1s1", "10000000000000000000000h", "."] {
            assert_eq!(go_duration(text), None, "{text:?}");
        }
        assert_eq!(go_duration("3µs"), Some(Duration::from_micros(3)));
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_per_interval() {
        let limiter = Limiter::new(Duration::from_secs(10), 3);
        let start = Instant::now();
        let passed = |seconds: u64| limiter.allows(start + Duration::from_secs(seconds));
        assert_eq!([passed(0), passed(0), passed(0), passed(0)], [true, true, true, false]);
        assert!(!passed(9), "the next token comes after a whole interval");
        assert!(passed(10));
        assert!(!passed(10));
        // Long silence fills the bucket up to the burst and no further.
        assert_eq!([passed(1000), passed(1000), passed(1000), passed(1000)], [true, true, true, false]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_duration_or_none(text in "\\PC*|[0-9.]{0,30}(ns|s|h|m|ms)?") {
            let _ = go_duration(&text);
        }

        /// Whatever the arrivals, no window of n intervals lets more than burst + n requests through.
        #[test]
        fn never_more_than_the_bucket_holds(burst in 1_u32..5, gaps in prop::collection::vec(0_u64..30, 1..60)) {
            let limiter = Limiter::new(Duration::from_millis(10), burst);
            let start = Instant::now();
            let mut at = 0;
            let mut passed = 0_u64;
            for gap in gaps {
                at += gap;
                passed += u64::from(limiter.allows(start + Duration::from_millis(at)));
                prop_assert!(passed <= u64::from(burst) + at / 10);
            }
            prop_assert!(passed > 0);
        }
    }
}
