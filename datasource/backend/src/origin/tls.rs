//! Whom the client believes, and what it shows of itself. rustls with ring, whatever is linked besides.
//!
//! For an address that says http nobody's certificates are read: an image without CA files must not fail for it.

use super::fault::{Error, Fault};
use crate::settings::{Secret, Tls};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// How to speak TLS.
pub(super) fn config(tls: &Tls, is_used: bool) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| refused("TLS", &error.to_string(), ""))?;
    let builder = if tls.skip_verify {
        versions.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
    } else {
        let roots = if is_used { roots(tls.ca.as_ref())? } else { RootCertStore::empty() };
        match named(tls.server_name.as_deref().filter(|_| is_used), &roots, &provider)? {
            Some(verifier) => versions.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
            None => versions.with_root_certificates(roots),
        }
    };
    let Some((certificate, key)) = tls.client.as_ref().filter(|_| is_used) else { return Ok(builder.with_no_client_auth()) };
    let remedy = "Paste the whole PEM, from -----BEGIN to -----END.";
    let chain = certificates(certificate).map_err(|reason| refused("Client certificate", &reason, remedy))?;
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| refused("Client key", "no private key in PEM", remedy))?;
    let both = builder.with_client_auth_cert(chain, key);
    both.map_err(|_| {
        refused(
            "Client key",
            "it is not the key of the client certificate, or of a kind that is not supported",
            "Paste the pair that belongs together.",
        )
    })
}

fn refused(field: &str, reason: &str, remedy: &str) -> Error {
    Error::Unreachable(Fault::new(format!("{field}: {reason}"), remedy))
}

fn certificates(pem: &Secret) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err("no certificate in PEM".to_owned()),
    }
}

/// This host's CAs, or the one that was pasted.
fn roots(ca: Option<&Secret>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let Some(ca) = ca else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let remedy = "Switch on \"with CA cert\" and paste the CA's certificate, or give Grafana's image CA files (SSL_CERT_FILE).";
        return if roots.is_empty() {
            Err(refused("TLS", "there are no CA files here, so no certificate can be checked", remedy))
        } else {
            Ok(roots)
        };
    };
    let remedy = "Paste the whole PEM, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----.";
    for certificate in certificates(ca).map_err(|reason| refused("CA certificate", &reason, remedy))? {
        roots.add(certificate).map_err(|_| refused("CA certificate", "it cannot be read", remedy))?;
    }
    Ok(roots)
}

fn named(name: Option<&str>, roots: &RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Option<Named>, Error> {
    let Some(name) = name else { return Ok(None) };
    let wanted = ServerName::try_from(name.to_owned()).map_err(|_| refused("Server name", "it is no name of a host", ""))?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots.clone()), Arc::clone(provider)).build();
    let inner = verifier.map_err(|error| refused("TLS", &error.to_string(), ""))?;
    Ok(Some(Named { wanted, inner }))
}

/// Believes certificates of one name, whatever the address says.
#[derive(Debug)]
struct Named {
    wanted: ServerName<'static>,
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner.verify_server_cert(end, between, &self.wanted, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, end, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, end, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Believes anybody (`tlsSkipVerify`), who must still have the key of what he shows.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, end, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, end, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
