//! `/api/v1/node/{name}`: a node's one connection, and its reports; `/api/v1/nodes`: how the nodes are.
//!
//! Apart from the stream of runs, which is for readers: here only the node itself may ask, and what it is told is about its own pods. What is
//! told, and what becomes of a report, is the desk's (`crate::desk`).

use super::answer::{json, takes_gzip};
use super::pairs::pairs;
use super::problem::Problem;
use super::stream::event;
use super::{Api, openapi, parameters};
use crate::cluster::now::NodeNow;
use crate::desk::{self, Call, Desk, Ended, Hello, MAX_BYTES, Message, Refusal};
use crate::serve::access::{NodePass, Viewer, is_node};
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chaoscope_model::verdict::{Report, Residue};
use futures_util::stream;
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// Longest release that is shown, in characters.
const LONGEST_RELEASE: usize = 64;

/// The nodes.
#[derive(Serialize, ToSchema)]
pub(super) struct Nodes {
    /// Each node that is connected, was so within the last hour, or has a target of an open run; by name.
    nodes: Vec<Node>,
}

/// One node.
#[derive(Serialize, ToSchema)]
pub(super) struct Node {
    /// Its name.
    name: String,
    /// Whether it is connected now; null for callers who may not see this instance itself.
    connected: Option<bool>,
    /// Since when it is connected; null while it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    connected_since: Option<Timestamp>,
    /// When it last connected or reported; null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    heard_at: Option<Timestamp>,
    /// What release of Chaoscope it says to be; empty where unknown.
    release: String,
    /// What it found left over that this caller may see.
    residue: Vec<Residue>,
}

/// What is in one node's stream, by its fields.
#[derive(ToSchema)]
#[allow(dead_code, reason = "for the contract: it is written field by field")]
pub(super) struct Declaration {
    /// What it is: `hello`, `pod`, `gone`, `names`, `ready` or `end`.
    event: String,
    /// JSON.
    data: String,
}

/// What is declared for a node's pods.
///
/// Server-Sent Events, for the node role. `hello`: number of the connection, the time and the cluster; `pod`: everything declared for a pod, in
/// place of what was told of the same uid; `gone`: nothing any more for that uid; `names`: every pod of the node, with `names=true`; `ready`: all is
/// told; `end`: the connection is over, and why. Comments come between. A newer connection of the same node ends the older one.
#[utoipa::path(
    get, path = "/api/v1/node/{name}", operation_id = "followNode", tag = "nodes",
    params(
        ("name" = String, Path, description = "Name of the node, as in `spec.nodeName` of its pods.", max_length = 253,
            pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
        ("names" = Option<bool>, Query, description = "Whether the names of all its pods are wanted, too.")
    ),
    responses(
        (status = 200, description = "The stream.", content_type = "text/event-stream", body = Declaration, headers(("Cache-Control" = String))),
        openapi::Problems
    )
)]
pub(super) async fn follow(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (name, pass) = admitted(&api, name, &headers).await?;
    let names = wants_names(query.as_deref())?;
    let desk = desk(&api)?;
    let Ok(place) = Arc::clone(&api.node_places).try_acquire_owned() else {
        return Err(Problem::full(format!("more than {} nodes at once", api.limits.nodes)));
    };
    let now = Instant::now();
    let sending = Sending {
        call: desk.connect(&name, names, &release(&headers)),
        pass,
        closing: api.closing.clone(),
        heartbeat: api.limits.heartbeat,
        renewal: api.limits.node_renewal,
        renew_at: now + api.limits.node_renewal,
        until: now + api.limits.longest,
        _place: place,
    };
    let body = stream::unfold(Some(sending), |sending| async move {
        let mut sending = sending?;
        let (bytes, last) = sending.next().await;
        Some((Ok::<_, Infallible>(bytes), (!last).then_some(sending)))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), ("x-accel-buffering".parse().unwrap_or(CONTENT_TYPE), "no")];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// What a node found.
///
/// Verdicts that changed, or all; what is left over. 409: it is of a connection that is over; connect anew and report everything.
#[utoipa::path(
    post, path = "/api/v1/node/{name}/verdicts", operation_id = "reportNode", tag = "nodes",
    params(("name" = String, Path, description = "Name of the node.", max_length = 253, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")),
    request_body(content = Report, content_type = "application/json"),
    responses(
        (status = 204, description = "Taken.", headers(("Cache-Control" = String))),
        (status = 409, description = "Of another connection than the node has.", content_type = "application/problem+json", body = inline(super::problem::Told)),
        (status = 413, description = "Too long.", content_type = "application/problem+json", body = inline(super::problem::Told)),
        openapi::Problems
    )
)]
pub(super) async fn report(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let (name, _) = admitted(&api, name, &headers).await?;
    parameters::none(query.as_deref())?;
    let desk = desk(&api)?;
    let read = timeout(api.limits.wait, Limited::new(body, MAX_BYTES).collect()).await;
    let Ok(read) = read else { return Err(Problem::full("the report came too slowly")) };
    let bytes = read.map_err(|_| Problem::too_long(format!("a report has at most {MAX_BYTES} bytes")))?.to_bytes();
    let report = desk::check(&bytes).map_err(|bad| Problem::bad(bad.to_string()))?;
    match desk.report(&name, report).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(refusal @ Refusal::OtherConnection) => Err(Problem::conflict(refusal.to_string())),
    }
}

/// How the nodes are.
///
/// Which are connected, and what each found left over. A caller who may not list pods everywhere sees the nodes on which something is left
/// over in namespaces whose pods it may list, and that alone.
#[utoipa::path(
    get, path = "/api/v1/nodes", operation_id = "listNodes", tag = "nodes",
    responses((status = 200, description = "The nodes.", body = Nodes, headers(("Cache-Control" = String))), openapi::Problems)
)]
pub(super) async fn nodes(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    let viewer = api.access.viewer(&headers).await?;
    parameters::none(query.as_deref())?;
    let gzip = takes_gzip(&headers);
    api.ask(move |api| {
        let nodes = api.desk.as_ref().map_or_else(Vec::new, |desk| desk.nodes().nodes);
        let whole = viewer.sees_instance();
        let nodes = nodes.into_iter().filter_map(|node| seen(&viewer, whole, node)).collect();
        viewer.complete()?;
        json(&Nodes { nodes }, gzip)
    })
    .await
}

/// A node as a caller sees it.
fn seen(viewer: &Viewer, whole: bool, node: NodeNow) -> Option<Node> {
    let NodeNow { name, connected_since, heard_at, release, mut residue, .. } = node;
    let name = name.to_string();
    if whole {
        return Some(Node { name, connected: Some(connected_since.is_some()), connected_since, heard_at, release, residue });
    }
    residue.retain(|it| !it.pod.namespace.is_empty() && viewer.sees_pods(&it.pod.namespace));
    (!residue.is_empty()).then_some(Node { name, connected: None, connected_since: None, heard_at: None, release: String::new(), residue })
}

/// The node of the path, where the caller may act for it.
async fn admitted(api: &Api, name: Result<Path<String>, PathRejection>, headers: &HeaderMap) -> Result<(String, NodePass), Problem> {
    let wrong = || Problem::parameter("name", "name: not the name of a node");
    let Path(name) = name.map_err(|_| wrong())?;
    if !is_node(&name) {
        return Err(wrong());
    }
    let pass = api.access.node(headers, &name).await?;
    Ok((name, pass))
}

fn desk(api: &Api) -> Result<&Arc<Desk>, Problem> {
    api.desk.as_ref().ok_or_else(|| Problem::not_found("nodes connect to `chaoscope cluster` only, and this is another role"))
}

fn wants_names(query: Option<&str>) -> Result<bool, Problem> {
    match pairs(query)?.as_slice() {
        [] => Ok(false),
        [(name, value)] if name == "names" => value.parse().map_err(|_| Problem::parameter("names", "names: true or false")),
        [(name, _), ..] => {
            Err(Problem::parameter(name, format!("there is no parameter {name:?} here, or it is there twice: only `names`")))
        }
    }
}

/// What a caller says to be: `chaoscope/0.2.0` is `0.2.0`.
fn release(headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    agent.strip_prefix("chaoscope/").unwrap_or("").chars().take(LONGEST_RELEASE).collect()
}

/// A connection as it is sent. Dropped with the response: then the node has hung up.
struct Sending {
    call: Call,
    pass: NodePass,
    closing: CancellationToken,
    heartbeat: std::time::Duration,
    renewal: std::time::Duration,
    renew_at: Instant,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

impl Sending {
    /// The next bytes, and whether they are the last ones. Nothing is waited for longer than a heartbeat.
    async fn next(&mut self) -> (Bytes, bool) {
        let now = Instant::now();
        if now >= self.until {
            self.call.line().end(Ended::Aged);
        } else if now >= self.renew_at {
            self.renew_at = now + self.renewal;
            // Boxed: it is rare, and each of a thousand connections would keep room for it.
            if Box::pin(self.pass.renewed()).await.is_err() {
                self.call.line().end(Ended::Denied);
            }
        }
        let message = tokio::select! {
            message = timeout(self.heartbeat, self.call.line().next()) => message.ok(),
            () = self.closing.cancelled() => Some(Message::End(Ended::Stopping)),
        };
        match message {
            None => (Bytes::from_static(b":\n\n"), false),
            Some(message) => (framed(&message), matches!(message, Message::End(_))),
        }
    }
}

/// A message as it is on the wire.
fn framed(message: &Message) -> Bytes {
    let mut out = Vec::new();
    let written = match message {
        Message::Hello(hello @ Hello { .. }) => event(&mut out, "hello", None, hello),
        Message::Pod(pod) => event(&mut out, "pod", None, pod),
        Message::Gone(uid) => event(&mut out, "gone", None, &json!({ "uid": uid })),
        Message::Names(pods) => event(&mut out, "names", None, &json!({ "pods": pods })),
        Message::Ready => event(&mut out, "ready", None, &json!({})),
        Message::End(ended) => event(&mut out, "end", None, &json!({ "reason": ended.as_str() })),
    };
    if let Err(error) = written {
        tracing::error!(%error, "A message to a node could not be written.");
        return Bytes::from_static(b":\n\n");
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_events_of_one_line() {
        let text = |message| String::from_utf8(framed(&message).to_vec()).unwrap();
        assert_eq!(text(Message::Gone("u".into())), "event: gone\ndata: {\"uid\":\"u\"}\n\n");
        assert_eq!(text(Message::Ready), "event: ready\ndata: {}\n\n");
        assert_eq!(text(Message::End(Ended::Replaced)), "event: end\ndata: {\"reason\":\"replaced\"}\n\n");
        let hello = Hello { connection: "a-1".into(), at: Timestamp::UNIX_EPOCH, cluster: "lab".into(), release: "9" };
        let told = "event: hello\ndata: {\"connection\":\"a-1\",\"at\":\"1970-01-01T00:00:00Z\",\"cluster\":\"lab\",\"release\":\"9\"}\n\n";
        assert_eq!(text(Message::Hello(hello)), told);
    }

    #[test]
    fn only_names_may_be_asked_for() {
        assert_eq!(wants_names(None).ok(), Some(false));
        assert_eq!(wants_names(Some("names=true")).ok(), Some(true));
        for bad in ["names=1", "names=true&names=true", "name=true", "limit=1"] {
            assert!(wants_names(Some(bad)).is_err(), "{bad}");
        }
    }
}
