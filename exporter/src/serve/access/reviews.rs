//! What Kubernetes says about callers: who a token belongs to (`TokenReview`) and what they may list (`SubjectAccessReview`).
//!
//! Apart from what follows from it (`sight`). The only `create` calls of Chaoscope are here; the rights for them are in
//! `manifests/base/reviews.yaml`. No answer is ever taken for a yes because the API server could not be asked.

use super::super::episode::Episode;
use super::Denied;
use super::answers::Answers;
use super::bearer::{Bearer, Digest, digest};
use super::sight::Resource;
use http_body_util::{BodyExt as _, Limited};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::client::Body;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;

/// Whom a token must be meant for.
const AUDIENCE: &str = "chaoscope";
/// How long a token's owner is believed; a token that says it ends earlier is asked about then.
const CALLER_FOR: Duration = Duration::from_mins(1);
/// How long a yes to "may list" is believed.
const RIGHT_FOR: Duration = Duration::from_secs(30);
/// How long a no is believed, to either question: somebody may just be giving the right.
const NO_FOR: Duration = Duration::from_secs(10);
/// How long nothing is asked twice, whatever the answer: an API server that cannot be asked, a token in its last moments.
const ONCE_IN: Duration = Duration::from_secs(1);
/// How long one review may take, waiting for its turn included.
const PATIENCE: Duration = Duration::from_secs(5);
/// Reviews at once: whoever floods Chaoscope with tokens floods the API server no further.
const AT_ONCE: usize = 16;
/// Tokens and rights kept in memory.
const CALLERS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
const RIGHTS: NonZeroUsize = NonZeroUsize::new(16 * 1024).unwrap();
/// Largest answer that is read, in bytes: a user with thousands of groups.
const MAX_ANSWER: usize = 1 << 20;

/// Whom a token belongs to.
pub(super) struct Caller {
    user: UserInfo,
    /// The same for every token of the same user with the same groups.
    digest: Digest,
}

/// Asks the API server, and remembers briefly.
pub(super) struct Reviews {
    client: kube::Client,
    callers: Answers<Digest, Result<Arc<Caller>, Denied>>,
    rights: Answers<Question, Result<bool, Denied>>,
    places: Semaphore,
    down: Episode,
}

/// Whether somebody may list something somewhere.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    caller: Digest,
    resource: Resource,
    namespace: String,
}

/// Why the API server gave no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
    #[error("it cannot be reached")]
    Unreachable(#[source] Box<kube::Error>),
    #[error("it answered {status} {reason}", status = .0, reason = .1)]
    Refused(u16, String),
    #[error("its answer cannot be read")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Reviews {
    /// Asks by `client`, which needs the right to create the two reviews.
    pub(super) fn new(client: kube::Client) -> Self {
        let (callers, rights) = (Answers::new(CALLERS), Answers::new(RIGHTS));
        Self { client, callers, rights, places: Semaphore::new(AT_ONCE), down: Episode::default() }
    }

    /// Whom a token belongs to.
    pub(super) async fn caller(&self, bearer: &Bearer) -> Result<Arc<Caller>, Denied> {
        self.callers
            .get(*bearer.digest(), async {
                match self.identify(bearer).await {
                    Ok(Some(user)) => {
                        let good_for = bearer.good_for(SystemTime::now()).unwrap_or(CALLER_FOR).clamp(ONCE_IN, CALLER_FOR);
                        (Ok(Arc::new(Caller::new(user))), good_for)
                    }
                    Ok(None) => (Err(unknown()), NO_FOR),
                    Err(failure) => (Err(self.unavailable(&failure)), ONCE_IN),
                }
            })
            .await
    }

    /// Whether a caller may list, if that is known. Never waits.
    pub(super) fn known(&self, caller: &Caller, resource: Resource, namespace: &str) -> Option<Result<bool, Denied>> {
        self.rights.known(&Question { caller: caller.digest, resource, namespace: namespace.to_owned() })
    }

    /// Whether a caller may list; in all namespaces where that is empty.
    pub(super) async fn may_list(&self, caller: &Caller, resource: Resource, namespace: &str) -> Result<bool, Denied> {
        let question = Question { caller: caller.digest, resource, namespace: namespace.to_owned() };
        self.rights
            .get(question, async {
                match self.allowed(caller, resource, namespace).await {
                    Ok(allowed) => (Ok(allowed), if allowed { RIGHT_FOR } else { NO_FOR }),
                    Err(failure) => (Err(self.unavailable(&failure)), ONCE_IN),
                }
            })
            .await
    }

    /// The user of a token that is meant for Chaoscope. An API server that knows no audiences would let in tokens meant for itself.
    async fn identify(&self, bearer: &Bearer) -> Result<Option<UserInfo>, Failure> {
        let spec = TokenReviewSpec { audiences: Some(vec![AUDIENCE.to_owned()]), token: bearer.reveal().to_owned() };
        let review: TokenReview = self.create(&TokenReview { spec, ..TokenReview::default() }).await?;
        let Some(status) = review.status else { return Ok(None) };
        let meant = status.audiences.is_some_and(|audiences| audiences.iter().any(|it| it == AUDIENCE));
        let named = status.user.filter(|user| user.username.as_ref().is_some_and(|name| !name.is_empty()));
        Ok(named.filter(|_| status.authenticated == Some(true) && meant))
    }

    async fn allowed(&self, caller: &Caller, resource: Resource, namespace: &str) -> Result<bool, Failure> {
        let UserInfo { username, uid, groups, extra } = caller.user.clone();
        let attributes = ResourceAttributes {
            verb: Some("list".to_owned()),
            group: Some(resource.group.to_owned()),
            resource: Some(resource.plural.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            user: username,
            uid,
            groups,
            extra,
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review: SubjectAccessReview = self.create(&SubjectAccessReview { spec, ..SubjectAccessReview::default() }).await?;
        Ok(review.status.is_some_and(|status| status.allowed && status.denied != Some(true)))
    }

    /// Posts a review, at most [`AT_ONCE`] at a time, within [`PATIENCE`].
    async fn create<R>(&self, review: &R) -> Result<R, Failure>
    where
        R: kube::Resource<DynamicType = ()> + Serialize + DeserializeOwned,
    {
        let answer = tokio::time::timeout(PATIENCE, async {
            let _place = self.places.acquire().await;
            match Box::pin(self.post(review)).await {
                // A connection that the API server closed while it was idle says so only when used.
                Err(Failure::Unreachable(_)) => Box::pin(self.post(review)).await,
                answer => answer,
            }
        });
        let answer = answer.await.unwrap_or(Err(Failure::Late))?;
        if self.down.ends() {
            tracing::info!("The API server answers questions about callers again.");
        }
        Ok(answer)
    }

    /// Posts a review. Not by kube's typed calls: they log what they cannot read, and that would be a token.
    async fn post<R>(&self, review: &R) -> Result<R, Failure>
    where
        R: kube::Resource<DynamicType = ()> + Serialize + DeserializeOwned,
    {
        let unreadable = |error: serde_json::Error| Failure::Answer(error.into());
        let body = serde_json::to_vec(review).map_err(unreadable)?;
        let request = kube::core::Request::new(R::url_path(&(), None))
            .create(&kube::api::PostParams::default(), body)
            .map_err(|error| Failure::Answer(error.into()))?;
        let answer = self.client.send(request.map(Body::from)).await.map_err(|error| Failure::Unreachable(Box::new(error)))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(Failure::Answer)?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(unreadable);
        }
        Err(Failure::Refused(status.as_u16(), status.canonical_reason().unwrap_or_default().to_owned()))
    }

    /// What the caller is told, and the log when it begins.
    fn unavailable(&self, failure: &Failure) -> Denied {
        if self.down.begins() {
            tracing::error!(
                error = line(failure),
                remedy = failure.remedy(),
                "The API server cannot be asked about callers: they get 503."
            );
        }
        Denied::Unavailable(format!("The API server cannot be asked who you are and what you may list: {failure}. {}", failure.remedy()))
    }
}

impl Caller {
    /// Its user name.
    pub(super) fn name(&self) -> &str {
        self.user.username.as_deref().unwrap_or("")
    }

    /// What else is said of it under this key.
    pub(super) fn extra(&self, key: &str) -> &[String] {
        self.user.extra.as_ref().and_then(|extra| extra.get(key)).map_or(&[], Vec::as_slice)
    }

    fn new(user: UserInfo) -> Self {
        // Maps are sorted, so the same user gives the same bytes. Every part of the user may decide what it may do.
        let parts = (&user.username, &user.uid, &user.groups, &user.extra);
        let digest = digest(format!("{parts:?}").as_bytes());
        Self { user, digest }
    }
}

impl Failure {
    const fn remedy(&self) -> &'static str {
        match self {
            Self::Refused(403, _) => {
                "Chaoscope lacks the right to create tokenreviews and subjectaccessreviews: apply manifests/base/reviews.yaml."
            }
            Self::Refused(401, _) => "Chaoscope's own credentials are not taken: see its service account's token, or its kubeconfig.",
            _ => "Ask again in a moment; if it stays so, look after the API server and the way to it.",
        }
    }
}

/// An error and its causes in one line.
fn line(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

fn unknown() -> Denied {
    Denied::unknown_token(super::KUBERNETES_REMEDY)
}
