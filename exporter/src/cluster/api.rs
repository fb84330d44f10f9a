//! The API server as we use it: get, list and watch, each answer limited in size and time; nothing else is ever asked.
//!
//! Below the watches, which know what to do about an [`Error`]. Not `kube::Api`: it wants typed objects and reads whole lists before it hands
//! out the first; here one bad object must not spoil its page, and a watch that is closed at once must not be opened in a circle.

mod answer;
mod connect;
mod error;
mod lines;

pub use answer::{Change, Names, Page, identity, object};
pub use connect::{Whereabouts, connect};
pub use error::Error;
pub use lines::{Line, Lines};

use crate::tools::resource::Resource;
use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Until an answer begins; the API server itself gives up after 60 s.
const PATIENCE: Duration = Duration::from_secs(65);
/// Most bytes of one answer that is no watch. An API server's own limit for one object is 3 MiB.
const MAX_BYTES: usize = 32 << 20;

/// What may be asked; cheap to clone.
#[derive(Clone)]
pub struct Api {
    client: Client,
    /// Only objects whose fields are so, whatever their kind says.
    fields: Option<Arc<str>>,
}

/// Which part of a list to ask for.
#[derive(Clone, Debug)]
pub struct Part {
    /// Most objects of one page.
    pub limit: u32,
    /// Where it begins: what the page before said; `None`: at the beginning.
    pub token: Option<String>,
}

impl Api {
    /// By way of this client.
    pub fn new(client: Client) -> Self {
        Self { client, fields: None }
    }

    /// The same for objects whose fields are so: `spec.nodeName=n1`.
    #[must_use]
    pub fn narrowed(&self, fields: &str) -> Self {
        Self { fields: Some(fields.into()), ..self.clone() }
    }

    fn fields<'a>(&'a self, resource: &'a Resource) -> &'a str {
        self.fields.as_deref().unwrap_or(resource.fields)
    }

    /// One page of a list, as the bytes that [`Page::parse`] takes; in one namespace or, with an empty one, everywhere.
    pub async fn list(&self, resource: &Resource, namespace: &str, part: &Part) -> Result<Vec<u8>, Error> {
        let mut query = format!("{}?limit={}", resource.path(namespace), part.limit);
        if !self.fields(resource).is_empty() {
            add(&mut query, "fieldSelector", self.fields(resource));
        }
        if let Some(token) = &part.token {
            add(&mut query, "continue", token);
        }
        let answer = self.ask(&query).await?;
        lines::whole(answer.into_body(), MAX_BYTES).await
    }

    /// What changes after `version`, until the server closes it after `seconds`, or earlier.
    pub async fn watch(&self, resource: &Resource, namespace: &str, version: &str, seconds: u64) -> Result<Lines, Error> {
        let mut query = format!("{}?watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}", resource.path(namespace));
        add(&mut query, "resourceVersion", version);
        if !self.fields(resource).is_empty() {
            add(&mut query, "fieldSelector", self.fields(resource));
        }
        Ok(Lines::new(self.ask(&query).await?.into_body()))
    }

    /// One document by its path; `None`: there is none.
    pub async fn get(&self, path: &str) -> Result<Option<Value>, Error> {
        let answer = match self.ask(path).await {
            Err(Error::Missing) => return Ok(None),
            answer => answer?,
        };
        let bytes = lines::whole(answer.into_body(), MAX_BYTES).await?;
        serde_json::from_slice(&bytes).map(Some).map_err(|cause| Error::Malformed(cause.to_string()))
    }

    async fn ask(&self, path: &str) -> Result<Response<Body>, Error> {
        let request = Request::get(path).header("Accept", "application/json").body(Body::empty());
        let request = request.map_err(|cause| Error::Malformed(cause.to_string()))?;
        let answer = timeout(PATIENCE, self.client.send(request)).await.map_err(|_| Error::Silent)??;
        if answer.status().is_success() { Ok(answer) } else { Err(Error::of(answer).await) }
    }
}

/// Adds `&name=value`; every byte of the value but letters and digits as `%XX`.
fn add(query: &mut String, name: &str, value: &str) {
    query.push('&');
    query.push_str(name);
    query.push('=');
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => query.push(byte.into()),
            _ => {
                let _ = write!(query, "%{byte:02X}"); // into a string: it cannot fail
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_a_query_are_quoted() {
        let mut query = "/p?a=1".to_owned();
        add(&mut query, "s", "x.y=a/b&c");
        assert_eq!(query, "/p?a=1&s=x%2Ey%3Da%2Fb%26c");
    }
}
