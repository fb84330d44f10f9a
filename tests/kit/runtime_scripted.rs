//! A container runtime that says what a test tells it to: a unix socket that speaks gRPC over HTTP/2 and plain HTTP/1.1,
//! told apart by the first bytes of a connection, as CRI-O does it.
//!
//! A test gives a function from (what was asked, with which message) to a [`Reply`]; every call is noted.

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::net::UnixListener;
use tokio::task::{JoinHandle, JoinSet};

/// What the runtime does with one call.
pub(crate) enum Reply {
    /// gRPC: one message.
    Message(Vec<u8>),
    /// gRPC: a status other than OK, by its number.
    Status(u8, String),
    /// gRPC: these bytes where a length-prefixed message belongs, then OK.
    Raw(Vec<u8>),
    /// HTTP/1.1: a status and a body.
    Http(u16, String),
    /// HTTP/1.1: says that more bytes come than do.
    HttpShort(String),
    /// HTTP/1.1: a body that never ends.
    HttpEndless,
    /// Begins to answer and breaks the stream off.
    Cut,
    /// Takes the call and never answers.
    Never,
}

type Script = Arc<dyn Fn(&str, &[u8]) -> Reply + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A scripted runtime; it ends when dropped, its socket file stays.
pub(crate) struct Scripted {
    socket: PathBuf,
    calls: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// Listens on `socket`, whose folder is made. What is asked is `Method` for CRI and `GET /path host` for HTTP.
    pub(crate) fn start(socket: &Path, script: impl Fn(&str, &[u8]) -> Reply + Send + Sync + 'static) -> Self {
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).unwrap();
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let task = tokio::spawn(serve(listener, Arc::new(script), Arc::clone(&calls)));
        Self { socket: socket.to_path_buf(), calls, task }
    }

    /// How often something that begins so was asked.
    pub(crate) fn calls(&self, beginning: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.starts_with(beginning)).count()
    }

    /// Dies like a killed process: connections break, the socket file stays.
    pub(crate) async fn die(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Waits until `beginning` was asked `times` times.
    pub(crate) async fn asked(&self, beginning: &str, times: usize) {
        while self.calls(beginning) < times {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: UnixListener, script: Script, calls: Arc<Mutex<Vec<String>>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (script, calls) = (Arc::clone(&script), Arc::clone(&calls));
        connections.spawn(async move {
            let answer = service_fn(move |request| answer(request, Arc::clone(&script), Arc::clone(&calls)));
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(request: Request<Incoming>, script: Script, calls: Arc<Mutex<Vec<String>>>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().unwrap().as_str().to_owned();
    let asked = if head.version == Version::HTTP_2 {
        assert_eq!(head.headers.get(CONTENT_TYPE).unwrap(), "application/grpc");
        path.strip_prefix("/runtime.v1.RuntimeService/").unwrap_or(&path).to_owned()
    } else {
        format!("{} {path} {}", head.method, head.headers.get(HOST).unwrap().to_str().unwrap())
    };
    calls.lock().unwrap().push(asked.clone());
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let reply = script(&asked, body.get(5..).unwrap_or_default());
    Ok(match reply {
        Reply::Message(message) => grpc(framed(&message)),
        Reply::Status(code, message) => status_only(code, &message),
        Reply::Raw(bytes) => grpc(bytes.into()),
        Reply::Http(status, text) => http(status, text.into()),
        Reply::HttpShort(text) => {
            let mut short = http(200, text.into());
            short.headers_mut().insert("content-length", HeaderValue::from_static("100000"));
            short
        }
        Reply::HttpEndless => {
            let piece = Bytes::from(vec![b' '; 1 << 16]);
            let pieces = futures_util::stream::repeat_with(move || Ok(Frame::data(piece.clone())));
            Response::new(BodyExt::boxed_unsync(StreamBody::new(pieces)))
        }
        Reply::Cut => {
            let pieces = [Ok(Frame::data(Bytes::from_static(&[0, 0, 0, 1, 0, 10]))), Err(io::Error::other("cut"))];
            let mut cut = grpc(Bytes::new());
            *cut.body_mut() = BodyExt::boxed_unsync(StreamBody::new(futures_util::stream::iter(pieces)));
            cut
        }
        Reply::Never => std::future::pending().await,
    })
}

/// gRPC's length-prefixed message: a byte that says "not compressed", four bytes of length, the message.
fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).unwrap());
    out.put_slice(message);
    out.freeze()
}

fn grpc(body: Bytes) -> Response<Body> {
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let body = Full::new(body).with_trailers(async { Some(Ok::<_, Infallible>(trailers)) });
    let mut response = Response::new(BodyExt::boxed_unsync(body.map_err(|never| match never {})));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

fn status_only(code: u8, message: &str) -> Response<Body> {
    let mut response = http(200, Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(u16::from(code)));
    headers.insert("grpc-message", HeaderValue::from_str(message).unwrap());
    response
}

fn http(status: u16, body: Bytes) -> Response<Body> {
    let mut response = Response::new(BodyExt::boxed_unsync(Full::new(body).map_err(|never| match never {})));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("server", HeaderValue::from_static("Docker/20.10.24 (linux)"));
    response
}
