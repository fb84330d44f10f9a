//! The connections a host makes. Apart, because a failed accept must not end the process, as it would with the server's own.

use futures_util::Stream;
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// After a failed accept (no file descriptor left): somebody has to give one back first.
const PAUSE: Duration = Duration::from_millis(100);

/// One after another, for ever.
pub(super) fn connections(listener: TcpListener) -> impl Stream<Item = Result<TcpStream, Infallible>> {
    unfold(listener, |listener| async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Fails only where the connection has ended, which shows when it is read.
                    let _ = stream.set_nodelay(true);
                    return Some((Ok(stream), listener));
                }
                Err(cause) => {
                    tracing::warn!(%cause, "a connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    })
}
