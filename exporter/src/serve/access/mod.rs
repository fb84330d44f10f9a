//! Who may see what of the API: nobody is asked, token files are, or Kubernetes is.
//!
//! One [`Access`] for the process, one [`Viewer`] for each request. `/metrics` and health do not come by here (`docs/access.md`).
//! What may be seen, given what may be listed, is in `sight`; who is asked, in `tokens` and `reviews`.

mod answers;
mod bearer;
mod denied;
mod error;
mod nodes;
mod reviews;
mod sight;
mod tokens;

pub use denied::Denied;
pub use error::Error;
pub use nodes::NodePass;
pub(super) use tokens::is_node;

use super::web_config::WebConfig;
use crate::config::{Api, Auth};
use axum::http::HeaderMap;
use bearer::Bearer;
use chaoscope_model::Tool;
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use nodes::Nodes;
use reviews::{Caller, Reviews};
use sight::{Resource, Rules};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokens::Tokens;
use tokio::runtime::Handle;

const TOKEN_REMEDY: &str = "Send `Authorization: Bearer TOKEN` with one of the tokens of --api.token-file.";
const KUBERNETES_REMEDY: &str = "Send `Authorization: Bearer TOKEN` with a token of the audience chaoscope, as \
    `kubectl create token NAME --audience=chaoscope` gives for a service account.";

/// How callers are told apart.
#[derive(Clone)]
pub struct Config {
    /// Who is asked.
    pub mode: Mode,
}

/// Who is asked.
#[derive(Clone)]
pub enum Mode {
    /// Nobody: every caller sees everything.
    None,
    /// These files hold the callers' tokens; a token sees everything.
    Token {
        /// One token a line; read again when they change.
        files: Vec<PathBuf>,
    },
    /// The API server: who a caller is, and what it may list.
    Kubernetes {
        /// Asks it.
        client: kube::Client,
        /// Name of its cluster, as Chaoscope was told: runs of another one are only for who may list everywhere.
        cluster: String,
    },
}

impl Config {
    /// What the flags want, checked against the addresses that are listened on and the web configuration. `cluster` is the API server that
    /// can be asked and the name of its cluster, where there is one.
    pub fn of(flags: &Api, addresses: &[SocketAddr], web: &WebConfig, cluster: Option<(kube::Client, String)>) -> Result<Self, Error> {
        if flags.auth != Auth::Token && !flags.token_file.is_empty() {
            return Err(Error::UnusedFile);
        }
        if flags.auth != Auth::None && web.asks_passwords() {
            return Err(Error::TwoHeaders(if flags.auth == Auth::Token { "token" } else { "kubernetes" }));
        }
        let mode = match flags.auth {
            Auth::None => match addresses.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
                Some(open) if !flags.allow_anonymous => return Err(Error::Anonymous(*open)),
                _ => Mode::None,
            },
            Auth::Token if flags.token_file.is_empty() => return Err(Error::NoFile),
            Auth::Token => Mode::Token { files: flags.token_file.clone() },
            Auth::Kubernetes => cluster.map(|(client, cluster)| Mode::Kubernetes { client, cluster }).ok_or(Error::NoCluster)?,
        };
        Ok(Self { mode })
    }
}

/// Knows callers. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    asked: Asked,
    nodes: Nodes,
}

/// Who is asked.
#[derive(Clone)]
enum Asked {
    Nobody,
    Tokens(Arc<Tokens>),
    Kubernetes { reviews: Arc<Reviews>, cluster: Arc<str> },
}

impl Access {
    /// Reads the token files, if there are any. The API server is first asked when a caller comes.
    pub fn open(config: Config) -> Result<Self, Error> {
        let asked = match config.mode {
            Mode::None => Asked::Nobody,
            Mode::Token { files } => Asked::Tokens(Arc::new(Tokens::read(files)?)),
            Mode::Kubernetes { client, cluster } => Asked::Kubernetes { reviews: Arc::new(Reviews::new(client)), cluster: cluster.into() },
        };
        Ok(Self { asked, nodes: Nodes::default() })
    }

    /// The same, with nodes told apart as the flags say.
    pub fn with_nodes(self, flags: &Api) -> Result<Self, Error> {
        Ok(Self { nodes: Nodes::of(flags)?, ..self })
    }

    /// The caller of a request, by its `Authorization: Bearer`.
    pub async fn viewer(&self, headers: &HeaderMap) -> Result<Viewer, Denied> {
        let remedy = match &self.asked {
            Asked::Nobody => return Ok(Viewer { asked: Asked::Nobody, bearer: None, rights: None }),
            Asked::Tokens(_) => TOKEN_REMEDY,
            Asked::Kubernetes { .. } => KUBERNETES_REMEDY,
        };
        let bearer = Bearer::of(headers).map_err(|absent| Denied::absent(absent, remedy))?;
        Viewer::of(self.asked.clone(), Arc::new(bearer)).await
    }
}

/// One caller: what it may see. Cheap to clone; clones share what could not be asked.
#[derive(Clone)]
pub struct Viewer {
    asked: Asked,
    bearer: Option<Arc<Bearer>>,
    /// `None`: everything may be seen.
    rights: Option<Arc<Rights>>,
}

/// What somebody may list, asked as it is needed.
struct Rights {
    reviews: Arc<Reviews>,
    caller: Arc<Caller>,
    cluster: Arc<str>,
    runtime: Handle,
    /// The first question that got no answer. After it, nothing new is asked: whoever waits has waited once.
    failure: Mutex<Option<Denied>>,
    /// How long it took to ask, all questions together.
    waited: Mutex<Duration>,
}

/// How long one viewer may wait for answers, all together; thousands of questions at the usual few milliseconds each.
const PATIENCE: Duration = Duration::from_secs(30);

impl Viewer {
    async fn of(asked: Asked, bearer: Arc<Bearer>) -> Result<Self, Denied> {
        let rights = match &asked {
            Asked::Nobody => None,
            Asked::Tokens(tokens) => {
                tokens.admit(&bearer).await?;
                None
            }
            Asked::Kubernetes { reviews, cluster } => {
                let (reviews, cluster, runtime) = (Arc::clone(reviews), Arc::clone(cluster), Handle::current());
                let caller = reviews.caller(&bearer).await?;
                Some(Arc::new(Rights { reviews, caller, cluster, runtime, failure: Mutex::default(), waited: Mutex::default() }))
            }
        };
        Ok(Self { asked, bearer: Some(bearer), rights })
    }

    /// The run with those targets only that the caller may see; `None`: for this caller there is no such run. Filters look at what this
    /// gives, not at the run itself: a filter that finds a run by a hidden target would tell of it. May block for as long as a question to
    /// the API server takes: not for async threads.
    pub fn see(&self, run: &Run) -> Option<Run> {
        match &self.rights {
            None => Some(run.clone()),
            Some(rights) => rights.rules(|rules| rules.see(run)),
        }
    }

    /// Whether [`Self::see`] gives every run, whole.
    pub fn sees_everything(&self) -> bool {
        self.rights.is_none()
    }

    /// Whether the caller may see an event; `run` is its run, whole, where it has one. May block, as [`Self::see`].
    pub fn sees_event(&self, event: &Event, run: Option<&Run>) -> bool {
        self.rights.as_ref().is_none_or(|rights| rights.rules(|rules| rules.sees_event(event, run)))
    }

    /// Whether the caller may list objects of a kind in a namespace of this cluster, or objects without a namespace: then it may see what
    /// they are made of. May block, as [`Self::see`].
    pub fn sees_object(&self, tool: Tool, kind: &str, namespace: &str) -> bool {
        self.rights.as_ref().is_none_or(|rights| rights.rules(|rules| rules.sees_object(tool, kind, namespace)))
    }

    /// Whether the caller may list pods in a namespace of this cluster: then it may see what is left over in them. May block, as [`Self::see`].
    pub fn sees_pods(&self, namespace: &str) -> bool {
        self.rights.as_ref().is_none_or(|rights| rights.rules(|rules| rules.sees_pods(namespace)))
    }

    /// Whether the caller may see all that is said of this instance itself: it names nodes, addresses, folders and namespaces, and counts what is in
    /// all of them. Who may list pods everywhere knows such things anyway. May block, as [`Self::see`].
    pub fn sees_instance(&self) -> bool {
        self.rights.as_ref().is_none_or(|rights| rights.may_list(sight::INSTANCE, ""))
    }

    /// Whether every question of [`Self::see`] and its like was answered so far. Ask after a query and before answering it:
    /// what could not be asked was kept back, so the answer may lack something and must be this error instead.
    pub fn complete(&self) -> Result<(), Denied> {
        self.rights.as_ref().map_or(Ok(()), |rights| rights.failure().map_or(Ok(()), Err))
    }

    /// The same caller, looked at again: for answers that go on for long. A stream asks every minute and ends with the error, and so it
    /// does when [`Self::complete`] is one; its client then comes again with `Last-Event-ID` and misses nothing.
    pub async fn renewed(&self) -> Result<Self, Denied> {
        match &self.bearer {
            None => Ok(self.clone()),
            Some(bearer) => Self::of(self.asked.clone(), Arc::clone(bearer)).await,
        }
    }
}

impl Rights {
    fn rules<T>(&self, apply: impl FnOnce(&Rules<'_>) -> T) -> T {
        apply(&Rules { cluster: &self.cluster, may: &|resource, namespace| self.may_list(resource, namespace) })
    }

    /// Whether the caller may list. No answer is a no, and noted.
    fn may_list(&self, resource: Resource, namespace: &str) -> bool {
        let answer = self.reviews.known(&self.caller, resource, namespace);
        match answer.unwrap_or_else(|| self.ask(resource, namespace)) {
            Ok(allowed) => allowed,
            Err(denied) => {
                self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(denied);
                false
            }
        }
    }

    /// Asks on the runtime and waits here. The question goes on should nobody wait any more, so that the next one finds the answer.
    fn ask(&self, resource: Resource, namespace: &str) -> Result<bool, Denied> {
        if let Some(denied) = self.failure() {
            return Err(denied);
        }
        let (tell, told) = mpsc::sync_channel(1);
        let (reviews, caller, namespace) = (Arc::clone(&self.reviews), Arc::clone(&self.caller), namespace.to_owned());
        self.runtime.spawn(async move {
            let _ = tell.send(reviews.may_list(&caller, resource, &namespace).await); // fails only if nobody waits any more
        });
        let mut waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        let answer = told.recv_timeout(PATIENCE.saturating_sub(*waited));
        *waited += begun.elapsed();
        answer.unwrap_or_else(|_| Err(late()))
    }

    fn failure(&self) -> Option<Denied> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn late() -> Denied {
    Denied::Unavailable("The questions what you may list took the API server too long. Ask again in a moment, or for less.".to_owned())
}

#[cfg(test)]
mod tests;
