//! The `Stream` service: what Grafana Live asks. What is sent is in [`crate::live`].
//!
//! A channel says what it keeps current; the datasource's own filters come on top whatever it says. A datasource that forwards the viewer's
//! identity lets nobody in, since the published types carry no headers here. Nothing is published by viewers.

use super::failure::{Failure, alone};
use super::host::Host;
use crate::instance::Instance;
use crate::live;
use crate::live::channel::Topic;
use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, unfold};
use grafana_plugin_sdk::pluginv2::stream_server::Stream;
use grafana_plugin_sdk::pluginv2::{
    PluginContext, PublishStreamRequest, PublishStreamResponse, RunStreamRequest, StreamPacket, SubscribeStreamRequest,
    SubscribeStreamResponse, publish_stream_response, subscribe_stream_response,
};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status};

use subscribe_stream_response::Status as Entry;

/// Frames that wait for a host that is slow.
const WAITING: usize = 4;

impl Host {
    /// What a channel keeps current, and where; or why it is nothing.
    async fn channel(&self, context: Option<PluginContext>, path: &str) -> Result<(Arc<Instance>, Topic), Entry> {
        let context = context.unwrap_or_default();
        let uid = context.data_source_instance_settings.as_ref().map_or("", |settings| &settings.uid);
        let topic = self.topics().topic(context.org_id, uid, path).ok_or(Entry::NotFound)?;
        let instance = self.instance(context).await.map_err(|_: Failure| Entry::NotFound)?;
        if instance.settings().forward_identity {
            return Err(Entry::PermissionDenied);
        }
        // A path that asks for what no query may is nobody's.
        topic.query(jiff::Timestamp::now()).map_err(|_| Entry::NotFound)?;
        Ok((instance, topic))
    }
}

#[tonic::async_trait]
impl Stream for Host {
    type RunStreamStream = BoxStream<'static, Result<StreamPacket, Status>>;

    async fn subscribe_stream(&self, request: Request<SubscribeStreamRequest>) -> Result<Response<SubscribeStreamResponse>, Status> {
        let SubscribeStreamRequest { plugin_context, path, .. } = request.into_inner();
        let status = self.channel(plugin_context, &path).await.err().unwrap_or(Entry::Ok).into();
        Ok(Response::new(SubscribeStreamResponse { status, data: Vec::new() }))
    }

    async fn run_stream(&self, request: Request<RunStreamRequest>) -> Result<Response<Self::RunStreamStream>, Status> {
        let RunStreamRequest { plugin_context, path, .. } = request.into_inner();
        let (instance, topic) = self.channel(plugin_context, &path).await.map_err(|entry| match entry {
            Entry::PermissionDenied => {
                Status::permission_denied("this datasource forwards the viewer's identity, which streams do not carry")
            }
            _ => Status::not_found("nobody asked for this channel lately: the panel's next refresh makes a new one"),
        })?;
        let (out, packets) = mpsc::channel(WAITING);
        let work = AbortOnDropHandle::new(tokio::spawn(alone(async move {
            live::run(instance, topic, out).await;
            Ok(())
        })));
        // The host leaves by dropping the stream: then the work goes with it.
        let stream = unfold((packets, work), |(mut packets, work)| async move {
            let data = packets.recv().await?;
            Some((Ok(StreamPacket { data }), (packets, work)))
        });
        Ok(Response::new(stream.boxed()))
    }

    async fn publish_stream(&self, _: Request<PublishStreamRequest>) -> Result<Response<PublishStreamResponse>, Status> {
        let status = publish_stream_response::Status::PermissionDenied.into();
        Ok(Response::new(PublishStreamResponse { status, data: Vec::new() }))
    }
}
