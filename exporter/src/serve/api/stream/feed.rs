//! What is sent in one stream, in which order: first what was missed, from the journal, then what is stored, as it is stored.
//!
//! A [`Feed`] subscribes before it reads the journal, so nothing falls between both; what comes twice is known by its position. Work that may
//! block (who may see what, writing JSON) is done for many changes at once.

use super::super::Api;
use super::super::problem::Problem;
use super::page::Page;
use super::turns::{Turned, Watch};
use super::{End, frame};
use crate::journal::{self, Change, Item};
use crate::serve::access::Viewer;
use axum::body::Bytes;
use chaoscope_model::query::Filter;
use chaoscope_model::run::Run;
use serde_json::json;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, interval_at, timeout};

/// Changes that are looked at together.
const BATCH: usize = 256;
/// How often a feed looks whether it is where the journal is.
const LOOK: Duration = Duration::from_millis(250);

/// One stream's source.
pub(super) struct Feed {
    api: Arc<Api>,
    viewer: Viewer,
    filter: Filter,
    /// What of the filter a run that passed it goes on to pass.
    lasting: Filter,
    out: Sender<Bytes>,
    journal: String,
    /// The last change that was looked at, whether or not it was sent.
    seq: u64,
    changes: Receiver<Arc<Change>>,
    turned: Receiver<Turned>,
    watch: Arc<Watch>,
}

/// What is written, with its position where it has one.
type Items = Vec<(Option<u64>, Item)>;

/// `Break`: the stream is over.
type Flow<T = ()> = ControlFlow<End, T>;

impl Feed {
    /// A feed of what happens from now on.
    pub(super) fn new(api: Arc<Api>, viewer: Viewer, filter: Filter, out: Sender<Bytes>) -> Self {
        let changes = api.journal.subscribe();
        let (watch, turned) = api.turns.watch(&api.journal, &api.present.clock);
        let (journal, seq) = api.journal.position();
        let lasting = filter.lasting();
        Self { api, viewer, filter, lasting, out, journal, seq, changes, turned, watch }
    }

    /// Feeds until the end; `last` is the position the client has.
    pub(super) async fn run(mut self, last: Option<&str>) -> End {
        let stopping = self.api.closing.clone();
        let (gone, longest) = (self.out.clone(), self.api.limits.longest);
        tokio::select! {
            end = self.feed(last) => end,
            () = gone.closed() => End::Left,
            () = stopping.cancelled() => End::Stopping,
            () = tokio::time::sleep(longest) => End::Aged,
        }
    }

    async fn feed(&mut self, last: Option<&str>) -> End {
        if let ControlFlow::Break(end) = self.begin(last).await {
            return end;
        }
        let every = |period| interval_at(Instant::now() + period, period);
        let (mut heartbeat, mut renewal, mut look) = (every(self.api.limits.heartbeat), every(self.api.limits.renewal), every(LOOK));
        loop {
            let flow = tokio::select! {
                change = self.changes.recv() => self.changed(change).await,
                turned = self.turned.recv() => self.turned(turned).await,
                _ = heartbeat.tick() => self.mark().await,
                _ = renewal.tick() => self.renew().await,
                _ = look.tick() => self.look().await,
            };
            if let ControlFlow::Break(end) = flow {
                return end;
            }
        }
    }

    /// Tells what was missed, or that nobody knows what was.
    async fn begin(&mut self, last: Option<&str>) -> Flow {
        match last.map(frame::position) {
            None => {}
            Some(Some((journal, seq))) if journal == self.journal => {
                self.seq = seq;
                self.catch_up().await?;
                self.tell_all_turned().await?; // some may have turned while nobody listened
            }
            Some(_) => {
                self.reset("position of another journal").await?;
                self.catch_up().await?;
            }
        }
        self.mark().await
    }

    /// One change, and those that wait behind it.
    async fn changed(&mut self, change: Result<Arc<Change>, RecvError>) -> Flow {
        let first = match change {
            Ok(change) => change,
            Err(RecvError::Lagged(_)) => {
                self.api.counts.caught_up.fetch_add(1, Ordering::Relaxed);
                return self.catch_up().await;
            }
            Err(RecvError::Closed) => return ControlFlow::Break(End::Stopping),
        };
        let mut changes = vec![first];
        while let Some(change) = (changes.len() < BATCH).then(|| self.changes.try_recv().ok()).flatten() {
            changes.push(change);
        }
        let known = self.seq;
        changes.retain(|change| change.seq > known);
        // A transaction that had begun before this feed was there is stored and not told: then there is a gap, and the journal has it.
        if changes.iter().zip(known + 1..).any(|(change, next)| change.seq != next) {
            return self.catch_up().await;
        }
        self.tell(changes.iter().map(|change| Change::clone(change)).collect()).await
    }

    /// Whether something was stored that nobody told here, and nothing came after it.
    async fn look(&mut self) -> Flow {
        if self.changes.is_empty() && self.api.journal.position().1 > self.seq { self.catch_up().await } else { ControlFlow::Continue(()) }
    }

    /// Runs that turned, as they are where this stream is: what it still has to tell of them goes first, so that nothing older comes after.
    async fn turned(&mut self, turned: Result<Turned, RecvError>) -> Flow {
        if self.api.journal.position().1 > self.seq {
            self.catch_up().await?;
        }
        let ids = match turned {
            Ok(ids) => ids,
            Err(RecvError::Lagged(_)) => return self.tell_all_turned().await,
            Err(RecvError::Closed) => return ControlFlow::Break(End::Stopping),
        };
        self.tell_turned_of(&ids).await
    }

    async fn tell_all_turned(&mut self) -> Flow {
        match timeout(self.api.limits.wait, self.watch.turned()).await {
            Ok(Some(ids)) => self.tell_turned_of(&ids).await,
            Ok(None) | Err(_) => ControlFlow::Break(End::Broken),
        }
    }

    async fn tell_turned_of(&mut self, ids: &[Arc<str>]) -> Flow {
        for ids in ids.chunks(BATCH) {
            let ids = ids.to_vec();
            let read = move |api: &Api| ids.iter().filter_map(|id| api.journal.run(id).transpose()).collect::<Result<_, _>>();
            let runs = self.read(read).await?;
            self.tell_turned(runs).await?;
        }
        ControlFlow::Continue(())
    }

    /// Those of these runs that are stuck or overdue now. They get no position: nothing was stored.
    async fn tell_turned(&mut self, runs: Vec<Run>) -> Flow {
        let now = self.api.clock();
        let turned = runs.into_iter().filter(|run| run.stuck_at(now).or(run.overdue_at(now)).is_some());
        self.write(turned.map(|run| (None, Item::Run(Arc::new(run)))).collect(), true).await
    }

    async fn read(&self, read: impl FnOnce(&Api) -> Result<Vec<Run>, journal::Error> + Send + 'static) -> Flow<Vec<Run>> {
        match self.api.ask(move |api| Ok::<_, Problem>(read(api)?)).await {
            Ok(runs) => ControlFlow::Continue(runs),
            Err(_) => ControlFlow::Break(End::Broken),
        }
    }

    /// Reads the journal from where this stream is to its end.
    async fn catch_up(&mut self) -> Flow {
        let mut anew = false;
        loop {
            let seq = self.seq;
            let read = self.api.ask(move |api| Ok::<_, Problem>(api.journal.since(seq, BATCH)?)).await;
            match read {
                Ok(Some(changes)) if changes.is_empty() => return ControlFlow::Continue(()),
                Ok(Some(changes)) => self.tell(changes).await?,
                Ok(None) if !anew => self.reset("position is not in the journal any more").await?,
                Ok(None) | Err(_) => return ControlFlow::Break(End::Broken),
            }
            anew = true;
        }
    }

    /// Tells the client to forget what it knows, and what is open now. It gets no position before the end of that: a client that leaves in
    /// between begins anew. What was stored meanwhile is still to be caught up with.
    async fn reset(&mut self, reason: &str) -> Flow {
        let (_, seq) = self.api.journal.position();
        let runs = self.read(|api| api.journal.open_runs()).await?;
        let mut out = Vec::new();
        if frame::event(&mut out, "reset", None, &json!({ "reason": reason, "journal": self.journal })).is_err() {
            return ControlFlow::Break(End::Broken);
        }
        self.send(out.into()).await?;
        self.write(runs.into_iter().map(|run| (None, Item::Run(Arc::new(run)))).collect(), false).await?;
        self.seq = seq;
        self.mark().await
    }

    /// Sends what the client may see and asked for of these changes, oldest first.
    async fn tell(&mut self, changes: Vec<Change>) -> Flow {
        let Some(last) = changes.last().map(|change| change.seq) else { return ControlFlow::Continue(()) };
        self.write(changes.into_iter().map(|change| (Some(change.seq), change.item)).collect(), true).await?;
        self.seq = last;
        ControlFlow::Continue(())
    }

    /// `holds`: whether the client may hold runs that leave its filter.
    async fn write(&mut self, items: Items, holds: bool) -> Flow {
        let page = Page {
            viewer: self.viewer.clone(),
            filter: self.filter.clone(),
            lasting: holds.then(|| self.lasting.clone()),
            journal: self.journal.clone(),
            now: self.api.clock(),
        };
        let written = tokio::task::spawn_blocking(move || page.write(items)).await;
        let chunks = match written {
            Ok(Ok(chunks)) => chunks,
            Ok(Err(end)) => return ControlFlow::Break(end),
            Err(_) => return ControlFlow::Break(End::Broken),
        };
        for chunk in chunks {
            self.send(chunk).await?;
        }
        ControlFlow::Continue(())
    }

    /// The position alone: it moves the client past what it may not see, and keeps the connection alive.
    async fn mark(&mut self) -> Flow {
        self.send(frame::mark(&frame::id(&self.journal, self.seq))).await
    }

    async fn send(&mut self, chunk: Bytes) -> Flow {
        match timeout(self.api.limits.blocked, self.out.send(chunk)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) => ControlFlow::Break(End::Left),
            Err(_) => ControlFlow::Break(End::Slow),
        }
    }

    async fn renew(&mut self) -> Flow {
        match self.viewer.renewed().await {
            Ok(viewer) => {
                self.viewer = viewer;
                ControlFlow::Continue(())
            }
            Err(_) => ControlFlow::Break(End::Denied),
        }
    }
}
