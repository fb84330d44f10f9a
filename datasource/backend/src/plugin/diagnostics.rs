//! The `Diagnostics` service: what "Save & test" says, and what this process counts.

use super::context::identity;
use super::failure::{Failure, alone};
use super::host::Host;
use crate::metrics::METRICS;
use crate::origin::Health;
use grafana_plugin_sdk::pluginv2::check_health_response::HealthStatus;
use grafana_plugin_sdk::pluginv2::collect_metrics_response::Payload;
use grafana_plugin_sdk::pluginv2::diagnostics_server::Diagnostics;
use grafana_plugin_sdk::pluginv2::{CheckHealthRequest, CheckHealthResponse, CollectMetricsRequest, CollectMetricsResponse};
use serde_json::json;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl Diagnostics for Host {
    async fn check_health(&self, request: Request<CheckHealthRequest>) -> Result<Response<CheckHealthResponse>, Status> {
        let CheckHealthRequest { plugin_context, headers } = request.into_inner();
        let context = plugin_context.unwrap_or_default();
        if context.data_source_instance_settings.is_none() {
            return Ok(Response::new(told(&Health { ok: true, message: "the backend runs".to_owned(), details: Vec::new() })));
        }
        let health = match self.instance(context).await {
            Ok(instance) => {
                let who = identity(&headers);
                alone(async move { Ok(instance.check(&who).await) }).await
            }
            Err(failure) => Err(failure),
        };
        let failed = |failure: Failure| Health { ok: false, message: failure.text, details: Vec::new() };
        Ok(Response::new(told(&health.unwrap_or_else(failed))))
    }

    async fn collect_metrics(&self, _: Request<CollectMetricsRequest>) -> Result<Response<CollectMetricsResponse>, Status> {
        let text = METRICS.text().map_err(|cause| Status::internal(cause.to_string()))?;
        Ok(Response::new(CollectMetricsResponse { metrics: Some(Payload { prometheus: text.into_bytes() }) }))
    }
}

/// As Grafana shows it: the message in bold, `verboseMessage` below it.
fn told(health: &Health) -> CheckHealthResponse {
    let details = if health.details.is_empty() { json!({}) } else { json!({ "verboseMessage": health.details.join("\n") }) };
    CheckHealthResponse {
        status: if health.ok { HealthStatus::Ok } else { HealthStatus::Error }.into(),
        message: health.message.clone(),
        json_details: details.to_string().into_bytes(),
    }
}
