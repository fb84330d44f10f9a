//! `chaoscope runs`: asks for runs page by page, and prints them as a table or as the API's own answer; with `--follow`, goes on.

use super::error::Error;
use super::http::{Client, Parameters};
use super::{clock, follow, table};
use crate::config::{Filters, Moment, Output, Runs};
use crate::serve::snapshot::print;
use chaoscope_model::run::Run;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

/// Where runs are.
const PATH: &str = "api/v1/runs";
/// Runs asked for at once.
const PAGE: u32 = 100;

/// One page of the API's answer.
#[derive(Deserialize)]
struct Page {
    runs: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// What was answered to all the pages asked for.
pub(super) struct Answer {
    /// Newest first.
    pub(super) runs: Vec<Run>,
    /// The API's own document; that of several pages is put together.
    document: Vec<u8>,
    /// There are more than were asked for; JSON says so by its cursor.
    more: bool,
}

/// Asks and prints.
pub async fn run(flags: &Runs) -> Result<(), Error> {
    let client = Client::new(&flags.server)?;
    if flags.follow {
        return follow::run(&client, flags).await;
    }
    let answer = ask(&client, &flags.filters).await?;
    match flags.output {
        Output::Json => print(with_end(answer.document))?,
        Output::Text if answer.runs.is_empty() => print(nothing(&flags.filters))?,
        Output::Text => {
            let more = if answer.more { "\nThere are more: raise --limit, or narrow the search.\n" } else { "" };
            let open = answer.runs.iter().any(Run::is_open);
            let now = if open { clock::now(&client).await } else { Timestamp::now() };
            print(table::table(&answer.runs, now) + more)?;
        }
    }
    Ok(())
}

/// All pages up to the limit.
pub(super) async fn ask(client: &Client, filters: &Filters) -> Result<Answer, Error> {
    let mut out = Answer { runs: Vec::new(), document: Vec::new(), more: false };
    let mut values = Vec::new();
    let mut cursor = None;
    let times = times(client, filters).await;
    loop {
        let left = filters.limit - (values.len() as u32).min(filters.limit);
        let body = client.get(PATH, &parameters(filters, &times, left.min(PAGE), cursor.as_deref())).await?;
        let page: Page =
            serde_json::from_slice(&body).map_err(|error| client.stranger(format!("its list of runs cannot be read: {error}")))?;
        let (got, next) = (page.runs.len() as u32, page.next);
        for value in &page.runs {
            let run =
                serde_json::from_str(value.get()).map_err(|error| client.stranger(format!("a run of its list cannot be read: {error}")))?;
            out.runs.push(run);
        }
        values.extend(page.runs);
        let done = next.is_none() || got >= left || (got == 0 && next == cursor);
        if done {
            out.more = next.is_some();
            let whole = cursor.is_none();
            out.document = if whole { body } else { format!("{}", json!({"runs": values, "next": next})).into_bytes() };
            return Ok(out);
        }
        cursor = next;
    }
}

/// From when to when, by the server's clock.
async fn times(client: &Client, filters: &Filters) -> Parameters {
    let asked: Vec<_> =
        [("from", filters.from), ("to", filters.to)].into_iter().filter_map(|(name, moment)| Some((name, moment?))).collect();
    let counted = asked.iter().any(|(_, moment)| matches!(moment, Moment::Ago(_)));
    let now = if counted { clock::now(client).await } else { Timestamp::now() };
    asked.into_iter().map(|(name, moment)| (name.to_owned(), moment.at(now).to_string())).collect()
}

/// The parameters of one page.
fn parameters(filters: &Filters, times: &Parameters, limit: u32, cursor: Option<&str>) -> Parameters {
    let mut out = filtering(filters);
    out.extend_from_slice(times);
    out.push(("limit".to_owned(), limit.to_string()));
    out.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor.to_owned())));
    out
}

/// The parameters that filter.
pub(super) fn filtering(filters: &Filters) -> Parameters {
    filters.pairs().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn with_end(mut document: Vec<u8>) -> Vec<u8> {
    if document.last() != Some(&b'\n') {
        document.push(b'\n');
    }
    document
}

fn nothing(filters: &Filters) -> String {
    let when = if filters.from.is_some() || filters.to.is_some() { "in that time" } else { "in the last hour (see --from)" };
    format!("No{} runs {when}.\n", if filters.pairs().is_empty() { "" } else { " such" })
}
