//! One kind in one scope: list it page by page, follow it from there, and begin again when that ends.
//!
//! A watch that is closed goes on where it was; only a version that is too old, or a kind that went away, makes it list anew. Each error says
//! how long to wait ([`Follower::rest`]); nothing ends a task.

use super::Sink;
use super::board::Board;
use crate::cluster::api::{self, Api, Change, Error, Line, Page, Part};
use crate::source::pause::{Pause, between};
use crate::tools::resource::{Resource, What};
use jiff::Timestamp;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use tokio::time::sleep;

/// Objects of a page to begin with; fewer where they are too large, more where a list takes too long.
const PAGE: u32 = 500;
const LARGEST_PAGE: u32 = 16_000;
/// How long the server is asked to keep a watch open, at least and at most: not all end at once.
const OPEN: (Duration, Duration) = (Duration::from_mins(4), Duration::from_mins(5));
/// A watch that was open for so long was a good one, however it ended; an earlier one is not opened again at once.
const GOOD: Duration = Duration::from_secs(1);
/// Not asked for less often, with a token that is not valid.
const TOKEN: Duration = Duration::from_secs(5);
/// Longest a server may tell us to stay away.
const LONGEST_AWAY: Duration = Duration::from_mins(1);

/// What one task needs.
pub(super) struct Follower<S> {
    pub(super) api: Api,
    pub(super) resource: &'static Resource,
    /// Empty: everywhere.
    pub(super) namespace: String,
    pub(super) sink: Arc<S>,
    pub(super) board: Arc<Board>,
    pub(super) slot: usize,
    /// How many pages may be in memory at once.
    pub(super) pages: Arc<Semaphore>,
    /// Whose turn it is to ask for a kind that is missing: one task of all that follow it.
    pub(super) turn: Arc<Mutex<()>>,
    pub(super) ask_again: Duration,
}

impl<S: Sink> Follower<S> {
    /// Goes on until it is dropped.
    pub(super) async fn run(self) {
        let (mut pause, mut page, mut turn) = (Pause::default(), PAGE, None);
        let mut was_there = false;
        loop {
            let ended = match self.list(&mut page).await {
                Ok(version) => {
                    (was_there, turn) = (true, None);
                    pause.reset();
                    self.watch(version, &mut pause).await
                }
                Err(error) => {
                    self.sink.lost(self.resource, &self.namespace);
                    error
                }
            };
            self.board.failed(self.slot, &ended);
            // A server that just started may not know yet what it has.
            was_there &= !pause.is_long();
            match ended {
                Error::Missing if !was_there => self.rest_missing(&mut turn).await,
                _ => self.rest(&ended, &mut pause).await,
            }
        }
    }

    /// Lists everything; answers the version to go on from.
    async fn list(&self, page: &mut u32) -> Result<String, Error> {
        self.board.lists(self.slot);
        let mut part = Part { limit: *page, token: None };
        let mut uids = HashSet::new();
        let (mut objects, mut nameless) = (0, false);
        loop {
            let version = {
                let _room = self.pages.acquire().await; // it is never closed
                let bytes = match self.api.list(self.resource, &self.namespace, &part).await {
                    Err(Error::TooLarge(_)) if part.limit > 1 => {
                        (*page, part.limit) = (part.limit / 2, part.limit / 2);
                        continue;
                    }
                    Err(error @ Error::Expired(_)) => {
                        *page = page.saturating_mul(2).min(LARGEST_PAGE);
                        return Err(error);
                    }
                    answer => answer?,
                };
                let list = Page::parse(&bytes)?;
                let seen = Timestamp::now();
                for item in &list.items {
                    nameless |= !self.take(item, &mut uids, seen).await;
                }
                objects += list.items.len() as u64;
                part.token = list.token;
                list.version
            };
            if part.token.is_none() {
                self.complete(objects, uids, nameless).await;
                return Ok(version);
            }
        }
    }

    /// Hands on one object of a list; answers whether it said its uid.
    async fn take(&self, item: &RawValue, uids: &mut HashSet<String>, seen: Timestamp) -> bool {
        let uid = api::identity(item).uid;
        let named = !uid.is_empty();
        if named && self.resource.what != What::Notice {
            uids.insert(uid);
        }
        self.apply(item, seen).await;
        named
    }

    async fn complete(&self, objects: u64, uids: HashSet<String>, nameless: bool) {
        let seen = Timestamp::now();
        if !nameless && self.resource.what != What::Notice {
            self.sink.listed(self.resource, &self.namespace, uids, seen).await;
        }
        self.board.listed(self.slot, objects, seen);
    }

    async fn apply(&self, object: &RawValue, seen: Timestamp) {
        let understood = match api::object(object, self.resource.kind, &self.resource.api_version()) {
            Some(object) => self.sink.applied(self.resource, object, seen).await,
            None => false,
        };
        if !understood {
            self.board.not_understood(self.slot);
        }
    }

    /// Follows from a version on, however often the watch is closed; answers why it has to be listed anew.
    async fn watch(&self, mut version: String, pause: &mut Pause) -> Error {
        loop {
            let began = Instant::now();
            let mut heard = false;
            let ended = self.watch_once(&mut version, &mut heard).await;
            let good = began.elapsed() >= GOOD;
            if heard || good {
                pause.reset();
            }
            match ended {
                Ok(()) if good => {}
                Ok(()) => sleep(pause.next()).await,
                Err(error @ (Error::Expired(_) | Error::Missing | Error::Forbidden(_))) => return error,
                Err(error) => {
                    self.board.failed(self.slot, &error);
                    self.rest(&error, pause).await;
                }
            }
        }
    }

    /// One watch, until it is closed.
    async fn watch_once(&self, version: &mut String, heard: &mut bool) -> Result<(), Error> {
        let seconds = between(OPEN.0, OPEN.1).as_secs();
        let mut lines = self.api.watch(self.resource, &self.namespace, version, seconds).await?;
        self.board.opened(self.slot);
        while let Some(line) = lines.next().await? {
            *heard = true;
            let Line::Whole(line) = line else {
                self.board.not_understood(self.slot);
                continue;
            };
            match Change::parse(&line) {
                Ok(Change::Failed(error)) => return Err(error),
                Ok(Change::Bookmark(reached)) => go_on(version, reached),
                Ok(Change::Added(object)) => self.changed(object, 1, version).await,
                Ok(Change::Modified(object)) => self.changed(object, 0, version).await,
                Ok(Change::Deleted(object)) => self.deleted(object, version).await,
                Err(_) => self.board.not_understood(self.slot),
            }
        }
        Ok(())
    }

    async fn changed(&self, object: &RawValue, more: i64, version: &mut String) {
        let seen = Timestamp::now();
        self.apply(object, seen).await;
        self.board.changed(self.slot, more, seen);
        go_on(version, api::identity(object).resource_version);
    }

    async fn deleted(&self, object: &RawValue, version: &mut String) {
        let seen = Timestamp::now();
        if self.resource.what != What::Notice {
            match api::object(object, self.resource.kind, &self.resource.api_version()) {
                Some(object) => self.sink.deleted(self.resource, object, seen).await,
                None => self.board.not_understood(self.slot),
            }
        }
        self.board.changed(self.slot, -1, seen);
        go_on(version, api::identity(object).resource_version);
    }

    /// Waits as long as this error asks for.
    async fn rest(&self, error: &Error, pause: &mut Pause) {
        let wait = pause.next();
        sleep(match error {
            Error::Forbidden(_) => about(self.ask_again),
            // The token's file is read again within a minute of its change.
            Error::Unauthorized(_) => wait.min(TOKEN),
            Error::Busy { after: Some(after), .. } => wait.max((*after).min(LONGEST_AWAY)),
            _ => wait,
        })
        .await;
    }

    /// Of all tasks that follow a missing kind, one in turn asks for it; when it is there, the next ones ask at once.
    async fn rest_missing<'a>(&'a self, turn: &mut Option<MutexGuard<'a, ()>>) {
        if turn.is_none() {
            let Ok(ours) = self.turn.try_lock() else {
                *turn = Some(self.turn.lock().await);
                return;
            };
            *turn = Some(ours);
        }
        sleep(about(self.ask_again)).await;
    }
}

/// A version that was not said is not one to go on from.
fn go_on(version: &mut String, reached: String) {
    if !reached.is_empty() {
        *version = reached;
    }
}

fn about(duration: Duration) -> Duration {
    between(duration.mul_f64(0.75), duration.mul_f64(1.25))
}
