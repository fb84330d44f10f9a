//! [`Answers`]: what was answered a short while ago, so that it is not asked again; one asks, the others wait for it.
//!
//! Apart from what is asked (`reviews`), because counting time and places is a care of its own.

use lru::LruCache;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Answers by question, each for as long as it is good; the longest unused give way.
pub(super) struct Answers<K, V> {
    slots: Mutex<LruCache<K, Arc<Slot<V>>>>,
}

/// Empty while somebody asks; then the answer, and when it is too old.
type Slot<V> = OnceCell<(V, Instant)>;

impl<K: Hash + Eq + Clone, V: Clone> Answers<K, V> {
    /// Room for so many.
    pub(super) fn new(places: NonZeroUsize) -> Self {
        Self { slots: Mutex::new(LruCache::new(places)) }
    }

    /// The answer, if it is known. Never waits.
    pub(super) fn known(&self, key: &K) -> Option<V> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(key).and_then(|slot| slot.get()).filter(|(_, end)| Instant::now() < *end).map(|(answer, _)| answer.clone())
    }

    /// The answer; `ask` gives it, and how long it is good, where nobody else is asking already.
    pub(super) async fn get(&self, key: K, ask: impl Future<Output = (V, Duration)>) -> V {
        let slot = self.slot(key);
        let asked = slot.get_or_init(|| async {
            let (answer, good_for) = ask.await;
            (answer, Instant::now() + good_for)
        });
        asked.await.0.clone()
    }

    /// The place of a question: the one there is, unless its answer is too old.
    fn slot(&self, key: K) -> Arc<Slot<V>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let current = slots.get(&key).filter(|slot| slot.get().is_none_or(|(_, end)| Instant::now() < *end));
        if let Some(slot) = current {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot::new());
        slots.put(key, Arc::clone(&slot));
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const LONG: Duration = Duration::from_hours(1);

    fn answers(places: usize) -> Answers<u32, u32> {
        Answers::new(NonZeroUsize::new(places).expect("places"))
    }

    #[tokio::test]
    async fn many_who_ask_the_same_at_once_ask_once() {
        let (answers, asked) = (answers(8), AtomicU32::new(0));
        let ask = || async {
            tokio::task::yield_now().await;
            (asked.fetch_add(1, Ordering::Relaxed), LONG)
        };
        let (a, b, c) = tokio::join!(answers.get(1, ask()), answers.get(1, ask()), answers.get(1, ask()));
        assert_eq!((a, b, c), (0, 0, 0));
        assert_eq!(answers.get(1, ask()).await, 0);
        assert_eq!(answers.known(&1), Some(0));
        assert_eq!(answers.get(2, ask()).await, 1, "another question");
    }

    #[tokio::test]
    async fn what_is_too_old_is_asked_again() {
        let answers = answers(8);
        assert_eq!(answers.get(1, async { (7, Duration::ZERO) }).await, 7);
        assert_eq!(answers.known(&1), None);
        assert_eq!(answers.get(1, async { (8, LONG) }).await, 8);
        assert_eq!(answers.known(&1), Some(8));
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_question_to_the_next() {
        let answers = answers(8);
        let gave_up = tokio::time::timeout(Duration::ZERO, answers.get(1, std::future::pending())).await;
        assert!(gave_up.is_err());
        assert_eq!(answers.get(1, async { (3, LONG) }).await, 3);
    }

    #[tokio::test]
    async fn the_longest_unused_give_way() {
        let answers = answers(2);
        for key in [1, 2] {
            answers.get(key, async { (key, LONG) }).await;
        }
        assert_eq!(answers.known(&1), Some(1));
        answers.get(3, async { (3, LONG) }).await;
        assert_eq!((answers.known(&1), answers.known(&2), answers.known(&3)), (Some(1), None, Some(3)));
    }
}
