//! Who may act for a node: read what is declared for its pods, and report what was found of them.
//!
//! Apart from who may see runs (`sight`): a node's token opens its own node and nothing else, and a token that opens every run does not make
//! its holder a node. What a node says becomes verdicts, so nobody is a node by default where callers are told apart.

use super::bearer::Bearer;
use super::reviews::{Caller, Reviews};
use super::tokens::NodeTokens;
use super::{Access, Asked, Denied, Error};
use crate::config::{Api, Auth};
use axum::http::HeaderMap;
use std::sync::Arc;

/// What a token's owner carries that names the node its pod runs on (Kubernetes 1.30 and later, KEP-4193).
const NODE: &str = "authentication.kubernetes.io/node-name";
const FILE_REMEDY: &str = "Send `Authorization: Bearer TOKEN` with this node's token of --api.node-token-file.";
const READERS_ONLY: &str = "Tokens of --api.token-file open runs and do not act for nodes: give node roles tokens of their own by \
    --api.node-token-file, a file with lines `NODE TOKEN`.";
const ACCOUNT_REMEDY: &str = "Send `Authorization: Bearer TOKEN` with the token of audience chaoscope that the node role's pod is given (a projected \
    serviceAccountToken).";

/// How nodes are told apart where callers are.
#[derive(Clone, Default)]
pub(super) struct Nodes {
    /// Which token is which node's.
    files: Option<Arc<NodeTokens>>,
    /// User name of the node roles' service account.
    account: Arc<str>,
}

/// One node that may act. Cheap to clone.
#[derive(Clone)]
pub struct NodePass {
    access: Access,
    bearer: Option<Arc<Bearer>>,
    node: Arc<str>,
}

impl Nodes {
    pub(super) fn of(flags: &Api) -> Result<Self, Error> {
        if flags.auth != Auth::Token && !flags.node_token_file.is_empty() {
            return Err(Error::UnusedNodeFile);
        }
        let files = flags.node_token_file.clone();
        let files = if files.is_empty() { None } else { Some(Arc::new(NodeTokens::read(files)?)) };
        let (namespace, name) = flags
            .node_account
            .split_once('/')
            .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
            .ok_or(Error::Account)?;
        Ok(Self { files, account: format!("system:serviceaccount:{namespace}:{name}").into() })
    }
}

impl Access {
    /// The caller of a request, where it may act for this node.
    pub async fn node(&self, headers: &HeaderMap, node: &str) -> Result<NodePass, Denied> {
        let remedy = match &self.asked {
            Asked::Nobody => return Ok(NodePass { access: self.clone(), bearer: None, node: node.into() }),
            Asked::Tokens(_) => FILE_REMEDY,
            Asked::Kubernetes { .. } => ACCOUNT_REMEDY,
        };
        let bearer = Bearer::of(headers).map_err(|absent| Denied::absent(absent, remedy))?;
        let pass = NodePass { access: self.clone(), bearer: Some(Arc::new(bearer)), node: node.into() };
        pass.renewed().await?;
        Ok(pass)
    }
}

impl NodePass {
    /// Whether it still may: for connections that go on for long.
    pub async fn renewed(&self) -> Result<(), Denied> {
        let Some(bearer) = &self.bearer else { return Ok(()) };
        match &self.access.asked {
            Asked::Nobody => Ok(()),
            Asked::Tokens(tokens) => {
                if let Some(files) = &self.access.nodes.files {
                    return files.admit(bearer, &self.node).await;
                }
                tokens.admit(bearer).await?;
                Err(Denied::Forbidden(READERS_ONLY.to_owned()))
            }
            Asked::Kubernetes { reviews, .. } => self.reviewed(reviews, bearer).await,
        }
    }

    async fn reviewed(&self, reviews: &Reviews, bearer: &Bearer) -> Result<(), Denied> {
        let caller: Arc<Caller> = reviews.caller(bearer).await?;
        let account = &self.access.nodes.account;
        if caller.name() != &**account {
            let cause = "This token is of another account than node roles have";
            return Err(Denied::Forbidden(format!(
                "{cause} ({account}): only theirs act for nodes. If node roles run as another one, set \
                --api.node-account=NAMESPACE/NAME."
            )));
        }
        match caller.extra(NODE) {
            [node] if **node == *self.node => Ok(()),
            [] => Err(Denied::Forbidden(format!(
                "This token is bound to no node. {ACCOUNT_REMEDY} Kubernetes says since 1.30 which node that is."
            ))),
            _ => Err(Denied::Forbidden(
                "This token is bound to a pod on another node: a node role acts for the node it runs on, and --node-name must be \
                spec.nodeName of its pod."
                    .to_owned(),
            )),
        }
    }
}
