//! `tls_server_config` → rustls: the server's certificate, and what `client_auth` and `tls_parameters` make of the rest.
//!
//! Apart because it is the one place that knows rustls' builders. What rustls (with ring) cannot do, or what would look like
//! protection and be none, is refused with its reason rather than ignored: `docs/web-config.md` lists it.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::client_auth::{ClientAuth, client_auth, client_verifier};
use super::error::{Section, WebError};
use super::file::TlsSection;
use super::tls_parameters::{cipher_suites, curves, versions};

/// The PEM texts of the section, from its files or written inline.
pub(super) struct Pems {
    /// The server's certificate and its intermediates.
    pub(super) certificate: Vec<u8>,
    /// The private key of the certificate.
    pub(super) key: Vec<u8>,
    /// The certificate authorities clients may come from.
    pub(super) client_authorities: Option<Vec<u8>>,
}

/// What a connection needs to know about TLS.
pub(super) struct Tls {
    /// For rustls.
    pub(super) config: Arc<ServerConfig>,
    /// How clients prove themselves.
    pub(super) client_auth: ClientAuth,
    /// Whether clients must also carry one of the listed names.
    pub(super) client_names: bool,
}

/// The section as a rustls configuration. `http2` decides what is offered by ALPN.
pub(super) fn tls(section: &TlsSection, pems: &Pems, http2: bool, at: Section<'_>) -> Result<Tls, WebError> {
    let versions = versions(section, at)?;
    let provider = Arc::new(CryptoProvider {
        cipher_suites: cipher_suites(section, at)?,
        kx_groups: curves(section, at)?,
        ..ring::default_provider()
    });
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&versions).map_err(|error| {
        let problem = "none of them works with the TLS versions allowed";
        at.failed("cipher_suites", problem, "add some or remove the key", Some(error.into()))
    })?;
    let builder = match client_verifier(section, pems, &provider, at)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let (certificates, key) = identity(pems, at)?;
    let mut config = builder
        .with_single_cert(certificates, key)
        .map_err(|error| at.failed("key_file", "not the key of the certificate", "use the pair made together", Some(error.into())))?;
    config.ignore_client_order = section.prefer_server_cipher_suites.unwrap_or(true);
    config.alpn_protocols = if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    Ok(Tls { config: Arc::new(config), client_auth: client_auth(section, at)?, client_names: section.client_allowed_sans.is_some() })
}

/// The server's certificate chain and private key.
fn identity(pems: &Pems, at: Section<'_>) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), WebError> {
    let certificates = certificates(&pems.certificate, "cert_file", at)?;
    let key = PrivateKeyDer::from_pem_slice(&pems.key).map_err(|error| {
        let remedy = "write an unencrypted PKCS#8, PKCS#1 or SEC1 key in PEM form";
        at.failed("key_file", "no private key in it", remedy, Some(error.into()))
    })?;
    Ok((certificates, key))
}

/// All certificates of a PEM text, at least one.
pub(super) fn certificates(pem: &[u8], key: &str, at: Section<'_>) -> Result<Vec<CertificateDer<'static>>, WebError> {
    const REMEDY: &str = "write certificates in PEM form (-----BEGIN CERTIFICATE-----)";
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| at.failed(key, "not a PEM certificate", REMEDY, Some(error.into())))?;
    if certificates.is_empty() {
        return Err(at.wrong(key, "no certificate in it", REMEDY));
    }
    Ok(certificates)
}
