//! `client_auth_type` and `client_ca_file`: whether and how clients prove themselves by a certificate.
//!
//! Apart from the rest of TLS because a mistake here opens the server. Of Go's five kinds the three are known that protect what
//! they claim to.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::client_names::AllowedNames;
use super::error::{Section, WebError, shown};
use super::file::TlsSection;
use super::tls::{Pems, certificates};

/// How clients prove themselves, from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ClientAuth {
    /// Not at all.
    None,
    /// A certificate is verified if there is one.
    IfGiven,
    /// No connection without a verified certificate.
    Required,
}

/// What checks client certificates; `None` if none are asked for.
pub(super) fn client_verifier(
    section: &TlsSection,
    pems: &Pems,
    provider: &Arc<CryptoProvider>,
    at: Section<'_>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, WebError> {
    const CHOOSE: &str = "set client_auth_type to RequireAndVerifyClientCert or VerifyClientCertIfGiven";
    let auth = client_auth(section, at)?;
    let Some(pem) = pems.client_authorities.as_deref() else {
        return match (auth, &section.client_allowed_sans) {
            (ClientAuth::None, None) => Ok(None),
            (ClientAuth::None, Some(_)) => Err(at.wrong("client_allowed_sans", "no client is asked for a name", CHOOSE)),
            _ => Err(at.wrong("client_auth_type", "nobody to verify against", "set client_ca_file")),
        };
    };
    if auth == ClientAuth::None {
        return Err(at.wrong("client_ca_file", "no client is asked for a certificate", CHOOSE));
    }
    let unfit = |error| {
        let remedy = "write certificate authorities in PEM form";
        at.failed("client_ca_file", "not a certificate authority", remedy, Some(error))
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "client_ca_file", at)? {
        roots.add(certificate).map_err(|error| unfit(error.into()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if auth == ClientAuth::IfGiven { builder.allow_unauthenticated() } else { builder };
    let verifier = builder.build().map_err(|error| unfit(error.into()))?;
    match &section.client_allowed_sans {
        None => Ok(Some(verifier)),
        Some(names) if names.is_empty() => {
            Err(at.wrong("client_allowed_sans", "an empty list lets nobody in", "list names or remove the key"))
        }
        Some(names) => Ok(Some(Arc::new(AllowedNames::new(verifier, names.clone())))),
    }
}

/// `client_auth_type`. Go's two kinds that ask for a certificate and check nothing are refused.
pub(super) fn client_auth(section: &TlsSection, at: Section<'_>) -> Result<ClientAuth, WebError> {
    const ALLOWED: &str = "write NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert";
    match section.client_auth_type.as_deref().unwrap_or_default() {
        "" | "NoClientCert" => Ok(ClientAuth::None),
        "VerifyClientCertIfGiven" => Ok(ClientAuth::IfGiven),
        "RequireAndVerifyClientCert" => Ok(ClientAuth::Required),
        kind @ ("RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert") => {
            let problem = format!("{kind} accepts any certificate unverified, which protects nothing");
            Err(at.wrong("client_auth_type", problem, ALLOWED))
        }
        other => Err(at.wrong("client_auth_type", format!("{} is unknown", shown(other)), ALLOWED)),
    }
}
