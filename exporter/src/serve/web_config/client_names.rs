//! `client_allowed_sans`: a client certificate must carry one of the listed subject alternative names.
//!
//! Apart because rustls checks who signed a client certificate but not for which name.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::alternative_names::{Name, alternative_names};

/// Lets through what `inner` lets through, if the certificate carries one of the allowed names.
#[derive(Debug)]
pub(super) struct AllowedNames {
    inner: Arc<dyn ClientCertVerifier>,
    allowed: Vec<String>,
}

impl AllowedNames {
    /// `inner` decides about the signature chain, `allowed` about the names.
    pub(super) fn new(inner: Arc<dyn ClientCertVerifier>, allowed: Vec<String>) -> Self {
        Self { inner, allowed }
    }

    fn allows(&self, certificate: &[u8]) -> bool {
        let allowed = |name: &Name<'_>| {
            self.allowed.iter().any(|entry| match name {
                Name::Text(text) => entry.as_bytes() == *text,
                Name::Address(address) => entry.parse::<IpAddr>().is_ok_and(|entry| entry.to_canonical() == *address),
            })
        };
        alternative_names(certificate).is_some_and(|names| names.iter().any(allowed))
    }
}

impl ClientCertVerifier for AllowedNames {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        if !self.allows(end_entity.as_ref()) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(verified)
    }

    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::alternative_names::tests::{all_kinds, certificate_without_names};
    use super::*;

    #[test]
    fn names_are_compared_whole() {
        let inner = rustls::server::WebPkiClientVerifier::no_client_auth();
        let allows = |entry: &str| AllowedNames::new(Arc::clone(&inner), vec![entry.to_owned()]).allows(&all_kinds());
        for entry in ["prometheus.example", "sre@example.org", "spiffe://cluster/prometheus", "192.0.2.7"] {
            assert!(allows(entry), "{entry}");
        }
        assert!(allows("2001:0db8:0::7"), "addresses are compared as numbers");
        for entry in ["prometheus.exampl", "*.example", "example", "", "192.0.2.70", "PROMETHEUS.example"] {
            assert!(!allows(entry), "{entry}");
        }
        let nobody = AllowedNames::new(Arc::clone(&inner), vec!["x".to_owned(), String::new()]);
        assert!(!nobody.allows(&certificate_without_names()) && !nobody.allows(b""));
    }
}
