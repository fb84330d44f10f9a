//! Listening, accepting and draining: `Listeners::bind`, then [`serve`] until told to stop.
//!
//! Apart from who is let in (`door`) and from what happens on one connection (`connection`).
//! To add a limit: one field of [`Limits`], its default, and its use there.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;

use super::address::listen_on;
use super::door::Door;
use super::web_config::{WebConfig, WebError};

/// What a client may take of this server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; one more is closed as soon as it is accepted.
    pub connections: u32,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time from the connection to the end of its first request's head.
    pub request_head: Duration,
    /// Time in which nothing was written to the client, after which the connection is closed: between two requests, and
    /// during one. A stream must therefore say something more often than this.
    pub idle: Duration,
    /// Time for requests in flight when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    /// 512 connections; 10 s each for handshake, head and drain; 90 s idle, which is more than Prometheus' default scrape
    /// interval of a minute, so that a scraper can keep its connection.
    fn default() -> Self {
        let patience = Duration::from_secs(10);
        Self { connections: 512, handshake: patience, request_head: patience, idle: Duration::from_secs(90), drain: patience }
    }
}

/// Sockets that listen already, and the limits for who comes.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<(SocketAddr, TcpListener)>,
    limits: Limits,
}

impl Listeners {
    /// Listens on all of `addresses`: `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for every interface, IPv6 and IPv4.
    /// Fails if one of them cannot be had, and if there is none.
    pub fn bind(addresses: &[String], limits: Limits) -> Result<Self, WebError> {
        if addresses.is_empty() {
            let (address, problem) = (String::new(), "there is none");
            return Err(WebError::Address { address, problem });
        }
        let sockets = addresses.iter().map(|address| listen_on(address));
        Ok(Self { sockets: sockets.collect::<Result<_, _>>()?, limits })
    }

    /// The addresses in the order given, with the ports the kernel chose where 0 was asked for.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|(address, _)| *address).collect()
    }
}

/// Serves `app` on all listeners, protected as `web_config` says, until `shutdown` is done; then stops accepting, lets
/// requests in flight finish for at most [`Limits::drain`], and returns. Must be called in a tokio runtime.
pub async fn serve(listeners: Listeners, app: Router, web_config: WebConfig, shutdown: impl Future<Output = ()>) -> Result<(), WebError> {
    let tls = web_config.is_tls();
    let door = Door::new(app, web_config, listeners.limits);
    let mut accepting = Vec::new();
    for (address, socket) in listeners.sockets {
        let socket = tokio::net::TcpListener::from_std(socket).map_err(|source| {
            let (address, remedy) = (address.to_string(), "the runtime cannot watch it");
            WebError::Listen { address, remedy, source }
        })?;
        tracing::debug!(%address, tls, "Accepting.");
        accepting.push(door.accept(socket));
    }
    tokio::select! {
        () = shutdown => {}
        _ = join_all(accepting) => {}
    }
    door.close().await;
    Ok(())
}
