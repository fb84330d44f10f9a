//! A failure that may repeat, logged when it starts and when it ends (house style, ARCHITECTURE.md).
//!
//! Apart because accepting, the connection limit and the web configuration all need it; there is nothing to extend here.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something is failing just now.
#[derive(Debug, Default)]
pub(super) struct Episode(AtomicBool);

impl Episode {
    /// True for the first failure since the last success: the one to log.
    pub(super) fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// True for the first success since the last failure: the one to log.
    pub(super) fn ends(&self) -> bool {
        // The load keeps the usual case (well, and was well) free of a write shared between threads.
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_is_told_once_at_each_end() {
        let episode = Episode::default();
        assert!(!episode.ends(), "well from the start is no news");
        assert!(episode.begins());
        assert!(!episode.begins());
        assert!(episode.ends());
        assert!(!episode.ends());
        assert!(episode.begins());
    }
}
