//! One GET of a component's page, with a limit on everything: time, bytes, redirects (none), what the answer may be.
//!
//! Over plain TCP, as components serve it, and over a connection of its own: a pod that was replaced needs no second try. Neither a proxy
//! nor TLS is ever used, which is why no general client is.

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::parse::Refused;

/// Longest page, in bytes, both as it comes and unpacked; real ones have 400 kB.
pub const MAX_PAGE: usize = 16 << 20;

/// Why there is no page.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody is there, or it hung up.
    #[error("no connection: {0}")]
    Unreachable(Arc<str>),
    /// The deadline came first.
    #[error("no whole answer in time")]
    Timeout,
    /// Another status than 200; redirects are not followed.
    #[error("the answer is HTTP {0}")]
    Status(u16),
    /// The answer is no text in the format asked for.
    #[error("the answer is {0:?}, not the text format")]
    ContentType(Arc<str>),
    /// More than [`MAX_PAGE`].
    #[error("the answer has more than {MAX_PAGE} bytes")]
    TooLarge,
    /// Not what its coding says.
    #[error("the answer is not what its Content-Encoding says: {0}")]
    Coding(Arc<str>),
    /// The page is not taken.
    #[error("the page is not taken: {0}")]
    Page(#[from] Refused),
}

/// Every [`Failure::reason`].
pub const REASONS: [&str; 6] = ["unreachable", "timeout", "status", "content_type", "too_large", "malformed"];

impl Failure {
    /// As label value; one of [`REASONS`].
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout => "timeout",
            Self::Status(_) => "status",
            Self::ContentType(_) => "content_type",
            Self::TooLarge | Self::Page(Refused::Many) => "too_large",
            Self::Coding(_) | Self::Page(_) => "malformed",
        }
    }
}

/// An answer as it came.
pub(super) struct Answer {
    body: Bytes,
    gzip: bool,
}

/// Gets a page; nothing is left behind when the deadline cuts in.
pub(super) async fn ask(url: &Uri, until: Instant) -> Result<Answer, Failure> {
    tokio::time::timeout_at(until.into(), exchange(url)).await.map_err(|_| Failure::Timeout)?
}

async fn exchange(url: &Uri) -> Result<Answer, Failure> {
    let unreachable = |error: &(dyn Error + 'static)| Failure::Unreachable(chain(error).into());
    let request = request(url).map_err(|error| unreachable(&error))?;
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, url.port_u16().unwrap_or(80))).await.map_err(|error| unreachable(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
    // Dropped, and with it the connection, at the end of this call or at the deadline.
    let mut pump = JoinSet::new();
    pump.spawn(connection);
    let (head, body) = sender.send_request(request).await.map(Response::into_parts).map_err(|error| unreachable(&error))?;
    if head.status != StatusCode::OK {
        return Err(Failure::Status(head.status.as_u16()));
    }
    let gzip = check(&head.headers)?;
    let body = Limited::new(body, MAX_PAGE).collect().await;
    let body = body.map_err(|error| if error.is::<LengthLimitError>() { Failure::TooLarge } else { unreachable(&*error) })?;
    Ok(Answer { body: body.to_bytes(), gzip })
}

fn request(url: &Uri) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    Request::get(url.path_and_query().map_or("/metrics", |path| path.as_str()))
        .header(HOST, url.authority().map_or("", |authority| authority.as_str()))
        .header(USER_AGENT, concat!("chaoscope/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "text/plain;version=0.0.4")
        .header(ACCEPT_ENCODING, "gzip")
        .header(CONNECTION, "close")
        .body(Empty::new())
}

/// Whether the body is gzip; an error for what is not the text format. Without a word about it, it is taken for that.
fn check(headers: &HeaderMap) -> Result<bool, Failure> {
    let text = |name: HeaderName| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let kind = text(CONTENT_TYPE).unwrap_or_default();
    if !matches!(kind.split(';').next().map(str::trim), Some("" | "text/plain")) {
        return Err(Failure::ContentType(kind.chars().take(80).collect::<String>().into()));
    }
    match text(CONTENT_ENCODING).as_deref().map(str::trim) {
        None | Some("" | "identity") => Ok(false),
        Some("gzip") => Ok(true),
        Some(other) => Err(Failure::Coding(format!("{:?} was not asked for", other.chars().take(80).collect::<String>()).into())),
    }
}

impl Answer {
    /// The page itself. Blocking: unpacking takes a while.
    pub(super) fn page(self) -> Result<Bytes, Failure> {
        if !self.gzip {
            return Ok(self.body);
        }
        let mut page = Vec::new();
        let read = GzDecoder::new(&*self.body).take(MAX_PAGE as u64 + 1).read_to_end(&mut page);
        read.map_err(|error| Failure::Coding(error.to_string().into()))?;
        if page.len() > MAX_PAGE { Err(Failure::TooLarge) } else { Ok(page.into()) }
    }
}

/// What failed, and why, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text.extend([": ", &error.to_string()]);
        cause = error.source();
    }
    text
}
