//! What all services share: the datasources that were asked lately.
//!
//! Grafana sends a datasource's settings with every request. An [`Instance`], which holds connections and cached answers, is kept per
//! datasource until its settings' time of change is another one.

use super::context::{Place, datasource, given};
use super::failure::{Failure, alone};
use crate::instance::Instance;
use crate::settings::Settings;
use grafana_plugin_sdk::pluginv2::{DataSourceInstanceSettings, PluginContext};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

/// So many datasources are kept; of more, those that were asked last.
const KEPT: NonZeroUsize = NonZeroUsize::new(100).unwrap();

/// What is served.
#[derive(Clone)]
pub(super) struct Host {
    kept: Arc<Mutex<LruCache<Place, Kept>>>,
}

struct Kept {
    /// When its settings were changed, as Grafana says, in milliseconds.
    updated: i64,
    instance: Arc<Instance>,
}

impl Default for Host {
    fn default() -> Self {
        Self { kept: Arc::new(Mutex::new(LruCache::new(KEPT))) }
    }
}

impl Host {
    /// The datasource a request is for, with its raw `jsonData`. New if it was never asked or was changed since.
    pub(super) async fn instance(&self, context: PluginContext) -> Result<(Arc<Instance>, Vec<u8>), Failure> {
        let host = self.clone();
        alone(async move {
            let (place, settings) = datasource(context)?;
            let instance = host.find(place, &settings)?;
            Ok((instance, settings.json_data))
        })
        .await
    }

    fn find(&self, place: Place, settings: &DataSourceInstanceSettings) -> Result<Arc<Instance>, Failure> {
        // Nothing is reached while it is locked: an instance opens nothing before it is asked.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(&place).filter(|it| it.updated == settings.last_updated_ms) {
            return Ok(found.instance.clone());
        }
        let parsed = Settings::parse(&given(settings)).map_err(Failure::refused)?;
        let instance = Arc::new(Instance::new(parsed)?);
        tracing::debug!(org = place.org, uid = place.uid, updated = settings.last_updated_ms, "a datasource's settings are new");
        kept.put(place, Kept { updated: settings.last_updated_ms, instance: instance.clone() });
        Ok(instance)
    }
}
