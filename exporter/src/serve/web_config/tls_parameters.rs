//! TLS versions, cipher suites and key exchange groups under the names Go gives them.
//!
//! Apart because it is a translation table and nothing else: what ring offers is listed by rustls, only names differ.

use rustls::crypto::{SupportedKxGroup, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::error::{Section, WebError, shown};
use super::file::TlsSection;

/// The TLS versions between `min_version` and `max_version`.
pub(super) fn versions(section: &TlsSection, at: Section<'_>) -> Result<Vec<&'static SupportedProtocolVersion>, WebError> {
    let number = |key: &str, given: &Option<String>, default| match given.as_deref().unwrap_or_default() {
        "" => Ok(default),
        "TLS12" => Ok(2),
        "TLS13" => Ok(3),
        old @ ("TLS10" | "TLS11") => {
            let problem = format!("{old} is broken (RFC 8996) and not spoken here");
            Err(at.wrong(key, problem, "write TLS12 or TLS13"))
        }
        other => Err(at.wrong(key, format!("{} is unknown", shown(other)), "write TLS12 or TLS13")),
    };
    let lowest = number("min_version", &section.min_version, 2)?;
    let highest = number("max_version", &section.max_version, 3)?;
    match (lowest, highest) {
        (2, 3) => Ok(vec![&TLS13, &TLS12]),
        (2, 2) => Ok(vec![&TLS12]),
        (3, 3) => Ok(vec![&TLS13]),
        _ => Err(at.wrong("max_version", "lower than min_version", "write the same or a higher one")),
    }
}

/// The cipher suites in the order given; all of them without the key. As in Go the list is about TLS 1.2: those of TLS 1.3
/// stay unless the list names some of them.
pub(super) fn cipher_suites(section: &TlsSection, at: Section<'_>) -> Result<Vec<SupportedCipherSuite>, WebError> {
    let names = section.cipher_suites.as_deref().unwrap_or_default();
    let mut suites = named(names, ring::ALL_CIPHER_SUITES, suite_name, "cipher_suites", at)?;
    if !suites.iter().any(|suite| suite.tls13().is_some()) {
        suites.extend(ring::ALL_CIPHER_SUITES.iter().filter(|suite| suite.tls13().is_some()));
    }
    Ok(if names.is_empty() { ring::ALL_CIPHER_SUITES.to_vec() } else { suites })
}

/// Go's name of a suite: rustls' own, but for the prefix of TLS 1.3.
fn suite_name(suite: &SupportedCipherSuite) -> String {
    suite.suite().as_str().unwrap_or_default().replace("TLS13_", "TLS_")
}

/// The key exchange groups in the order given; all of them without the key.
pub(super) fn curves(section: &TlsSection, at: Section<'_>) -> Result<Vec<&'static dyn SupportedKxGroup>, WebError> {
    let names = section.curve_preferences.as_deref().unwrap_or_default();
    let curves = named(names, ring::ALL_KX_GROUPS, curve_name, "curve_preferences", at)?;
    Ok(if names.is_empty() { ring::ALL_KX_GROUPS.to_vec() } else { curves })
}

/// Go's name of a group: X25519 as it is, secp256r1 as `CurveP256`.
fn curve_name(group: &&'static dyn SupportedKxGroup) -> String {
    let name = group.name().as_str().unwrap_or_default();
    match name.strip_prefix("secp").and_then(|rest| rest.strip_suffix("r1")) {
        Some(bits) => format!("CurveP{bits}"),
        None => name.to_owned(),
    }
}

/// Those of `all` whose names are listed, in the order of the list; a name that is not offered is an error.
fn named<T: Copy>(names: &[String], all: &[T], name_of: impl Fn(&T) -> String, key: &str, at: Section<'_>) -> Result<Vec<T>, WebError> {
    let one = |name: &String| {
        all.iter().find(|item| name_of(item) == *name).copied().ok_or_else(|| {
            let offered: Vec<String> = all.iter().map(&name_of).collect();
            at.wrong(key, format!("{} is not offered here", shown(name)), format!("choose from {}", offered.join(", ")))
        })
    };
    names.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_gos() {
        let suites: Vec<String> = ring::ALL_CIPHER_SUITES.iter().map(suite_name).collect();
        for name in ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"] {
            assert!(suites.iter().any(|suite| suite == name), "{name} in {suites:?}");
        }
        let curves: Vec<String> = ring::ALL_KX_GROUPS.iter().map(curve_name).collect();
        assert_eq!(curves, ["X25519", "CurveP256", "CurveP384"]);
    }

    #[test]
    fn a_list_of_tls12_suites_keeps_those_of_tls13() {
        let at = Section { file: std::path::Path::new("web.yml"), name: "tls_server_config" };
        let suites = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let section = TlsSection { cipher_suites: Some(names), ..TlsSection::default() };
            let suites = cipher_suites(&section, at).unwrap_or_else(|error| panic!("{}", error.line()));
            suites.iter().map(suite_name).collect::<Vec<_>>()
        };
        assert_eq!(suites(&[]).len(), ring::ALL_CIPHER_SUITES.len());
        assert_eq!(suites(&["TLS_AES_256_GCM_SHA384"]), ["TLS_AES_256_GCM_SHA384"]);
        let mixed = suites(&["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]);
        assert_eq!(mixed.first().map(String::as_str), Some("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"));
        assert_eq!(mixed.iter().filter(|name| !name.contains("ECDHE")).count(), 3, "{mixed:?}");
    }
}
