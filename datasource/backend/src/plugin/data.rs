//! The `Data` service: every query of a request by itself, all at once.
//!
//! A query that is refused, fails or panics leaves the others alone; when the host drops the call, all of them stop.

use super::context::{from_alert, identity};
use super::failure::{Failure, alone};
use super::host::Host;
use crate::frames::{Frame, arrow};
use crate::instance::Instance;
use crate::live::channel::{Topic, Topics};
use crate::metrics::Counting;
use crate::origin::Identity;
use crate::query::parse::{self, Asked};
use crate::query::{Ask, Query, Window};
use futures_util::stream::{StreamExt, iter};
use grafana_plugin_sdk::pluginv2::data_server::Data;
use grafana_plugin_sdk::pluginv2::{DataQuery, DataResponse, QueryDataRequest, QueryDataResponse, TimeRange};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// So many queries of one request run at once. A panel has a handful.
const AT_ONCE: usize = 32;

/// A panel says beside a number that it is too small; nobody reads that of a rule's.
const PART: &str = "not all runs of this time could be counted, so the number would be too small: ask for less time, with more filters, or by fewer labels";

/// Where a panel's channel is named: organisation and uid of its datasource, and the topics that are known.
#[derive(Clone)]
struct Channels {
    org: i64,
    uid: String,
    topics: Arc<Topics>,
}

type Found = Result<(Arc<Instance>, Arc<Identity>), Failure>;

#[tonic::async_trait]
impl Data for Host {
    async fn query_data(&self, request: Request<QueryDataRequest>) -> Result<Response<QueryDataResponse>, Status> {
        let QueryDataRequest { plugin_context, headers, queries } = request.into_inner();
        let context = plugin_context.unwrap_or_default();
        let uid = context.data_source_instance_settings.as_ref().map_or_else(String::new, |settings| settings.uid.clone());
        let channels = Channels { org: context.org_id, uid, topics: self.topics() };
        let instance = self.instance(context).await;
        let found = instance.map(|instance| (instance, Arc::new(identity(&headers))));
        let alert = from_alert(&headers);
        let answers = iter(queries).map(|query| {
            let ref_id = query.ref_id.clone();
            let answer = alone(one(found.clone(), query, alert, channels.clone()));
            async { (ref_id, answer.await.unwrap_or_else(Failure::response)) }
        });
        let responses = answers.buffer_unordered(AT_ONCE).collect().await;
        Ok(Response::new(QueryDataResponse { responses }))
    }
}

/// One query, counted.
async fn one(found: Found, query: DataQuery, alert: bool, channels: Channels) -> Result<DataResponse, Failure> {
    let mut counting = Counting::default();
    let outcome = answer(found, &query, alert, &channels, &mut counting).await;
    counting.outcome = outcome.as_ref().map_or_else(|failure| failure.outcome, |_| "ok");
    if let Err(failure) = &outcome {
        tracing::debug!(ref_id = query.ref_id, status = failure.status, cause = failure.text, "a query has no answer");
    }
    outcome
}

async fn answer(
    found: Found,
    query: &DataQuery,
    alert: bool,
    channels: &Channels,
    counting: &mut Counting,
) -> Result<DataResponse, Failure> {
    let (instance, who) = found?;
    let asked = asked(query, alert, instance.settings().limit)?;
    let json = saved(&query.json)?;
    let query = parse::query(&asked, &json)?;
    counting.ask = name(&query.ask);
    let found = instance.data(&query, &who).await?;
    if alert && matches!(query.ask, Ask::Active { .. }) && found.is_cut() {
        return Err(Failure::refused(PART));
    }
    let mut frames = instance.shown(&query, &found);
    if alert && frames.iter().any(|frame| frame.partial) {
        return Err(Failure::refused(PART));
    }
    live(channels, &instance, &query, &json, &mut frames);
    let encode = |frame| arrow::encode(frame).map_err(|cause| Failure::internal(format!("the answer cannot be written: {cause}")));
    let frames = frames.iter().map(encode).collect::<Result<_, _>>()?;
    Ok(DataResponse { frames, error: String::new(), json_meta: Vec::new(), status: 200 })
}

/// Names the channel of a panel that is to be kept current, or says why it is not.
fn live(channels: &Channels, instance: &Instance, query: &Query, saved: &Value, frames: &mut [Frame]) {
    let Some(frame) = frames.first_mut().filter(|_| query.stream) else { return };
    if instance.settings().forward_identity {
        frame.notice("Not live: this datasource forwards the viewer's identity, which Grafana's streams do not carry.");
        return;
    }
    let topic = Topic::of(query, saved, instance.settings().limit, Timestamp::now());
    match topic.and_then(|topic| channels.topics.channel(channels.org, &channels.uid, topic)) {
        Some(channel) => drop(frame.meta.insert("channel".to_owned(), channel.into())),
        None => frame.notice("Not live: only ranges that end now, and kinds of query with one table, are kept current."),
    }
}

/// What was saved: an object; nothing at all is an empty one.
fn saved(json: &[u8]) -> Result<Value, Failure> {
    if json.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(json) {
        Ok(saved @ Value::Object(_)) => Ok(saved),
        Ok(_) => Err(Failure::refused("the saved query is not a JSON object")),
        Err(cause) => Err(Failure::refused(format!("the saved query is not JSON: {cause}"))),
    }
}

/// What Grafana says about a query besides its JSON.
fn asked(query: &DataQuery, from_alert: bool, limit: usize) -> Result<Asked<'_>, Failure> {
    let range = query.time_range.as_ref().ok_or_else(|| Failure::refused("the query has no time range"))?;
    Ok(Asked {
        ref_id: &query.ref_id,
        window: window(range)?,
        interval: Duration::from_millis(query.interval_ms.try_into().unwrap_or(0)),
        max_points: query.max_data_points,
        query_type: &query.query_type,
        from_alert,
        limit: Some(limit),
    })
}

fn window(range: &TimeRange) -> Result<Window, Failure> {
    let time = |at| Timestamp::from_millisecond(at).map_err(|_| Failure::refused("the query's time range is outside of what can be told"));
    Ok(Window { from: time(range.from_epoch_ms)?, to: time(range.to_epoch_ms)? })
}

/// The word for metrics.
fn name(ask: &Ask) -> &'static str {
    match ask {
        Ask::Runs => "runs",
        Ask::Events { logs: false } => "events",
        Ask::Events { logs: true } => "logs",
        Ask::Timeline(_) => "timeline",
        Ask::Active { .. } => "active",
        Ask::Targets => "targets",
        Ask::Annotations { .. } => "annotations",
        Ask::Upcoming => "upcoming",
        Ask::Values(_) => "values",
        Ask::Legacy => "legacy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::http::scripted::{Say, Scripted};
    use grafana_plugin_sdk::pluginv2::{DataSourceInstanceSettings, PluginContext};
    use std::collections::HashMap;

    #[tokio::test]
    async fn a_request_without_settings_answers_each_query() {
        let queries = ["A", "B"].map(|ref_id| DataQuery { ref_id: ref_id.to_owned(), ..DataQuery::default() });
        let request = QueryDataRequest { queries: queries.into(), ..QueryDataRequest::default() };
        let answer = Host::default().query_data(Request::new(request)).await.unwrap().into_inner();
        let mut answers: Vec<_> = answer.responses.into_iter().map(|(ref_id, it)| (ref_id, it.status)).collect();
        answers.sort();
        assert_eq!(answers, [("A".to_owned(), 400), ("B".to_owned(), 400)]);
    }

    /// The origin says that there is always more.
    #[tokio::test]
    async fn a_part_is_a_number_for_a_panel_and_none_for_a_rule() {
        let server = Scripted::start(|_| Say::json(200, r#"{"runs":[],"next":"more"}"#)).await;
        let settings = DataSourceInstanceSettings { url: server.url(), ..DataSourceInstanceSettings::default() };
        let context = PluginContext { data_source_instance_settings: Some(settings), ..PluginContext::default() };
        let host = Host::default();
        for (alert, wanted) in [("false", 200), ("true", 400)] {
            let time_range = Some(TimeRange { from_epoch_ms: 1_795_000_000_000, to_epoch_ms: 1_795_003_600_000 });
            let query =
                DataQuery { ref_id: "A".to_owned(), json: br#"{"queryType":"active"}"#.to_vec(), time_range, ..DataQuery::default() };
            let headers = HashMap::from([("FromAlert".to_owned(), alert.to_owned())]);
            let request = QueryDataRequest { plugin_context: Some(context.clone()), queries: vec![query], headers };
            let answer = host.query_data(Request::new(request)).await.unwrap().into_inner().responses.remove("A").unwrap();
            assert_eq!((answer.status, answer.error.contains("too small")), (wanted, wanted == 400), "{}", answer.error);
        }
    }

    #[test]
    fn times_out_of_range_are_refused() {
        let range = |from_epoch_ms, to_epoch_ms| TimeRange { from_epoch_ms, to_epoch_ms };
        assert!(window(&range(0, 1_700_000_000_000)).is_ok());
        assert_eq!(window(&range(i64::MIN, i64::MAX)).unwrap_err().status, 400);
        assert_eq!(asked(&DataQuery::default(), false, 1).unwrap_err().status, 400);
        let query = DataQuery { time_range: Some(range(1, 2)), interval_ms: -5, ..DataQuery::default() };
        assert_eq!(asked(&query, true, 1).unwrap().interval, Duration::ZERO);
    }
}
