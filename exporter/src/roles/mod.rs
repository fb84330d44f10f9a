//! The roles a process can have: which sources, which journal, which routes. One file each; what all of them do is here.
//!
//! Apart from `main`, which parses and logs, so that a role is wired in a place a test can call. To add a role: a file here, its flags in
//! `config/`, an arm in `main`.

pub mod cluster;
pub mod journal;
pub mod node;
pub mod record;
pub mod replay;
pub mod standalone;

mod runs;

use crate::config::{Look, Web};
use crate::node::runtime::Runtime;
use crate::node::sweeper::{self, Sweeper};
use crate::serve::listener::{self, Limits, Listeners};
use crate::serve::web_config::WebConfig;
use anyhow::Context as _;
use std::process::ExitCode;

/// Exit code of wrong usage.
pub const USAGE: u8 = 2;

/// What went wrong, and the exit code: 2 for what is wrong with the flags, 1 for what goes wrong later.
pub type Failure = (anyhow::Error, u8);

fn usage(error: impl Into<anyhow::Error>) -> Failure {
    (error.into(), USAGE)
}

fn later(error: impl Into<anyhow::Error>) -> Failure {
    (error.into(), 1)
}

/// A web server that has its addresses, and nothing to say yet.
struct Door {
    listeners: Listeners,
    web_config: WebConfig,
}

impl Door {
    /// Reads the web configuration and takes the addresses.
    fn open(web: &Web) -> Result<Self, Failure> {
        Self::with(web, Limits::default())
    }

    /// The same with limits of one's own.
    fn with(web: &Web, limits: Limits) -> Result<Self, Failure> {
        let web_config = WebConfig::load(web.config_file.as_deref()).map_err(usage)?;
        let listeners = Listeners::bind(&web.listen_address, limits).map_err(usage)?;
        Ok(Self { listeners, web_config })
    }

    /// Serves until a signal comes, tells `closing`, and lets requests in flight finish.
    async fn serve(self, app: axum::Router, closing: impl FnOnce() + Send + 'static) -> Result<ExitCode, Failure> {
        let scheme = if self.web_config.is_tls() { "https" } else { "http" };
        for address in self.listeners.local_addrs() {
            tracing::info!(version = env!("CARGO_PKG_VERSION"), "listening on {scheme}://{address}");
        }
        let asked = shutdown().map_err(later)?;
        let asked = async move {
            asked.await;
            closing();
        };
        listener::serve(self.listeners, app, self.web_config, asked).await.map_err(later)?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// Done when SIGTERM or SIGINT comes.
fn shutdown() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests in flight are finished");
    })
}

/// Reads this host as the flags say.
pub fn sweeper(look: &Look, members: bool) -> Sweeper {
    let config = sweeper::Config {
        procfs: look.path_procfs.clone(),
        named: look.path_netns.clone(),
        threads: look.sweep_threads.into(),
        host_network: look.host_network,
        members,
    };
    let (choice, endpoint, root) = (look.runtime, look.runtime_endpoint.clone(), look.path_host.clone());
    Sweeper::new(config, Box::new(move || Runtime::find(choice, endpoint.as_ref(), &root)))
}
