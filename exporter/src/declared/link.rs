//! The connection itself: made again whenever it breaks, with pauses that grow, and with limits on time and size of whatever comes.
//!
//! What is told is kept while there is no connection, for a while as if nothing had happened ([`Times::keep`]), then marked as stale. A failure
//! is logged when it starts, when it becomes another one and when it ends.

use super::list::{LONGEST_EVENT, List, Taken};
use super::told::{self, Said};
use super::{Declared, Error, Standing};
use crate::config;
use crate::instance::http::{Client, Flags, Way};
use crate::instance::sse::{Message, Parser};
use crate::source::pause::Pause;
use chaoscope_model::Pod;
use chaoscope_model::verdict::Report;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Clocks that differ by more are told of: ends of runs are compared with what is seen here.
const SKEW: i64 = 30;

/// How long what may take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// One answer.
    pub answer: Duration,
    /// Everything that is declared, after a connection.
    pub ready: Duration,
    /// Nothing at all: the cluster role's heartbeats come more often.
    pub silence: Duration,
    /// Without a connection, what was told still holds.
    pub keep: Duration,
    /// Without a connection, it is kept as stale.
    pub forget: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            ready: Duration::from_mins(1),
            silence: Duration::from_secs(80),
            keep: Duration::from_mins(5),
            forget: Duration::from_hours(1),
        }
    }
}

/// Who is told the names of pods.
pub trait Listener: Send + Sync {
    /// Whether names of all pods are wanted, not only of those with something declared.
    fn wants_names(&self) -> bool;
    /// These pods have these names.
    fn named(&self, pods: &[Pod]);
}

/// The connection to the cluster role.
pub struct Link {
    url: String,
    node: String,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    times: Times,
    state: Mutex<State>,
    /// Something was told, or the connection came or went.
    news: Notify,
    /// This connection is of no use any more.
    again: Notify,
}

#[derive(Default)]
struct State {
    list: List,
    connected: bool,
    since: Option<Timestamp>,
    last_message: Option<Timestamp>,
    failure: String,
    connection: String,
    version: u64,
    /// Whether everything was ever told.
    told: bool,
    lost: Option<Instant>,
    client: Option<Arc<Client>>,
}

impl Link {
    /// The connection the flags ask for; none where they name nobody. What is wrong with the flags is said now.
    pub fn new(flags: &config::Link, times: Times) -> Result<Option<Self>, Error> {
        let Ok(Some((url, node))) = flags.ends() else { return Ok(None) };
        let link = Self {
            url: url.to_owned(),
            node: node.to_owned(),
            token_file: flags.token_file.clone(),
            ca_file: flags.ca_file.clone(),
            times,
            state: Mutex::default(),
            news: Notify::new(),
            again: Notify::new(),
        };
        link.client()?;
        Ok(Some(link))
    }

    /// What is declared, as far as it is known now.
    pub fn now(&self) -> Declared {
        let mut state = self.lock();
        let standing = state.standing(&self.times);
        if standing == Standing::Forgotten {
            state.list.forget();
        }
        let held = state.list.held();
        Declared {
            server: self.url.clone(),
            node: self.node.clone(),
            connected: state.connected,
            since: state.since,
            last_message: state.last_message,
            failure: state.failure.clone(),
            connection: state.connection.clone(),
            standing,
            pods: Arc::clone(&held.pods),
            unclear: Arc::clone(&held.unclear),
            version: state.version,
        }
    }

    /// Done when something was told, or the connection came or went. For one waiter.
    pub async fn changed(&self) {
        self.news.notified().await;
    }

    /// Tells what was found. Of an answer that this connection is not known any more, another one comes.
    pub async fn report(&self, report: &Report) -> Result<(), Error> {
        let client = self.lock().client.clone().ok_or(Error::Unconnected)?;
        let odd = |error: serde_json::Error| Error::Odd { event: "report".to_owned(), reason: error.to_string() };
        let document = serde_json::to_vec(report).map_err(odd)?;
        let answer = client.post(&format!("{}/verdicts", self.path()), document).await.map_err(Error::from);
        if answer.as_ref().is_err_and(Error::is_conflict) && self.lock().connection == report.connection {
            self.again.notify_one();
        }
        answer
    }

    /// Keeps the connection for ever.
    pub async fn keep(&self, listener: &dyn Listener) {
        let (mut pause, mut told) = (Pause::default(), String::new());
        loop {
            let Err(error) = self.follow(listener, &mut told).await;
            if self.lose(&error) {
                pause.reset();
            }
            let gist = gist(&error);
            if told != gist {
                tracing::warn!(server = self.url, remedy = error.remedy(), %error, "Not connected to the cluster role; trying on.");
                told = gist;
            }
            tokio::time::sleep(pause.next()).await;
        }
    }

    /// One connection to its end. `told`: the failure that is in the log.
    async fn follow(&self, listener: &dyn Listener, told: &mut String) -> Result<std::convert::Infallible, Error> {
        let client = Arc::new(self.client()?);
        let names = listener.wants_names().then(|| ("names".to_owned(), "true".to_owned()));
        let mut stream = client.stream(&self.path(), names.as_slice(), None).await?;
        let (begun, mut heard) = (Instant::now(), Instant::now());
        let mut parser = Parser::up_to(LONGEST_EVENT);
        self.lock().list.begin();
        loop {
            let waiting = !self.lock().list.is_complete();
            let silence = heard + self.times.silence;
            let until = if waiting { silence.min(begun + self.times.ready) } else { silence };
            let unready = || waiting && begun.elapsed() >= self.times.ready;
            let late = || if unready() { Error::NotReady(self.times.ready.as_secs()) } else { Error::Silent(self.times.silence.as_secs()) };
            let piece = tokio::select! {
                piece = tokio::time::timeout_at(until.into(), client.piece(&mut stream)) => piece.map_err(|_| late())??,
                () = self.again.notified() => return Err(Error::Superseded),
            };
            let lines = parser.lines;
            let messages = parser.push(&piece.ok_or(Error::Ended)?).map_err(|_| Error::TooLong(LONGEST_EVENT))?;
            if parser.lines > lines {
                heard = Instant::now();
                self.lock().last_message = Some(Timestamp::now());
            } else if Instant::now() >= until {
                return Err(late());
            }
            for message in messages {
                self.take(&message, &client, listener, told)?;
            }
        }
    }

    fn take(&self, message: &Message, client: &Arc<Client>, listener: &dyn Listener, told: &mut String) -> Result<(), Error> {
        if message.event.is_empty() {
            return Ok(()); // a heartbeat
        }
        let odd = |error: serde_json::Error| Error::Odd { event: shown(&message.event), reason: shown(&error.to_string()) };
        let said = told::parse(&message.event, &message.data).map_err(odd)?;
        match &said {
            Said::Hello(hello) => {
                self.lock().connection.clone_from(&hello.connection);
                skewed(hello.at);
            }
            Said::Pod(pod) => listener.named(std::slice::from_ref(&pod.pod)),
            _ => {}
        }
        let taken = self.lock().take(said, client);
        match taken {
            Taken::Names(pods) => listener.named(&pods),
            Taken::Complete => {
                let pods = self.lock().list.held().pods.len();
                let again = !std::mem::take(told).is_empty();
                tracing::info!(
                    server = self.url,
                    node = self.node,
                    pods,
                    "Connected to the cluster role{}.",
                    if again { " again" } else { "" }
                );
            }
            Taken::Kept => {}
        }
        self.news.notify_one();
        Ok(())
    }

    /// The connection is lost. Whether it was one.
    fn lose(&self, error: &Error) -> bool {
        let mut state = self.lock();
        let was = std::mem::take(&mut state.connected);
        if was {
            (state.since, state.lost) = (Some(Timestamp::now()), Some(Instant::now()));
        }
        state.list.lose();
        state.connection.clear();
        state.client = None;
        let remedy = error.remedy();
        state.failure = if remedy.is_empty() { error.to_string() } else { format!("{error}: {remedy}") };
        drop(state);
        self.news.notify_one();
        was
    }

    fn client(&self) -> Result<Client, Error> {
        let flags = Flags { token_file: "--cluster.token-file", ca_file: "--cluster.ca-file" };
        let (token_file, ca_file) = (self.token_file.as_deref(), self.ca_file.as_deref());
        Ok(Client::by(Way { server: &self.url, token_file, ca_file, timeout: self.times.answer, flags })?)
    }

    fn path(&self) -> String {
        format!("api/v1/node/{}", self.node)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn standing(&self, times: &Times) -> Standing {
        match self.lost.map(|lost| lost.elapsed()) {
            _ if !self.told => Standing::Untold,
            None => Standing::Current,
            Some(gone) if gone < times.keep => Standing::Current,
            Some(gone) if gone < times.forget => Standing::Stale,
            Some(_) => Standing::Forgotten,
        }
    }

    fn take(&mut self, said: Said, client: &Arc<Client>) -> Taken {
        let taken = self.list.take(said);
        if taken == Taken::Complete && !self.connected {
            (self.connected, self.told, self.lost) = (true, true, None);
            (self.since, self.client) = (Some(Timestamp::now()), Some(Arc::clone(client)));
            self.failure.clear();
        }
        self.version += 1;
        taken
    }
}

/// The same failure with other figures is no news.
fn gist(error: &Error) -> String {
    error.to_string().chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

fn shown(text: &str) -> String {
    chaoscope_model::shortened(&chaoscope_model::plain(text), 200)
}

fn skewed(theirs: Timestamp) {
    let seconds = Timestamp::now().duration_since(theirs).as_secs();
    if seconds.abs() > SKEW {
        tracing::warn!(seconds, "This node's clock and the cluster role's differ: times of runs and of what is found here do not fit.");
    }
}
