//! A front before a real API server, in plain HTTP: it counts what is asked, and can refuse, cut and spoil answers as bad weather would.
//!
//! Apart from the tests, because it knows nothing of what they look at. To add a kind of weather: a variant of [`Weather`].

use crate::kit::kube::Kube;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use futures_util::{Stream, StreamExt, stream};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// What a front does.
#[derive(Clone, Debug)]
pub(crate) enum Weather {
    /// Passes everything on.
    Fair,
    /// Cuts what is open, and refuses the rest.
    Down,
    /// Refuses with this status and, if there is one, this `Retry-After`.
    Refusing(u16, Option<&'static str>),
    /// Ends every watch, politely, after so long.
    Impatient(Duration),
    /// Puts things that are no objects into lists and watches.
    Spoiling,
}

/// A running front.
pub(crate) struct Front {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    client: reqwest::Client,
    weather: watch::Sender<Weather>,
    asked: Mutex<Vec<String>>,
    open: Mutex<Vec<String>>,
}

/// A path that is being answered, until this is dropped.
struct Open {
    path: String,
    inner: Arc<Inner>,
}

impl Open {
    fn new(path: &str, inner: &Arc<Inner>) -> Self {
        inner.open.lock().expect("nobody panics while holding it").push(path.to_owned());
        Self { path: path.to_owned(), inner: Arc::clone(inner) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.inner.open.lock().expect("nobody panics while holding it");
        let at = open.iter().position(|path| *path == self.path);
        open.swap_remove(at.expect("it was put there"));
    }
}

impl Front {
    pub(crate) fn start(kube: &Kube, runtime: &Runtime) -> Self {
        let authority = std::fs::read(kube.authority()).expect("an authority");
        let authority = reqwest::Certificate::from_pem(&authority).expect("a certificate");
        let client = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().build().expect("a client");
        let (url, weather) = (kube.url(), watch::Sender::new(Weather::Fair));
        let inner = Arc::new(Inner { url, client, weather, asked: Mutex::default(), open: Mutex::default() });
        let app = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async { axum::serve(listener, app).await });
        Self { address, inner }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn turn(&self, weather: Weather) {
        self.inner.weather.send_replace(weather);
    }

    /// Every path with its query so far, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.inner.asked.lock().expect("nobody panics while holding it").clone()
    }

    /// How many watches of this path are open.
    pub(crate) fn open(&self, path: &str) -> usize {
        let wanted = format!("{path}?watch=1");
        self.inner.open.lock().expect("nobody panics while holding it").iter().filter(|path| path.contains(&wanted)).count()
    }

    /// How often something with all of these pieces in it was asked.
    pub(crate) fn count(&self, pieces: &[&str]) -> usize {
        self.asked().iter().filter(|path| pieces.iter().all(|piece| path.contains(piece))).count()
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let path = request.uri().path_and_query().expect("a path").to_string();
    inner.asked.lock().expect("nobody panics while holding it").push(path.clone());
    let is_watch = path.contains("watch=1");
    let weather = inner.weather.borrow().clone();
    match weather {
        Weather::Down => return refusal(502, None),
        Weather::Refusing(status, after) => return refusal(status, after),
        _ => {}
    }
    let mut onward = inner.client.request(request.method().clone(), format!("{}{path}", inner.url));
    for (name, value) in request.headers().iter().filter(|(name, _)| *name != "host") {
        onward = onward.header(name, value);
    }
    let Ok(answer) = onward.send().await else { return refusal(502, None) };
    let status = answer.status();
    let spoil = matches!(weather, Weather::Spoiling) && status == 200;
    let open = Open::new(&path, &inner);
    let body = match weather {
        _ if spoil && !is_watch => Body::from(spoiled_list(&answer.text().await.unwrap_or_default())),
        Weather::Impatient(time) if is_watch => {
            let end = Box::pin(tokio::time::sleep(time));
            Body::from_stream(until_down(&inner, answer.bytes_stream()).take_until(end))
        }
        _ if spoil => Body::from_stream(spoiled_watch().chain(until_down(&inner, answer.bytes_stream()))),
        _ => Body::from_stream(until_down(&inner, answer.bytes_stream())),
    };
    // Closed by either side, the body is dropped, and what it holds.
    let body = Body::from_stream(body.into_data_stream().inspect(move |_| _ = &open));
    Response::builder().status(status).header("Content-Type", "application/json").body(body).expect("an answer")
}

fn refusal(status: u16, after: Option<&'static str>) -> Response<Body> {
    let mut answer = Response::builder().status(StatusCode::from_u16(status).expect("a status"));
    if let Some(after) = after {
        answer = answer.header("Retry-After", after);
    }
    answer.body(Body::from("the front refuses")).expect("an answer")
}

/// The stream, torn when it goes down.
fn until_down<E: std::error::Error + Send + Sync + 'static>(
    inner: &Inner,
    body: impl Stream<Item = Result<bytes::Bytes, E>> + Send + 'static,
) -> impl Stream<Item = io::Result<bytes::Bytes>> + Send + 'static {
    let mut weather = inner.weather.subscribe();
    let down = async move {
        let _ = weather.wait_for(|now| matches!(now, Weather::Down)).await;
    };
    let torn = stream::once(async { Err(io::Error::other("torn")) });
    body.map(|piece| piece.map_err(io::Error::other)).take_until(Box::pin(down)).chain(torn_if_down(inner.weather.subscribe(), torn))
}

/// `torn`, if it went down; else nothing.
fn torn_if_down(
    weather: watch::Receiver<Weather>,
    torn: impl Stream<Item = io::Result<bytes::Bytes>> + Send + 'static,
) -> impl Stream<Item = io::Result<bytes::Bytes>> + Send + 'static {
    Box::pin(torn).filter(move |_| std::future::ready(matches!(*weather.borrow(), Weather::Down)))
}

/// The list with four items more that are no objects.
fn spoiled_list(list: &str) -> String {
    let mut list: serde_json::Value = serde_json::from_str(list).expect("a list");
    if let Some(items) = list["items"].as_array_mut() {
        let deep = (0..90).fold(serde_json::Value::Null, |inside, _| serde_json::json!([inside]));
        items.extend([serde_json::json!(5), serde_json::Value::Null, serde_json::json!({"metadata": {"uid": 7, "name": []}}), deep]);
    }
    list.to_string()
}

/// What no watch should ever say: no JSON, no type, no object, and far too much.
fn spoiled_watch() -> impl Stream<Item = io::Result<bytes::Bytes>> + Send + 'static {
    let lines = ["<html>\n", "{\"type\": \"ADDED\"}\n", "{\"type\": \"MODIFIED\", \"object\": [1]}\n", "\u{0}\n"].map(bytes::Bytes::from);
    let long = (0..17).map(|_| bytes::Bytes::from(vec![b'x'; 1 << 20])).chain([bytes::Bytes::from("\n")]);
    stream::iter(lines.into_iter().chain(long).map(Ok))
}
