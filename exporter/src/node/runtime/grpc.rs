//! One unary gRPC call over a unix socket: the counterpart of `http.rs`.
//!
//! One HTTP/2 connection carries all calls, so a slow one holds up no other; it is opened at the first call and again
//! whenever it was lost. Answers are handed over as bytes: parsing, and limiting, is the caller's.

use super::error::{RuntimeError, one_line};
use bytes::{Buf, Bytes};
use hyper::Uri;
use hyper::http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use prost::Message;
use std::error::Error;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// A socket that speaks gRPC.
pub(super) struct Socket {
    endpoint: PathBuf,
    channel: OnceLock<Channel>,
    connections: Arc<AtomicU64>,
}

/// Marks a failed `connect(2)` among the causes tonic passes on.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect")]
struct Dial(#[source] io::Error);

impl Socket {
    pub(super) fn new(endpoint: PathBuf) -> Self {
        Self { endpoint, channel: OnceLock::new(), connections: Arc::default() }
    }

    pub(super) fn endpoint(&self) -> &Path {
        &self.endpoint
    }

    /// How often a connection was opened so far.
    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Calls `method`; an answer is at most `limit` bytes. `None`: the server says that there is no such thing.
    pub(super) async fn call<Q: Message + 'static>(
        &self,
        method: &'static str,
        request: Q,
        limit: usize,
        deadline: Instant,
    ) -> Result<Option<Bytes>, RuntimeError> {
        let exchange = async {
            let mut grpc = tonic::client::Grpc::new(self.channel()).max_decoding_message_size(limit);
            grpc.ready().await.map_err(|e| Status::from_error(Box::new(e)))?;
            grpc.unary(Request::new(request), PathAndQuery::from_static(method), AsBytes(PhantomData)).await
        };
        match timeout_at(deadline, exchange).await {
            Ok(Ok(answer)) => Ok(Some(answer.into_inner())),
            Ok(Err(status)) if is_gone(&status) => Ok(None),
            Ok(Err(status)) => Err(self.error(&status, limit)),
            Err(_) => Err(RuntimeError::Hung { endpoint: self.endpoint.clone() }),
        }
    }

    /// Made inside the first call because it needs a running executor.
    fn channel(&self) -> Channel {
        let dial = || {
            let (endpoint, connections) = (self.endpoint.clone(), Arc::clone(&self.connections));
            let connect = tower::service_fn(move |_: Uri| {
                let (endpoint, connections) = (endpoint.clone(), Arc::clone(&connections));
                async move {
                    let stream = UnixStream::connect(endpoint).await.map_err(Dial)?;
                    connections.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, Dial>(TokioIo::new(stream))
                }
            });
            // The name is only what `:authority` says; a socket's path would not be a valid one.
            Endpoint::from_static("http://localhost").connect_with_connector_lazy(connect)
        };
        self.channel.get_or_init(dial).clone()
    }

    fn error(&self, status: &Status, limit: usize) -> RuntimeError {
        let endpoint = self.endpoint.clone();
        if let Some(source) = connect_failure(status) {
            return RuntimeError::connecting(&endpoint, source);
        }
        let message = || one_line(&format!("{:?}: {}", status.code(), status.message()));
        match status.code() {
            Code::Unimplemented => RuntimeError::NotCriV1 { endpoint, message: one_line(status.message()) },
            // Our own limit, or that of the server.
            Code::OutOfRange | Code::ResourceExhausted => RuntimeError::TooLarge { endpoint, limit },
            // A cause means that it broke on our side of the wire; Internal is what tonic says of a cut-off message.
            code if code == Code::Internal || status.source().is_some() => RuntimeError::Garbage { endpoint, source: message().into() },
            _ => RuntimeError::Failed { endpoint, message: message() },
        }
    }
}

/// The failed `connect(2)` behind a status, if that is what it is.
fn connect_failure(status: &Status) -> Option<io::Error> {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(Dial(io)) = error.downcast_ref::<Dial>() {
            let by_text = || io::Error::new(io.kind(), io.to_string());
            return Some(io.raw_os_error().map_or_else(by_text, io::Error::from_raw_os_error));
        }
        cause = error.source();
    }
    None
}

/// Whether the runtime says that it has no such container. cri-dockerd passes the engine's words on without a code.
fn is_gone(status: &Status) -> bool {
    status.code() == Code::NotFound || (status.code() == Code::Unknown && status.message().contains("No such container"))
}

/// Sends a protobuf message, receives bytes.
struct AsBytes<Q>(PhantomData<Q>);

impl<Q: Message + 'static> Codec for AsBytes<Q> {
    type Encode = Q;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Self(PhantomData)
    }
}

impl<Q: Message> Encoder for AsBytes<Q> {
    type Item = Q;
    type Error = Status;

    fn encode(&mut self, item: Q, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(out).map_err(|e| Status::internal(e.to_string()))
    }
}

impl<Q> Decoder for AsBytes<Q> {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, answer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(answer.copy_to_bytes(answer.remaining())))
    }
}
