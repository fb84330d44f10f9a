//! What every role that keeps runs has: a journal, the API over it with its rules of sight, the status page, readiness and the doctor.

use super::{Door, Failure, later, usage};
use crate::cluster::now::{Now, Present, WatchNow};
use crate::cluster::slots::Plans;
use crate::config::{self, Web};
use crate::desk::Desk;
use crate::journal::{Journal, Restored};
use crate::scrape::{Sources, Streams};
use crate::serve;
use crate::serve::access::{self, Access};
use crate::serve::api::{self, Api};
use crate::serve::doctor::{self, Facts};
use crate::serve::runs_page::{self, RunsPage};
use crate::serve::scrapers::{self, Scrapers};
use crate::serve::{Outlook, Schedules};
use anyhow::Context as _;
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// An open journal, and who may see it.
pub(super) struct Runs {
    pub(super) journal: Journal,
    /// Name of the cluster.
    pub(super) cluster: String,
    /// What is now in the cluster, and what time that is; the host's clock where there is no cluster.
    pub(super) present: Option<Arc<dyn Clocked>>,
    /// What this role alone knows of how it does.
    pub(super) facts: Arc<dyn Fn(&mut Facts) + Send + Sync>,
    /// Where nodes connect.
    pub(super) desk: Option<Arc<Desk>>,
    folder: Option<PathBuf>,
    access: Access,
}

/// What is now, and what time that is.
pub(super) trait Clocked: Present {
    /// The clock; a replay's is the recording's.
    fn clock(&self) -> Timestamp;
    /// How each watch does.
    fn watches(&self) -> Vec<WatchNow>;
    /// What is now, whether or not everything is in.
    fn so_far(&self) -> Now;
    /// What schedules there are.
    fn plans(&self) -> Plans;
}

impl Runs {
    /// Opens the journal the flags name. `cluster` is the API server that can be asked who may see what, and the name of its cluster.
    pub(super) fn open(
        journal: &config::Journal,
        api: &config::Api,
        door: &Door,
        cluster: Option<(kube::Client, String)>,
    ) -> Result<(Self, Restored), Failure> {
        let folder = journal.folder().context("no folder for the journal: this user has no home, so set --journal.path").map_err(usage)?;
        Self::with(&journal.config(), Some(folder), api, door, cluster)
    }

    /// The same with a journal that goes with the process.
    pub(super) fn temporary(api: &config::Api, door: &Door) -> Result<(Self, Restored), Failure> {
        let config = crate::journal::Config { folder: None, retention: None, max_bytes: None, settle: std::time::Duration::ZERO };
        Self::with(&config, None, api, door, None)
    }

    fn with(
        config: &crate::journal::Config,
        folder: Option<PathBuf>,
        api: &config::Api,
        door: &Door,
        cluster: Option<(kube::Client, String)>,
    ) -> Result<(Self, Restored), Failure> {
        let name = cluster.as_ref().map_or_else(String::new, |(_, name)| name.clone());
        let access = access::Config::of(api, &door.listeners.local_addrs(), &door.web_config, cluster).map_err(usage)?;
        let access = Access::open(access).and_then(|access| access.with_nodes(api)).map_err(usage)?;
        let (journal, restored) = Journal::open(config).context("cannot open the journal").map_err(later)?;
        if let Some(folder) = &folder {
            tracing::info!(folder = %folder.display(), "The journal is open.");
        }
        let facts: Arc<dyn Fn(&mut Facts) + Send + Sync> = Arc::new(|_| {});
        Ok((Self { journal, cluster: name, present: None, facts, desk: None, folder, access }, restored))
    }

    /// Serves metrics, the API, the page and the doctor until a signal.
    pub(super) async fn serve(self, door: Door, mut sources: Sources, web: &Web, role: &'static str) -> Result<ExitCode, Failure> {
        let closing = CancellationToken::new();
        sources.journal = Some(self.journal.clone());
        let scrapers = Arc::new(Scrapers::default());
        let gather = self.gather(role, Arc::clone(&scrapers));
        let clock = self.present.clone();
        let now = self.present.clone();
        let planned = self.present.clone();
        let schedules: Schedules = Arc::new(move || planned.as_ref().map_or_else(Plans::default, |present| present.plans()));
        let present = api::Present {
            clock: Arc::new(move || clock.as_ref().map_or_else(Timestamp::now, |present| present.clock())),
            cluster: Arc::new(move || now.as_ref().map_or_else(Now::default, |present| present.so_far())),
            schedules: Arc::clone(&schedules),
        };
        let page = RunsPage {
            journal: self.journal.clone(),
            gather: Arc::clone(&gather),
            access: self.access.clone(),
            outlook: Outlook::new(schedules, self.cluster.clone()),
            telemetry_path: web.telemetry_path.clone(),
        };
        let api = Api::new(self.journal, self.access.clone(), present, self.cluster, api::Limits::default(), closing.clone())
            .with_desk(self.desk.clone());
        let counts = api.counts();
        sources.streams = Some(Arc::new(move || Streams {
            open: counts.open(),
            ended: counts.ended().map(|(end, count)| (end.as_str(), count)).collect(),
            refused: counts.refused(),
            caught_up: counts.caught_up(),
        }));
        let app = serve::runs_router(sources, web)
            .merge(api::routes(Arc::new(api)))
            .merge(doctor::routes(gather, self.access))
            .merge(runs_page::routes(page));
        let app = scrapers::noting(app, &web.telemetry_path, scrapers);
        door.serve(app, move || closing.cancel()).await
    }

    /// How this instance does, anew each time.
    fn gather(&self, role: &'static str, scrapers: Arc<Scrapers>) -> doctor::Gather {
        let (journal, present, more, since) = (self.journal.clone(), self.present.clone(), Arc::clone(&self.facts), Timestamp::now());
        let folder = self.folder.as_ref().map_or_else(String::new, |folder| folder.display().to_string());
        Arc::new(move || {
            let mut facts = Facts {
                role,
                at: present.as_ref().map_or_else(Timestamp::now, |present| present.clock()),
                since,
                watches: present.as_ref().map_or_else(Vec::new, |present| present.watches()),
                journal: doctor::Journal { folder: folder.clone(), status: journal.status() },
                scrapers: scrapers.all(),
                ..Facts::default()
            };
            more(&mut facts);
            facts
        })
    }
}
