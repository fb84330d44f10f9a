//! The connections a host makes, and their end.
//!
//! Apart from tonic's own server, which ends when an accept fails (no file descriptor left), and which answers a call that is past its
//! caller's deadline with something the caller cannot read. Here a deadline is the caller's own: it hangs up, and the work is dropped.

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// After a failed accept: somebody has to give a descriptor back first.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers until `end`; then takes no new calls, and returns when those are answered that are under way.
pub(super) async fn serve(listener: TcpListener, routes: Routes, end: CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new()).http2_only();
    // One connection carries everything a host asks, each open stream included.
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(None);
    let service = TowerToHyperService::new(routes.prepare().into_axum_router());
    let open = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = end.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(cause) => {
                tracing::warn!(%cause, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Fails only where the connection has ended, which shows when it is read.
        let _ = stream.set_nodelay(true);
        let connection = open.watch(builder.serve_connection(TokioIo::new(stream), service.clone()).into_owned());
        tokio::spawn(async move {
            if let Err(cause) = connection.await {
                tracing::debug!(cause, "a connection of the host failed");
            }
        });
    }
    open.shutdown().await;
}
