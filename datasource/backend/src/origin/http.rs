//! One HTTP client per datasource: how a request is made, limited and repeated. GET only.
//!
//! A question has one deadline, repetitions included; an answer has a largest size, counted while it comes; a redirect is followed only where
//! it stays at the same address, for the credentials go with it. What an answer means is in `reply`. Dropping the future ends the request.

mod reply;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;

pub(super) use reply::Reply;
pub(super) use reply::plain;

use super::fault::{self, Error, Fault};
use super::{Identity, tls};
use crate::metrics::{self, Requested};
use crate::settings::{Settings, Tls};
use base64::Engine as _;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, unfold};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Proxy, Response, StatusCode, Url};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// Largest answer, in bytes.
const LARGEST_BODY: usize = 64 << 20;
/// How often a request is sent again.
const REPETITIONS: u32 = 2;
/// Wait before the first repetition; the second waits twice as long.
const PAUSE: Duration = Duration::from_millis(150);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Most redirects that are followed.
const MOST_REDIRECTS: usize = 3;
/// How far the two clocks may be apart, in seconds: more moves what is shown on a graph.
const CLOCKS: i64 = 60;
/// Shortest secret that is looked for in a stranger's text: shorter ones are found everywhere.
const SHORTEST_SECRET: usize = 4;

/// An address to ask.
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    name: String,
    /// The same, with the way there: what cannot be reached may be the proxy.
    way: String,
    headers: HeaderMap,
    /// Texts that are taken out of what strangers say.
    secrets: Vec<String>,
    timeout: Duration,
    /// How far the other clock was ahead when it last answered, in seconds.
    ahead: AtomicI64,
}

impl Http {
    /// Opens nothing yet.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        let base = settings.url.clone();
        let setup = |error: &reqwest::Error| {
            Error::Unreachable(Fault::from(format!("the HTTP client cannot be set up: {}", plain(&error.to_string()))))
        };
        let through_tls = base.scheme() == "https" || settings.proxy.as_ref().is_some_and(|(proxy, _)| proxy.scheme() == "https");
        let tls = if through_tls { tls::config(&settings.tls, true)? } else { tls::config(&Tls::default(), false)? };
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("chaoscope-datasource/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::custom(staying))
            .connect_timeout(CONNECT.min(settings.timeout))
            .tcp_keepalive(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .tls_backend_preconfigured(tls);
        if let Some((url, user)) = &settings.proxy {
            let proxy = Proxy::all(url.clone()).map_err(|error| setup(&error))?;
            client = client.proxy(match user {
                Some(user) => proxy.basic_auth(&user.user, user.password.expose()),
                None => proxy,
            });
        } else if is_loopback(&base) {
            client = client.no_proxy();
        }
        let secrets = settings.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
        let name = base.as_str().trim_end_matches('/').to_owned();
        let through = settings.proxy.as_ref().map(|(proxy, _)| format!(" (through the proxy {})", proxy.as_str().trim_end_matches('/')));
        Ok(Self {
            client: client.build().map_err(|error| setup(&error))?,
            way: format!("{name}{}", through.unwrap_or_default()),
            name,
            headers: credentials(settings)?,
            base,
            secrets,
            timeout: settings.timeout,
            ahead: AtomicI64::new(0),
        })
    }

    /// What it is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// When a question that is asked now must be answered.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// What a reader should know about the other clock.
    pub(super) fn clock(&self) -> Option<String> {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        (ahead.abs() > CLOCKS).then(|| {
            format!(
                "The clock of {} is {} s {way} Grafana's: what is shown may be shifted. Check both clocks (NTP).",
                self.name,
                ahead.abs()
            )
        })
    }

    /// The answer at a path below the address, whatever its status; sent again where nothing came back or a proxy gave up.
    pub(super) async fn get(&self, path: &str, query: &[(String, String)], who: &Identity, until: Instant) -> Result<Reply, Error> {
        let mut again = 0;
        loop {
            let mut requested = Requested::default();
            let outcome = timeout_at(until, self.once(path, query, who)).await.map_err(|_| fault::late(&self.name))?;
            requested.outcome = outcome.as_ref().map_or("unreachable", |reply| metrics::status(reply.status.as_u16()));
            drop(requested);
            let wait = match &outcome {
                Ok(reply) if is_passing(reply.status) => Some(reply.retry_after.unwrap_or_else(|| pause(again))),
                Err((_, true)) => Some(pause(again)),
                _ => None,
            };
            let in_time = |wait: &Duration| Instant::now().checked_add(*wait).is_some_and(|at| at < until);
            match wait.filter(|wait| again < REPETITIONS && in_time(wait)) {
                Some(wait) => sleep(wait).await,
                None => return outcome.map_err(|(error, _)| error),
            }
            again += 1;
        }
    }

    /// One try; an error says whether another one makes sense.
    async fn once(&self, path: &str, query: &[(String, String)], who: &Identity) -> Result<Reply, (Error, bool)> {
        let mut url = self.base.join(path).map_err(|error| (Error::Refused(Fault::from(error.to_string())), false))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.client.get(url).header(ACCEPT, "application/json").headers(self.headers_for(who));
        let response = request.send().await.map_err(|error| self.failed(&error))?;
        self.watch_clock(&response);
        let mut reply = Reply {
            status: response.status(),
            media: header(&response, &CONTENT_TYPE).split(';').next().unwrap_or("").trim().to_ascii_lowercase(),
            location: header(&response, &LOCATION).to_owned(),
            retry_after: header(&response, &RETRY_AFTER).parse().ok().map(Duration::from_secs),
            body: Vec::new(),
        };
        reply.body = self.body(response).await?;
        Ok(reply)
    }

    /// An answer that does not end, in pieces. Opened once; whoever reads it opens it again.
    pub(super) async fn open(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let url = self.base.join(path).map_err(|error| Error::Refused(Fault::from(error.to_string())))?;
        let request = self.client.get(url).header(ACCEPT, "text/event-stream").headers(self.headers.clone());
        let response = timeout_at(self.deadline(), request.send()).await.map_err(|_| fault::late(&self.name))?;
        let response = response.map_err(|error| self.failed(&error).0)?;
        let streams = response.status().is_success() && header(&response, &CONTENT_TYPE).starts_with("text/event-stream");
        if !streams {
            return Err(Error::Nonsense(Fault::from(format!("{}: no live stream, but {}", self.name, response.status()))));
        }
        let (name, host) = (self.name.clone(), self.base.host_str().unwrap_or("").to_owned());
        let pieces = unfold(response, move |mut response| {
            let (name, host) = (name.clone(), host.clone());
            async move {
                let piece = response.chunk().await.map_err(|error| fault::unreachable(&error, &name, &host)).transpose()?;
                Some((piece, response))
            }
        });
        Ok(pieces.boxed())
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, (Error, bool)> {
        let large = || {
            let remedy = "Ask for less time, with more filters or a smaller limit.";
            (Error::Nonsense(Fault::new(format!("{}: the answer is larger than {} MiB", self.name, LARGEST_BODY >> 20), remedy)), false)
        };
        if response.content_length().is_some_and(|length| length > LARGEST_BODY as u64) {
            return Err(large());
        }
        let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut body = Vec::with_capacity(expected);
        while let Some(piece) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + piece.len() > LARGEST_BODY {
                return Err(large());
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    fn failed(&self, error: &reqwest::Error) -> (Error, bool) {
        (fault::unreachable(error, &self.way, self.base.host_str().unwrap_or("")), fault::passes(error))
    }

    /// The datasource's own credentials, and over them the caller's.
    fn headers_for(&self, who: &Identity) -> HeaderMap {
        let mut headers = self.headers.clone();
        for (name, value) in &who.headers {
            if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        headers
    }

    /// A stranger's text as it may be shown: one short line, without what we sent him.
    pub(super) fn shown(&self, text: &str, who: &Identity) -> String {
        let sent = who.headers.iter().flat_map(|(_, value)| [value.as_str(), value.split_once(' ').map_or("", |(_, bare)| bare)]);
        let secrets = self.secrets.iter().map(String::as_str).chain(sent).filter(|secret| secret.len() >= SHORTEST_SECRET);
        plain(&secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "***")))
    }

    fn watch_clock(&self, response: &Response) {
        if let Ok(date) = jiff::fmt::rfc2822::parse(header(response, &DATE)) {
            let ahead = date.timestamp().as_second() - jiff::Timestamp::now().as_second();
            self.ahead.store(ahead, Ordering::Relaxed);
        }
    }
}

fn header<'r>(response: &'r Response, name: &HeaderName) -> &'r str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// Follows what stays at the same address: headers go along, and only we know which of them are secret.
fn staying(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let place = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    let stays = attempt.previous().first().is_some_and(|first| place(first) == place(attempt.url()));
    if stays && attempt.previous().len() <= MOST_REDIRECTS { attempt.follow() } else { attempt.stop() }
}

fn credentials(settings: &Settings) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    let mut put = |name: &HeaderName, value: &str| -> Result<(), Error> {
        let mut value =
            HeaderValue::from_str(value).map_err(|_| Error::Refused(Fault::from(format!("{name}: it has signs a header cannot carry"))))?;
        value.set_sensitive(true);
        headers.append(name.clone(), value);
        Ok(())
    };
    for (name, value) in &settings.headers {
        put(name, value.expose())?;
    }
    if let Some(basic) = &settings.basic {
        let both = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", basic.user, basic.password.expose()));
        put(&AUTHORIZATION, &format!("Basic {both}"))?;
    }
    Ok(headers)
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// Half of a growing wait is left to chance, so that many panels do not come again at once.
fn pause(again: u32) -> Duration {
    let whole = PAUSE * 2u32.pow(again.min(4));
    whole / 2 + whole.mul_f64((RandomState::new().hash_one(again) % 1000) as f64 / 2000.0)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
