//! When something happened, and how exactly that is known: [`Moment`] and [`Precision`].
//!
//! Several sources state the same fact with different exactness. Merging takes the more exact one, then the earlier one, so it does not
//! matter in which order they come, or how often.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How exactly a time is known. The order is the rank: a later variant replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Chaoscope saw it then; it happened then or before.
    Seen,
    /// Whole seconds, as objects' records and Kubernetes metadata have them.
    S,
    /// Nanoseconds, as the names of Chaos Mesh's Kubernetes Events have them.
    Ns,
}

impl Precision {
    /// The name used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::S => "s",
            Self::Ns => "ns",
        }
    }
}

/// A time with its precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// How exactly that is known.
    pub precision: Precision,
}

impl Moment {
    /// A moment Chaoscope saw.
    pub const fn seen(at: Timestamp) -> Self {
        Self { at, precision: Precision::Seen }
    }

    /// A moment in whole seconds.
    pub const fn second(at: Timestamp) -> Self {
        Self { at, precision: Precision::S }
    }

    /// A moment in nanoseconds.
    pub const fn exact(at: Timestamp) -> Self {
        Self { at, precision: Precision::Ns }
    }

    /// Of two statements about the same thing the more exact one, then the earlier one.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let better = other.precision > self.precision || (other.precision == self.precision && other.at < self.at);
        if better { other } else { self }
    }
}

/// [`Moment::merge`] for what may be unknown.
pub fn merge(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.merge(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_exact_statement_wins_then_the_earlier_one() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (seen, second, exact) = (Moment::seen(at(9)), Moment::second(at(5)), Moment::exact(at(6)));
        assert_eq!(seen.merge(second), second);
        assert_eq!(exact.merge(second), exact);
        assert_eq!(exact.merge(Moment::exact(at(4))), Moment::exact(at(4)));
        assert_eq!(merge(None, Some(seen)), Some(seen));
    }
}
