//! Figures of a spec in base units, as those read them to whom the text is handed: times as Go writes them, percentages, rates as tc reads them.
//!
//! Sources: Go's `time.ParseDuration`, which every time of a spec must pass (`api/v1alpha1`, `webhook:"Duration"`), and `get_rate64` of iproute2
//! (`tc/tc_util.c`): since 2.7 the text of a rate reaches tc as it is.

/// Nanoseconds in the units of a Go duration.
const TIMES: [(&str, f64); 8] = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// Bits in tc's units of a rate, in lower case: it does not tell `Bps` from `bps`, so `1mbps` is a megabyte each second.
const RATES: [(&str, f64); 19] = [
    ("bit", 1.0),
    ("kibit", 1024.0),
    ("kbit", 1e3),
    ("mibit", 1024.0 * 1024.0),
    ("mbit", 1e6),
    ("gibit", 1024.0 * 1024.0 * 1024.0),
    ("gbit", 1e9),
    ("tibit", 1024.0 * 1024.0 * 1024.0 * 1024.0),
    ("tbit", 1e12),
    ("bps", 8.0),
    ("kibps", 8.0 * 1024.0),
    ("kbps", 8e3),
    ("mibps", 8.0 * 1024.0 * 1024.0),
    ("mbps", 8e6),
    ("gibps", 8.0 * 1024.0 * 1024.0 * 1024.0),
    ("gbps", 8e9),
    ("tibps", 8.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0),
    ("tbps", 8e12),
    ("", 1.0),
];

/// `1h30m`, `0.5ms`: seconds, not below zero.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(0.0);
    }
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let scale = TIMES.iter().find(|(name, _)| *name == unit)?.1;
        total += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    // Go keeps nanoseconds in 63 bits.
    (!text.is_empty() && total < 9.2e18).then_some(total / 1e9)
}

/// `25`, `0.5`: percent, as a ratio from 0 to 1.
pub(super) fn ratio(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().map(|percent| percent / 100.0).filter(|ratio| (0.0..=1.0).contains(ratio))
}

/// `1mbps`, `100kbit`: bytes each second.
pub(super) fn rate(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = RATES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
    number.parse::<f64>().ok().map(|number| number * scale / 8.0).filter(|rate| *rate < 1.8e19)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_gos() {
        let read = |text| seconds(text).map(|seconds| (seconds * 1e9).round());
        for (text, nanoseconds) in [
            ("100ms", 1e8),
            ("0.5ms", 5e5),
            (".5s", 5e8),
            ("1h30m", 54e11),
            ("1m0.001s", 60_001e6),
            ("10us", 1e4),
            ("10µs", 1e4),
            ("0", 0.0),
        ] {
            assert_eq!(read(text), Some(nanoseconds), "{text}");
        }
        for text in ["", "100", "ms", "-5ms", "1d", "5 ms", "1..5ms", "999999999h", "1e3ms", "."] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn percentages_are_ratios() {
        assert_eq!([ratio("25"), ratio("0"), ratio("100"), ratio("0.5")], [Some(0.25), Some(0.0), Some(1.0), Some(0.005)]);
        for text in ["", "101", "-1", "NaN", "inf", "5%"] {
            assert_eq!(ratio(text), None, "{text}");
        }
    }

    #[test]
    fn rates_are_tcs() {
        for (text, bytes) in [
            ("1mbps", 1e6),
            ("1Mbps", 1e6),
            ("1mbit", 125_000.0),
            ("1mibps", 1_048_576.0),
            ("8", 1.0),
            ("1bps", 1.0),
            ("1.5kbit", 187.5),
            ("2tbps", 2e12),
        ] {
            assert_eq!(rate(text), Some(bytes), "{text}");
        }
        for text in ["", "mbps", "1 mbps", "1mb", "5%", "-1mbps", "1e3bit"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }
}
