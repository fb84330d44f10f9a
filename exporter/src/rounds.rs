//! The node's rounds: pods with a declared fault are visited every two seconds, what is found is held against what is declared, and the cluster
//! role is told.
//!
//! Apart from the connection ([`crate::declared`]) and from the sweeps (`node`), neither of which knows the other; scrapes feed their own sweeps
//! in ([`Rounds::saw`]), also where nobody declares anything. To tell one more thing: a field of the model's `Report`, and [`Rounds::found`].

mod alone;
mod clean;
mod report;
mod seen;

use crate::declared::{Declared, Link, Listener, Standing};
use crate::node::closely::Closely;
use crate::node::sweep::Sweep;
use crate::node::sweeper::Sweeper;
use crate::source::Error;
use crate::verdict::{Agreement, Leftovers, Stated, Survey, judge, left_over, stated, untold};
use chaoscope_model::Pod;
use chaoscope_model::declared::{DeclaredPod, Expectation};
use chaoscope_model::verdict::{Judged, Residue};
use report::Reporter;
pub use seen::Seen;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

/// Time between two visits of a pod with a declared fault.
pub const EVERY: Duration = Duration::from_secs(2);
/// Looks closer to each other count as one for verdicts: two visits that agree must not be of one moment.
const APART: Duration = Duration::from_secs(1);
/// How long one round may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a report is due without news.
const IDLE: Duration = Duration::from_secs(30);

/// The rounds, and what they have found.
pub struct Rounds {
    sweeper: Arc<Sweeper>,
    link: Option<Link>,
    state: Mutex<State>,
    /// A scrape has found something.
    news: Notify,
}

#[derive(Default)]
struct State {
    agreement: Agreement,
    leftovers: Leftovers,
    residue: Arc<Vec<Residue>>,
    /// Declared pods whose last visit went well, and left no question open.
    visited: BTreeSet<String>,
    /// The last look that counted.
    fed: Option<Instant>,
    /// How much of what is declared the last look knew.
    seen: Seen,
    /// The connection since which looks are counted, and how many there were.
    connection: String,
    looks: u32,
    /// The first look after a connection was lost for too long has cleared what agreed before.
    stale: bool,
}

/// Everything that is known at one moment, for whoever shows or sends it.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What is declared.
    pub declared: Declared,
    /// What holds of it.
    pub judged: Vec<Judged>,
    /// What is left over.
    pub residue: Arc<Vec<Residue>>,
    /// Declared pods whose last visit went well.
    pub visited: BTreeSet<String>,
    /// How much of what is declared that visit knew.
    pub seen: Seen,
    /// How many looks there were since the connection.
    pub looks: u32,
}

impl Rounds {
    /// Without a connection, scrapes alone tell what is left over, and nothing is declared.
    pub fn new(sweeper: Arc<Sweeper>, link: Option<Link>) -> Self {
        Self { sweeper, link, state: Mutex::default(), news: Notify::new() }
    }

    /// What is declared; `None` where nobody is asked.
    pub fn declared(&self) -> Option<Declared> {
        self.link.as_ref().map(Link::now)
    }

    /// What holds of every declared target; `None` where nobody declares.
    pub fn stated(&self) -> Option<Vec<Stated>> {
        let declared = self.declared()?;
        Some(match declared.standing {
            Standing::Current => stated(&declared.pods, self.lock().agreement.now()),
            _ => untold(&declared.pods, "no_node"),
        })
    }

    /// What is left over. Where it is not known what is declared, it is not known what is left over.
    pub fn residue(&self) -> Result<Arc<Vec<Residue>>, Error> {
        match self.declared() {
            Some(declared) if declared.standing != Standing::Current => {
                Err(Error::Failed("the cluster role has not told what is declared".into()))
            }
            _ => Ok(Arc::clone(&self.lock().residue)),
        }
    }

    /// Takes in a sweep, whoever asked for it: of the whole host, or of the pods that are watched.
    pub fn saw(&self, sweep: &Sweep, survey: &Survey) {
        let declared = self.declared();
        let mut state = self.lock();
        let told = declared.as_ref().is_none_or(|declared| declared.standing == Standing::Current);
        if !told {
            // What agreed before is not what will be found then.
            if !std::mem::replace(&mut state.stale, true) {
                state.agreement = Agreement::default();
            }
            return;
        }
        state.stale = false;
        let is_alone = declared.as_ref().is_some_and(|declared| !declared.connected);
        let declared = declared.unwrap_or_default();
        // What is left over is looked for by every sweep: one of the whole host may always come right after a look at a few pods.
        if state.fed.is_none_or(|fed| fed.elapsed() >= APART) {
            state.fed = Some(Instant::now());
            state.judge(&declared, sweep);
        }
        state.left_over(&declared, is_alone, sweep, survey);
        state.seen.look(declared.version, sweep.took);
        drop(state);
        self.news.notify_one();
    }

    /// Everything that is known now.
    fn found(&self, declared: Declared) -> Found {
        let state = self.lock();
        let looks = if state.connection == declared.connection { state.looks } else { 0 };
        let judged = state.agreement.now().to_vec();
        Found { declared, judged, residue: Arc::clone(&state.residue), visited: state.visited.clone(), seen: state.seen, looks }
    }

    /// Makes the rounds for ever, keeps the connection meanwhile, and tells the cluster role. Done at once where there is none.
    pub async fn walk(&self) {
        let Some(link) = &self.link else { return };
        tokio::join!(link.keep(&*self.sweeper), self.visit(link));
    }

    async fn visit(&self, link: &Link) {
        let mut timer = tokio::time::interval(EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut reporter, mut blind) = (Reporter::default(), false);
        loop {
            let declared = link.now();
            let is_current = declared.standing == Standing::Current;
            let pods = if is_current { Arc::clone(&declared.pods) } else { Arc::default() };
            self.sweeper.watch(self.closely(pods.values()));
            if pods.is_empty() {
                // Without a declared fault there is no timer, but for telling again what did not arrive.
                let wait = reporter.wait().unwrap_or(IDLE);
                tokio::select! {
                    () = link.changed() => {}
                    () = self.news.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            } else {
                timer.tick().await;
                blind = self.round(blind).await;
            }
            let declared = link.now();
            if declared.connected {
                reporter.tell(link, &self.found(declared)).await;
            }
        }
    }

    /// One round, unless a scrape has just been there. Whether nothing could be seen.
    async fn round(&self, blind: bool) -> bool {
        if self.lock().fed.is_some_and(|fed| fed.elapsed() < APART) {
            return blind;
        }
        match self.sweeper.look(Instant::now() + PATIENCE).await {
            Ok(sweep) => {
                self.saw(&sweep, &Survey::of(&sweep));
                if blind {
                    tracing::info!("Pods with a declared fault are visited again.");
                }
                false
            }
            Err(error) => {
                if !blind {
                    tracing::error!(%error, "Cannot visit pods with a declared fault; trying on.");
                }
                true
            }
        }
    }

    /// What is looked for in these pods: processes and files only where such a fault is, was, or may be left.
    fn closely<'a>(&self, pods: impl Iterator<Item = &'a DeclaredPod> + Clone) -> Closely {
        let residue = Arc::clone(&self.lock().residue);
        let left = residue.iter().any(|residue| matches!(residue.what.as_str(), "helper" | "mount"));
        let processes = left || !self.sweeper.has_runtime() || pods.clone().any(needs_processes);
        Closely { pods: pods.map(|pod| pod.pod.uid.clone()).collect(), processes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn judge(&mut self, declared: &Declared, sweep: &Sweep) {
        if self.connection != declared.connection {
            (self.connection, self.looks) = (declared.connection.clone(), 0);
        }
        // Until everything was told by a connection, the list is the one from before.
        self.looks = if declared.connected { self.looks + 1 } else { 0 };
        let mut raw = judge(declared.pods.values(), sweep);
        if !declared.connected {
            alone::doubt(&mut raw, self.agreement.now());
        }
        self.agreement.visit(raw, sweep.at);
    }

    fn left_over(&mut self, declared: &Declared, is_alone: bool, sweep: &Sweep, survey: &Survey) {
        let mut found = left_over(sweep, survey, &declared.pods);
        // Where it is not known what is declared, nothing can be said to be left over.
        let unclear = |pod: &Pod| declared.unclear.contains(&pod.uid) || declared.unclear.contains("");
        found.retain(|residue| !unclear(&residue.pod));
        let acting = clean::acting(&found);
        if is_alone {
            alone::known(&mut found, &self.residue);
        }
        let residue = self.leftovers.visit(found, sweep, sweep.at).to_vec();
        let (all, open) = (clean::pods(sweep, declared.pods.values()), clean::open(acting, &residue));
        self.visited = all.filter(|pod| !unclear(pod) && !open.contains(&pod.uid)).map(|pod| pod.uid.clone()).collect();
        if *self.residue != residue {
            self.residue = Arc::new(residue);
        }
    }
}

/// Whether what is, or was, declared for a pod shows in processes or files.
fn needs_processes(pod: &DeclaredPod) -> bool {
    let expects = |it: &Expectation| matches!(it, Expectation::Io | Expectation::Http | Expectation::Stress { .. } | Expectation::Dns);
    let outside = |kind: &str| kind != "NetworkChaos";
    let objects = pod.io.is_some() || pod.http.is_some();
    objects || pod.targets.iter().any(|it| expects(&it.expects)) || pod.ended.iter().any(|it| outside(&it.experiment.kind))
}

impl Listener for Sweeper {
    fn wants_names(&self) -> bool {
        !self.has_runtime()
    }

    fn named(&self, pods: &[Pod]) {
        Self::named(self, pods);
    }
}
