//! The YAML shape of the web configuration file: Prometheus' exporter-toolkit format, keys and nothing else.
//!
//! Source of the keys: `docs/web-configuration.md` of github.com/prometheus/exporter-toolkit at 19a7c2d (July 2026).
//! Apart from what the values mean (`tls`, `basic_auth`, `headers`, `rate_limit`), so that this file reads like that page.
//! To add a key: one field here, its use in the file of its section, one row in `docs/web-config.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::secret::Secret;

/// The whole file. Unknown keys are errors, at every level.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of sections")]
pub(super) struct WebFile {
    pub(super) tls_server_config: Option<TlsSection>,
    pub(super) http_server_config: Option<HttpSection>,
    pub(super) rate_limit: Option<RateSection>,
    pub(super) basic_auth_users: Option<BTreeMap<String, Secret>>,
}

/// `tls_server_config`. Relative paths are relative to the folder of the web configuration file.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of TLS keys")]
pub(super) struct TlsSection {
    pub(super) cert: Option<String>,
    pub(super) key: Option<Secret>,
    pub(super) client_ca: Option<String>,
    pub(super) cert_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) client_ca_file: Option<PathBuf>,
    pub(super) client_auth_type: Option<String>,
    pub(super) client_allowed_sans: Option<Vec<String>>,
    pub(super) min_version: Option<String>,
    pub(super) max_version: Option<String>,
    pub(super) cipher_suites: Option<Vec<String>>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
    pub(super) curve_preferences: Option<Vec<String>>,
}

impl TlsSection {
    /// Whether no key is given: the one case in which the server speaks plain HTTP. (Taking the section apart by name makes
    /// a new key that is forgotten here a compile error.)
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            cert,
            key,
            client_ca,
            cert_file,
            key_file,
            client_ca_file,
            client_auth_type,
            client_allowed_sans,
            min_version,
            max_version,
            cipher_suites,
            prefer_server_cipher_suites,
            curve_preferences,
        } = self;
        let texts = [cert, client_ca, client_auth_type, min_version, max_version];
        let files = [cert_file, key_file, client_ca_file];
        let lists = [client_allowed_sans, cipher_suites, curve_preferences];
        texts.iter().all(|text| text.is_none())
            && files.iter().all(|file| file.is_none())
            && lists.iter().all(|list| list.is_none())
            && key.is_none()
            && prefer_server_cipher_suites.is_none()
    }
}

/// `http_server_config`.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of HTTP keys")]
pub(super) struct HttpSection {
    pub(super) http2: Option<bool>,
    pub(super) headers: Option<HeaderSection>,
}

/// `http_server_config.headers`: the five headers the format allows, spelled exactly so.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of header names to texts")]
pub(super) struct HeaderSection {
    #[serde(rename = "Content-Security-Policy")]
    pub(super) content_security_policy: Option<String>,
    #[serde(rename = "X-Frame-Options")]
    pub(super) x_frame_options: Option<String>,
    #[serde(rename = "X-Content-Type-Options")]
    pub(super) x_content_type_options: Option<String>,
    #[serde(rename = "X-XSS-Protection")]
    pub(super) x_xss_protection: Option<String>,
    #[serde(rename = "Strict-Transport-Security")]
    pub(super) strict_transport_security: Option<String>,
}

/// `rate_limit`.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, expecting = "a mapping with interval and burst")]
pub(super) struct RateSection {
    pub(super) interval: Option<String>,
    pub(super) burst: Option<i64>,
}
