//! One HTTP client for whoever asks an instance: where to ask, what to show, and what counts as an answer.
//!
//! Redirects are not followed (they would carry the token elsewhere), bodies have a limit, and every failure becomes an [`Error`] with a
//! remedy.

use super::error::Error;
use super::tls;
use crate::config::Server;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, Url};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest answer, in bytes.
const LARGEST_BODY: usize = 64 << 20;
/// Largest file with a token, in bytes.
const LARGEST_TOKEN: u64 = 64 << 10;
/// Longest piece of a stranger's answer that is shown, in characters.
const LONGEST_DETAIL: usize = 300;
/// Longest silence of a stream: the server's heartbeats come more often.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(90);

/// Names and values of a query, not escaped.
pub(crate) type Parameters = Vec<(String, String)>;

/// How to get to a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    /// Its address.
    pub(crate) server: &'a str,
    /// File with the token to show.
    pub(crate) token_file: Option<&'a Path>,
    /// File with the certificates to trust instead of this host's.
    pub(crate) ca_file: Option<&'a Path>,
    /// How long one answer may take.
    pub(crate) timeout: Duration,
    /// What the flags for the two files are called.
    pub(crate) flags: Flags,
}

/// Names of flags, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    /// Of the file with the token.
    pub(crate) token_file: &'static str,
    /// Of the file with certificates.
    pub(crate) ca_file: &'static str,
}

/// A server to ask.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    /// Ends with a slash.
    base: Url,
    /// What it is called in messages: the address without any password.
    name: String,
    token_file: Option<PathBuf>,
    timeout: Duration,
    flags: Flags,
}

impl Client {
    /// As the commands' flags say.
    pub(crate) fn new(flags: &Server) -> Result<Self, Error> {
        let names = Flags { token_file: "--token-file", ca_file: "--tls.ca-file" };
        let (token_file, ca_file) = (flags.token_file.as_deref(), flags.ca_file.as_deref());
        Self::by(Way { server: &flags.server, token_file, ca_file, timeout: flags.timeout, flags: names })
    }

    /// By this way. Certificates are read now, the token with each request.
    pub(crate) fn by(way: Way<'_>) -> Result<Self, Error> {
        let base = address(way.server)?;
        let mut name = base.clone();
        let _ = name.set_password(None); // fails for addresses that cannot have one
        let name = name.as_str().trim_end_matches('/').to_owned();
        let tls = if base.scheme() == "https" { tls::config(way.ca_file, way.flags.ca_file)? } else { tls::unused()? };
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("chaoscope/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(way.timeout)
            .read_timeout(LONGEST_SILENCE)
            .tls_backend_preconfigured(tls);
        if is_loopback(&base) {
            http = http.no_proxy();
        } else if base.scheme() == "http" && way.token_file.is_some() {
            tracing::warn!(server = %name, "The token goes over the network as plain text: use https.");
        }
        let http = http.build().map_err(|error| Error::Setup(error.to_string()))?;
        Ok(Self { http, base, name, token_file: way.token_file.map(Path::to_owned), timeout: way.timeout, flags: way.flags })
    }

    /// The JSON at a path of the API, with these parameters.
    pub(crate) async fn get(&self, path: &str, query: &[(String, String)]) -> Result<Vec<u8>, Error> {
        let asked = self.ask(path, query, "application/json", None);
        let answered = async { self.body(asked.await?).await };
        tokio::time::timeout(self.timeout, answered).await.map_err(|_| self.late())?
    }

    /// An endless answer of events, from a position on.
    pub(crate) async fn stream(&self, path: &str, query: &[(String, String)], last: Option<&str>) -> Result<Response, Error> {
        let asked = self.ask(path, query, "text/event-stream", last);
        tokio::time::timeout(self.timeout, asked).await.map_err(|_| self.late())?
    }

    /// Sends a JSON document that nothing is answered to but that it was taken.
    pub(crate) async fn post(&self, path: &str, document: Vec<u8>) -> Result<(), Error> {
        let request = self.http.post(self.url(path)?).header(CONTENT_TYPE, "application/json").body(document);
        let answered = async {
            let response = self.shown(request)?.send().await.map_err(|error| Error::unreachable(&self.name, &error))?;
            if response.status().is_success() { Ok(()) } else { Err(self.refused(response).await) }
        };
        tokio::time::timeout(self.timeout, answered).await.map_err(|_| self.late())?
    }

    /// The next piece of an answer; `None` at its end.
    pub(crate) async fn piece(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, Error> {
        response.chunk().await.map_err(|error| Error::unreachable(&self.name, &error))
    }

    /// Something the server said that a Chaoscope would not.
    pub(crate) fn stranger(&self, reason: impl Into<String>) -> Error {
        Error::Stranger { server: self.name.clone(), reason: reason.into() }
    }

    fn late(&self) -> Error {
        Error::Unreachable { server: self.name.clone(), reason: "no answer in time".to_owned(), cause: super::error::Cause::Time }
    }

    async fn ask(&self, path: &str, query: &[(String, String)], accept: &'static str, last: Option<&str>) -> Result<Response, Error> {
        let response = self.send(path, query, accept, last).await?;
        self.checked(response, accept).await
    }

    async fn send(&self, path: &str, query: &[(String, String)], accept: &'static str, last: Option<&str>) -> Result<Response, Error> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.shown(self.http.get(url).header(ACCEPT, accept))?;
        if let Some(last) = last.and_then(|last| HeaderValue::from_str(last).ok()) {
            request = request.header("last-event-id", last);
        }
        request.send().await.map_err(|error| Error::unreachable(&self.name, &error))
    }

    fn url(&self, path: &str) -> Result<Url, Error> {
        self.base.join(path).map_err(|error| self.stranger(error.to_string()))
    }

    /// The request, with the token where there is one.
    fn shown(&self, request: RequestBuilder) -> Result<RequestBuilder, Error> {
        Ok(match &self.token_file {
            Some(path) => request.header(AUTHORIZATION, bearer(path, self.flags.token_file)?),
            None => request,
        })
    }

    /// Whether an answer is one, and of the type that was asked for.
    async fn checked(&self, response: Response, accept: &str) -> Result<Response, Error> {
        let status = response.status();
        let media = media_type(&response);
        if status.is_success() {
            if media == accept {
                return Ok(response);
            }
            return Err(self.stranger(format!("{} instead of {accept}", if media.is_empty() { "no type" } else { &media })));
        }
        Err(self.refused(response).await)
    }

    /// What an answer that says no says about it.
    async fn refused(&self, response: Response) -> Error {
        let (status, media) = (response.status(), media_type(&response));
        let to = response.headers().get(LOCATION).filter(|_| status.is_redirection()).and_then(|to| to.to_str().ok());
        let detail = match to {
            Some(to) => format!("it points to {}", shown(to)),
            None => self.body(response).await.map_or_else(|_| String::new(), |body| detail(&media, &body)),
        };
        Error::Status { server: self.name.clone(), status, detail }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        while let Some(piece) = self.piece(&mut response).await? {
            if out.len() + piece.len() > LARGEST_BODY {
                return Err(self.stranger(format!("more than {} MiB", LARGEST_BODY >> 20)));
            }
            out.extend_from_slice(&piece);
        }
        Ok(out)
    }
}

/// The address of a server: http or https, a path where it is behind one, nothing else.
fn address(text: &str) -> Result<Url, Error> {
    let refused =
        |reason: &str| Error::Address { text: text.rsplit_once('@').map_or(text, |(_, host)| host).to_owned(), reason: reason.to_owned() };
    let mut url = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refused("it must begin with http:// or https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it must end with its path: parameters have flags of their own"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn media_type(response: &Response) -> String {
    let text = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    text.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// What an answer says about what is wrong: a problem's detail (RFC 9457), else its first line where it is plain text.
fn detail(media: &str, body: &[u8]) -> String {
    let problem = serde_json::from_slice::<serde_json::Value>(body).ok().filter(|_| media.ends_with("json"));
    let of = |key: &str| problem.as_ref().and_then(|problem| problem.get(key)?.as_str()).map(shown);
    let first = || (media == "text/plain").then(|| shown(String::from_utf8_lossy(body).lines().next().unwrap_or("")));
    of("detail").or_else(|| of("title")).or_else(first).unwrap_or_else(String::new)
}

fn shown(text: &str) -> String {
    chaoscope_model::shortened(&chaoscope_model::plain(text), LONGEST_DETAIL)
}

/// The header that shows a token; never logged.
fn bearer(path: &Path, flag: &'static str) -> Result<HeaderValue, Error> {
    let refused = |reason: &str| Error::File { what: flag, path: path.to_owned(), reason: reason.to_owned() };
    let text = small_file(path, LARGEST_TOKEN).map_err(|reason| refused(&reason))?;
    let token = std::str::from_utf8(&text).map_or("", str::trim);
    if token.is_empty() || token.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(refused("it must hold one token and nothing else"));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| refused("it must hold one token and nothing else"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A file that is small, or why not.
pub(crate) fn small_file(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut out)).map_err(|error| error.to_string())?;
    if out.len() as u64 > limit { Err(format!("more than {limit} bytes")) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_path() {
        for (text, base) in [("http://h:1", "http://h:1/"), ("https://h/a/b", "https://h/a/b/"), ("http://[::1]:2/", "http://[::1]:2/")] {
            assert_eq!(address(text).unwrap().as_str(), base);
        }
        for text in ["h:1", "127.0.0.1:10765", "ftp://h", "http://", "http://h/?a=b", "http://h/#a", ""] {
            assert!(address(text).is_err(), "{text}");
        }
        let message = address("ftp://me:hunter2@h").unwrap_err().to_string();
        assert!(!message.contains("hunter2"), "{message}");
        assert!(is_loopback(&address("http://[::1]:2").unwrap()) && is_loopback(&address("http://127.0.0.2").unwrap()));
        assert!(!is_loopback(&address("http://127.evil.example").unwrap()));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_plain_line() {
        let problem = br#"{"title":"Bad","detail":"phase: \u001b[31mno"}"#;
        assert_eq!(detail("application/problem+json", problem), "phase: \u{fffd}[31mno");
        assert_eq!(detail("application/problem+json", br#"{"title":"Bad"}"#), "Bad");
        assert_eq!(detail("text/plain", b"no\nmore"), "no");
        assert_eq!(detail("text/html", b"<h1>no</h1>"), "");
    }

    #[test]
    fn a_token_is_one_word() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let with = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            bearer(file.path(), "--token-file")
        };
        let value = with(" abc.def\n").unwrap();
        assert!(value == "Bearer abc.def" && format!("{value:?}") == "Sensitive");
        for text in ["", "\n", "two words", "two\nlines", "\u{e4}"] {
            assert!(!with(text).unwrap_err().to_string().contains("two"), "{text}");
        }
    }
}
