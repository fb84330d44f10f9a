//! One connection, from its first byte to its last: TLS, HTTP with limits, and an end whatever the client does.
//!
//! Apart from accepting (`door`), because here nothing may take the other connections down. Time limits are kept by a
//! [`Pulse`] rather than by hyper, whose header timeout also counts the quiet between two scrapes.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::gate;
use super::listener::Limits;
use super::pulse::{Beating, Pulse};
use super::web_config::WebConfig;

/// The most a request's line and headers may take, in bytes. Browsers and proxies stay below 16 KiB.
const MAX_HEAD: usize = 64 << 10;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 64;
/// How long a silent connection gets to take its farewell (HTTP/2's GOAWAY).
const FAREWELL: Duration = Duration::from_secs(1);

/// What all connections share.
pub(super) struct Server {
    pub(super) app: Router,
    pub(super) web: WebConfig,
    pub(super) limits: Limits,
    /// Set when no new request is to be taken.
    pub(super) closing: CancellationToken,
    /// Set when those in flight have had their time.
    pub(super) cut: CancellationToken,
}

/// Serves one connection until it ends, or until it is cut.
pub(super) async fn run(server: Arc<Server>, stream: TcpStream, peer: SocketAddr) {
    let cut = server.cut.clone();
    tokio::select! {
        () = cut.cancelled() => {}
        () = secured(server, stream, peer) => {}
    }
}

/// Encrypts the connection if that is configured, and speaks HTTP over it.
async fn secured(server: Arc<Server>, stream: TcpStream, peer: SocketAddr) {
    // Answers are small and complete: waiting to fill a packet only delays them. Failing costs nothing else.
    let _ = stream.set_nodelay(true);
    let settings = server.web.current().await;
    let Some(config) = settings.tls() else {
        return Box::pin(speak(server, stream, peer, false)).await; // boxed: thousands of plain ones need not hold room for TLS
    };
    drop(settings);
    let done = tokio::select! {
        () = server.closing.cancelled() => return,
        done = timeout(server.limits.handshake, Box::pin(handshake(config, stream))) => done,
    };
    match done {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            Box::pin(speak(server, stream, peer, http2)).await;
        }
        Ok(Err(error)) => tracing::debug!(%peer, %error, "A TLS handshake failed."),
        Err(_) => tracing::debug!(%peer, "A TLS handshake took too long."),
    }
}

/// The TLS handshake. Who speaks plain HTTP to this port is told so instead of being cut off.
async fn handshake(config: Arc<ServerConfig>, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    const PLAIN: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
        This port speaks HTTPS: ask for https:// instead of http://.\n";
    let mut first = [0];
    // A TLS record begins with 22 (RFC 8446 section 5.1), an HTTP method with a capital letter.
    if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await?; // unread bytes would turn the answer into a reset
        stream.write_all(PLAIN).await?;
        stream.shutdown().await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP on an HTTPS port"));
    }
    TlsAcceptor::from(config).accept(stream).await
}

/// Speaks HTTP until the client leaves, falls silent, or the server closes.
async fn speak<S>(server: Arc<Server>, stream: S, peer: SocketAddr, http2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pulse = Arc::new(Pulse::new(&server.limits));
    let io = TokioIo::new(Beating::new(stream, Arc::clone(&pulse)));
    let (shared, heard) = (Arc::clone(&server), Arc::clone(&pulse));
    let service = service_fn(move |request: Request<Incoming>| {
        heard.asked();
        let server = Arc::clone(&shared);
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            gate::answer(&server.web, server.app.clone(), request).await
        }
    });
    let builder = http(http2);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut closing = pin!(server.closing.cancelled());
    let mut open = true;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = closing.as_mut(), if open => {
                open = false;
                connection.as_mut().graceful_shutdown();
            }
            () = pulse.stops() => {
                connection.as_mut().graceful_shutdown();
                let _ = timeout(FAREWELL, connection.as_mut()).await;
                tracing::debug!(%peer, "Closed a silent connection.");
                return;
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "A connection ended early.");
    }
}

/// HTTP/2 where TLS agreed on it, else HTTP/1; never by guessing from the first bytes.
fn http(http2: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEAD as u32).max_concurrent_streams(MAX_STREAMS);
    if http2 { builder.http2_only() } else { builder.http1_only() }
}
