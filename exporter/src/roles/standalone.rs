//! `chaoscope standalone`: this host swept by a timer; what appears and vanishes in it becomes runs.

use super::runs::Runs;
use super::{Door, Failure, later, sweeper};
use crate::config::{Rules, Standalone};
use crate::node::boot;
use crate::node::host::HostSource;
use crate::node::limits;
use crate::scrape::{Detail, Sources};
use crate::serve::doctor::Sweeps;
use crate::standalone::{History, Last, Watched, watch};
use anyhow::Context as _;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Sweeps and serves until a signal.
pub async fn run(flags: Standalone) -> Result<ExitCode, Failure> {
    let door = Door::open(&flags.web)?;
    let boot =
        boot::read(&flags.look.path_procfs).context("cannot tell which boot of this host it is: check --path.procfs").map_err(later)?;
    let (mut runs, restored) = Runs::open(&flags.journal, &flags.api, &door, None)?;
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let open = runs.journal.open_runs().context("cannot read the journal").map_err(later)?;
    let (history, ended) = History::resume(boot, "", &node, &restored, open, jiff::Timestamp::now());
    runs.journal.record(ended).await.context("cannot write the journal").map_err(later)?;
    let sweeper = Arc::new(sweeper(&flags.look, false));
    let sources = Sources {
        sweeper: Some(Arc::clone(&sweeper)),
        sweep_max_age: flags.sweep_interval * 3,
        host: flags.source_host.then(|| HostSource::new(&flags.look.path_procfs)),
        detail: Detail { all_rules: flags.rules == Rules::All, upstream: flags.upstream_names },
        ..Sources::default()
    };
    sources.told.tell(&limits::capabilities());
    let writer = runs.journal.clone();
    let record = move |batch| {
        let writer = writer.clone();
        async move { writer.record(batch).await }
    };
    let last = Arc::new(Last::default());
    let (how, every) = (Arc::clone(&last), flags.sweep_interval);
    runs.facts = Arc::new(move |facts| {
        let looked = how.looked();
        facts.sweeps = Some(Sweeps { every, at: looked.at, limitations: looked.limitations, failure: looked.failure });
    });
    let watched = Watched { sweeper, told: Arc::clone(&sources.told), last, interval: flags.sweep_interval };
    let stop = CancellationToken::new();
    let mut sweeps = tokio::spawn(watch(watched, history, stop.clone(), record));
    tokio::select! {
        done = runs.serve(door, sources, &flags.web, "standalone") => {
            stop.cancel();
            sweeps.await.context("the sweeps did not end well").map_err(later)?;
            done
        }
        ended = &mut sweeps => Err(later(anyhow::anyhow!("the sweeps have ended: {ended:?}"))),
    }
}
