//! What an answer means: a status, an error's body, a page of somebody else.
//!
//! What differs between products (a Dashboard's status codes) is where that product is asked.

use super::Http;
use crate::origin::Identity;
use crate::origin::fault::{self, Error, Fault};
use chaoscope_model::shortened;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// Longest piece of a stranger's answer that is shown, in characters.
const LONGEST_DETAIL: usize = 300;
/// Longest title of a page that is shown, in characters.
const LONGEST_TITLE: usize = 80;
/// How much of a page is looked at, in bytes.
const PAGE: usize = 64 << 10;

/// An answer, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// Its type, without parameters, in lower case.
    pub(crate) media: String,
    /// Where it points to, as it came; empty: nowhere.
    pub(crate) location: String,
    /// When to come again.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Whether its body is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.iter().all(u8::is_ascii_whitespace)
    }

    /// A field of an error's body.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        serde_json::from_slice::<Value>(&self.body).ok()?.get(name)?.as_str().map(str::to_owned)
    }

    fn is_page(&self) -> bool {
        self.media == "text/html" || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// What a body says about what is wrong: a problem's detail (RFC 9457), a Dashboard's message, else its first line where it is plain text.
    fn detail(&self) -> String {
        let first = || {
            let text = String::from_utf8_lossy(&self.body[..self.body.len().min(PAGE)]).lines().next().unwrap_or("").to_owned();
            (self.media == "text/plain" || self.media.is_empty()).then_some(text)
        };
        let of = |name: &str| self.field(name).filter(|text| !text.is_empty());
        of("detail").or_else(|| of("message")).or_else(|| of("error")).or_else(|| of("title")).or_else(first).unwrap_or_else(String::new)
    }
}

impl Http {
    /// The JSON of a good answer.
    pub(crate) fn read<T: DeserializeOwned>(&self, reply: &Reply, who: &Identity) -> Result<T, Error> {
        if reply.status != StatusCode::OK {
            return Err(self.refusal(reply, who));
        }
        if reply.is_page() {
            return Err(Error::Nonsense(self.page(reply, who)));
        }
        if reply.is_empty() {
            let remedy = "Check that the URL is that of the product chosen as origin.";
            return Err(Error::Nonsense(Fault::new(format!("{}: the answer is empty", self.name()), remedy)));
        }
        serde_json::from_slice(&reply.body).map_err(|error| {
            if error.is_eof() {
                return fault::half(self.name());
            }
            let remedy = "Check that the URL is that of the product chosen as origin, and its version.";
            let reason = format!("{}: the answer cannot be understood: {}", self.name(), self.shown(&error.to_string(), who));
            Error::Nonsense(Fault::new(reason, remedy))
        })
    }

    /// What a status other than 200 means.
    pub(crate) fn refusal(&self, reply: &Reply, who: &Identity) -> Error {
        let name = self.name();
        let said = if reply.is_page() { String::new() } else { self.shown(&reply.detail(), who) };
        let tail = if said.is_empty() { String::new() } else { format!(": {said}") };
        let fault = |what: &str, remedy: &str| Fault::new(format!("{name}: {what}{tail}"), remedy);
        match reply.status.as_u16() {
            200..=299 => Error::Nonsense(fault(
                &format!("an answer without what was asked for ({})", reply.status.as_u16()),
                "Check that the URL is that of the product chosen as origin.",
            )),
            300..=399 => Error::Nonsense(self.redirect(reply, who)),
            400 if said.to_ascii_uppercase().contains("HTTPS") => {
                Error::Nonsense(fault("this port speaks TLS (400)", "The URL must begin with https://."))
            }
            401 => Error::Unauthenticated(fault(
                "it does not know us (401)",
                "Check the token or the password; it may be missing, wrong or expired.",
            )),
            403 => Error::Forbidden(fault(
                "it does not let us (403)",
                "Give the token's account the right to read, or ask for less: a namespace filter may be enough.",
            )),
            407 => Error::Unreachable(fault("the proxy does not know us (407)", "Write the proxy's user and password.")),
            404 | 405 if reply.is_page() => Error::Nonsense(self.page(reply, who)),
            404 | 405 => Error::Nonsense(fault(
                &format!("there is no such address ({})", reply.status.as_u16()),
                "Check the URL's path and that it is the product chosen as origin, in a version that has this.",
            )),
            429 => Error::Busy(fault("it has too much to do (429)", &later(reply))),
            503 => Error::Busy(fault("it is not ready or has too much to do (503)", &later(reply))),
            502 | 504 => Error::Failed(fault(
                &format!("a proxy before it got no answer ({})", reply.status.as_u16()),
                "Check that the service behind the proxy runs.",
            )),
            400..=499 => Error::Refused(fault(
                &format!("it refused the question ({})", reply.status.as_u16()),
                "Change the query as the message says.",
            )),
            status => Error::Failed(fault(&format!("it failed ({status})"), "Its log says why.")),
        }
    }

    fn redirect(&self, reply: &Reply, who: &Identity) -> Fault {
        let to = self.shown(&reply.location, who);
        let login = ["login", "signin", "oauth", "auth"].iter().any(|word| to.to_ascii_lowercase().contains(word));
        let remedy = match (login, to.starts_with("https://") && self.name().starts_with("http://")) {
            (true, _) => "That is a login page: give a token, or an address that does not go through it.",
            (_, true) => "Begin the URL with https://.",
            _ => "Redirects to another place are not followed, for the token would go along. Write the final address as URL.",
        };
        Fault::new(format!("{}: it points to {to} ({})", self.name(), reply.status.as_u16()), remedy)
    }

    /// A page where data was asked for, and whose it seems to be.
    fn page(&self, reply: &Reply, who: &Identity) -> Fault {
        let text = String::from_utf8_lossy(&reply.body[..reply.body.len().min(PAGE)]).into_owned();
        let lower = text.to_lowercase();
        let title = between(&text, &lower, "<title>", "</title>")
            .map_or_else(String::new, |title| shortened(&self.shown(title, who), LONGEST_TITLE));
        let (what, remedy) = if lower.contains("grafanabootdata") || lower.contains("<title>grafana") {
            ("Grafana itself", "Write the address of Chaoscope or of the Chaos Dashboard as URL, not Grafana's.")
        } else if lower.contains("type=\"password\"")
            || ["log in", "login", "sign in"].iter().any(|word| title.to_lowercase().contains(word))
        {
            ("a login page", "Give a token, or an address that does not go through it.")
        } else if lower.contains("chaos mesh dashboard") || title.to_lowercase().contains("chaos mesh") {
            (
                "the pages of a Chaos Dashboard",
                "Choose Chaos Dashboard as origin, if it is not; the URL has no path but the one it is served under.",
            )
        } else if lower.contains("nginx") {
            ("nginx", "Check the URL: the web server there does not pass this path on.")
        } else {
            ("a web page", "Check that the URL is the address of Chaoscope or of a Chaos Dashboard, with the path it is served under.")
        };
        let title = if title.is_empty() { title } else { format!(" ({title:?})") };
        Fault::new(format!("{}: {what}{title} answers there, not what was chosen as origin", self.name()), remedy)
    }
}

fn later(reply: &Reply) -> String {
    match reply.retry_after {
        Some(after) => format!("It asks to come again in {} s. Fewer panels, longer refresh or more caching help.", after.as_secs()),
        None => "Come again later. Fewer panels, longer refresh or more caching help.".to_owned(),
    }
}

fn between<'t>(text: &'t str, lower: &str, open: &str, close: &str) -> Option<&'t str> {
    let from = lower.find(open)? + open.len();
    let to = from + lower.get(from..)?.find(close)?;
    text.get(from..to)
}

/// One short line for a person: no control characters, at most 300 characters.
pub(crate) fn plain(text: &str) -> String {
    let cleaned = text.trim().chars().take(LONGEST_DETAIL).map(|sign| if sign.is_control() { ' ' } else { sign });
    cleaned.collect()
}
