//! Where connections come in, and where it is seen that the last has gone.
//!
//! Apart from addresses and start (`listener`): nothing a client or a lack of files does ends the accepting in here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::{self, Server};
use super::episode::Episode;
use super::listener::Limits;
use super::web_config::WebConfig;

/// How long to wait before accepting again when the kernel could not give a connection a file.
const PAUSE: Duration = Duration::from_millis(250);

/// The way in for all listeners: a place per connection.
pub(super) struct Door {
    room: Arc<Semaphore>,
    full: Episode,
    server: Arc<Server>,
}

impl Door {
    /// A door with as many places as the limits say.
    pub(super) fn new(app: Router, web: WebConfig, limits: Limits) -> Self {
        let server = Server { app, web, limits, closing: CancellationToken::new(), cut: CancellationToken::new() };
        Self { room: Arc::new(Semaphore::new(limits.connections as usize)), full: Episode::default(), server: Arc::new(server) }
    }

    /// Accepts for ever. What goes wrong is logged when it starts and when it ends.
    pub(super) async fn accept(&self, socket: TcpListener) {
        let failing = Episode::default();
        loop {
            match socket.accept().await {
                Ok((stream, peer)) => {
                    if failing.ends() {
                        tracing::info!("Accepting connections again.");
                    }
                    self.admit(stream, peer);
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    if failing.begins() {
                        tracing::error!(%error, "Cannot accept connections; trying on. Is the limit of open files too low?");
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Gives a connection a task of its own, or closes it if there are too many.
    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            if self.full.begins() {
                let limit = self.server.limits.connections;
                tracing::warn!(limit, "Too many connections: new ones are closed at once.");
            }
            return;
        };
        if self.has_relaxed() && self.full.ends() {
            tracing::info!("There is room for connections again.");
        }
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let server = Arc::clone(&self.server);
        tokio::spawn(async move {
            connection::run(server, stream, peer).await;
            drop(place);
        });
    }

    /// Whether an eighth of the places is free: an episode that ended with each connection that leaves would fill the log.
    fn has_relaxed(&self) -> bool {
        self.room.available_permits() >= self.server.limits.connections as usize / 8
    }

    /// Lets requests in flight finish for a while, then cuts what is left.
    pub(super) async fn close(self) {
        self.server.closing.cancel();
        let all = self.server.limits.connections;
        if timeout(self.server.limits.drain, self.room.acquire_many(all)).await.is_err() {
            let left = all as usize - self.room.available_permits();
            tracing::warn!(connections = left, "Cutting connections that did not finish in time.");
            self.server.cut.cancel();
            // They end at their next poll; waiting for it means that nothing of them outlives the server.
            let _ = timeout(PAUSE, self.room.acquire_many(all)).await;
        }
    }
}

/// Whether an error of `accept` belongs to the connection that was to be accepted and not to this server: the list of
/// accept(2), "Error handling", without EOPNOTSUPP (which no TCP listener answers, and which would come again at once).
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EINTR
                | libc::ENETDOWN
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
        )
    )
}
