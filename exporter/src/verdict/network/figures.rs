//! Figures of a netem or tbf, declared and read, compared with what is lost on the way into the kernel and back, and not a bit more.
//!
//! On the way in: chaos-daemon prints percentages of 32-bit floats with six digits, releases before 2.8 cut times to microseconds, tc cuts rates
//! to whole bytes and older ones times to ticks of 64 ns, the kernel keeps ratios in steps of 2^-32 and buckets in ticks. On the way out: ratios
//! in nine digits (`node::tc::units`). A figure that is declared and not zero is never "rounded" to nothing. To compare one more: a line in
//! [`netem`] or [`tbf`].

use super::Lack;
use crate::node::tc::options::{self, Options};
use chaoscope_model::declared::{Netem, Shape, Tbf};

/// Nanoseconds in a tick of packet scheduling (`include/net/pkt_sched.h`).
const TICK: f64 = 64.0;
/// One step of a 32-bit float, relative.
const STEP: f64 = 1.0 / 8_388_608.0;

/// What differs; nothing where all is as declared.
pub(super) fn compare(declared: &Shape, read: &Options) -> Vec<Lack> {
    match (declared, read) {
        (Shape::Netem(declared), Options::Netem(read)) => netem(declared, read),
        (Shape::Tbf(declared), Options::Tbf(read)) => tbf(declared, read),
        _ => Vec::new(),
    }
}

fn netem(declared: &Netem, read: &options::Netem) -> Vec<Lack> {
    let set = |figure: Option<f64>| figure.unwrap_or(0.0);
    // A correlation goes with its figure only, and a gap with reordering; tc makes a gap of one where none is given.
    let with = |figure: Option<f64>, correlation: Option<f64>| if set(figure) > 0.0 { set(correlation) } else { 0.0 };
    let gap = if set(declared.reorder) > 0.0 { declared.gap.unwrap_or(0).max(1) } else { 0 };
    let times = [("delay", set(declared.delay), read.delay_seconds), ("jitter", set(declared.jitter), read.jitter_seconds)];
    let ratios = [
        ("delay_correlation", with(declared.jitter, declared.delay_correlation), read.delay_correlation),
        ("loss", set(declared.loss), read.loss_ratio.unwrap_or(-1.0)),
        ("loss_correlation", with(declared.loss, declared.loss_correlation), read.loss_correlation),
        ("duplicate", set(declared.duplicate), read.duplicate_ratio),
        ("duplicate_correlation", with(declared.duplicate, declared.duplicate_correlation), read.duplicate_correlation),
        ("corrupt", set(declared.corrupt), read.corrupt_ratio),
        ("corrupt_correlation", with(declared.corrupt, declared.corrupt_correlation), read.corrupt_correlation),
        ("reorder", set(declared.reorder), read.reorder_ratio),
        ("reorder_correlation", with(declared.reorder, declared.reorder_correlation), read.reorder_correlation),
    ];
    let mut out = Vec::new();
    let times = times.into_iter().filter(|(_, declared, read)| !same_time(*declared, *read));
    out.extend(times.map(|(name, declared, read)| Lack::drifted(name, time(declared), time(read))));
    for (name, declared, there) in ratios.into_iter().filter(|(_, declared, read)| !same_ratio(*declared, *read)) {
        let words = if there < 0.0 { format!("loss model {}", read.loss_model.unwrap_or("unknown")) } else { percent(there) };
        out.push(Lack::drifted(name, percent(declared), words));
    }
    if gap != read.gap {
        out.push(Lack::drifted("gap", gap.to_string(), read.gap.to_string()));
    }
    out.extend(compared_rate("rate", declared.rate, read.rate_bytes_per_second));
    out.extend(read.slot.then(|| Lack::drifted("slot", "", "slots")));
    out
}

fn tbf(declared: &Tbf, read: &options::Tbf) -> Vec<Lack> {
    let mut out = Vec::new();
    out.extend(compared_rate("rate", declared.rate, Some(read.rate_bytes_per_second)));
    let burst = declared.burst.filter(|burst| !same_burst(*burst, read));
    out.extend(burst.map(|burst| Lack::drifted("burst", bytes(burst), bytes(read.burst_bytes as f64))));
    let limit = declared.limit.filter(|limit| limit.to_bits() != f64::from(read.limit_bytes).to_bits());
    out.extend(limit.map(|limit| Lack::drifted("limit", bytes(limit), bytes(f64::from(read.limit_bytes)))));
    out.extend(compared_rate("peakrate", declared.peakrate, read.peakrate_bytes_per_second));
    out
}

fn compared_rate(name: &str, declared: Option<f64>, read: Option<u64>) -> Option<Lack> {
    let wanted = declared.filter(|rate| *rate > 0.0);
    let same = match (wanted, read.filter(|rate| *rate > 0)) {
        (None, None) => true,
        (Some(wanted), Some(read)) => same_rate(wanted, read as f64),
        _ => false,
    };
    (!same).then(|| Lack::drifted(name, rate(wanted.unwrap_or(0.0)), rate(read.unwrap_or(0) as f64)))
}

/// Seconds: to the nanosecond, or cut to ticks, or cut to microseconds.
fn same_time(declared: f64, read: f64) -> bool {
    let (declared, read) = ((declared * 1e9).round(), (read * 1e9).round());
    if declared <= 0.0 || read <= 0.0 {
        return declared <= 0.0 && read <= 0.0;
    }
    let cut = (declared / 1e3).floor() * 1e3;
    let in_ticks = read % TICK < 0.5 && ((declared - read).abs() < TICK || (cut > 0.0 && (cut - read).abs() < TICK));
    (declared - read).abs() <= 1.0 || in_ticks || (cut > 0.0 && (cut - read).abs() < 0.5)
}

/// Ratios from 0 to 1; below zero: there is none to compare.
fn same_ratio(declared: f64, read: f64) -> bool {
    if declared <= 0.0 || read <= 0.0 {
        return declared <= 0.0 && read.to_bits() == 0.0_f64.to_bits();
    }
    // A step of the float; half a digit of six of a percentage; a step of the kernel's; half a digit of nine.
    let lost = declared * STEP + 0.5e-8 + 1.0 / f64::from(u32::MAX) + 0.5e-9;
    (declared - read).abs() <= lost
}

/// Bytes per second: cut to whole ones. What was declared came through text, which may cost its last bits.
fn same_rate(declared: f64, read: f64) -> bool {
    let bits = if declared.fract() > 0.0 { declared * f64::EPSILON * 16.0 } else { 0.0 };
    ((declared - bits).floor()..=(declared + bits).floor()).contains(&read)
}

/// Bytes of a bucket. The kernel keeps the time it takes to fill it, in ticks of which it tells the lower 32 bits.
fn same_burst(declared: f64, read: &options::Tbf) -> bool {
    let rate = read.rate_bytes_per_second as f64;
    let whole = rate * TICK * 4_294_967_296.0 / 1e9;
    let wanted = if whole > 0.0 { declared % whole } else { declared };
    let apart = (wanted - read.burst_bytes as f64).abs();
    // A tick, a nanosecond, and the factor that the kernel multiplies by instead of dividing, which has 31 bits; then whole bytes.
    let lost = rate * (TICK + 1.0) / 1e9 + declared / 2_147_483_648.0 + 1.0;
    apart <= lost || (whole - apart).abs() <= lost
}

/// What a qdisc is to do, as a person would look for it: `netem delay 100ms on eth0 for set a_set_tgt`.
pub(super) fn described(does: &Shape, device: &str, set: &str) -> String {
    let named = |list: &[(&str, String)]| list.iter().map(|(name, figure)| format!(" {name} {figure}")).collect::<String>();
    let what = match does {
        Shape::Netem(netem) => {
            let times = [("delay", netem.delay), ("jitter", netem.jitter)].map(|(name, it)| (name, it, time as fn(f64) -> String));
            let ratios = [("loss", netem.loss), ("duplicate", netem.duplicate), ("corrupt", netem.corrupt), ("reorder", netem.reorder)];
            let ratios = ratios.map(|(name, it)| (name, it, percent as fn(f64) -> String));
            let all = times.into_iter().chain(ratios).chain([("rate", netem.rate, rate as fn(f64) -> String)]);
            let set: Vec<_> = all.filter_map(|(name, it, words)| Some((name, words(it.filter(|it| *it > 0.0)?)))).collect();
            format!("netem{}", named(&set))
        }
        Shape::Tbf(tbf) => format!("tbf{}", named(&[("rate", rate(tbf.rate.unwrap_or(0.0)))])),
        Shape::Other { word } => word.clone(),
    };
    if set.is_empty() { format!("{what} on {device}") } else { format!("{what} on {device} for {set}") }
}

/// `1.5s`, `100ms`, `100µs`, `20ns`.
fn time(seconds: f64) -> String {
    let nanoseconds = (seconds * 1e9).round();
    match nanoseconds {
        _ if nanoseconds >= 1e9 => format!("{}s", plain(nanoseconds / 1e9, 9)),
        _ if nanoseconds >= 1e6 => format!("{}ms", plain(nanoseconds / 1e6, 6)),
        _ if nanoseconds >= 1e3 => format!("{}µs", plain(nanoseconds / 1e3, 3)),
        _ => format!("{nanoseconds}ns"),
    }
}

/// `25%`.
fn percent(ratio: f64) -> String {
    format!("{}%", plain(ratio * 100.0, 7))
}

/// `8Mbit/s`: in powers of 1000, as tc prints rates.
fn rate(bytes_per_second: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "Tbit/s"), (1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")];
    let bits = bytes_per_second * 8.0;
    let unit = UNITS.iter().find(|(scale, _)| bits >= *scale);
    unit.map_or_else(|| format!("{}bit/s", plain(bits, 3)), |(scale, name)| format!("{}{name}", plain(bits / scale, 9)))
}

/// `10000 bytes`.
fn bytes(count: f64) -> String {
    format!("{} bytes", plain(count, 0))
}

/// At most that many digits after the point, none of them a useless zero.
fn plain(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_same_when_only_ticks_or_microseconds_were_lost() {
        for (declared, read) in [
            (0.1, 0.1),
            (0.0, 0.0),
            (1.0, 1.0),
            (0.000_000_001, 0.000_000_001),
            (0.000_100, 0.000_099_968), // ticks
            (0.000_001_5, 0.000_001),   // microseconds
            (0.000_001_5, 0.000_000_960),
            (5.0, 5.0),
        ] {
            assert!(same_time(declared, read), "{declared} {read}");
        }
        for (declared, read) in [
            (0.1, 0.000_1), // without its unit
            (0.000_1, 0.000_000_1),
            (0.000_001, 0.000_000_001),
            (0.000_5, 0.0), // dropped
            (0.000_000_020, 0.0),
            (0.0, 0.000_000_064),
            (0.1, 0.100_001),
            (0.1, 0.100_000_064),
        ] {
            assert!(!same_time(declared, read), "{declared} {read}");
        }
    }

    #[test]
    fn ratios_are_the_same_when_only_the_floats_and_the_kernels_steps_were_lost() {
        let kernel = |ratio: f64| {
            let sent: f64 = format!("{:.6}", ratio as f32 * 100.0).parse().unwrap();
            let scaled = (sent / 100.0 * f64::from(u32::MAX)).round();
            (scaled / f64::from(u32::MAX) * 1e9).round() / 1e9
        };
        for ratio in [0.25, 0.333_333_333, 0.000_000_1, 1.0, 0.999_999, 0.123_456_789, 0.1] {
            assert!(same_ratio(ratio, kernel(ratio)), "{ratio} {}", kernel(ratio));
            assert!(!same_ratio(ratio, kernel(ratio) * 0.999_99 - 1e-7) && !same_ratio(ratio, 0.0) && !same_ratio(0.0, ratio), "{ratio}");
        }
        assert!(same_ratio(0.0, 0.0) && !same_ratio(0.0, -1.0) && !same_ratio(0.5, -1.0));
    }

    #[test]
    fn rates_are_whole_bytes() {
        assert!(same_rate(1e6, 1e6) && same_rate(187.5, 187.0) && same_rate(0.5, 0.0));
        assert!(!same_rate(1e6, 999_999.0) && !same_rate(187.5, 188.0) && !same_rate(1e6, 131_072.0));
    }

    #[test]
    fn a_bucket_is_the_same_to_the_tick() {
        let read =
            |rate, burst| options::Tbf { rate_bytes_per_second: rate, peakrate_bytes_per_second: None, burst_bytes: burst, limit_bytes: 0 };
        assert!(same_burst(10_000.0, &read(1_000_000, 10_000)) && same_burst(10_000.0, &read(1_000_000, 9_999)));
        assert!(!same_burst(10_000.0, &read(1_000_000, 9_990)) && !same_burst(10_000.0, &read(1_000_000, 0)));
        assert!(same_burst(10_000.0, &read(10_000_000_000, 9_600)), "a tick is 640 bytes there");
        // 1 B/s: the bucket takes longer than 32 bits of ticks can say, which is 274.9 s.
        assert!(same_burst(10_000.0, &read(1, 104)) && !same_burst(10_000.0, &read(1, 10)));
    }

    #[test]
    fn words_have_their_units() {
        assert_eq!([time(0.1), time(0.000_1), time(1.5), time(0.000_000_02), time(0.0)], ["100ms", "100µs", "1.5s", "20ns", "0ns"]);
        assert_eq!([percent(0.25), percent(0.000_001), percent(1.0)], ["25%", "0.0001%", "100%"]);
        assert_eq!([rate(1e6), rate(131_072.0), rate(1.0), rate(1.25e9)], ["8Mbit/s", "1.048576Mbit/s", "8bit/s", "10Gbit/s"]);
        let netem = Shape::Netem(Netem { delay: Some(0.1), jitter: Some(0.0), loss: Some(0.4), ..Netem::default() });
        assert_eq!(described(&netem, "eth0", "a_set_netgt"), "netem delay 100ms loss 40% on eth0 for a_set_netgt");
    }
}
