//! How much of what is declared a look knew: one that began before a run's end was told of says nothing about what that run left.
//!
//! Apart from what a look finds; here is only when it was. Pure but for the clock.

use std::time::{Duration, Instant};

/// After a change the looks within this time are not the last word: the cluster role counts those alone that came 3 s after a run's end.
const SETTLED: Duration = Duration::from_secs(4);

/// The last look that began after what is declared had changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// What was declared, by number, and since when that is known.
    version: u64,
    since: Option<Instant>,
    /// What the last look knew.
    looked: Knew,
}

/// The number of what was declared, and whether that had been so for a while.
pub(super) type Knew = (u64, bool);

impl Seen {
    /// A look that took so long has just ended, in the light of what is declared now.
    pub fn look(&mut self, version: u64, took: Duration) {
        self.look_at(version, took, Instant::now());
    }

    fn look_at(&mut self, version: u64, took: Duration, now: Instant) {
        let since = self.since.filter(|_| self.version == version);
        (self.version, self.since) = (version, since.or(Some(now)));
        // The first look after a change may have begun before it.
        if let Some(age) = since.and_then(|since| now.duration_since(since).checked_sub(took)) {
            self.looked = (version, age >= SETTLED);
        }
    }

    /// What the last look that may count knew.
    pub const fn knew(&self) -> Knew {
        self.looked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_counts_once_it_began_after_the_change_and_again_a_while_later() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let mut look = |version: u64, second: u64, took: u64| {
            seen.look_at(version, Duration::from_secs(took), start + Duration::from_secs(second));
            seen.knew()
        };
        assert_eq!(look(1, 0, 0), (0, false), "it may have begun before");
        assert_eq!(look(1, 2, 3), (0, false), "this one has");
        assert_eq!(look(1, 2, 1), (1, false));
        assert_eq!(look(1, 4, 1), (1, false));
        assert_eq!(look(1, 6, 1), (1, true));
        assert_eq!(look(1, 8, 1), (1, true));
        assert_eq!(look(2, 10, 0), (1, true), "another change");
        assert_eq!(look(2, 12, 0), (2, false));
        assert_eq!(look(2, 14, 0), (2, true));
    }
}
