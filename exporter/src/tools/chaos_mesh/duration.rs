//! Durations as Chaos Mesh's objects write them: Go's, such as `1h30m`, `1.5s` or `300ms`.

use jiff::SignedDuration;

/// Units with their nanoseconds; longer names first where one begins with another. Go writes microseconds in three ways.
const UNITS: [(&str, f64); 8] = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// Reads a duration; `None` where Go would refuse it.
pub fn parse(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: i64 = 0;
    while !rest.is_empty() {
        let (amount, after) = piece(rest)?;
        nanoseconds = nanoseconds.checked_add(amount)?;
        rest = after;
    }
    Some(SignedDuration::from_nanos(if negative { -nanoseconds } else { nanoseconds }))
}

/// One number with its unit, in nanoseconds, and what is left.
fn piece(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.')?;
    let (number, rest) = text.split_at(end);
    let (unit, scale) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && part.is_empty()) || part.contains('.') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: f64 = if part.is_empty() { 0.0 } else { format!("0.{part}").parse().ok()? };
    let nanoseconds = whole.checked_mul(*scale as i64)?.checked_add((part * scale) as i64)?;
    Some((nanoseconds, &rest[unit.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let seconds = |text| parse(text).map(|it| it.as_secs_f64());
        let wanted =
            [("10s", 10.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("300ms", 0.3), (".5s", 0.5), ("-2m", -120.0), ("0", 0.0), ("7us", 7e-6)];
        for (text, wanted) in wanted {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
        for text in ["", "s", "10", "1x", "1h 30m", "1..5s", "--1s", ".s", "99999999999h", "1d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
