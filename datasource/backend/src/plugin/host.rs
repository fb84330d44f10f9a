//! What all services share: the datasources that were asked lately.
//!
//! Grafana sends a datasource's settings with every request; [`Instances`] keeps what was made of them until they are changed.

use super::context::given;
use super::failure::{Failure, alone};
use crate::instance::{Instance, Instances};
use crate::live::channel::Topics;
use crate::settings::Settings;
use grafana_plugin_sdk::pluginv2::PluginContext;
use std::sync::Arc;

/// What is served.
#[derive(Clone, Default)]
pub(super) struct Host {
    instances: Arc<Instances>,
    topics: Arc<Topics>,
}

impl Host {
    /// What live channels keep current.
    pub(super) fn topics(&self) -> Arc<Topics> {
        Arc::clone(&self.topics)
    }

    /// The datasource a request is for. New if it was never asked or was changed since.
    pub(super) async fn instance(&self, context: PluginContext) -> Result<Arc<Instance>, Failure> {
        let instances = self.instances.clone();
        alone(async move {
            let missing = || Failure::refused("Grafana sent no settings of a datasource with this request");
            let settings = context.data_source_instance_settings.ok_or_else(missing)?;
            let parse = || Settings::parse(&given(&settings));
            Ok(instances.get(context.org_id, &settings.uid, settings.last_updated_ms, parse)?)
        })
        .await
    }
}
