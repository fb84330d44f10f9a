//! The connections that read, and who gets one next.
//!
//! Apart from what is read with them. As many as there are cores answer what may read many rows, so that each answer goes as fast as it can;
//! one more is only for what costs little. Who came first is served first: without an order, a caller who asks again at once takes the
//! connection it just gave back, and others wait for many answers instead of a few.

use crate::journal::{Error, Patience, schema};
use rusqlite::{Connection, Transaction};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// Who waits for a connection looks so often whether its asker is still there.
const LOOK: Duration = Duration::from_millis(100);

/// How many rows a question may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// As many as are asked for.
    Few,
    /// All there are.
    Many,
}

/// The connections.
pub(super) struct Pool(Mutex<State>);

struct State {
    free: Vec<Connection>,
    /// Who waits, in the order they came; a thread waits for one connection at a time.
    waiting: VecDeque<(Cost, Thread)>,
}

/// A connection while it is used.
struct Reader<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
}

impl Pool {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let free = (0..=cores.max(2)).map(|_| schema::reader(path)).collect::<Result<_, _>>()?;
        Ok(Self(Mutex::new(State { free, waiting: VecDeque::new() })))
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        self.state().free.clear();
    }

    /// Reads as of one moment.
    pub(super) fn read<T>(
        &self,
        patience: &Patience,
        cost: Cost,
        read: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut reader = self.take(patience, cost)?;
        let Some(connection) = reader.connection.as_mut() else { return Err(Error::Closed) };
        read(&connection.transaction()?)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, when it is this thread's turn.
    fn take(&self, patience: &Patience, cost: Cost) -> Result<Reader<'_>, Error> {
        patience.wanted()?;
        let mut state = self.state();
        if state.first(cost).is_none()
            && let Some(connection) = state.give(cost)
        {
            return Ok(Reader { pool: self, connection: Some(connection) });
        }
        let own = std::thread::current();
        state.waiting.push_back((cost, own.clone()));
        drop(state);
        let taken = self.wait(patience, cost, &own);
        let mut state = self.state();
        state.waiting.retain(|(_, thread)| thread.id() != own.id());
        state.wake();
        drop(state);
        Ok(Reader { pool: self, connection: Some(taken?) })
    }

    fn wait(&self, patience: &Patience, cost: Cost, own: &Thread) -> Result<Connection, Error> {
        loop {
            let mut state = self.state();
            let turn = state.first(cost).is_some_and(|first| first.id() == own.id());
            if let Some(connection) = turn.then(|| state.give(cost)).flatten() {
                return Ok(connection);
            }
            drop(state);
            if patience.over() {
                return Err(Error::Busy);
            }
            std::thread::park_timeout(patience.left().map_or(LOOK, |left| left.min(LOOK)));
            patience.wanted()?;
        }
    }
}

impl State {
    /// Who of those with questions of this cost waits longest.
    fn first(&self, cost: Cost) -> Option<&Thread> {
        self.waiting.iter().find(|(other, _)| *other == cost).map(|(_, thread)| thread)
    }

    /// A free connection; the last one is only for what costs little.
    fn give(&mut self, cost: Cost) -> Option<Connection> {
        if cost == Cost::Few || self.free.len() > 1 { self.free.pop() } else { None }
    }

    /// Tells those whose turn it may be.
    fn wake(&self) {
        if !self.free.is_empty() {
            [Cost::Few, Cost::Many].iter().filter_map(|cost| self.first(*cost)).for_each(Thread::unpark);
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.free.extend(self.connection.take());
        state.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A pool of two connections to an empty file, so one for what reads many rows.
    fn pool(folder: &Path) -> Pool {
        let path = folder.join("empty");
        drop(Connection::open(&path).unwrap());
        let free = (0..2).map(|_| schema::reader(&path).unwrap()).collect();
        Pool(Mutex::new(State { free, waiting: VecDeque::new() }))
    }

    fn waiting(pool: &Pool) -> usize {
        pool.state().waiting.len()
    }

    #[test]
    fn who_came_first_is_served_first_and_little_questions_pass_by() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(folder.path());
        let patience = Patience::default();
        let (served, order) = mpsc::channel();
        std::thread::scope(|scope| {
            let first = pool.take(&patience, Cost::Many).unwrap();
            for number in 0..4 {
                let (pool, patience, served) = (&pool, patience.clone(), served.clone());
                scope.spawn(move || {
                    let _reader = pool.take(&patience, Cost::Many).unwrap();
                    served.send(number).unwrap();
                });
                while waiting(pool) <= number {
                    std::thread::yield_now();
                }
            }
            drop(pool.take(&patience, Cost::Few).unwrap());
            drop(first);
            // Who has just given one back stands behind all the others.
            drop(pool.take(&patience, Cost::Many).unwrap());
            served.send(99).unwrap();
        });
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 99]);
        assert_eq!((waiting(&pool), pool.state().free.len()), (0, 2));
    }

    #[test]
    fn who_leaves_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(folder.path());
        let gone = Patience::default();
        let asker = gone.asker();
        std::thread::scope(|scope| {
            let held = pool.take(&Patience::default(), Cost::Many).unwrap();
            let hasty = scope.spawn(|| pool.take(&Patience::of(Duration::from_millis(1)), Cost::Many).map(drop));
            assert!(matches!(hasty.join().unwrap(), Err(Error::Busy)));
            let left = scope.spawn(|| pool.take(&gone, Cost::Many).map(drop));
            while waiting(&pool) == 0 {
                std::thread::yield_now();
            }
            drop(asker);
            assert!(matches!(left.join().unwrap(), Err(Error::Gone)));
            drop(held);
            drop(pool.take(&Patience::default(), Cost::Many).unwrap());
        });
        assert_eq!(waiting(&pool), 0);
    }
}
