//! The `Resource` service: small JSON answers for the editors.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET tag-keys` | `[{"text": field}]`: what ad hoc filters may ask for |
//! | `GET tag-values?key=` | `[{"text": value}]` |
//! | `GET values?list=` | `{"values": [text], "notices": [text]}`: a variable's; `list` as in a saved query |
//! | `POST values`, body: a saved query | the same, with its filters |
//! | `POST preview`, body: a saved query | `{"total", "cut", "notices", "rows"}`: see [`crate::frames::preview`] |
//! | `GET help/fields` | `{"fields", "tools", "phases", "outcomes": [text]}` |
//!
//! All but the last and `tag-keys` take `from` and `to` in the query, epoch milliseconds; without, the last 24 hours. What fails is
//! `{"error": text}` with the failure's status. To add one: an arm in [`Host::route`].

use super::context::identity;
use super::failure::{Failure, alone};
use super::host::Host;
use crate::frames::{Data, preview};
use crate::query::Window;
use crate::query::parse::{self, Asked};
use chaoscope_model::Tool;
use chaoscope_model::query::{DERIVED_PHASES, FIELDS};
use chaoscope_model::run::{Outcome, Phase};
use futures_util::stream::{Once, once};
use grafana_plugin_sdk::pluginv2::resource_server::Resource;
use grafana_plugin_sdk::pluginv2::{CallResourceRequest, CallResourceResponse, StringList};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::future::{Ready, ready};
use std::time::Duration;
use tonic::{Request, Response, Status};

/// Largest body: a saved query is far smaller.
const LARGEST: usize = 1 << 20;
/// How far back is looked where nothing else is said.
const BACK: SignedDuration = SignedDuration::from_hours(24);

type Answer = Result<Value, Failure>;

#[tonic::async_trait]
impl Resource for Host {
    type CallResourceStream = Once<Ready<Result<CallResourceResponse, Status>>>;

    async fn call_resource(&self, request: Request<CallResourceRequest>) -> Result<Response<Self::CallResourceStream>, Status> {
        let (code, body) = match self.route(request.into_inner()).await {
            Ok(body) => (200, body),
            Err(failure) => (failure.status, json!({ "error": failure.text })),
        };
        let kind = StringList { values: vec!["application/json".to_owned()] };
        let headers = HashMap::from([("Content-Type".to_owned(), kind)]);
        let answer = CallResourceResponse { code: code.into(), headers, body: body.to_string().into_bytes().into() };
        Ok(Response::new(once(ready(Ok(answer)))))
    }
}

impl Host {
    async fn route(&self, request: CallResourceRequest) -> Answer {
        if request.body.len() > LARGEST {
            let text = format!("more than {LARGEST} bytes");
            return Err(Failure { status: 413, outcome: "refused", text });
        }
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        let parameters: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let path = request.path.split('?').next().unwrap_or_default().trim_matches('/');
        match (&*request.method.to_ascii_uppercase(), path) {
            ("GET", "tag-keys") => Ok(texts(fields())),
            ("GET", "help/fields") => Ok(help()),
            ("GET", "tag-values") => {
                let key = parameters.get("key").ok_or_else(|| Failure::refused("`key` is missing: the field whose values are wanted"))?;
                let saved = json!({ "queryType": "values", "list": format!("field:{key}") });
                self.saved(request, &parameters, saved).await.map(|data| texts(values(data).0))
            }
            ("GET", "values") => {
                let saved = json!({ "queryType": "values", "list": parameters.get("list") });
                let (values, notices) = values(self.saved(request, &parameters, saved).await?);
                Ok(json!({ "values": values, "notices": notices }))
            }
            ("POST", "values") => {
                let mut saved = body(&request)?;
                saved["queryType"] = "values".into();
                let (values, notices) = values(self.saved(request, &parameters, saved).await?);
                Ok(json!({ "values": values, "notices": notices }))
            }
            ("POST", "preview") => {
                let saved = body(&request)?;
                self.saved(request, &parameters, saved).await.map(|data| preview(&data))
            }
            (_, "tag-keys" | "help/fields" | "tag-values" | "values" | "preview") => {
                Err(Failure { status: 405, outcome: "refused", text: format!("{path} does not answer {}", request.method) })
            }
            _ => Err(Failure { status: 404, outcome: "refused", text: format!("there is no {path:?}") }),
        }
    }

    /// What is found for a saved query.
    async fn saved(&self, request: CallResourceRequest, parameters: &BTreeMap<String, String>, saved: Value) -> Result<Data, Failure> {
        let window = window(parameters, Timestamp::now())?;
        let instance = self.instance(request.plugin_context.unwrap_or_default()).await?;
        let who = identity(request.headers.iter().filter_map(|(name, list)| Some((name, list.values.first()?))));
        alone(async move {
            let asked = Asked {
                ref_id: "A",
                window,
                interval: Duration::from_mins(1),
                max_points: 100,
                query_type: "",
                from_alert: false,
                limit: Some(instance.settings().limit),
            };
            let query = parse::query(&asked, &saved)?;
            Ok(instance.data(&query, &who).await?)
        })
        .await
    }
}

/// A body that is a JSON object.
fn body(request: &CallResourceRequest) -> Answer {
    match serde_json::from_slice(&request.body) {
        Ok(saved @ Value::Object(_)) => Ok(saved),
        Ok(_) => Err(Failure::refused("the body is not a query: a JSON object is wanted")),
        Err(cause) => Err(Failure::refused(format!("the body is not JSON: {cause}"))),
    }
}

fn window(parameters: &BTreeMap<String, String>, now: Timestamp) -> Result<Window, Failure> {
    let time = |name: &str| {
        let given = parameters.get(name).filter(|it| !it.is_empty());
        let parse = |it: &String| it.parse().ok().and_then(|it| Timestamp::from_millisecond(it).ok());
        let bad = || Failure::refused(format!("`{name}` is no time: epoch milliseconds are wanted"));
        given.map(|it| parse(it).ok_or_else(bad)).transpose()
    };
    let to = time("to")?.unwrap_or(now);
    let from = time("from")?.map_or_else(|| to.checked_sub(BACK), Ok).map_err(|_| Failure::refused("`to` is too early"))?;
    Ok(Window { from, to })
}

/// Values and what was said beside them.
fn values(data: Data) -> (Vec<String>, Vec<String>) {
    match data {
        Data::Values(found) => (found.items, found.notices),
        // `queryType` says what comes.
        _ => (Vec::new(), Vec::new()),
    }
}

fn fields() -> Vec<String> {
    FIELDS.map(str::to_owned).into()
}

/// As Grafana's ad hoc filters take them.
fn texts(values: Vec<String>) -> Value {
    values.into_iter().map(|text| json!({ "text": text })).collect()
}

fn help() -> Value {
    json!({
        "fields": FIELDS,
        "tools": Tool::ALL.map(Tool::as_str),
        "phases": Phase::ALL.iter().map(|it| it.as_str()).chain(DERIVED_PHASES).collect::<Vec<_>>(),
        "outcomes": Outcome::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    async fn call(method: &str, url: &str, body: &[u8]) -> (i32, Value) {
        let path = url.split('?').next().unwrap().to_owned();
        let (method, url, body) = (method.to_owned(), url.to_owned(), body.to_vec().into());
        let request = CallResourceRequest { method, path, url, body, ..CallResourceRequest::default() };
        let mut answer = Host::default().call_resource(Request::new(request)).await.unwrap().into_inner();
        let answer = answer.next().await.unwrap().unwrap();
        (answer.code, serde_json::from_slice(&answer.body).unwrap())
    }

    #[tokio::test]
    async fn what_needs_no_datasource_is_answered() {
        let (status, keys) = call("GET", "tag-keys", b"").await;
        assert_eq!((status, &keys[0]), (200, &json!({ "text": "tool" })));
        let (status, help) = call("get", "/help/fields/", b"").await;
        assert_eq!((status, &help["tools"][0]), (200, &json!("chaos-mesh")));
        assert!(help["phases"].as_array().unwrap().contains(&json!("running")), "{help}");
        assert!(help["outcomes"].as_array().unwrap().contains(&json!("recovered")), "{help}");
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_in_json() {
        let large = vec![b' '; LARGEST + 1];
        let cases: [(&str, &str, &[u8], i32); 9] = [
            ("GET", "nothing", b"", 404),
            ("GET", "", b"", 404),
            ("DELETE", "values", b"", 405),
            ("GET", "tag-values", b"", 400),
            ("GET", "tag-values?key=kind", b"", 400), // no settings
            ("GET", "values?list=kinds&from=soon", b"", 400),
            ("POST", "preview", b"[]", 400),
            ("POST", "values", b"{", 400),
            ("POST", "preview", &large, 413),
        ];
        for (method, url, body, wanted) in cases {
            let (status, answer) = call(method, url, body).await;
            assert_eq!(status, wanted, "{method} {url}: {answer}");
            assert!(answer["error"].is_string(), "{method} {url}: {answer}");
        }
    }

    #[test]
    fn the_window_is_a_day_unless_said() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let given = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let day = window(&given(&[]), now).unwrap();
        assert_eq!((day.from, day.to), ("2026-11-20T10:00:00Z".parse().unwrap(), now));
        let own = window(&given(&[("from", "1000"), ("to", "2000")]), now).unwrap();
        assert_eq!((own.from.as_millisecond(), own.to.as_millisecond()), (1000, 2000));
        assert!(window(&given(&[("to", "99999999999999999")]), now).is_err());
    }
}
