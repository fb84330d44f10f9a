//! The way to the API server: a kubeconfig, or what a pod is given.
//!
//! Apart because it is done once, and because the defaults of the client library are not ours: it would repeat refused requests by itself, and
//! nobody would see why nothing comes.

use super::error::{Error, chain};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::PathBuf;
use std::time::Duration;

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);

/// Where the API server is said to be. Default: `$KUBECONFIG`, `~/.kube/config`, or what the pod we run in is given.
#[derive(Clone, Debug, Default)]
pub struct Whereabouts {
    /// A kubeconfig.
    pub kubeconfig: Option<PathBuf>,
    /// One of its contexts; `None`: its current one.
    pub context: Option<String>,
}

/// A client, and the server it goes to; nothing is asked yet. A token that is a file is read again within a minute of its change.
pub async fn connect(whereabouts: &Whereabouts) -> Result<Client, Error> {
    // Somebody else may have chosen before; then that holds.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = config(whereabouts).await?;
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    Client::try_from(config).map_err(|cause| Error::Config(chain(&cause)))
}

async fn config(whereabouts: &Whereabouts) -> Result<Config, Error> {
    let wrong = |cause: &dyn std::error::Error| Error::Config(chain(cause));
    let options = KubeConfigOptions { context: whereabouts.context.clone(), ..KubeConfigOptions::default() };
    match &whereabouts.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|cause| wrong(&cause))?;
            Config::from_custom_kubeconfig(file, &options).await.map_err(|cause| wrong(&cause))
        }
        None if whereabouts.context.is_some() => Config::from_kubeconfig(&options).await.map_err(|cause| wrong(&cause)),
        None => Config::infer().await.map_err(|cause| wrong(&cause)),
    }
}
