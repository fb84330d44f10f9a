//! How long to wait before the next try: twice as long each time, with chance in it, so that a server that comes back is not run over.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that grow until something goes well.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    failures: u32,
}

impl Pause {
    /// Something went well.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether the next wait is as long as waits get.
    pub(crate) fn is_long(&self) -> bool {
        self.failures >= 6
    }

    /// The next wait: between half of and the whole of 0.5 s, 1 s, … 30 s.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = SHORTEST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        between(whole / 2, whole)
    }
}

/// Some duration in that range.
pub(crate) fn between(from: Duration, to: Duration) -> Duration {
    // A hasher of its own has a seed of its own; that is chance enough for this.
    let chance = RandomState::new().hash_one(0_u8) as f64 / u64::MAX as f64;
    from + to.saturating_sub(from).mul_f64(chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit_and_begin_again() {
        let mut pause = Pause::default();
        for whole in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].map(Duration::from_millis) {
            assert_eq!(pause.is_long(), whole == LONGEST);
            let wait = pause.next();
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
        pause.reset();
        assert!(pause.next() <= SHORTEST);
    }
}
