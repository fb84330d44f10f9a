//! The `Stream` service: what Grafana Live asks. Who may watch what, and what is sent, is in [`crate::live`].
//!
//! Nothing is published by viewers.

use super::host::Host;
use futures_util::stream::{Empty, empty};
use grafana_plugin_sdk::pluginv2::stream_server::Stream;
use grafana_plugin_sdk::pluginv2::{
    PublishStreamRequest, PublishStreamResponse, RunStreamRequest, StreamPacket, SubscribeStreamRequest, SubscribeStreamResponse,
    publish_stream_response, subscribe_stream_response,
};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl Stream for Host {
    type RunStreamStream = Empty<Result<StreamPacket, Status>>;

    async fn subscribe_stream(&self, _: Request<SubscribeStreamRequest>) -> Result<Response<SubscribeStreamResponse>, Status> {
        let status = subscribe_stream_response::Status::NotFound.into();
        Ok(Response::new(SubscribeStreamResponse { status, data: Vec::new() }))
    }

    async fn run_stream(&self, _: Request<RunStreamRequest>) -> Result<Response<Self::RunStreamStream>, Status> {
        // Ends at once: nobody was let in.
        Ok(Response::new(empty()))
    }

    async fn publish_stream(&self, _: Request<PublishStreamRequest>) -> Result<Response<PublishStreamResponse>, Status> {
        let status = publish_stream_response::Status::PermissionDenied.into();
        Ok(Response::new(PublishStreamResponse { status, data: Vec::new() }))
    }
}
