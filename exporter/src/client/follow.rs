//! `chaoscope runs --follow`: the runs that are, then every change, one line each, until interrupted.
//!
//! The stream is opened before the list is asked for, so nothing falls between them; what was in both is printed once. A stream that breaks
//! is taken up where it was (`Last-Event-ID`), after a pause that grows.

use super::error::Error;
use super::http::{Client, LONGEST_SILENCE};
use super::sse::{Message, Parser};
use super::{runs, table};
use crate::config::{Output, Runs};
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use jiff::Timestamp;
use lru::LruCache;
use reqwest::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::time::Duration;

/// Where changes are.
const PATH: &str = "api/v1/stream";
/// First pause before connecting again, unless the server names one; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Of so many runs it is known what was printed last.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// What was printed of a run.
struct Said {
    /// Its last line, without its times.
    gist: String,
    /// What it is called.
    title: String,
}

/// A run that does not pass the filter, or not any more.
#[derive(Deserialize)]
struct Left {
    id: String,
}

/// What was printed, and where the stream is.
struct Follower<'a> {
    client: &'a Client,
    output: Output,
    /// By the run's id.
    said: LruCache<String, Said>,
    last: Option<String>,
    pause: Duration,
    /// Whether the reader of our output is gone.
    over: bool,
}

/// Follows until the reader of our output is gone, or the server says that there is no use.
pub(super) async fn run(client: &Client, flags: &Runs) -> Result<(), Error> {
    let mut out = Follower { client, output: flags.output, said: LruCache::new(REMEMBERED), last: None, pause: FIRST_PAUSE, over: false };
    let query = runs::filtering(&flags.filters);
    let mut listed = false;
    let mut failing = false;
    while !out.over {
        let outcome = match client.stream(PATH, &query, out.last.as_deref()).await {
            Ok(stream) => {
                if !listed {
                    out.list(flags).await?;
                    listed = true;
                }
                if std::mem::take(&mut failing) {
                    tracing::info!("Connected again.");
                }
                out.read(stream).await
            }
            // Whoever cannot connect at all has named the wrong server.
            Err(error) if !listed || !error.is_passing() => return Err(error),
            Err(error) => Err(error),
        };
        match outcome {
            Err(error) if !error.is_passing() => return Err(error),
            Err(error) if !std::mem::replace(&mut failing, true) => tracing::warn!(%error, "The stream broke; trying to take it up again."),
            _ => {}
        }
        if !out.over {
            tokio::time::sleep(out.pause).await;
            out.pause = (out.pause * 2).min(LONGEST_PAUSE);
        }
    }
    Ok(())
}

impl Follower<'_> {
    /// The runs that are, oldest first, so that the newest is next to what comes.
    async fn list(&mut self, flags: &Runs) -> Result<(), Error> {
        let answer = runs::ask(self.client, &flags.filters).await?;
        for run in answer.runs.into_iter().rev() {
            self.say_run(&run, None)?;
        }
        Ok(())
    }

    /// Reads a stream to its end.
    async fn read(&mut self, mut stream: Response) -> Result<(), Error> {
        let mut parser = Parser::default();
        while let Some(piece) = self.client.piece(&mut stream).await? {
            let messages = parser.push(&piece).map_err(|_| self.client.stranger("a change that does not end"))?;
            for message in messages {
                self.take(&message)?;
                // Whoever sends is well: begin anew with the pauses.
                self.pause = parser.retry.map_or(FIRST_PAUSE, Duration::from_millis).clamp(Duration::from_millis(10), LONGEST_SILENCE);
            }
            if self.over {
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, message: &Message) -> Result<(), Error> {
        if let Some(id) = &message.id {
            self.last = Some(id.clone());
        }
        if message.data.is_empty() || !matches!(message.event.as_str(), "run" | "left" | "event" | "reset") {
            return Ok(()); // a heartbeat, or what a later version may bring
        }
        let odd = |error: serde_json::Error| self.client.stranger(format!("a change cannot be read: {error}"));
        let data: Value = serde_json::from_str(&message.data).map_err(odd)?;
        match message.event.as_str() {
            "run" => self.say_run(&Run::deserialize(&data).map_err(odd)?, message.id.as_deref())?,
            "left" => self.say_left(&Left::deserialize(&data).map_err(odd)?, message.id.as_deref(), &data)?,
            "event" => {
                let event = Event::deserialize(&data).map_err(odd)?;
                self.say("event", message.id.as_deref(), &data, &table::event_line(&event))?;
            }
            _ => {
                self.said.clear();
                self.say("reset", message.id.as_deref(), &data, "-- what was missed is not known any more; these runs are open now:\n")?;
                for run in data.get("runs").and_then(Value::as_array).into_iter().flatten() {
                    self.say_run(&Run::deserialize(run).map_err(odd)?, message.id.as_deref())?;
                }
            }
        }
        Ok(())
    }

    /// A run, unless the same was said of it already.
    fn say_run(&mut self, run: &Run, id: Option<&str>) -> Result<(), Error> {
        let now = Timestamp::now();
        let gist = table::run_line(run, run.started_at);
        if self.said.get(&run.id).is_some_and(|said| said.gist == gist) {
            return Ok(());
        }
        self.said.put(run.id.clone(), Said { gist, title: table::title(run) });
        self.say("run", id, &json!(run), &table::run_line(run, now))
    }

    /// A run that left the filter; nothing, where none was said of it: then it never was in it, as far as is known here.
    fn say_left(&mut self, left: &Left, id: Option<&str>, data: &Value) -> Result<(), Error> {
        let Some(said) = self.said.pop(&left.id) else { return Ok(()) };
        self.say("left", id, data, &table::left_line(&said.title, Timestamp::now()))
    }

    fn say(&mut self, what: &str, id: Option<&str>, data: &Value, line: &str) -> Result<(), Error> {
        let text = match self.output {
            Output::Text => line.to_owned(),
            Output::Json => format!("{}\n", json!({"change": what, "id": id, what: data})),
        };
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.over = true,
            written => written?,
        }
        Ok(())
    }
}
