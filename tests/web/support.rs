//! What the tests of the web server share: a running server, a certificate authority, a folder of files, the log.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use chaoscope::serve::listener::{Limits, Listeners, serve};
use chaoscope::serve::web_config::{WebConfig, WebError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long anything may take before a test is called stuck. Never an expectation.
pub(crate) const STUCK: Duration = Duration::from_mins(1);

/// A server on a loopback port.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WebError>>,
}

impl Server {
    /// Serves `app` on `127.0.0.1:0`.
    pub(crate) fn start(app: Router, config: WebConfig, limits: Limits) -> Self {
        let listeners = Listeners::bind(&["127.0.0.1:0".to_owned()], limits).expect("a free port");
        let address = listeners.local_addrs()[0];
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listeners, app, config, async {
            let _ = stopped.await;
        }));
        Self { address, stop, task }
    }

    /// The usual one: a greeting, the web configuration of `folder`, the usual limits.
    pub(crate) fn of(folder: &Folder) -> Self {
        Self::start(greeting(), folder.load().unwrap_or_else(|error| panic!("{}", error.line())), Limits::default())
    }

    pub(crate) fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn https(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// Asks the server to stop, without waiting.
    pub(crate) fn stop(self) -> JoinHandle<Result<(), WebError>> {
        let _ = self.stop.send(());
        self.task
    }
}

/// Answers `hello` at `/`.
pub(crate) fn greeting() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// Files of one test, with `web.yml` among them.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// With a `web.yml` of this text.
    pub(crate) fn with(yaml: &str) -> Self {
        let folder = Self::new();
        folder.write("web.yml", yaml);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    /// Puts a certificate and its key there as `server.crt` and `server.key`.
    pub(crate) fn put(&self, pair: &Pair) {
        self.write("server.crt", &pair.certificate);
        self.write("server.key", &pair.key);
    }

    pub(crate) fn load(&self) -> Result<WebConfig, WebError> {
        WebConfig::load(Some(&self.path("web.yml")))
    }

    /// The error of loading a file that is not there.
    pub(crate) fn error_of_missing(&self) -> String {
        WebConfig::load(Some(&self.path("missing.yml"))).err().expect("an error").line()
    }

    /// The error of loading `web.yml`, in one line.
    pub(crate) fn error(&self) -> String {
        match self.load() {
            Ok(_) => panic!("{} is accepted", std::fs::read_to_string(self.path("web.yml")).expect("read")),
            Err(error) => error.line(),
        }
    }
}

/// A certificate authority of one test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// For a server on loopback.
    pub(crate) fn server(&self) -> Pair {
        self.sign(vec![SanType::IpAddress("127.0.0.1".parse().expect("an address"))])
    }

    /// For whatever the names say.
    pub(crate) fn sign(&self, names: Vec<SanType>) -> Pair {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate").pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

/// A DNS name for a certificate.
pub(crate) fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().expect("a DNS name"))
}

/// A client that trusts this authority only, keeps no connection and asks no proxy.
pub(crate) fn browser(authority: &Authority) -> reqwest::ClientBuilder {
    install_ring();
    let trusted = reqwest::Certificate::from_pem(authority.pem().as_bytes()).expect("a certificate");
    reqwest::Client::builder().tls_certs_only([trusted]).no_proxy().pool_max_idle_per_host(0).timeout(STUCK)
}

/// A client for plain HTTP.
pub(crate) fn plain_browser() -> reqwest::Client {
    install_ring();
    reqwest::Client::builder().tls_certs_only([]).no_proxy().pool_max_idle_per_host(0).timeout(STUCK).build().expect("a client")
}

/// Reqwest is built without a provider of its own. (The server never needs this: it is given ring by name.)
fn install_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Trust in this authority only.
pub(crate) fn trusting(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM")).expect("a root");
    roots
}

/// A TLS client of these versions, for what reqwest does not show.
pub(crate) fn tls_client(authority: &Authority, versions: &[&'static SupportedProtocolVersion], identity: Option<&Pair>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    let builder = builder.with_root_certificates(trusting(authority));
    match identity {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("PEM");
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(vec![certificate], key).expect("an identity")
        }
    }
}

/// A TLS connection to the server.
pub(crate) async fn connect(address: SocketAddr, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::from(address.ip());
    in_time(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

/// The status of an answer, or why there is none; no answer in time is no reason but a stuck test.
pub(crate) async fn status(request: reqwest::RequestBuilder) -> reqwest::Result<u16> {
    let answer = request.send().await;
    assert!(!answer.as_ref().is_err_and(reqwest::Error::is_timeout), "stuck");
    Ok(answer?.status().as_u16())
}

/// Sends a GET for `path` over `stream` and reads to the end.
pub(crate) async fn get_over<S>(mut stream: S, path: &str) -> io::Result<String>
where
    S: AsyncReadExt + AsyncWriteExt + Unpin,
{
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    in_time(stream.read_to_end(&mut answer)).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The first answer with a body of `length` bytes on a connection that stays open.
pub(crate) async fn get_and_stay(stream: &mut TcpStream, path: &str, body: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(body.as_bytes()) {
        assert_ne!(in_time(stream.read_buf(&mut answer)).await.expect("read"), 0, "the server left: {answer:?}");
    }
}

/// Reads until the server ends the connection, one way or the other.
pub(crate) async fn until_cut(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _reset_or_end = in_time(stream.read_to_end(&mut rest)).await;
    rest
}

/// The result of `work`, which must come before the test is called stuck.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, work).await.expect("stuck")
}

/// Tries until `work` gives something.
pub(crate) async fn eventually<T, W: Future<Output = Option<T>>>(work: impl Fn() -> W) -> T {
    in_time(async {
        loop {
            if let Some(result) = work().await {
                return result;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

/// Lines of Chaoscope's log since the start of the process that hold all of `parts`.
pub(crate) fn logged(parts: &[&str]) -> Vec<String> {
    let text = LOG.lock().expect("the log").clone();
    let text = String::from_utf8(text).expect("UTF-8");
    text.lines().filter(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned).collect()
}

/// Catches everything Chaoscope logs, at any level, from now on.
pub(crate) fn catch_log() {
    LazyLock::force(&CATCHING);
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static CATCHING: LazyLock<()> = LazyLock::new(|| {
    let subscriber = tracing_subscriber::fmt().with_env_filter("chaoscope=trace").with_ansi(false).with_writer(|| Log).finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
});

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
