//! `chaoscope node`: this host's kernel, read when somebody scrapes.

use super::{Door, Failure, sweeper};
use crate::config::{Node, Rules};
use crate::node::host::HostSource;
use crate::node::limits;
use crate::peers::{Asking, Daemon, timer};
use crate::scrape::{Detail, Sources};
use crate::serve;
use std::process::ExitCode;

/// Serves until a signal.
pub async fn run(flags: Node) -> Result<ExitCode, Failure> {
    let door = Door::open(&flags.web)?;
    let sources = Sources {
        sweeper: Some(sweeper(&flags.look, false).into()),
        host: flags.source_host.then(|| HostSource::new(&flags.look.path_procfs)),
        peers: flags.peer.daemon.map(|peer| Asking::ByClock(Daemon::ask(peer, timer::EVERY))),
        detail: Detail { all_rules: flags.rules == Rules::All, upstream: flags.upstream_names },
        ..Sources::default()
    };
    sources.told.tell(&limits::capabilities());
    let app = serve::router(sources, &flags.web);
    door.serve(app, || {}).await
}
