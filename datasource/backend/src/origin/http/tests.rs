//! Every way an answer can go wrong, against a server that does just that.

use super::scripted::{Say, Scripted};
use super::*;
use crate::origin::chaoscope::Chaoscope;
use crate::query::{Pairs, Question, Window};
use crate::settings::{Given, Secret};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

const TOKEN: &str = "hunter2-hunter2";

fn settings(url: &str, json: &str, secrets: &[(&'static str, &str)]) -> Settings {
    let secrets = secrets.iter().map(|(name, text)| (*name, Secret::from((*text).to_owned()))).collect();
    Settings::parse(&Given { url, basic_auth: None, json: json.as_bytes(), secrets }).unwrap()
}

fn question() -> Question {
    let window = Window { from: "2026-11-21T13:00:00Z".parse().unwrap(), to: "2026-11-21T14:00:00Z".parse().unwrap() };
    Question { window, filter: Pairs::new(), limit: 100 }
}

/// What asking for runs gives, with a token.
async fn ask(url: &str) -> Result<usize, Error> {
    let origin = Chaoscope::new(&settings(url, r#"{"timeout":3}"#, &[("token", TOKEN)]))?;
    origin.runs(&question(), &Identity::default()).await.map(|found| found.items.len())
}

async fn against(say: Say) -> Error {
    let server = Scripted::start(move |_| say.clone()).await;
    let error = ask(&server.url()).await.unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.remedy()).contains("hunter2"), "{error:?}");
    error
}

fn says(error: &Error, cause: &str, remedy: &str) {
    assert!(error.to_string().contains(cause), "{error} does not say {cause}");
    assert!(error.remedy().contains(remedy), "{} does not say {remedy}", error.remedy());
}

#[tokio::test]
async fn an_answer_is_read_and_the_token_was_shown() {
    let server = Scripted::start(|_| Say::json(200, r#"{"runs":[],"next":null}"#)).await;
    assert_eq!(ask(&server.url()).await, Ok(0));
    let asked = server.asked().remove(0);
    assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
    assert!(asked.target.starts_with("/api/v1/runs?from=2026-11-21T13%3A00%3A00Z&to="), "{}", asked.target);
}

#[tokio::test]
async fn a_path_before_the_api_is_kept() {
    let server = Scripted::start(|_| Say::json(200, r#"{"runs":[],"next":null}"#)).await;
    assert_eq!(ask(&format!("{}/chaos/", server.url())).await, Ok(0));
    assert!(server.asked()[0].target.starts_with("/chaos/api/v1/runs?"));
}

#[tokio::test]
async fn nothing_listens() {
    let port = Scripted::start(|_| Say::Nothing).await.port;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let error = ask(&format!("http://127.0.0.1:{port}")).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    says(&error, "connection refused", "Check the port");
}

#[tokio::test]
async fn nobody_has_that_name() {
    let error = ask("http://no-such-host.invalid:1").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    says(&error, "the name \"no-such-host.invalid\" is not known (DNS)", "spelling");
}

#[tokio::test]
async fn no_answer_in_time_is_said_and_the_request_ended() {
    let server = Scripted::start(|_| Say::Nothing).await;
    let origin = Chaoscope::new(&settings(&server.url(), r#"{"timeout":1}"#, &[])).unwrap();
    let error = origin.runs(&question(), &Identity::default()).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut(_)), "{error:?}");
    says(&error, "no answer in time", "timeout");
    server.lost(1).await;
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_request() {
    let server = Scripted::start(|_| Say::Nothing).await;
    let url = server.url();
    let asking = tokio::spawn(async move { ask(&url).await });
    while server.count() == 0 {
        tokio::task::yield_now().await;
    }
    asking.abort();
    server.lost(1).await;
}

#[tokio::test]
async fn statuses_mean_what_they_say() {
    type Is = fn(&Error) -> bool;
    let problem = |detail: &str| format!(r#"{{"type":"about:blank","title":"No","detail":"{detail}"}}"#);
    let cases: [(u16, String, Is, &str, &str); 8] = [
        (400, problem("phase: \\u001b[31mno"), |e| matches!(e, Error::Refused(_)), "phase:  [31mno", "Change the query"),
        (400, "Client sent an HTTP request to an HTTPS server.".to_owned(), |e| matches!(e, Error::Refused(_)), "(400)", ""),
        (401, problem("no token"), |e| matches!(e, Error::Unauthenticated(_)), "(401): no token", "token"),
        (403, problem("not this namespace"), |e| matches!(e, Error::Forbidden(_)), "(403): not this namespace", "right to read"),
        (404, problem("nothing"), |e| matches!(e, Error::Nonsense(_)), "no such address (404)", "URL's path"),
        (429, String::new(), |e| matches!(e, Error::Busy(_)), "(429)", "Come again later"),
        (500, problem("broken"), |e| matches!(e, Error::Failed(_)), "it failed (500): broken", "log"),
        (418, String::new(), |e| matches!(e, Error::Refused(_)), "(418)", ""),
    ];
    for (status, body, is, cause, remedy) in cases {
        let error = against(Say::json(status, body)).await;
        assert!(is(&error), "{status}: {error:?}");
        says(&error, cause, remedy);
    }
}

#[tokio::test]
async fn the_own_token_in_an_answer_is_not_shown() {
    let error = against(Say::json(403, format!(r#"{{"detail":"{TOKEN} and Bearer {TOKEN} may not"}}"#))).await;
    says(&error, "*** and *** may not", "");
    let error = against(Say::json(200, format!(r#"{{"runs":"{TOKEN}","next":null}}"#))).await;
    says(&error, "cannot be understood", "");
    let long = "x".repeat(10_000);
    assert!(against(Say::json(500, format!(r#"{{"message":"{long}"}}"#))).await.to_string().len() < 500);
}

#[tokio::test]
async fn what_passes_is_asked_again_and_what_does_not_is_not() {
    for (status, times) in [(502, 3), (503, 3), (504, 3), (500, 1), (429, 1), (401, 1), (404, 1)] {
        let server = Scripted::start(move |_| Say::json(status, "")).await;
        ask(&server.url()).await.unwrap_err();
        assert_eq!(server.count(), times, "{status}");
    }
    let tries = AtomicUsize::new(0);
    let server = Scripted::start(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Say::json(503, "").with("retry-after", "0"),
        1 => Say::Bytes(Vec::new()),
        _ => Say::json(200, r#"{"runs":[],"next":null}"#),
    })
    .await;
    assert_eq!(ask(&server.url()).await, Ok(0));
    let server = Scripted::start(|_| Say::json(503, "").with("retry-after", "60")).await;
    let error = ask(&server.url()).await.unwrap_err();
    assert_eq!(server.count(), 1, "it said when: later than we may wait");
    says(&error, "(503)", "in 60 s");
    says(&against(Say::json(503, "").with("retry-after", u64::MAX.to_string())).await, "(503)", "It asks to come again");
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    for half in [
        format!("{head}content-length: 500\r\n\r\n{{\"runs\":[{{"),
        format!("{head}transfer-encoding: chunked\r\n\r\n9\r\n{{\"runs\":["),
        format!("{head}\r\n{{\"runs\":["),
    ] {
        let error = against(Say::Bytes(half.into_bytes())).await;
        assert!(matches!(error, Error::Nonsense(_)), "{error:?}");
        says(&error, "broke off in the middle", "Ask again");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_early() {
    let announced = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 209715200\r\n\r\n";
    says(&against(Say::Bytes(announced.into())).await, "larger than 64 MiB", "less time");
    let server = Scripted::start(|_| Say::Much(200)).await;
    let origin = Chaoscope::new(&settings(&server.url(), r#"{"timeout":60}"#, &[])).unwrap();
    says(&origin.runs(&question(), &Identity::default()).await.unwrap_err(), "larger than 64 MiB", "less time");
    server.lost(1).await;
    assert_eq!(server.count(), 1, "and not asked again");
}

#[tokio::test]
async fn a_page_is_no_answer_and_whose_it_is_is_said() {
    for (body, what) in [
        ("<!doctype html><title>Grafana</title><script>window.grafanaBootData={}</script>", "Grafana itself"),
        ("<html><head><title>Sign in to\u{7} it</title>", "a login page (\"Sign in to  it\")"),
        ("<html><title>Chaos Mesh Dashboard</title>", "the pages of a Chaos Dashboard"),
        ("<html><title>404</title><hr>nginx/1.27", "nginx"),
        ("<p>hello", "a web page"),
    ] {
        for status in [200, 404] {
            let error = against(Say::page(status, body)).await;
            assert!(matches!(error, Error::Nonsense(_)), "{error:?}");
            says(&error, what, "");
        }
    }
    says(&against(Say::json(200, "")).await, "the answer is empty", "origin");
    says(&against(Say::json(200, "[]")).await, "cannot be understood", "origin");
}

#[tokio::test]
async fn a_redirect_is_followed_at_home_and_nowhere_else() {
    let server = Scripted::start(|asked| {
        if asked.target.starts_with("/api") {
            Say::json(307, "").with("location", "/there?x=1")
        } else {
            Say::json(200, r#"{"runs":[],"next":null}"#)
        }
    })
    .await;
    assert_eq!(ask(&server.url()).await, Ok(0));
    let other = Scripted::start(|_| Say::json(200, r#"{"runs":[],"next":null}"#)).await;
    let to = format!("{}/login", other.url());
    let error = against(Say::json(302, "").with("location", to.clone())).await;
    says(&error, &format!("it points to {to} (302)"), "login page");
    assert_eq!(other.count(), 0, "nobody else is shown the token");
    let error = against(Say::json(308, "").with("location", "https://127.0.0.1/api")).await;
    says(&error, "it points to https://", "Begin the URL with https://");
    let far = format!("http://elsewhere.invalid/{}?token={TOKEN}", "x".repeat(260));
    says(&against(Say::json(302, "").with("location", far)).await, "xxx?token=*** (302)", "");
    let around = Scripted::start(|_| Say::json(302, "").with("location", "/again")).await;
    says(&ask(&around.url()).await.unwrap_err(), "it points to /again", "final address");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_said() {
    let answer = |date: &str| Say::json(200, r#"{"runs":[],"next":null}"#).with("date", date.to_owned());
    let notices = async |date: String| {
        let server = Scripted::start(move |_| answer(&date)).await;
        let origin = Chaoscope::new(&settings(&server.url(), "", &[])).unwrap();
        origin.runs(&question(), &Identity::default()).await.unwrap().notices
    };
    let ago = |seconds: i64| {
        (jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds))
            .to_zoned(jiff::tz::TimeZone::UTC)
            .strftime("%a, %d %b %Y %H:%M:%S GMT")
            .to_string()
    };
    assert!(notices(ago(2)).await.is_empty() && notices("yesterday".to_owned()).await.is_empty());
    let said = notices(ago(7200)).await.join("");
    assert!(said.contains("s behind Grafana's") && said.contains("NTP"), "{said}");
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// PEM of a certificate and its key.
    fn issue(&self, name: &str, year: i32) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn server(&self, name: &str, year: i32, wants_client: bool) -> ServerConfig {
        let (certificate, key) = self.issue(name, year);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = if wants_client {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        builder.with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap()).unwrap()
    }
}

async fn secure(tls: ServerConfig, json: &str, secrets: &[(&'static str, &str)]) -> Result<usize, Error> {
    let server = Scripted::with(Some(tls), |_| Say::json(200, r#"{"runs":[],"next":null}"#)).await;
    let origin = Chaoscope::new(&settings(&format!("https://127.0.0.1:{}", server.port), json, secrets))?;
    origin.runs(&question(), &Identity::default()).await.map(|found| found.items.len())
}

#[tokio::test]
async fn a_certificate_is_checked_unless_that_is_switched_off() {
    let authority = Authority::new();
    let with = r#"{"tlsAuthWithCACert":true}"#;
    let pem = authority.pem();
    let ca = [("tlsCACert", pem.as_str())];
    let fine = || authority.server("127.0.0.1", 2100, false);
    assert_eq!(secure(fine(), with, &ca).await, Ok(0));
    assert_eq!(secure(fine(), r#"{"tlsSkipVerify":true}"#, &[]).await, Ok(0));
    says(
        &secure(fine(), with, &[("tlsCACert", &Authority::new().pem())]).await.unwrap_err(),
        "signed by a CA that is not known",
        "paste the CA",
    );
    says(&secure(authority.server("127.0.0.1", 2001, false), with, &ca).await.unwrap_err(), "has expired", "Renew");
    let other = || authority.server("chaos.example", 2100, false);
    says(&secure(other(), with, &ca).await.unwrap_err(), "for another name than \"127.0.0.1\"", "server name");
    assert_eq!(secure(other(), r#"{"tlsAuthWithCACert":true,"serverName":"chaos.example"}"#, &ca).await, Ok(0));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let own = params.self_signed(&key).unwrap();
    let tls = builder.with_single_cert(vec![own.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap()).unwrap();
    says(&secure(tls, with, &[("tlsCACert", &own.pem())]).await.unwrap_err(), "itself a CA's", "CA:FALSE");
    says(&secure(fine(), with, &[("tlsCACert", "rubbish")]).await.unwrap_err(), "CA certificate: no certificate in PEM", "whole PEM");
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_wanted() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("grafana", 2100);
    let (pem, own, private) = (authority.pem(), certificate.pem(), key.serialize_pem());
    let json = r#"{"tlsAuthWithCACert":true,"tlsAuth":true}"#;
    let secrets = [("tlsCACert", pem.as_str()), ("tlsClientCert", own.as_str()), ("tlsClientKey", private.as_str())];
    let server = || authority.server("127.0.0.1", 2100, true);
    assert_eq!(secure(server(), json, &secrets).await, Ok(0));
    says(
        &secure(server(), r#"{"tlsAuthWithCACert":true}"#, &secrets[..1]).await.unwrap_err(),
        "wants a client certificate",
        "TLS client authentication",
    );
    let strange = Authority::new();
    let (certificate, key) = strange.issue("grafana", 2100);
    let (own, private) = (certificate.pem(), key.serialize_pem());
    let error = secure(server(), json, &[secrets[0], ("tlsClientCert", &own), ("tlsClientKey", &private)]).await.unwrap_err();
    says(&error, "does not accept our client certificate", "CA signed");
    let error = secure(server(), json, &[secrets[0], secrets[1], ("tlsClientKey", &private)]).await.unwrap_err();
    says(&error, "Client key", "pair");
    assert!(!format!("{error:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn the_wrong_one_of_http_and_https_is_said() {
    let server = Scripted::start(|_| Say::json(200, "")).await;
    let error = ask(&format!("https://127.0.0.1:{}", server.port)).await.unwrap_err();
    says(&error, "does not speak TLS", "http://");
    let server = Scripted::with(Some(Authority::new().server("127.0.0.1", 2100, false)), |_| Say::json(200, "")).await;
    let error = ask(&format!("http://127.0.0.1:{}", server.port)).await.unwrap_err();
    says(&error, "", "https://");
    let told = Say::Answer {
        status: 400,
        headers: vec![("content-type", "text/plain".to_owned())],
        body: "Client sent an HTTP request to an HTTPS server.".to_owned(),
    };
    says(&against(told).await, "speaks TLS", "https://");
}

#[tokio::test]
async fn the_callers_identity_goes_over_the_datasources_own() {
    let server = Scripted::start(|_| Say::json(403, r#"{"detail":"caller-token and grafana-id"}"#)).await;
    let origin = Chaoscope::new(&settings(&server.url(), "", &[("token", TOKEN)])).unwrap();
    let headers = [("authorization", "Bearer caller-token"), ("x-id-token", "grafana-id")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    let error = origin.runs(&question(), &Identity { headers }).await.unwrap_err();
    assert_eq!(server.asked()[0].headers["authorization"], "Bearer caller-token");
    says(&error, "*** and ***", "");
}

#[tokio::test]
async fn what_was_connected_stays_connected() {
    let server = Scripted::start(|_| Say::json(200, r#"{"runs":[],"next":null}"#)).await;
    let origin = Chaoscope::new(&settings(&server.url(), "", &[])).unwrap();
    for _ in 0..3 {
        origin.runs(&question(), &Identity::default()).await.unwrap();
    }
    assert_eq!(server.asked().iter().map(|asked| asked.headers["host"].clone()).collect::<std::collections::BTreeSet<_>>().len(), 1);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_proxy_is_asked_instead_and_shown_only_its_own_password() {
    let proxy = Scripted::start(|_| Say::json(200, r#"{"runs":[],"next":null}"#)).await;
    let json = format!(r#"{{"proxyUrl":"{}","proxyUser":"me"}}"#, proxy.url());
    let origin = Chaoscope::new(&settings("http://chaoscope.invalid:10765", &json, &[("proxyPassword", "p4ssword")])).unwrap();
    assert!(origin.runs(&question(), &Identity::default()).await.unwrap().items.is_empty());
    let asked = proxy.asked().remove(0);
    assert!(asked.target.starts_with("http://chaoscope.invalid:10765/api/v1/runs?"), "{}", asked.target);
    assert_eq!(asked.headers["proxy-authorization"], "Basic bWU6cDRzc3dvcmQ=");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let origin = Chaoscope::new(&settings(&proxy.url(), &format!(r#"{{"proxyUrl":"http://{closed}"}}"#), &[])).unwrap();
    let error = origin.runs(&question(), &Identity::default()).await.unwrap_err();
    says(&error, &format!("(through the proxy http://{closed}): connection refused"), "Check the port");
    let refusing = Scripted::start(|_| Say::json(407, "")).await;
    let json = format!(r#"{{"proxyUrl":"{}"}}"#, refusing.url());
    for address in ["http://chaoscope.invalid:10765", "https://chaoscope.invalid"] {
        let origin = Chaoscope::new(&settings(address, &json, &[])).unwrap();
        let error = origin.runs(&question(), &Identity::default()).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
        says(&error, "the proxy", "user and");
    }
}

#[tokio::test]
async fn nothing_here_prints_a_secret() {
    let settings = settings(
        "http://127.0.0.1:1",
        r#"{"httpHeaderName1":"X-Key","proxyUrl":"http://127.0.0.1:1","proxyUser":"me"}"#,
        &[("token", TOKEN), ("httpHeaderValue1", TOKEN), ("proxyPassword", TOKEN)],
    );
    let http = Http::new(&settings).unwrap();
    let who = Identity { headers: vec![("cookie".to_owned(), TOKEN.to_owned())] };
    let headers = http.headers_for(&who);
    let error = http.get("api/v1/runs", &[], &who, http.deadline()).await.err().unwrap();
    assert!(!format!("{settings:?} {headers:?} {:?} {error} {error:?}", http.client).contains("hunter2"));
    assert_eq!(http.shown(&format!("a {TOKEN}\n\u{1b}b"), &who), "a ***  b");
}

/// Runs itself where there are no CA files, for they are looked for in the environment.
#[test]
#[allow(clippy::disallowed_methods, reason = "a test may start a program")]
fn without_ca_files_http_works_and_https_says_what_is_missing() {
    const INSIDE: &str = "CHAOSCOPE_TEST_WITHOUT_CA_FILES";
    if std::env::var_os(INSIDE).is_none() {
        let name = "origin::http::tests::without_ca_files_http_works_and_https_says_what_is_missing";
        let mut itself = std::process::Command::new(std::env::current_exe().unwrap());
        let nowhere = [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere"), (INSIDE, "1")];
        let output = itself.args(["--exact", name]).envs(nowhere).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        return;
    }
    assert!(Http::new(&settings("http://h", "", &[])).is_ok());
    says(&Http::new(&settings("https://h", "", &[])).err().unwrap(), "no CA files", "SSL_CERT_FILE");
    assert!(Http::new(&settings("https://h", r#"{"tlsSkipVerify":true}"#, &[])).is_ok());
    let pem = Authority::new().pem();
    assert!(Http::new(&settings("https://h", r#"{"tlsAuthWithCACert":true}"#, &[("tlsCACert", &pem)])).is_ok());
}
