//! Figures as people write them: durations, rates, sizes, percentages. Pure.

use std::time::Duration;

/// Four significant digits are more than any tool sets.
pub(super) fn percent(ratio: f64) -> String {
    let text = format!("{:.4}", ratio * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// As tc prints rates: bits per second in powers of 1000.
pub(super) fn rate(bytes_per_second: u64) -> String {
    scaled(bytes_per_second as f64 * 8.0, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"], 1000.0)
}

pub(super) fn bytes(count: u64) -> String {
    scaled(count as f64, &["B", "KiB", "MiB", "GiB"], 1024.0)
}

fn scaled(mut value: f64, units: &[&str], step: f64) -> String {
    let mut unit = 0;
    while value >= step && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let text = format!("{value:.2}");
    format!("{} {}", text.trim_end_matches('0').trim_end_matches('.'), units[unit])
}

/// `1 namespace`, `2 namespaces`.
pub(super) fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// `1.5 s`, `100 ms`, `30 µs`.
pub(super) fn duration(value: Duration) -> String {
    let seconds = value.as_secs_f64();
    let (value, unit) = match seconds {
        _ if seconds >= 1.0 => (seconds, "s"),
        _ if seconds >= 0.001 => (seconds * 1e3, "ms"),
        _ => (seconds * 1e6, "µs"),
    };
    let text = format!("{value:.2}");
    format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(rate(1_000_000), "8 Mbit/s");
        assert_eq!(rate(100), "800 bit/s");
        assert_eq!(bytes(10_000), "9.77 KiB");
        assert_eq!(percent(0.05), "5%");
        assert_eq!(percent(0.123_456), "12.3456%");
        assert_eq!((counted(1, "set"), counted(0, "set")), ("1 set".to_owned(), "0 sets".to_owned()));
        assert_eq!(duration(Duration::from_micros(31)), "31 µs");
        assert_eq!(duration(Duration::from_millis(100)), "100 ms");
        assert_eq!(duration(Duration::from_millis(1500)), "1.5 s");
    }
}
