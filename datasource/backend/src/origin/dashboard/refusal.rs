//! What a Dashboard's status codes mean, which is not what they say: an expired token is a 500, none at all a 400 or an empty 200, and a right
//! that lacks a 401. Also which product answers, as far as it says.

use super::Dashboard;
use crate::origin::Identity;
use crate::origin::fault::{Error, Fault};
use crate::origin::http::Reply;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

const TOKEN: &str =
    "Give a token of Kubernetes that may list chaos-mesh.org resources (kubectl create token); it may be missing, wrong or expired.";

impl Dashboard {
    /// The JSON of a good answer; `null` is a list of nothing.
    pub(super) fn read<T: DeserializeOwned + Default>(&self, reply: &Reply, who: &Identity) -> Result<T, Error> {
        if reply.status == StatusCode::OK && reply.is_empty() {
            return Err(Error::Unauthenticated(Fault::new(
                format!("{}: the answer is empty, which is how a Dashboard refuses a caller without a token", self.http.name()),
                TOKEN,
            )));
        }
        match self.refusal(reply) {
            Some(error) => Err(error),
            None => Ok(self.http.read::<Option<T>>(reply, who)?.unwrap_or_default()),
        }
    }

    /// What its own statuses mean, where they do not mean what they say.
    fn refusal(&self, reply: &Reply) -> Option<Error> {
        let name = self.http.name();
        let (kind, message) = (reply.field("type").unwrap_or_default(), reply.field("message").unwrap_or_default());
        let unknown = |cause: &str| Some(Error::Unauthenticated(Fault::new(format!("{name}: {cause}"), TOKEN)));
        match reply.status.as_u16() {
            400 if message.contains("token is empty") => unknown("it wants a token and got none"),
            500 if message.contains("Unauthorized") || message.contains("asked for the client to provide credentials") => {
                unknown("it does not know the token: wrong or expired")
            }
            401 if kind.ends_with("no_cluster_privilege") => Some(Error::Forbidden(Fault::new(
                format!("{name}: the token may not see the whole cluster"),
                "If it may see single namespaces, fix them in the settings (filters: namespace) or filter each query by namespace; else let it list chaos-mesh.org resources everywhere.",
            ))),
            401 if kind.ends_with("no_namespace_privilege") => Some(Error::Forbidden(Fault::new(
                format!("{name}: the token may not see that namespace"),
                "Set the namespace filter to one the token may see, or let it list chaos-mesh.org resources there.",
            ))),
            _ => None,
        }
    }

    /// Its version, which also proves that it is one.
    pub(super) async fn version(&self, who: &Identity) -> Result<String, Error> {
        let reply = self.http.get("api/common/config", &[], who, self.http.deadline()).await?;
        let config: Value = match self.read(&reply, who) {
            Ok(config) => config,
            Err(Error::Nonsense(fault)) => {
                return Err(self
                    .is_chaoscope(who)
                    .await
                    .map_or(Error::Nonsense(fault), |text| Error::Nonsense(Fault::new(text, "Choose Chaoscope as origin."))));
            }
            Err(error) => return Err(error),
        };
        if config.get("security_mode").is_none() {
            return Err(Error::Nonsense(Fault::new(
                format!("{}: what answers there is no Chaos Dashboard", self.http.name()),
                "Check the URL and the origin.",
            )));
        }
        Ok(self.http.shown(config.get("version").and_then(Value::as_str).unwrap_or(""), who))
    }

    /// Whether it is a Chaoscope, which speaks a Dashboard's language too.
    pub(super) async fn is_chaoscope(&self, who: &Identity) -> Option<String> {
        let reply = self.http.get("api/v1/openapi.json", &[], who, self.http.deadline()).await.ok()?;
        let contract: Value = self.http.read(&reply, who).ok()?;
        (contract.pointer("/info/title")?.as_str()? == "Chaoscope").then(|| {
            format!(
                "{} is a Chaoscope: chosen as origin Chaoscope it tells more (exact times, targets, outcomes, what is to come)",
                self.http.name()
            )
        })
    }
}
