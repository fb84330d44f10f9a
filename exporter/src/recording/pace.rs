//! How fast a recording is told: at once, in its own time, or some times faster. Pure; whoever tells it sleeps.

use jiff::Timestamp;
use std::time::Duration;

/// Longest pause between two steps, so that a recording with a night in it does not look like one that hangs.
const LONGEST: Duration = Duration::from_mins(5);

/// The pauses between the steps of a recording.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    speed: f64,
    last: Option<Timestamp>,
}

impl Pace {
    /// 1 is the recording's own time, 10 ten times as fast, 0 at once.
    pub const fn new(speed: f64) -> Self {
        Self { speed, last: None }
    }

    /// How long to wait before the step that was seen then. Steps that were seen before their predecessor come at once.
    pub fn wait(&mut self, seen: Timestamp) -> Duration {
        let last = self.last.replace(self.last.map_or(seen, |last| last.max(seen)));
        let gap = last.map_or(Duration::ZERO, |last| Duration::try_from(seen.duration_since(last)).unwrap_or(Duration::ZERO));
        if self.speed <= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(gap.as_secs_f64() / self.speed).unwrap_or(LONGEST).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_the_recordings_own_divided_by_the_speed() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let waits = |speed| {
            let mut pace = Pace::new(speed);
            [100, 110, 105, 111, 100_000].map(|second| pace.wait(at(second)))
        };
        let second = Duration::from_secs;
        assert_eq!(waits(1.0), [second(0), second(10), second(0), second(1), LONGEST]);
        assert_eq!(waits(10.0)[1], second(1));
        assert_eq!(waits(0.0), [Duration::ZERO; 5]);
        assert_eq!(waits(1e-300)[1], LONGEST, "slower than any clock");
    }
}
