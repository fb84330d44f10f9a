//! A histogram as it stands: classic buckets always, native ones too where every observation was exact.
//!
//! Apart because it is remembered: the journal stores one between two runs of the program, and what it reads back is checked. Native
//! buckets are counted when a value is observed, for they cannot be had from classic ones later. How they are written is the formats'
//! matter. Source of the native layout: `prometheus/client_model`, `metrics.proto`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Eight native buckets for each power of two: each is 9 % wider than the one before it, so a quantile is off by 4.5 % at most.
pub const SCHEMA: i32 = 3;

/// Values up to this are zero to a native histogram: the smallest power of two that any time or size could mean.
pub const ZERO_THRESHOLD: f64 = f64::from_bits((1023 - 128) << 52); // 2^-128

/// Upper bounds of the native buckets of [0.5, 1), which are the same for every power of two: 2^(n/8 - 1).
const BOUNDS: [f64; 8] = [
    0.5,
    0.545_253_866_332_628_8,
    0.594_603_557_501_360_5,
    0.648_419_777_325_504_8,
    0.707_106_781_186_547_5,
    0.771_105_412_703_970_4,
    0.840_896_415_253_714_4,
    0.917_004_043_204_671_1,
];

/// How often which lengths (durations, sizes) were seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Distribution {
    /// Upper bounds of the classic buckets, ascending and finite; "+Inf" is not among them.
    bounds: Vec<f64>,
    /// Observations in each bucket, not cumulated; the last one is that of "+Inf". Empty when there was never a bucket.
    counts: Vec<u64>,
    #[serde(rename = "sum_bits", with = "bits")]
    sum: f64,
    native: Option<Native>,
}

/// Native buckets: what a value that is not negative can be in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Native {
    /// Observations that are zero.
    zero: u64,
    /// Observations by bucket; bucket n ends at 2^(n/8), that included.
    buckets: BTreeMap<i32, u64>,
}

/// A distribution as somebody hands it to us: nothing of it is believed yet.
#[derive(Deserialize)]
struct Stored {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    #[serde(rename = "sum_bits", with = "bits")]
    sum: f64,
    native: Option<Native>,
}

/// The sum as the bits it is made of: read back from decimals it could be smaller by the last bit, and Prometheus takes any decrease for a
/// counter that began anew.
mod bits {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own signature")]
    pub(super) fn serialize<S: Serializer>(value: &f64, out: S) -> Result<S::Ok, S::Error> {
        value.to_bits().serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        u64::deserialize(from).map(f64::from_bits)
    }
}

/// Why buckets are not a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// Bounds that do not ascend, or are not finite.
    #[error("the bounds of the buckets do not ascend")]
    Bounds,
    /// Counts that do not fit the bounds or each other.
    #[error("the counts of the buckets contradict each other")]
    Counts,
    /// A sum that is no number.
    #[error("the sum is no number")]
    Sum,
}

impl Distribution {
    /// An empty one with these upper bounds and "+Inf"; classic buckets only, for observations that are rounded or taken over from others.
    pub fn with_bounds(bounds: &[f64]) -> Self {
        Self { bounds: bounds.to_vec(), counts: vec![0; bounds.len() + 1], sum: 0.0, native: None }
    }

    /// An empty one with native buckets beside the classic ones: every observation must be as exact as a native bucket is narrow.
    pub fn exact(bounds: &[f64]) -> Self {
        Self { native: Some(Native::default()), ..Self::with_bounds(bounds) }
    }

    /// One that somebody else counted: upper bounds with the observations up to each, the last bound being infinite.
    pub fn cumulative(buckets: &[(f64, u64)], sum: f64) -> Result<Self, Inconsistent> {
        let (last, finite) = buckets.split_last().ok_or(Inconsistent::Bounds)?;
        if last.0 != f64::INFINITY {
            return Err(Inconsistent::Bounds);
        }
        let mut below = 0;
        let counts = buckets.iter().map(|(_, count)| {
            let inside = count.checked_sub(below);
            below = *count;
            inside.ok_or(Inconsistent::Counts)
        });
        Self::try_from(Stored {
            counts: counts.collect::<Result<_, _>>()?,
            bounds: finite.iter().map(|(bound, _)| *bound).collect(),
            sum,
            native: None,
        })
    }

    /// Counts one observation. What is negative or not finite is no length: it is left out.
    pub fn observe(&mut self, value: f64) {
        if !value.is_finite() || value < 0.0 {
            return;
        }
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
            self.sum = (self.sum + value).min(f64::MAX);
            if let Some(native) = &mut self.native {
                native.observe(value);
            }
        }
    }

    /// Upper bound and observations of each classic bucket, not cumulated; the last bound is infinite.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        self.bounds.iter().copied().chain([f64::INFINITY]).zip(self.counts.iter().copied())
    }

    /// All observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Sum of all observations.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Its native buckets, where there are any.
    pub fn native(&self) -> Option<&Native> {
        self.native.as_ref()
    }
}

impl Native {
    fn observe(&mut self, value: f64) {
        if value <= ZERO_THRESHOLD {
            self.zero += 1;
        } else {
            *self.buckets.entry(bucket(value)).or_default() += 1;
        }
    }

    /// Observations that are zero.
    pub fn zero(&self) -> u64 {
        self.zero
    }

    /// Runs of neighbouring buckets: how many numbers lie between its first and the end of the one before it (for the first run: its
    /// number itself), and its length.
    pub fn spans(&self) -> Vec<(i32, u32)> {
        let mut spans: Vec<(i32, u32)> = Vec::new();
        let mut next = 0;
        for number in self.buckets.keys() {
            match spans.last_mut() {
                Some((_, length)) if *number == next => *length += 1,
                _ => spans.push((number - next, 1)),
            }
            next = number + 1;
        }
        spans
    }

    /// Each bucket's count, less the one before it.
    pub fn deltas(&self) -> impl Iterator<Item = i64> {
        let mut before = 0;
        self.buckets.values().map(move |count| {
            let delta = count.wrapping_sub(before).cast_signed();
            before = *count;
            delta
        })
    }
}

/// Whether all values between these two are in one native bucket; both are normal and positive.
pub fn share_a_bucket(least: f64, most: f64) -> bool {
    bucket(least) == bucket(most)
}

/// The native bucket of a normal, positive value: the smallest n with value ≤ 2^(n/8).
fn bucket(value: f64) -> i32 {
    const EXPONENT: u64 = 0x7ff << 52;
    let bits = value.to_bits();
    // value = fraction × 2^power, with the fraction in [0.5, 1)
    let power = ((bits & EXPONENT) >> 52) as i32 - 1022;
    let fraction = f64::from_bits(bits & !EXPONENT | 1022 << 52);
    let inside = (0..).zip(BOUNDS).find(|(_, bound)| fraction <= *bound).map_or(8, |(number, _)| number);
    (power - 1) * 8 + inside
}

impl TryFrom<Stored> for Distribution {
    type Error = Inconsistent;

    fn try_from(stored: Stored) -> Result<Self, Inconsistent> {
        let Stored { bounds, counts, sum, native } = stored;
        if !bounds.iter().all(|bound| bound.is_finite()) || !bounds.is_sorted_by(|one, two| one < two) {
            return Err(Inconsistent::Bounds);
        }
        let total = sum_of(counts.iter().copied())?;
        let never = bounds.is_empty() && counts.is_empty();
        if !never && counts.len() != bounds.len() + 1 {
            return Err(Inconsistent::Counts);
        }
        if let Some(native) = &native {
            let possible = bucket(ZERO_THRESHOLD)..=bucket(f64::MAX);
            let seen = sum_of(native.buckets.values().copied().chain([native.zero]))?;
            if seen != total || !native.buckets.keys().all(|number| possible.contains(number)) {
                return Err(Inconsistent::Counts);
            }
        }
        if sum.is_finite() { Ok(Self { bounds, counts, sum, native }) } else { Err(Inconsistent::Sum) }
    }
}

fn sum_of(mut counts: impl Iterator<Item = u64>) -> Result<u64, Inconsistent> {
    counts.try_fold(0_u64, u64::checked_add).ok_or(Inconsistent::Counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bounds_are_eighths_of_a_power_of_two() {
        for (n, bound) in BOUNDS.into_iter().enumerate() {
            let wanted = (n as f64 / 8.0 - 1.0).exp2();
            assert!((bound - wanted).abs() <= f64::EPSILON / 2.0, "{n}: {bound} {wanted}");
        }
        assert_eq!(ZERO_THRESHOLD.to_bits(), 2f64.powi(-128).to_bits());
    }

    #[test]
    fn a_power_of_two_ends_its_bucket() {
        assert_eq!([1.0, 2.0, 4.0, 0.5, 0.25].map(bucket), [0, 8, 16, -8, -16]);
        assert_eq!([1.0 + f64::EPSILON, 1.09, 1.1, 1.99].map(bucket), [1, 1, 2, 8]);
    }

    #[test]
    fn neighbours_are_one_span_and_counts_are_told_by_their_differences() {
        let mut seconds = Distribution::exact(&[0.1, 1.0]);
        for value in [0.0, 0.5, 0.52, 0.52, 1.0, 16.0] {
            seconds.observe(value);
        }
        let native = seconds.native().unwrap();
        assert_eq!(native.zero(), 1);
        // Buckets -8 (0.5), -7 (0.52 twice), 0 (1), 32 (16).
        assert_eq!(native.spans(), [(-8, 2), (6, 1), (31, 1)]);
        assert_eq!(native.deltas().collect::<Vec<_>>(), [1, 1, -1, 0]);
        assert_eq!(seconds.buckets().collect::<Vec<_>>(), [(0.1, 1), (1.0, 4), (f64::INFINITY, 1)]);
        assert_eq!((seconds.count(), seconds.sum()), (6, 18.54));
        assert_eq!(Distribution::exact(&[1.0]).native().unwrap().spans(), []);
    }

    #[test]
    fn what_is_no_length_is_not_counted() {
        let mut seconds = Distribution::exact(&[1.0]);
        for value in [f64::NAN, f64::INFINITY, -1.0, -f64::MIN_POSITIVE] {
            seconds.observe(value);
        }
        assert_eq!(seconds, Distribution::exact(&[1.0]));
        let mut never = Distribution::default();
        never.observe(1.0);
        assert_eq!(never, Distribution::default());
    }

    #[test]
    fn what_is_stored_comes_back_and_what_contradicts_itself_does_not() {
        let mut seconds = Distribution::exact(&[0.1, 1.0]);
        [0.05, 0.3, 7.0].into_iter().for_each(|value| seconds.observe(value));
        for stored in [seconds, Distribution::with_bounds(&[]), Distribution::default()] {
            let text = serde_json::to_string(&stored).unwrap();
            assert_eq!(serde_json::from_str::<Distribution>(&text).unwrap(), stored, "{text}");
        }
        for (text, why) in [
            (r#"{"bounds":[1.0],"counts":[1],"sum_bits":0,"native":null}"#, Inconsistent::Counts),
            (r#"{"bounds":[2.0,1.0],"counts":[1,0,0],"sum_bits":0,"native":null}"#, Inconsistent::Bounds),
            (r#"{"bounds":[],"counts":[18446744073709551615,1],"sum_bits":0,"native":null}"#, Inconsistent::Counts),
            (r#"{"bounds":[],"counts":[2],"sum_bits":0,"native":{"zero":1,"buckets":{"0":2}}}"#, Inconsistent::Counts),
            (r#"{"bounds":[],"counts":[1],"sum_bits":0,"native":{"zero":0,"buckets":{"2147483647":1}}}"#, Inconsistent::Counts),
        ] {
            let error = serde_json::from_str::<Distribution>(text).unwrap_err().to_string();
            assert!(error.starts_with(&why.to_string()), "{error}");
        }
    }

    #[test]
    fn what_others_counted_is_checked() {
        let inf = f64::INFINITY;
        let taken = Distribution::cumulative(&[(0.1, 2), (1.0, 2), (inf, 5)], 3.5).unwrap();
        assert_eq!(taken.buckets().collect::<Vec<_>>(), [(0.1, 2), (1.0, 0), (inf, 3)]);
        assert_eq!(taken.native(), None);
        for (buckets, sum, why) in [
            (&[][..], 0.0, Inconsistent::Bounds),
            (&[(1.0, 2)], 0.0, Inconsistent::Bounds),
            (&[(1.0, 2), (1.0, 3), (inf, 3)], 0.0, Inconsistent::Bounds),
            (&[(f64::NAN, 2), (inf, 3)], 0.0, Inconsistent::Bounds),
            (&[(1.0, 2), (inf, 1)], 0.0, Inconsistent::Counts),
            (&[(1.0, 2), (inf, 3)], f64::NAN, Inconsistent::Sum),
        ] {
            assert_eq!(Distribution::cumulative(buckets, sum), Err(why), "{buckets:?}");
        }
    }

    proptest! {
        /// Every value is in the bucket whose bounds enclose it, and the two kinds of buckets agree on how many there are.
        #[test]
        fn every_value_is_in_its_native_bucket(value in 1e-30..1e30_f64) {
            let number = bucket(value);
            let (below, above) = ((f64::from(number - 1) / 8.0).exp2(), (f64::from(number) / 8.0).exp2());
            prop_assert!(value > below * (1.0 - 1e-12) && value <= above * (1.0 + 1e-12), "{value}: {below} {above}");
        }

        #[test]
        fn stored_and_restored_is_the_same(values in prop::collection::vec(-1.0..1e6_f64, 0..50)) {
            let mut seconds = Distribution::exact(&[0.5, 1e3]);
            values.iter().for_each(|value| seconds.observe(*value));
            let native = seconds.native().unwrap();
            let in_spans: u32 = native.spans().iter().map(|(_, length)| length).sum();
            prop_assert_eq!(in_spans as usize, native.deltas().count());
            let text = serde_json::to_string(&seconds).unwrap();
            prop_assert_eq!(serde_json::from_str::<Distribution>(&text).unwrap(), seconds);
        }
    }
}
