//! The kernel's units of traffic control as people's: ticks, nanoseconds and scaled probabilities. Pure.

/// Nanoseconds in one psched tick: `PSCHED_SHIFT` is 6 (`include/net/pkt_sched.h`).
const TICK: u64 = 64;
/// Steps of a ratio that is shown, and nanoseconds in a second.
const BILLION: f64 = 1e9;

/// A probability: the kernel scales 0 to 1 onto 0 to 2^32 - 1, so that 5 % comes back as 0.050000000035; nine digits are what was meant.
/// One below them is kept as it is: it is not 0.
pub(super) fn ratio(scaled: u32) -> f64 {
    let exact = f64::from(scaled) / f64::from(u32::MAX);
    let rounded = (exact * BILLION).round() / BILLION;
    if rounded > 0.0 { rounded } else { exact }
}

/// The count of nanoseconds, divided: times 1e-9, which has no exact form, 75 ms would not print as 0.075.
pub(super) fn seconds(nanoseconds: f64) -> f64 {
    nanoseconds / BILLION
}

/// Ticks, as 32-bit netem has them.
pub(super) fn ticks(count: u32) -> f64 {
    seconds((u64::from(count) * TICK) as f64)
}

/// What is sent at this rate in that many ticks, to the nearest byte.
pub(super) fn bytes_in(count: u32, bytes_per_second: u64) -> u64 {
    let scaled = u128::from(count) * u128::from(TICK) * u128::from(bytes_per_second);
    u64::try_from((scaled + 500_000_000) / 1_000_000_000).unwrap_or(u64::MAX)
}
