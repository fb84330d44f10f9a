//! `chaoscope node`: this host's kernel, read when somebody scrapes, and where the cluster role declares a fault.

use super::{Door, Failure, later, sweeper, usage};
use crate::config::{self, Node, Rules};
use crate::declared::{Link, Times};
use crate::node::host::HostSource;
use crate::node::limits;
use crate::peers::{Asking, Daemon, timer};
use crate::rounds::Rounds;
use crate::scrape::{Detail, Sources};
use crate::serve;
use std::process::ExitCode;
use std::sync::Arc;

/// Serves until a signal.
pub async fn run(flags: Node) -> Result<ExitCode, Failure> {
    let door = Door::open(&flags.web)?;
    let sweeper = Arc::new(sweeper(&flags.look, false));
    let rounds = Arc::new(Rounds::new(Arc::clone(&sweeper), link(&flags.link)?));
    let sources = Sources {
        sweeper: Some(sweeper),
        rounds: Some(Arc::clone(&rounds)),
        host: flags.source_host.then(|| HostSource::new(&flags.look.path_procfs)),
        peers: flags.peer.daemon.map(|peer| Asking::ByClock(Daemon::ask(peer, timer::EVERY))),
        detail: Detail { all_rules: flags.rules == Rules::All, upstream: flags.upstream_names },
        ..Sources::default()
    };
    sources.told.tell(&limits::capabilities());
    let app = serve::router(sources, &flags.web);
    let walk = tokio::spawn(async move { rounds.walk().await });
    let done = door.serve(app, || {}).await;
    walk.abort();
    done
}

/// The connection to the cluster role. What cannot mend by itself is said now.
fn link(flags: &config::Link) -> Result<Option<Link>, Failure> {
    flags.ends().map_err(|wrong| usage(anyhow::anyhow!(wrong)))?;
    Link::new(flags, Times::default()).map_err(|error| {
        let (usage_is, remedy) = (error.is_usage(), error.remedy());
        let error = if remedy.is_empty() { anyhow::anyhow!("{error}") } else { anyhow::anyhow!("{error}: {remedy}") };
        if usage_is { usage(error) } else { later(error) }
    })
}
