//! The contract of everything that reads: a [`Source`] gives a reading by a deadline, and callers who come at once share one run
//! ([`Shared`]).
//!
//! Apart from the scrape that uses it, so that `node` need not know who asks.

pub(crate) mod pause;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// One place facts come from. The only kind of object a scrape waits for.
pub trait Source: Send + Sync {
    /// What a read gives.
    type Reading: Send + Sync + 'static;

    /// What was read at most `max_age` ago, or a new reading that stops at `until`. Concurrent callers share one run.
    fn read(&self, max_age: Duration, until: Instant) -> impl Future<Output = Result<Arc<Self::Reading>, Error>> + Send;
}

/// Why a source gave nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The deadline came first.
    #[error("no answer before the deadline")]
    Deadline,
    /// The source could not read at all.
    #[error("{0}")]
    Failed(Arc<str>),
}

/// The answer of some work, and how long it took.
pub async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    (work.await, start.elapsed())
}

/// Runs blocking work on a thread of its own.
pub async fn blocking<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || sender.send(work()).is_ok());
    thread.map_err(|error| Error::Failed(format!("cannot start a thread: {error}").into()))?;
    receiver.await.map_err(|_| Error::Failed("a reading thread ended without an answer".into()))
}

/// Lets concurrent callers share one run of something slow.
pub struct Shared<T> {
    state: Mutex<State<T>>,
}

type Answer<T> = Option<Result<Arc<T>, Error>>;

struct State<T> {
    last: Option<(Instant, Arc<T>)>,
    running: Option<Running<T>>,
}

/// A run under way.
struct Running<T> {
    /// When it will stop.
    until: Instant,
    answer: watch::Receiver<Answer<T>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { last: None, running: None }) }
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// The last answer if it is young enough, the answer of the run under way, or that of a new one, which goes on even when every
    /// caller has left: its result is the next caller's.
    pub async fn get<F>(self: &Arc<Self>, max_age: Duration, until: Instant, run: impl FnOnce() -> F) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut running = match self.join(max_age, until) {
            Joined::Young(value) => return Ok(value),
            Joined::Running(running) => running,
            Joined::Start(sender) => {
                let (running, this, work) = (sender.subscribe(), Arc::clone(self), run());
                tokio::spawn(async move {
                    let answer = work.await.map(Arc::new);
                    this.finish(&sender, answer.as_ref().ok());
                    sender.send_replace(Some(answer));
                });
                running
            }
        };
        let answer = tokio::time::timeout_at(until.into(), running.wait_for(Option::is_some)).await.map_err(|_| Error::Deadline)?;
        match answer.as_deref() {
            Ok(Some(answer)) => answer.clone(),
            _ => Err(Error::Failed("the reading ended without an answer".into())),
        }
    }

    fn join(&self, max_age: Duration, until: Instant) -> Joined<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, value)) = &state.last
            && max_age > Duration::ZERO
            && at.elapsed() <= max_age
        {
            return Joined::Young(Arc::clone(value));
        }
        if let Some(running) = state.running.as_ref().filter(|running| running.will_do(until)) {
            return Joined::Running(running.answer.clone());
        }
        let sender = watch::Sender::new(None);
        state.running = Some(Running { until, answer: sender.subscribe() });
        Joined::Start(sender)
    }

    fn finish(&self, sender: &watch::Sender<Answer<T>>, value: Option<&Arc<T>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A newer run may have taken the place of this one.
        if state.running.as_ref().is_some_and(|running| running.answer.same_channel(&sender.subscribe())) {
            state.running = None;
        }
        if let Some(value) = value {
            state.last = Some((Instant::now(), Arc::clone(value)));
        }
    }
}

impl<T> Running<T> {
    /// Whether a caller with this much time is served well by this run: it is still alive, and has at least half of the caller's time
    /// left. One whose caller was in a hurry would give a patient caller less than could be read.
    fn will_do(&self, until: Instant) -> bool {
        let now = Instant::now();
        let (left, wanted) = (self.until.saturating_duration_since(now), until.saturating_duration_since(now));
        self.answer.has_changed().is_ok() && left >= wanted / 2
    }
}

enum Joined<T> {
    Young(Arc<T>),
    Running(watch::Receiver<Answer<T>>),
    Start(watch::Sender<Answer<T>>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[tokio::test]
    async fn two_callers_at_once_share_one_run() {
        let (shared, runs, gate) = (Arc::new(Shared::<usize>::default()), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let run = || {
            let (runs, gate) = (Arc::clone(&runs), Arc::clone(&gate));
            async move {
                let number = runs.fetch_add(1, Ordering::SeqCst);
                gate.notified().await;
                Ok(number)
            }
        };
        let open = async {
            tokio::task::yield_now().await;
            gate.notify_one();
        };
        let (one, two, ()) = tokio::join!(shared.get(Duration::ZERO, soon(), run), shared.get(Duration::ZERO, soon(), run), open);
        assert_eq!((*one.unwrap(), *two.unwrap(), runs.load(Ordering::SeqCst)), (0, 0, 1));
        gate.notify_one();
        assert_eq!(*shared.get(Duration::ZERO, soon(), run).await.unwrap(), 1, "a later caller gets a new run");
        assert_eq!(*shared.get(Duration::from_hours(1), soon(), run).await.unwrap(), 1, "unless an old answer will do");
    }

    #[tokio::test]
    async fn a_caller_leaves_and_the_run_goes_on() {
        let (shared, gate) = (Arc::new(Shared::<u8>::default()), Arc::new(Notify::new()));
        let waiting = Arc::clone(&gate);
        let run = || async move {
            waiting.notified().await;
            Ok(7)
        };
        let left = tokio::time::timeout(Duration::from_millis(1), shared.get(Duration::ZERO, soon(), run)).await;
        assert!(left.is_err(), "nothing opens the gate yet");
        gate.notify_one();
        let late = shared.get(Duration::ZERO, soon(), || async { Ok(8) }).await;
        assert_eq!(*late.unwrap(), 7, "the second caller joins the run that the first one began");
    }

    #[tokio::test]
    async fn a_patient_caller_does_not_join_a_run_in_a_hurry() {
        let (shared, gate) = (Arc::new(Shared::<u8>::default()), Arc::new(Notify::new()));
        let waiting = Arc::clone(&gate);
        let hurried = || async move {
            waiting.notified().await;
            Ok(7)
        };
        assert!(matches!(shared.get(Duration::ZERO, Instant::now(), hurried).await, Err(Error::Deadline)));
        assert_eq!(*shared.get(Duration::ZERO, soon(), || async { Ok(8) }).await.unwrap(), 8);
        gate.notify_one();
    }

    #[tokio::test]
    async fn a_run_that_dies_is_an_error_and_not_waited_for_again() {
        let shared = Arc::new(Shared::<u8>::default());
        let died = shared.get(Duration::ZERO, soon(), || async { panic!("on purpose") }).await;
        assert!(matches!(died, Err(Error::Failed(_))));
        assert_eq!(*shared.get(Duration::ZERO, soon(), || async { Ok(1) }).await.unwrap(), 1);
    }
}
