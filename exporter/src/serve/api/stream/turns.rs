//! When open runs become stuck or overdue: nothing is stored then, so somebody has to look at the clock.
//!
//! One [`Watch`] for all feeds, as long as there is one: it follows what is stored, keeps of every open run the moments at which it turns
//! ([`Due`]), and tells the feeds the ids when such a moment has come. They ask the journal for the runs themselves, each from where it is.
//! A feed that goes on from a position asks which have turned ([`Watch::turned`]): many come again at once, and none should read all open runs.

use crate::journal::{Change, Item, Journal};
use chaoscope_model::run::Run;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// What time it is; a replay's clock is the recording's.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Ids of runs that turned together.
pub(super) type Turned = Arc<[Arc<str>]>;

/// Times of turning that a feed may be behind; one that is further behind asks which have turned.
const HUB: usize = 64;
/// Feeds that may wait to ask.
const ASKING: usize = 16;
/// The clock is looked at so often while a turn lies ahead: it may be a recording's, or be set.
const LOOK: Duration = Duration::from_millis(250);
/// The pause after the journal could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// The one watch, while somebody needs it.
#[derive(Default)]
pub(in crate::serve::api) struct Turns(Mutex<Weak<Watch>>);

/// Ends when the last one who has it drops it.
pub(super) struct Watch {
    told: Sender<Turned>,
    asks: mpsc::Sender<oneshot::Sender<Turned>>,
    _task: JoinSet<()>,
}

/// The moments of open runs.
#[derive(Default)]
struct Due {
    /// Those that lie ahead.
    moments: BTreeSet<(Timestamp, Arc<str>)>,
    /// The same by run.
    of: HashMap<Arc<str>, [Option<Timestamp>; 2]>,
    /// Runs of which one is over.
    turned: BTreeSet<Arc<str>>,
}

struct Task {
    journal: Journal,
    clock: Clock,
    changes: Receiver<Arc<Change>>,
    asks: mpsc::Receiver<oneshot::Sender<Turned>>,
    /// Who asked which have turned.
    asking: Vec<oneshot::Sender<Turned>>,
    due: Due,
    /// Turns before it are told. What is stored later is told as it is then, so only turns from here on are still to be told.
    through: Timestamp,
}

impl Turns {
    /// The watch, begun where there is none, and what it tells from now on. To be called within a runtime.
    pub(super) fn watch(&self, journal: &Journal, clock: &Clock) -> (Arc<Watch>, Receiver<Turned>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = known.upgrade().unwrap_or_else(|| Arc::new(Watch::begin(journal, clock)));
        *known = Arc::downgrade(&watch);
        let turned = watch.told.subscribe();
        (watch, turned)
    }
}

impl Watch {
    fn begin(journal: &Journal, clock: &Clock) -> Self {
        let (told, _) = broadcast::channel(HUB);
        let (asks, asked) = mpsc::channel(ASKING);
        let task = Task {
            journal: journal.clone(),
            clock: Arc::clone(clock),
            changes: journal.subscribe(),
            asks: asked,
            asking: Vec::new(),
            due: Due::default(),
            through: clock(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(task.run(told.clone()));
        Self { told, asks, _task: tasks }
    }

    /// The open runs that have turned by now. Waits as long as the journal cannot be read; `None`: it is closed.
    pub(super) async fn turned(&self) -> Option<Turned> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(answer).await.ok()?;
        answered.await.ok()
    }
}

impl Task {
    async fn run(mut self, told: Sender<Turned>) {
        self.seed().await;
        loop {
            let now = (self.clock)();
            if !self.drain().await {
                return;
            }
            let turned = self.due.until(now);
            self.through = now;
            if !turned.is_empty() {
                let _ = told.send(turned.into()); // nobody listens
            }
            self.answer();
            let pause = self.due.next().map_or(Duration::MAX, |next| pause(next, (self.clock)()));
            let change = tokio::select! {
                change = self.changes.recv() => change,
                Some(asking) = self.asks.recv() => {
                    self.asking.push(asking);
                    continue;
                }
                () = tokio::time::sleep(pause) => continue,
            };
            match change {
                Ok(change) => self.take(&change),
                Err(RecvError::Lagged(_)) => self.seed().await,
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn answer(&mut self) {
        while let Ok(asking) = self.asks.try_recv() {
            self.asking.push(asking);
        }
        if self.asking.is_empty() {
            return;
        }
        let turned: Turned = self.due.turned.iter().map(Arc::clone).collect();
        for asking in self.asking.drain(..) {
            let _ = asking.send(Arc::clone(&turned)); // it left
        }
    }

    /// What waits to be looked at; `false`: nothing will come any more.
    async fn drain(&mut self) -> bool {
        loop {
            match self.changes.try_recv() {
                Ok(change) => self.take(&change),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Lagged(_)) => self.seed().await,
                Err(TryRecvError::Closed) => return false,
            }
        }
    }

    fn take(&mut self, change: &Change) {
        if let Item::Run(run) = &change.item {
            self.due.put(run, self.through);
        }
    }

    /// Begins anew with the runs that are open.
    async fn seed(&mut self) {
        let mut failing = false;
        loop {
            let journal = self.journal.clone();
            let error = match tokio::task::spawn_blocking(move || journal.open_runs()).await {
                Ok(Ok(runs)) => {
                    if failing {
                        tracing::info!("The open runs can be read again.");
                    }
                    self.due = Due::default();
                    runs.iter().for_each(|run| self.due.put(run, self.through));
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            if !std::mem::replace(&mut failing, true) {
                tracing::warn!(error, "The open runs cannot be read: streams do not tell which become stuck or overdue.");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// How long to wait for a moment to be over.
fn pause(moment: Timestamp, now: Timestamp) -> Duration {
    let left = Duration::try_from(moment.duration_since(now)).unwrap_or(Duration::ZERO);
    left.saturating_add(Duration::from_millis(1)).min(LOOK)
}

impl Due {
    /// A run as it is now, with its turns from a moment on.
    fn put(&mut self, run: &Run, from: Timestamp) {
        self.remove(&run.id);
        let all = run.turns();
        if all == [None, None] {
            return;
        }
        let id: Arc<str> = run.id.as_str().into();
        if all.into_iter().flatten().any(|turn| turn < from) {
            self.turned.insert(Arc::clone(&id));
        }
        let turns = all.map(|turn| turn.filter(|turn| *turn >= from));
        if turns == [None, None] {
            return;
        }
        self.moments.extend(turns.into_iter().flatten().map(|turn| (turn, Arc::clone(&id))));
        self.of.insert(id, turns);
    }

    fn remove(&mut self, id: &str) {
        self.turned.remove(id);
        let Some((id, turns)) = self.of.remove_entry(id) else { return };
        for turn in turns.into_iter().flatten() {
            self.moments.remove(&(turn, Arc::clone(&id)));
        }
    }

    /// The next moment.
    fn next(&self) -> Option<Timestamp> {
        self.moments.first().map(|(moment, _)| *moment)
    }

    /// Takes the moments that are over, and gives the runs, each once: at its moment a run has not turned yet.
    fn until(&mut self, now: Timestamp) -> Vec<Arc<str>> {
        let mut turned = BTreeSet::new();
        while let Some((moment, id)) = self.moments.pop_first() {
            if moment >= now {
                self.moments.insert((moment, id));
                break;
            }
            if let Some(turns) = self.of.get_mut(&id) {
                turns.iter_mut().filter(|turn| **turn == Some(moment)).for_each(|turn| *turn = None);
                if *turns == [None, None] {
                    self.of.remove(&id);
                }
            }
            turned.insert(id);
        }
        self.turned.extend(turned.iter().map(Arc::clone));
        turned.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal;
    use crate::serve::words::tests::run;
    use chaoscope_model::run::{Outcome, Phase};
    use std::sync::atomic::{AtomicI64, Ordering};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn injecting(name: &str, started: i64, end: Option<i64>) -> Run {
        Run { phase: Phase::Injecting, expected_end_at: end.map(at), ..run(name, started) }
    }

    fn told(due: &mut Due, now: i64) -> Vec<String> {
        due.until(at(now)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_next_turn_is_the_earliest_and_each_is_told_once() {
        let mut due = Due::default();
        let (one, two) = (injecting("one", 0, Some(500)), Run { expected_end_at: Some(at(100)), ..run("two", 0) });
        due.put(&one, at(0));
        due.put(&two, at(0));
        due.put(&run("endless", 0), at(0));
        assert_eq!((due.next(), due.of.len()), (Some(at(220)), 2));
        assert!(told(&mut due, 220).is_empty(), "not yet at that moment itself");
        assert_eq!(told(&mut due, 221), [two.id]);
        assert_eq!((due.next(), told(&mut due, 301)), (Some(at(300)), vec![one.id.clone()]));
        assert_eq!((due.next(), told(&mut due, 9000)), (Some(at(620)), vec![one.id]), "stuck, and then overdue as well");
        assert!(due.next().is_none() && due.of.is_empty() && due.moments.is_empty());
        assert_eq!(due.turned.len(), 2);
    }

    #[test]
    fn what_changes_has_the_turns_of_its_new_state_and_what_ended_has_none() {
        let mut due = Due::default();
        let one = injecting("one", 0, Some(500));
        due.put(&one, at(0));
        due.put(&Run { phase: Phase::Running, ..one.clone() }, at(10));
        assert_eq!((due.next(), due.moments.len()), (Some(at(620)), 1));
        due.put(&Run { phase: Phase::Recovering, stop_requested_at: Some(at(500)), ..one.clone() }, at(500));
        assert_eq!((due.next(), due.moments.len()), (Some(at(800)), 1), "who recovers is not overdue");
        due.put(&Run { phase: Phase::Finished, outcome: Some(Outcome::Recovered), ..one }, at(600));
        assert!(due.next().is_none() && due.of.is_empty());
    }

    #[test]
    fn turns_before_a_run_was_stored_were_told_with_it() {
        let mut due = Due::default();
        due.put(&injecting("late", 0, Some(1000)), at(301));
        assert_eq!(due.next(), Some(at(1120)));
        due.put(&injecting("just", 1, None), at(301));
        assert_eq!(due.next(), Some(at(301)), "it was not over yet");
    }

    #[test]
    fn a_thousand_that_turn_at_once_are_one_message() {
        let mut due = Due::default();
        (0..1000).for_each(|index| due.put(&injecting(&format!("run-{index}"), 0, Some(180)), at(0)));
        assert_eq!(due.moments.len(), 1000, "both turns of each are one moment");
        assert_eq!(due.until(at(301)).len(), 1000);
        assert!(due.of.is_empty());
    }

    /// More is stored than the hub holds, and the run that turns is in what was lost.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_watch_that_lags_begins_anew_with_the_open_runs() {
        let config = journal::Config { folder: None, retention: None, max_bytes: None, settle: Duration::ZERO };
        let (journal, _) = Journal::open(&config).unwrap();
        let (clock, changes): (Clock, _) = (Arc::new(|| at(10)), journal.subscribe());
        let (asks, asking) = (mpsc::channel(ASKING).1, Vec::new());
        let mut task = Task { journal: journal.clone(), clock, changes, asks, asking, due: Due::default(), through: at(10) };
        let slow = injecting("slow", 0, None);
        let runs = std::iter::once(slow.clone()).chain((0..5000).map(|index| run(&format!("run-{index}"), 0))).collect();
        journal.record(journal::Batch { runs, ..journal::Batch::default() }).await.unwrap();
        assert!(task.drain().await);
        assert_eq!((task.due.next(), told(&mut task.due, 301)), (Some(at(300)), vec![slow.id]));
        assert!(task.due.next().is_none());
    }

    /// Those that had turned before anybody watched, those that turn later, and not those that changed since.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_asks_is_told_which_have_turned() {
        let config = journal::Config { folder: None, retention: None, max_bytes: None, settle: Duration::ZERO };
        let (journal, _) = Journal::open(&config).unwrap();
        let (now, turns) = (Arc::new(AtomicI64::new(310)), Turns::default());
        let time = Arc::clone(&now);
        let clock: Clock = Arc::new(move || at(time.load(Ordering::SeqCst)));
        let record = async |runs| journal.record(journal::Batch { runs, ..journal::Batch::default() }).await.unwrap();
        let (old, late) = (injecting("old", 0, None), Run { expected_end_at: Some(at(200)), ..run("late", 0) });
        record(vec![old.clone(), late.clone(), run("endless", 0)]).await;
        let (watch, _told) = turns.watch(&journal, &clock);
        let turned = async || watch.turned().await.unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(turned().await, [old.id.as_str()]);
        now.store(400, Ordering::SeqCst);
        assert_eq!(turned().await.len(), 2);
        record(vec![Run { phase: Phase::Running, ..old }]).await;
        assert_eq!(turned().await, [late.id]);
    }

    /// The watch is there as long as somebody has it, and one for all.
    #[tokio::test(flavor = "multi_thread")]
    async fn there_is_one_watch_while_there_is_a_feed() {
        let config = journal::Config { folder: None, retention: None, max_bytes: None, settle: Duration::ZERO };
        let (journal, _) = Journal::open(&config).unwrap();
        let (turns, clock): (_, Clock) = (Turns::default(), Arc::new(|| at(10)));
        let (one, two) = (turns.watch(&journal, &clock), turns.watch(&journal, &clock));
        assert!(Arc::ptr_eq(&one.0, &two.0));
        drop((one, two));
        assert!(turns.0.lock().unwrap().upgrade().is_none());
    }

    #[test]
    fn a_wait_is_never_longer_than_a_look_at_the_clock() {
        assert_eq!(pause(at(9000), at(0)), LOOK);
        assert_eq!(pause(at(5), at(5)), Duration::from_millis(1));
        assert_eq!(pause(at(5), at(900)), Duration::from_millis(1));
    }
}
