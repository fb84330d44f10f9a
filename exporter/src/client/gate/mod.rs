//! `chaoscope gate`: asks about the newest run of one experiment until the answer is yes or time is over; for pipelines and game days.
//! Exit codes: 0 yes, 1 no, 2 wrong usage, 3 cannot tell.
//!
//! What a run says is in `answer`, pure; here it is asked for again and again, and said once each time it changes.

mod answer;

use super::error::Error;
use super::http::{Client, Parameters};
use super::{clock, table};
use crate::config::{Gate, Output};
use crate::serve::snapshot::print;
use answer::Answer;
use chaoscope_model::run::Run;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, Instant};

/// Where runs are.
const PATH: &str = "api/v1/runs";
/// How often it is asked again.
const PAUSE: Duration = Duration::from_millis(500);
/// Runs looked at: the newest, and enough beside it to see that two kinds share the name.
const LOOKED_AT: u32 = 50;

#[derive(Deserialize)]
struct Page {
    runs: Vec<Run>,
}

/// Exit code of an answer.
const fn code(answer: &Answer) -> u8 {
    match answer {
        Answer::Yes(_) => 0,
        Answer::No(_) => 1,
        Answer::Unknown(_) => 3,
    }
}

/// Asks until it is so, or time is over; the exit code.
pub async fn run(flags: &Gate) -> Result<u8, Error> {
    let client = Client::new(&flags.server)?;
    let started = Instant::now();
    let parameters = parameters(&client, flags).await;
    let mut said = String::new();
    loop {
        let asked = newest(&client, &parameters, flags).await;
        let left = flags.wait.saturating_sub(started.elapsed());
        let over = left.is_zero();
        let (run, answer) = match asked {
            Ok(run) => {
                let answer = answer::of(run.as_ref(), flags.until);
                (run, answer)
            }
            Err(error) if over || !error.is_passing() => return Err(error),
            Err(error) => (None, Answer::Unknown(error.to_string())),
        };
        if over || matches!(answer, Answer::Yes(_)) {
            tell(flags, run.as_ref(), &answer)?;
            return Ok(code(&answer));
        }
        let words = format!("{}: {}", title(run.as_ref(), flags), answer.words());
        if words != said {
            tracing::info!(left = %format!("{} s", left.as_secs()), "Waiting. {words}.");
            said = words;
        }
        tokio::time::sleep(PAUSE.min(left)).await;
    }
}

async fn parameters(client: &Client, flags: &Gate) -> Parameters {
    let now = if flags.since.is_some() { clock::now(client).await } else { Timestamp::now() };
    let since = flags.since.map_or(Timestamp::UNIX_EPOCH, |since| since.at(now));
    let pairs = [("namespace", Some(&flags.namespace)), ("name", Some(&flags.experiment)), ("kind", flags.kind.as_ref())];
    let mut out: Parameters = pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clone()))).collect();
    out.extend([("from".to_owned(), since.to_string()), ("limit".to_owned(), LOOKED_AT.to_string())]);
    out
}

/// The newest run of exactly that experiment, begun since the time asked for.
async fn newest(client: &Client, parameters: &Parameters, flags: &Gate) -> Result<Option<Run>, Error> {
    let body = client.get(PATH, parameters).await?;
    let page: Page = serde_json::from_slice(&body).map_err(|error| client.stranger(format!("its list of runs cannot be read: {error}")))?;
    let since = parameters.iter().find(|(name, _)| name == "from").and_then(|(_, from)| from.parse::<Timestamp>().ok());
    let begun = |run: &Run| flags.since.is_none() || since.is_none_or(|since| run.started_at >= since);
    let mut runs: Vec<Run> = page.runs.into_iter().filter(begun).collect();
    let mut kinds: Vec<&str> = runs.iter().map(|run| run.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() > 1 {
        return Err(Error::Ambiguous { what: format!("{}/{}", flags.namespace, flags.experiment), kinds: kinds.join(", ") });
    }
    Ok((!runs.is_empty()).then(|| runs.swap_remove(0)))
}

fn title(run: Option<&Run>, flags: &Gate) -> String {
    run.map_or_else(|| format!("{}/{}", flags.namespace, flags.experiment), table::title)
}

/// The last word, on standard output.
fn tell(flags: &Gate, run: Option<&Run>, answer: &Answer) -> Result<(), Error> {
    let word = match answer {
        Answer::Yes(_) => "yes",
        Answer::No(_) => "no",
        Answer::Unknown(_) => "unknown",
    };
    let text = match flags.output {
        Output::Json => {
            format!("{}\n", json!({"until": flags.until.as_str(), "answer": word, "reason": answer.words(), "run": run}))
        }
        Output::Text => {
            let word = if word == "unknown" { "cannot tell" } else { word };
            format!("{} {}? {word}: {}\n", title(run, flags), flags.until.as_str().replace('_', " "), answer.words())
        }
    };
    print(text)?;
    Ok(())
}
