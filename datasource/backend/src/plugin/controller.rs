//! `plugin.GRPCController`: a host asks for the end by it. Without, it waits two seconds and kills.
//!
//! By hand, since it is one method without content, and its definition belongs to the host's library.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tokio_util::sync::CancellationToken;
use tonic::body::BoxBody;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

const SHUTDOWN: &str = "/plugin.GRPCController/Shutdown";

/// Ends the process on request.
#[derive(Clone)]
pub(super) struct Controller {
    end: CancellationToken,
}

impl Controller {
    /// `end` is cancelled once a host asks for it.
    pub(super) fn new(end: CancellationToken) -> Self {
        Self { end }
    }
}

impl NamedService for Controller {
    const NAME: &'static str = "plugin.GRPCController";
}

/// The method `Shutdown(Empty) returns (Empty)`.
struct Shutdown(CancellationToken);

impl UnaryService<()> for Shutdown {
    type Response = ();
    type Future = Ready<Result<Response<()>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        tracing::debug!("the host asks for the end");
        self.0.cancel();
        ready(Ok(Response::new(())))
    }
}

impl Service<http::Request<BoxBody>> for Controller {
    type Response = http::Response<BoxBody>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<BoxBody>) -> Self::Future {
        let method = (request.uri().path() == SHUTDOWN).then(|| Shutdown(self.end.clone()));
        Box::pin(async move {
            Ok(match method {
                Some(method) => Grpc::new(tonic::codec::ProstCodec::<(), ()>::default()).unary(method, request).await,
                None => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}
