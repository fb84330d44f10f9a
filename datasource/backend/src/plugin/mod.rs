//! What Grafana's host says over gRPC, and the life of the process: handshake, services, the end.
//!
//! The generated types and services are the SDK's, everything around them is ours, since the SDK's own server knows no `Shutdown`, takes
//! 4 MiB, refuses a whole request for one bad query or an unknown role, and logs secrets. One file per service (`data`, `diagnostics`,
//! `resource`, `stream`, `controller`); `host` holds what they share. Left out, because the published types lack them: the source of an
//! error, headers of streams, chunked answers. `GRPCStdio` and `GRPCBroker` are not served; a host takes `UNIMPLEMENTED` as "has none".

mod context;
mod controller;
mod data;
mod diagnostics;
mod failure;
mod host;
mod incoming;
mod log;
mod resource;
mod stream;

use controller::Controller;
use grafana_plugin_sdk::pluginv2::data_server::DataServer;
use grafana_plugin_sdk::pluginv2::diagnostics_server::DiagnosticsServer;
use grafana_plugin_sdk::pluginv2::resource_server::ResourceServer;
use grafana_plugin_sdk::pluginv2::stream_server::StreamServer;
use host::Host;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::health_reporter;

/// What a host puts into the environment of a plugin it starts (go-plugin's "magic cookie").
pub const COOKIE: (&str, &str) = ("grafana_plugin_type", "datasource");

/// Largest request. As Grafana's own SDK for backends.
const LARGEST: usize = 16 << 20;

/// How long calls may go on after the host asked for the end.
const DRAIN: Duration = Duration::from_millis(100);

/// Enough for name look-ups, the only thing that blocks.
const BLOCKING_THREADS: usize = 4;

/// Serves until the host says that it is enough.
pub fn run() -> ExitCode {
    log::install();
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            tracing::error!(%cause, "the datasource backend ends");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).max_blocking_threads(BLOCKING_THREADS).enable_all().build()?;
    let outcome = runtime.block_on(until_the_end());
    // What is still under way is dropped; a thread in a name look-up is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn until_the_end() -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    // From now on the host may connect, and waits until it is served.
    say(listener.local_addr()?)?;
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let end = CancellationToken::new();
    let serving = answer(listener, end.clone());
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(()),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = end.cancelled() => {}
    }
    end.cancel();
    // What is not answered by then is dropped.
    let _ = tokio::time::timeout(DRAIN, serving).await;
    Ok(())
}

/// The one line a host reads: version of the handshake, of Grafana's protocol; network; address; what is spoken there.
fn say(address: SocketAddr) -> io::Result<()> {
    let line = format!("1|2|tcp|{address}|grpc\n");
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

/// All services on one listener, until `end`; then those calls end that are under way.
async fn answer(listener: TcpListener, end: CancellationToken) {
    let host = Host::default();
    let (mut reporter, health) = health_reporter();
    for name in ["plugin", "pluginv2.Data", "pluginv2.Diagnostics", "pluginv2.Resource", "pluginv2.Stream"] {
        reporter.set_service_status(name, ServingStatus::Serving).await;
    }
    let routes = Routes::new(health)
        .add_service(Controller::new(end.clone()))
        .add_service(DataServer::new(host.clone()).max_decoding_message_size(LARGEST))
        .add_service(DiagnosticsServer::new(host.clone()).max_decoding_message_size(LARGEST))
        .add_service(ResourceServer::new(host.clone()).max_decoding_message_size(LARGEST))
        .add_service(StreamServer::new(host).max_decoding_message_size(LARGEST));
    incoming::serve(listener, routes, end).await;
}
