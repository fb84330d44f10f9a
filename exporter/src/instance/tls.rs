//! Whom the client trusts: this host's certificates, or those of a file. rustls with ring, whatever is linked besides.

use super::Error;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// Largest file of certificates, in bytes; that of a whole distribution has about 220 KiB.
const LARGEST: u64 = 4 << 20;

/// How to speak TLS with whom this host trusts, or with those of a file.
pub(crate) fn config(ca_file: Option<&Path>, flag: &'static str) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        named(path, flag, &mut roots)?;
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(Error::NoRoots);
        }
    }
    trusting(roots)
}

/// For an address that says http: nobody is trusted, so an image without certificates is no trouble.
pub(crate) fn unused() -> Result<ClientConfig, Error> {
    trusting(RootCertStore::empty())
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(versions.map_err(|error| Error::Setup(error.to_string()))?.with_root_certificates(roots).with_no_client_auth())
}

fn named(path: &Path, flag: &'static str, roots: &mut RootCertStore) -> Result<(), Error> {
    let refused = |reason: String| Error::File { what: flag, path: path.to_owned(), reason };
    let text = super::http::small_file(path, LARGEST).map_err(refused)?;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| refused(format!("not PEM: {error}")))?;
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() { Err(refused("it holds no certificate".to_owned())) } else { Ok(()) }
}
