//! Why there is no answer: [`Error`], each with its cause and what to do about it ([`Fault`]); and how the failure of a connection is told
//! apart by what lies at the bottom of it.
//!
//! To name one more failure: an arm in [`unreachable`] or [`tls`].

use rustls::{AlertDescription, CertificateError, Error as Tls};
use std::error::Error as Cause;
use std::fmt;
use std::io;

/// A cause, and what to do about it. Neither holds a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, in a sentence without a full stop.
    pub cause: String,
    /// What to do about it; may be empty.
    pub remedy: String,
}

impl Fault {
    /// Both.
    pub fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { cause: cause.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl<T: Into<String>> From<T> for Fault {
    fn from(cause: T) -> Self {
        Self::new(cause, "")
    }
}

/// Why an origin gave no answer. The text names the cause; [`Error::remedy`] what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not reached: name, address, TLS.
    #[error("{0}")]
    Unreachable(Fault),
    /// It refused the caller: 401, or what a Dashboard answers instead.
    #[error("{0}")]
    Unauthenticated(Fault),
    /// It knows the caller and does not let him: 403, or what a Dashboard answers instead.
    #[error("{0}")]
    Forbidden(Fault),
    /// It refused the question.
    #[error("{0}")]
    Refused(Fault),
    /// It has too much to do: 429, 503.
    #[error("{0}")]
    Busy(Fault),
    /// It failed.
    #[error("{0}")]
    Failed(Fault),
    /// What came is not its answer: another product, HTML, too large, half of it.
    #[error("{0}")]
    Nonsense(Fault),
    /// The deadline passed.
    #[error("{0}")]
    TimedOut(Fault),
}

impl Error {
    /// Cause and remedy.
    pub const fn fault(&self) -> &Fault {
        match self {
            Self::Unreachable(fault)
            | Self::Unauthenticated(fault)
            | Self::Forbidden(fault)
            | Self::Refused(fault)
            | Self::Busy(fault)
            | Self::Failed(fault)
            | Self::Nonsense(fault)
            | Self::TimedOut(fault) => fault,
        }
    }

    /// What to do about it; may be empty.
    pub const fn remedy(&self) -> &str {
        self.fault().remedy.as_str()
    }
}

/// Every error below one. An I/O error hides the one it was made of from `source`.
fn chain<'e>(error: &'e (dyn Cause + 'static)) -> Vec<&'e (dyn Cause + 'static)> {
    let mut all = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next.filter(|_| all.len() < 32) {
        all.push(error);
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as &(dyn Cause + 'static));
        next = inner.or_else(|| error.source());
    }
    all
}

fn find<'e, T: Cause + 'static>(chain: &[&'e (dyn Cause + 'static)]) -> Option<&'e T> {
    chain.iter().find_map(|error| error.downcast_ref::<T>())
}

/// Whether a request that failed so may be sent again: nothing came back.
pub(super) fn passes(error: &reqwest::Error) -> bool {
    let chain = chain(error);
    if find::<Tls>(&chain).is_some() || is_unknown_name(&chain) {
        return false;
    }
    let cut = chain.iter().any(|error| error.to_string().contains("connection closed before message completed"));
    let kind = find::<io::Error>(&chain).map(io::Error::kind);
    cut || matches!(
        kind,
        Some(
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionAborted
        )
    )
}

fn is_unknown_name(chain: &[&(dyn Cause + 'static)]) -> bool {
    chain.iter().any(|error| error.to_string().contains("dns error"))
}

/// Why a connection or its answer failed, told from the bottom of it. `name` is the address, `host` its host.
pub(super) fn unreachable(error: &reqwest::Error, name: &str, host: &str) -> Error {
    let chain = chain(error);
    if let Some(tls) = find::<Tls>(&chain) {
        return Error::Unreachable(tls_fault(tls, name, host));
    }
    if is_unknown_name(&chain) {
        let remedy = "Check the URL's spelling. In a cluster the name is service.namespace.svc, and it is Grafana's pod that looks it up, not your browser.";
        return Error::Unreachable(Fault::new(format!("{name}: the name {host:?} is not known (DNS)"), remedy));
    }
    let text = |part: &str| chain.iter().any(|error| error.to_string().contains(part));
    if error.is_timeout() && error.is_connect() {
        let remedy = "Check address and port, and that a firewall or network policy lets Grafana's pod through.";
        return Error::Unreachable(Fault::new(format!("{name}: no connection in time"), remedy));
    }
    if error.is_timeout() {
        return late(name);
    }
    if text("invalid HTTP version") || text("invalid HTTP header") || text("invalid HTTP status") {
        let remedy = "If this port speaks TLS, the URL must begin with https://.";
        return Error::Nonsense(Fault::new(format!("{name}: what answers there does not speak plain HTTP"), remedy));
    }
    if text("unsuccessful") && text("tunnel") || text("proxy authorization") {
        return Error::Unreachable(Fault::new(
            format!("{name}: the proxy did not connect us"),
            "Check the proxy's address, user and what it allows, or NO_PROXY in Grafana's environment.",
        ));
    }
    match find::<io::Error>(&chain).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => Error::Unreachable(Fault::new(
            format!("{name}: connection refused, nothing listens there"),
            "Check the port, and that the service runs (kubectl get pods, endpoints).",
        )),
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => Error::Unreachable(Fault::new(
            format!("{name}: no way to that address"),
            "Check the address, and that Grafana's network reaches it.",
        )),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted) => {
            Error::Unreachable(Fault::new(
                format!("{name}: the connection was cut"),
                "Something between may have ended it; if the port speaks TLS, the URL must begin with https://.",
            ))
        }
        Some(io::ErrorKind::UnexpectedEof) => half(name),
        _ if text("before message completed") || error.is_body() || error.is_decode() => half(name),
        _ => Error::Unreachable(Fault::new(format!("{name}: {}", bottom(&chain)), "Check URL, port and proxy.")),
    }
}

/// The answer broke off.
pub(super) fn half(name: &str) -> Error {
    Error::Nonsense(Fault::new(
        format!("{name}: the answer broke off in the middle"),
        "Ask again; if it stays so, a proxy between may limit size or time.",
    ))
}

/// The deadline passed.
pub(super) fn late(name: &str) -> Error {
    Error::TimedOut(Fault::new(
        format!("{name}: no answer in time"),
        "Ask for less time or with more filters, or raise the timeout in the datasource's settings.",
    ))
}

fn bottom(chain: &[&(dyn Cause + 'static)]) -> String {
    chain.last().map_or_else(String::new, |error| super::http::plain(&error.to_string()))
}

fn tls_fault(error: &Tls, name: &str, host: &str) -> Fault {
    match error {
        Tls::InvalidCertificate(certificate) => certificate_fault(certificate, name, host),
        Tls::InvalidMessage(_) => Fault::new(
            format!("{name}: what answers there does not speak TLS"),
            "If this port speaks plain HTTP, the URL must begin with http://.",
        ),
        Tls::AlertReceived(AlertDescription::CertificateRequired) => Fault::new(
            format!("{name}: it wants a client certificate"),
            "Switch on TLS client authentication, and paste certificate and key.",
        ),
        Tls::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError),
        ) => Fault::new(
            format!("{name}: it does not accept our client certificate ({alert:?})"),
            "Paste a certificate that its CA signed and that is still valid, with its key.",
        ),
        Tls::AlertReceived(alert) => Fault::new(
            format!("{name}: it ended the TLS handshake ({alert:?})"),
            "It may want a client certificate, or a TLS version or name that was not offered.",
        ),
        Tls::PeerIncompatible(_) | Tls::PeerMisbehaved(_) => {
            Fault::new(format!("{name}: its TLS is too old or broken"), "TLS 1.2 or newer is needed.")
        }
        other => Fault::new(format!("{name}: TLS failed: {}", super::http::plain(&other.to_string())), ""),
    }
}

fn certificate_fault(error: &CertificateError, name: &str, host: &str) -> Fault {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Fault::new(
            format!("{name}: its certificate is signed by a CA that is not known here"),
            "Switch on \"with CA cert\" and paste the CA's certificate. Skipping the check gives the token to anybody between.",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Fault::new(format!("{name}: its certificate has expired"), "Renew it. If it is new, this machine's clock may be wrong.")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Fault::new(format!("{name}: its certificate is not valid yet"), "One of the two clocks may be wrong.")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Fault::new(
            format!("{name}: its certificate is for another name than {host:?}"),
            "Use the name in the certificate in the URL, or write it as server name.",
        ),
        CertificateError::Revoked => Fault::new(format!("{name}: its certificate was revoked"), "Renew it."),
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => Fault::new(
            format!("{name}: its certificate is itself a CA's (self-signed), which is not accepted for a server"),
            "Make one with basicConstraints CA:FALSE (openssl req -x509 -addext basicConstraints=CA:FALSE), and paste that as CA certificate.",
        ),
        other => Fault::new(
            format!("{name}: its certificate is not accepted ({})", super::http::plain(&other.to_string())),
            "Paste the CA's certificate, or renew it.",
        ),
    }
}
