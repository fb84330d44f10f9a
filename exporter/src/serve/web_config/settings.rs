//! One version of the web configuration, checked and ready for use.
//!
//! Apart from when it is read ([`super::WebConfig`]) and from its keys (`file`). To add a section: one field here.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use axum::http::{HeaderMap, HeaderValue};
use rustls::ServerConfig;

use super::basic_auth::Users;
use super::client_auth::ClientAuth;
use super::error::{Section, WebError};
use super::headers::{Headers, headers};
use super::rate_limit::{Limiter, limiter};
use super::reading::Reading;
use super::tls::{Tls, tls};

/// What a connection and a request need to know.
#[derive(Default)]
pub(crate) struct Settings {
    /// Absent: plain HTTP.
    tls: Option<Tls>,
    /// Absent: nobody is asked for a password.
    users: Option<Users>,
    /// Put on every answer.
    headers: Headers,
    /// Absent: no limit.
    limiter: Option<Limiter>,
}

impl Settings {
    /// Makes sense of what was read.
    pub(super) fn from_reading(reading: Reading) -> Result<Self, WebError> {
        let file = reading.file.as_path();
        let http = reading.web.http_server_config.unwrap_or_default();
        let section = reading.web.tls_server_config.unwrap_or_default();
        let tls = match &reading.pems {
            Some(pems) => {
                let at = Section { file, name: "tls_server_config" };
                Some(tls(&section, pems, http.http2.unwrap_or(true), at)?)
            }
            None => None,
        };
        let users = Users::new(reading.web.basic_auth_users.unwrap_or_default(), file)?;
        Ok(Self {
            tls,
            users: Some(users).filter(|users| !users.is_empty()),
            headers: headers(http.headers.unwrap_or_default(), Section { file, name: "http_server_config.headers" })?,
            limiter: limiter(reading.web.rate_limit, file)?,
        })
    }

    /// An error if this version takes a protection away that `before` gave. A file that is being written can be seen empty
    /// or cut off, which would read as "no TLS, no password": so only a restart takes protection away.
    pub(super) fn keeps_protection_of(&self, before: &Self, file: &Path) -> Result<(), WebError> {
        let auth = |settings: &Self| settings.tls.as_ref().map_or(ClientAuth::None, |tls| tls.client_auth);
        let names = |settings: &Self| settings.tls.as_ref().is_some_and(|tls| tls.client_names);
        let lost = if before.tls.is_some() && self.tls.is_none() {
            ("tls_server_config", "")
        } else if auth(self) < auth(before) {
            ("tls_server_config", "client_auth_type")
        } else if names(before) && !names(self) {
            ("tls_server_config", "client_allowed_sans")
        } else if before.users.is_some() && self.users.is_none() {
            ("basic_auth_users", "")
        } else {
            return Ok(());
        };
        let (name, key) = lost;
        let problem = "this protection is in force and no longer in the file";
        Err(Section { file, name }.wrong(key, problem, "put it back, or restart to serve without it"))
    }
}

impl Settings {
    /// How a new connection is encrypted; `None`: plain HTTP.
    pub(in super::super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(|tls| Arc::clone(&tls.config))
    }

    /// Whether there are users to prove.
    pub(super) fn asks_passwords(&self) -> bool {
        self.users.is_some()
    }

    /// Whether the rate limit lets a request at `now` pass.
    pub(in super::super) fn has_room(&self, now: Instant) -> bool {
        self.limiter.as_ref().is_none_or(|limiter| limiter.allows(now))
    }

    /// Whether the value of the `Authorization` header is good enough.
    pub(in super::super) async fn admits(&self, authorization: Option<&HeaderValue>) -> bool {
        match &self.users {
            Some(users) => users.admit(authorization).await,
            None => true,
        }
    }

    /// Sets the configured headers on an answer.
    pub(in super::super) fn dress(&self, answer: &mut HeaderMap) {
        for (name, value) in &self.headers {
            answer.insert(name.clone(), value.clone());
        }
    }
}
