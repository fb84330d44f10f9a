//! A real kube-apiserver, with its etcd in the same process, on a port of 127.0.0.1: `tests/kube/` builds it.
//!
//! Each [`Kube`] has data, certificates and tokens of its own below one temporary folder; three seconds after [`Kube::start`] it is
//! ready. There is no controller and no kubelet: what a test does not write is not there, service accounts and endpoints included.
//! (With them, it is a whole node: [`super::cluster`], which answers a [`Kube`] too.)
//! [`objects`] writes the objects. After a start, custom resources may answer 429 for a moment: [`Kube::call`] waits for that.

pub mod objects;

use super::http::free_address;
use super::process::{Running, succeed, until};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use tempfile::TempDir;

/// The token of a user who may do everything.
pub const ADMIN: &str = "admin-token";
/// The token of a user who may do nothing but ask what there is.
pub const NOBODY: &str = "nobody-token";

/// How to start one. `Options::default()`: as Kubernetes does.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// More flags of kube-apiserver, such as `--event-ttl=5s`.
    pub flags: Vec<String>,
    /// More tokens, each with the name of its user. They hold until the next start reads others: see [`Kube::write_tokens`].
    pub tokens: Vec<(String, String)>,
}

/// A running API server; killed when dropped.
#[derive(Debug)]
pub struct Kube {
    folder: PathBuf,
    address: SocketAddr,
    flags: Vec<String>,
    client: Client,
    process: Mutex<Option<Running>>,
    /// Removes the folder, unless that is somebody else's; last, for then nobody writes into it any more.
    temporary: Option<TempDir>,
}

impl Kube {
    /// A new one, empty, ready.
    pub fn start() -> Self {
        Self::start_with(&Options::default())
    }

    /// A new one with flags and tokens of one's own.
    pub fn start_with(options: &Options) -> Self {
        // Short, because of the socket in it.
        let temporary = tempfile::Builder::new().prefix("kube").tempdir().expect("a temporary folder");
        certificates(temporary.path());
        let mut new = Self::at(temporary.path(), free_address());
        new.temporary = Some(temporary);
        new.flags.clone_from(&options.flags);
        let tokens: Vec<_> = options.tokens.iter().map(|(token, user)| (&**token, &**user)).collect();
        new.write_tokens(&tokens);
        // Somebody else may take the port before it does.
        for _ in 0..5 {
            if new.run() {
                return new;
            }
            new.address = free_address();
        }
        panic!("five free ports of 127.0.0.1 were each taken before the API server came up");
    }

    /// One that somebody else runs: its authority and a kubeconfig are in this folder. Asked from the network this is called in.
    pub(super) fn at(folder: &Path, address: SocketAddr) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = fs::read(folder.join("ca.crt")).expect("an authority");
        let authority = reqwest::Certificate::from_pem(&authority).expect("a certificate");
        let client = Client::builder().tls_certs_only([authority]).no_proxy().timeout(super::process::PATIENCE);
        let (client, process) = (client.build().expect("a client"), Mutex::default());
        Self { folder: folder.to_owned(), address, flags: Vec::new(), client, process, temporary: None }
    }

    /// `kill -9`. What was acknowledged is in the folder.
    pub fn kill(&self) {
        *self.process.lock().expect("no test panics while it holds this") = None;
    }

    /// Starts it again after [`Self::kill`], with the same address, data and certificates.
    pub fn restart(&self) {
        assert!(self.run(), "{} was taken by another program\n{}", self.address, self.log());
    }

    /// Where it listens, by HTTPS.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate authority its certificate is of, in PEM.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// A kubeconfig of the user who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_of(ADMIN)
    }

    /// A kubeconfig with this token.
    pub fn kubeconfig_of(&self, token: &str) -> PathBuf {
        self.write_kubeconfig(token, &self.url(), &format!("token: {token:?}"))
    }

    /// A kubeconfig with the token of this file, which is read again and again.
    pub fn kubeconfig_with_file(&self, token: &Path) -> PathBuf {
        self.write_kubeconfig("file", &self.url(), &format!("tokenFile: \"{}\"", token.display()))
    }

    /// A kubeconfig of the user who may do everything, by way of plain HTTP to another address, such as that of a proxy.
    pub fn kubeconfig_via(&self, address: SocketAddr) -> PathBuf {
        self.write_kubeconfig("via", &format!("http://{address}"), &format!("token: {ADMIN:?}"))
    }

    /// The tokens, besides [`ADMIN`] and [`NOBODY`], and their users. In force from the next start on.
    pub fn write_tokens(&self, tokens: &[(&str, &str)]) {
        let admin = format!("{ADMIN},admin,admin,\"system:masters\"");
        let others = [(NOBODY, "nobody")].into_iter().chain(tokens.iter().copied());
        let lines: Vec<_> = [admin].into_iter().chain(others.map(|(token, user)| format!("{token},{user},{user},"))).collect();
        fs::write(self.folder.join("tokens.csv"), lines.join("\n") + "\n").expect("writing the tokens");
    }

    /// One request by who may do everything: status and body; a body that is not JSON comes as a string.
    pub fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.call_as(ADMIN, method, path, body)
    }

    /// One request with this token.
    #[allow(clippy::needless_pass_by_value, reason = "methods are constants")]
    pub fn call_as(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        until(
            || Some(self.call_once(token, method.clone(), path, body)).filter(|(status, _)| *status != 429),
            || format!("{method} {path} is something else than 429"),
        )
    }

    fn call_once(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let mut request = self.client.request(method, format!("https://{}{path}", self.address)).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("Content-Type", kind).body(body.to_string());
        }
        let answer = request.send().unwrap_or_else(|cause| panic!("{path}: {cause:?}\n{}", self.log()));
        let status = answer.status().as_u16();
        let text = answer.text().expect("an answer");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// `https://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    fn write_kubeconfig(&self, name: &str, server: &str, user: &str) -> PathBuf {
        let path = self.folder.join(format!("kubeconfig-{name}"));
        let authority = self.authority().display().to_string();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: {server:?}, certificate-authority: {authority:?}}}}}]\n\
             users: [{{name: test, user: {{{user}}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n"
        );
        fs::write(&path, text).expect("writing a kubeconfig");
        path
    }

    /// False: somebody else took the port.
    fn run(&self) -> bool {
        let at = |name: &str| self.folder.join(name).into_os_string().into_string().expect("a path of ours");
        let log = OpenOptions::new().create(true).append(true).open(at("log")).expect("creating a log");
        let mut command = Command::new(binary());
        command
            .arg("apiserver")
            .env("KUBE_ETCD_DIR", at("etcd"))
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"])
            .args([format!("--secure-port={}", self.address.port()), format!("--token-auth-file={}", at("tokens.csv"))])
            .args([format!("--tls-cert-file={}", at("server.crt")), format!("--tls-private-key-file={}", at("server.key"))])
            .args([format!("--client-ca-file={}", at("ca.crt")), format!("--cert-dir={}", at("certificates"))])
            .args([format!("--service-account-key-file={}", at("account.pub")), "--service-cluster-ip-range=10.96.0.0/16".into()])
            .args([format!("--service-account-signing-key-file={}", at("account.key")), "--authorization-mode=Node,RBAC".into()])
            // No controller makes default service accounts here, and without one that plugin refuses every pod.
            .args(["--service-account-issuer=https://kubernetes.default.svc", "--disable-admission-plugins=ServiceAccount"])
            .args(["--allow-privileged=true", "--profiling=false"])
            .args(&self.flags)
            .stdout(Stdio::null())
            .stderr(log);
        let mut process = Running::start(&mut command);
        let ready = until(
            || {
                if process.has_ended() {
                    let log = self.log();
                    assert!(log.contains("address already in use"), "the API server ended:\n{log}");
                    return Some(false);
                }
                let url = format!("https://{}/readyz", self.address);
                self.client.get(url).bearer_auth(ADMIN).send().is_ok_and(|it| it.status() == 200).then_some(true)
            },
            || format!("the API server is ready\n{}", self.log()),
        );
        *self.process.lock().expect("no test panics while it holds this") = ready.then_some(process);
        ready
    }

    /// The end of what it logged.
    fn log(&self) -> String {
        let all = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = all.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Where the program is, whose sub-commands are the parts of Kubernetes; builds it where it is missing.
pub(super) fn binary() -> PathBuf {
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/kube/build.sh");
    succeed(&mut Command::new(build)).trim().into()
}

/// An authority, the server's certificate (a leaf, since rustls takes no authority for one) and the key service account tokens are
/// signed with, as files.
fn certificates(folder: &Path) {
    let write = |name: &str, pem: String| fs::write(folder.join(name), pem).expect("writing a key");
    let key = || KeyPair::generate().expect("a key");

    let authority_key = key();
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "authority of a test");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_pem = authority.self_signed(&authority_key).expect("an authority").pem();
    let issuer = Issuer::new(authority, authority_key);
    write("ca.crt", authority_pem);

    let server_key = key();
    let mut server = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    server.subject_alt_names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
    server.insert_extended_key_usage(ExtendedKeyUsagePurpose::ServerAuth);
    write("server.crt", server.signed_by(&server_key, &issuer).expect("a certificate").pem());
    write("server.key", server_key.serialize_pem());

    let account = key();
    write("account.key", account.serialize_pem());
    write("account.pub", account.public_key_pem());
}
